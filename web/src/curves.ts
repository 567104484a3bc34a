// Command and measured velocity of the last seconds: numbers and a curve for each axis.

import type { Velocity } from "./geometry.ts";

const WINDOW = 10; // s
const EVERY = 0.06; // s from one point of a curve to the next
const RANGES = [
  [-1, 3.2],
  [-0.8, 0.8],
  [-1.4, 1.4],
]; // m/s, m/s, rad/s

// What is shown of one moment.
interface Moment {
  seconds: number; // of simulated time
  command: Velocity;
  velocity: Velocity;
}

interface Row {
  asked: Element;
  measured: Element;
  ink: CanvasRenderingContext2D;
}

export class Curves {
  readonly rows: Row[];
  readonly colors: { command: string; velocity: string };
  #past: Moment[] = [];

  // rows: of the table, each with an .asked and a .measured cell and a canvas.
  constructor(rows: HTMLTableRowElement[]) {
    this.rows = rows.map(contentsOf);
    const [{ asked, measured }] = this.rows;
    this.colors = { command: getComputedStyle(asked).color, velocity: getComputedStyle(measured).color };
  }

  add({ seconds, command, velocity }: Moment): void {
    const last = this.#past.at(-1);
    if (last && seconds - last.seconds < EVERY) return;
    const now = { seconds, command, velocity };
    this.#past.push(now);
    while (this.#past[0].seconds < seconds - WINDOW) this.#past.shift();
    this.rows.forEach((row, axis) => this.#draw(row, axis, now));
  }

  #draw({ asked, measured, ink }: Row, axis: number, now: Moment): void {
    asked.textContent = now.command[axis].toFixed(1);
    measured.textContent = now.velocity[axis].toFixed(2);
    const { canvas } = ink;
    fit(canvas);
    ink.clearRect(0, 0, canvas.width, canvas.height);
    const [low, high] = RANGES[axis];
    const x = (seconds: number) => canvas.width * (1 + (seconds - now.seconds) / WINDOW);
    const y = (value: number) => canvas.height * (1 - (value - low) / (high - low));
    const line = (color: string, width: number, points: number[][]) => {
      ink.beginPath();
      points.forEach(([seconds, value]) => ink.lineTo(x(seconds), y(value)));
      [ink.strokeStyle, ink.lineWidth] = [color, width * devicePixelRatio];
      ink.stroke();
    };
    line("#8888", 1, [
      [now.seconds - WINDOW, 0],
      [now.seconds, 0],
    ]);
    for (const name of ["command", "velocity"] as const) {
      line(
        this.colors[name],
        2,
        this.#past.map((each) => [each.seconds, each[name][axis]]),
      );
    }
  }
}

function contentsOf(row: HTMLTableRowElement): Row {
  const [asked, measured] = [row.querySelector(".asked"), row.querySelector(".measured")];
  const ink = row.querySelector("canvas")?.getContext("2d");
  if (!asked || !measured || !ink) throw new Error("this browser draws no curves");
  return { asked, measured, ink };
}

// Give a canvas as many pixels as it has on the screen.
function fit(canvas: HTMLCanvasElement): void {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

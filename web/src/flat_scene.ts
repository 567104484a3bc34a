// Draws the robot without WebGL: lines as thick as its parts, the far ones first.

import type { Physics } from "./physics.ts";
import tables from "./tables.ts";
import { FLOOR_COLORS, MARK_COLOR, SHADOW_COLOR, SIDE_COLORS, SKY_COLOR, View, endsOf } from "./view.ts";
import type { OnFloor } from "./view.ts";

const { parts: PARTS } = tables.body;
const GROUND_SHADOW_COLOR = "#96a2ad"; // opaque, so that overlapping shadows do not add up
const TILES = 12; // meters of floor on every side of the robot
const NEAREST = 0.3; // m; what is nearer than this is behind the camera, or fills the picture

// Where a point of the world is in the picture, pixels per meter there, and how far it is.
interface Spot {
  x: number; // pixels
  y: number; // pixels
  scale: number;
  far: number; // m
}

type Projection = (point: number[]) => Spot;

export class FlatScene extends View {
  #ink: CanvasRenderingContext2D;

  constructor(canvas: HTMLCanvasElement, physics: Physics, onFloor: OnFloor) {
    super(canvas, physics, onFloor);
    const ink = canvas.getContext("2d");
    if (!ink) throw new Error("this browser draws no pictures");
    this.#ink = ink;
  }

  draw() {
    this.follow();
    const [width, height] = this.pixels;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const see = this.#projection(width, height);
    this.#drawGround(see, width, height);
    const ends = PARTS.map((part) => endsOf(part, this.physics.data));
    const onGround = ([x, y]: number[]) => see([x, y, 0]);
    PARTS.forEach(({ radius }, place) => this.#line(ends[place].map(onGround), radius, GROUND_SHADOW_COLOR));
    const parts = PARTS.map((part, place) => ({ ...part, ends: ends[place].map(see) }));
    const depth = ({ ends: [from, to] }: { ends: Spot[] }) => from.far + to.far;
    parts.sort((one, other) => depth(other) - depth(one));
    for (const { ends, radius, side } of parts) {
      this.#line(ends, 1.12 * radius, SHADOW_COLOR, 0.6);
      this.#line(ends, radius, SIDE_COLORS[side]);
    }
  }

  #projection(width: number, height: number): Projection {
    const { position, ahead, right, up, half } = this.camera;
    const along = (axis: number[], point: number[]) =>
      axis.reduce((sum, value, i) => sum + value * (point[i] - position[i]), 0);
    return (point) => {
      const far = along(ahead, point);
      const scale = height / (2 * half * far);
      return { x: width / 2 + scale * along(right, point), y: height / 2 - scale * along(up, point), scale, far };
    };
  }

  #line([from, to]: Spot[], radius: number, color: string, opacity = 1): void {
    if (Math.min(from.far, to.far) < NEAREST) return;
    Object.assign(this.#ink, {
      strokeStyle: color,
      globalAlpha: opacity,
      lineCap: "round",
      lineWidth: radius * (from.scale + to.scale),
    });
    this.#ink.beginPath();
    this.#ink.moveTo(from.x, from.y);
    this.#ink.lineTo(to.x, to.y + 0.01); // so that a ball, a line of length 0, is drawn
    this.#ink.stroke();
    this.#ink.globalAlpha = 1;
  }

  #drawGround(see: Projection, width: number, height: number): void {
    this.#ink.fillStyle = SKY_COLOR;
    this.#ink.fillRect(0, 0, width, height);
    const [x, y] = this.center.map(Math.floor);
    for (let i = x - TILES; i < x + TILES; i++) {
      for (let j = y - TILES; j < y + TILES; j++) {
        const corners = [
          [i, j, 0],
          [i + 1, j, 0],
          [i + 1, j + 1, 0],
          [i, j + 1, 0],
        ].map(see);
        if (corners.some(({ far }) => far < NEAREST)) continue;
        this.#ink.fillStyle = FLOOR_COLORS[Math.abs(i + j) % 2];
        this.#fill(corners);
      }
    }
    if (!this.place) return;
    const { x: across, y: down, scale, far } = see([...this.place, 0]);
    if (far < NEAREST) return;
    Object.assign(this.#ink, { strokeStyle: MARK_COLOR, lineWidth: 0.05 * scale });
    this.#ink.beginPath();
    this.#ink.ellipse(across, down, 0.23 * scale, 0.1 * scale, 0, 0, 2 * Math.PI);
    this.#ink.stroke();
  }

  #fill(corners: Spot[]): void {
    this.#ink.beginPath();
    corners.forEach(({ x, y }) => this.#ink.lineTo(x, y));
    this.#ink.fill();
  }
}

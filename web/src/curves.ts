// Command and measured velocity of the last seconds: numbers and a curve for each axis.

const WINDOW = 10; // s
const EVERY = 0.06; // s from one point of a curve to the next
const RANGES = [
  [-1, 3.2],
  [-0.8, 0.8],
  [-1.4, 1.4],
]; // m/s, m/s, rad/s

export class Curves {
  #past = []; // {seconds, command, velocity}

  // rows: of the table, each with an .asked and a .measured cell and a canvas.
  constructor(rows) {
    this.rows = rows;
    const color = (kind) => getComputedStyle(rows[0].querySelector(kind)).color;
    this.colors = { command: color(".asked"), velocity: color(".measured") };
  }

  add({ seconds, command, velocity }) {
    if (this.#past.length && seconds - this.#past.at(-1).seconds < EVERY) return;
    this.#past.push({ seconds, command, velocity });
    while (this.#past[0].seconds < seconds - WINDOW) this.#past.shift();
    this.rows.forEach((row, axis) => this.#draw(row, axis));
  }

  #draw(row, axis) {
    const now = this.#past.at(-1);
    row.querySelector(".asked").textContent = now.command[axis].toFixed(1);
    row.querySelector(".measured").textContent = now.velocity[axis].toFixed(2);
    const canvas = row.querySelector("canvas");
    fit(canvas);
    const ink = canvas.getContext("2d");
    ink.clearRect(0, 0, canvas.width, canvas.height);
    const [low, high] = RANGES[axis];
    const x = (seconds) => canvas.width * (1 + (seconds - now.seconds) / WINDOW);
    const y = (value) => canvas.height * (1 - (value - low) / (high - low));
    const line = (color, width, points) => {
      ink.beginPath();
      points.forEach(([seconds, value]) => ink.lineTo(x(seconds), y(value)));
      [ink.strokeStyle, ink.lineWidth] = [color, width * devicePixelRatio];
      ink.stroke();
    };
    line("#8888", 1, [
      [now.seconds - WINDOW, 0],
      [now.seconds, 0],
    ]);
    for (const name of ["command", "velocity"]) {
      line(
        this.colors[name],
        2,
        this.#past.map((each) => [each.seconds, each[name][axis]]),
      );
    }
  }
}

// Give a canvas as many pixels as it has on the screen.
function fit(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

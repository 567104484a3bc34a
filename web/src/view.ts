// A camera that follows the robot, is turned by pointer and keys, and tells where the floor was clicked. What draws with
// it is a View with `draw()`: see scene.ts and flat_scene.ts.

import tables from "./tables.ts";

const { body } = tables;
const FIELD_OF_VIEW = 40; // degrees, from top to bottom
const CLICK_PIXELS = 5; // a pointer that moved further turned the camera
const FOLLOW = 0.08; // share of the way to the robot that the camera moves per frame
const KEY_TURN = 0.1; // rad
const PIXEL_TURN = 1 / 150; // rad
const ELEVATIONS = [0.02, 1.4]; // rad
const MOST_PIXELS = 2; // per pixel of the page

export class View {
  #azimuth = 2.4; // rad, from the robot to the camera
  #elevation = 0.25;

  // canvas: to draw on; physics: whose body is drawn; onFloor(x, y): called with a place of the floor that was clicked.
  constructor(canvas, physics, onFloor) {
    Object.assign(this, { canvas, physics, onFloor, place: null, center: null });
    this.#listen();
  }

  // A place on the floor to be marked, or null.
  mark(place) {
    this.place = place;
  }

  // Follow the robot smoothly, without its swaying; jump when it is put somewhere else.
  follow() {
    const { x, y } = this.physics.pose;
    const far = !this.center || Math.hypot(x - this.center[0], y - this.center[1]) > 1;
    this.center = far ? [x, y] : [x, y].map((value, axis) => this.center[axis] + FOLLOW * (value - this.center[axis]));
  }

  // Where the camera is and where it looks, in m; its axes; and half the height of its picture at a distance of 1.
  get camera() {
    const [ca, sa, ce, se] = [this.#azimuth, this.#elevation].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
    const target = [...this.center, body.camera_height];
    const away = [ce * ca, ce * sa, se];
    return {
      target,
      position: target.map((value, axis) => value + body.camera_distance * away[axis]),
      ahead: away.map((value) => -value),
      right: [-sa, ca, 0],
      up: [-se * ca, -se * sa, ce],
      half: Math.tan((FIELD_OF_VIEW * Math.PI) / 360),
      degrees: FIELD_OF_VIEW,
    };
  }

  // Pixels that the canvas has on the screen: width, height, and how many to a pixel of the page.
  get pixels() {
    const ratio = Math.min(devicePixelRatio, MOST_PIXELS);
    return [Math.floor(this.canvas.clientWidth * ratio), Math.floor(this.canvas.clientHeight * ratio), ratio];
  }

  #turn(across, up) {
    const [lowest, highest] = ELEVATIONS;
    this.#azimuth += across;
    this.#elevation = Math.min(Math.max(this.#elevation + up, lowest), highest);
  }

  #listen() {
    let [start, last] = [null, null]; // where the pointer was pressed, and where it was seen last
    this.canvas.addEventListener("pointerdown", ({ pointerId, clientX, clientY }) => {
      start = last = [clientX, clientY];
      this.canvas.setPointerCapture(pointerId);
    });
    this.canvas.addEventListener("pointermove", ({ buttons, clientX, clientY }) => {
      if (!buttons || !last) return;
      this.#turn(PIXEL_TURN * (last[0] - clientX), PIXEL_TURN * (clientY - last[1]));
      last = [clientX, clientY];
    });
    this.canvas.addEventListener("pointerup", ({ clientX, clientY }) => {
      if (start && Math.hypot(clientX - start[0], clientY - start[1]) <= CLICK_PIXELS) this.#click(clientX, clientY);
      start = last = null;
    });
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    this.canvas.addEventListener("keydown", (event) => {
      if (!(event.key in keys)) return;
      event.preventDefault();
      this.#turn(...keys[event.key].map((way) => KEY_TURN * way));
    });
  }

  #click(clientX, clientY) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const { position, ahead, right, up, half } = this.camera;
    const across = (half * (2 * (clientX - left) - width)) / height;
    const upward = half * (1 - (2 * (clientY - top)) / height);
    const ray = ahead.map((value, axis) => value + across * right[axis] + upward * up[axis]);
    if (ray[2] >= 0) return; // the sky
    const distance = -position[2] / ray[2];
    this.onFloor(position[0] + distance * ray[0], position[1] + distance * ray[1]);
  }
}

// Both ends, in m, of the axis of a part of the robot: web/export.py tells what parts are.
export function endsOf({ geom, center, end }, { geom_xpos: places, geom_xmat: turns }) {
  const [i, j] = [3 * geom, 9 * geom];
  const turned = (row, way) =>
    [0, 1, 2].reduce((sum, column) => sum + turns[j + 3 * row + column] * (center[column] + way * end[column]), 0);
  return [-1, 1].map((way) => [0, 1, 2].map((row) => places[i + row] + turned(row, way)));
}

export const SIDE_COLORS = { left: "#4a8cc4", right: "#f0932b", middle: "#e3cbac" };
export const FLOOR_COLORS = ["#dde4ea", "#b7c3cd"];
export const SKY_COLOR = "#cfdcea";
export const MARK_COLOR = "#c2410c";
export const SHADOW_COLOR = "#1b2430";

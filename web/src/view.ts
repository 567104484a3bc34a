// A camera that follows the robot, is turned by pointer and keys, and tells where the floor was clicked. What draws with
// it is a View: see scene.ts and flat_scene.ts.

import type { Data, Physics } from "./physics.ts";
import type { Part, Side } from "./tables.ts";
import tables from "./tables.ts";

const { body } = tables;
const FIELD_OF_VIEW = 40; // degrees, from top to bottom
const CLICK_PIXELS = 5; // a pointer that moved further turned the camera
const FOLLOW = 0.08; // share of the way to the robot that the camera moves per frame
const KEY_TURN = 0.1; // rad
const PIXEL_TURN = 1 / 150; // rad
const ELEVATIONS = [0.02, 1.4]; // rad
const MOST_PIXELS = 2; // per pixel of the page

// Called with a place of the floor, in m, that was clicked.
export type OnFloor = (x: number, y: number) => void;

export abstract class View {
  readonly canvas: HTMLCanvasElement;
  readonly physics: Physics;
  readonly onFloor: OnFloor;
  place: [number, number] | null = null; // of the floor, marked
  center: [number, number] = [Infinity, Infinity]; // of the picture, on the floor in m; follow() jumps to the first one
  #azimuth = 2.4; // rad, from the robot to the camera
  #elevation = 0.25;

  // canvas: to draw on; physics: whose body is drawn.
  constructor(canvas: HTMLCanvasElement, physics: Physics, onFloor: OnFloor) {
    this.canvas = canvas;
    this.physics = physics;
    this.onFloor = onFloor;
    this.#listen();
  }

  abstract draw(): void;

  // A place on the floor to be marked, or null.
  mark(place: [number, number] | null): void {
    this.place = place;
  }

  // Follow the robot smoothly, without its swaying; jump when it is put somewhere else.
  follow() {
    const { x, y } = this.physics.pose;
    const [cx, cy] = this.center;
    const far = Math.hypot(x - cx, y - cy) > 1;
    this.center = far ? [x, y] : [cx + FOLLOW * (x - cx), cy + FOLLOW * (y - cy)];
  }

  // Where the camera is and where it looks, in m; its axes; and half the height of its picture at a distance of 1.
  get camera() {
    const [ca, sa, ce, se] = [this.#azimuth, this.#elevation].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
    const target: [number, number, number] = [...this.center, body.camera_height];
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

  #turn(across: number, up: number): void {
    const [lowest, highest] = ELEVATIONS;
    this.#azimuth += across;
    this.#elevation = Math.min(Math.max(this.#elevation + up, lowest), highest);
  }

  #listen() {
    let start: [number, number] | null = null; // where the pointer was pressed
    let last: [number, number] | null = null; // where it was seen last
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
    const keys: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    this.canvas.addEventListener("keydown", (event) => {
      if (!(event.key in keys)) return;
      event.preventDefault();
      const [across, up] = keys[event.key];
      this.#turn(KEY_TURN * across, KEY_TURN * up);
    });
  }

  #click(clientX: number, clientY: number): void {
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
export function endsOf({ geom, center, end }: Part, { geom_xpos: places, geom_xmat: turns }: Data): number[][] {
  const [i, j] = [3 * geom, 9 * geom];
  const turned = (row: number, way: number) =>
    [0, 1, 2].reduce((sum, column) => sum + turns[j + 3 * row + column] * (center[column] + way * end[column]), 0);
  return [-1, 1].map((way) => [0, 1, 2].map((row) => places[i + row] + turned(row, way)));
}

export const SIDE_COLORS: Record<Side, string> = { left: "#4a8cc4", right: "#f0932b", middle: "#e3cbac" };
export const FLOOR_COLORS = ["#dde4ea", "#b7c3cd"];
export const SKY_COLOR = "#cfdcea";
export const MARK_COLOR = "#c2410c";
export const SHADOW_COLOR = "#1b2430";

// Poses and velocities in the plane. As in agent/goals.py.

// In m: x ahead, y to the left.
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Pose extends Point {
  readonly heading: number; // rad, not wrapped
}

// Forward and to the left in m/s, counter-clockwise in rad/s.
export type Velocity = readonly number[];

export const ORIGIN: Pose = Object.freeze({ x: 0, y: 0, heading: 0 });

// The nearest value in ±most.
export const clamp = (value: number, most: number) => Math.min(Math.max(value, -most), most);

// Rounds halves to the even number, as Python and NumPy do.
export function roundEven(value: number): number {
  const low = Math.floor(value);
  const part = value - low;
  return part > 0.5 || (part === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

// The same angle in ±pi.
export const wrap = (angle: number) => angle - 2 * Math.PI * roundEven(angle / (2 * Math.PI));

export const degrees = (radians: number) => (radians * 180) / Math.PI;
export const radians = (degrees: number) => (degrees * Math.PI) / 180;

// A vector turned counter-clockwise by `angle` radians.
export function rotate(x: number, y: number, angle: number): [number, number] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [cos * x - sin * y, sin * x + cos * y];
}

// The pose in the frame of `origin`.
export function seenFrom(pose: Pose, origin: Pose): Pose {
  const [x, y] = rotate(pose.x - origin.x, pose.y - origin.y, -origin.heading);
  return { x, y, heading: pose.heading - origin.heading };
}

// The pose that is at `step` as seen from `pose`.
export function after(pose: Pose, step: Pose): Pose {
  const [x, y] = rotate(step.x, step.y, pose.heading);
  return { x: pose.x + x, y: pose.y + y, heading: pose.heading + step.heading };
}

// The heading frame: what a body observes of itself. As in agent/simulation/heading.py, which lists the numbers.

import type { Velocity } from "./geometry.ts";

const yaw = ([w, x, y, z]: Iterable<number>) => Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));

// Heading of the torso in rad, of MuJoCo's positions.
export const headingOf = (qpos: Float64Array) => yaw(qpos.subarray(3, 7));

// Observation [S] of MuJoCo's positions and velocities.
export function headingObservation(qpos: Float64Array, qvel: number[]): Float32Array {
  const [w, x, y, z] = qpos.subarray(3, 7);
  const heading = yaw([w, x, y, z]);
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  const [halfCos, halfSin] = [Math.cos(heading / 2), Math.sin(heading / 2)];
  const tilt = [
    halfCos * w + halfSin * z,
    halfCos * x + halfSin * y,
    halfCos * y - halfSin * x,
    halfCos * z - halfSin * w,
  ];
  const sign = tilt[0] < 0 ? -1 : 1;
  return Float32Array.from([
    qpos[2],
    ...tilt.map((value) => sign * value),
    ...qpos.subarray(7),
    cos * qvel[0] + sin * qvel[1],
    cos * qvel[1] - sin * qvel[0],
    ...qvel.slice(2),
  ]);
}

const firstVelocity = (observation: ArrayLike<number>) => (observation.length - 11) / 2 + 5;

// State during the step from one observation to the next: the mean of both. If the observed angular velocity is
// already a mean over the step (averagesGyro), it is that of the next observation.
export function between(before: Float32Array, after: Float32Array, averagesGyro: boolean): Float64Array {
  const state = Float64Array.from(after, (value, place) => (before[place] + value) / 2);
  const gyro = firstVelocity(after) + 3;
  if (averagesGyro) state.set(after.subarray(gyro, gyro + 3), gyro);
  return state;
}

// Forward and left velocity in m/s, and change of the heading in rad/s, that an observation shows.
export function observedMotion(observation: Float32Array | Float64Array): Velocity {
  const [, w, x, y, z] = observation;
  const first = firstVelocity(observation);
  const [vx, vy, , , pitchRate, yawRate] = observation.subarray(first, first + 6);
  const [up, over] = [2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]; // of the world's vertical in the body's frame
  return [vx, vy, (pitchRate * up + yawRate * over) / Math.max(up ** 2 + over ** 2, 1e-6)];
}

// The commands suite of agent/evaluation/suites.py with the page's own physics and transformer. Not part of the page:
// experiments/page_suite.py runs it in a browser.

import { type Velocity, roundEven } from "./geometry.ts";
import { VelocityGoal } from "./goals.ts";
import { load } from "./load.ts";
import type { Physics } from "./physics.ts";
import tables from "./tables.ts";
import type { Transformer } from "./transformer.ts";

const { body, suite } = tables;
const STEPS = roundEven(suite.EPISODE_SECONDS / body.control_seconds);
const WINDOW = roundEven(1 / body.control_seconds); // steps in the sliding second that velocities are averaged over

// Of one command, over some episodes.
interface Row {
  command: Velocity;
  survival: number; // share of an episode
  velocity_error: number; // m/s
  yaw_error: number; // rad/s
}

// The errors are of each sliding second.
interface Episode {
  survival: number;
  velocity: number[]; // m/s
  yaw: number[]; // rad/s
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export async function runSuite(episodes: number): Promise<Row[]> {
  const robot = await load();
  const rows: Row[] = [];
  for (const command of body.suite_commands) {
    const runs: Episode[] = [];
    for (let episode = 0; episode < episodes; episode++) runs.push(await runEpisode(robot, command));
    rows.push({
      command,
      survival: mean(runs.map(({ survival }) => survival)),
      velocity_error: mean(runs.flatMap(({ velocity }) => velocity)),
      yaw_error: mean(runs.flatMap(({ yaw }) => yaw)),
    });
  }
  return rows;
}

async function runEpisode(
  { physics, transformer }: { physics: Physics; transformer: Transformer },
  command: Velocity,
): Promise<Episode> {
  physics.reset();
  transformer.reset();
  transformer.prompt(new VelocityGoal(command));
  const past: Velocity[] = [];
  const [velocity, yaw]: number[][] = [[], []];
  for (let step = 0; step < STEPS; step++) {
    physics.step(await transformer.act(physics.observation));
    if (physics.fell) break;
    past.push(observedVelocity(physics.observation));
    if (past.length < WINDOW) continue;
    const off = command.map((value, axis) => mean(past.slice(-WINDOW).map((each) => each[axis])) - value);
    velocity.push(Math.hypot(off[0], off[1]));
    yaw.push(Math.abs(off[2]));
  }
  return { survival: past.length / STEPS, velocity, yaw };
}

// Forward and left velocity in m/s and yaw rate in rad/s: observed_velocity of agent/simulation/heading.py.
function observedVelocity(observation: Float32Array): Velocity {
  const [, w, x, y, z] = observation;
  const first = (observation.length - 11) / 2 + 5;
  const [vx, vy, , roll, pitch, yaw] = observation.subarray(first, first + 6);
  return [vx, vy, 2 * (x * z - w * y) * roll + 2 * (y * z + w * x) * pitch + (1 - 2 * (x * x + y * y)) * yaw];
}

// The commands suite of agent/evaluation/suites.py with the page's own physics and transformer. Not part of the page:
// experiments/page_suite.py runs it in a browser.

import { roundEven } from "./geometry.ts";
import { VelocityGoal } from "./goals.ts";
import { load } from "./load.ts";
import tables from "./tables.ts";

const { body, suite } = tables;
const STEPS = roundEven(suite.EPISODE_SECONDS / body.control_seconds);
const WINDOW = roundEven(1 / body.control_seconds); // steps in the sliding second that velocities are averaged over

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// {command, survival, velocity_error (m/s), yaw_error (rad/s)} of each command, over some episodes of it.
export async function runSuite(episodes) {
  const robot = await load();
  const rows = [];
  for (const command of body.suite_commands) {
    const runs = [];
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

// Survival, and the errors in m/s and rad/s of each sliding second of an episode.
async function runEpisode({ physics, transformer }, command) {
  physics.reset();
  transformer.reset();
  transformer.prompt(new VelocityGoal(command));
  const [past, errors] = [[], { velocity: [], yaw: [] }];
  for (let step = 0; step < STEPS; step++) {
    physics.step(await transformer.act(physics.observation));
    if (physics.fell) break;
    past.push(observedVelocity(physics.observation));
    if (past.length < WINDOW) continue;
    const off = command.map((value, axis) => mean(past.slice(-WINDOW).map((each) => each[axis])) - value);
    errors.velocity.push(Math.hypot(off[0], off[1]));
    errors.yaw.push(Math.abs(off[2]));
  }
  return { survival: past.length / STEPS, ...errors };
}

// Forward and left velocity in m/s and yaw rate in rad/s: observed_velocity of agent/simulation/heading.py.
function observedVelocity(observation) {
  const [, w, x, y, z] = observation;
  const first = (observation.length - 11) / 2 + 5;
  const [vx, vy, , roll, pitch, yaw] = observation.subarray(first, first + 6);
  return [vx, vy, 2 * (x * z - w * y) * roll + 2 * (y * z + w * x) * pitch + (1 - 2 * (x * x + y * y)) * yaw];
}

// The commands suite of agent/evaluation/suites.py with the page's own physics and transformer, as a table:
//
//     node web/evaluate.js 3
//
// The argument is the number of episodes for each command.

import { readFileSync } from "node:fs";

import loadMujoco from "@mujoco/mujoco";
import * as ort from "onnxruntime-web";

import { roundEven } from "./src/geometry.js";
import { VelocityGoal } from "./src/goals.js";
import { observedMotion } from "./src/heading.js";
import { Physics } from "./src/physics.js";
import tables from "./src/tables.js";
import { Transformer } from "./src/transformer.js";

const { body, suite } = tables;
const STEPS = roundEven(suite.EPISODE_SECONDS / body.control_seconds);
const WINDOW = roundEven(1 / body.control_seconds); // steps in the sliding second that velocities are averaged over

const episodes = Number(process.argv[2]);
const file = (name) => readFileSync(new URL(`generated/${name}`, import.meta.url));
ort.env.wasm.numThreads = 1;
const physics = new Physics(await loadMujoco(), file(`${body.name}.xml`).toString());
const transformer = new Transformer(ort, await ort.InferenceSession.create(file("transformer.onnx")));

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const show = (command, row) => console.log([command.join(" "), ...row.map((value) => value.toFixed(3))].join(" | "));

// Survival, and the errors in m/s and rad/s of each sliding second of an episode.
async function runEpisode(command) {
  physics.reset();
  transformer.reset();
  transformer.prompt(new VelocityGoal(command));
  const [past, errors] = [[], { velocity: [], yaw: [] }];
  for (let step = 0; step < STEPS; step++) {
    physics.step(await transformer.act(physics.observation));
    if (physics.fell) break;
    past.push(observedMotion(physics.observation));
    if (past.length < WINDOW) continue;
    const off = command.map((value, axis) => mean(past.slice(-WINDOW).map((each) => each[axis])) - value);
    errors.velocity.push(Math.hypot(off[0], off[1]));
    errors.yaw.push(Math.abs(off[2]));
  }
  return { survival: past.length / STEPS, ...errors };
}

console.log("command | survival | velocity error, m/s | yaw error, rad/s");
const rows = [];
for (const command of body.suite_commands) {
  const runs = [];
  for (let episode = 0; episode < episodes; episode++) runs.push(await runEpisode(command));
  const row = [
    mean(runs.map(({ survival }) => survival)),
    mean(runs.flatMap(({ velocity }) => velocity)),
    mean(runs.flatMap(({ yaw }) => yaw)),
  ];
  rows.push(row);
  show(command, row);
}
show(
  ["mean"],
  [0, 1, 2].map((column) => mean(rows.map((row) => row[column]))),
);

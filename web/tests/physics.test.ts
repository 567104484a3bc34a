import assert from "node:assert/strict";
import test from "node:test";

import loadMujoco from "@mujoco/mujoco";
import * as ort from "onnxruntime-web";

import { agentBytes, agentText } from "../src/agents.ts";
import { VelocityGoal } from "../src/goals.ts";
import { Physics } from "../src/physics.ts";
import { parse } from "../src/program.ts";
import { Transformer } from "../src/transformer.ts";
import { records } from "./records.ts";

const furthest = (one: Float32Array, other: number[]) =>
  Math.max(...one.map((value, place) => Math.abs(value - other[place])));

const physics = new Physics(await loadMujoco(), await agentText("robot.xml"));
const transformer = new Transformer(ort, await ort.InferenceSession.create(await agentBytes("transformer.onnx")));

for (const { goal, qpos, qvel, actions, observations } of records("motions")) {
  test(`half a second of "${goal}" ends where Python ends`, async () => {
    physics.setState(qpos, qvel);
    transformer.reset();
    const [prompted] = parse(goal).goals;
    assert.ok(prompted instanceof VelocityGoal);
    transformer.prompt(prompted);
    let [offAction, offObservation] = [0, 0];
    for (const [step, action] of actions.entries()) {
      const mine = await transformer.act(physics.observation);
      offAction = Math.max(offAction, furthest(mine, action));
      physics.step(mine);
      offObservation = Math.max(offObservation, furthest(physics.observation, observations[step]));
    }
    console.log(
      `${goal}: actions differ by ${offAction.toExponential(1)}, observations by ${offObservation.toExponential(1)}`,
    );
    assert.ok(offAction < 1e-3 && offObservation < 1e-3);
  });
}

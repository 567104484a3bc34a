import assert from "node:assert/strict";
import test from "node:test";

import { parse } from "../src/program.ts";
import { Pursuit } from "../src/pursuit.ts";
import tables from "../src/tables.ts";
import { records, rows } from "./records.ts";

const { goals: G, body } = tables;

test("a pursuit tells the transformer what Python's tells it", () => {
  const observations = rows("tracks", body.observation_size);
  let [steps, goalsReached] = [0, 0];
  for (const { program, commands, reached } of records("tracks")) {
    const pursuit = new Pursuit(parse(program).goals);
    commands.forEach((command, step) => {
      pursuit.add(observations[steps++]);
      const { velocity, height, arms } = pursuit.command;
      assert.deepEqual(
        [...velocity, G.HEIGHTS.indexOf(height), G.ARMS.indexOf(arms)],
        command,
        `${program}, step ${step}`,
      );
      assert.equal(pursuit.outcomes.length, reached[step]);
    });
    goalsReached += pursuit.outcomes.length;
  }
  assert.equal(steps, observations.length);
  assert.ok(goalsReached > 20, "the tracks are too short to say anything about the next goal");
});

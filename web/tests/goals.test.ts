import assert from "node:assert/strict";
import test from "node:test";

import { VelocityGoal, programTokens } from "../src/goals.ts";
import { parse } from "../src/program.ts";
import { records } from "./records.ts";

test("every goal has Python's text, tokens and command", () => {
  for (const { text, tokens, command } of records("goals")) {
    const [goal] = parse(text).goals;
    assert.equal(goal.text, text);
    assert.equal(programTokens([goal]), tokens);
    assert.deepEqual(goal instanceof VelocityGoal ? goal.commandIds : null, command);
  }
});

import assert from "node:assert/strict";
import test from "node:test";

import { programTokens } from "../src/goals.ts";
import { parse } from "../src/program.ts";
import { records } from "./records.ts";

test("every readable program is read as Python reads it", () => {
  const all = records("programs");
  for (const { text, tokens, spoken, reason } of all) {
    const { goals, refusal, reason: why } = parse(text);
    assert.equal(refusal ? `<refuse> <${refusal}> <end>` : programTokens(goals), tokens, text);
    if (refusal) assert.equal(why, reason, text);
    else assert.equal(goals.map((goal) => goal.text).join("; "), spoken);
  }
  const refused = all.filter(({ tokens }) => tokens.startsWith("<refuse>")).length;
  assert.ok(refused > 20 && all.length - refused > 100, `${refused} of ${all.length} are refusals`);
});

import assert from "node:assert/strict";
import test from "node:test";
import { gunzipSync } from "node:zlib";

import * as ort from "onnxruntime-web";

import { agentBytes } from "../src/agents.ts";
import { programTokens } from "../src/goals.ts";
import { LanguageModel, type PlannerSettings } from "../src/language_model.ts";
import { parse } from "../src/program.ts";
import { records } from "./records.ts";

const settings: PlannerSettings = JSON.parse(gunzipSync(await agentBytes("../planner.json.gz")).toString());
const session = await ort.InferenceSession.create(await agentBytes("../planner.onnx"));
const past = new Float32Array(Uint8Array.from(await agentBytes("../planner_past.bin")).buffer);
const model = new LanguageModel(ort, session, settings, past);

test("a sentence has Python's tokens", () => {
  for (const { text, ids } of records("sentences")) assert.deepEqual(model.tokenizer.encode(text), ids, text);
});

test("the grammar allows every token of a program, and an end after the last", () => {
  const { grammar, tokenizer } = model;
  for (const { text, ids } of records("answers")) {
    let state = grammar.start;
    for (const id of ids) {
      assert.ok(grammar.allowed(state).includes(settings.answer.indexOf(id)), `${tokenizer.text(id)} of ${text}`);
      const next = grammar.after(state, tokenizer.text(id));
      assert.ok(next);
      state = next;
    }
    assert.ok(state.accepts);
  }
});

test("a sentence that Python is sure of becomes the same program, in spite of 8-bit weights", async () => {
  for (const { text, tokens } of records("readings")) {
    const { goals, refusal } = parse(await model.read(text));
    assert.equal(refusal ? `<refuse> <${refusal}> <end>` : programTokens(goals), tokens, text);
  }
});

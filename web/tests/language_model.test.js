import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import * as ort from "onnxruntime-web";

import { LanguageModel } from "../src/language_model.js";
import { parse } from "../src/program.js";
import { Tokenizer } from "../src/tokenizer.js";
import { records } from "./records.js";

const file = (name) => readFileSync(new URL(`../generated/${name}`, import.meta.url));
const settings = JSON.parse(file("planner.json"));

test("a sentence has Python's tokens", () => {
  const tokenizer = new Tokenizer(settings.pieces, settings.merges);
  for (const { text, ids } of records("sentences")) assert.deepEqual(tokenizer.encode(text), ids, text);
});

test("the grammar allows the tokens that Python's allows", () => {
  const tokenizer = new Tokenizer(settings.pieces, settings.merges);
  const { grammar, end } = new LanguageModel(
    ort,
    null,
    settings,
    new Float32Array(settings.past_shape.reduce((a, b) => a * b)),
  );
  for (const { text, ids, allowed } of records("choices")) {
    let state = grammar.start;
    ids.forEach((id, place) => {
      const mine = [...grammar.allowed(state), ...(state.accepts ? [end] : [])].map((token) => settings.answer[token]);
      assert.deepEqual(
        mine.sort((a, b) => a - b),
        allowed[place],
        `${text}, token ${place}`,
      );
      state = grammar.after(state, tokenizer.text(id));
    });
    assert.ok(state.accepts);
  }
});

test("a sentence becomes a program", async () => {
  const session = await ort.InferenceSession.create(file("planner.onnx"));
  const model = new LanguageModel(
    ort,
    session,
    settings,
    new Float32Array(Uint8Array.from(file("planner_past.bin")).buffer),
  );
  const said = async (sentence) => {
    const { goals, refusal } = parse(await model.read(sentence));
    return refusal ?? goals.map(({ text }) => text).join("; ");
  };
  assert.equal(await said(""), "nothing");
  assert.equal(await said("walk forward for 2 seconds, then turn left"), "walk forward 2 seconds; turn left");
  assert.equal(await said("turn right 90 degrees"), "turn right 90 degrees");
});

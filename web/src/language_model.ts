// Reads a sentence as Planner.parse of agent/language/planner.py does, around the graph of web/graphs.py, but takes
// only the greedy answer: each token is the likeliest of those that the grammar allows.

import type * as Ort from "onnxruntime-web";

import { Grammar } from "./grammar.ts";
import tables from "./tables.ts";
import { Tokenizer } from "./tokenizer.ts";

// planner.json: export_planner() of web/export.py.
export interface PlannerSettings {
  past_shape: number[];
  tail: number[]; // ids that follow an instruction
  answer: number[]; // ids that can stand in an answer
  end: number; // id
  max_text_tokens: number;
  max_answer_tokens: number;
  least_confidence: number;
  pieces: string[];
  merges: string[];
}

export class LanguageModel {
  readonly ort: typeof Ort;
  readonly session: Ort.InferenceSession;
  readonly settings: PlannerSettings;
  readonly tokenizer: Tokenizer;
  readonly past: Ort.Tensor;
  readonly end: number; // place in settings.answer
  readonly texts: string[]; // of the tokens of settings.answer, one character for each byte
  readonly grammar: Grammar;

  // session: of planner.onnx; past: planner_past.bin.
  constructor(ort: typeof Ort, session: Ort.InferenceSession, settings: PlannerSettings, past: Float32Array) {
    this.ort = ort;
    this.session = session;
    this.settings = settings;
    this.tokenizer = new Tokenizer(settings.pieces, settings.merges);
    this.past = new ort.Tensor("float32", past, settings.past_shape);
    this.end = settings.answer.indexOf(settings.end);
    const texts = settings.answer.map((id) => (id === settings.end ? "" : this.tokenizer.text(id)));
    this.texts = texts;
    this.grammar = new Grammar(bytesOf(tables.program.GRAMMAR), texts);
  }

  // The readable program that a sentence asks for.
  async read(sentence: string): Promise<string> {
    const ids = this.tokenizer.encode(sentence.trim());
    if (!ids.length) return "refuse: nothing";
    if (ids.length > this.settings.max_text_tokens) return "refuse: unclear";
    let [answer, confidence] = ["", 1];
    let state = this.grammar.start;
    let { logits, present } = await this.#run([...ids, ...this.settings.tail], this.past);
    for (let count = 0; count < this.settings.max_answer_tokens; count++) {
      const allowed = [...this.grammar.allowed(state), ...(state.accepts ? [this.end] : [])];
      const best = allowed.reduce((one, other) => (logits[other] > logits[one] ? other : one));
      const all = allowed.reduce((sum, each) => sum + Math.exp(logits[each] - logits[best]), 0);
      confidence /= all;
      if (best === this.end) {
        if (confidence < this.settings.least_confidence) break;
        return new TextDecoder().decode(Uint8Array.from(answer, (character) => character.charCodeAt(0)));
      }
      answer += this.texts[best];
      const next = this.grammar.after(state, this.texts[best]);
      if (!next) throw new Error(`the grammar does not continue with ${this.texts[best]}`);
      state = next;
      ({ logits, present } = await this.#run([this.settings.answer[best]], present));
    }
    return "refuse: unclear"; // not sure enough, or cut off
  }

  async #run(ids: number[], past: Ort.Tensor): Promise<{ logits: Float32Array; present: Ort.Tensor }> {
    const tokens = new this.ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [ids.length]);
    const { logits, present } = await this.session.run({ ids: tokens, past });
    if (!(logits.data instanceof Float32Array)) throw new Error(`the logits are of type ${logits.type}`);
    return { logits: logits.data, present };
  }
}

// A text as one character for each byte of its UTF-8.
const bytesOf = (text: string) =>
  Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");

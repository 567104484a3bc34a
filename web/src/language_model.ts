// Reads a sentence as Planner.parse of agent/language/planner.py does, around the graph of web/graphs.py, but takes
// only the greedy answer: each token is the likeliest of those that the grammar allows.

import { Grammar } from "./grammar.ts";
import tables from "./tables.ts";
import { Tokenizer } from "./tokenizer.ts";

export class LanguageModel {
  // ort: onnxruntime-web; session: of planner.onnx; settings: planner.json; past: planner_past.bin as a Float32Array.
  constructor(ort, session, settings, past) {
    Object.assign(this, { ort, session, settings });
    this.tokenizer = new Tokenizer(settings.pieces, settings.merges);
    this.past = new ort.Tensor("float32", past, settings.past_shape);
    this.end = settings.answer.indexOf(settings.end);
    const texts = settings.answer.map((id) => (id === settings.end ? "" : this.tokenizer.text(id)));
    this.texts = texts;
    this.grammar = new Grammar(bytesOf(tables.program.GRAMMAR), texts);
  }

  // The readable program that a sentence asks for.
  async read(sentence) {
    const ids = this.tokenizer.encode(sentence.trim());
    if (!ids.length) return "refuse: nothing";
    if (ids.length > this.settings.max_text_tokens) return "refuse: unclear";
    let [state, answer, confidence] = [this.grammar.start, "", 1];
    let { logits, present } = await this.#run([...ids, ...this.settings.tail], this.past);
    for (let count = 0; count < this.settings.max_answer_tokens; count++) {
      const allowed = [...this.grammar.allowed(state), ...(state.accepts ? [this.end] : [])];
      const best = allowed.reduce((one, other) => (logits.data[other] > logits.data[one] ? other : one));
      const all = allowed.reduce((sum, each) => sum + Math.exp(logits.data[each] - logits.data[best]), 0);
      confidence /= all;
      if (best === this.end) {
        if (confidence < this.settings.least_confidence) break;
        return new TextDecoder().decode(Uint8Array.from(answer, (character) => character.charCodeAt()));
      }
      answer += this.texts[best];
      state = this.grammar.after(state, this.texts[best]);
      ({ logits, present } = await this.#run([this.settings.answer[best]], present));
    }
    return "refuse: unclear"; // not sure enough, or cut off
  }

  #run(ids, past) {
    return this.session.run({ ids: new this.ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [ids.length]), past });
  }
}

// A text as one character for each byte of its UTF-8.
const bytesOf = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");

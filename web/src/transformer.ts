// The Decision Transformer as an actor: GoalDecisionTransformer.act of agent/models/decision_transformer.py, with the
// same growing context and the same cache, around the graph of web/graphs.py.

import type * as Ort from "onnxruntime-web";

import type { VelocityGoal } from "./goals.ts";
import tables from "./tables.ts";

const { body, transformer: T } = tables;
const [PREFIX, STEP] = [T.prefix_tokens, T.step_tokens];

export class Transformer {
  readonly ort: typeof Ort;
  readonly session: Ort.InferenceSession;
  #goalIds: number[] = [];
  #waved = -1; // control steps for which the prompts have asked an arm to wave; -1: they do not
  #clock: number[][] = [];
  #states: Float32Array[] = [];
  #actions: Float32Array[] = [];
  #past: Ort.Tensor | null = null;

  // session: of transformer.onnx.
  constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.ort = ort;
    this.session = session;
  }

  // Forget the past.
  reset() {
    this.#waved = -1;
    this.#clock = [];
    this.#states = [];
    this.#actions = [];
    this.#past = null;
  }

  // Follow the velocity goal from now on. The history stays.
  prompt(goal: VelocityGoal): void {
    const ids = goal.commandIds;
    // The cached steps have attended to the old prefix.
    if (ids.some((id, place) => id !== this.#goalIds[place])) this.#past = null;
    this.#goalIds = ids;
  }

  // Action in the robot's units for an observation.
  async act(observation: Float32Array): Promise<Float32Array> {
    this.#waved = T.waves.includes(this.#goalIds[this.#goalIds.length - 1]) ? this.#waved + 1 : -1;
    const angle = T.wave_angle * this.#waved;
    this.#clock.push(this.#waved < 0 ? [0, 0] : [Math.sin(angle), Math.cos(angle)]);
    this.#states.push(observation);
    if (this.#states.length > T.context_length) {
      const kept = Math.floor(T.context_length / 2);
      this.#states = this.#states.slice(-kept - 1);
      this.#clock = this.#clock.slice(-kept - 1);
      this.#actions = this.#actions.slice(-kept);
      this.#past = null;
    }
    const { present, action } = await this.session.run(this.#inputs());
    if (!(action.data instanceof Float32Array)) throw new Error(`the action is of type ${action.type}`);
    this.#past = present;
    this.#actions.push(action.data);
    return action.data;
  }

  // The new tokens: without a past all of them, otherwise those from the last action to this state.
  #inputs(): Record<string, Ort.Tensor> {
    const count = this.#states.length;
    const first = this.#past ? count - 2 : 0;
    const steps = count - first;
    const kinds = Array.from({ length: STEP }, (_, kind) => kind); // the last two are state and action
    let [order, slots]: number[][] = [[], []];
    for (let step = 0; step < steps; step++) {
      order.push(...kinds.map((kind) => PREFIX + kind * steps + step));
      slots.push(...kinds.map((kind) => PREFIX + kind));
    }
    const prefix = Array.from({ length: PREFIX }, (_, place) => place);
    // The newest step has no action yet.
    const taken = (each: number[]) => (this.#past ? each.slice(STEP - 1, -1) : [...prefix, ...each.slice(0, -1)]);
    [order, slots] = [order, slots].map(taken);
    const size = body.action_scale.length;
    return {
      prefix: this.#integers([0, ...this.#goalIds.map((id) => 1 + id)]),
      states: this.#floats(this.#states.slice(first), body.observation_size),
      actions: this.#floats([...this.#actions.slice(first), new Float32Array(size)], size),
      clock: this.#floats(this.#clock.slice(first), 2),
      times: this.#integers(Array.from({ length: steps }, (_, step) => first + step)),
      order: this.#integers(order),
      slots: this.#integers(slots),
      past: this.#past ?? new this.ort.Tensor("float32", new Float32Array(0), [T.layers, 2, T.heads, 0, T.head_size]),
    };
  }

  #integers(values: number[]): Ort.Tensor {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
  }

  #floats(rows: ArrayLike<number>[], size: number): Ort.Tensor {
    const values = new Float32Array(rows.length * size);
    rows.forEach((row, place) => values.set(row, place * size));
    return new this.ort.Tensor("float32", values, [rows.length, size]);
  }
}

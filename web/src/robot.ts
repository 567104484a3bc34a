// A body that runs step by step. A new program takes over from its current state, and after a fall it is put back on its
// feet. As in play.py --viewer.

import { ORIGIN, type Velocity, roundEven, seenFrom } from "./geometry.ts";
import { type Goal, VelocityGoal } from "./goals.ts";
import { observedMotion } from "./heading.ts";
import type { Physics } from "./physics.ts";
import { Pursuit, leadsBack } from "./pursuit.ts";
import tables from "./tables.ts";
import type { Transformer } from "./transformer.ts";

const { body, pursuit: P } = tables;
const LYING_SECONDS = 1.5; // from a fall until the body is put back on its feet
const STAND: Goal[] = [new VelocityGoal()];

export type RobotEvent = "fell" | "stands" | "done";

export class Robot {
  readonly physics: Physics;
  readonly transformer: Transformer;
  seconds = 0;
  velocity: Velocity = [0, 0, 0];
  goals = STAND;
  pursuit = new Pursuit(STAND);
  onEvent: (event: RobotEvent) => void = () => {};
  #ordered: Goal[] | null = null; // goals to pursue from the next step on: the transformer may be in the middle of this one
  #lyingSteps = 0;
  #fresh = true; // no observation since the program began: the first is where it begins, each later one ends a step

  constructor(physics: Physics, transformer: Transformer) {
    this.physics = physics;
    this.transformer = transformer;
    this.#stand();
  }

  // The velocity that the transformer is prompted with now.
  get command(): Velocity {
    return this.pursuit.command.velocity;
  }

  // Pursue goals from the next step on.
  pursue(goals: Goal[]): void {
    this.#ordered = goals;
  }

  #begin(goals: Goal[]): void {
    this.goals = goals;
    this.pursuit = new Pursuit(goals, leadsBack(goals) ? this.pursuit.pose : ORIGIN);
    this.#fresh = true;
    this.transformer.prompt(this.pursuit.command);
  }

  // Where a point of the floor, in MuJoCo's world, is seen from the body.
  seenFromBody(x: number, y: number): [number, number] {
    const seen = seenFrom({ x, y, heading: 0 }, this.physics.pose);
    return [seen.x, seen.y];
  }

  // One control step.
  async step(): Promise<void> {
    if (this.#ordered) this.#begin(this.#ordered);
    this.#ordered = null;
    if (this.#lyingSteps) this.#lie();
    else await this.#move();
    this.seconds += body.control_seconds;
    const share = body.control_seconds / P.SMOOTHING_SECONDS;
    const now = observedMotion(this.physics.observation);
    this.velocity = this.velocity.map((value, axis) => value + share * (now[axis] - value));
  }

  async #move() {
    const { observation } = this.physics;
    const { over } = this.pursuit;
    if (!this.#fresh && this.pursuit.add(observation)) this.transformer.prompt(this.pursuit.command);
    this.#fresh = false;
    if (this.pursuit.over && !over) this.onEvent("done");
    this.physics.step(await this.transformer.act(observation));
    if (this.physics.fell) {
      this.#stand();
      this.#lyingSteps = roundEven(LYING_SECONDS / body.control_seconds);
      this.onEvent("fell");
    }
  }

  // Lie limp until the body is put back on its feet.
  #lie() {
    this.physics.step(new Float32Array(body.action_scale.length));
    this.#lyingSteps -= 1;
    if (this.#lyingSteps) return;
    this.physics.reset();
    this.velocity = [0, 0, 0];
    this.onEvent("stands");
  }

  // Forget the past and stand.
  #stand() {
    this.transformer.reset();
    this.#begin(STAND);
  }
}

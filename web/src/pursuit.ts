// How one body executes a program: odometry, steering towards the goal in force, and the switch to the next. As in
// agent/feedback/pursuit.py, without the corrections of a language model.

import { ORIGIN, after, degrees, rotate, roundEven, seenFrom, wrap } from "./geometry.ts";
import type { Pose, Velocity } from "./geometry.ts";
import { HeadingGoal, HomeGoal, VelocityGoal } from "./goals.ts";
import type { Goal, Progress } from "./goals.ts";
import { between, observedMotion } from "./heading.ts";
import tables from "./tables.ts";

const { goals: G, pursuit: P, body } = tables;
const STEER_STEPS = roundEven(P.STEER_SECONDS / body.control_seconds);
const STAND = new VelocityGoal();

// Position and heading of a body, from its observations.
class Odometry {
  pose: Pose;
  #last: Float32Array | null = null;

  constructor(pose: Pose) {
    this.pose = pose;
  }

  // Integrate the step that led to an observation, and return its velocity.
  add(observation: Float32Array): Velocity {
    const during = between(this.#last ?? observation, observation, body.averages_gyro);
    const [vx, vy, wz] = observedMotion(during).map((value) => value * body.control_seconds);
    const [x, y] = rotate(vx, vy, this.pose.heading + wz / 2);
    this.pose = { x: this.pose.x + x, y: this.pose.y + y, heading: this.pose.heading + wz };
    this.#last = observation;
    return observedMotion(observation);
  }
}

// The pursuit of one goal, from where it began. Poses are in the program's frame.
class Course {
  #steps = 0;
  #meters = 0;
  #direction = [0, 0];
  readonly goal: Goal;
  readonly origin: Pose;
  pose: Pose;

  constructor(goal: Goal, origin: Pose, pose: Pose) {
    this.goal = goal;
    this.origin = origin;
    this.pose = pose;
    if (goal instanceof VelocityGoal && goal.planar)
      this.#direction = [goal.velocity[0] / goal.planar, goal.velocity[1] / goal.planar];
  }

  add(pose: Pose, [vx, vy]: Velocity): void {
    this.pose = pose;
    this.#steps += 1;
    this.#meters += body.control_seconds * (this.#direction[0] * vx + this.#direction[1] * vy);
  }

  get progress(): Progress {
    const pose = seenFrom(this.pose, this.origin);
    const home = seenFrom(ORIGIN, this.origin);
    const seconds = this.#steps * body.control_seconds;
    return { seconds, pose, home, degrees: degrees(pose.heading), meters: this.#meters };
  }

  // Whether the goal has taken more than twice its expected time plus some seconds.
  get timedOut(): boolean {
    const { progress } = this;
    const patience = P.PATIENCE_SHARE * this.goal.expectedSeconds(progress) + P.PATIENCE_SECONDS;
    return !this.goal.open && progress.seconds > patience;
  }

  // Where the next goal begins: the planned pose if the body came near it, so that errors do not accumulate, otherwise
  // the actual one.
  get end(): Pose {
    const { progress } = this;
    const planned = this.goal.destination(progress);
    const [x, y, heading] = (["x", "y", "heading"] as const).map(
      (axis) => (Number.isNaN(planned[axis]) ? progress.pose : planned)[axis],
    );
    const turn = wrap(heading - progress.pose.heading);
    const [meters, most] = P.NEAR_PLAN;
    const far = Math.hypot(x - progress.pose.x, y - progress.pose.y) > meters || Math.abs(degrees(turn)) > most;
    return far ? this.pose : after(this.origin, { x, y, heading: progress.pose.heading + turn });
  }
}

interface Outcome {
  seconds: number;
  timedOut: boolean;
}

// One body's pursuit of goals. `command` is what the transformer is prompted with now, an open velocity on the grid.
export class Pursuit {
  readonly goals: Goal[];
  readonly outcomes: Outcome[] = []; // of the goals that are over
  command = STAND;
  #odometry: Odometry;
  #course: Course;
  #steps = 0;

  constructor(goals: Goal[], start = ORIGIN) {
    this.goals = goals;
    this.#odometry = new Odometry(start);
    this.#course = this.#begin(start);
  }

  get over() {
    return this.outcomes.length === this.goals.length;
  }

  get pose() {
    return this.#odometry.pose;
  }

  // Count the step that led to an observation, and return whether the transformer gets another prompt now.
  add(observation: Float32Array): boolean {
    const before = this.command;
    const velocity = this.#odometry.add(observation);
    if (this.over) return false;
    this.#course.add(this.pose, velocity);
    this.#steps += 1;
    const { progress } = this.#course;
    if (this.#course.goal.reached(progress) || this.#course.timedOut) this.#advance();
    else if (this.#steps % STEER_STEPS === 0) this.command = steer(this.#course.goal, progress, before);
    return !sameCommand(this.command, before);
  }

  #advance() {
    const { goal, progress } = this.#course;
    this.outcomes.push({ seconds: progress.seconds, timedOut: !goal.reached(progress) });
    if (this.over) this.command = STAND;
    else this.#course = this.#begin(this.#course.end);
  }

  // Steer towards the next goal.
  #begin(origin: Pose): Course {
    const course = new Course(this.goals[this.outcomes.length], origin, this.pose);
    this.command = steer(course.goal, course.progress);
    return course;
  }
}

// Whether a program starts by leading back: then its home is where the previous program began.
export const leadsBack = ([first]: Goal[]) => first instanceof HomeGoal || first instanceof HeadingGoal;

// The command for the transformer: the velocity that the goal wants, on the grid and within the body's reach.
// An axis of the previous command, `before`, is kept while it is near enough, so that prompts do not flicker.
function steer(goal: Goal, progress: Progress, before: VelocityGoal | null = null): VelocityGoal {
  const hold = P.HOLD_STEPS * G.GRID_STEP;
  const wanted = goal
    .wanted(progress)
    .map((now, axis) => (before && Math.abs(now - before.velocity[axis]) <= hold ? before.velocity[axis] : now));
  const [low, turn] = [goal.height === "low", (wanted[2] < 0 ? -1 : 1) * G.GRID_STEP];
  let velocity = nearestOnGrid(wanted, low);
  const share = 1 - reach([0, 0, turn]); // of the reach that the smallest turn leaves
  if (velocity[2] === 0 && Math.abs(wanted[2]) >= G.GRID_STEP / 2 && share > 0) {
    velocity = nearestOnGrid([share * velocity[0], share * velocity[1], turn], low); // near full speed: slow down and turn
  }
  return new VelocityGoal(velocity, { height: goal.height, arms: goal.arms });
}

function sameCommand(one: VelocityGoal, other: VelocityGoal): boolean {
  const same = one.velocity.every((value, axis) => value === other.velocity[axis]);
  return same && one.height === other.height && one.arms === other.arms;
}

// The nearest velocity on the grid within the body's reach: agent.simulation.curriculum.nearest_on_grid.
function nearestOnGrid(wanted: Velocity, low: boolean): Velocity {
  const limits = body.speed_limits.map(([least, most], axis) => [
    least,
    low && axis === 0 ? Math.min(body.low_speed, most) : most,
  ]);
  const whole = (bound: number) => Math.trunc(bound / G.GRID_STEP + Math.sign(bound) * 1e-6);
  const steps = wanted.map((value, axis) => {
    const [least, most] = limits[axis].map(whole);
    return Math.min(Math.max(roundEven(value / G.GRID_STEP), least), most);
  });
  while (reach(steps.map((step) => step * G.GRID_STEP)) > P.WITHIN) {
    // The axis that was rounded up most, among those that move at all, goes one step towards 0.
    const added = steps.map((step, axis) => (step ? Math.abs(step) - Math.abs(wanted[axis]) / G.GRID_STEP : -Infinity));
    const axis = added.indexOf(Math.max(...added));
    steps[axis] -= Math.sign(steps[axis]);
  }
  return steps.map((step) => roundEven(step * G.GRID_STEP * 10) / 10);
}

// Share of the robot's limits that a velocity takes.
export function reach(velocity: Velocity): number {
  return velocity.reduce((sum, value, axis) => {
    const limit = body.speed_limits[axis][value >= 0 ? 1 : 0];
    return sum + (value === 0 ? 0 : limit === 0 ? Infinity : value / limit);
  }, 0);
}

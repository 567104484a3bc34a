// What the robot can be asked to do. The same classes as in agent/goals.py, which says what each number means.

import { ORIGIN, clamp, degrees, radians, rotate, seenFrom, wrap } from "./geometry.ts";
import type { Point, Pose, Velocity } from "./geometry.ts";
import type { AmountKind, SpeedUnit } from "./tables.ts";
import tables from "./tables.ts";

const G = tables.goals;
const TOKEN_IDS = Object.fromEntries(G.TOKENS.map((token, id) => [token, id]));
const MAIN_AXES: Record<string, number> = { turn: 2, sidestep: 1 }; // of the others 0
const VALUES = Object.fromEntries(Object.entries(G.AMOUNTS).map(([kind, spellings]) => [kind, spellings.map(Number)]));

// The odometry of the goal in force: see Course in pursuit.ts.
export interface Progress {
  seconds: number; // since it began
  pose: Pose; // of the body, seen from where the goal began
  home: Pose; // where the program began, seen from where the goal began
  degrees: number; // turned since it began, counter-clockwise
  meters: number; // traveled along the goal's direction in the body's own frame
}

export interface Posture {
  height?: string;
  arms?: string;
}

// At most one amount, which is the goal's end.
export type Settings = Posture & { [kind in AmountKind]?: number };

// An impossible goal; the message is for the user.
export class GoalError extends Error {}

export abstract class Goal {
  readonly height: string;
  readonly arms: string;

  constructor({ height = "normal", arms = "rest" }: Posture = {}) {
    choose("height", height, G.HEIGHTS);
    choose("arms", arms, G.ARMS);
    this.height = height;
    this.arms = arms;
  }

  abstract get skill(): string;

  get speed() {
    return "normal";
  }

  // Whether it has no end and lasts until the next goal.
  get open() {
    return false;
  }

  // Whether its end has come.
  abstract reached(progress: Progress): boolean;

  // The velocity that it asks for now, in the heading frame of the body.
  abstract wanted(progress: Progress): Velocity;

  // From its beginning, at its own speed; 0 for an open goal.
  abstract expectedSeconds(progress: Progress): number;

  // Where it should end, seen from where it began; NaN for what it leaves open.
  abstract destination(progress: Progress): Pose;

  // The nearest goal that has a spelling in tokens.
  onGrid(): Goal {
    return this;
  }

  // The tokens of a goal that is on the grid.
  protected abstract get spelling(): string[];

  get tokens() {
    return this.onGrid().spelling;
  }

  protected get postureTokens() {
    return [`<height=${this.height}>`, `<arms=${this.arms}>`];
  }

  // The text without height and arms.
  protected abstract get words(): string;

  // "walk forward slow 2 meters, low, arms up"
  get text() {
    const arms = this.arms.startsWith("wave") ? this.arms.replace("_", " ") : `arms ${this.arms}`;
    return [this.words, ...(this.height === "low" ? ["low"] : []), ...(this.arms === "rest" ? [] : [arms])].join(", ");
  }
}

// A velocity until an end, if it has one.
export class VelocityGoal extends Goal {
  readonly velocity: Velocity;
  readonly end: readonly [AmountKind, number] | null;
  readonly planar: number; // m/s

  constructor(velocity: Velocity = [0, 0, 0], { seconds, meters, degrees, ...posture }: Settings = {}) {
    super(posture);
    this.velocity = velocity.map((value, axis) => {
      const grid = G.GRID[G.AXES[axis]];
      return inRange(G.AXES[axis], value, grid[0], last(grid));
    });
    const given: [AmountKind, number][] = [];
    if (seconds !== undefined) given.push(["seconds", seconds]);
    if (meters !== undefined) given.push(["meters", meters]);
    if (degrees !== undefined) given.push(["degrees", degrees]);
    if (given.length > 1) throw new GoalError("a goal has one end");
    for (const [kind, amount] of given) inRange(kind, amount, VALUES[kind][0], last(VALUES[kind]));
    this.end = given.length ? given[0] : null;
    this.planar = Math.hypot(this.velocity[0], this.velocity[1]);
    if (meters !== undefined && this.planar < G.STILL) throw new GoalError("meters need a velocity");
    if (degrees !== undefined && Math.abs(this.velocity[2]) < G.STILL) throw new GoalError("degrees need a yaw rate");
  }

  get open() {
    return this.end === null;
  }

  // The amount of its end in this unit, or null.
  until(kind: AmountKind): number | null {
    return this.end?.[0] === kind ? this.end[1] : null;
  }

  get straight() {
    return this.velocity[2] === 0 && this.planar >= G.STILL;
  }

  get skill() {
    const [vx, vy, wz] = this.velocity;
    const sided = (motion: string, value: number) => `${motion}_${value > 0 ? "left" : "right"}`;
    if (this.planar < G.STILL) return Math.abs(wz) < G.STILL ? "stand" : sided("turn", wz);
    if (Math.abs(vy) > Math.abs(vx)) return sided("sidestep", vy);
    if (vx < 0) return "walk_backward";
    if (Math.abs(wz) >= G.STILL) return sided("curve", wz);
    return vx >= G.RUN_SPEED - 1e-9 ? "run_forward" : "walk_forward";
  }

  get speed() {
    if (this.skill === "stand") return "normal";
    const axis = mainAxis(this.skill);
    const off = G.SKILLS[this.skill].map((command) =>
      Math.abs(Math.abs(this.velocity[axis]) - Math.abs(command[axis])),
    );
    return G.SPEEDS[off.indexOf(Math.min(...off))];
  }

  reached(progress: Progress) {
    if (!this.end) return false;
    const [unit, amount] = this.end;
    const turned = progress.degrees * Math.sign(this.velocity[2]);
    const done = { seconds: progress.seconds, meters: this.#gone(progress), degrees: turned }[unit];
    return amount - done <= 1e-9;
  }

  // Distance along the goal's line; along the body's own path if the goal turns.
  #gone({ pose, meters }: Progress) {
    if (!this.straight) return meters;
    return (pose.x * this.velocity[0] + pose.y * this.velocity[1]) / this.planar;
  }

  wanted(progress: Progress): Velocity {
    const { x, y, heading } = progress.pose;
    if (this.skill === "stand" && Math.abs(heading) > G.STAND_TURN) {
      return [0, 0, clamp(-G.HEADING_GAIN * heading, G.HEADING_RATE)];
    }
    if (!this.straight) return this.velocity;
    const [ahead, left] = [this.velocity[0] / this.planar, this.velocity[1] / this.planar]; // the line's direction
    const off = y * ahead - x * left; // to the left of the line
    const back = this.planar >= G.RUN_SPEED ? 0 : clamp(-G.LINE_GAIN * off, G.LINE_SPEED);
    const aim = clamp(-G.AIM_GAIN * off, G.AIM);
    const meters = this.until("meters");
    const braking = meters === null ? Infinity : (meters - this.#gone(progress)) / G.BRAKE_SECONDS;
    const speed = Math.min(this.planar, Math.max(G.GRID_STEP, braking));
    const [vx, vy] = rotate(ahead * speed - left * back, left * speed + ahead * back, -heading);
    return [vx, vy, clamp(G.HEADING_GAIN * (aim - heading), G.HEADING_RATE)];
  }

  expectedSeconds() {
    if (!this.end) return 0;
    const [unit, amount] = this.end;
    if (unit === "meters") return amount / this.planar;
    return unit === "degrees" ? radians(amount) / Math.abs(this.velocity[2]) : amount;
  }

  destination() {
    const [vx, vy, wz] = this.velocity;
    const turned = this.until("degrees");
    const heading = !wz ? 0 : turned === null ? NaN : radians(turned) * Math.sign(wz);
    if (this.planar < G.STILL) return { x: 0, y: 0, heading };
    const meters = this.until("meters");
    if (meters === null || !this.straight) return { x: NaN, y: NaN, heading };
    const share = meters / this.planar;
    return { x: share * vx, y: share * vy, heading };
  }

  onGrid() {
    const velocity = this.velocity.map((value, axis) => nearest(G.GRID[G.AXES[axis]], value));
    // An end that needs motion keeps it: rounding must not stop the axis that the end is measured on.
    const keep = (axis: number) => (velocity[axis] = Math.sign(this.velocity[axis]) * G.GRID_STEP);
    if (this.until("meters") && !velocity[0] && !velocity[1]) {
      keep(Math.abs(this.velocity[0]) >= Math.abs(this.velocity[1]) ? 0 : 1);
    }
    if (this.until("degrees") && !velocity[2]) keep(2);
    const end: Settings = this.end ? { [this.end[0]]: Number(spell(...this.end)) } : {};
    return new VelocityGoal(velocity, { ...end, height: this.height, arms: this.arms });
  }

  protected get spelling() {
    const { velocity, end } = this;
    const command = velocity.map((value, axis) => `<${G.AXES[axis]}=${value < 0 ? "" : "+"}${value.toFixed(1)}>`);
    const amount = end ? [`<${end[0]}>`, ...digits(...end)] : ["<open>"];
    return [...command, ...this.postureTokens, ...amount];
  }

  // The token ids that prompt the transformer.
  get commandIds() {
    return this.tokens.slice(0, G.COMMAND_AXES.length).map((token) => TOKEN_IDS[token]);
  }

  get words() {
    const words = [said(this.skill)];
    const named = G.SKILLS[this.skill][G.SPEEDS.indexOf(this.speed)].every(
      (value, axis) => value === this.velocity[axis],
    );
    if (named && this.speed !== "normal") words.push(this.speed);
    if (this.end) words.push(amountText(this.end[1], this.end[0]));
    if (!named) words.push(`at ${this.#velocityWords}`);
    return words.join(" ");
  }

  // A velocity that no skill has: "1 m/s forward and 0.6 rad/s left".
  get #velocityWords() {
    const directions = [
      ["forward", "backward"],
      ["left", "right"],
      ["left", "right"],
    ];
    const parts = this.velocity.flatMap((value, axis) =>
      value ? [[`${short(Math.abs(value))} ${G.UNITS[axis]}`, directions[axis][value > 0 ? 0 : 1]]] : [],
    );
    // The skill already names the direction of a velocity along one axis.
    return parts.length === 1 ? parts[0][0] : parts.map((part) => part.join(" ")).join(" and ");
  }
}

// Shared by goals with a place: the body steers to a target and stops there.
abstract class Destination extends Goal {
  readonly pace: string;

  constructor(speed: string, posture: Posture) {
    super(posture);
    choose("speed", speed, G.SPEEDS);
    this.pace = speed;
  }

  get speed() {
    return this.pace;
  }

  // Seen from where the goal began.
  protected abstract target(progress: Progress): Point;

  // Distance in m and direction in rad of the target, seen from the body.
  #bearing(progress: Progress): [number, number] {
    const { x, y } = seenFrom({ ...ORIGIN, ...this.target(progress) }, progress.pose);
    return [Math.hypot(x, y), Math.atan2(y, x)];
  }

  reached(progress: Progress) {
    return this.#bearing(progress)[0] <= G.ARRIVED;
  }

  wanted(progress: Progress): Velocity {
    const [distance, bearing] = this.#bearing(progress);
    const speed = Math.min(G.CRUISE[this.pace], Math.max(G.GRID_STEP, distance / G.ARRIVE_SECONDS));
    if (distance <= G.NEAR) return [speed * Math.cos(bearing), speed * Math.sin(bearing), 0];
    const turn = clamp(G.TURN_GAIN * bearing, G.TURN_RATE);
    return Math.abs(bearing) > G.WALK_BEARING ? [0, 0, turn] : [speed * Math.cos(bearing), 0, turn];
  }

  expectedSeconds(progress: Progress) {
    const { x, y } = this.target(progress);
    return Math.hypot(x, y) / G.CRUISE[this.pace] + Math.PI / G.TURN_RATE;
  }

  destination(progress: Progress) {
    return { ...this.target(progress), heading: NaN };
  }
}

// A place, in meters ahead and to the left of where the body stands and faces when the goal begins.
export class PlaceGoal extends Destination {
  readonly ahead: number;
  readonly left: number;

  constructor(ahead: number, left = 0, speed = "normal", posture: Posture = {}) {
    super(speed, posture);
    const furthest = last(VALUES.place);
    this.ahead = inRange("ahead", ahead, -furthest, furthest);
    this.left = inRange("left", left, -furthest, furthest);
  }

  get skill() {
    return "go_to";
  }

  protected target() {
    return { x: this.ahead, y: this.left };
  }

  onGrid() {
    const [ahead, left] = [this.ahead, this.left].map(
      (value) => Math.sign(value) * Number(spell("place", Math.abs(value))) + 0,
    );
    return new PlaceGoal(ahead, left, this.pace, { height: this.height, arms: this.arms });
  }

  protected get spelling() {
    return [
      "<go_to>",
      `<speed=${this.pace}>`,
      ...this.#parts.flatMap(([amount, way]) => [`<${way}>`, ...digits("place", amount)]),
      ...this.postureTokens,
    ];
  }

  // Amounts above 0 with their directions; where the body stands is 0 ahead.
  get #parts(): [number, string][] {
    const [ahead, behind, left, right] = G.DIRECTIONS;
    const parts: [number, string][] = [
      [Math.abs(this.ahead), this.ahead < 0 ? behind : ahead],
      [Math.abs(this.left), this.left < 0 ? right : left],
    ];
    const moves = parts.filter(([amount]) => amount);
    return moves.length ? moves : [[0, ahead]];
  }

  get words() {
    const places = this.#parts.map(([amount, way]) => `${amountText(amount, "meters")} ${way}`);
    return ["go to", ...(this.pace === "normal" ? [] : [this.pace]), ...places].join(" ");
  }
}

// The place where the program began.
export class HomeGoal extends Destination {
  get skill() {
    return "go_home";
  }

  protected target({ home }: Progress) {
    return { x: home.x, y: home.y };
  }

  protected get spelling() {
    return ["<go_home>", `<speed=${this.pace}>`, ...this.postureTokens];
  }

  get words() {
    return this.pace === "normal" ? "go home" : `go home ${this.pace}`;
  }
}

// The heading at which the program began, taken up by the shorter turn on the spot.
export class HeadingGoal extends Goal {
  get skill() {
    return "face_start";
  }

  #error({ home, pose }: Progress) {
    return wrap(home.heading - pose.heading);
  }

  reached(progress: Progress) {
    return Math.abs(degrees(this.#error(progress))) <= G.FACED;
  }

  wanted(progress: Progress): Velocity {
    const error = this.#error(progress);
    const rate = Math.max(G.GRID_STEP, Math.abs(clamp(G.TURN_GAIN * error, G.TURN_RATE)));
    return [0, 0, error < 0 ? -rate : rate];
  }

  expectedSeconds({ home }: Progress) {
    return Math.abs(wrap(home.heading)) / G.TURN_RATE;
  }

  destination({ home }: Progress) {
    return { x: 0, y: 0, heading: wrap(home.heading) };
  }

  protected get spelling() {
    return ["<face_start>", ...this.postureTokens];
  }

  get words() {
    return "face start";
  }
}

// The goal of a named skill at a speed; `settings` are its end, height and arms.
export function skillGoal(skill: string, speed = "normal", settings: Settings = {}): Goal {
  if (skill in G.SKILLS) return new VelocityGoal(G.SKILLS[skill][G.SPEEDS.indexOf(speed)], settings);
  return skill === "go_home" ? new HomeGoal(speed, settings) : new HeadingGoal(settings);
}

// The tokens of a program of goals.
export const programTokens = (goals: Goal[]) => [...goals.flatMap((goal) => goal.tokens), "<end>"].join(" ");

// The nearest amount of this kind that has a spelling, or null beyond half a step outside of them.
export function snap(amount: number, kind: AmountKind | SpeedUnit): number | null {
  const values = VALUES[kind] ?? G.GRID[kind === "m/s" ? "vx" : "wz"].filter((value) => value > 0);
  const [lower, most] = values.slice(-2);
  const highest = most + (most - lower) / 2;
  return values[0] / 2 <= amount && amount <= highest ? values[nearestPlace(values, amount)] : null;
}

export const said = (name: string) => name.replaceAll("_", " ");

// Index of the axis that a skill's speed is about.
export const mainAxis = (skill: string) => MAIN_AXES[skill.split("_")[0]] ?? 0;

// As Python's format "g".
export const short = (value: number) => {
  const [digits, exponent] = value.toExponential(5).split("e");
  const power = Number(exponent);
  if (power > -5 && power < 6) return String(Number(value.toPrecision(6)));
  return `${Number(digits)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
};

const amountText = (amount: number, kind: string) => `${short(amount)} ${amount === 1 ? kind.replace(/s$/, "") : kind}`;
const spell = (kind: string, amount: number) => G.AMOUNTS[kind][nearestPlace(VALUES[kind], amount)];
const digits = (kind: string, amount: number) => [...spell(kind, amount)].map((digit) => `<${digit}>`);
const last = (values: number[]) => values[values.length - 1];
const nearest = (values: number[], wanted: number) => values[nearestPlace(values, wanted)];

// Index of the nearest of rising values; the lower one of two that are equally near.
function nearestPlace(values: number[], wanted: number): number {
  let [low, high] = [0, values.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle;
    else high = middle;
  }
  return Math.abs(values[low] - wanted) <= Math.abs(values[high] - wanted) ? low : high;
}

function choose(name: string, value: string, choices: string[]): void {
  if (!choices.includes(value)) throw new GoalError(`unknown ${name} ${value}: choose one of ${choices.join(", ")}`);
}

function inRange(name: string, value: number, low: number, high: number): number {
  if (!Number.isFinite(value)) throw new GoalError(`${name} is no finite number`);
  if (value < low || value > high)
    throw new GoalError(`${name}=${short(value)} is out of range: choose one from ${low} to ${high}`);
  return value + 0; // turns -0 into 0
}

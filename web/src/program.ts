// Readable programs, "walk forward slow six feet, low; turn left a quarter turn", as goals. As in
// agent/language/program.py, whose patterns it reads.

import { amount, speed } from "./amounts.ts";
import type { Velocity } from "./geometry.ts";
import { GoalError, HeadingGoal, HomeGoal, PlaceGoal, VelocityGoal, mainAxis, said, short, snap } from "./goals.ts";
import type { Goal, Posture, Settings } from "./goals.ts";
import { reach } from "./pursuit.ts";
import type { AmountKind, SpeedUnit } from "./tables.ts";
import tables from "./tables.ts";

const { goals: G, program: P, limits: L, body } = tables;
const GOAL_PARTS = new RegExp(`^(?:${P.GOAL_PARTS})$`);
const PLACE_PARTS = new RegExp(P.PLACE_PARTS, "g");
const VELOCITY_PARTS = new RegExp(P.VELOCITY_PARTS, "g");
const REPEATED_PARTS = new RegExp(P.REPEATED_PARTS, "g");

const WAY_AXES: Record<string, number> = { forward: 0, backward: 0, left: 1, right: 1 };
const WAY_SIGNS: Record<string, number> = { forward: 1, backward: -1, left: 1, right: -1 };

// Goals and no refusal, or no goals, a refusal and the reason for it.
export interface Program {
  goals: Goal[];
  refusal: string | null;
  reason?: string;
}

// Something that this robot cannot do; the message is for the user.
class BeyondLimit extends GoalError {}

// The goals of a readable program.
export function parse(text: string): Program {
  if (text.startsWith("refuse: ")) {
    const refusal = text.slice("refuse: ".length);
    return refused(Object.hasOwn(G.REASONS, refusal) ? refusal : "unclear");
  }
  try {
    const goals = text.replace(REPEATED_PARTS, repeated).split("; ").map(parseGoal);
    if (goals.length > G.MAX_GOALS) return refused("limit");
    return {
      goals: goals.map((goal, place) => (place < goals.length - 1 ? closed(goal) : goal).onGrid()),
      refusal: null,
    };
  } catch (error) {
    if (!(error instanceof GoalError)) throw error;
    return error instanceof BeyondLimit ? refused("limit", error.message) : refused("unclear");
  }
}

const refused = (refusal: string, reason = G.REASONS[refusal]): Program => ({ goals: [], refusal, reason });

// The goals of a repetition, as often as they are to be done, with the pause between.
const repeated = (_: string, count: string, goals: string, pause?: string): string =>
  Array<string>(Number(count))
    .fill(goals)
    .join(pause ? `; ${pause}; ` : "; ");

function parseGoal(text: string): Goal {
  const said = GOAL_PARTS.exec(text)?.groups;
  if (!said) throw new GoalError(`${text} is no goal`);
  const posture = parsePosture(said.posture);
  const [pace, skill] = [said.speed ?? "normal", said.motion.replaceAll(" ", "_")];
  if (Boolean(said.place) !== (skill === "go_to")) throw new GoalError(`${text}: a place stands after 'go to' only`);
  if (skill === "face_start") return new HeadingGoal(posture);
  if (skill === "go_home") return new HomeGoal(pace, posture);
  if (skill === "go_to") return new PlaceGoal(...parsePlace(said.place), pace, posture);
  const velocity = parseVelocity(skill, pace, said.velocity, posture.height);
  const end: Settings = {};
  if (said.amount) {
    const [kind, value] = amount(said.amount);
    end[kind] = snapped(value, kind);
  }
  return new VelocityGoal(velocity, { ...end, ...posture });
}

// The goal with an end, so that the next one can start.
function closed(goal: Goal): Goal {
  if (!(goal instanceof VelocityGoal) || !goal.open) return goal;
  const { height, arms } = goal;
  const end = goal.skill.startsWith("turn") ? { degrees: P.DEFAULT_DEGREES } : { seconds: P.DEFAULT_SECONDS };
  return new VelocityGoal(goal.velocity, { ...end, height, arms });
}

function parsePosture(text: string): Required<Posture> {
  const posture = { height: "normal", arms: "rest" };
  for (const word of text.split(", ").filter(Boolean)) {
    if (word === "low") posture.height = "low";
    else posture.arms = word.replace(/^arms /, "").replaceAll(" ", "_");
  }
  if (!body.heights.includes(posture.height)) throw new BeyondLimit(`this robot (${body.name}) cannot crouch`);
  if (!body.arms.includes(posture.arms)) {
    throw new BeyondLimit(`this robot (${body.name}) cannot do that with its arms: ${said(posture.arms)}`);
  }
  return posture;
}

// Meters ahead and to the left.
function parsePlace(text: string): [number, number] {
  const at: Record<string, number> = { ahead: 0, behind: 0, left: 0, right: 0 };
  for (const [, spelled, direction] of text.matchAll(PLACE_PARTS)) {
    const [kind, meters] = amount(spelled);
    if (kind !== "meters") throw new GoalError(`${text} is no place`);
    const most = G.AMOUNTS.place.at(-1);
    if (meters > Number(most)) throw new BeyondLimit(`${short(meters)} m is too far for a place: at most ${most} m`);
    at[direction] = meters;
  }
  return [at.ahead - at.behind, at.left - at.right];
}

// The skill's velocity, clipped to the limits of the robot, and what was said in numbers.
function parseVelocity(skill: string, pace: string, spoken: string | undefined, height: string): Velocity {
  const named = G.SKILLS[skill][G.SPEEDS.indexOf(pace)];
  const velocity = [...named];
  const axis = mainAxis(skill);
  const [low, high] = body.speed_limits[axis];
  const most = height === "low" && axis === 0 ? Math.min(high, body.low_speed) : high;
  velocity[axis] = Math.min(Math.max(velocity[axis], low), most);
  // The turn of a curve takes its share of the reach.
  while (velocity[axis] && reach(velocity) > tables.pursuit.WITHIN) {
    velocity[axis] = Math.round(10 * (velocity[axis] - Math.sign(velocity[axis]) * G.GRID_STEP)) / 10;
  }
  if (!spoken) return velocity;
  if (skill === "stand") throw new GoalError("standing has no speed");
  for (const [, spelled, way] of spoken.matchAll(VELOCITY_PARTS)) {
    const [unit, value] = speed(spelled);
    const place = unit === "rad/s" ? 2 : (WAY_AXES[way] ?? axis);
    if (place === 2 && !named[2] && !way) throw new GoalError(`${skill} has no yaw rate`);
    if (place !== 2 && axis === 2) throw new GoalError(`${skill} has no speed in m/s`);
    const sign = WAY_SIGNS[way] ?? (named[place] < 0 ? -1 : 1);
    velocity[place] = sign * value;
  }
  checkVelocity(velocity, height);
  return velocity.map((value, place) => (value ? Math.sign(value) * snapped(Math.abs(value), G.UNITS[place]) : value));
}

function checkVelocity(velocity: Velocity, height: string): void {
  velocity.forEach((value, axis) => {
    const side = value > 0 ? 1 : 0;
    const limit = Math.abs(body.speed_limits[axis][side]);
    if (Math.abs(value) > limit + L.TOLERANCE) {
      const unit = G.UNITS[axis];
      throw new BeyondLimit(
        `${short(Math.abs(value))} ${unit} is too fast: this robot ${L.MOTIONS[axis][side]} at ${short(limit)} ${unit} at most`,
      );
    }
  });
  if (height === "low" && Math.abs(velocity[0]) > body.low_speed + L.TOLERANCE) {
    throw new BeyondLimit(
      `${short(Math.abs(velocity[0]))} m/s is too fast in a crouch: ${short(body.low_speed)} m/s at most`,
    );
  }
}

function snapped(value: number, kind: AmountKind | SpeedUnit): number {
  const nearest = snap(value, kind);
  if (nearest !== null) return nearest;
  const [least, most] = G.AMOUNTS[kind]
    ? [G.AMOUNTS[kind][0], G.AMOUNTS[kind].at(-1)]
    : [G.GRID_STEP, G.GRID[kind === "m/s" ? "vx" : "wz"].at(-1)];
  throw new BeyondLimit(`${short(value)} ${kind} is out of range: from ${least} to ${most} ${kind}`);
}

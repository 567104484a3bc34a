// Constants that the page shares with the Python code. web/export.py writes them from agent/: those of the
// code, which are part of the page, and those of the agent and its robot.

import code from "../generated/tables.json" with { type: "json" };
import { agentText } from "./agents.ts";
import type { Velocity } from "./geometry.ts";

export type AmountKind = "seconds" | "meters" | "degrees";
export type SpeedUnit = "m/s" | "rad/s";
export type Side = "left" | "right" | "middle";
type Axis = "vx" | "vy" | "wz";
type Pair = readonly [number, number];
type Triple = readonly [number, number, number];

// code_tables() of web/export.py. The Python files say what each constant means.
export interface CodeTables {
  goals: {
    GRID_STEP: number;
    GRID: Record<Axis, number[]>; // rising
    AXES: Axis[];
    UNITS: SpeedUnit[];
    HEIGHTS: string[];
    ARMS: string[];
    STILL: number;
    RUN_SPEED: number;
    SPEEDS: string[];
    SKILLS: Record<string, Velocity[]>; // one for each of SPEEDS
    REASONS: Record<string, string>;
    MAX_GOALS: number;
    AMOUNTS: Record<string, string[]>; // of each AmountKind, and of "place"; rising
    DIRECTIONS: string[];
    TOKENS: string[];
    COMMAND_AXES: string[];
    ARRIVED: number;
    FACED: number;
    CRUISE: Record<string, number>;
    HEADING_GAIN: number;
    HEADING_RATE: number;
    LINE_GAIN: number;
    LINE_SPEED: number;
    AIM_GAIN: number;
    AIM: number;
    STAND_TURN: number;
    TURN_GAIN: number;
    TURN_RATE: number;
    WALK_BEARING: number;
    NEAR: number;
    BRAKE_SECONDS: number;
    ARRIVE_SECONDS: number;
  };
  pursuit: {
    STEER_SECONDS: number;
    HOLD_STEPS: number;
    NEAR_PLAN: Pair; // m, degrees
    PATIENCE_SHARE: number;
    PATIENCE_SECONDS: number;
    WITHIN: number;
    SMOOTHING_SECONDS: number;
  };
  amounts: {
    WORD_VALUES: Record<string, number>;
    PARTS: Record<string, number>;
    MULTIPLES: Record<string, number>;
    JOINS: string[];
    WHOLE: string[];
    RATIOS: Record<string, number>;
    UNITS: Record<string, readonly [AmountKind, number]>;
    SPEED_UNITS: Record<string, readonly [SpeedUnit, number]>;
    PER: Record<string, number>;
    DIGITS: string;
    SINGLE: string;
    RATIO: string;
    SPEED: string;
  };
  program: {
    GRAMMAR: string;
    GOAL_PARTS: string;
    PLACE_PARTS: string;
    VELOCITY_PARTS: string;
    REPEATED_PARTS: string;
    DEFAULT_DEGREES: number;
    DEFAULT_SECONDS: number;
  };
  limits: { MOTIONS: (readonly [string, string])[]; TOLERANCE: number };
  suite: { EPISODE_SECONDS: number };
  video: { FRAME_EVERY: number; CLIP_SECONDS: number };
}

// A capsule that the robot is drawn with: parts() of web/export.py.
export interface Part {
  geom: number;
  side: Side;
  center: Triple; // in the geom's frame, m
  end: Triple; // of its axis, from the center, m
  radius: number; // m
}

// agent.json: body_table() and transformer_table() of web/export.py.
export interface AgentTables {
  body: {
    name: string;
    observation_size: number;
    action_scale: number[];
    control_center: number[];
    frame_skip: number;
    control_seconds: number;
    healthy_height: Pair; // m
    start_qpos: number[];
    reset_noise: number;
    averages_gyro: boolean;
    speed_limits: Pair[]; // lowest and highest of each axis
    low_speed: number; // m/s
    heights: string[];
    arms: string[];
    camera_height: number; // m
    camera_distance: number; // m
    suite_commands: Velocity[];
    parts: Part[];
  };
  transformer: {
    context_length: number;
    layers: number;
    heads: number;
    head_size: number;
    prefix_tokens: number;
    step_tokens: number;
    waves: number[];
    wave_angle: number; // rad
  };
  agent: string;
  position: number; // of the robot among those of its agent
  planner_bytes: number; // 0 without a language model
}

const agent: AgentTables = JSON.parse(await agentText("agent.json"));
const tables: CodeTables & AgentTables = { ...code, ...agent };
export default tables;

"""Measurements of an actor in physics: how well it follows commands, how often it falls, how it switches and steps.

An actor is a MotorPolicy, a GoalDecisionTransformer or a MotorAgent: `reset()`, `prompt(goals)`, `act(observations)`.
All bodies of a suite run in one batch. Shapes: N bodies, T steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gymnasium
import numpy as np
from tqdm import tqdm

from agent.feedback.outcomes import Assessment, GoalOutcome, cause
from agent.feedback.proposals import GOALS
from agent.feedback.pursuit import Pursuit
from agent.feedback.trials import DISTURBANCES, Trial, disturbed, expected_seconds, run_trials
from agent.goals import Goal, GoalProgram
from agent.language.corpus.generator import generate
from agent.simulation.env import (
    CONTROL_SECONDS,
    FOOT_RADIUS,
    MAX_EPISODE_STEPS,
    heading_velocity,
    left_ahead,
    sample_commands,
)
from agent.simulation.vector_env import FORWARD_WEIGHT, make_vector_env

if TYPE_CHECKING:
    from agent.language.planner import Planner
    from agent.models.motor_policy import MotorPolicy

COMMANDS = (
    (0.0, 0.0, 0.0),
    (0.4, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (1.6, 0.0, 0.0),
    (2.0, 0.0, 0.0),
    (3.0, 0.0, 0.0),
    (-0.4, 0.0, 0.0),
    (0.0, 0.4, 0.0),
    (0.0, -0.4, 0.0),
    (0.0, 0.0, 0.8),
    (0.0, 0.0, -0.8),
    (1.0, 0.0, 0.4),
    (1.0, 0.0, -0.4),
)
GAIT_SPEEDS = (0.4, 1.0, 1.6, 2.0)
WINDOW = round(1 / CONTROL_SECONDS)  # steps in the sliding second that velocities are averaged over
MINUTE_STEPS = round(60 / CONTROL_SECONDS)
SWITCH_STEPS = (200, 334)  # a new goal every 3 to 5 seconds
SHOVE_SPEED = 0.5  # m/s, of the whole body in a random direction
SHOVE_STEPS = 200  # every 3 seconds
LEADING = 0.03  # m, a foot leads when it is this far ahead of the other
LIFTED = 0.005  # m, a foot higher than this swings
SHORTEST_SWING = 3  # steps; a shorter one is a tremble

INSTRUCTION_STEPS = 20_000  # five minutes, more than any program with an end should take

BEFORE_SECONDS, GOAL_SECONDS = 2.5, 5.0  # of the goal before, and of the one that is measured
LONGEST_TRIAL = 10.0  # s that an instruction of the feedback suite takes
CORRECTIONS = 2  # of one goal
RESAMPLES = 2000  # of the bootstrap

Schedule = Callable[[int], Sequence[Goal] | None]


class Actor(Protocol):
    def reset(self) -> None: ...
    def prompt(self, goal: Sequence[Goal]) -> None: ...
    def act(self, observation: np.ndarray) -> np.ndarray: ...


class Listener(Actor, Protocol):
    """An actor that understands sentences: a MotorAgent."""

    planner: "Planner"
    transformer: Actor

    def make_env(self, *, max_episode_steps: int) -> gymnasium.Env: ...
    def run(self, instruction: GoalProgram, env: gymnasium.Env, max_seconds: float) -> Any: ...


@dataclass(frozen=True)
class Trace:
    """What N bodies did in T steps. After a fall a body's rows mean nothing: `alive` is false."""

    commands: np.ndarray  # [T, N, 3] m/s, m/s, rad/s
    velocity: np.ndarray  # [T, N, 3] the same
    alive: np.ndarray  # [T, N] not fallen yet
    rewards: np.ndarray  # [T, N] Humanoid-v5's
    lead: np.ndarray  # [T, N] m, how far the left foot is ahead of the right one
    clearance: np.ndarray  # [T, N, 2] m, height of the right and the left foot above the ground

    @property
    def second_means(self) -> np.ndarray:
        """Velocities [T - WINDOW + 1, N, 3] averaged over the second that ends at steps WINDOW - 1, WINDOW, ..."""
        sums = np.cumsum(np.concatenate([np.zeros((1, *self.velocity.shape[1:])), self.velocity]), axis=0)
        return (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW


def measure_commands(
    actor: Actor, commands: Sequence[Sequence[float]], episodes: int, seed: int, num_threads: int | None = None
) -> dict:
    """Rows of the commands suite, one per command, and their mean.

    Errors are mean absolute differences between the command and the velocity averaged over a sliding second, from the
    second second on. A fall ends the episode; the rest of it counts as unsurvived.
    """
    goals = [Goal(*map(float, command)) for command in commands for _ in range(episodes)]
    trace = roll_out(actor, _constant(goals), len(goals), MAX_EPISODE_STEPS, seed, num_threads)
    means, alive = trace.second_means, trace.alive[WINDOW - 1 :]
    rows = []
    for index, command in enumerate(commands):
        bodies = slice(index * episodes, (index + 1) * episodes)
        error = (means[:, bodies] - np.asarray(command))[alive[:, bodies]]
        row = {
            "command": [float(value) for value in command],
            "skill": goals[index * episodes].skill,
            "episodes": episodes,
            "survival": float(trace.alive[:, bodies].mean()),
            "velocity_error": _mean(np.linalg.norm(error[:, :2], axis=1)),
            "yaw_error": _mean(np.abs(error[:, 2])),
            "humanoid_return": float((trace.rewards * trace.alive)[:, bodies].sum(0).mean()),
        }
        rows.append(row)
    numbers = ("survival", "velocity_error", "yaw_error", "humanoid_return")
    return {
        "rows": rows,
        "mean": {"episodes": len(goals)} | {name: _mean([row[name] for row in rows]) for name in numbers},
    }


def score_commands(mean: dict[str, float | None]) -> float:
    """How good the mean of `measure_commands` is, the greater the better. An error that could not be measured counts
    as 1.
    """
    errors = (mean["velocity_error"], mean["yaw_error"])
    return 2 * (mean["survival"] or 0.0) - sum(1.0 if error is None else error for error in errors)


def measure_native(policy: "MotorPolicy", episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """Rows of Humanoid-v5's own episodes of 1,000 steps, and their mean: what others publish of Humanoid.

    `forward_speed` is along the world's x axis, m/s. A policy that follows goals is given none.
    """
    envs = make_vector_env(episodes, num_threads, MAX_EPISODE_STEPS + 1, frame=policy.config.frame)
    observations, _ = envs.reset(seed=seed)
    policy.reset()
    up, steps, returns, ahead = np.ones(episodes, dtype=bool), *np.zeros((3, episodes))
    for _ in tqdm(range(MAX_EPISODE_STEPS), desc="measure", unit="step", leave=False):
        observations, rewards, terminated, _, info = envs.step(policy.act(observations))
        steps += up
        returns += np.where(up, rewards, 0)
        ahead += np.where(up & ~info["diverged"], info["reward_forward"], 0) / FORWARD_WEIGHT
        up &= ~terminated
        if not up.any():
            break
    envs.close()
    measured = {
        "survival": (steps - ~up) / MAX_EPISODE_STEPS,
        "forward_speed": ahead / steps,
        "humanoid_return": returns,
    }
    rows = [
        {"episode": episode} | {name: float(values[episode]) for name, values in measured.items()}
        for episode in range(episodes)
    ]
    mean = {name: float(values.mean()) for name, values in measured.items()}
    return {"rows": rows, "mean": {"episodes": episodes} | mean}


def measure_switches(actor: Actor, episodes: int, seed: int, num_threads: int | None = None, minutes: int = 1) -> dict:
    """How well a random new goal every 3 to 5 seconds is taken up, in episodes of so many minutes.

    A goal is reached when the mean velocity of the last second is within 20 % of it, or within 0.15; the latency is
    the median time that takes. A goal that a fall cuts short counts as it stood. `falls_in_minute` has the falls of
    each minute, per minute of those that still stood: whether long lives end at some age.
    """
    rng = np.random.default_rng(seed)
    steps = minutes * MINUTE_STEPS
    changes = [np.cumsum(rng.integers(*SWITCH_STEPS, steps // SWITCH_STEPS[0] + 1)) for _ in range(episodes)]
    goals = _random_goals(rng, episodes)

    def schedule(step: int) -> Sequence[Goal] | None:
        bodies = [body for body in range(episodes) if step in changes[body]]
        for body, goal in zip(bodies, _random_goals(rng, len(bodies)), strict=True):
            goals[body] = goal
        return goals if bodies or step == 0 else None

    trace = roll_out(actor, schedule, episodes, steps, seed, num_threads)
    means = trace.second_means
    latencies, count = [], 0
    for body in range(episodes):
        lived = int(trace.alive[:, body].sum())
        bounds = [edge for edge in changes[body] if edge < steps]
        for begin, end in zip(bounds, [*bounds[1:], steps], strict=True):
            if begin >= lived or end - begin < SWITCH_STEPS[0]:
                continue
            count += 1
            difference = means[begin - WINDOW + 1 : min(end, lived) - WINDOW + 1, body] - trace.commands[begin, body]
            command = trace.commands[begin, body]
            near = np.linalg.norm(difference[:, :2], axis=1) <= max(0.2 * np.linalg.norm(command[:2]), 0.15)
            near &= np.abs(difference[:, 2]) <= max(0.2 * abs(command[2]), 0.15)
            if near.any():
                latencies.append(float(near.argmax() * CONTROL_SECONDS))
    alive_minutes = trace.alive.reshape(minutes, MINUTE_STEPS, episodes).mean(1).sum(1)
    falls = -np.diff(trace.alive[MINUTE_STEPS - 1 :: MINUTE_STEPS].sum(1), prepend=episodes)
    return {
        "episodes": episodes,
        "falls_per_minute": float(falls.sum() / alive_minutes.sum()),
        "falls_in_minute": [
            float(fallen / lived) if lived else None for fallen, lived in zip(falls, alive_minutes, strict=True)
        ],
        "switch_latency_s": float(np.median(latencies)) if latencies else None,
        "reached": len(latencies) / count if count else None,
        "survival": float(trace.alive.mean()),
    }


def measure_shoves(
    actor: Actor, commands: Sequence[Sequence[float]], episodes: int, seed: int, num_threads: int | None = None
) -> dict:
    """Share of 15-second episodes survived while the whole body is shoved every 3 seconds, per command and in the
    mean.
    """
    goals = [Goal(*map(float, command)) for command in commands for _ in range(episodes)]
    trace = roll_out(actor, _constant(goals), len(goals), MAX_EPISODE_STEPS, seed, num_threads, shoved=True)
    survived = trace.alive[-1].reshape(len(commands), episodes).mean(1)
    rows = [
        {"command": list(map(float, command)), "survival": float(share)}
        for command, share in zip(commands, survived, strict=True)
    ]
    return {"episodes": len(goals), "survival": float(survived.mean()), "rows": rows}


def measure_gait(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """How the legs take turns while walking straight at each of GAIT_SPEEDS, after the first second.

    `steps_per_second` counts changes of the leading foot by more than 3 cm, `left_ahead` is the share of time that the
    left foot leads, and `clearance_m` is the mean over swings of the highest point that the foot reaches above the
    ground.
    """
    goals = [Goal(speed) for speed in GAIT_SPEEDS for _ in range(episodes)]
    trace = roll_out(actor, _constant(goals), len(goals), MAX_EPISODE_STEPS, seed, num_threads)
    rows = []
    for index, speed in enumerate(GAIT_SPEEDS):
        gaits = [
            _gait(trace.lead[WINDOW:lived, body], trace.clearance[WINDOW:lived, body])
            for body in range(index * episodes, (index + 1) * episodes)
            if (lived := int(trace.alive[:, body].sum())) > 2 * WINDOW
        ]
        measured = {
            name: _mean([gait[name] for gait in gaits]) for name in ("steps_per_second", "left_ahead", "clearance_m")
        }
        rows.append({"command": [speed, 0.0, 0.0], "episodes": episodes, **measured})
    return {"rows": rows}


def measure_instructions(agent: Listener, rows: Sequence[tuple[str, GoalProgram]], seed: int) -> dict:
    """How often instructions are understood exactly, refused rightly, and done by the body.

    Physical success is measured on the instructions whose goals all have an end: every goal met, in order, without a
    fall. A miss is one of the parse, of a fall, or of the motion.
    """
    found = agent.planner.parse_batch([text for text, _ in rows])
    pairs = [(text, meant, program) for (text, meant), program in zip(rows, found, strict=True)]
    misses = {"parse": 0, "fall": 0, "motion": 0}
    physical = [pair for pair in pairs if pair[1].goals and all(goal.end for goal in pair[1].goals)]
    details = []
    env = agent.make_env(max_episode_steps=INSTRUCTION_STEPS)
    for text, meant, program in tqdm(physical, desc="instructions", leave=False):
        miss, feedback = "parse", "understood otherwise"
        if program == meant:
            env.reset(seed=seed)
            agent.reset()
            result = agent.run(program, env, max_seconds=INSTRUCTION_STEPS * CONTROL_SECONDS)
            miss = "" if result.success else "fall" if any(outcome.fell for outcome in result.outcomes) else "motion"
            feedback = result.feedback
        if miss:
            misses[miss] += 1
        details.append({"text": text, "miss": miss, "feedback": feedback})
    env.close()
    refusals = [program.refused for _, meant, program in pairs if meant.refused]
    spurious = [program.refused for _, meant, program in pairs if not meant.refused]
    return {
        "instructions": len(pairs),
        "exact": _mean([float(program == meant) for _, meant, program in pairs]),
        "refusals_right": _mean([float(refused) for refused in refusals]),
        "spurious_refusals": _mean([float(refused) for refused in spurious]),
        "physical_instructions": len(physical),
        "physical_success": _mean([float(not detail["miss"]) for detail in details]),
        "misses": misses,
        "rows": details,
    }


def measure_goals(
    actor: Actor,
    episodes: int,
    seed: int,
    num_threads: int | None = None,
    goals: Sequence[Goal] = GOALS,
) -> dict:
    """How often each goal is met: by default every named skill at every speed, in `episodes` tries of 5 seconds.

    Half of the tries begin from standing, the others with a switch from another of GOALS. A goal is met as
    `GoalOutcome.met` says; errors are of the velocity in the last second of those that did not fall.
    """
    rng = np.random.default_rng(seed)
    trials = []
    for goal in goals:
        others = [each for each in GOALS if each != goal and each.velocity != (0, 0, 0)]
        for number in range(episodes):
            before = Goal() if number % 2 == 0 else others[rng.integers(len(others))]
            asked = Goal(*before.velocity, seconds=BEFORE_SECONDS), Goal(*goal.velocity, seconds=GOAL_SECONDS)
            trials.append(Trial(asked, asked, "none", seed + len(trials)))
    pursuits = run_trials(actor, trials, num_threads=num_threads)
    rows = []
    for place, goal in enumerate(goals):
        mine = pursuits[place * episodes : (place + 1) * episodes]
        met = [len(each.outcomes) == 2 and each.outcomes[1].met for each in mine]
        off = np.array([each.outcomes[1].velocity for each in mine if not each.fell] or [[np.nan] * 3]) - goal.velocity
        rows.append(
            {
                "command": list(goal.velocity),
                "skill": goal.skill,
                "speed": goal.speed,
                "episodes": episodes,
                "met": float(np.mean(met)),
                "met_from_standing": _mean([float(each) for each in met[::2]]),
                "met_after_a_switch": _mean([float(each) for each in met[1::2]]),
                "survival": float(np.mean([not each.fell for each in mine])),
                "velocity_error": _finite(np.linalg.norm(off[:, :2], axis=1).mean()),
                "yaw_error": _finite(np.abs(off[:, 2]).mean()),
            }
        )
    numbers = ("met", "survival", "velocity_error", "yaw_error")
    mean = {name: _mean([row[name] for row in rows]) for name in numbers}
    return {"rows": rows, "mean": {"episodes": len(trials)} | mean}


def measure_feedback(agent: Listener, count: int, seed: int, num_threads: int | None = None) -> dict:
    """What an agent gains by assessing and correcting itself: the same instructions from the same starts, once without
    and once with it.

    Half of the runs are disturbed: by a shove, another goal in place of the one asked for, an end too early or too
    late. Shares come with their number and a 95 % interval by bootstrap:

    * `verdict`: runs that the planner calls right or wrong as the simulator does; `which_goal`: of those that went
      wrong, where it names the goal that did first; `cause`: goals whose cause it names.
    * `repaired_by_one`, `repaired_by_two`: goals missed without a fall, within tolerance after as many corrections.
    * `corrected_for_nothing`: runs that were right, in which something was corrected; `spoiled`: those that went wrong
      with feedback and right without.
    * `right_without`, `right_with`: runs with every goal met, and by disturbance.
    """
    instructions = draw_instructions(agent.planner, count, seed)
    kinds = [
        DISTURBANCES[1 + number // 2 % (len(DISTURBANCES) - 1)] if number % 2 else "none" for number in range(count)
    ]
    trials = [
        disturbed(program.goals, kind, seed + number)
        for number, ((_, program), kind) in enumerate(zip(instructions, kinds, strict=True))
    ]
    without = run_trials(agent.transformer, trials, num_threads=num_threads)
    helped = run_trials(agent.transformer, trials, agent.planner.judge, CORRECTIONS, num_threads)
    assessments = [agent.planner.assess(pursuit.outcomes) for pursuit in without]
    right = [pursuit.done for pursuit in without]
    wrong = [(pursuit, said) for pursuit, said in zip(without, assessments, strict=True) if not pursuit.done]
    goals = [
        pair
        for pursuit, said in zip(without, assessments, strict=True)
        for pair in zip(pursuit.outcomes, said, strict=True)
    ]
    missed = [stages for pursuit in helped for stages in _stages(pursuit) if not (stages[0].met or stages[0].fell)]
    good = [after for before, after in zip(without, helped, strict=True) if before.done]
    shares = {
        "verdict": [all(each.met for each in said) == done for said, done in zip(assessments, right, strict=True)],
        "which_goal": [_first_missed(said) == _first_missed(pursuit.outcomes) for pursuit, said in wrong],
        "cause": [said.cause == cause(outcome) for outcome, said in goals],
        "repaired_by_one": [stages[1].met for stages in missed],
        "repaired_by_two": [stages[2].met for stages in missed],
        "corrected_for_nothing": [bool(after.corrections) for after in good],
        "spoiled": [not after.done for after in good],
        "right_without": right,
        "right_with": [pursuit.done for pursuit in helped],
    }
    for kind in DISTURBANCES:
        of_kind = [number for number, each in enumerate(kinds) if each == kind]
        shares[f"right_without/{kind}"] = [right[number] for number in of_kind]
        shares[f"right_with/{kind}"] = [helped[number].done for number in of_kind]
    return {
        "instructions": count,
        "falls_without": sum(pursuit.fell for pursuit in without),
        "falls_with": sum(pursuit.fell for pursuit in helped),
        **{name: share(values, seed) for name, values in shares.items()},
        "rows": [
            {"text": text, "disturbance": kind, "without": before.done, "with": after.done}
            | {"corrections": [correction.text for correction in after.corrections]}
            for (text, _), kind, before, after in zip(instructions, kinds, without, helped, strict=True)
        ],
    }


def draw_instructions(planner: "Planner", count: int, seed: int) -> list[tuple[str, GoalProgram]]:
    """Generated instructions of goals with ends, done in LONGEST_TRIAL, that the planner understands exactly."""
    found: list[tuple[str, GoalProgram]] = []
    for each in generate(seed):
        goals = each.program.goals
        seconds = sum(map(expected_seconds, goals))
        if not goals or any(goal.end is None for goal in goals) or not 1.0 <= seconds <= LONGEST_TRIAL:
            continue
        if planner.parse(each.text) == each.program:
            found.append((each.text, each.program))
        if len(found) == count:
            break
    return found


def share(values: Sequence[bool], seed: int = 0) -> dict[str, float | int | None]:
    """The share of true values, their number, and a 95 % interval by bootstrap (Efron, 1979); None of no values."""
    if not values:
        return {"share": None, "low": None, "high": None, "of": 0}
    sample = np.random.default_rng(seed).choice(np.asarray(values, dtype=float), (RESAMPLES, len(values)))
    low, high = np.quantile(sample.mean(1), [0.025, 0.975]).tolist()
    return {"share": float(np.mean(values)), "low": low, "high": high, "of": len(values)}


def _first_missed(judged: Sequence[GoalOutcome] | Sequence[Assessment]) -> int | None:
    return next((number for number, each in enumerate(judged) if not each.met), None)


def _stages(pursuit: Pursuit) -> list[tuple[GoalOutcome, GoalOutcome, GoalOutcome]]:
    """Each goal of a run as it was at first, after one correction, and in the end."""
    found = []
    for number, outcome in enumerate(pursuit.outcomes, start=1):
        before = [correction.before for correction in pursuit.corrections if correction.number == number]
        first, second, *_ = [*before, outcome, outcome]
        found.append((first, second, outcome))
    return found


def random_commands(count: int, seed: int) -> list[tuple[float, float, float]]:
    """`count` commands on the grid, drawn from the trained region."""
    return [goal.velocity for goal in _random_goals(np.random.default_rng(seed), count)]


def roll_out(
    actor: Actor,
    schedule: Schedule,
    num_envs: int,
    steps: int,
    seed: int | list[int],
    num_threads: int | None = None,
    shoved: bool = False,
) -> Trace:
    """Run `num_envs` bodies until `steps` or until all have fallen; `schedule(step)` gives new goals, or None to go
    on. Each has a start of its own, or that of its seed in a list.
    """
    envs = make_vector_env(num_envs, num_threads, max_episode_steps=steps + 1)
    rng = np.random.default_rng(seed)
    observations, _ = envs.reset(seed=seed)
    actor.reset()
    up, commands = np.ones(num_envs, dtype=bool), np.zeros((num_envs, 3))
    trace = Trace(
        commands=np.zeros((steps, num_envs, 3)),
        velocity=np.zeros((steps, num_envs, 3)),
        alive=np.zeros((steps, num_envs), dtype=bool),
        rewards=np.zeros((steps, num_envs)),
        lead=np.zeros((steps, num_envs)),
        clearance=np.zeros((steps, num_envs, 2)),
    )
    for step in tqdm(range(steps), desc="measure", unit="step", leave=False):
        goals = schedule(step)
        if goals is not None:
            actor.prompt(goals)
            commands = np.array([goal.velocity for goal in goals])
        if shoved and step and step % SHOVE_STEPS == 0:
            direction = rng.uniform(0, 2 * np.pi, num_envs)
            push = SHOVE_SPEED * np.column_stack([np.cos(direction), np.sin(direction), np.zeros(num_envs)])
            envs.push(np.arange(num_envs), push)
        observations, trace.rewards[step], terminated, _, _ = envs.step(actor.act(observations))
        up &= ~terminated
        body = envs.body
        trace.alive[step], trace.commands[step] = up, commands
        trace.velocity[step] = heading_velocity(body.qpos, body.qvel)
        trace.lead[step], trace.clearance[step] = left_ahead(body), body.feet[..., 2] - FOOT_RADIUS
        if not up.any():
            break
    envs.close()
    return trace


def _constant(goals: Sequence[Goal]) -> Schedule:
    return lambda step: goals if step == 0 else None


def _random_goals(rng: np.random.Generator, count: int) -> list[Goal]:
    return [Goal(*map(float, command)).on_grid() for command in sample_commands(rng, count)]


def _gait(lead: np.ndarray, clearance: np.ndarray) -> dict[str, float | None]:
    """Gait of one body from which foot leads [T] and how high they are [T, 2], in meters."""
    sides = np.sign(lead[np.abs(lead) > LEADING])
    swings = []
    for height in clearance.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], height > LIFTED, [0]]).astype(int)))
        swings += [height[a:b].max() for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= SHORTEST_SWING]
    return {
        "steps_per_second": float((np.diff(sides) != 0).sum() / (len(lead) * CONTROL_SECONDS)),
        "left_ahead": float((lead > 0).mean()),
        "clearance_m": _mean(swings),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values) -> float | None:
    """Mean of what could be measured; None (JSON's null) when nothing could."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

"""Evaluation of an actor in simulation: how well it follows commands, takes postures, switches goals and steps, and
how often it falls.

Most suites run all bodies in one batch. Shapes: N bodies, T steps, M arm joints.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from tqdm import tqdm

from agent.bodies import Body
from agent.feedback.proposals import GOALS
from agent.feedback.trials import Trial, run_trials
from agent.goals import ARMS, Goal, VelocityGoal
from agent.simulation.curriculum import Curriculum, control_steps
from agent.simulation.heading import heading_velocity
from agent.simulation.rollouts import Actor, Rollout
from agent.simulation.task import feet_apart
from agent.simulation.vector_env import MAX_EPISODE_STEPS, make_vector_env, planar

if TYPE_CHECKING:
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
POSTURE_COMMANDS = {
    "standing": (0.0, 0.0, 0.0),
    "walking slowly": (0.4, 0.0, 0.0),
    "walking": (1.0, 0.0, 0.0),
    "sidestepping": (0.0, 0.4, 0.0),
    "turning": (0.0, 0.0, 0.8),
}
POSED_SECONDS = 2.0  # after which a posture must be taken
RANDOM = Curriculum(on_grid=True, low_share=0.2, arms_share=0.3)  # goals of the suites that draw them
EPISODE_SECONDS = 15.0  # of a suite that measures one command or posture
MINUTE = 60.0  # s
SWITCH_SECONDS = (3.0, 5.0)  # from one goal to the next
SHOVE_SPEED = 0.5  # m/s, of the whole body in a random direction
SHOVE_SECONDS = 3.0  # from one shove to the next
LEADING = 0.03  # m, a foot leads when it is this far ahead of the other
LIFTED = 0.005  # m, a foot higher than this swings
SHORTEST_SWING = 0.04  # s; a shorter one is jitter

BEFORE_SECONDS, GOAL_SECONDS = 2.5, 5.0  # of the goal before, and of the one that is measured
# Control step -> the goals of all bodies from this step on.
Schedule = Mapping[int, Sequence[VelocityGoal]]


@dataclass(frozen=True)
class Trace:
    """The motion of N bodies in T steps. After a fall, `alive` is false and a body's rows mean nothing."""

    control_seconds: float
    commands: np.ndarray  # [T, N, 3] m/s, m/s, rad/s
    velocity: np.ndarray  # [T, N, 3] the same
    alive: np.ndarray  # [T, N] not fallen yet
    rewards: np.ndarray  # [T, N] of the env
    forward: np.ndarray  # [T, N] m/s, along the world's x axis; zero without the native reward
    lead: np.ndarray  # [T, N] m, how far the left foot is ahead of the right one
    clearance: np.ndarray  # [T, N, 2] m, height of the right and the left foot above the ground
    height: np.ndarray  # [T, N] m, of the torso
    arms: np.ndarray  # [T, N, M] rad, of the arm joints
    jumps: np.ndarray  # [T, N] mean change of the actions in ±1 since the step before

    @property
    def counted(self) -> np.ndarray:
        """The steps [T, N] up to and including that of a fall."""
        return np.vstack([np.ones_like(self.alive[:1]), self.alive[:-1]])

    @property
    def returns(self) -> np.ndarray:
        """Sums [N] of the rewards of the counted steps."""
        return (self.rewards * self.counted).sum(0)

    @property
    def window(self) -> int:
        """Steps in the sliding second that velocities are averaged over."""
        return round(1 / self.control_seconds)

    @property
    def second_means(self) -> np.ndarray:
        """Velocities [T - window + 1, N, 3] averaged over the second that ends at steps window - 1, window, ..."""
        return sliding_means(self.velocity, self.window)

    def split(self, count: int) -> list["Trace"]:
        """The motion of the first `count` bodies, of the next `count`, and so on."""
        arrays = {name: value for name, value in vars(self).items() if name != "control_seconds"}
        groups = [slice(first, first + count) for first in range(0, self.alive.shape[1], count)]
        return [replace(self, **{name: value[:, bodies] for name, value in arrays.items()}) for bodies in groups]


def measure_commands(
    actor: Actor, commands: Sequence[Sequence[float]], episodes: int, seed: int, num_threads: int | None = None
) -> dict:
    """Rows of the commands suite, one per command within the body's reach, and their mean.

    Errors are mean absolute differences between the command and the velocity averaged over a sliding second, after the
    first second. A fall ends the episode; the rest of it counts as not survived. `action_change` is the mean change of
    the actions, scaled to ±1, from step to step. `native_return` is the return of the body's native reward, or None if
    it has none.
    """
    native = actor.body.native is not None
    goals = [VelocityGoal(*map(float, command)) for command in reachable(commands, actor.body)]
    motion = hold(actor, goals, episodes, seed, num_threads, reward="native" if native else "goal")
    returns, rows = motion.returns.reshape(-1, episodes).mean(1), []
    for goal, trace, native_return in zip(goals, motion.split(episodes), returns.tolist(), strict=True):
        window, alive = trace.window, trace.alive
        error = (trace.second_means - goal.velocity)[alive[window - 1 :]]
        row = {
            "command": list(goal.velocity),
            "skill": goal.skill,
            "episodes": episodes,
            "survival": float(alive.mean()),
            "velocity_error": mean_of(np.linalg.norm(error[:, :2], axis=1)),
            "yaw_error": mean_of(np.abs(error[:, 2])),
            "action_change": mean_of(trace.jumps[window:][alive[window:]]),
            "native_return": native_return if native else None,
        }
        rows.append(row)
    numbers = ("survival", "velocity_error", "yaw_error", "action_change", "native_return")
    return with_mean(rows, len(goals) * episodes, *numbers)


def tracking_score(mean: Mapping[str, Any], *errors: str) -> float:
    """Score of the mean row of a suite, from 0 to 1 for each of the named errors. Time after a fall counts with errors
    of 1, and so does an error that could not be measured. Otherwise a body that falls early would be judged only by
    its first second.
    """
    values = [1.0 if mean[name] is None else mean[name] for name in errors]
    return (mean["survival"] or 0.0) * sum(1 - min(value, 1.0) for value in values)


def score_policy(
    policy: "MotorPolicy", reward: str, postures: bool, seed: int, num_threads: int | None
) -> tuple[float, dict, dict]:
    """Score of a policy in training (higher is better); results of the commands suite, or of ten episodes of the
    native suite; and the means of all measures. With `postures`, the postures suite counts too.
    """
    if reward == "native":
        measured = measure_native(policy, 10, seed, num_threads)
        return measured["mean"]["native_return"], measured, measured["mean"]
    measured = measure_commands(policy, COMMANDS, 2, seed, num_threads)
    score, mean = tracking_score(measured["mean"], "velocity_error", "yaw_error"), measured["mean"]
    if postures:
        posed = measure_postures(policy, 2, seed, num_threads)["mean"]
        mean = mean | {f"postures_{name}": value for name, value in posed.items()}
        score += tracking_score(posed, "height_error_m", "arm_error_rad")
    return score, measured, mean


def episode_steps(body: Body) -> int:
    """Control steps in EPISODE_SECONDS."""
    return round(EPISODE_SECONDS / body.control_seconds)


def reachable(commands: Sequence[Sequence[float]], body: Body) -> list[Sequence[float]]:
    """The commands that are in the body's trained region."""
    return [command for command in commands if body.reaches(command)]


def measure_native(policy: "MotorPolicy", episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """Rows of episodes of 1,000 steps with the native reward of the body, and their mean, as in published results.

    `forward_speed` is along the world's x axis, m/s. A goal-conditioned policy is given no goal.
    """
    frame = policy.config.frame
    trace = roll_out(policy, {}, episodes, MAX_EPISODE_STEPS, seed, num_threads, "native", frame)
    measured = {
        "survival": trace.alive.mean(0),
        "forward_speed": (trace.forward * trace.counted).sum(0) / trace.counted.sum(0),
        "native_return": trace.returns,
    }
    rows = [
        {"episode": episode} | {name: float(values[episode]) for name, values in measured.items()}
        for episode in range(episodes)
    ]
    return with_mean(rows, episodes, *measured)


def measure_switches(actor: Actor, episodes: int, seed: int, num_threads: int | None = None, minutes: int = 1) -> dict:
    """How well an actor takes up a random new goal, postures included, every 3 to 5 seconds, in episodes of `minutes`.

    A goal is reached when the mean velocity of the last second is within 20 % of it, or within 0.15; the latency is
    the median time until then. A goal cut short by a fall counts by what was reached before the fall.
    `falls_in_minute` has the rate of falls in each minute of the episodes, among the bodies that still stood: it shows
    whether the rate changes with the time since the start.
    """
    rng = np.random.default_rng(seed)
    control_seconds = actor.body.control_seconds
    shortest, longest = control_steps(SWITCH_SECONDS, actor.body)
    minute = round(MINUTE / control_seconds)
    steps = minutes * minute
    waits = [rng.integers(shortest, longest + 1, steps // shortest + 1) for _ in range(episodes)]
    switches = [times[times < steps] for times in map(np.cumsum, waits)]
    goals = random_goals(rng, episodes, actor.body)
    schedule = {0: [*goals]}
    for step in np.unique(np.concatenate(switches)):
        switching = [episode for episode, times in enumerate(switches) if step in times]
        for episode, goal in zip(switching, random_goals(rng, len(switching), actor.body), strict=True):
            goals[episode] = goal
        schedule[int(step)] = [*goals]
    trace = roll_out(actor, schedule, episodes, steps, seed, num_threads)
    means, window = trace.second_means, trace.window
    latencies, count = [], 0
    for episode, lived in enumerate(trace.alive.sum(0)):
        for begin, end in pairwise([*switches[episode], steps]):
            if begin >= lived or end - begin < shortest:
                continue
            count += 1
            command = trace.commands[begin, episode]
            difference = means[begin - window + 1 : min(end, lived) - window + 1, episode] - command
            near = np.linalg.norm(difference[:, :2], axis=1) <= max(0.2 * np.linalg.norm(command[:2]), 0.15)
            near &= np.abs(difference[:, 2]) <= max(0.2 * abs(command[2]), 0.15)
            if near.any():
                latencies.append(float(near.argmax() * control_seconds))
    alive_minutes = trace.alive.reshape(minutes, minute, episodes).mean(1).sum(1)
    falls = -np.diff(trace.alive[minute - 1 :: minute].sum(1), prepend=episodes)
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
    goals = [VelocityGoal(*map(float, command)) for command in reachable(commands, actor.body)]
    traces = hold(actor, goals, episodes, seed, num_threads, shoved=True).split(episodes)
    rows = [
        {"command": list(goal.velocity), "survival": float(trace.alive[-1].mean())}
        for goal, trace in zip(goals, traces, strict=True)
    ]
    return {"episodes": len(goals) * episodes, "survival": mean_of([row["survival"] for row in rows]), "rows": rows}


def measure_gait(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """The gait while walking straight at each of GAIT_SPEEDS, after the first second.

    `steps_per_second` counts changes of the leading foot by more than 3 cm, `left_ahead` is the share of time that the
    left foot leads, and `clearance_m` is the mean over swings of the highest point that the foot reaches above the
    ground.
    """
    goals = [goal for goal in map(VelocityGoal, GAIT_SPEEDS) if actor.body.supports(goal)]
    traces, rows = hold(actor, goals, episodes, seed, num_threads).split(episodes), []
    for goal, trace in zip(goals, traces, strict=True):
        window = trace.window
        gaits = [
            _gait(trace.lead[window:lived, row], trace.clearance[window:lived, row], trace.control_seconds)
            for row, lived in enumerate(trace.alive.sum(0))
            if lived > 2 * window
        ]
        numbers = ("steps_per_second", "left_ahead", "clearance_m")
        measured = {name: mean_of([gait[name] for gait in gaits]) for name in numbers}
        rows.append({"command": list(goal.velocity), "episodes": episodes, **measured})
    return {"rows": rows}


def measure_postures(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """How well every posture of the body is held while it stands, walks, sidesteps and turns, from POSED_SECONDS on.

    `height_error_m` is how far the torso is from the height of a crouch. `arm_error_rad` is how far the arm joints,
    averaged over the period of a wave, are from their pose. `wave_hertz` is the frequency of the joint that moves most
    in the waving arm, `wave_m` how far its hand moves from end to end, seen from the torso, and `other_hand_m` the
    same for the other hand.
    """
    body = actor.body
    cases = [
        (name, goal)
        for height, arms, (name, velocity) in product(body.heights, body.arms, POSTURE_COMMANDS.items())
        if body.supports(goal := VelocityGoal(*velocity, height=height, arms=arms))
    ]
    traces = hold(actor, [goal for _, goal in cases], episodes, seed, num_threads).split(episodes)
    first = round(POSED_SECONDS / body.control_seconds)
    period = round(1 / (body.wave_hertz * body.control_seconds)) if body.wave_hertz else 1
    rows = []
    for (name, goal), trace in zip(cases, traces, strict=True):
        alive = trace.alive[first:]
        off = np.abs(trace.height[first:] - (body.crouch_height or 0.0))[alive]
        means = sliding_means(trace.arms, period)[first - period + 1 :]
        pose = np.abs(means - body.arm_angles[ARMS.index(goal.arms)])[alive]
        whole = np.flatnonzero(trace.alive[-1]) if goal.arms.startswith("wave") else []
        waves = [_wave(trace.arms[first:, row], goal.arms, body) for row in whole]
        rows.append(
            {
                "text": f"{name}, {goal.height}, arms {goal.arms.replace('_', ' ')}",
                "episodes": episodes,
                "survival": float(trace.alive.mean()),
                "height_error_m": mean_of(off) if goal.height == "low" else None,
                "arm_error_rad": mean_of(pose.ravel()) if body.arm_joints else None,
                **{key: mean_of([wave[key] for wave in waves]) for key in ("wave_hertz", "wave_m", "other_hand_m")},
            }
        )
    numbers = ("survival", "height_error_m", "arm_error_rad", "wave_hertz")
    return with_mean(rows, len(cases) * episodes, *numbers)


def _wave(arms: np.ndarray, pose: str, body: Body) -> dict[str, float]:
    """How a hand waves, and how much the other one moves, from the joints [T, M] of right and then left arm."""
    left = pose == "wave_left"
    moved = np.split(arms - arms.mean(0), 2, axis=1)[left]
    joint = moved[:, moved.std(0).argmax()]
    rates = np.fft.rfftfreq(len(joint), body.control_seconds)
    ways = [2 * np.sqrt(2) * _swing(places).std() for places in _hand_places(arms, body)]
    return {
        "wave_hertz": float(rates[np.abs(np.fft.rfft(joint)).argmax()]),
        "wave_m": float(ways[left]),
        "other_hand_m": float(ways[not left]),
    }


def _hand_places(arms: np.ndarray, body: Body) -> np.ndarray:
    """Positions [2, T, 3] of the right and the left hand with the torso held still, m."""
    model = body.load_model()
    data, places = mujoco.MjData(model), np.empty((2, len(arms), 3))
    data.qpos[:] = body.start_qpos(model)
    for t, angles in enumerate(arms):
        data.qpos[body.joint_indices(body.arm_joints)] = angles
        mujoco.mj_kinematics(model, data)
        places[:, t] = [data.geom(hand).xpos for hand in body.hands]
    return places


def _swing(places: np.ndarray) -> np.ndarray:
    """The motion [T] of a hand along the line on which it moves most, m."""
    moved = places - places.mean(0)
    return moved @ np.linalg.svd(moved, full_matrices=False)[2][0]


def measure_goals(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """How often each of GOALS, the named skills at every speed within reach, is met in `episodes` tries of 5 seconds.

    Half of the tries begin from standing, the others with a switch from another of GOALS. A goal is met as
    `GoalOutcome.met` says; errors are of the velocity in the last second of those that did not fall.
    """
    rng = np.random.default_rng(seed)
    trials, goals = [], [goal for goal in GOALS if actor.body.supports(goal)]
    for goal in goals:
        others = [each for each in goals if each != goal and each.velocity != (0, 0, 0)]
        for number in range(episodes):
            before = VelocityGoal() if number % 2 == 0 else others[rng.integers(len(others))]
            pair = replace(before, seconds=BEFORE_SECONDS), replace(goal, seconds=GOAL_SECONDS)
            trials.append(Trial(pair, pair, seed + len(trials)))
    pursuits = run_trials(actor, trials, num_threads=num_threads)
    rows = []
    for index, goal in enumerate(goals):
        tries = pursuits[index * episodes : (index + 1) * episodes]
        met = [len(each.outcomes) == 2 and each.outcomes[1].met for each in tries]
        reached = np.array([each.outcomes[1].velocity for each in tries if not each.fell]).reshape(-1, 3)
        error = reached - goal.velocity
        rows.append(
            {
                "command": list(goal.velocity),
                "skill": goal.skill,
                "speed": goal.speed,
                "episodes": episodes,
                "met": mean_of(met),
                "met_from_standing": mean_of(met[::2]),
                "met_after_a_switch": mean_of(met[1::2]),
                "survival": mean_of([not each.fell for each in tries]),
                "velocity_error": mean_of(np.linalg.norm(error[:, :2], axis=1)),
                "yaw_error": mean_of(np.abs(error[:, 2])),
            }
        )
    return with_mean(rows, len(trials), "met", "survival", "velocity_error", "yaw_error")


def random_commands(count: int, seed: int, body: Body) -> list[tuple[float, float, float]]:
    """`count` commands on the grid, drawn from the trained region."""
    goals = Curriculum(on_grid=True).draw_goals(np.random.default_rng(seed), count, body, 1.0)
    return [(vx, vy, wz) for vx, vy, wz, *_ in goals.astype(float).round(1).tolist()]


def hold(
    actor: Actor, goals: Sequence[VelocityGoal], episodes: int, seed: int, num_threads: int | None, **settings: Any
) -> Trace:
    """The motion for EPISODE_SECONDS of `episodes` bodies per goal, in the order of the goals. `settings` are those of
    `roll_out`.
    """
    prompts = [goal for goal in goals for _ in range(episodes)]
    return roll_out(actor, {0: prompts}, len(prompts), episode_steps(actor.body), seed, num_threads, **settings)


def roll_out(
    actor: Actor,
    schedule: Schedule,
    num_envs: int,
    steps: int,
    seed: int | list[int],
    num_threads: int | None = None,
    reward: str = "goal",
    frame: str = "heading",
    shoved: bool = False,
) -> Trace:
    """Run `num_envs` bodies for `steps`, or until all have fallen. Each has its own start, from the common seed or
    from its seed in a list.
    """
    body = actor.body
    envs = make_vector_env(num_envs, num_threads, body.name, max_episode_steps=steps + 1, reward=reward, frame=frame)
    rng = np.random.default_rng(seed)
    rollout = Rollout.start(actor, envs, seed, schedule.get(0))
    alive, commands, forward = np.ones(num_envs, dtype=bool), np.zeros((num_envs, 3)), np.zeros(num_envs)
    before, arm_joints = np.zeros(()), body.joint_indices(body.arm_joints)
    rows: list[dict[str, np.ndarray]] = []  # of the Trace, by name of the column
    for number in tqdm(range(steps), desc="measure", unit="step", leave=False):
        if number in schedule:
            if number:
                rollout.prompt(schedule[number])
            commands = np.array([goal.velocity for goal in schedule[number]])
        if shoved and number and number % round(SHOVE_SECONDS / body.control_seconds) == 0:
            envs.push(np.arange(num_envs), planar(SHOVE_SPEED, rng.uniform(0, 2 * np.pi, num_envs)))
        step, state = rollout.step(), envs.final_state
        alive = alive & ~step.fell
        if body.native and reward == "native":
            forward = step.info["reward_forward"] / body.native.forward
        row = {
            "commands": commands,
            "velocity": heading_velocity(state.qpos, state.qvel),
            "alive": alive,
            "rewards": step.reward,
            "forward": forward,
            "lead": feet_apart(state)[:, 0],
            "clearance": state.feet[..., 2] - body.sole_height,
            "height": state.qpos[:, 2].copy(),
            "arms": state.qpos[:, arm_joints].astype(np.float32),
            "jumps": (np.abs(step.action - before) / body.scale).mean(-1),
        }
        rows.append(row)
        before = step.action
        if not alive.any():
            break
    envs.close()
    rest = {name: np.zeros_like(values) for name, values in rows[-1].items()}
    rows += [rest] * (steps - len(rows))
    return Trace(body.control_seconds, **{name: np.stack([row[name] for row in rows]) for name in rest})


def random_goals(rng: np.random.Generator, count: int, body: Body) -> list[VelocityGoal]:
    """`count` goals on the grid, postures included, drawn from the trained region."""
    return [Goal.from_command(row) for row in RANDOM.draw_goals(rng, count, body, 1.0)]


def _gait(lead: np.ndarray, clearance: np.ndarray, control_seconds: float) -> dict[str, float | None]:
    """Gait of one body from which foot leads [T] and how high they are [T, 2], in meters."""
    sides = np.sign(lead[np.abs(lead) > LEADING])
    shortest, swings = round(SHORTEST_SWING / control_seconds), []
    for height in clearance.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], height > LIFTED, [0]]).astype(int)))
        swings += [height[a:b].max() for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]
    return {
        "steps_per_second": float((np.diff(sides) != 0).sum() / (len(lead) * control_seconds)),
        "left_ahead": float((lead > 0).mean()),
        "clearance_m": mean_of(swings),
    }


def mean_of(values: Iterable) -> float | None:
    """Mean of what could be measured; None (JSON's null) when nothing could."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def with_mean(rows: list[dict], episodes: int, *names: str) -> dict:
    """The rows of a suite, and the mean over them of the named numbers. `episodes` is how many there are in all."""
    means = {name: mean_of([row[name] for row in rows]) for name in names}
    return {"episodes": episodes, "rows": rows, "mean": means}


def sliding_means(values: np.ndarray, window: int) -> np.ndarray:
    """Values [T, ...] averaged over the `window` steps that end at steps window - 1, window, ..."""
    sums = np.cumsum(np.concatenate([np.zeros((1, *values.shape[1:])), values]), axis=0)
    return (sums[window:] - sums[:-window]) / window

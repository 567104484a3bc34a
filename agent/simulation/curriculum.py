"""The goals, starts and shoves that an env draws at random.

Shapes: N bodies, J joints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from agent.bodies import Body
from agent.goals import GRID_STEP, SKILLS
from agent.simulation.task import ARM_CODES, COMMAND_SIZE, moving

FAST_FROM = 0.6  # share of the fastest speed, from which commands are fast
SLOWEST = 0.2  # m/s, the slowest forward command


@dataclass(frozen=True)
class Curriculum:
    """Settings of what an env draws at random. Shares are from 0 to 1.

    Args:
        goal_seconds: shortest and longest duration of a goal.
        stand_factor: factor on the duration of a standing goal, because a body that tips over slowly falls late.
        skill_share: share of the goals that are named skills.
        run_share, sidestep_share, stand_share: shares, among the goals that are not named skills, of goals straight
            ahead at 60 % or more of the fastest speed, goals straight to one side, and standing. `sample_commands`
            draws the rest, which has further goals of these kinds.
        low_share: share of the goals in a crouch, for bodies that can crouch.
        arms_share: share of the goals with an arm pose other than rest, for bodies that have one.
        on_grid: whether goals are rounded to those that have goal tokens.
        push_speed: largest shove, a change of velocity of the whole body, m/s.
        push_seconds: shortest and longest time between two shoves.
        stride_share: share of the episodes that start in mid-stride. From the default start, with the feet side by
            side, a body with small feet tips over before it has learned to step.
        recovery_share: share of the episodes that start in the current state of another body, with noise on its
            velocities.
        retry_share: share of the falls after which a body restarts where its last goal began, with that goal. Hard
            goals, like a stop from a run, are thus practiced more often.

    Raises:
        ValueError: a share is not from 0 to 1, shares of the same goals or episodes add up to more than 1, a range of
            times is not positive and in order, or another number is out of range.
    """

    goal_seconds: tuple[float, float] = (1.2, 3.9)
    stand_factor: int = 3
    skill_share: float = 0.0
    run_share: float = 0.0
    sidestep_share: float = 0.0
    stand_share: float = 0.0
    low_share: float = 0.0
    arms_share: float = 0.0
    on_grid: bool = False
    push_speed: float = 0.0
    push_seconds: tuple[float, float] = (1.8, 6.0)
    stride_share: float = 0.0
    recovery_share: float = 0.0
    retry_share: float = 0.0

    def __post_init__(self):
        for name, value in ((each.name, getattr(self, each.name)) for each in fields(self)):
            if name.endswith("_share") and not 0 <= value <= 1:
                raise ValueError(f"{name}={value} must be from 0 to 1")
            if name.endswith("_seconds") and not (len(value) == 2 and 0 < value[0] < value[1] < math.inf):
                raise ValueError(f"{name}={value} must be the shortest and then the longest time, both positive")
        for names in (("run_share", "sidestep_share", "stand_share"), ("stride_share", "recovery_share")):
            if sum(getattr(self, name) for name in names) > 1:
                given = ", ".join(f"{name}={getattr(self, name)}" for name in names)
                raise ValueError(f"{given} must not add up to more than 1")
        if not self.stand_factor >= 1:
            raise ValueError(f"stand_factor={self.stand_factor} must be at least 1")
        if not 0 <= self.push_speed < math.inf:
            raise ValueError(f"push_speed={self.push_speed} must be finite and at least 0 m/s")

    def draw(
        self, rng: np.random.Generator, rows: np.ndarray, starting: np.ndarray, body: Body, difficulty: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Goals [rows, 5] float32 for the bodies in `rows`, and the control steps [rows] that they last.

        `starting` [rows] is true for bodies that begin an episode, for curricula with a sequence of goals per episode.
        """
        goals = self.draw_goals(rng, len(rows), body, difficulty)
        return goals, self.draw_times(rng, goals, body)

    def draw_goals(self, rng: np.random.Generator, count: int, body: Body, difficulty: float) -> np.ndarray:
        """Goals [count, 5] float32."""
        velocities = sample_commands(rng, count, body, difficulty)
        kind = rng.random(count)
        fast = kind < self.run_share
        velocities[fast] = fast_commands(rng, int(fast.sum()), body, difficulty)
        velocities[kind > 1 - self.stand_share] = 0
        aside = ~fast & (kind < self.run_share + self.sidestep_share)
        velocities[aside] = side_commands(rng, int(aside.sum()), body, difficulty)
        if self.skill_share:
            skills = [velocity for speeds in SKILLS.values() for velocity in speeds]
            speeds = np.array([each for each in skills if body.reaches(each)], dtype=np.float32)
            named = rng.random(count) < self.skill_share
            velocities[named] = speeds[rng.integers(len(speeds), size=int(named.sum()))]
        goals = np.zeros((count, COMMAND_SIZE), dtype=np.float32)
        if self.low_share and "low" in body.heights:
            goals[:, 3] = rng.random(count) < self.low_share
            velocities = at_height(velocities, goals[:, 3] > 0, body)
        if self.arms_share and body.arms[1:]:
            posed = rng.random(count) < self.arms_share
            goals[posed, 4] = rng.choice([ARM_CODES[name] for name in body.arms[1:]], int(posed.sum()))
        goals[:, :3] = nearest_on_grid(velocities, body, goals[:, 3] > 0) if self.on_grid else velocities
        return goals

    def draw_times(self, rng: np.random.Generator, goals: np.ndarray, body: Body) -> np.ndarray:
        """Control steps [N] that goals [N, 5] last."""
        steps = rng.integers(*control_steps(self.goal_seconds, body), len(goals))
        return steps * np.where(moving(goals), 1, self.stand_factor)


def control_steps(seconds: tuple[float, float], body: Body) -> tuple[int, int]:
    """A range of times in control steps."""
    shortest = max(1, round(seconds[0] / body.control_seconds))
    return shortest, max(shortest + 1, round(seconds[1] / body.control_seconds))


def at_height(velocities: np.ndarray, low: np.ndarray | bool, body: Body) -> np.ndarray:
    """Velocities [..., 3], but where `low` [...] is true, forward ones above the body's `low_speed` are multiplied by
    the ratio of `low_speed` to its top speed. Clipping would make them all equal.
    """
    slower = velocities.copy()
    too_fast = low & (slower[..., 0] > body.low_speed)
    slower[..., 0] *= np.where(too_fast, body.low_speed / body.limits[1, 0], 1)
    return slower


def nearest_on_grid(velocities: np.ndarray, body: Body, low: np.ndarray | bool = False) -> np.ndarray:
    """Velocities [..., 3] float32 on the token grid, close to the given ones and within the reach of the body; `low`
    [...] is true for those in a crouch.
    """
    wanted = np.asarray(velocities, dtype=float)
    most = np.broadcast_to(body.limits[1], wanted.shape).copy()
    most[..., 0] = np.where(low, body.low_speed, most[..., 0])
    bounds = (np.trunc(bound / GRID_STEP + np.sign(bound) * 1e-6) for bound in (body.limits[0], most))
    steps = np.clip(np.rint(wanted / GRID_STEP), *bounds)
    while (beyond := ~body.reaches(steps * GRID_STEP)).any():
        # Of the axes that are not 0, the one that was rounded up most goes one step toward 0.
        added = np.where(steps == 0, -np.inf, np.abs(steps) - np.abs(wanted) / GRID_STEP)
        shorter = (np.arange(3) == added.argmax(-1)[..., None]) & beyond[..., None]
        steps = steps - shorter * np.sign(steps)
    return (steps * GRID_STEP + 0.0).astype(np.float32)  # + 0.0 turns -0.0 into 0.0


def snap_velocity(velocity: Sequence[float], body: Body, low: bool = False) -> tuple[float, float, float]:
    """The nearest velocity (vx, vy, wz) on the grid within the reach of the body, in a crouch if `low`."""
    vx, vy, wz = nearest_on_grid(np.array(velocity), body, low).astype(float).round(1).tolist()
    return vx, vy, wz


def sample_commands(rng: np.random.Generator, count: int, body: Body, difficulty: float = 1.0) -> np.ndarray:
    """Commands [count, 3] float32 from the trained region: standing, straight ahead, backward, turning, sidestepping,
    curves and mixed.

    `difficulty` in 0..1 widens the region from gentle commands to all of it.
    """
    fastest = body.limits[1, 0]
    forward = _fastest(body, difficulty)
    lowest, highest = body.limits * (0.5 + 0.5 * difficulty)
    backward = lowest[0]
    side, ahead, amount = (
        rng.choice([-1.0, 1.0], count),
        rng.uniform(min(SLOWEST, forward), forward, count),
        rng.uniform(0.25, 1.0, count),
    )
    sideways = np.where(side > 0, highest[1], lowest[1])
    turn = np.where(side > 0, highest[2], lowest[2]) * amount
    nothing = np.zeros(count)
    mixed = rng.dirichlet([1.0, 1.0, 1.0, 0.5], count)[:, :3] * np.column_stack(
        [
            np.where(rng.random(count) < 0.75, forward, backward),
            sideways,
            np.where(rng.choice([-1.0, 1.0], count) > 0, highest[2], lowest[2]),
        ]
    )
    kinds = {
        "stand": (0.10, np.column_stack([nothing, nothing, nothing])),
        "straight": (0.30, np.column_stack([ahead, nothing, nothing])),
        "backward": (0.10, np.column_stack([backward * amount, nothing, nothing])),
        "turn": (0.12, np.column_stack([nothing, nothing, turn])),
        "sidestep": (0.13, np.column_stack([nothing, sideways * amount, nothing])),
        "curve": (0.13, np.column_stack([ahead, nothing, turn * np.maximum(0, 1 - ahead / fastest)])),
        "mixed": (0.12, mixed),
    }
    shares, commands = zip(*kinds.values(), strict=True)
    chosen = rng.choice(len(shares), count, p=shares)
    return np.stack(commands)[chosen, np.arange(count)].astype(np.float32)


def fast_commands(rng: np.random.Generator, count: int, body: Body, difficulty: float = 1.0) -> np.ndarray:
    """Commands [count, 3] float32 to go straight ahead at 60 % or more of the fastest speed of the region."""
    commands = np.zeros((count, 3), dtype=np.float32)
    commands[:, 0] = rng.uniform(FAST_FROM, 1.0, count) * _fastest(body, difficulty)
    return commands


def side_commands(rng: np.random.Generator, count: int, body: Body, difficulty: float = 1.0) -> np.ndarray:
    """Commands [count, 3] float32 to go to the left or to the right at 25 % or more of the fastest speed."""
    commands = np.zeros((count, 3), dtype=np.float32)
    fastest = body.limits[rng.integers(2, size=count), 1] * (0.5 + 0.5 * difficulty)
    commands[:, 1] = fastest * rng.uniform(0.25, 1.0, count)
    return commands


def stride_poses(rng: np.random.Generator, count: int, body: Body, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions [count, 7 + J] and velocities [count, 6 + J] of bodies in mid-stride, from their start positions
    `start` [7 + J]: legs apart, one knee bent, moving ahead. The angles, in rad, are those of a human stride, and suit
    any pair of legs.
    """
    joints = len(body.joints)
    qpos, qvel = np.zeros((count, 7 + joints)), np.zeros((count, 6 + joints))
    qpos[:, 2] = start[2]
    half_turn, half_pitch = rng.uniform(-np.pi, np.pi, count) / 2, rng.uniform(-0.05, 0.1, count) / 2
    qpos[:, 3] = np.cos(half_turn) * np.cos(half_pitch)
    qpos[:, 4] = -np.sin(half_turn) * np.sin(half_pitch)
    qpos[:, 5] = np.cos(half_turn) * np.sin(half_pitch)
    qpos[:, 6] = np.sin(half_turn) * np.cos(half_pitch)
    qpos[:, 7:] = start[7:] + rng.normal(0, 0.03, (count, joints))
    apart, ahead = rng.uniform(0.1, 0.4, count), rng.choice([-1.0, 1.0], count)
    hips, knees, ankles = map(body.joint_indices, (body.hips, body.knees, body.ankles))
    for hip, knee, side in zip(hips, knees, (ahead, -ahead), strict=True):
        qpos[:, hip] = start[hip] - 0.1 + side * apart
        qpos[:, knee] = start[knee] + 0.1 * body.knee_bend
    rear = np.where(ahead > 0, *knees)
    qpos[np.arange(count), rear] += body.knee_bend * rng.uniform(0, 0.6, count)
    if body.ankles:
        leg = qpos[:, hips] + qpos[:, knees] - start[hips] - start[knees] + 2 * half_pitch[:, None]
        qpos[:, ankles] = start[ankles] - leg  # level feet
    speed = rng.uniform(0, body.gentle_speed, count)
    qvel[:, 0], qvel[:, 1] = speed * np.cos(2 * half_turn), speed * np.sin(2 * half_turn)
    qvel[:, 3:] = rng.normal(0, 0.3, (count, 3 + joints))
    return qpos, qvel


def _fastest(body: Body, difficulty: float) -> float:
    """Fastest forward command at this difficulty, m/s."""
    return body.gentle_speed + (body.limits[1, 0] - body.gentle_speed) * difficulty

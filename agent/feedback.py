"""What a body did with a goal program: how far, how long, how well, in numbers and in a few words.

A language model judges raw states badly (arXiv 2509.09790), so everything that is to be judged is summarized here
first.
"""

import math
from dataclasses import dataclass

import numpy as np

from agent.env import CONTROL_SECONDS
from agent.goals import Goal

# A distance counts as met within 0.3 m or 15 %, a turn within 15 degrees, a time within two steps.
METERS_TOLERANCE, METERS_SHARE = 0.3, 0.15
DEGREES_TOLERANCE = 15.0
SECONDS_TOLERANCE = 2 * CONTROL_SECONDS
VELOCITY_TOLERANCE, VELOCITY_SHARE = 0.15, 0.2


@dataclass(frozen=True)
class GoalOutcome:
    """One goal as it was pursued: what the body's odometry measured from its first step to its last."""

    goal: Goal
    seconds: float
    meters: float  # along the commanded direction
    degrees: float  # change of heading, counter-clockwise
    velocity: tuple[float, float, float]  # mean of the last second, m/s, m/s, rad/s
    fell: bool
    timed_out: bool

    @property
    def met(self) -> bool:
        """Whether the goal's end was reached, or, for a goal that ends by time or by the next prompt, its velocity."""
        if self.fell or self.timed_out:
            return False
        if self.goal.meters is not None:
            return abs(self.meters - self.goal.meters) <= max(METERS_TOLERANCE, METERS_SHARE * self.goal.meters)
        if self.goal.degrees is not None:
            return abs(self.degrees * math.copysign(1, self.goal.wz) - self.goal.degrees) <= DEGREES_TOLERANCE
        if self.goal.seconds is not None and abs(self.seconds - self.goal.seconds) > SECONDS_TOLERANCE:
            return False
        off = np.subtract(self.velocity, self.goal.velocity)
        near = math.hypot(*off[:2]) <= max(VELOCITY_TOLERANCE, VELOCITY_SHARE * math.hypot(*self.goal.velocity[:2]))
        return bool(near and abs(off[2]) <= max(VELOCITY_TOLERANCE, VELOCITY_SHARE * abs(self.goal.wz)))


def summarize(outcomes: list[GoalOutcome]) -> str:
    """One line per goal: what was asked, what was achieved."""
    return "\n".join(f"{number}. {_describe(outcome)}" for number, outcome in enumerate(outcomes, start=1))


def verdict(outcomes: list[GoalOutcome], planned: int) -> str:
    """In one sentence, whether a program of `planned` goals was done, and if not, which goal failed and why."""
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.met:
            continue
        if outcome.fell:
            cause = f"fell after {outcome.seconds:.1f} s"
        elif outcome.timed_out:
            cause = f"did not come to its end in {outcome.seconds:.1f} s"
        else:
            cause = "was off: " + _describe(outcome)
        return f"goal {number} of {planned} ({outcome.goal.skill}) {cause}"
    missing = planned - len(outcomes)
    return f"{missing} of {planned} goals were not started" if missing else f"all {planned} goals met"


def _describe(outcome: GoalOutcome) -> str:
    goal = outcome.goal
    asked = "until the next prompt" if goal.end is None else f"for {goal.end[1]:g} {goal.end[0]}"
    command, velocity = (f"({x:.2f} m/s, {y:.2f} m/s, {w:.2f} rad/s)" for x, y, w in (goal.velocity, outcome.velocity))
    return (
        f"{goal.skill} {command} {asked}: {outcome.meters:.2f} m and {outcome.degrees:.0f} degrees "
        f"in {outcome.seconds:.1f} s, at the end {velocity}{', fell' if outcome.fell else ''}"
    )


class Odometry:
    """Measures one goal on the body from its observations [45], one per control step."""

    def __init__(self, goal: Goal):
        self.goal = goal
        self.steps = 0
        self.meters = self.degrees = 0.0
        planar = np.array(goal.velocity[:2])
        self._direction = planar / max(float(np.linalg.norm(planar)), 1e-9)
        self._recent: list[np.ndarray] = []

    def add(self, observation: np.ndarray) -> None:
        """Count the step that led to `observation`."""
        velocity = observed_velocity(observation)
        self.steps += 1
        self.meters += float(velocity[:2] @ self._direction) * CONTROL_SECONDS
        self.degrees += math.degrees(float(velocity[2])) * CONTROL_SECONDS
        self._recent = [*self._recent[-round(1 / CONTROL_SECONDS) + 1 :], velocity]

    @property
    def seconds(self) -> float:
        return self.steps * CONTROL_SECONDS

    @property
    def reached(self) -> bool:
        """Whether the goal's end has come; an open goal has none."""
        goal = self.goal
        if goal.seconds is not None:
            return self.seconds >= goal.seconds - 1e-9
        if goal.meters is not None:
            return self.meters >= goal.meters
        if goal.degrees is not None:
            return self.degrees * math.copysign(1, goal.wz) >= goal.degrees
        return False

    @property
    def timed_out(self) -> bool:
        """Whether twice the time that the command should take, and 4 seconds to get going, are over."""
        goal = self.goal
        if goal.meters is not None:
            expected = goal.meters / math.hypot(goal.vx, goal.vy)
        elif goal.degrees is not None:
            expected = math.radians(goal.degrees) / abs(goal.wz)
        else:
            return False
        return self.seconds > 2 * expected + 4

    def outcome(self, fell: bool = False) -> GoalOutcome:
        velocity = np.mean(self._recent, axis=0) if self._recent else np.zeros(3)
        vx, vy, wz = (float(value) for value in velocity)
        return GoalOutcome(
            self.goal, self.seconds, self.meters, self.degrees, (vx, vy, wz), fell, self.timed_out and not self.reached
        )


def observed_velocity(observation: np.ndarray) -> np.ndarray:
    """Velocity of the torso [3] in the space of goals (m/s, m/s, rad/s), as an observation [45] tells it."""
    w, x, y, z = observation[1:5]
    up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    return np.array([observation[22], observation[23], up @ observation[25:28]])

"""One body's way through a program: odometry of the goal in force, when the next is due, and how a miss is corrected.

Shapes: T steps, S body state; a command after the state in an observation is left out.
"""

import math
from collections.abc import Sequence

import numpy as np

from agent.bodies import Body
from agent.feedback.outcomes import SETTLE_SECONDS, STAND, Correction, GoalOutcome, Judge
from agent.goals import Goal
from agent.simulation.heading import observed_velocity


class Odometry:
    """Measures one goal on the body from its observations after each control step."""

    def __init__(self, goal: Goal, body: Body):
        self.goal, self.body = goal, body
        self.steps = 0
        self.meters = self.degrees = self.drift = 0.0
        self.uprightness = 1.0
        planar = np.array(goal.velocity[:2])
        self._direction = planar / max(float(np.linalg.norm(planar)), 1e-9)
        self._last_second = np.zeros((0, 3), dtype=np.float32)

    def add(self, observations: np.ndarray) -> None:
        """Count the steps that led to observations [T, S], or the one that led to an observation [S]."""
        states = np.atleast_2d(observations)[:, : self.body.observation_size]
        velocity = observed_velocity(states)
        seconds = self.body.control_seconds
        (x, y), (vx, vy, wz) = self._direction, velocity.T.astype(float)
        along, across = x * vx + y * vy, x * vy - y * vx
        turned = math.radians(self.degrees) + seconds * np.cumsum(wz)
        before = turned - seconds * wz
        settled = seconds * np.arange(self.steps + 1, self.steps + len(states) + 1) > SETTLE_SECONDS
        self.steps += len(states)
        self.meters += seconds * float(along.sum())
        self.drift += seconds * float((across * np.cos(before) + along * np.sin(before)) @ settled)
        self.degrees = math.degrees(turned[-1])
        self.uprightness = min(self.uprightness, 1 - 2 * float(np.square(states[:, 2:4]).sum(1).max()))
        self._last_second = np.concatenate([self._last_second, velocity])[-round(1 / seconds) :]

    @property
    def seconds(self) -> float:
        return self.steps * self.body.control_seconds

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
        """Whether a distance or a turn has taken twice the time that it should, and 4 seconds to get going."""
        if self.goal.meters is None and self.goal.degrees is None:
            return False
        return self.seconds > 2 * expected_seconds(self.goal) + 4

    def outcome(self, fell: bool = False) -> GoalOutcome:
        vx, vy, wz = self._last_second.mean(0).tolist() if self.steps else (0.0, 0.0, 0.0)
        motion = self.seconds, self.meters, self.degrees, (vx, vy, wz)
        late = self.timed_out and not self.reached
        return GoalOutcome(self.goal, *motion, fell, late, self.drift, self.uprightness)


class Pursuit:
    """One body's way through a program: the goal in force, the outcomes of those before it, and their corrections.

    Args:
        goals: of the program, measured one after another.
        body: the robot.
        executed: goals that the body pursues, one for each of `goals`: the same unless a trial disturbs it.
        judge: says what is wrong with a goal that is over, and which goals repair it. These run before the next goal
            of the program begins, and their motion counts for the goal that they repair.
        max_corrections: how often a goal may be repaired.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        body: Body,
        executed: Sequence[Goal] = (),
        judge: Judge | None = None,
        max_corrections: int = 0,
    ):
        self.goals, self.executed, self.body = tuple(goals), tuple(executed or goals), body
        assert len(self.goals) == len(self.executed)
        self.judge, self.max_corrections = judge, max_corrections
        self.outcomes: list[GoalOutcome] = []
        self.corrections: list[Correction] = []
        self._stopped = False
        self._begin()

    @property
    def over(self) -> bool:
        return self._stopped or len(self.outcomes) == len(self.goals)

    @property
    def success(self) -> bool:
        """Whether every goal was pursued and met."""
        return len(self.outcomes) == len(self.goals) and all(outcome.met for outcome in self.outcomes)

    @property
    def fell(self) -> bool:
        return any(outcome.fell for outcome in self.outcomes)

    @property
    def goal(self) -> Goal:
        """The goal in force; to stand when all is over."""
        return STAND if self.over else self._executed.goal

    @property
    def seconds(self) -> float:
        """Since the goal in force began."""
        return self._executed.seconds

    def add(self, observation: np.ndarray, fell: bool = False) -> bool:
        """Count the step that led to `observation` [S]; whether another goal is in force now. A fall ends it all."""
        if self.over:
            return False
        self._measured.add(observation)
        if self._executed is not self._measured:
            self._executed.add(observation)
        if fell:
            self.stop(fell=True)
            return True
        if not (self._executed.reached or self._executed.timed_out):
            return False
        self.advance()
        return True

    def advance(self) -> None:
        """End the goal in force: the next one repairs it, or is the next of the program."""
        if not self._repairs:
            self._repairs = self._judge_goal()
        if self._repairs:
            self._executed = Odometry(self._repairs.pop(0), self.body)
        else:
            self.outcomes.append(self._measured.outcome())
            if not self.over:
                self._begin()

    def stop(self, fell: bool = False) -> None:
        """End the program in the middle of a goal."""
        self.outcomes.append(self._measured.outcome(fell))
        self._stopped = True

    def _begin(self) -> None:
        goal, executed = (goals[len(self.outcomes)] for goals in (self.goals, self.executed))
        self._measured = Odometry(goal, self.body)  # of all the motion for a goal of the program, repairs included
        self._executed = self._measured if executed == goal else Odometry(executed, self.body)  # of the goal in force
        self._repairs: list[Goal] = []
        self._corrected = 0

    def _judge_goal(self) -> list[Goal]:
        """Goals that repair the one that is over, by the judge."""
        if self.judge is None or self._corrected == self.max_corrections:
            return []
        outcome = self._measured.outcome()
        assessment, goals = self.judge(outcome)
        if not goals:
            return []
        self._corrected += 1
        self.corrections.append(Correction(len(self.outcomes) + 1, assessment, outcome, goals))
        return list(goals)


def expected_seconds(goal: Goal) -> float:
    """How long a goal takes at the speed that it commands; 0 for an open one."""
    if goal.meters is not None:
        return goal.meters / math.hypot(goal.vx, goal.vy)
    if goal.degrees is not None:
        return math.radians(goal.degrees) / abs(goal.wz)
    return goal.seconds or 0.0


def measure(goal: Goal, observations: np.ndarray, body: Body, fell: bool = False) -> GoalOutcome:
    """The outcome of the steps that led to `observations` [T, S]."""
    odometry = Odometry(goal, body)
    odometry.add(observations)
    return odometry.outcome(fell)

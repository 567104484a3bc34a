"""One body's way through a program: odometry of the goal in force, when the next is due, and what is repaired."""

import math
from collections.abc import Sequence

import numpy as np

from agent.feedback.outcomes import SETTLE_SECONDS, STAND, Correction, GoalOutcome, Judge
from agent.goals import Goal
from agent.simulation.env import CONTROL_SECONDS, observed_velocity


class Odometry:
    """Measures one goal on the body from its observations [45], one per control step."""

    def __init__(self, goal: Goal):
        self.goal = goal
        self.steps = 0
        self.meters = self.degrees = self.drift = 0.0
        self.uprightness = 1.0
        planar = np.array(goal.velocity[:2])
        self._direction = planar / max(float(np.linalg.norm(planar)), 1e-9)
        self._recent: list[np.ndarray] = []

    def add(self, observation: np.ndarray) -> None:
        """Count the step that led to `observation`."""
        velocity = observed_velocity(observation)
        self.steps += 1
        along, (x, y) = float(velocity[:2] @ self._direction), self._direction
        across, turned = float(x * velocity[1] - y * velocity[0]), math.radians(self.degrees)
        self.meters += along * CONTROL_SECONDS
        if self.seconds > SETTLE_SECONDS:
            self.drift += (across * math.cos(turned) + along * math.sin(turned)) * CONTROL_SECONDS
        self.degrees += math.degrees(float(velocity[2])) * CONTROL_SECONDS
        self.uprightness = min(self.uprightness, 1 - 2 * float(observation[2] ** 2 + observation[3] ** 2))
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
            self.goal,
            self.seconds,
            self.meters,
            self.degrees,
            (vx, vy, wz),
            fell,
            self.timed_out and not self.reached,
            self.drift,
            self.uprightness,
        )


class Pursuit:
    """One body's way through a program: the goal in force, what came of those before it, and what was repaired.

    Args:
        asked: goals that are measured, one after another.
        given: goals that the body is told, one in place of each; the same unless a trial disturbs it.
        judge: tells what is wrong with a goal that is over, and which goals repair it. What these do counts for the
            goal that they repair, before the next begins.
        rounds: how often a goal may be repaired.
    """

    def __init__(self, asked: Sequence[Goal], given: Sequence[Goal] = (), judge: Judge | None = None, rounds: int = 0):
        self.asked, self.given = tuple(asked), tuple(given or asked)
        assert len(self.asked) == len(self.given)
        self.judge, self.rounds = judge, rounds
        self.outcomes: list[GoalOutcome] = []
        self.corrections: list[Correction] = []
        self._stopped = False
        self._begin()

    @property
    def over(self) -> bool:
        return self._stopped or len(self.outcomes) == len(self.asked)

    @property
    def done(self) -> bool:
        """Whether every goal was pursued and met."""
        return len(self.outcomes) == len(self.asked) and all(outcome.met for outcome in self.outcomes)

    @property
    def fell(self) -> bool:
        return any(outcome.fell for outcome in self.outcomes)

    @property
    def goal(self) -> Goal:
        """What the body is to do now; to stand when all is over."""
        return STAND if self.over else self._clock.goal

    @property
    def seconds(self) -> float:
        """Since this goal began."""
        return self._clock.seconds

    def add(self, observation: np.ndarray, fell: bool = False) -> bool:
        """Count the step that led to `observation` [45]; whether another goal is in force now. A fall ends it all."""
        if self.over:
            return False
        self._ledger.add(observation)
        if self._clock is not self._ledger:
            self._clock.add(observation)
        if fell:
            self.stop(fell=True)
            return True
        if not (self._clock.reached or self._clock.timed_out):
            return False
        self.advance()
        return True

    def advance(self) -> None:
        """Leave the goal in force behind: for what repairs the asked one, or for the next."""
        if not self._repairing:
            self._repairing = self._judged()
        if self._repairing:
            self._clock = Odometry(self._repairing.pop(0))
        else:
            self.outcomes.append(self._ledger.outcome())
            if not self.over:
                self._begin()

    def stop(self, fell: bool = False) -> None:
        """End it all in the middle of a goal."""
        self.outcomes.append(self._ledger.outcome(fell))
        self._stopped = True

    def _begin(self) -> None:
        number = len(self.outcomes)
        self._ledger = Odometry(self.asked[number])  # of all that is done for the asked goal
        same = self.given[number] == self.asked[number]
        self._clock = self._ledger if same else Odometry(self.given[number])  # tells when to go on
        self._repairing: list[Goal] = []
        self._rounds = 0

    def _judged(self) -> list[Goal]:
        """Goals that repair the asked one, as far as the judge says so."""
        if self.judge is None or self._rounds == self.rounds:
            return []
        outcome = self._ledger.outcome()
        assessment, goals = self.judge(outcome)
        if not goals:
            return []
        self._rounds += 1
        self.corrections.append(Correction(len(self.outcomes) + 1, assessment, outcome, goals))
        return list(goals)


def measure(goal: Goal, observations: np.ndarray, fell: bool = False) -> GoalOutcome:
    """The outcome of steps that led to `observations` [T, 45], as Odometry counts them one by one."""
    velocity = observed_velocity(observations)
    x, y = np.array(goal.velocity[:2]) / max(math.hypot(*goal.velocity[:2]), 1e-9)
    along, across = x * velocity[:, 0] + y * velocity[:, 1], x * velocity[:, 1] - y * velocity[:, 0]
    turned = np.cumsum(velocity[:, 2]) * CONTROL_SECONDS
    before = np.concatenate([[0.0], turned[:-1]])
    seconds = np.arange(1, len(velocity) + 1) * CONTROL_SECONDS
    aside = (across * np.cos(before) + along * np.sin(before)) * (seconds > SETTLE_SECONDS)
    vx, vy, wz = velocity[-round(1 / CONTROL_SECONDS) :].mean(0).tolist()
    return GoalOutcome(
        goal,
        float(seconds[-1]),
        float(along.sum()) * CONTROL_SECONDS,
        math.degrees(float(turned[-1])),
        (vx, vy, wz),
        fell,
        timed_out=False,
        drift=float(aside.sum()) * CONTROL_SECONDS,
        uprightness=float(1 - 2 * (observations[:, 2] ** 2 + observations[:, 3] ** 2).max()),
    )

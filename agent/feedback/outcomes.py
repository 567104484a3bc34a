"""What a body did with a goal, in numbers and in a few words, and how to repair a miss.

Language models judge raw states badly (arXiv 2509.09790), so they read a summary: every deviation as an amount with a
direction, and as a share of its tolerance. `judge`, `cause` and `repairs` are the simulator's own verdict, from which
a language model learns.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.goals import AMOUNTS, STILL, Goal, snap

# A distance counts as met within 0.3 m or 15 %, a turn within 15 degrees, a time within 0.03 s.
METERS_TOLERANCE, METERS_SHARE = 0.3, 0.15
DEGREES_TOLERANCE = 15.0
SECONDS_TOLERANCE = 0.03
VELOCITY_TOLERANCE, VELOCITY_SHARE = 0.15, 0.2
SETTLE_SECONDS = 1.5  # from one motion to the next; drift is not counted until then
STUMBLE = 0.95  # uprightness below which a body that did not fall has stumbled: 18 degrees off the vertical
STEADY_SECONDS = 1.0  # of standing after a stumble
HOLD_SECONDS = 2.0  # for which a velocity that was not reached is commanded again
REPORTED_SHARE = 0.5  # of a tolerance, from which a deviation is reported
LARGEST_SHARE = 9.99  # of a tolerance, in a report

# What can be wrong with a goal. The planner answers with the number of one of them, as a digit.
CAUSES = ("met", "fall", "end", "facing", "drift", "speed")
STAND = Goal()


@dataclass(frozen=True)
class Deviation:
    """One way in which a goal was missed, or nearly.

    Args:
        cause: one of CAUSES.
        share: of the tolerance; more than 1 is a miss.
        kind: unit of the amount, seconds, meters or degrees; empty for a speed, which has none.
        amount: at least 0.
        way: over, short, or the direction of a drift.
    """

    cause: str
    share: float
    kind: str = ""
    amount: float = 0.0
    way: str = ""

    @property
    def missed(self) -> bool:
        return self.share > 1

    @property
    def text(self) -> str:
        share = f"{min(self.share, LARGEST_SHARE):.2f}"
        if not self.kind:
            return f"{self.cause} off {share}"
        name = "" if self.cause == "end" else f"{self.cause} "
        return f"{name}{spelled(self.kind, self.amount):g} {self.kind} {self.way} {share}"


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
    drift: float = 0.0  # m to the left of the commanded direction as it was at the first step, since SETTLE_SECONDS
    uprightness: float = 1.0  # least cosine between the torso and the vertical

    @property
    def met(self) -> bool:
        """Whether the goal reached its end, or its velocity if it ends by time or by the next prompt; and whether a
        straight one kept its course.
        """
        return not self.fell and not any(deviation.missed for deviation in self.deviations)

    @property
    def stumbled(self) -> bool:
        return not self.fell and self.uprightness < STUMBLE

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """Every deviation that a goal of this kind can have, that of its end first."""
        goal = self.goal
        planar = math.hypot(goal.vx, goal.vy)
        found = []
        if goal.meters is not None:
            tolerance = max(METERS_TOLERANCE, METERS_SHARE * goal.meters)
            found.append(_end("meters", goal.meters - self.meters, tolerance))
        elif goal.degrees is not None:
            left = goal.degrees - self.degrees * math.copysign(1, goal.wz)
            found.append(_end("degrees", left, DEGREES_TOLERANCE))
        elif goal.seconds is not None:
            found.append(_end("seconds", max(0.0, goal.seconds - self.seconds), SECONDS_TOLERANCE))
        if not goal.wz:
            way = "left" if self.degrees > 0 else "right"
            found.append(Deviation("facing", abs(self.degrees) / DEGREES_TOLERANCE, "degrees", abs(self.degrees), way))
        if not goal.wz and planar >= STILL:
            tolerance = max(METERS_TOLERANCE, METERS_SHARE * max(abs(self.meters), goal.meters or 0.0))
            found.append(Deviation("drift", abs(self.drift) / tolerance, "meters", abs(self.drift), self._drift_way))
        if goal.meters is None and goal.degrees is None:
            off = np.subtract(self.velocity, goal.velocity)
            shares = (
                math.hypot(*off[:2]) / max(VELOCITY_TOLERANCE, VELOCITY_SHARE * planar),
                abs(off[2]) / max(VELOCITY_TOLERANCE, VELOCITY_SHARE * abs(goal.wz)),
            )
            found.append(Deviation("speed", float(max(shares))))
        return tuple(found)

    @property
    def _drift_way(self) -> str:
        """Where the body drifted to, as it faced at the first step."""
        x, y = -self.goal.vy * self.drift, self.goal.vx * self.drift
        if abs(y) >= abs(x):
            return "left" if y > 0 else "right"
        return "ahead" if x > 0 else "back"

    @property
    def reported(self) -> tuple[Deviation, ...]:
        """The deviations that the report mentions."""
        return tuple(deviation for deviation in self.deviations if deviation.share >= REPORTED_SHARE)

    @property
    def report(self) -> str:
        """The deviations in words. The language model reads them after the tokens of the command."""
        balance = ["fell"] if self.fell else ["stumbled"] if self.stumbled else []
        return ", ".join([*(deviation.text for deviation in self.reported), *balance]) or "as asked"


@dataclass(frozen=True)
class Assessment:
    """What is wrong with a goal, one of CAUSES, and the probability that it was met, or missed, as it says."""

    cause: str
    confidence: float = 1.0

    @property
    def met(self) -> bool:
        return self.cause == "met"


@dataclass(frozen=True)
class Repair:
    """A goal that undoes a deviation, and which of the reported ones gave its amount; None where it is fixed."""

    goal: Goal
    deviation: int | None = None


@dataclass(frozen=True)
class Correction:
    """What was done about a goal that was missed."""

    number: int  # of the goal in its program, from 1
    assessment: Assessment
    before: GoalOutcome
    goals: tuple[Goal, ...]

    @property
    def text(self) -> str:
        goals = "; ".join(goal.text for goal in self.goals)
        return f"goal {self.number} ({self.before.goal.text}) missed its {self.assessment.cause}: {goals}"


Judge = Callable[[GoalOutcome], tuple[Assessment, tuple[Goal, ...]]]


def judge(outcome: GoalOutcome) -> tuple[Assessment, tuple[Goal, ...]]:
    """The simulator's verdict on a goal, and goals that repair it."""
    return Assessment(cause(outcome)), tuple(repair.goal for repair in repairs(outcome))


def cause(outcome: GoalOutcome) -> str:
    """The first of the deviations that are a miss."""
    if outcome.fell:
        return "fall"
    return next((deviation.cause for deviation in outcome.deviations if deviation.missed), "met")


def repairs(outcome: GoalOutcome) -> tuple[Repair, ...]:
    """What undoes the deviations of a missed goal: face the old way, go to the end, step back in line, keep the speed.

    Empty after a fall, because the body does not get up. After a stumble it stands first.
    """
    if outcome.fell or outcome.met:
        return ()
    goal = outcome.goal
    off = {deviation.cause: (place, deviation) for place, deviation in enumerate(outcome.reported)}
    found = [Repair(Goal(seconds=STEADY_SECONDS))] if outcome.stumbled else []
    if "facing" in off:
        place, deviation = off["facing"]
        skill = "turn_right" if deviation.way == "left" else "turn_left"
        found.append(Repair(_ended(Goal.from_skill(skill).velocity, deviation), place))
    goes_on = []
    if "end" in off and (off["end"][1].kind != "seconds" or off["end"][1].missed):
        place, end = off["end"]
        velocity = goal.velocity if end.way == "short" else _reversed(goal)
        (goes_on if end.kind == "seconds" else found).append(Repair(_ended(velocity, end), place))
    elif "speed" in off:
        goes_on.append(Repair(Goal(*goal.velocity, seconds=HOLD_SECONDS)))
    if "drift" in off:
        place, drift = off["drift"]
        found.append(Repair(_ended(Goal.from_skill(AGAINST[drift.way]).velocity, drift), place))
    return *found, *goes_on


# Direction of a drift -> the skill that undoes it.
AGAINST = {"left": "sidestep_right", "right": "sidestep_left", "ahead": "walk_backward", "back": "walk_forward"}


def spelled(kind: str, amount: float) -> float:
    """The nearest amount of this kind that a goal can end with."""
    least, most = float(AMOUNTS[kind][0]), float(AMOUNTS[kind][-1])
    nearest = snap(min(max(amount, least), most), kind)
    assert nearest is not None
    return nearest


def _end(kind: str, left: float, tolerance: float) -> Deviation:
    return Deviation("end", abs(left) / tolerance, kind, abs(left), "short" if left >= 0 else "over")


def _ended(velocity: Sequence[float], deviation: Deviation) -> Goal:
    """A goal whose end is the amount of a deviation."""
    return Goal(*velocity, **{deviation.kind: spelled(deviation.kind, deviation.amount)})


def _reversed(goal: Goal) -> tuple[float, float, float]:
    """The command that undoes an overshoot of `goal`: the turn of an arc, or the way."""
    if goal.degrees is not None:
        return Goal.from_skill("turn_right" if goal.wz > 0 else "turn_left").velocity
    if abs(goal.vy) > abs(goal.vx):
        return Goal.from_skill(AGAINST["left" if goal.vy > 0 else "right"]).velocity
    return Goal.from_skill(AGAINST["ahead" if goal.vx > 0 else "back"]).velocity


def summarize(outcomes: Sequence[GoalOutcome]) -> str:
    """One line per goal: what was asked, what was achieved, and the deviations as shares of their tolerances."""
    return "\n".join(
        f"{number}. {outcome.goal.text}: {_measured(outcome)}" for number, outcome in enumerate(outcomes, start=1)
    )


def verdict(outcomes: Sequence[GoalOutcome], planned: int) -> str:
    """One sentence: whether all `planned` goals of a program were met, and if not, which one failed and why."""
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.met:
            continue
        if outcome.fell:
            why = f"fell after {outcome.seconds:.1f} s"
        elif outcome.timed_out and cause(outcome) == "end":
            why = f"did not reach its end in {outcome.seconds:.1f} s"
        else:
            why = "was off: " + _measured(outcome)
        return f"goal {number} of {planned} ({outcome.goal.text}) {why}"
    missing = planned - len(outcomes)
    return f"{missing} of {planned} goals were not started" if missing else f"all {planned} goals met"


def _measured(outcome: GoalOutcome) -> str:
    asked, reached = (
        f"({x:.2f} m/s, {y:.2f} m/s, {w:.2f} rad/s)" for x, y, w in (outcome.goal.velocity, outcome.velocity)
    )
    return (
        f"{outcome.meters:.2f} m and {outcome.degrees:.0f} degrees in {outcome.seconds:.1f} s, "
        f"velocity at the end {reached}, asked for {asked}; {outcome.report}"
    )

"""What a body did with a goal, in numbers and in a few words, and what to do about it.

A language model judges raw states badly (arXiv 2509.09790), so everything that is to be judged is summarized here
first: every deviation as an amount with a direction, and as a share of what is tolerated. `judge` and `repairs` say
what the simulator's numbers mean, and are what a language model learns from.
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
SETTLE_SECONDS = 1.5  # from one motion to the next; until then a body is not off its course
STUMBLE = 0.95  # uprightness below which a body that goes on has stumbled: 18 degrees off the vertical
STEADY_SECONDS = 1.0  # of standing after a stumble
HOLD_SECONDS = 2.0  # of a velocity that was not reached in its time
WORTH_TELLING = 0.5  # of a tolerance
LARGEST_SHARE = 9.99  # of a tolerance that is told

# What can be wrong with a goal, as the planner says it: the number of each is the digit that it answers with.
CAUSES = ("met", "fall", "end", "facing", "drift", "speed")
STAND = Goal()


@dataclass(frozen=True)
class Deviation:
    """One way in which a goal was missed, or nearly.

    Args:
        cause: one of CAUSES.
        share: of what is tolerated; more than 1 is a miss.
        kind: of the amount, seconds, meters or degrees; empty for a speed, which has none.
        amount: how much it is, at least 0.
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
        """Whether the goal's end was reached, or, for one that ends by time or by the next prompt, its velocity; and
        whether one that goes straight kept its course.
        """
        return not self.fell and not any(deviation.missed for deviation in self.deviations)

    @property
    def stumbled(self) -> bool:
        return not self.fell and self.uprightness < STUMBLE

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """What can be off in a goal of this kind, the end of it first."""
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
    def told(self) -> tuple[Deviation, ...]:
        """The deviations that are worth a word."""
        return tuple(deviation for deviation in self.deviations if deviation.share >= WORTH_TELLING)

    @property
    def report(self) -> str:
        """What is off, in words; a language model reads it after the tokens of the command."""
        balance = ["fell"] if self.fell else ["stumbled"] if self.stumbled else []
        return ", ".join([*(deviation.text for deviation in self.told), *balance]) or "as asked"


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
    """A goal that undoes a deviation, and which of those that are told has its amount; None where a rule does."""

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
    """What undoes the deviations of a goal that was missed: face the old way, go to the end, step back in line, be as
    fast.

    Nothing after a fall, from which this body does not get up. After a stumble it comes to a stand first.
    """
    if outcome.fell or outcome.met:
        return ()
    goal = outcome.goal
    off = {deviation.cause: (place, deviation) for place, deviation in enumerate(outcome.told)}
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


# Where a body drifted to -> the skill that brings it back.
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
    """A goal that goes on for as much as a deviation is."""
    return Goal(*velocity, **{deviation.kind: spelled(deviation.kind, deviation.amount)})


def _reversed(goal: Goal) -> tuple[float, float, float]:
    """The command that takes back what `goal` did too much: of an arc the turn, or the way."""
    if goal.degrees is not None:
        return Goal.from_skill("turn_right" if goal.wz > 0 else "turn_left").velocity
    if abs(goal.vy) > abs(goal.vx):
        return Goal.from_skill(AGAINST["left" if goal.vy > 0 else "right"]).velocity
    return Goal.from_skill(AGAINST["ahead" if goal.vx > 0 else "back"]).velocity


def summarize(outcomes: Sequence[GoalOutcome]) -> str:
    """One line per goal: what was asked, what was achieved, and what is off, with its share of what is tolerated."""
    return "\n".join(
        f"{number}. {outcome.goal.text}: {_measured(outcome)}" for number, outcome in enumerate(outcomes, start=1)
    )


def verdict(outcomes: Sequence[GoalOutcome], planned: int) -> str:
    """In one sentence, whether a program of `planned` goals was done, and if not, which goal failed and why."""
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.met:
            continue
        if outcome.fell:
            why = f"fell after {outcome.seconds:.1f} s"
        elif outcome.timed_out and cause(outcome) == "end":
            why = f"did not come to its end in {outcome.seconds:.1f} s"
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

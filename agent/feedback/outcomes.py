"""What a body did with a goal, in numbers and in plain words, and how to repair a miss.

The numbers are measured from the body's observations, by odometry. `judge`, `cause` and `repairs` are a fixed rule on
these numbers, and the language model that reads reports is trained to reproduce its verdicts. The rule uses the
rounded numbers of the report: meters, seconds and velocities in tenths, degrees in whole numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from agent.goals import (
    ENDS,
    Goal,
    HeadingGoal,
    HomeGoal,
    PlaceGoal,
    Pose,
    Progress,
    VelocityGoal,
    nearest_amount,
    wrap,
)

DRIFT_TOLERANCE, DRIFT_SHARE = 0.3, 0.15  # m, and share of the distance gone
FACING_TOLERANCE = 15.0  # degrees
VELOCITY_TOLERANCE, VELOCITY_SHARE = 0.15, 0.2  # m/s or rad/s, and share of the commanded velocity
HEIGHT_TOLERANCE, ARMS_TOLERANCE = 0.1, 20.0  # m, and degrees of an arm joint on average
POSTURE_SECONDS = 2.0  # to change posture; shorter goals need not hold theirs
STUMBLE = 0.95  # uprightness below which a body that did not fall has stumbled: 18 degrees off the vertical
STEADY_SECONDS = 1.0  # of standing after a stumble
HOLD_SECONDS = 2.0  # for which a missed velocity is commanded again
# Share of a tolerance. A deviation from here up to the tolerance is called "barely kept". It is not a miss, but if the
# goal is missed because of another deviation, this one is repaired too.
REPAIRED_SHARE = 0.5

# What can be wrong with a goal.
CAUSES = ("met", "fall", "end", "facing", "drift", "speed", "posture")
# The skill that undoes a drift.
UNDOES = {
    "left": "sidestep_right",
    "right": "sidestep_left",
    "forward": "walk_backward",
    "backward": "walk_forward",
}
STAND = VelocityGoal()


@dataclass(frozen=True)
class Deviation:
    """One deviation from a goal, whether it is a miss or not.

    Args:
        cause: one of CAUSES.
        share: the deviation as a share of its tolerance; more than 1 is a miss.
        amount: in seconds, meters, degrees, m/s or rad/s. Negative if the end was not reached, if the body turned or
            drifted to the right, or if the torso is too low.
        text: the amount in words, as "0.9 meters short".
    """

    cause: str
    share: float
    amount: float
    text: str

    @property
    def missed(self) -> bool:
        return self.share > 1 + 1e-9

    @property
    def repaired(self) -> bool:
        """Whether it is repaired if the goal is missed."""
        return self.share >= REPAIRED_SHARE

    @property
    def judged(self) -> str:
        """The text and a verdict on it: "0.9 meters short, missed"."""
        return f"{self.text}, {'missed' if self.missed else 'barely kept' if self.repaired else 'kept'}"


@dataclass(frozen=True)
class GoalOutcome:
    """The outcome of one goal: what the body's odometry measured from its first step to its last."""

    goal: Goal
    progress: Progress
    velocity: tuple[float, float, float]  # mean of the last second, m/s, m/s, rad/s
    fell: bool
    timed_out: bool
    uprightness: float = 1.0  # least cosine between the torso and the vertical
    too_high: float = 0.0  # m of the torso above the commanded crouch, mean of the last second
    arms_off: float = 0.0  # degrees of the arm joints from the commanded pose, mean of the last second

    @property
    def seconds(self) -> float:
        return self.progress.seconds

    @property
    def met(self) -> bool:
        """Whether the body did not fall and every deviation is within its tolerance."""
        return cause(self) == "met"

    @property
    def stumbled(self) -> bool:
        return not self.fell and self.uprightness < STUMBLE

    @property
    def deviations(self) -> list[Deviation]:
        """Every deviation that a goal of this kind can have, the deviation of its end first."""
        found = [] if self.goal.open else [self._end]
        if isinstance(self.goal, VelocityGoal):
            found += self._velocity_deviations(self.goal)
        if self.seconds >= POSTURE_SECONDS and self.goal.height == "low":
            high = rounded(self.too_high, "meters")
            text = _amount(high, "meters", "too high", "too low")
            found.append(Deviation("posture", high / HEIGHT_TOLERANCE, high, text))
        if self.seconds >= POSTURE_SECONDS and self.goal.arms != "rest":
            degrees = rounded(self.arms_off, "degrees")
            found.append(Deviation("posture", degrees / ARMS_TOLERANCE, degrees, f"{degrees:g} degrees off"))
        return found

    @property
    def _end(self) -> Deviation:
        unit, left, tolerance = self.goal.ending(self.progress)
        left = rounded(left, unit)
        if unit == "seconds":
            left = max(0.0, left)  # a goal that ends by time is never late
        return Deviation("end", abs(left) / tolerance, -left, _amount(-left, unit, "too far", "short"))

    def _velocity_deviations(self, goal: VelocityGoal) -> Iterator[Deviation]:
        planar = math.hypot(goal.vx, goal.vy)
        if not goal.wz:
            degrees = rounded(self.progress.degrees, "degrees")
            text = _amount(degrees, "degrees", "left", "right")
            yield Deviation("facing", abs(degrees) / FACING_TOLERANCE, degrees, text)
        if goal.straight:
            x, y, _ = self.progress.pose
            drift = rounded((goal.vx * y - goal.vy * x) / planar, "meters")
            gone = rounded(math.hypot(x, y), "meters")
            tolerance = max(DRIFT_TOLERANCE, DRIFT_SHARE * max(gone, goal.meters or 0.0))
            yield Deviation("drift", abs(drift) / tolerance, drift, f"{abs(drift):g} meters {_side(goal, drift)}")
        if _has_speed(goal):
            sizes = (("m/s", planar), ("m/s", planar), ("rad/s", abs(goal.wz)))
            for asked, measured, (unit, size) in zip(goal.velocity, self.velocity, sizes, strict=True):
                off = rounded(measured - asked, unit)
                share = abs(off) / max(VELOCITY_TOLERANCE, VELOCITY_SHARE * size)
                yield Deviation("speed", share, abs(off), f"{abs(off):g} {unit} off")

    @property
    def off(self) -> str:
        """Every deviation in words; empty after a fall."""
        return "" if self.fell else "; ".join(each.text for each in self.deviations)

    @property
    def judged(self) -> str:
        """The same with a verdict on each."""
        return "" if self.fell else "; ".join(each.judged for each in self.deviations)

    @property
    def place(self) -> Pose:
        """The target place of the goal, seen from the body. Only for goals that have one."""
        return self.goal.destination(self.progress).seen_from(self.progress.pose)

    @property
    def report(self) -> str:
        """What was asked and what happened, in words, as the language model reads it."""
        asked = self.goal.text
        if _has_speed(self.goal):
            asked += f", which is {_speeds(self.goal.velocity)}"
        return f"asked: {asked}. happened: {self.happened}."

    @property
    def happened(self) -> str:
        """What happened, in words: "2.1 meters forward, 0.4 meters left, turned 3 degrees left, did not fall"."""
        goal, progress = self.goal, self.progress
        x, y, _ = progress.pose
        found = [
            _amount(x, "meters", "forward", "backward"),
            _amount(y, "meters", "left", "right"),
            "turned " + _amount(progress.degrees, "degrees", "left", "right"),
        ]
        if isinstance(goal, VelocityGoal):
            if not goal.straight and (goal.vx or goal.vy):
                found = [_amount(progress.meters, "meters", "along the way", "back"), found[-1]]
            if _has_speed(goal):
                found += [f"{rounded(self.seconds, 'seconds'):g} seconds", f"at the end {_speeds(self.velocity)}"]
        elif isinstance(goal, HeadingGoal):
            off = math.degrees(wrap(progress.pose.heading - progress.home.heading))
            found = [found[-1], "faces " + _amount(off, "degrees", "left", "right") + " of the start"]
        else:
            place = self.place
            name = "home" if isinstance(goal, HomeGoal) else "the place"
            distance = f"{rounded(math.hypot(place.x, place.y), 'meters'):g} meters"
            ahead, left = _amount(place.x, "meters", "ahead", "behind"), _amount(place.y, "meters", "left", "right")
            found.append(f"{name} is {distance} away, {ahead} and {left}")
        if self.seconds >= POSTURE_SECONDS and goal.height == "low":
            found.append(f"torso {rounded(self.too_high, 'meters'):g} meters too high")
        if self.seconds >= POSTURE_SECONDS and goal.arms != "rest":
            found.append(f"arms {self.arms_off:.0f} degrees off")
        found.append("fell" if self.fell else "stumbled but did not fall" if self.stumbled else "did not fall")
        return ", ".join(found)


@dataclass(frozen=True)
class Assessment:
    """A verdict on a goal: one of CAUSES, the deviations in words with a verdict on each, and the probability."""

    cause: str
    judged: str = ""
    confidence: float = 1.0

    @property
    def met(self) -> bool:
        return self.cause == "met"


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
    """The rule's verdict on a goal, and the goals that repair it."""
    return Assessment(cause(outcome), outcome.judged), repairs(outcome)


def cause(outcome: GoalOutcome) -> str:
    """The cause of the first deviation that is a miss; "fall" after a fall, "met" if there is no miss."""
    if outcome.fell:
        return "fall"
    return next((deviation.cause for deviation in outcome.deviations if deviation.missed), "met")


def repairs(outcome: GoalOutcome) -> tuple[Goal, ...]:
    """Goals that undo the deviations of a missed goal, in this order: take the posture, turn back to the old heading,
    step back onto the line, go to the end, hold the speed. A place or a heading is pursued again.

    Empty after a fall, because the body does not get up. After a stumble the body stands first.
    """
    if outcome.fell or outcome.met:
        return ()
    goal = outcome.goal
    off = {each.cause: each.amount for each in outcome.deviations if each.repaired}
    found: list[Goal] = []
    if outcome.stumbled or "posture" in off:
        found.append(ended(_skill("stand", goal), "seconds", HOLD_SECONDS if "posture" in off else STEADY_SECONDS))
    if not isinstance(goal, VelocityGoal):
        if "end" in off:
            found.append(_again(outcome))
        return tuple(found)
    if "facing" in off:
        turn = _skill("turn_right" if off["facing"] > 0 else "turn_left", goal)
        found.append(ended(turn, "degrees", off["facing"]))
    if "drift" in off:
        back = _skill(UNDOES[_side(goal, off["drift"])], goal)
        found.append(ended(back, "meters", off["drift"]))
    if "end" in off:
        assert goal.end is not None
        found.append(ended(goal if off["end"] < 0 else _reversed(goal), goal.end[0], off["end"]))
    elif "speed" in off:
        found.append(ended(goal, "seconds", HOLD_SECONDS))
    return tuple(found)


def _again(outcome: GoalOutcome) -> Goal:
    """The goal of a place or a heading, from where the body is now."""
    if not isinstance(outcome.goal, PlaceGoal):
        return outcome.goal
    ahead, left, _ = outcome.place
    return replace(outcome.goal, ahead=ahead, left=left).on_grid()


def _has_speed(goal: Goal) -> TypeGuard[VelocityGoal]:
    """Whether the speed of a goal counts: one that ends by time or by the next prompt."""
    return isinstance(goal, VelocityGoal) and goal.meters is None and goal.degrees is None


def _side(goal: VelocityGoal, drift: float) -> str:
    """Where a drift, in meters to the left of the goal's direction, leads the body: one of UNDOES."""
    ahead, left = -goal.vy * drift, goal.vx * drift
    if abs(left) >= abs(ahead):
        return "left" if left >= 0 else "right"
    return "forward" if ahead >= 0 else "backward"


def _reversed(goal: VelocityGoal) -> VelocityGoal:
    """What undoes an overshoot of the goal."""
    if goal.degrees is not None:
        return _skill("turn_right" if goal.wz > 0 else "turn_left", goal)
    if abs(goal.vx) >= abs(goal.vy):
        return _skill("walk_backward" if goal.vx > 0 else "walk_forward", goal)
    return _skill("sidestep_right" if goal.vy > 0 else "sidestep_left", goal)


def _skill(skill: str, goal: Goal) -> VelocityGoal:
    """A skill at its normal speed, in the posture of the goal."""
    found = Goal.from_skill(skill, height=goal.height, arms=goal.arms)
    assert isinstance(found, VelocityGoal)
    return found


def ended(goal: VelocityGoal, kind: str, amount: float) -> VelocityGoal:
    """The goal with another end: the nearest amount that has a spelling."""
    return replace(goal, **{end: nearest_amount(kind, abs(amount)) if end == kind else None for end in ENDS})


def rounded(amount: float, unit: str) -> float:
    """An amount, rounded as in a report."""
    return round(amount, 0 if unit == "degrees" else 1) + 0.0


def summarize(outcomes: Sequence[GoalOutcome]) -> str:
    """One line per goal: what was asked, what happened."""
    return "\n".join(f"{outcome.goal.text}: {outcome.happened}" for outcome in outcomes)


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
            why = f"missed its {cause(outcome)}: {outcome.happened}"
        return f"goal {number} of {planned} ({outcome.goal.text}) {why}"
    missing = planned - len(outcomes)
    return f"{missing} of {planned} goals were not started" if missing else f"all {planned} goals met"


def _speeds(velocity: tuple[float, float, float]) -> str:
    """A velocity in words, negative backward and to the right: "1 m/s forward, 0 m/s left, -0.4 rad/s left"."""
    vx, vy, wz = (rounded(each, "m/s") for each in velocity)
    return f"{vx:g} m/s forward, {vy:g} m/s left, {wz:g} rad/s left"


def _amount(amount: float, unit: str, positive: str, negative: str) -> str:
    """An amount with its direction: "0.4 meters left"."""
    amount = rounded(amount, unit)
    return f"{abs(amount):g} {unit} {positive if amount >= 0 else negative}"

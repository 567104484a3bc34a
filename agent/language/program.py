"""The target language of the planner: a readable program, with one part for each goal.

    walk forward slow six feet, low; turn left a quarter turn; go to 3 m ahead 2 m left, arms up
    3 times (sidestep left a step; sidestep right twice a step) with stand 2 s between
    refuse: unclear

A sentence becomes goal tokens in three steps: the language model writes this text, decoding under GRAMMAR
(planner.py); `parse` turns it into a GoalProgram; `GoalProgram.tokens` are the tokens (agent/goals.py). Amounts are
copied as they were said, and goals that repeat are written once; this file converts, repeats, adds what the sentence
leaves open and refuses what is beyond the robot.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from agent import goals
from agent.bodies import Body
from agent.goals import MAX_GOALS, REASONS, SKILLS, SPEEDS, UNITS, Goal, GoalProgram, VelocityGoal, main_axis, snap
from agent.language.amounts import AMOUNT, SPEED, amount, amount_pattern, speed, speed_pattern

DEFAULT_DEGREES, DEFAULT_SECONDS = 90.0, 3.0  # ends of a goal without an amount, if another goal follows
# Axis -> what the robot does in its negative and its positive direction.
MOTIONS = (("walks backward", "goes forward"), ("sidesteps right", "sidesteps left"), ("turns right", "turns left"))
TOLERANCE = 1e-6

_SPEED_WORDS = "|".join(word for word in SPEEDS if word != "normal")
_PACE = f"(?: (?:{_SPEED_WORDS}))?"
_POSTURES = "(?:, (?:low|arms up|arms out|wave left|wave right))"
_WAY = "(?: (?:forward|backward|left|right))?"
_LENGTH = amount_pattern("meters")
_PLACE = f"(?:{_LENGTH} (?:ahead|behind)(?: {_LENGTH} (?:left|right))?|{_LENGTH} (?:left|right))"


def _motion(names: str, kinds: Sequence[str], units: Sequence[str]) -> str:
    """Pattern of motions with the amounts and speeds that suit them."""
    speeds = f"(?: at {speed_pattern(*units)}{_WAY}(?: and {SPEED}{_WAY}){{0,2}})?" if units else ""
    return f"(?:{names}){_PACE if units else ''}(?: {amount_pattern(*kinds)})?{speeds}"


_STRAIGHT = "walk forward|run forward|walk backward|sidestep left|sidestep right"
_STAND = _motion("stand", ["seconds"], [])
_WITHOUT_POSTURE = "|".join(
    [
        _STAND,
        _motion(_STRAIGHT, ["seconds", "meters"], ["m/s"]),
        _motion("turn left|turn right", ["seconds", "degrees"], ["rad/s"]),
        _motion("curve left|curve right", ["seconds", "meters", "degrees"], ["m/s", "rad/s"]),
        f"go to{_PACE} {_PLACE}",
        f"(?:go home|face start){_PACE}",
    ]
)
_GOAL = f"(?:{_WITHOUT_POSTURE}){_POSTURES}{{0,2}}"
_REPEATED = rf"[2-{MAX_GOALS}] times \({_GOAL}(?:; {_GOAL}){{0,3}}\)(?: with {_STAND}{_POSTURES}{{0,2}} between)?"
_PART = f"(?:{_GOAL}|{_REPEATED})"
# One regular expression for everything that the language model can write.
GRAMMAR = f"(?:{_PART}(?:; {_PART}){{0,{MAX_GOALS - 1}}}|refuse: (?:{'|'.join(REASONS)}))"

_VELOCITY = f"{SPEED}{_WAY}(?: and {SPEED}{_WAY}){{0,2}}"
_MOTIONS = "|".join(skill.replace("_", " ") for skill in (*SKILLS, *goals.PLACE_SKILLS))
GOAL_PARTS = re.compile(
    f"(?P<motion>{_MOTIONS})(?: (?P<speed>{_SPEED_WORDS}))?(?: (?P<place>{_PLACE})| (?P<amount>{AMOUNT}))?"
    f"(?: at (?P<velocity>{_VELOCITY}))?(?P<posture>{_POSTURES}*)"
)
PLACE_PARTS = re.compile(f"({AMOUNT}) (ahead|behind|left|right)")
VELOCITY_PARTS = re.compile(f"({SPEED})(?: (forward|backward|left|right))?")
REPEATED_PARTS = re.compile(r"([0-9]) times \(([^()]*)\)(?: with ([^;]*) between)?")


class BeyondLimit(ValueError):
    """Something that this robot cannot do; the message is for the user."""


def parse(text: str, body: Body) -> GoalProgram:
    """The goal program of a readable one. It is a refusal if the robot cannot do what the text says, or if an amount
    or a motion makes no sense.
    """
    if text.startswith("refuse: "):
        reason = text.removeprefix("refuse: ")
        return GoalProgram(refusal=reason if reason in REASONS else "unclear")
    try:
        *first, last = [parse_goal(part, body) for part in REPEATED_PARTS.sub(_repeated, text).split("; ")]
        if len(first) >= MAX_GOALS:
            return GoalProgram(refusal="limit")
        return GoalProgram(tuple(goal.on_grid() for goal in (*map(_closed, first), last)))
    except BeyondLimit as error:
        return GoalProgram(refusal="limit", detail=str(error))
    except ValueError:
        return GoalProgram(refusal="unclear")


def _repeated(match: re.Match) -> str:
    """The goals of a repetition, as often as they are to be done, with the pause between."""
    count, goals, pause = match.groups()
    return (f"; {pause}; " if pause else "; ").join([goals] * int(count))


def parse_goal(text: str, body: Body) -> Goal:
    """One goal of a readable program. Raises BeyondLimit for an amount out of range, ValueError for what is no goal or
    has an amount that does not suit its motion.
    """
    match = GOAL_PARTS.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no goal")
    settings = _posture(match["posture"])
    check_posture(settings["height"], settings["arms"], body)
    pace, skill = match["speed"] or "normal", match["motion"].replace(" ", "_")
    if bool(match["place"]) != (skill == "go_to"):
        raise ValueError(f"{text!r} is no goal: a place stands after 'go to', and only there")
    if skill == "go_to":
        return Goal.to(*_place(match["place"]), pace, **settings)
    if skill in goals.RETURN_SKILLS:
        return Goal.from_skill(skill, pace, **settings)
    velocity = _velocity(skill, pace, match["velocity"], settings["height"], body)
    if match["amount"]:
        kind, value = amount(match["amount"])
        settings[kind] = _snapped(value, kind)
    return VelocityGoal(*velocity, **settings)


def _closed(goal: Goal) -> Goal:
    """The goal with an end, so that the next one can start."""
    if not goal.open:
        return goal
    turns = goal.skill.startswith("turn")
    return replace(goal, degrees=DEFAULT_DEGREES) if turns else replace(goal, seconds=DEFAULT_SECONDS)


def _posture(text: str) -> dict:
    _, *words = text.split(", ")
    arms = ["rest", *(word.removeprefix("arms ").replace(" ", "_") for word in words if word != "low")]
    return {"height": "low" if "low" in words else "normal", "arms": arms[-1]}


def _place(text: str) -> tuple[float, float]:
    """Meters ahead and to the left."""
    at = {}
    for said, direction in PLACE_PARTS.findall(text):
        kind, meters = amount(said)
        if kind != "meters":
            raise ValueError(f"{text!r} is no place")
        if meters > float(most := goals.AMOUNTS["place"][-1]):
            raise BeyondLimit(f"{meters:g} m is too far for a place: at most {most} m")
        at[direction] = meters
    return at.get("ahead", 0.0) - at.get("behind", 0.0), at.get("left", 0.0) - at.get("right", 0.0)


def _velocity(skill: str, pace: str, said: str | None, height: str, body: Body) -> list[float]:
    """(vx, vy, wz): the skill's velocity, clipped to the limits of the robot, and what was said in numbers."""
    named = SKILLS[skill][SPEEDS.index(pace)]
    velocity, axis = list(named), main_axis(skill)
    low, high = body.speed_limits[axis]
    most = min(high, body.low_speed) if height == "low" and axis == 0 else high
    velocity[axis] = min(max(velocity[axis], low), most)
    while velocity[axis] and not body.reaches(velocity):  # the turn of a curve takes its share of the reach
        velocity[axis] = round(velocity[axis] - math.copysign(goals.GRID_STEP, velocity[axis]), 1)
    if not said:
        return velocity
    if skill == "stand":
        raise ValueError("standing has no speed")
    for spelled, way in VELOCITY_PARTS.findall(said):
        unit, value = speed(spelled)
        index = 2 if unit == "rad/s" else {"forward": 0, "backward": 0, "left": 1, "right": 1}.get(way, axis)
        if index == 2 and not named[2] and not way:
            raise ValueError(f"{skill} has no yaw rate")
        if index != 2 and axis == 2:
            raise ValueError(f"{skill} has no speed in m/s")
        sign = {"backward": -1, "right": -1}.get(way) or (1 if way else -1 if named[index] < 0 else 1)
        velocity[index] = sign * value
    check_velocity(velocity, height, body)
    for index, unit in enumerate(UNITS):
        if velocity[index]:
            velocity[index] = math.copysign(_snapped(abs(velocity[index]), unit), velocity[index])
    return velocity


def _snapped(value: float, kind: str) -> float:
    nearest = snap(value, kind)
    if nearest is None:
        steps = goals.GRID["vx" if kind == "m/s" else "wz"]
        least, *_, most = goals.AMOUNTS.get(kind, (f"{goals.GRID_STEP:g}", f"{steps[-1]:g}"))
        raise BeyondLimit(f"{value:g} {kind} is out of range: from {least} to {most} {kind}")
    return nearest


def check_posture(height: str, arms: str, body: Body) -> None:
    """Raise BeyondLimit for a posture that the robot does not have."""
    if height not in body.heights:
        raise BeyondLimit(f"this robot ({body.name}) cannot crouch")
    if arms not in body.arms:
        raise BeyondLimit(f"this robot ({body.name}) cannot do that with its arms: {arms.replace('_', ' ')}")


def check_velocity(velocity: Sequence[float], height: str, body: Body) -> None:
    """Raise BeyondLimit for a velocity (vx, vy, wz) that the robot does not reach."""
    for value, limits, unit, motions in zip(velocity, body.speed_limits, UNITS, MOTIONS, strict=True):
        limit = abs(limits[value > 0])
        if abs(value) > limit + TOLERANCE:
            raise BeyondLimit(
                f"{abs(value):g} {unit} is too fast: this robot {motions[value > 0]} at {limit:g} {unit} at most"
            )
    if height == "low" and abs(velocity[0]) > body.low_speed + TOLERANCE:
        raise BeyondLimit(f"{abs(velocity[0]):g} m/s is too fast in a crouch: {body.low_speed:g} m/s at most")


def score(found: Sequence[GoalProgram], meant: Sequence[GoalProgram]) -> dict[str, float | None]:
    """Shares of programs that are exactly right (of all, of single goals, and of several goals), of refusals that were
    refused, and of others that were refused. None where there is nothing to count.
    """
    pairs = list(zip(found, meant, strict=True))
    # The reason of a refusal does not count.
    right = [(mine.refused if gold.refused else mine == gold, len(gold.goals)) for mine, gold in pairs]
    counted = {
        "exact": [same for same, _ in right],
        "exact_single": [same for same, count in right if count == 1],
        "exact_more": [same for same, count in right if count > 1],
        "refusals_right": [mine.refused for mine, gold in pairs if gold.refused],
        "spurious_refusals": [mine.refused for mine, gold in pairs if not gold.refused],
    }
    return {name: sum(values) / len(values) if values else None for name, values in counted.items()}

"""Limits of a robot. They are checked after a sentence is read, so that the language model need not know them."""

from collections.abc import Sequence

from agent.bodies import Body
from agent.goals import UNITS

# Axis -> what the robot does in its negative and its positive direction.
MOTIONS = (("walks backward", "goes forward"), ("sidesteps right", "sidesteps left"), ("turns right", "turns left"))
TOLERANCE = 1e-6


class BeyondLimit(ValueError):
    """Something that this robot cannot do; the message is for the user."""


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

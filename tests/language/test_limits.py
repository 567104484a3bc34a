"""The limits of a robot: said with the value and what it can do."""

from dataclasses import replace

import pytest

from agent.bodies import find_body
from agent.language.limits import BeyondLimit, check_posture, check_velocity

HUMANOID = find_body("humanoid")
PLAIN = replace(HUMANOID, arm_joints=(), arm_poses={}, wave_swing=(), crouch_height=None)


@pytest.mark.parametrize(
    ("velocity", "height", "words"),
    [
        ((4.0, 0, 0), "normal", "4 m/s is too fast: this robot goes forward at 3 m/s at most"),
        ((-1.0, 0, 0), "normal", "walks backward at 0.6 m/s"),
        ((0, 0.8, 0), "normal", "sidesteps left at 0.6 m/s"),
        ((0, 0, -2.0), "normal", "turns right at 1.2 rad/s"),
        ((1.4, 0, 0), "low", "1.4 m/s is too fast in a crouch: 1 m/s at most"),
    ],
)
def test_a_velocity_beyond_the_robot_names_its_limit(velocity, height, words):
    with pytest.raises(BeyondLimit, match=words):
        check_velocity(velocity, height, HUMANOID)


def test_what_the_robot_reaches_passes():
    check_velocity((3.0, 0, 0), "normal", HUMANOID)
    check_posture("low", "wave_left", HUMANOID)


@pytest.mark.parametrize(
    ("height", "arms", "words"),
    [("normal", "wave_left", "with its arms: wave left"), ("low", "rest", "cannot crouch")],
)
def test_a_robot_without_a_posture_refuses_it(height, arms, words):
    with pytest.raises(BeyondLimit, match=words):
        check_posture(height, arms, PLAIN)

"""The limits of a robot: said with the value and what it can do."""

from dataclasses import replace

import pytest

from agent.bodies import find_body
from agent.goals import Goal, GoalProgram
from agent.language.limits import BeyondLimit, check_limits, check_posture, check_velocity

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
    program = GoalProgram((Goal(1.0, height="low", seconds=2), Goal.home(arms="up")))
    assert check_limits(program, HUMANOID) is program


def test_a_robot_without_a_posture_refuses_it():
    program = GoalProgram((Goal(arms="up"),))
    assert check_limits(program, PLAIN).refusal == "limit" and "arms" in check_limits(program, PLAIN).reason
    assert "cannot crouch" in check_limits(GoalProgram((Goal(height="low"),)), PLAIN).reason

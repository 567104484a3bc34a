import math

import numpy as np
import pytest

from agent.env import CONTROL_SECONDS, heading_observation, heading_velocity
from agent.feedback import GoalOutcome, Odometry, observed_velocity, summarize, verdict
from agent.goals import Goal


def observation(forward=0.0, sideways=0.0, yaw_rate=0.0):
    qpos, qvel = np.zeros(24), np.zeros(23)
    qpos[2], qpos[3], qvel[0], qvel[1], qvel[5] = 1.3, 1.0, forward, sideways, yaw_rate
    return heading_observation(qpos, qvel)


def outcome(goal, **measured):
    values = {
        "seconds": 2.0,
        "meters": 0.0,
        "degrees": 0.0,
        "velocity": goal.velocity,
        "fell": False,
        "timed_out": False,
    }
    return GoalOutcome(goal, **(values | measured))


def test_the_velocity_read_from_an_observation_is_that_of_the_body():
    rng = np.random.default_rng(0)
    qpos, qvel = rng.normal(size=(50, 24)), rng.normal(size=(50, 23))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    for positions, velocities in zip(qpos, qvel, strict=True):
        read = observed_velocity(heading_observation(positions, velocities))
        np.testing.assert_allclose(read, heading_velocity(positions, velocities), atol=1e-5)


def test_two_meters_at_one_meter_a_second_end_after_two_seconds():
    odometry = Odometry(Goal(1.0, meters=2.0))
    while not odometry.reached:
        odometry.add(observation(forward=1.0))
    assert odometry.seconds == pytest.approx(2.0, abs=2 * CONTROL_SECONDS)
    assert odometry.outcome().met


def test_a_turn_is_measured_in_the_direction_of_the_command():
    odometry = Odometry(Goal(0.0, 0.0, -0.8, degrees=90))
    for _ in range(round(math.pi / 2 / 0.8 / CONTROL_SECONDS) + 1):
        odometry.add(observation(yaw_rate=-0.8))
    assert odometry.reached
    assert odometry.degrees == pytest.approx(-90, abs=1)
    wrong_way = Odometry(Goal(0.0, 0.0, -0.8, degrees=90))
    for _ in range(1000):
        wrong_way.add(observation(yaw_rate=0.8))
    assert not wrong_way.reached
    assert wrong_way.timed_out
    assert not wrong_way.outcome().met


def test_a_sidestep_counts_sideways_meters_only():
    odometry = Odometry(Goal(0.0, 0.4, 0.0, meters=1.0))
    for _ in range(100):
        odometry.add(observation(forward=1.0, sideways=0.2))
    assert odometry.meters == pytest.approx(100 * 0.2 * CONTROL_SECONDS, rel=1e-4)


def test_an_open_goal_is_never_reached_and_never_times_out():
    odometry = Odometry(Goal(1.0))
    for _ in range(3000):
        odometry.add(observation())
    assert not odometry.reached
    assert not odometry.timed_out


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        (Goal(1.0, meters=2.0), {"meters": 2.29}, True),
        (Goal(1.0, meters=2.0), {"meters": 2.31}, False),
        (Goal(1.0, meters=4.0), {"meters": 3.41}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 104}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 106}, False),
        (Goal(1.0, seconds=2.0), {"velocity": (0.81, 0.0, 0.0)}, True),
        (Goal(1.0, seconds=2.0), {"velocity": (0.79, 0.0, 0.0)}, False),
        (Goal(1.0, seconds=2.0), {"fell": True}, False),
    ],
)
def test_a_goal_is_met_within_its_tolerance(goal, measured, met):
    assert outcome(goal, **measured).met is met


def test_the_verdict_names_the_goal_that_failed_and_why():
    walk, turn = Goal(1.0, meters=2.0), Goal(0.0, 0.0, 0.8, degrees=90)
    done, fallen = outcome(walk, meters=2.0), outcome(turn, fell=True, seconds=1.2)
    assert verdict([done, fallen], 2) == "goal 2 of 2 (turn_left) fell after 1.2 s"
    assert verdict([done], 2) == "1 of 2 goals were not started"
    assert verdict([done], 1) == "all 1 goals met"
    assert summarize([done, fallen]).count("\n") == 1

import math

import numpy as np
import pytest

from agent.bodies.humanoid import HUMANOID
from agent.feedback.outcomes import judge
from agent.feedback.pursuit import Odometry, Pursuit, measure
from agent.goals import Goal
from agent.simulation.heading import heading_observation

CONTROL_SECONDS = HUMANOID.control_seconds


def observation(forward=0.0, sideways=0.0, yaw_rate=0.0):
    qpos, qvel = np.zeros(24), np.zeros(23)
    qpos[2], qpos[3], qvel[0], qvel[1], qvel[5] = 1.3, 1.0, forward, sideways, yaw_rate
    return np.append(heading_observation(qpos, qvel), [9.0, 9.0, 9.0])  # a command, which is not measured


def test_two_meters_at_one_meter_a_second_end_after_two_seconds():
    odometry = Odometry(Goal(1.0, meters=2.0), HUMANOID)
    while not odometry.reached:
        odometry.add(observation(forward=1.0))
    assert odometry.seconds == pytest.approx(2.0, abs=2 * CONTROL_SECONDS)
    assert odometry.outcome().met


def test_a_turn_is_measured_in_the_direction_of_the_command():
    odometry = Odometry(Goal(0.0, 0.0, -0.8, degrees=90), HUMANOID)
    for _ in range(round(math.pi / 2 / 0.8 / CONTROL_SECONDS) + 1):
        odometry.add(observation(yaw_rate=-0.8))
    assert odometry.reached
    assert odometry.degrees == pytest.approx(-90, abs=1)
    wrong_way = Odometry(Goal(0.0, 0.0, -0.8, degrees=90), HUMANOID)
    for _ in range(1000):
        wrong_way.add(observation(yaw_rate=0.8))
    assert not wrong_way.reached
    assert wrong_way.timed_out
    assert not wrong_way.outcome().met


def test_a_sidestep_counts_sideways_meters_only():
    odometry = Odometry(Goal(0.0, 0.4, 0.0, meters=1.0), HUMANOID)
    for _ in range(100):
        odometry.add(observation(forward=1.0, sideways=0.2))
    assert odometry.meters == pytest.approx(100 * 0.2 * CONTROL_SECONDS, rel=1e-4)


def test_an_open_goal_is_never_reached_and_never_times_out():
    odometry = Odometry(Goal(1.0), HUMANOID)
    for _ in range(3000):
        odometry.add(observation())
    assert not odometry.reached
    assert not odometry.timed_out


def walk(pursuit, steps, **velocity):
    for _ in range(steps):
        pursuit.add(observation(**velocity))


def test_a_goal_that_was_missed_is_repaired_before_the_next_begins_and_the_repair_counts_for_it():
    goals = (Goal(1.0, meters=2.0), Goal(0.0, 0.0, 0.8, degrees=90))
    cut_short = (Goal(1.0, meters=0.8), goals[1])
    pursuit = Pursuit(goals, HUMANOID, cut_short, judge, max_corrections=2)
    walk(pursuit, 54, forward=1.0)
    assert pursuit.goal == Goal(1.0, meters=1.2)
    (correction,) = pursuit.corrections
    assert (correction.number, correction.assessment.cause) == (1, "end")
    walk(pursuit, 81, forward=1.0)
    assert pursuit.goal == goals[1]
    assert pursuit.outcomes[0].met and pursuit.outcomes[0].meters == pytest.approx(2.0, abs=0.1)


def test_without_a_judge_a_goal_stays_missed():
    pursuit = Pursuit((Goal(1.0, meters=2.0),), HUMANOID, (Goal(1.0, meters=0.8),))
    walk(pursuit, 54, forward=1.0)
    assert pursuit.over and not pursuit.success and not pursuit.corrections


def test_a_goal_is_repaired_no_more_often_than_it_may_be():
    pursuit = Pursuit((Goal(1.0, seconds=1.0),), HUMANOID, judge=judge, max_corrections=2)
    walk(pursuit, 1000)  # it stands, whatever the goal is
    assert pursuit.over and not pursuit.success and len(pursuit.corrections) == 2


def test_a_fall_ends_a_pursuit():
    pursuit = Pursuit((Goal(1.0, seconds=1.0), Goal()), HUMANOID, judge=judge, max_corrections=2)
    pursuit.add(observation(), fell=True)
    assert pursuit.over and pursuit.fell and not pursuit.success
    assert pursuit.goal == Goal()
    assert not pursuit.add(observation())


def test_drift_and_heading_are_measured_from_the_first_step_of_the_goal():
    odometry = Odometry(Goal(1.0, seconds=10.0), HUMANOID)
    for _ in range(round(1.5 / CONTROL_SECONDS)):  # a body is given time to get going
        odometry.add(observation(sideways=0.5))
    assert odometry.drift == pytest.approx(0, abs=0.01)
    for _ in range(round(math.pi / 2 / CONTROL_SECONDS)):
        odometry.add(observation(yaw_rate=1.0))
    for _ in range(100):
        odometry.add(observation(forward=1.0))  # now to the left of where it faced
    assert odometry.outcome().degrees == pytest.approx(90, abs=1)
    assert odometry.drift == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("goal", [Goal(1.0), Goal(0.0, -0.4, 0.0, meters=2.0), Goal(1.0, 0.0, 0.4), Goal()])
def test_many_steps_counted_at_once_are_the_same_as_one_by_one(goal):
    rng = np.random.default_rng(0)
    rows = np.array([observation(*rng.normal(size=3)) for _ in range(200)])
    odometry = Odometry(goal, HUMANOID)
    for row in rows:
        odometry.add(row)
    counted, at_once = odometry.outcome(), measure(goal, rows, HUMANOID)
    assert counted.velocity == pytest.approx(at_once.velocity, abs=1e-5)
    for name in ("seconds", "meters", "degrees", "drift", "uprightness"):
        assert getattr(counted, name) == pytest.approx(getattr(at_once, name), abs=1e-4)

"""A body on its way through a program; bodies here go exactly where they are told, or where a test moves them."""

import math

import numpy as np
import pytest

import agent
from agent.bodies.g1 import G1
from agent.bodies.humanoid import HUMANOID
from agent.feedback.outcomes import judge
from agent.feedback.pursuit import Odometry, Pursuit, measure, steer
from agent.goals import GRID_STEP, Goal, Pose, Progress, VelocityGoal
from agent.simulation.heading import heading_observation, yaw

SECONDS = HUMANOID.control_seconds


def observation(forward=0.0, sideways=0.0, yaw_rate=0.0):
    qpos, qvel = np.zeros(24), np.zeros(23)
    qpos[2], qpos[3], qvel[0], qvel[1], qvel[5] = 1.3, 1.0, forward, sideways, yaw_rate
    return np.append(heading_observation(qpos, qvel), [9.0] * 5)  # a command, which is not measured


class Walker:
    """A body that takes up what it is told with a delay, as bodies do, and drifts."""

    def __init__(self, pursuit, drift=(0.0, 0.0, 0.0), delay=0.3):
        self.pursuit, self.drift, self.delay = pursuit, np.array(drift), delay
        self.pose, self.velocity, self.prompts = Pose(), np.zeros(3), 0

    def go(self, seconds=120.0):
        for _ in range(round(seconds / SECONDS)):
            if self.pursuit.over:
                break
            before, told = self.velocity, np.array(self.pursuit.command.velocity)
            moved = self.drift * (np.abs(told).max() > 0)
            self.velocity = before + SECONDS / self.delay * (told + moved - before)
            vx, vy, wz = (before + self.velocity) / 2 * SECONDS
            self.pose = self.pose.after(Pose(0.0, 0.0, wz / 2)).after(Pose(vx, vy, wz / 2))
            self.prompts += self.pursuit.add(observation(*self.velocity))
        return self


def walk(pursuit, steps, **velocity):
    for _ in range(steps):
        pursuit.add(observation(**velocity))


def test_odometry_follows_a_swaying_torso_around_a_circle():
    """A torso that rolls and pitches as it turns: the vertical part of its angular velocity is not its yaw rate."""
    times = np.arange(0, 10, SECONDS)
    angles = np.column_stack([0.2 * np.sin(6 * times), 0.2 * np.cos(6 * times), 0.5 * times])  # roll, pitch, yaw
    rates = np.column_stack([1.2 * np.cos(6 * times), -1.2 * np.sin(6 * times), np.full_like(times, 0.5)])
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles / 2).T, np.cos(angles / 2).T
    qpos, qvel = np.zeros((len(times), 24)), np.zeros((len(times), 23))
    qpos[:, 2] = 1.3
    qpos[:, 3:7] = np.column_stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )
    roll, pitch = angles[:, 0], angles[:, 1]
    qvel[:, 3] = rates[:, 0] - rates[:, 2] * np.sin(pitch)
    qvel[:, 4] = rates[:, 1] * np.cos(roll) + rates[:, 2] * np.sin(roll) * np.cos(pitch)
    qvel[:, 5] = -rates[:, 1] * np.sin(roll) + rates[:, 2] * np.cos(roll) * np.cos(pitch)
    qvel[:, 0], qvel[:, 1] = np.cos(0.5 * times), np.sin(0.5 * times)
    odometry = Odometry(HUMANOID)
    *_, (pose, _) = odometry.add(heading_observation(qpos, qvel)[1:])
    assert pose.heading == pytest.approx(0.5 * (len(times) - 1) * SECONDS, abs=0.01)
    assert math.remainder(pose.heading - yaw(qpos[-1]), math.tau) == pytest.approx(0, abs=0.01)
    assert (pose.x, pose.y) == pytest.approx((2 * math.sin(pose.heading), 2 - 2 * math.cos(pose.heading)), abs=0.03)


def test_odometry_of_a_gyro_that_averages_follows_a_torso_that_shakes_faster_than_it_is_observed():
    env = agent.make_env("g1")
    env.reset(seed=0)
    data = env.unwrapped.data
    odometry, start = Odometry(G1), yaw(data.qpos)
    readings = []  # single ones, at the end of each step
    for action in np.random.default_rng(0).uniform(-0.4, 0.4, (25, 29)):
        observation, *_ = env.step(action)
        readings.append(heading_observation(data.qpos, data.qvel))
        ((pose, _),) = odometry.add(observation)
    *_, (single, _) = Odometry(G1).add(np.array(readings))
    assert pose.heading == pytest.approx(yaw(data.qpos) - start, abs=2e-3)
    assert single.heading != pytest.approx(yaw(data.qpos) - start, abs=1e-2)


def test_two_meters_at_one_meter_a_second_end_after_two_seconds():
    pursuit = Pursuit((Goal(1.0, meters=2.0),), HUMANOID)
    while not pursuit.over:
        pursuit.add(observation(forward=1.0))
    assert pursuit.outcomes[0].seconds == pytest.approx(2.0, abs=2 * SECONDS)
    assert pursuit.success


def test_a_turn_is_measured_in_the_direction_of_the_command_and_times_out():
    goal = Goal(0.0, 0.0, -0.8, degrees=90)
    pursuit = Pursuit((goal,), HUMANOID)
    walk(pursuit, round(math.pi / 2 / 0.8 / SECONDS) + 1, yaw_rate=-0.8)
    assert pursuit.success and pursuit.outcomes[0].progress.degrees == pytest.approx(-90, abs=1)
    wrong_way = Pursuit((goal,), HUMANOID)
    walk(wrong_way, 1000, yaw_rate=0.8)
    assert wrong_way.over and wrong_way.outcomes[0].timed_out and not wrong_way.success


def test_an_open_goal_is_never_reached_and_never_times_out():
    pursuit = Pursuit((Goal(1.0),), HUMANOID)
    walk(pursuit, 1000)
    assert not pursuit.over


@pytest.mark.parametrize("drift", [(0.0, 0.0, 0.05), (0.0, -0.05, -0.03)])
@pytest.mark.parametrize(
    "goal", [VelocityGoal(1.0, meters=15), VelocityGoal(0.0, -0.4, meters=5), VelocityGoal(-0.4, meters=5)]
)
def test_a_straight_goal_keeps_its_line_and_its_heading_against_a_drift(goal, drift):
    walker = Walker(Pursuit((goal,), HUMANOID), drift).go()
    x, y, heading = walker.pose
    assert abs(goal.vx * y - goal.vy * x) / math.hypot(goal.vx, goal.vy) < 0.25
    assert abs(math.degrees(heading)) < 5
    assert walker.pursuit.success


@pytest.mark.parametrize("bearing", [0, 90, 135, 180, 270])
def test_a_place_is_reached_and_not_left_again(bearing):
    x, y = 3 * math.cos(math.radians(bearing)), 3 * math.sin(math.radians(bearing))
    walker = Walker(Pursuit((Goal.to(x, y), Goal(seconds=2.0)), HUMANOID), (0.0, 0.0, 0.03)).go()
    assert math.hypot(walker.pose.x - x, walker.pose.y - y) < 0.2
    assert walker.pursuit.outcomes[0].met


def test_it_comes_home_and_faces_the_start_by_the_shorter_way():
    goals = Goal(1.0, meters=2), Goal(0.0, 0.0, 0.8, degrees=250), Goal.home(), Goal.face_start()
    walker = Walker(Pursuit(goals, HUMANOID)).go()
    assert walker.pursuit.success
    assert math.hypot(walker.pose.x, walker.pose.y) < 0.25
    assert abs(math.degrees(math.remainder(walker.pose.heading, math.tau))) < 8
    turned = walker.pursuit.outcomes[3].progress.degrees
    assert abs(turned) <= 180


def test_the_errors_of_a_square_do_not_add_up():
    square = (Goal(1.0, meters=3), Goal(0.0, 0.0, 0.8, degrees=90)) * 4
    walker = Walker(Pursuit(square, HUMANOID), (0.0, 0.0, 0.03)).go()
    assert math.hypot(walker.pose.x, walker.pose.y) < 0.3
    assert abs(math.degrees(walker.pose.heading - math.tau)) < 15


def test_a_goal_that_ended_far_from_its_plan_is_followed_from_where_the_body_is():
    pursuit = Pursuit((Goal(1.0, meters=2), Goal(1.0, meters=1)), HUMANOID)
    walk(pursuit, round(1 / SECONDS), yaw_rate=1.0)
    while not pursuit.outcomes:
        pursuit.add(observation(forward=1.0))
    walk(pursuit, 1, forward=1.0)
    walk(pursuit, round(1 / SECONDS), forward=1.0)
    assert pursuit.outcomes[1].progress.degrees == pytest.approx(0, abs=1)


def test_an_actor_is_told_an_open_velocity_on_the_grid_and_seldom_another():
    walker = Walker(Pursuit((Goal(1.0, meters=15, height="low", arms="up"),), HUMANOID), (0.0, 0.0, 0.03))
    told = walker.pursuit.command
    assert told == VelocityGoal(1.0, height="low", arms="up") and told.open
    walker.go()
    assert walker.prompts / walker.pursuit.outcomes[0].seconds < 2


def test_what_is_told_is_held_until_the_goal_wants_something_else_by_more_than_half_a_step():
    goal = VelocityGoal(1.0)
    off = [Progress(1.0, Pose(0.0, 0.0, heading), Pose(), 0.0, 1.0) for heading in (-0.02, -0.05, -0.1)]
    assert [steer(goal, each, HUMANOID, goal).wz for each in off] == [0.0, pytest.approx(0.2), pytest.approx(0.4)]


@pytest.mark.parametrize("heading", [-0.1, -0.2, 0.4])
def test_at_full_speed_it_slows_down_to_turn(heading):
    told = steer(VelocityGoal(3.0), Progress(1.0, Pose(heading=heading), Pose(), 0.0, 1.0), HUMANOID)
    assert told.wz * heading < 0 and HUMANOID.reach(told.velocity) <= 1 + 1e-6
    begin = Progress(0.0, Pose(), Pose(), 0.0, 0.0)
    assert steer(VelocityGoal(3.0, wz=0.4, degrees=90), begin, HUMANOID).wz > 0


def test_nothing_is_told_beyond_the_reach_of_the_body():
    for told in (
        steer(VelocityGoal(3.0), Progress(1.0, Pose(heading=-0.2), Pose(), 0.0, 0.0), HUMANOID),
        steer(Goal.to(5, 4, "fast"), Progress(0.0, Pose(), Pose(), 0.0, 0.0), HUMANOID),
        steer(Goal.to(5, 0, "fast", height="low"), Progress(0.0, Pose(), Pose(), 0.0, 0.0), HUMANOID),
    ):
        assert HUMANOID.reach(told.velocity) <= 1 + 1e-6 and told == told.on_grid()
        assert told.height == "normal" or told.vx <= HUMANOID.low_speed + GRID_STEP / 10


def test_a_goal_that_was_missed_is_repaired_before_the_next_begins_and_the_repair_counts_for_it():
    goals = (Goal(1.0, meters=2.0), Goal(0.0, 0.0, 0.8, degrees=90))
    cut_short = (Goal(1.0, meters=0.8), goals[1])
    pursuit = Pursuit(goals, HUMANOID, cut_short, judge, max_corrections=2)
    walk(pursuit, 54, forward=1.0)
    assert pursuit.goal == Goal(1.0, meters=1.2)
    (correction,) = pursuit.corrections
    assert (correction.number, correction.assessment.cause) == (1, "end")
    walk(pursuit, 81, forward=1.0)
    assert pursuit.goal == goals[1] and pursuit.command == VelocityGoal(0.0, 0.0, 0.8)
    assert pursuit.outcomes[0].met and pursuit.outcomes[0].progress.pose.x == pytest.approx(2.0, abs=0.1)


def test_a_place_that_was_missed_is_gone_to_again():
    goal = Goal.to(2, 1)
    pursuit = Pursuit((goal,), HUMANOID, (Goal.to(1, 0),), judge, max_corrections=1)
    walker = Walker(pursuit).go()
    assert pursuit.success and math.hypot(walker.pose.x - 2, walker.pose.y - 1) < 0.3
    assert pursuit.corrections[0].goals[0].skill == "go_to"


def test_a_drift_is_repaired_from_where_the_body_is():
    pursuit = Pursuit((Goal(1.0, meters=2.0),), HUMANOID, judge=judge, max_corrections=1)
    while not pursuit.corrections:
        pursuit.add(observation(forward=1.0, sideways=0.2))
    assert pursuit.goal == Goal(0.0, -0.4, meters=0.4)
    while not pursuit.over:
        pursuit.add(observation(sideways=-0.4))
    assert pursuit.success


def test_a_repair_without_an_end_is_left_out():
    pursuit = Pursuit((Goal(1.0, seconds=1.0),), HUMANOID, judge=lambda _: (None, (Goal(1.0),)), max_corrections=1)
    walk(pursuit, 70)
    assert pursuit.over and not pursuit.corrections


def test_without_a_judge_a_goal_stays_missed():
    pursuit = Pursuit((Goal(1.0, meters=2.0),), HUMANOID, (Goal(1.0, meters=0.8),))
    walk(pursuit, 54, forward=1.0)
    assert pursuit.over and not pursuit.success and not pursuit.corrections


def test_a_goal_is_repaired_no_more_often_than_it_may_be():
    pursuit = Pursuit((Goal(1.0, seconds=1.0),), HUMANOID, judge=judge, max_corrections=2)
    walk(pursuit, 1000)  # it stands, whatever the goal is
    assert pursuit.over and not pursuit.success and len(pursuit.corrections) == 2


def test_after_a_turn_the_body_stands_and_does_not_turn_back():
    pursuit = Pursuit((Goal(wz=0.8, degrees=90),), HUMANOID)
    walk(pursuit, 200, yaw_rate=0.8)
    assert pursuit.over and pursuit.success and pursuit.command == Goal()


def test_a_fall_ends_a_pursuit():
    pursuit = Pursuit((Goal(1.0, seconds=1.0), Goal()), HUMANOID, judge=judge, max_corrections=2)
    assert pursuit.add(observation(), fell=True)
    assert pursuit.over and pursuit.fell and not pursuit.success
    assert pursuit.command == pursuit.goal == Goal()
    assert not pursuit.add(observation())


def test_steps_counted_one_by_one_are_the_same_as_all_at_once():
    rng = np.random.default_rng(0)
    rows = np.array([observation(*rng.normal(size=3)) for _ in range(200)])
    goal = VelocityGoal(1.0, 0.0, 0.4, height="low", arms="up")
    pursuit = Pursuit((goal,), HUMANOID)
    for row in rows:
        pursuit.add(row)
    pursuit.stop()
    assert pursuit.outcomes[0] == measure(goal, rows, HUMANOID)
    assert pursuit.outcomes[0].too_high > 0 and pursuit.outcomes[0].arms_off > 0

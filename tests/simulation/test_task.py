"""The reward for following a command, and the commands that lead to a goal."""

from dataclasses import replace

import numpy as np
import pytest
from poses import mirrored_commands, mirrored_state, random_states, standing, turned

from agent.bodies.humanoid import HUMANOID
from agent.goals import ARMS, Goal, GoalProgram
from agent.simulation.heading import yaw
from agent.simulation.physics import BodyState
from agent.simulation.task import (
    RISE_SECONDS,
    GoalTask,
    RewardWeights,
    advance_phase,
    approach,
    assisting_forces,
    cadence,
    closeness,
    feature_sizes,
    feet_apart,
    goal_commands,
    moving,
)

WEIGHTS = RewardWeights()


def task_at(state: BodyState, command=(0.0, 0.0, 0.0, 0.0, 0.0), weights: RewardWeights = WEIGHTS) -> GoalTask:
    """A task of bodies that begin at `state` and are asked for `command` at once."""
    task = GoalTask(HUMANOID, len(state.qpos), weights)
    task.begin(np.arange(len(state.qpos)), state)
    task.commands[:] = command
    return task


def step(task: GoalTask, state: BodyState, phase: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The reward for arriving at `state` without any torque."""
    return task.step(state, np.zeros((len(state.qpos), 17), dtype=np.float32), phase)


def test_forces_that_help_lead_to_the_height_and_the_velocity_of_a_low_command_and_lean_ahead():
    state = standing(3, HUMANOID)
    state.qpos[:, 2] = HUMANOID.torso_height
    commands = np.array([[0.5, 0, 0, 1, 0], [0.5, 0, 0, 0.2, 0], [0.5, 0, 0, 0, 0]])
    low, higher, normal = assisting_forces(state, commands, HUMANOID, mass=40.0)
    np.testing.assert_allclose(low, [75, 0, -110, 0, 120 * np.sin(0.2), 0], atol=1e-3)
    np.testing.assert_allclose(higher[:3], [0.6 * 75, 0, 0.6 * -22], atol=1e-3)
    assert not normal.any()


def test_forces_that_help_turn_with_the_body_and_have_limits():
    (qpos, qvel), commands = random_states(3, 50), np.tile([0.5, -0.2, 0.3, 1.0, 0.0], (50, 1))
    feet, angle = np.zeros((50, 2, 3)), 0.7
    forces = assisting_forces(BodyState(qpos, qvel, feet), commands, HUMANOID, 40.0).reshape(50, 2, 3)
    image = assisting_forces(BodyState(*turned(qpos, qvel, angle), feet), commands, HUMANOID, 40.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    np.testing.assert_allclose(image.reshape(50, 2, 3), forces @ rotation.T, atol=1e-2)
    assert np.abs(forces[:, 0, 2]).max() == pytest.approx(400)


def test_a_command_followed_exactly_is_worth_one_and_opposed_less_than_nothing():
    size = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(closeness(np.zeros(3), size), 1.0)
    np.testing.assert_allclose(closeness(np.full(3, 100.0), size), -0.4)
    # error .5 at 1 m/s: .4 of 1 - .5 / 1.3, .4 of exp(-(.5 / .5)^2), .2 of exp(-(.5 / .16)^2)
    parts = 0.4 * (1 - 0.5 / 1.3), 0.4 * np.exp(-1), 0.2 * np.exp(-((0.5 / 0.16) ** 2))
    np.testing.assert_allclose(closeness(np.array([0.5]), np.array([1.0])), sum(parts))


def test_standing_still_earns_less_than_walking_where_walking_is_asked():
    state = standing(2, HUMANOID)
    state.qvel[1, 0] = 1.0
    parts = step(task_at(state, (1.0, 0.0, 0.0, 0.0, 0.0)), state)
    assert parts["tracking"][1] == pytest.approx(WEIGHTS.tracking_weight)
    assert sum(parts.values())[1] > sum(parts.values())[0]


def test_the_clock_makes_the_feet_alternate_and_waits_while_the_body_stands():
    commands = np.zeros((3, 5))
    commands[:, 0] = 0, 1, 3
    phase, cycles = np.full((3, 2), 0.4), np.zeros(3)
    steps = round(1 / HUMANOID.control_seconds)
    for _ in range(steps):
        later = advance_phase(phase, commands, HUMANOID)
        cycles += (later - phase)[:, 0] % 1
        phase = later
    assert phase[0, 0] == 0 and not phase[:, 1].any()
    rate = cadence(commands, HUMANOID)
    np.testing.assert_allclose(2 * cycles[1:], rate[1:] * steps * HUMANOID.control_seconds)
    assert 1 < rate[1] < rate[2] < 4


def test_feet_in_step_with_the_clock_earn_more_than_feet_out_of_step_or_still_or_high_in_the_air():
    state = standing(4, HUMANOID)
    # height above the ground of the right and the left foot
    in_step, against, still, high = (0.0, 0.1), (0.1, 0.0), (0.0, 0.0), (0.0, 0.4)
    state.feet[..., 2] += [in_step, against, still, high]
    state.feet[..., 1] = 0
    task = task_at(state, (1.0, 0.0, 0.0, 0.0, 0.0))
    task.phase[:, 0] = 0.25  # the middle of the left foot's swing
    gait = step(task, state)["gait"]
    assert gait[0] > gait[3] > gait[2] > gait[1]
    np.testing.assert_allclose(gait[0], WEIGHTS.gait_weight, rtol=0.01)
    assert step(task, state)["stride"][2] > 0


def test_a_given_phase_replaces_the_clock():
    state = standing(2, HUMANOID)
    state.feet[:, 1, 2] += 0.1
    gait = step(task_at(state, (1.0, 0.0, 0.0, 0.0, 0.0)), state, phase=np.array([[0.25, 0.0], [0.75, 0.0]]))["gait"]
    assert gait[0] == pytest.approx(WEIGHTS.gait_weight) and gait[1] < 0


def test_a_standing_body_earns_most_with_its_feet_side_by_side_and_hip_wide():
    state = standing(3, HUMANOID)
    state.feet[:, 1] = state.feet[:, 0] + [[0.0, 0.2, 0.0], [0.0, 0.05, 0.0], [0.3, 0.2, 0.0]]
    stride = step(task_at(state), state)["stride"]
    assert stride[0] == pytest.approx(WEIGHTS.stride_weight)
    assert stride[0] > stride[1] + 1 and stride[0] > stride[2] + 1


def test_arms_at_rest_cost_nothing_and_raised_ones_do():
    state = standing(2, HUMANOID)
    state.qpos[0, 7:] = HUMANOID.rest_angles
    posture = step(task_at(state), state)["posture"]
    assert posture[0] == 0 > posture[1]


def test_feet_that_slide_on_the_ground_cost_their_speed_and_lifted_ones_nothing():
    before, after = standing(3, HUMANOID), standing(3, HUMANOID)
    after.feet[1:, 0, 0] += 0.003  # the right foot, at 0.2 m/s
    after.feet[2, 0, 2] += 0.1
    slip = step(task_at(before), after)["slip"]
    np.testing.assert_allclose(slip, [0, -WEIGHTS.slip_weight * 0.2, 0], atol=1e-12)


def test_torques_cost_their_square_and_their_change():
    state = standing(1, HUMANOID)
    task = task_at(state)
    action = np.full((1, 17), 0.5, dtype=np.float32)
    first, second = task.step(state, action), task.step(state, action)
    np.testing.assert_allclose(first["control"], -WEIGHTS.control_weight * 17 * 0.25)
    np.testing.assert_allclose(first["action_rate"], -WEIGHTS.action_rate_weight * 17 * 0.25)
    np.testing.assert_allclose(second["action_rate"], 0)


def test_the_feet_are_measured_in_the_heading_frame():
    state = standing(1, HUMANOID)
    state.qpos[0, 3:7] = np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)  # faces along y
    state.feet[0] = [[0.1, 0.0, 0.0], [-0.1, 0.3, 0.0]]
    np.testing.assert_allclose(feet_apart(state), [[0.3, 0.2]], atol=1e-12)


def astride(state: BodyState) -> BodyState:
    """The same bodies, one foot half a meter ahead of the other: the left one in the first half, the right one in the
    rest.
    """
    apart = np.stack([np.cos(yaw(state.qpos)), np.sin(yaw(state.qpos))], axis=-1) / 4
    apart[len(apart) // 2 :] *= -1
    feet = state.feet.copy()
    feet[:, 0, :2], feet[:, 1, :2] = state.qpos[:, :2] - apart, state.qpos[:, :2] + apart
    return BodyState(state.qpos, state.qvel, feet)


def test_a_body_that_starts_with_one_foot_ahead_steps_with_the_other_one_first():
    state = astride(BodyState(*random_states(0, 8), np.zeros((8, 2, 3))))
    np.testing.assert_array_equal(task_at(state).phase, [[0.5, 0]] * 4 + [[0, 0]] * 4)


def test_left_and_right_earn_the_same_and_are_remembered_in_the_mirror():
    rng, model = np.random.default_rng(2), HUMANOID.load_model()
    states = [BodyState(*random_states(seed, 8), rng.normal(0.1, 0.1, (8, 2, 3))) for seed in range(30)]
    states[0] = astride(states[0])  # so that the clocks start half a cycle apart
    images = [mirrored_state(state, model) for state in states]
    actions = rng.uniform(-1, 1, (30, 8, 17)).astype(np.float32)
    # All of them walk: the clock of a standing body has no mirror image.
    velocities = rng.uniform([0.2, -0.6, -1.2], HUMANOID.limits[1], (8, 3))
    commands = np.column_stack([velocities, np.linspace(0, 1, 8), np.arange(8) % 5]).astype(np.float32)
    task, image = task_at(states[0], commands), task_at(images[0], mirrored_commands(commands))
    for each in (task, image):
        each.goals = each.commands.copy()
    source, sign = HUMANOID.action_mirror
    for number, (state, state_image, action) in enumerate(zip(states, images, actions, strict=True)):
        task.lead()
        image.lead()
        parts, image_parts = task.step(state, action), image.step(state_image, action[:, source] * sign)
        for name in parts:
            np.testing.assert_allclose(parts[name], image_parts[name], atol=1e-5, err_msg=f"{name} at step {number}")
    (even, odd), (image_even, image_odd) = task.features(states[-1]), image.features(images[-1])
    assert (even.shape[1], odd.shape[1]) == feature_sizes(HUMANOID) == (14, 14)
    np.testing.assert_allclose(image_even, even, atol=1e-5)
    np.testing.assert_allclose(image_odd, -odd, atol=1e-5)
    assert np.abs(odd).max(0).min() > 0.01, "every feature takes part"


def test_commands_go_to_a_goal_at_a_rate_and_more_slowly_to_a_stop():
    commands = np.zeros((5, 5), dtype=np.float32)
    goals = commands.copy()
    goals[0, :3], commands[1, 0], goals[2, 0], commands[2, 0], goals[3, 3:] = (2.8, 0.4, -0.8), 2.8, 1.0, 1.0, (1, 4)
    commands[4, 3] = 1  # in a crouch
    seconds = np.zeros(5)
    while not np.array_equal(commands, goals):
        seconds += HUMANOID.control_seconds * (commands != goals).any(1)
        commands = approach(commands, goals, HUMANOID)
        assert commands[3, 4] == 4, "arms change at once"
    expected = [2.8 / HUMANOID.acceleration[0], 2.8 / HUMANOID.braking[0], 0.0, HUMANOID.crouch_seconds, RISE_SECONDS]
    np.testing.assert_allclose(seconds, expected, atol=HUMANOID.control_seconds)


def test_a_body_begins_with_the_command_of_its_own_velocity_within_its_limits():
    state = standing(2, HUMANOID)
    state.qvel[:, :2] = [[1.5, 0.2], [9.0, -5.0]]
    task = GoalTask(HUMANOID, 2, WEIGHTS)
    task.begin(np.arange(2), state)
    np.testing.assert_allclose(task.commands[:, :3], [[1.5, 0.2, 0.0], [3.0, -0.6, 0.0]], rtol=1e-6)
    np.testing.assert_array_equal(moving(task.commands), [True, True])
    np.testing.assert_array_equal(moving(np.array([[0.05, -0.05, 0, 1, 1], [0, 0, 0.2, 0, 0]])), [False, True])


def test_a_body_that_begins_anew_has_no_past():
    states = [BodyState(*random_states(seed, 2), np.full((2, 2, 3), 0.5)) for seed in range(5)]
    task, fresh = task_at(states[0]), GoalTask(HUMANOID, 2, WEIGHTS)
    for state in states:
        task.step(state, np.full((2, 17), 0.5, dtype=np.float32))
    kept = {name: value[1].copy() for name, value in task.memory.items()}
    task.begin(np.array([0]), states[0])
    fresh.begin(np.arange(2), states[0])
    arrays = {name for name, value in vars(task).items() if name[0] != "_" and isinstance(value, np.ndarray)}
    assert arrays == task.memory.keys() > {"goals", "commands", "phase", "error", "last_action", "last_feet"}
    for name, value in task.memory.items():
        np.testing.assert_array_equal(value[0], fresh.memory[name][0], err_msg=name)
        np.testing.assert_array_equal(value[1], kept[name], err_msg=name)


def crouching(height: float, bend: float) -> BodyState:
    """Two bodies at rest with the torso at a height and both knees bent."""
    state = standing(2, HUMANOID)
    state.qpos[:, 7:] = HUMANOID.rest_angles
    state.qpos[:, 2] = height
    state.qpos[:, HUMANOID.joint_indices(HUMANOID.knees)] = -bend
    return state


@pytest.mark.parametrize("goal", [Goal(1.4, -0.2, 0.4, height="low", arms="wave_right"), Goal(), Goal(vy=-0.6)])
def test_a_command_is_a_goal_again(goal):
    assert Goal.from_command(goal_commands(goal, HUMANOID)) == goal


NORMAL, LOW, UP = (0.0,) * 5, (0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 0.0, ARMS.index("up"))


def test_a_low_command_is_followed_by_bent_knees_and_not_by_a_bow():
    crouch, bow, upright = (
        step(task_at(state, LOW), state) for state in (crouching(1.15, 0.9), crouching(1.15, 0.0), crouching(1.3, 0.9))
    )
    assert crouch["height"][0] == bow["height"][0] == pytest.approx(WEIGHTS.height_weight / 2)
    assert upright["height"][0] == pytest.approx(-WEIGHTS.height_weight / 2, rel=1e-6), "at the end of the line"
    assert crouch["bend"][0] == -bow["bend"][0] == pytest.approx(WEIGHTS.bend_weight / 2)


def test_a_body_that_should_not_walk_on_bent_knees_is_paid_for_its_stature_unless_it_is_asked_to_go_low():
    weights = replace(WEIGHTS, stature_weight=4.0)
    for command, statures in ((NORMAL, {1.26: 2.0, 1.23: 2.0, 1.07: -2.0}), (LOW, {1.26: 0.0, 1.07: 0.0})):
        for height, expected in statures.items():
            state = crouching(height, 0.4)
            assert step(task_at(state, command, weights), state)["stature"][0] == pytest.approx(expected, abs=1e-3)


def test_at_the_normal_height_with_arms_at_rest_no_posture_earns_or_costs_anything():
    rng = np.random.default_rng(5)
    states = [BodyState(*random_states(seed, 4), rng.normal(0.1, 0.1, (4, 2, 3))) for seed in range(3)]
    commands = np.zeros((4, 5), dtype=np.float32)
    commands[:, :3] = rng.uniform(*HUMANOID.limits, (4, 3))
    commands[3] = 0
    task = task_at(states[0], commands)
    for state in states:
        parts = task.step(state, rng.uniform(-1, 1, (4, 17)).astype(np.float32))
        assert not any(parts[name].any() for name in ("height", "bend", "arms"))


def test_arms_are_asked_for_their_pose_at_a_rate_and_need_not_rest_meanwhile():
    state = standing(1, HUMANOID)
    state.qpos[:, 7:] = HUMANOID.rest_angles
    task = task_at(state, UP)
    task.goals[:] = UP
    pose, arms = HUMANOID.arm_angles[1], HUMANOID.joint_indices(HUMANOID.arm_joints)
    task.lead()
    np.testing.assert_allclose(np.abs(task.arm_targets - HUMANOID.arm_angles[0]).max(), 4.0 * 0.015)
    for _ in range(60):
        task.lead()
    np.testing.assert_array_equal(task.arm_targets, [pose])
    hanging = step(task, state)
    state.qpos[:, arms] = pose
    raised = step(task, state)
    assert raised["arms"][0] == pytest.approx(WEIGHTS.arms_weight / 2) and hanging["arms"][0] < 0
    assert raised["posture"][0] == 0
    assert step(task_at(state), state)["posture"][0] < 0 == step(task_at(state), state)["arms"][0]


@pytest.mark.parametrize(("arms", "elbow"), [("wave_left", "left_elbow"), ("wave_right", "right_elbow")])
def test_a_waving_arm_swings_its_elbow_in_time_with_the_clock(arms, elbow):
    state = standing(1, HUMANOID)
    command = (0.0, 0.0, 0.0, 0.0, ARMS.index(arms))
    task = task_at(state, command)
    task.goals[:] = command
    target, joints = HUMANOID.arm_angles[ARMS.index(arms)], HUMANOID.joint_indices(HUMANOID.arm_joints)
    place, swings, earned = HUMANOID.arm_joints.index(elbow), [], []
    for number in range(round(2 / 0.015)):
        task.lead()
        swings.append(0.45 * np.sin(2 * np.pi * task.phase[0, 1]))
        assert task.phase[0, 1] == pytest.approx(number * 0.015 * 1.5 % 1)
        state.qpos[:, joints] = target
        state.qpos[0, joints[place]] += swings[-1]
        earned.append(step(task, state)["arms"][0])
    assert sum(np.diff(np.sign(swings)) > 0) == 3, "1.5 times per second"
    np.testing.assert_allclose(earned[60:], WEIGHTS.arms_weight / 2)
    task.goals[:] = 0
    task.lead()
    step(task, state)
    assert task.phase[0, 1] == 0


def test_a_body_that_starts_in_a_crouch_starts_with_the_command_for_it():
    for height, low in ((1.26, 0), (1.2, 0), (1.14, 1)):
        task = GoalTask(HUMANOID, 2, WEIGHTS)
        task.begin(np.arange(2), crouching(height, 0.9))
        np.testing.assert_array_equal(task.commands, [[0, 0, 0, low, 0]] * 2)
        np.testing.assert_array_equal(task.arm_targets, [HUMANOID.arm_angles[0]] * 2)


def test_goals_are_commands_of_their_own_or_rows():
    wave = Goal(0.6, height="low", arms="wave_right")
    expected = np.array([0.6, 0, 0, 1, 4], dtype=np.float32)
    np.testing.assert_array_equal(goal_commands(wave, HUMANOID), expected)
    np.testing.assert_array_equal(goal_commands([wave, (0.6, 0, 0, 1, 4)], HUMANOID), [expected] * 2)


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ([(1.0, 0.0, 0.0)], r"goal 0 is \(1.0, 0.0, 0.0\): give a Goal or finite numbers vx, vy, wz, height, arms"),
        ([Goal(), (1.0, np.nan, 0.0, 0.0, 0.0)], "goal 1 is .*nan"),
        ([(0.0, 0.0, 0.0, 2.0, 0.0)], "body humanoid can be asked for the height normal or low"),
        ([(0.0, 0.0, 0.0, 0.0, 1.5)], "body humanoid can be asked for the arms rest, up"),
        (Goal.to(1.0), "needs odometry"),
        ([("a", 0, 0, 0, 0)], r"goal 0 is \('a', 0, 0, 0, 0\): give a Goal or finite numbers"),
        ((1.0, 0, 0, 0, 0), "goal 0 is 1.0: give a Goal or finite numbers vx, vy, wz, height, arms"),
        ([GoalProgram((Goal(),))], "goal 0 is GoalProgram.*: give a Goal or finite numbers"),
        ("walk_forward", "goals='walk_forward': give a Goal, such as"),
        (GoalProgram((Goal(),)), "goals=GoalProgram.*: give a Goal, such as"),
        (None, "goals=None: give a Goal, such as"),
        (1.0, "goals=1.0: give a Goal, such as"),
        ([], r"goals=\[\]: give a Goal, such as"),
        ([Goal(), (99.0, 0, 0, 0, 0)], "goal 1 has vx=99: body humanoid can be asked for -0.6 to 3 m/s"),
        ([(0, 0, -1.3, 0, 0)], "goal 0 has wz=-1.3: body humanoid can be asked for -1.2 to 1.2 rad/s"),
    ],
)
def test_goals_without_a_command_of_the_body_are_refused(goals, message):
    with pytest.raises(ValueError, match=message):
        goal_commands(goals, HUMANOID)


def test_each_velocity_is_within_the_limits_of_the_body_and_mixtures_may_ask_for_more_than_its_reach():
    slow = replace(HUMANOID, speed_limits=((-0.6, 1.6), (-0.6, 0.6), (-1.2, 1.2)))
    np.testing.assert_array_equal(goal_commands([Goal(1.6, -0.6, 1.2)], slow)[0, :3], np.float32([1.6, -0.6, 1.2]))
    with pytest.raises(ValueError, match=r"goal 0 has vx=3: body humanoid can be asked for -0\.6 to 1\.6 m/s"):
        goal_commands(Goal(3.0), slow)

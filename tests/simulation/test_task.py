"""The reward for following a command, and the commands that lead to a goal."""

import numpy as np
import pytest
from poses import mirrored_state, random_states, standing

from agent.bodies.humanoid import HUMANOID
from agent.simulation.heading import yaw
from agent.simulation.physics import BodyState
from agent.simulation.task import (
    GoalTask,
    RewardWeights,
    advance_phase,
    approach,
    cadence,
    closeness,
    feet_apart,
    moving,
)

WEIGHTS = RewardWeights()


def task_at(state: BodyState, command=(0.0, 0.0, 0.0)) -> GoalTask:
    """A task of bodies that begin at `state` and are asked for `command` at once."""
    task = GoalTask(HUMANOID, len(state.qpos), WEIGHTS)
    task.begin(np.arange(len(state.qpos)), state)
    task.commands[:] = command
    return task


def step(task: GoalTask, state: BodyState, phase: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The reward for arriving at `state` without any torque."""
    return task.step(state, np.zeros((len(state.qpos), 17), dtype=np.float32), phase)


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
    parts = step(task_at(state, (1.0, 0.0, 0.0)), state)
    assert parts["tracking"][1] == pytest.approx(WEIGHTS.tracking_weight)
    assert sum(parts.values())[1] > sum(parts.values())[0]


def test_the_clock_makes_the_feet_alternate_and_waits_while_the_body_stands():
    commands = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    phase, cycles = np.full(3, 0.4), np.zeros(3)
    steps = round(1 / HUMANOID.control_seconds)
    for _ in range(steps):
        later = advance_phase(phase, commands, HUMANOID)
        cycles += (later - phase) % 1
        phase = later
    assert phase[0] == 0
    rate = cadence(commands, HUMANOID)
    np.testing.assert_allclose(2 * cycles[1:], rate[1:] * steps * HUMANOID.control_seconds)
    assert 1 < rate[1] < rate[2] < 4


def test_feet_in_step_with_the_clock_earn_more_than_feet_out_of_step_or_still_or_high_in_the_air():
    state = standing(4, HUMANOID)
    # height above the ground of the right and the left foot
    in_step, against, still, high = (0.0, 0.1), (0.1, 0.0), (0.0, 0.0), (0.0, 0.4)
    state.feet[..., 2] += [in_step, against, still, high]
    state.feet[..., 1] = 0
    task = task_at(state, (1.0, 0.0, 0.0))
    task.phase[:] = 0.25  # the middle of the left foot's swing
    gait = step(task, state)["gait"]
    assert gait[0] > gait[3] > gait[2] > gait[1]
    np.testing.assert_allclose(gait[0], WEIGHTS.gait_weight, rtol=0.01)
    assert step(task, state)["stride"][2] > 0


def test_a_given_phase_replaces_the_clock():
    state = standing(2, HUMANOID)
    state.feet[:, 1, 2] += 0.1
    gait = step(task_at(state, (1.0, 0.0, 0.0)), state, phase=np.array([0.25, 0.75]))["gait"]
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
    np.testing.assert_array_equal(task_at(state).phase, [0.5] * 4 + [0.0] * 4)


def test_left_and_right_earn_the_same_and_are_remembered_in_the_mirror():
    rng, model = np.random.default_rng(2), HUMANOID.load_model()
    states = [BodyState(*random_states(seed, 8), rng.normal(0.1, 0.1, (8, 2, 3))) for seed in range(30)]
    states[0] = astride(states[0])  # so that the clocks start half a cycle apart
    images = [mirrored_state(state, model) for state in states]
    actions = rng.uniform(-1, 1, (30, 8, 17)).astype(np.float32)
    # All of them walk: the clock of a standing body has no mirror image.
    commands = rng.uniform([0.2, -0.6, -1.2], HUMANOID.limits[1], (8, 3)).astype(np.float32)
    task, image = task_at(states[0], commands), task_at(images[0], commands * [1, -1, -1])
    source, sign = HUMANOID.action_mirror
    for number, (state, state_image, action) in enumerate(zip(states, images, actions, strict=True)):
        parts, image_parts = task.step(state, action), image.step(state_image, action[:, source] * sign)
        for name in parts:
            np.testing.assert_allclose(parts[name], image_parts[name], atol=1e-5, err_msg=f"{name} at step {number}")
    (even, odd), (image_even, image_odd) = task.features(states[-1]), image.features(images[-1])
    assert (even.shape[1], odd.shape[1]) == (GoalTask.EVEN_FEATURES, GoalTask.ODD_FEATURES)
    np.testing.assert_allclose(image_even, even, atol=1e-5)
    np.testing.assert_allclose(image_odd, -odd, atol=1e-5)
    assert np.abs(odd).max(0).min() > 0.01, "every feature takes part"


def test_commands_go_to_a_goal_at_a_rate_and_more_slowly_to_a_stop():
    commands = np.array([[0.0, 0.0, 0.0], [2.8, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=np.float32)
    goals = np.array([[2.8, 0.4, -0.8], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=np.float32)
    seconds = np.zeros(3)
    while not np.array_equal(commands, goals):
        seconds += HUMANOID.control_seconds * (commands != goals).any(1)
        commands = approach(commands, goals, HUMANOID)
    expected = [2.8 / HUMANOID.acceleration[0], 2.8 / HUMANOID.braking[0], 0.0]
    np.testing.assert_allclose(seconds, expected, atol=HUMANOID.control_seconds)


def test_a_body_begins_with_the_command_of_its_own_velocity_within_its_limits():
    state = standing(2, HUMANOID)
    state.qvel[:, :2] = [[1.5, 0.2], [9.0, -5.0]]
    task = GoalTask(HUMANOID, 2, WEIGHTS)
    task.begin(np.arange(2), state)
    np.testing.assert_allclose(task.commands, [[1.5, 0.2, 0.0], [3.0, -0.6, 0.0]], rtol=1e-6)
    np.testing.assert_array_equal(moving(task.commands), [True, True])
    np.testing.assert_array_equal(moving(np.array([[0.05, -0.05, 0.0], [0.0, 0.0, 0.2]])), [False, True])


def test_a_body_that_begins_anew_has_no_past():
    states = [BodyState(*random_states(seed, 2), np.full((2, 2, 3), 0.5)) for seed in range(5)]
    task, fresh = task_at(states[0]), GoalTask(HUMANOID, 2, WEIGHTS)
    for state in states:
        task.step(state, np.full((2, 17), 0.5, dtype=np.float32))
    kept = {name: value[1].copy() for name, value in task.memory.items()}
    task.begin(np.array([0]), states[0])
    fresh.begin(np.arange(2), states[0])
    assert {"goals", "commands", "phase", "velocity", "last_action", "last_feet"} == task.memory.keys()
    for name, value in task.memory.items():
        np.testing.assert_array_equal(value[0], fresh.memory[name][0], err_msg=name)
        np.testing.assert_array_equal(value[1], kept[name], err_msg=name)

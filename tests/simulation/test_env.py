"""The heading frame, the mirror, and the reward for following a goal."""

import gymnasium
import mujoco
import numpy as np
import pytest

from agent.goals import Goal, reach
from agent.simulation.env import (
    ACCELERATION,
    ACTION_LIMIT,
    ACTION_MIRROR,
    ACTION_SIZE,
    AT_REST,
    BRAKING,
    CONTROL_SECONDS,
    FOOT_RADIUS,
    FRAMES,
    GENTLE_SPEED,
    OBSERVATION_MIRROR,
    OBSERVATION_SIZE,
    UPPER_BODY,
    BodyState,
    GoalTask,
    RewardWeights,
    advance_phase,
    cadence,
    check_observation,
    closeness,
    fast_commands,
    heading_observation,
    heading_velocity,
    humanoid,
    make_env,
    observed_velocity,
    sample_commands,
    uprightness,
    yaw,
)
from agent.simulation.vector_env import MODEL_PATH


def random_states(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions [count, 24] and velocities [count, 23] of bodies in any attitude."""
    rng = np.random.default_rng(seed)
    qpos, qvel = rng.normal(size=(count, 24)), rng.normal(size=(count, 23))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, qvel


def turned(qpos: np.ndarray, qvel: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The same bodies, turned about the vertical through the world's origin."""
    qpos, qvel = qpos.copy(), qvel.copy()
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    qpos[:, :2], qvel[:, :2] = qpos[:, :2] @ rotation.T, qvel[:, :2] @ rotation.T
    w, x, y, z = qpos[:, 3:7].T.copy()
    cos, sin = np.cos(angle / 2), np.sin(angle / 2)
    qpos[:, 3:7] = np.column_stack([cos * w - sin * z, cos * x - sin * y, cos * y + sin * x, cos * z + sin * w])
    return qpos, qvel


def mirrored(qpos: np.ndarray, qvel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bodies as a mirror in the plane y = 0 shows them, from the model's joint names and axes."""
    # qpos[7:]: abdomen z, y, x; right hip x, z, y, knee; left the same; right shoulder 1, 2, elbow; left the same.
    source = [0, 1, 2, *range(7, 11), *range(3, 7), 14, 15, 16, 11, 12, 13]
    sign = np.array([-1, 1, -1] + [1] * 8 + [-1, -1, 1] * 2)
    mirror_qpos = np.column_stack(
        [qpos[:, :3] * [1, -1, 1], qpos[:, 3:7] * [1, -1, 1, -1], qpos[:, 7:][:, source] * sign]
    )
    mirror_qvel = np.column_stack(
        [qvel[:, :3] * [1, -1, 1], qvel[:, 3:6] * [-1, 1, -1], qvel[:, 6:][:, source] * sign]
    )
    return mirror_qpos, mirror_qvel


def mirrored_body(body: BodyState) -> BodyState:
    return BodyState(*mirrored(body.qpos, body.qvel), body.feet[:, ::-1] * [1, -1, 1])


@pytest.mark.parametrize("angle", [-3.0, -1.0, 0.5, 2.5, 3.14])
def test_the_observation_is_the_same_in_every_direction(angle):
    qpos, qvel = random_states(0, 100)
    away = turned(qpos, qvel, angle)
    np.testing.assert_allclose(heading_observation(*away), heading_observation(qpos, qvel), atol=1e-6)
    np.testing.assert_allclose(heading_velocity(*away), heading_velocity(qpos, qvel), atol=1e-12)
    np.testing.assert_allclose(uprightness(away[0]), uprightness(qpos), atol=1e-12)
    np.testing.assert_allclose(np.exp(1j * yaw(away[0])), np.exp(1j * (yaw(qpos) + angle)), atol=1e-12)


def test_a_body_that_faces_left_and_moves_left_moves_forward():
    qpos, qvel = np.zeros((1, 24)), np.zeros((1, 23))
    qpos[0, 3] = 1
    qpos, _ = turned(qpos, qvel, np.pi / 2)
    qvel[0, :6] = [-0.25, 1.5, 0.3, 0, 0, 0.8]
    np.testing.assert_allclose(heading_velocity(qpos, qvel), [[1.5, 0.25, 0.8]], atol=1e-12)
    np.testing.assert_allclose(heading_observation(qpos, qvel)[0, 22:25], [1.5, 0.25, 0.3], atol=1e-6)


def test_the_yaw_rate_of_a_tilted_body_is_about_the_vertical_of_the_world():
    qpos, qvel = np.zeros((1, 24)), np.zeros((1, 23))
    qpos[0, 3:7] = [np.cos(np.pi / 4), 0, np.sin(np.pi / 4), 0]  # face down: the body's x axis points to the ground
    qvel[0, 3] = -1.2
    np.testing.assert_allclose(heading_velocity(qpos, qvel)[0, 2], 1.2)


def test_the_env_is_humanoid_v5_and_observes_it_in_the_heading_frame():
    env, native = make_env(), gymnasium.make("Humanoid-v5")
    assert type(env.unwrapped) is type(native.unwrapped)
    observation, _ = env.reset(seed=4)
    native.reset(seed=4)
    assert observation.shape == (OBSERVATION_SIZE,) and observation.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert env.action_space == native.action_space and env.action_space.high.max() == np.float32(ACTION_LIMIT)
    for action in np.random.default_rng(0).uniform(-ACTION_LIMIT, ACTION_LIMIT, (10, ACTION_SIZE)).astype(np.float32):
        observation, reward, *_ = env.step(action)
        assert reward == native.step(action)[1]
    data = native.unwrapped.data
    np.testing.assert_array_equal(observation, heading_observation(data.qpos, data.qvel))
    # Height, joints and vertical, angular and joint velocities are Humanoid-v5's own 45 numbers; the rest is turned.
    np.testing.assert_array_equal(observation[[0, *range(5, 22)]], data.qpos[[2, *range(7, 24)]].astype(np.float32))
    np.testing.assert_array_equal(observation[24:], data.qvel[2:].astype(np.float32))


def test_the_time_limit_of_the_env_can_be_chosen():
    env = make_env(max_episode_steps=2)
    env.reset(seed=0)
    assert not env.step(np.zeros(ACTION_SIZE))[3]
    assert env.step(np.zeros(ACTION_SIZE))[3]


def test_the_mirror_of_observations_is_the_mirror_of_states():
    qpos, qvel = random_states(1, 100)
    source, sign = OBSERVATION_MIRROR
    for observe in FRAMES.values():
        np.testing.assert_allclose(observe(*mirrored(qpos, qvel)), observe(qpos, qvel)[:, source] * sign, atol=1e-6)


def test_mirrored_actions_move_a_mirrored_body_in_the_mirror():
    """The joint axes, ranges and gears of the model decide this, not our bookkeeping."""
    model = mujoco.MjModel.from_xml_path(str(MODEL_PATH))
    # Humanoid-v5 is lopsided in two small numbers, which the mirror leaves out.
    model.dof_armature[model.joint("right_hip_y").dofadr] = model.dof_armature[model.joint("left_hip_y").dofadr]
    model.jnt_stiffness[model.joint("right_knee").id] = model.jnt_stiffness[model.joint("left_knee").id]
    rng = np.random.default_rng(1)
    qpos, qvel = model.qpos0[None] + rng.normal(0, 0.01, (1, 24)), rng.normal(0, 0.5, (1, 23))
    body, image = mujoco.MjData(model), mujoco.MjData(model)
    (body.qpos[:],), (body.qvel[:],) = qpos, qvel
    (image.qpos[:],), (image.qvel[:],) = mirrored(qpos, qvel)
    source, sign = ACTION_MIRROR
    for _ in range(10):
        action = rng.uniform(-0.1, 0.1, ACTION_SIZE)
        body.ctrl[:], image.ctrl[:] = action, action[source] * sign
        mujoco.mj_step(model, body, 5)
        mujoco.mj_step(model, image, 5)
    seen, seen_image = heading_observation(body.qpos, body.qvel), heading_observation(image.qpos, image.qvel)
    source, sign = OBSERVATION_MIRROR
    np.testing.assert_allclose(seen_image, seen[source] * sign, atol=2e-3)  # the contact solver goes by order
    assert np.abs(seen_image - seen).max() > 1, "a symmetric motion would prove nothing"


def test_a_command_followed_exactly_is_worth_one_and_opposed_less_than_nothing():
    size = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(closeness(np.zeros(3), size), 1.0)
    np.testing.assert_allclose(closeness(np.full(3, 100.0), size), -0.4)
    # error .5 at 1 m/s: .4 of 1 - .5 / 1.3, .4 of exp(-(.5 / .5)^2), .2 of exp(-(.5 / .16)^2)
    parts = 0.4 * (1 - 0.5 / 1.3), 0.4 * np.exp(-1), 0.2 * np.exp(-((0.5 / 0.16) ** 2))
    np.testing.assert_allclose(closeness(np.array([0.5]), np.array([1.0])), sum(parts))


def test_standing_still_earns_less_than_walking_where_walking_is_asked():
    task = GoalTask(2, RewardWeights())
    qpos, qvel = np.zeros((2, 24)), np.zeros((2, 23))
    qpos[:, 3] = 1
    qvel[1, 0] = 1.0
    feet = np.array([[[0.0, -0.1, FOOT_RADIUS], [0.0, 0.1, FOOT_RADIUS]]] * 2)
    body = BodyState(qpos, qvel, feet)
    task.begin(np.arange(2), body)
    task.commands[:] = [1.0, 0.0, 0.0]
    parts = task.step(body, np.zeros((2, ACTION_SIZE), dtype=np.float32))
    assert parts["tracking"][1] == pytest.approx(RewardWeights().tracking_weight)
    assert sum(parts.values())[1] > sum(parts.values())[0]


def astride(body: BodyState) -> BodyState:
    """The same bodies, one foot half a meter ahead of the other: the left one of the first half, the right one of the
    rest.
    """
    apart = np.stack([np.cos(yaw(body.qpos)), np.sin(yaw(body.qpos))], axis=-1) / 4
    apart[len(apart) // 2 :] *= -1
    feet = body.feet.copy()
    feet[:, 0, :2], feet[:, 1, :2] = body.qpos[:, :2] - apart, body.qpos[:, :2] + apart
    return BodyState(body.qpos, body.qvel, feet)


def test_a_clock_lets_the_feet_take_turns_and_waits_while_the_body_stands():
    commands = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    phase = np.full(3, 0.4)
    steps = round(1 / CONTROL_SECONDS)
    turned = np.zeros(3)
    for _ in range(steps):
        after = advance_phase(phase, commands)
        turned += (after - phase) % 1
        phase = after
    assert phase[0] == 0
    np.testing.assert_allclose(2 * turned[1:], cadence(commands[1:]) * steps * CONTROL_SECONDS)
    assert 1 < cadence(commands[1]) < cadence(commands[2]) < 4


def test_feet_in_step_with_the_clock_earn_more_than_feet_out_of_step_or_still_or_high_in_the_air():
    task = GoalTask(4, RewardWeights())
    qpos = np.zeros((4, 24))
    qpos[:, 3] = 1
    # ahead, and above the ground, of the right and the left foot
    in_step, against = [[0.0, 0.0], [0.0, 0.1]], [[0.0, 0.1], [0.0, 0.0]]
    still, high = [[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.4]]
    feet = np.zeros((4, 2, 3))
    feet[:, :, [0, 2]] = in_step, against, still, high
    feet[..., 2] += FOOT_RADIUS
    body = BodyState(qpos, np.zeros((4, 23)), feet)
    task.begin(np.arange(4), body)
    task.commands[:] = [1.0, 0.0, 0.0]
    task.phase[:] = 0.25  # the middle of the left foot's swing
    gait = task.step(body, np.zeros((4, ACTION_SIZE), dtype=np.float32))["gait"]
    assert gait[0] > gait[3] > gait[2] > gait[1]
    np.testing.assert_allclose(gait[0], RewardWeights().gait_weight, rtol=0.01)
    assert task.step(body, np.zeros((4, ACTION_SIZE), dtype=np.float32))["stride"][2] > 0


def test_a_body_that_stands_is_paid_for_feet_side_by_side_and_hip_wide():
    task = GoalTask(3, RewardWeights())
    qpos = np.zeros((3, 24))
    qpos[:, 3] = 1
    feet = np.zeros((3, 2, 3))
    feet[:, 1] = [[0.0, 0.2, 0.0], [0.0, 0.05, 0.0], [0.3, 0.2, 0.0]]  # of the left foot from the right one
    body = BodyState(qpos, np.zeros((3, 23)), feet)
    task.begin(np.arange(3), body)
    stride = task.step(body, np.zeros((3, ACTION_SIZE), dtype=np.float32))["stride"]
    assert stride[0] == pytest.approx(RewardWeights().stride_weight)
    assert stride[0] > stride[1] + 1 and stride[0] > stride[2] + 1


def test_arms_at_rest_cost_nothing_and_raised_ones_do():
    task = GoalTask(2, RewardWeights())
    qpos = np.zeros((2, 24))
    qpos[:, 3] = 1
    qpos[0, UPPER_BODY] = AT_REST
    body = BodyState(qpos, np.zeros((2, 23)), np.zeros((2, 2, 3)))
    task.begin(np.arange(2), body)
    posture = task.step(body, np.zeros((2, ACTION_SIZE), dtype=np.float32))["posture"]
    assert posture[0] == 0 > posture[1]


def run_of(
    task: GoalTask, bodies: list[BodyState], actions: np.ndarray, commands: np.ndarray | None = None
) -> list[dict[str, np.ndarray]]:
    task.begin(np.arange(len(task.commands)), bodies[0])
    if commands is not None:
        task.commands[:] = commands
    return [task.step(body, action) for body, action in zip(bodies, actions, strict=True)]


def test_left_and_right_are_paid_alike_and_remembered_in_the_mirror():
    rng = np.random.default_rng(2)
    bodies = [BodyState(*random_states(seed, 8), rng.normal(0.1, 0.1, (8, 2, 3))) for seed in range(30)]
    actions = rng.uniform(-1, 1, (30, 8, ACTION_SIZE)).astype(np.float32)
    task, image = GoalTask(8, RewardWeights()), GoalTask(8, RewardWeights())
    commands = sample_commands(rng, 8)
    commands[:, 0] += 0.2  # all of them walk: a body that stands has no phase to be mirrored
    bodies[0] = astride(bodies[0])  # so that each begins with the foot behind
    source, sign = ACTION_MIRROR
    parts = run_of(task, bodies, actions, commands)
    image_parts = run_of(
        image, [mirrored_body(body) for body in bodies], actions[..., source] * sign, commands * [1, -1, -1]
    )
    for step, (own, other) in enumerate(zip(parts, image_parts, strict=True)):
        for name in own:
            np.testing.assert_allclose(own[name], other[name], atol=1e-5, err_msg=f"{name} at step {step}")
    (even, odd), (image_even, image_odd) = task.features(bodies[-1]), image.features(mirrored_body(bodies[-1]))
    assert (even.shape[1], odd.shape[1]) == (GoalTask.EVEN_FEATURES, GoalTask.ODD_FEATURES)
    np.testing.assert_allclose(image_even, even, atol=1e-5)
    np.testing.assert_allclose(image_odd, -odd, atol=1e-5)


def test_commands_go_to_a_goal_at_a_rate_and_more_slowly_to_a_stop():
    task = GoalTask(3, RewardWeights())
    task.commands[:] = [[0.0, 0.0, 0.0], [2.8, 0.0, 0.0], [1.0, 0.0, 0.0]]
    task.goals[:] = [[2.8, 0.4, -0.8], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    seconds, goals = np.zeros(3), task.goals.copy()
    while not np.array_equal(task.commands, goals):
        seconds += CONTROL_SECONDS * (task.commands != goals).any(1)
        task.lead()
    np.testing.assert_allclose(seconds, [2.8 / ACCELERATION[0], 2.8 / BRAKING[0], 0.0], atol=CONTROL_SECONDS)


def test_a_body_that_begins_anew_has_no_past():
    bodies = [BodyState(*random_states(seed, 2), np.full((2, 2, 3), 0.5)) for seed in range(5)]
    actions = np.full((5, 2, ACTION_SIZE), 0.5, dtype=np.float32)
    task, fresh = GoalTask(2, RewardWeights()), GoalTask(2, RewardWeights())
    run_of(task, bodies, actions)
    kept = {name: value[1].copy() for name, value in task.memory.items()}
    task.begin(np.array([0]), bodies[0])
    fresh.begin(np.arange(2), bodies[0])
    for name, value in task.memory.items():
        np.testing.assert_array_equal(value[0], fresh.memory[name][0], err_msg=name)
        np.testing.assert_array_equal(value[1], kept[name], err_msg=name)


@pytest.mark.parametrize("difficulty", [0.0, 0.3, 1.0])
def test_sampled_commands_are_goals_inside_the_trained_region(difficulty):
    commands = sample_commands(np.random.default_rng(0), 5000, difficulty).astype(float).round(6)
    assert all(reach(*Goal(*command).velocity) <= 1 + 1e-6 for command in commands)
    assert commands[:, 0].max() <= GENTLE_SPEED + (3.0 - GENTLE_SPEED) * difficulty + 1e-6
    assert 0.07 < (np.abs(commands).max(1) == 0).mean() < 0.13, "a tenth is standing"
    np.testing.assert_allclose(commands[:, 1:].mean(0), 0, atol=0.03)


def test_the_same_seed_samples_the_same_commands():
    first, again = (sample_commands(np.random.default_rng(7), 50) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_action_that_is_not_finite_never_reaches_the_physics(value):
    env = make_env()
    env.reset(seed=0)
    before = humanoid(env).data.qpos.copy()
    action = np.zeros(ACTION_SIZE, dtype=np.float32)
    action[3] = value
    with pytest.raises(ValueError, match="the action is not finite"):
        env.step(action)
    np.testing.assert_array_equal(humanoid(env).data.qpos, before)


def test_a_simulation_that_diverges_ends_its_episode_and_the_next_one_is_sound():
    env = make_env()
    env.reset(seed=0)
    humanoid(env).data.qvel[8] = 1e12
    observation, _, terminated, truncated, _ = env.step(np.zeros(ACTION_SIZE, dtype=np.float32))
    assert terminated and not truncated and np.isfinite(observation).all()
    env.reset(seed=0)
    assert not env.step(np.zeros(ACTION_SIZE, dtype=np.float32))[2]


def test_an_observation_that_is_not_finite_is_refused_with_the_body():
    observations = np.zeros((3, OBSERVATION_SIZE))
    check_observation(observations)
    observations[1, 7] = np.nan
    with pytest.raises(ValueError, match="observation of body 1 is not finite"):
        check_observation(observations)
    with pytest.raises(ValueError, match="observation of body 0"):
        check_observation(observations[1])


@pytest.mark.parametrize(("difficulty", "fastest"), [(0.0, 1.2), (1.0, 3.0)])
def test_fast_commands_go_straight_ahead_up_to_the_fastest_of_the_region(difficulty, fastest):
    commands = fast_commands(np.random.default_rng(0), 1000, difficulty)
    assert (commands[:, 1:] == 0).all()
    assert commands[:, 0].min() == pytest.approx(0.6 * fastest, rel=0.01)
    assert commands[:, 0].max() == pytest.approx(fastest, rel=0.01)


def test_the_velocity_read_from_an_observation_is_that_of_the_body():
    rng = np.random.default_rng(0)
    qpos, qvel = rng.normal(size=(50, 24)), rng.normal(size=(50, 23))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    for positions, velocities in zip(qpos, qvel, strict=True):
        read = observed_velocity(heading_observation(positions, velocities))
        np.testing.assert_allclose(read, heading_velocity(positions, velocities), atol=1e-5)

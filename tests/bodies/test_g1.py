"""The Unitree G1: its two models, its mirror, what its servos reach, its env, and a policy from PPO."""

import importlib.util
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from poses import mirrored

import pretrain_ppo
from agent import Goal, MotorPolicy, make_env, make_vector_env
from agent.artefacts.arguments import parse_arguments
from agent.bodies import BODIES, g1
from agent.bodies.g1 import G1, load_model, load_training_model
from agent.bodies.humanoid import HUMANOID
from agent.evaluation import suites
from agent.goals import ARMS, HEIGHTS
from agent.simulation.curriculum import Curriculum
from agent.simulation.heading import heading_observation
from agent.simulation.physics import BodyState, Physics
from agent.simulation.task import GoalTask, cadence, feet_apart
from agent.simulation.vector_env import GoalVectorEnv

STILL = np.zeros(29, dtype=np.float32)


def steps_of(model: mujoco.MjModel) -> int:
    return round(G1.control_seconds / model.opt.timestep)


def test_its_gains_ranges_and_force_limits_are_those_of_playground():
    packaged = mujoco.MjModel.from_xml_path(str(g1._package() / g1.SCENE))
    for model in (load_model(), load_training_model()):
        for name in (
            "actuator_gainprm", "actuator_biasprm", "actuator_ctrlrange", "jnt_range", "jnt_actfrcrange",
            "dof_damping", "dof_armature", "dof_frictionloss", "body_mass", "body_inertia", "body_ipos",
        ):  # fmt: skip
            np.testing.assert_array_equal(getattr(model, name), getattr(packaged, name), err_msg=name)
        assert model.jnt_actfrcrange[model.joint("left_knee_joint").id].tolist() == [-139, 139]
    assert G1.controls == "29 joint targets" and G1.control_seconds == 0.02


@pytest.mark.slow
def test_its_text_moves_and_falls_as_its_model_does():
    places = []
    for model in (load_model(), mujoco.MjModel.from_xml_string(g1.mjcf())):
        data = mujoco.MjData(model)
        data.qpos[:] = G1.start_qpos(model)
        data.ctrl[:] = G1.control_center
        data.qvel[0] = 1.0
        mujoco.mj_step(model, data, 400)
        places.append(data.qpos.copy())
    assert places[0][2] < 0.5, "it lies, with parts on the floor that are meshes"
    np.testing.assert_allclose(places[1], places[0], atol=0.02)


def test_the_model_to_train_in_has_a_longer_step_and_the_contacts_of_feet_and_hands_alone():
    full, training = load_model(), load_training_model()
    assert (full.opt.timestep, training.opt.timestep) == (0.002, 0.004)
    meet = (training.geom_contype[:, None] & training.geom_conaffinity) != 0
    assert training.npair == 5 and not (meet & ~np.eye(len(meet), dtype=bool)).any()
    solid = {full.body(full.geom_bodyid[geom]).name for geom in np.flatnonzero(full.geom_contype)}
    assert {"pelvis", "torso_link", "left_knee_link", "right_elbow_link", "left_wrist_yaw_link"} < solid
    assert len(solid) == 1 + 28, "the floor, and every link but two small ones in the waist"
    assert full.geom("left_hand_collision").contype[0] == 1
    assert Physics(G1, 1, 1).frame_skip == 10 and Physics(G1, 1, 1, training=True).frame_skip == 5


def test_it_lies_on_its_torso_only_where_all_contacts_count():
    lowest = {}
    for load in (load_model, load_training_model):
        model = load()
        data = mujoco.MjData(model)
        data.qpos[:] = G1.start_qpos(model)
        data.qpos[3:7] = np.cos(0.2), 0, np.sin(0.2), 0  # it falls on its face
        data.ctrl[:] = G1.control_center
        mujoco.mj_step(model, data, 3 * 50 * steps_of(model))
        lowest[load] = data.body("torso_link").xpos[2]
    assert lowest[load_model] > 0.03 and lowest[load_training_model] < -0.1


@pytest.mark.parametrize("load", [load_model, load_training_model], ids=["full", "training"])
def test_mirrored_targets_move_a_mirrored_robot_in_the_mirror(load):
    """The joint axes, ranges, gains and shapes of the model decide this."""
    model = load()
    rng = np.random.default_rng(1)
    original, image = mujoco.MjData(model), mujoco.MjData(model)
    original.qpos[:] = G1.start_qpos(model)
    original.qpos[7:] += rng.normal(0, 0.05, 29)
    original.qvel[:] = rng.normal(0, 0.3, 35)
    image.qpos[:], image.qvel[:] = mirrored(original.qpos, original.qvel, model)
    source, sign = G1.action_mirror
    for _ in range(5):
        action = rng.uniform(-0.3, 0.3, 29) * G1.scale
        original.ctrl[:] = G1.control_center + action
        image.ctrl[:] = G1.control_center + action[source] * sign
        mujoco.mj_step(model, original, steps_of(model))
        mujoco.mj_step(model, image, steps_of(model))
    assert original.ncon, "the feet were on the floor"
    seen, seen_image = (heading_observation(data.qpos, data.qvel) for data in (original, image))
    source, sign = G1.observation_mirror
    # Waist and torso have their mass half a millimeter off the middle, and an ankle has next to no stiffness sideways.
    np.testing.assert_allclose(seen_image[:34], (seen[source] * sign)[:34], atol=0.02)
    np.testing.assert_allclose(seen_image[34:], (seen[source] * sign)[34:], atol=0.5)
    assert np.abs(seen_image - seen).max() > 1, "the motion must not be symmetric itself"


def test_it_starts_on_its_soles_at_rest():
    envs = GoalVectorEnv(3, 1, "g1", curriculum=None)
    envs.reset(seed=0)
    np.testing.assert_allclose(envs.state.qpos[:, 7:], np.tile(G1.rest_angles, (3, 1)), atol=G1.reset_noise)
    assert np.abs(envs.state.feet[..., 2] - G1.sole_height).max() < 0.02
    observations, *_ = envs.step(np.tile(STILL, (3, 1)))
    np.testing.assert_array_equal(envs.physics.data[0].ctrl, G1.control_center)
    assert observations.shape == (3, 69 + 5)


def test_a_start_in_mid_stride_has_level_feet_one_of_them_on_the_floor():
    envs = GoalVectorEnv(40, 1, "g1", curriculum=Curriculum(stride_share=1.0), training_model=True)
    envs.reset(seed=0)
    feet = envs.state.feet[..., 2]
    np.testing.assert_allclose(feet.min(1), G1.sole_height, atol=1e-9)
    assert np.abs(feet_apart(envs.state)[:, 0]).mean() > 0.15
    up = np.array([[data.geom(name).xmat[8] for name in G1.feet] for data in envs.physics.data])
    lower = up[np.arange(40), feet.argmin(1)]
    assert lower.min() > np.cos(0.25), "its toes are not in the floor"
    low, high = envs.physics.model.jnt_range[1:].T
    assert (envs.state.qpos[:, 7:] >= low).all() and (envs.state.qpos[:, 7:] <= high).all()


@pytest.mark.parametrize("arms", ARMS)
def test_its_servos_hold_every_pose_of_the_arms_with_nothing_in_the_way(arms):
    model = load_model()
    data = mujoco.MjData(model)
    index, joints = ARMS.index(arms), G1.joint_indices(G1.arm_joints)
    for swing in (-1, 1) if arms.startswith("wave") else (0,):
        pose = G1.arm_angles[index] + swing * G1.arm_swings[index]
        low, high = model.jnt_range[np.array(joints) - 6].T
        assert (pose > low).all() and (pose < high).all()
        drives = [G1.actuated.index(joint) for joint in G1.arm_joints]
        action = np.zeros(29)
        action[drives] = pose - G1.control_center[drives]
        assert (np.abs(action) <= 0.95 * G1.scale).all(), "and some is left against gravity"
        mujoco.mj_resetData(model, data)
        data.qpos[:] = G1.start_qpos(model)
        data.qpos[2] += 1
        for _ in range(50):  # held in the air by its pelvis
            data.ctrl[:] = G1.control_center + action
            mujoco.mj_step(model, data, 10)
            data.qpos[:7] = 0, 0, 1.8, 1, 0, 0, 0
            data.qvel[:6] = 0
        np.testing.assert_allclose(data.qpos[joints], pose, atol=0.15)
        assert not data.ncon


def test_its_crouch_is_within_reach_with_its_weight_over_its_feet():
    model = load_training_model()
    data = mujoco.MjData(model)
    data.qpos[:] = G1.start_qpos(model)
    hips, knees, ankles = (G1.joint_indices(names) for names in (G1.hips, G1.knees, G1.ankles))
    data.qpos[knees], data.qpos[hips] = G1.crouch_bend + 0.1, -0.7
    data.qpos[ankles] = 0.7 - data.qpos[knees]
    mujoco.mj_forward(model, data)
    sole = data.geom("left_foot").xpos - [0, 0, G1.sole_height]
    assert data.qpos[2] - sole[2] == pytest.approx(G1.crouch_height, abs=0.02)
    assert data.subtree_com[1][0] == pytest.approx(sole[0], abs=0.04)
    low, high = model.jnt_range[1:].T
    assert (data.qpos[7:] > low).all() and (data.qpos[7:] < high).all()
    assert (G1.heights, G1.arms) == (HEIGHTS, ARMS)


def test_its_joints_never_get_more_torque_than_the_model_allows():
    env = make_env("g1")
    env.reset(seed=0)
    limits = env.unwrapped.model.jnt_actfrcrange[1:]
    most = np.zeros(29)
    for _ in range(20):
        env.step(np.random.default_rng(0).choice([-1, 1], 29).astype(np.float32) * G1.scale)
        force = env.unwrapped.data.qfrc_actuator[6:]
        assert (force >= limits[:, 0] - 1e-6).all() and (force <= limits[:, 1] + 1e-6).all()
        most = np.maximum(most, np.abs(force))
    assert (most > 0.5 * limits[:, 1]).any(), "some come near to it"


def test_its_action_noise_is_no_larger_where_the_arms_reach_far():
    reach = dict(zip(G1.actuated, G1.scale, strict=True))
    noise = dict(zip(G1.actuated, G1.scale * G1.noise_shares, strict=True))
    assert reach["left_shoulder_pitch_joint"] == 3.0 and reach["left_ankle_roll_joint"] == 0.5
    assert set(np.round(list(noise.values()), 6)) == {0.5, 0.75}


def test_only_the_noise_of_its_arms_is_slow():
    memory = dict(zip(G1.actuated, G1.noise_memory, strict=True))
    assert {joint for joint, share in memory.items() if share} == set(G1.arm_joints)
    share = memory[G1.arm_joints[0]]
    assert share ** (0.3 / G1.control_seconds) == pytest.approx(1 / np.e, rel=1e-5)
    assert not HUMANOID.noise_memory.any(), "torques are not filtered"


def test_one_body_does_what_one_of_many_does():
    envs, env = make_vector_env(2, 1, body="g1"), make_env("g1")
    assert env.spec.id == "agent/G1Goal-v0"
    options = {"goal": Goal(1.0, 0.2, -0.4, height="low", arms="wave_left")}
    observations, _ = envs.reset(seed=3, options=options)
    observation, _ = env.reset(seed=4, options=options)
    for action in np.random.default_rng(0).uniform(-1, 1, (10, 29)).astype(np.float32) * G1.scale:
        observations, rewards, *_ = envs.step(np.stack([STILL, action]))
        observation, reward, *_ = env.step(action)
        np.testing.assert_array_equal(observations[1], observation)
        assert reward == pytest.approx(rewards[1])


def test_without_its_package_the_command_that_installs_it_is_named(monkeypatch, refusal, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == g1.PACKAGE else found(name))
    g1._full_model.cache_clear()
    line = refusal("pretrain_ppo", "--body", "g1", "--output_dir", tmp_path)
    assert line == f"pretrain_ppo.py: the model of body g1 is not installed: {g1.INSTALL}"


def test_only_a_body_with_a_model_to_train_in_is_trained_in_it(monkeypatch):
    monkeypatch.setitem(BODIES, "g1", replace(G1, load_training_model=None))
    with pytest.raises(ValueError, match="body g1 has no training model"):
        make_vector_env(1, 1, "g1", training_model=True)


def test_ppo_trains_a_policy_that_acts_with_all_contacts(monkeypatch, tmp_path):
    monkeypatch.setattr(suites, "COMMANDS", ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0)))  # that it evaluates
    monkeypatch.setattr(suites, "EPISODE_SECONDS", 2.0)
    words = ["--config", "configs/ppo/g1.yaml", "--output_dir", str(tmp_path), "--report_to", "none"]
    words += ["--num_envs", "8", "--num_threads", "1", "--widths", "16", "8", "--rollout_steps", "16", "--epochs", "1"]
    words += ["--total_steps", "256", "--minibatch_size", "64"]
    args = parse_arguments(pretrain_ppo.Arguments, words)
    assert args.body == "g1" and args.training_model
    pretrain_ppo.main(args)
    policy = MotorPolicy.from_pretrained(tmp_path)
    assert policy.body is G1
    env = make_env("g1")
    observation, _ = env.reset(seed=0, options={"goal": Goal(0.4, arms="up")})
    policy.prompt(Goal(0.4, arms="up"))
    for _ in range(5):
        action = policy.act(observation)
        assert env.action_space.contains(action) and np.abs(action).max() > 0
        observation, *_ = env.step(action)


@pytest.mark.parametrize("speed", [0.4, 1.0, 1.6])
def test_its_reward_pays_more_for_feet_that_take_turns_than_for_hops_and_shuffles(speed):
    weights = parse_arguments(pretrain_ppo.Arguments, ["--config", "configs/ppo/g1.yaml"])
    earned = {gait: gait_reward(gait, speed, weights) for gait in ("walk", "hop", "shuffle", "wrong leg")}
    assert earned["walk"] > 8
    for gait in ("hop", "shuffle", "wrong leg"):
        assert earned["walk"] > earned[gait] + 0.3 * weights.tracking_weight, gait


def gait_reward(gait: str, speed: float, weights: pretrain_ppo.Arguments) -> float:
    """Mean reward for gait and stride of a robot that glides ahead with its feet as drawn here."""
    task = GoalTask(G1, 1, weights)
    task.goals[:, 0] = speed
    earned = []
    for step in range(200):
        wave, lead = np.sin(2 * np.pi * task.phase[0, 0]), -np.cos(2 * np.pi * task.phase[0, 0])
        lead *= 0.8 * speed / cadence(task.commands, G1)[0]
        feet = np.array([[[-lead / 2, -0.1, 0], [lead / 2, 0.1, 0]]])
        swing = int(wave > 0) if gait == "walk" else int(wave <= 0)
        if gait in ("walk", "wrong leg"):
            feet[0, swing, 2] = 0.08 * abs(wave)
        if gait == "hop":
            feet[..., 0], feet[..., 2] = 0, max(0, 0.07 * np.sin(4 * np.pi * task.phase[0, 0]))
        feet += [speed * step * G1.control_seconds, 0, G1.sole_height]
        qpos, qvel = np.zeros((1, 36)), np.zeros((1, 35))
        qpos[:, 3], qvel[:, 0] = 1, speed
        state = BodyState(qpos, qvel, feet)
        if not step:
            task.begin(np.arange(1), state)
        task.lead()
        parts = task.step(state, np.zeros((1, 29), dtype=np.float32))
        earned.append(parts["gait"][0] + parts["stride"][0])
    return float(np.mean(earned))

"""A robot that the package has never seen, described here alone, runs through the whole chain."""

from dataclasses import replace

import gymnasium
import mujoco
import numpy as np
import pytest
from datasets import load_dataset
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import collect_dataset
import pretrain_ppo
import train_decision_transformer
from agent import Goal, GoalDecisionTransformer, MotorPolicy, make_env, make_vector_env
from agent.artefacts.arguments import parse_arguments
from agent.bodies import BODIES
from agent.bodies.body import Body, Gait, register
from agent.evaluation import suites
from agent.simulation.curriculum import Curriculum
from agent.simulation.vector_env import GoalVectorEnv

JOINTS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in ("hip_x", "hip_y", "knee", "ankle"))
BENT = {"hip_x": 0.0, "hip_y": -0.3, "knee": 0.6, "ankle": -0.3}


def load_model() -> mujoco.MjModel:
    """Two legs with flat feet below a box, 0.6 m high, and a position servo at every joint."""
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.004
    geom = mujoco.mjtGeom
    spec.worldbody.add_light(pos=(0, 0, 3))
    spec.worldbody.add_geom(type=geom.mjGEOM_PLANE, size=(20, 20, 1))
    torso = spec.worldbody.add_body(name="torso", pos=(0, 0, 0.55))
    torso.add_freejoint()
    torso.add_geom(type=geom.mjGEOM_BOX, size=(0.06, 0.1, 0.08), mass=2)
    for side, y in (("right", -0.08), ("left", 0.08)):
        thigh = torso.add_body(pos=(0, y, -0.08))
        shin = thigh.add_body(pos=(0, 0, -0.22))
        for link in (thigh, shin):
            link.add_geom(type=geom.mjGEOM_CAPSULE, fromto=(0, 0, 0, 0, 0, -0.2), size=(0.03, 0, 0), mass=0.5)
        foot = shin.add_body(pos=(0, 0, -0.23))
        foot.add_geom(name=f"{side}_foot", type=geom.mjGEOM_BOX, pos=(0.02, 0, 0), size=(0.08, 0.05, 0.02), mass=0.2)
        for link, joint in ((thigh, "hip_x"), (thigh, "hip_y"), (shin, "knee"), (foot, "ankle")):
            axis = (1, 0, 0) if joint == "hip_x" else (0, 1, 0)
            link.add_joint(name=f"{side}_{joint}", axis=axis, damping=1, armature=0.01)
    for joint in JOINTS:
        spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT).set_to_position(kp=60)
    return spec.compile()


BIPED = Body(
    name="biped",
    load_model=load_model,
    frame_skip=5,
    timestep=0.004,
    joints=JOINTS,
    actuated=JOINTS,
    odd_joints=frozenset({"right_hip_x", "left_hip_x"}),
    action_kind="position",
    action_scale=(0.3, 0.6, 0.6, 0.3) * 2,
    rest_pose={name: BENT[name.split("_", 1)[1]] for name in JOINTS},
    start_at_rest=True,
    start_height=0.54,
    posture_joints=("right_hip_x", "left_hip_x"),
    healthy_height=(0.35, 0.8),
    feet=("right_foot", "left_foot"),
    sole_height=0.02,
    hips=("right_hip_y", "left_hip_y"),
    knees=("right_knee", "left_knee"),
    knee_bend=1.0,
    gait=Gait(
        cadence=2.0,
        cadence_per_speed=0.8,
        longest_stride=0.3,
        stance_width=0.16,
        clearance=0.04,
        high_step=0.08,
        high_step_per_speed=0.04,
    ),
    speed_limits=((-0.3, 1.0), (-0.3, 0.3), (-0.8, 0.8)),
    gentle_speed=0.5,
    acceleration=(4.0, 2.0, 4.0),
    braking=(2.0, 2.0, 4.0),
    camera_height=0.4,
    camera_distance=2.0,
)


@pytest.fixture(scope="module", autouse=True)
def biped():
    register(BIPED)
    yield
    del BODIES["biped"]


def test_its_servos_hold_the_rest_pose_and_move_to_targets_relative_to_it():
    env = make_env("biped")
    observation, _ = env.reset(seed=0)
    assert observation.shape == (27 + 5,)
    for _ in range(50):
        observation, _, terminated, *_ = env.step(np.zeros(8, dtype=np.float32))
        assert not terminated
    np.testing.assert_allclose(observation[5:13], BIPED.rest_angles, atol=0.15)
    lifted = np.array([0, -0.6, 0.6, 0, 0, 0, 0, 0], dtype=np.float32)  # the right leg
    for _ in range(10):
        observation, *_ = env.step(lifted)
    assert observation[6] < -0.6 and observation[7] > 0.9
    np.testing.assert_allclose(env.unwrapped.data.ctrl, BIPED.rest_angles + lifted, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*A Box observation space m..imum value is:UserWarning")
def test_its_env_is_one_of_gymnasium():
    env = make_env("biped", max_episode_steps=30)
    check_env(env.unwrapped, skip_render_check=True)
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec and again.unwrapped.body is BIPED
    envs = gymnasium.make_vec(env.spec.id, num_envs=2, vectorization_mode="vector_entry_point", num_threads=1)
    assert envs.unwrapped.body is BIPED
    assert env.spec.id == "agent/BipedGoal-v0" and env.action_space.high.max() == np.float32(0.6)


def test_it_starts_in_mid_stride_though_its_joints_have_no_ranges():
    envs = GoalVectorEnv(20, 1, "biped", curriculum=Curriculum(stride_share=1.0, recovery_share=0.0))
    envs.reset(seed=0)
    right, left = envs.state.qpos[:, BIPED.joint_indices(BIPED.hips)].T
    assert (np.abs(right - left) > 0.15).all()


def test_it_is_asked_for_no_crouch_and_no_arm_poses():
    assert (BIPED.heights, BIPED.arms) == (("normal",), ("rest",))
    envs = GoalVectorEnv(20, 1, "biped", curriculum=Curriculum(low_share=1.0, arms_share=1.0))
    envs.reset(seed=0)
    assert not envs.goals[:, 3:].any() and envs.goals[:, :3].any()
    *_, info = envs.step(np.zeros((20, 8)))
    assert not any(info[f"reward_{name}"].any() for name in ("height", "bend", "arms"))
    with pytest.raises(ValueError, match="body biped can be asked for the arms rest: give one of them"):
        envs.goals = Goal(arms="up")
    with pytest.raises(ValueError, match="low_share must be 0 for body biped, which knows only normal"):
        parse_arguments(pretrain_ppo.Arguments, ["--body", "biped", "--low_share", "0.1"])


def test_it_has_no_native_reward():
    with pytest.raises(ValueError, match="reward='native' is unknown for body biped: choose goal"):
        make_vector_env(1, body="biped", reward="native")


@pytest.fixture(scope="module")
def chain(biped, tmp_path_factory):
    """Folder with a policy, a dataset and a transformer of the body, each made from the one before."""
    folder = tmp_path_factory.mktemp("biped")
    patch = pytest.MonkeyPatch()
    for module in (suites, train_decision_transformer):
        patch.setattr(module, "COMMANDS", ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0)))  # that they evaluate
    patch.setattr(suites, "EPISODE_SECONDS", 2.0)
    patch.setattr(collect_dataset, "FILM_SECONDS", 0.4)
    common = {"report_to": "none", "seed": 1}
    pretrain_ppo.main(
        pretrain_ppo.Arguments(
            **common, body="biped", output_dir=str(folder / "policy"), num_envs=8, num_threads=1, widths=[16, 8],
            rollout_steps=16, total_steps=3 * 128, minibatch_size=64, epochs=1, evaluate_every=100,
        )
    )  # fmt: skip
    collect_dataset.main(
        collect_dataset.Arguments(
            policy=str(folder / "policy"), output_dir=str(folder / "dataset"),
            num_envs=8, num_threads=1, shard_steps=100, num_steps=800, seed=1,
        )
    )  # fmt: skip
    train_decision_transformer.main(
        train_decision_transformer.Arguments(
            **common, dataset=[str(folder / "dataset")], output_dir=str(folder / "transformer"), context_length=4,
            hidden_size=16, n_layer=1, n_head=2, updates=3, batch_size=8, evaluation_episodes=1,
        )
    )  # fmt: skip
    patch.undo()
    return folder


def test_every_artefact_of_the_chain_knows_the_body(chain):
    policy = MotorPolicy.from_pretrained(chain / "policy")
    transformer = GoalDecisionTransformer.from_pretrained(chain / "transformer")
    assert policy.body is BIPED and transformer.body is BIPED
    assert (policy.config.body, transformer.config.bodies) == ("biped", ["biped"])
    np.testing.assert_array_equal(transformer.config.action_scales, [BIPED.action_scale])


def test_its_dataset_holds_its_own_joints_and_goals(chain, tmp_path):
    rows = load_dataset(str(chain / "dataset"), split="train", cache_dir=str(tmp_path)).with_format("numpy")[:]
    assert rows["observation.state"].shape == (800, 27) and rows["action"].shape == (800, 8)
    assert (np.abs(rows["action"]) <= BIPED.scale + 1e-6).all() and np.abs(rows["action"]).max() > 0.1
    assert 0.3 < rows["observation.state"][:, 0].mean() < 0.7
    assert BIPED.reach(rows["goal.command"][:, :3]).max() <= 1 + 1e-6, "its own"
    assert not rows["goal.command"][:, 3:].any(), "it has no crouch and no arms"


def test_its_transformer_moves_one_body_and_many(chain):
    transformer = GoalDecisionTransformer.from_pretrained(chain / "transformer")
    env = make_env("biped")
    observation, _ = env.reset(seed=0, options={"goal": Goal(0.4)})
    transformer.prompt(Goal(0.4))
    for _ in range(10):
        action = transformer.act(observation)
        assert env.action_space.contains(action) and np.abs(action).max() > 0
        observation, *_ = env.step(action)
    envs = make_vector_env(3, 1, body="biped")
    observations, _ = envs.reset(seed=0)
    transformer.reset()
    transformer.prompt([Goal(0.4), Goal(), Goal(wz=0.4)])
    assert transformer.act(observations).shape == (3, 8)


def test_its_policy_is_refused_where_its_body_has_changed(chain, monkeypatch):
    monkeypatch.setitem(BODIES, "biped", replace(BIPED, action_scale=(0.3,) * 8))
    with pytest.raises(ValueError, match="action_scale"):
        MotorPolicy.from_pretrained(chain / "policy")

"""One body as a Gymnasium env: goals, rendering and states, and the libraries that take such an env."""

import sys
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as check_env_of_stable_baselines

import agent
from agent.bodies.humanoid import HUMANOID
from agent.goals import Goal, GoalProgram
from agent.simulation.heading import heading_observation
from agent.simulation.vector_env import make_vector_env
from agent.simulation.video import StickFigure, make_rendering_env

ENV_ID = "agent/HumanoidGoal-v0"
STILL = np.zeros(17, dtype=np.float32)


def torques(steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.4, 0.4, (steps, 17)).astype(np.float32)


def test_it_is_humanoid_v5_in_the_heading_frame():
    env, native = gymnasium.make(ENV_ID, reward="native"), gymnasium.make("Humanoid-v5")
    observation, _ = env.reset(seed=4)
    native.reset(seed=4)
    assert observation.shape == (50,) and observation.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert env.action_space == native.action_space
    for action in torques(10):
        observation, reward, *_, info = env.step(action)
        _, native_reward, *_, native_info = native.step(action)
        assert reward == pytest.approx(native_reward, abs=1e-9)
        assert info["reward_contact"] == pytest.approx(native_info["reward_contact"], abs=1e-9)
    data = native.unwrapped.data
    np.testing.assert_array_equal(observation[:45], heading_observation(data.qpos, data.qvel))
    np.testing.assert_array_equal(env.unwrapped.data.qpos, data.qpos)
    # Height, joints and vertical, angular and joint velocities are Humanoid-v5's own numbers; the rest is turned.
    np.testing.assert_array_equal(observation[[0, *range(5, 22)]], data.qpos[[2, *range(7, 24)]].astype(np.float32))
    np.testing.assert_array_equal(observation[24:45], data.qvel[2:].astype(np.float32))


def test_it_is_one_body_of_the_vector_env():
    envs, env = make_vector_env(2, 1), agent.make_env()
    options = {"goal": Goal(1.0, 0.2, -0.4, height="low", arms="wave_left")}
    observations, _ = envs.reset(seed=3, options=options)
    observation, _ = env.reset(seed=4, options=options)
    np.testing.assert_array_equal(observations[1], observation)
    assert envs.single_observation_space == env.observation_space and envs.single_action_space == env.action_space
    for action in torques(10):
        observations, rewards, *_, info = envs.step(np.stack([STILL, action]))
        observation, reward, *_, single_info = env.step(action)
        np.testing.assert_array_equal(observations[1], observation)
        assert reward == pytest.approx(rewards[1])
        parts = {name: values[1] for name, values in info.items() if name.startswith("reward_")}
        assert single_info == pytest.approx(parts)


def test_goals_are_drawn_or_given_and_the_command_follows_them():
    env = agent.make_env()
    env.reset(seed=1)
    drawn = [env.unwrapped.goal]
    for _ in range(600):
        env.step(STILL)
        if env.unwrapped.goal != drawn[-1]:
            drawn.append(env.unwrapped.goal)
    assert 2 < len(drawn) <= 8, "another one every few seconds"
    observation, _ = env.reset(seed=0, options={"goal": Goal(vy=0.4)})
    assert env.unwrapped.goal == Goal(vy=0.4)
    env.unwrapped.goal = Goal(wz=-0.8, height="low", arms="wave_right")
    for _ in range(130):
        observation, *_ = env.step(STILL)
    np.testing.assert_allclose(observation[45:], [0, 0, -0.8, 1, 4], atol=1e-6)
    assert env.unwrapped.goal == Goal(wz=-0.8, height="low", arms="wave_right"), "it stays in force"


@pytest.mark.parametrize("goal", ["walk_forward", (1, 0, 0, 0, 0), None, 1.0, GoalProgram((Goal(1.0),)), [Goal(1.0)]])
def test_one_body_is_given_a_goal_and_nothing_else(goal):
    env = agent.make_env()
    message = r"goal=.{,60}: give a Goal, such as Goal\(1.0\) or Goal.from_skill\('walk_forward'\)"
    with pytest.raises(ValueError, match=message):
        env.unwrapped.goal = goal
    with pytest.raises(ValueError, match=message):
        env.reset(seed=0, options={"goal": goal})


def test_the_time_limit_can_be_chosen_and_is_a_truncation():
    env = agent.make_env(max_episode_steps=2)
    env.reset(seed=0)
    assert not env.step(STILL)[3]
    *_, terminated, truncated, _ = env.step(STILL)
    assert truncated and not terminated


def test_a_fall_ends_the_episode():
    env = agent.make_env()
    env.reset(seed=0)
    steps = [env.step(action) for action in torques(60)]
    fall = next(index for index, step in enumerate(steps) if step[2])
    assert steps[fall][0][0] < 1.0 < steps[fall - 1][0][0]
    assert env.unwrapped.data.qpos[2] == pytest.approx(steps[-1][0][0]), "nothing restarts it but reset"


def test_arrays_of_another_shape_are_refused_with_the_shape_for_one_body():
    env = agent.make_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action has shape \(16,\): give \(17,\)"):
        env.step(STILL[1:])
    with pytest.raises(ValueError, match=r"qpos has shape \(23,\): give \(24,\)"):
        env.unwrapped.set_state(np.zeros(23), np.zeros(23))
    with pytest.raises(ValueError, match=r"qvel has shape \(1, 23\): give \(23,\)"):
        env.unwrapped.set_state(np.zeros(24), np.zeros((1, 23)))


def test_a_simulation_that_diverges_ends_its_episode_and_the_next_one_is_sound():
    env = agent.make_env()
    env.reset(seed=0)
    env.unwrapped.data.qvel[8] = 1e12
    observation, reward, terminated, truncated, info = env.step(STILL)
    assert terminated and not truncated and reward == 0 and not any(info.values())
    assert np.isfinite(observation).all()
    env.reset(seed=0)
    assert not env.step(STILL)[2]


def test_a_shove_comes_from_the_side_that_the_body_turns_to_it():
    env = agent.make_env()
    env.reset(seed=0)
    qpos = env.unwrapped.data.qpos.copy()
    qpos[3:7] = np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)  # faces along y
    env.unwrapped.set_state(qpos, np.zeros(23))
    env.unwrapped.push(0.5, np.pi / 2)  # to its left, which is -x
    np.testing.assert_allclose(env.unwrapped.data.qvel[:2], [-0.5, 0], atol=1e-12)
    assert env.step(STILL)[0][23] > 0.2


@pytest.mark.parametrize("mode", ["human", "rgb_array", "depth_array"])
def test_every_render_mode_is_known_to_gymnasium(mode):
    env = gymnasium.make(ENV_ID, render_mode=mode)  # warns of an unknown one
    assert env.render_mode == mode and env.metadata["render_fps"] == 67


def test_the_camera_follows():
    env = make_rendering_env()
    if isinstance(env, StickFigure):
        pytest.skip("OpenGL does not work here")
    first = env.render()
    assert first.shape == (480, 480, 3) and first.dtype == np.uint8 and first.std() > 10
    qpos = env.unwrapped.data.qpos.copy()
    qpos[:2] += 8
    env.unwrapped.set_state(qpos, np.zeros(23))
    middle = slice(220, 260)
    change = env.render()[middle, middle].astype(float) - first[middle, middle]
    assert np.abs(change).mean() < 10, "the body is still in the middle of the picture"
    env.close()


def test_make_env_refuses_an_unknown_body():
    with pytest.raises(ValueError, match="body='robot' is unknown"):
        agent.make_env("robot")


# Humanoid-v5's observation has no bounds either.
@pytest.mark.filterwarnings("ignore:.*A Box observation space m..imum value is:UserWarning")
def test_it_passes_the_check_of_gymnasium():
    check_env(gymnasium.make(ENV_ID).unwrapped, skip_render_check=True)


def test_it_passes_the_check_of_stable_baselines():
    # It advises actions of ±1, which torques are not.
    check_env_of_stable_baselines(gymnasium.make(ENV_ID), warn=False)


def test_stable_baselines_learns_on_it():
    model = PPO("MlpPolicy", gymnasium.make(ENV_ID), n_steps=64, batch_size=32, n_epochs=1, device="cpu", seed=0)
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(128)
    assert model.num_timesteps == 128
    assert any(not torch.equal(*pair) for pair in zip(before, model.policy.parameters(), strict=True))


def test_its_spec_makes_it_again_and_survives_json():
    env = agent.make_env(max_episode_steps=77)
    for spec in (env.spec, EnvSpec.from_json(env.spec.to_json())):
        other = gymnasium.make(spec)
        assert other.spec == env.spec and other.unwrapped.body is HUMANOID
        np.testing.assert_array_equal(other.reset(seed=1)[0], env.reset(seed=1)[0])


def test_gymnasium_makes_a_vector_env_of_many_bodies():
    envs = gymnasium.make_vec(ENV_ID, num_envs=3, vectorization_mode="vector_entry_point", num_threads=1)
    observations, _ = envs.reset(seed=1)
    assert isinstance(envs.unwrapped, agent.simulation.vector_env.GoalVectorEnv)
    assert observations.shape == (3, 50) and envs.num_envs == 3 and envs.unwrapped.max_episode_steps == 1000
    assert envs.spec.id == ENV_ID
    singles = gymnasium.make_vec(ENV_ID, num_envs=3, vectorization_mode="sync")
    np.testing.assert_array_equal(singles.reset(seed=1)[0][:, :45], observations[:, :45])
    np.testing.assert_array_equal(envs.step(np.zeros((3, 17)))[0][:, :45], singles.step(np.zeros((3, 17)))[0][:, :45])


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # Minari 0.5 leaves that to Python
def test_minari_records_it_and_recovers_it(tmp_path, monkeypatch):
    # Of jax, which takes hundreds of megabytes, Minari needs only tree_map, which torch has as well.
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(tree_util=torch.utils._pytree))
    monkeypatch.setitem(sys.modules, "jax.tree_util", torch.utils._pytree)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    import minari

    env = agent.make_env(max_episode_steps=20)
    collector = minari.DataCollector(env, data_format="arrow")
    observations = [collector.reset(seed=0)[0]]
    done = False
    while not done:
        observation, _, terminated, truncated, _ = collector.step(STILL)
        observations.append(observation)
        done = terminated or truncated
    names = ("algorithm_name", "author", "author_email", "code_permalink", "description")
    dataset = collector.create_dataset("agent/still-v0", eval_env=env, **dict.fromkeys(names, "a test"))
    episode = dataset[0]
    np.testing.assert_array_equal(episode.observations, observations)
    recovered = dataset.recover_environment()
    assert recovered.spec == env.spec
    np.testing.assert_array_equal(recovered.reset(seed=0)[0], observations[0])

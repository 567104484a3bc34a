"""Many bodies in native threads: the physics of Gymnasium's Humanoid-v5, seeds, states and what goes wrong."""

import gc
import threading
import time

import gymnasium
import mujoco
import numpy as np
import pytest

from agent.simulation import vector_env
from agent.simulation.env import ACTION_LIMIT, ACTION_SIZE, HUMANOID, make_env
from agent.simulation.vector_env import generator_from_words, generator_words, make_vector_env

RNG = np.random.default_rng


def actions_for(seed: int, steps: int, bodies: int) -> np.ndarray:
    return RNG(seed).uniform(-ACTION_LIMIT, ACTION_LIMIT, (steps, bodies, ACTION_SIZE)).astype(np.float32)


def test_the_same_actions_give_the_states_of_humanoid_v5_over_a_thousand_steps_with_restarts():
    bodies, seed = 3, 11
    envs = make_vector_env(bodies, num_threads=2)
    envs.reset(seed=seed)
    natives = [gymnasium.make("Humanoid-v5") for _ in range(bodies)]
    for index, native in enumerate(natives):
        native.reset(seed=seed + index)
    restarts = 0
    for step, actions in enumerate(actions_for(0, 1000, bodies)):
        _, rewards, terminated, truncated, info = envs.step(actions)
        for index, native in enumerate(natives):
            _, reward, native_terminated, native_truncated, native_info = native.step(actions[index])
            data = native.unwrapped.data
            np.testing.assert_allclose(envs.body.qpos[index], data.qpos, rtol=0, atol=1e-9, err_msg=f"step {step}")
            np.testing.assert_allclose(envs.body.qvel[index], data.qvel, rtol=0, atol=1e-9, err_msg=f"step {step}")
            assert rewards[index] == pytest.approx(reward, abs=1e-9)
            for part in ("reward_survive", "reward_forward", "reward_ctrl", "reward_contact"):
                assert info[part][index] == pytest.approx(native_info[part], abs=1e-9)
            assert (terminated[index], truncated[index]) == (native_terminated, native_truncated)
            if native_terminated or native_truncated:
                native.reset()
                restarts += 1
                np.testing.assert_allclose(envs.start.qpos[index], data.qpos, rtol=0, atol=1e-9)
    assert restarts > 50


def test_it_observes_what_the_single_env_observes():
    envs, env = make_vector_env(2, num_threads=1), make_env()
    observations, _ = envs.reset(seed=3)
    observation, _ = env.reset(seed=4)
    np.testing.assert_array_equal(observations[1], observation)
    for actions in actions_for(1, 10, 2):
        observations, *_ = envs.step(actions)
        observation, *_ = env.step(actions[1])
        np.testing.assert_array_equal(observations[1], observation)
    assert observations.dtype == np.float32 and envs.observation_space.contains(observations)
    assert envs.single_action_space == env.action_space


def roll(envs, actions: np.ndarray) -> list[np.ndarray]:
    """Everything that a run of `actions` returns, one array per step."""
    steps = [envs.step(each) for each in actions]
    return [np.column_stack([o, r, a, b, info["final_obs"], info["diverged"]]) for o, r, a, b, info in steps]


def test_the_number_of_threads_changes_nothing():
    runs = []
    for threads in (1, 2, 5):
        envs = make_vector_env(4, num_threads=threads)
        envs.reset(seed=0)
        runs.append(roll(envs, actions_for(2, 60, 4)))
        envs.close()
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


@pytest.mark.parametrize(("processes", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_the_processes_of_a_launcher_share_out_the_cores(processes, threads, monkeypatch):
    monkeypatch.setattr(vector_env.os, "sched_getaffinity", lambda _: range(4))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert make_vector_env(1).num_threads == threads


def test_a_seed_repeats_a_run_and_another_one_does_not():
    envs = make_vector_env(2, num_threads=1)
    first, _ = envs.reset(seed=5)
    later, _ = envs.reset()
    again, _ = envs.reset(seed=5)
    listed, _ = envs.reset(seed=[5, 6])
    other, _ = envs.reset(seed=7)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, listed)
    assert not np.array_equal(first, later) and not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1]), "bodies start apart"


def test_in_the_frame_of_the_world_bodies_observe_what_humanoid_v5_does():
    envs, env = make_vector_env(1, num_threads=1, frame="world"), gymnasium.make("Humanoid-v5", **HUMANOID)
    observations, _ = envs.reset(seed=3)
    np.testing.assert_array_equal(observations[0], env.reset(seed=3)[0].astype(np.float32))
    for actions in actions_for(3, 200, 1):
        observations, _, terminated, _, info = envs.step(actions)
        observation, *_ = env.step(actions[0])
        np.testing.assert_array_equal(info["final_obs"][0], observation.astype(np.float32))
        if terminated[0]:
            np.testing.assert_array_equal(observations[0], env.reset()[0].astype(np.float32))
    assert envs.episode_steps[0] < 200, "it fell on the way"


def test_without_the_cost_of_contact_the_physics_is_the_same_and_the_rest_of_the_reward():
    whole, cheap = (make_vector_env(2, num_threads=1, contact_cost=paid) for paid in (True, False))
    for envs in (whole, cheap):
        envs.reset(seed=1)
    costs = []
    for actions in actions_for(3, 60, 2):
        (seen, reward, *_, info), (cheap_seen, cheap_reward, *_) = whole.step(actions), cheap.step(actions)
        np.testing.assert_array_equal(cheap_seen, seen)
        np.testing.assert_allclose(cheap_reward, reward - info["reward_contact"])
        costs.append(info["reward_contact"])
    assert np.min(costs) < 0


def test_a_time_limit_truncates_and_starts_again_in_the_same_step():
    envs = make_vector_env(2, num_threads=1, max_episode_steps=3)
    envs.reset(seed=0)
    for _ in range(2):
        *_, truncated, _ = envs.step(np.zeros((2, ACTION_SIZE)))
        assert not truncated.any()
    observations, _, terminated, truncated, info = envs.step(np.zeros((2, ACTION_SIZE)))
    assert truncated.all() and not terminated.any()
    assert (envs.episode_steps == 0).all()
    assert np.abs(observations - info["final_obs"]).max() > 0, (
        "the new episode is seen, and the last step of the old one"
    )
    assert (envs.start.qvel != envs.body.qvel).any()


def test_the_last_observation_of_a_fall_is_kept_and_what_comes_next_is_a_start():
    envs = make_vector_env(1, num_threads=1)
    envs.reset(seed=0)
    for actions in actions_for(3, 200, 1):
        observations, _, terminated, _, info = envs.step(actions)
        if terminated[0]:
            break
    assert terminated[0]
    assert info["final_obs"][0, 0] < 1.0 < observations[0, 0]
    assert envs.body.qpos[0, 2] < 1.0 < envs.start.qpos[0, 2]


@pytest.mark.parametrize("harm", ["nan position", "infinite velocity", "explosion"])
def test_a_diverged_body_ends_its_episode_alone_and_is_never_observed(harm):
    harmed, sound = (make_vector_env(3, num_threads=2) for _ in range(2))
    for envs in (harmed, sound):
        envs.reset(seed=0)
        envs.step(np.zeros((3, ACTION_SIZE)))
    qpos, qvel = harmed.start.qpos[[1]].copy(), harmed.start.qvel[[1]].copy()
    if harm == "nan position":
        qpos[0, 9] = np.nan
    else:
        qvel[0, 8] = np.inf if harm == "infinite velocity" else 1e6
    harmed.set_state(np.array([1]), qpos, qvel)
    for step in range(5):
        actions = np.full((3, ACTION_SIZE), 0.1)
        observations, rewards, terminated, truncated, info = harmed.step(actions)
        expected, expected_rewards, *_ = sound.step(actions)
        assert np.isfinite(observations).all() and np.isfinite(info["final_obs"]).all() and np.isfinite(rewards).all()
        assert info["diverged"].tolist() == [False, step == 0, False]
        assert terminated.tolist() == [False, step == 0, False] and not truncated.any()
        np.testing.assert_array_equal(observations[[0, 2]], expected[[0, 2]])
        np.testing.assert_array_equal(rewards[[0, 2]], expected_rewards[[0, 2]])
        if step == 0:
            assert rewards[1] == 0
    assert np.isfinite(harmed.start.qpos).all()


def test_a_push_changes_the_velocity_of_the_whole_body():
    envs = make_vector_env(2, num_threads=1)
    envs.reset(seed=0)
    before = envs.start.qvel.copy()
    envs.push(np.array([1]), np.array([[0.3, -0.4, 0.0]]))
    np.testing.assert_allclose(envs.start.qvel[1, :3] - before[1, :3], [0.3, -0.4, 0.0], atol=1e-12)
    np.testing.assert_array_equal(envs.start.qvel[1, 3:], before[1, 3:])
    np.testing.assert_array_equal(envs.start.qvel[0], before[0])
    envs.step(np.zeros((2, ACTION_SIZE)))
    assert envs.body.qvel[1, 0] - before[1, 0] > 0.15, "physics goes on from the push"


def test_a_saved_state_continues_bit_for_bit_in_another_env():
    envs = make_vector_env(3, num_threads=2, max_episode_steps=70)
    envs.reset(seed=0)
    roll(envs, actions_for(4, 50, 3))
    envs.push(np.array([0]), np.array([[0.2, 0.1, 0.0]]))
    saved = envs.state_dict()
    expected = roll(envs, actions_for(5, 100, 3))
    other = make_vector_env(3, num_threads=1, max_episode_steps=70)
    other.reset(seed=99)
    other.load_state_dict(saved)
    np.testing.assert_array_equal(roll(other, actions_for(5, 100, 3)), expected)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, envs.state_dict()[name], err_msg=name)


def test_loading_a_state_returns_what_the_bodies_see():
    envs, other = make_vector_env(2, num_threads=1), make_vector_env(2, num_threads=1)
    envs.reset(seed=0)
    observations = envs.step(actions_for(6, 1, 2)[0])[0]
    other.reset(seed=1)
    np.testing.assert_array_equal(other.load_state_dict(envs.state_dict()), observations)


def test_a_generator_survives_as_words():
    generator = RNG(3)
    generator.integers(0, 10, 3, dtype=np.uint32)  # leaves half a word behind
    words = generator_words(generator)
    assert words.dtype == np.uint64
    copy = generator_from_words(words)
    np.testing.assert_array_equal(
        copy.integers(0, 10, 9, dtype=np.uint32), generator.integers(0, 10, 9, dtype=np.uint32)
    )
    np.testing.assert_array_equal(copy.normal(size=9), generator.normal(size=9))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_refused_before_it_moves_anything(value):
    envs = make_vector_env(3, num_threads=1)
    envs.reset(seed=0)
    before = envs.start.qpos.copy()
    actions = np.zeros((3, ACTION_SIZE))
    actions[2, 5] = value
    with pytest.raises(ValueError, match="action of body 2 is not finite: check the policy"):
        envs.step(actions)
    np.testing.assert_array_equal(envs.start.qpos, before)


def test_actions_of_another_shape_are_refused_with_both_shapes():
    envs = make_vector_env(3, num_threads=1)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"\(2, 17\).*\(3, 17\)"):
        envs.step(np.zeros((2, ACTION_SIZE)))


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_sizes_that_make_no_env_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        make_vector_env(*sizes)


@pytest.fixture
def harm():
    """Lets MuJoCo itself do something to the bodies that `when` is true of, in the middle of their step."""

    def arm(when, what) -> None:
        mujoco.set_mjcb_control(lambda model, data: what() if when(data) else None)

    yield arm
    mujoco.set_mjcb_control(None)


def raise_error() -> None:
    raise RuntimeError("out of order")


def is_marked(data) -> bool:
    return data.qpos[0] > 50


def mark(envs, rows) -> None:
    qpos = envs.start.qpos[rows].copy()
    qpos[:, 0] = 100
    envs.set_state(np.array(rows), qpos, envs.start.qvel[rows].copy())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("fault", ["raises", "hangs"])
def test_a_body_whose_physics_fails_starts_anew_and_the_others_go_on(threads, fault, harm, monkeypatch, capsys):
    monkeypatch.setattr(vector_env, "HANG_SECONDS", 0.2)
    woken = threading.Event()
    harmed, sound = (make_vector_env(4, num_threads=threads) for _ in range(2))
    for envs in (harmed, sound):
        envs.reset(seed=0)
    mark(harmed, [1])
    for step in range(6):
        actions = np.full((4, ACTION_SIZE), 0.1)
        harm(is_marked, raise_error if fault == "raises" else woken.wait)
        observations, rewards, terminated, _, info = harmed.step(actions)
        harm(lambda data: False, raise_error)
        expected, expected_rewards, *_ = sound.step(actions)
        assert info["diverged"].tolist() == terminated.tolist() == [False, step == 0, False, False]
        assert np.isfinite(observations).all() and np.isfinite(rewards).all()
        np.testing.assert_array_equal(observations[[0, 2, 3]], expected[[0, 2, 3]])
        np.testing.assert_array_equal(rewards[[0, 2, 3]], expected_rewards[[0, 2, 3]])
        if step == 3:
            woken.set()  # what hung goes on, and changes nothing
    assert "body 1 starts anew: " in capsys.readouterr().err
    assert len(harmed._threads) == threads


def test_a_fault_of_many_bodies_at_once_is_no_accident(harm):
    envs = make_vector_env(4, num_threads=2)
    envs.reset(seed=0)
    mark(envs, [0, 3])
    harm(is_marked, raise_error)
    with pytest.raises(RuntimeError, match="out of order"):
        envs.step(np.zeros((4, ACTION_SIZE)))


def test_an_env_that_nobody_has_any_more_leaves_no_threads():
    before = threading.active_count()
    envs = make_vector_env(2, num_threads=2)
    envs.reset(seed=0)
    envs.step(np.zeros((2, ACTION_SIZE)))
    del envs
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before

"""Many bodies that follow goals: the physics of Humanoid-v5, goals, seeds, restarts and states."""

from dataclasses import replace

import gymnasium
import mujoco
import numpy as np
import pytest

from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.goals import Goal
from agent.simulation import vector_env
from agent.simulation.curriculum import Curriculum
from agent.simulation.heading import heading_observation
from agent.simulation.task import approach
from agent.simulation.vector_env import GoalVectorEnv, make_vector_env, planar

RNG = np.random.default_rng
EVERYTHING = Curriculum(
    goal_seconds=(0.15, 0.6),
    push_speed=0.5,
    push_seconds=(0.1, 0.5),
    stride_share=0.2,
    recovery_share=0.2,
    retry_share=0.5,
    low_share=0.3,
    arms_share=0.5,
)


def test_a_retry_starts_where_a_given_goal_began():
    envs = GoalVectorEnv(2, 1, curriculum=Curriculum(retry_share=1.0, stride_share=0.0, recovery_share=0.0))
    envs.reset(seed=0, options={"goal": Goal(1.0)})
    begun = envs.state.qpos[0].copy()
    lying = begun.copy()
    lying[2] = 0.3
    envs.set_state(np.arange(1), lying[None], np.zeros((1, envs.physics.model.nv)))
    *_, terminated, _, _ = envs.step(np.zeros((2, 17)))
    assert terminated.tolist() == [True, False]
    np.testing.assert_array_equal(envs.state.qpos[0], begun)


def actions_for(seed: int, steps: int, bodies: int) -> np.ndarray:
    return RNG(seed).uniform(-0.4, 0.4, (steps, bodies, 17)).astype(np.float32)


def still(bodies: int) -> np.ndarray:
    return np.zeros((bodies, 17), dtype=np.float32)


def roll(envs: GoalVectorEnv, actions: np.ndarray) -> list[np.ndarray]:
    """Everything that a run of `actions` returns, one array per step."""
    steps = [envs.step(each) for each in actions]
    return [np.column_stack([o, r, a, b, *info.values()]) for o, r, a, b, info in steps]


def test_the_same_actions_give_the_states_of_humanoid_v5_over_many_restarts():
    bodies, seed = 2, 11
    envs = make_vector_env(bodies, num_threads=2, reward="native")
    envs.reset(seed=seed)
    natives = [gymnasium.make("Humanoid-v5") for _ in range(bodies)]
    for index, native in enumerate(natives):
        native.reset(seed=seed + index)
    restarts = 0
    for step, actions in enumerate(actions_for(0, 300, bodies)):
        _, rewards, terminated, truncated, info = envs.step(actions)
        for index, native in enumerate(natives):
            _, reward, native_terminated, native_truncated, native_info = native.step(actions[index])
            data, state = native.unwrapped.data, envs.final_state
            np.testing.assert_allclose(state.qpos[index], data.qpos, rtol=0, atol=1e-9, err_msg=f"step {step}")
            np.testing.assert_allclose(state.qvel[index], data.qvel, rtol=0, atol=1e-9, err_msg=f"step {step}")
            assert rewards[index] == pytest.approx(reward, abs=1e-9)
            for part in ("reward_survive", "reward_forward", "reward_ctrl", "reward_contact"):
                assert info[part][index] == pytest.approx(native_info[part], abs=1e-9)
            assert (terminated[index], truncated[index]) == (native_terminated, native_truncated)
            if native_terminated or native_truncated:
                native.reset()
                restarts += 1
                np.testing.assert_allclose(envs.state.qpos[index], data.qpos, rtol=0, atol=1e-9)
    assert restarts > 15


def test_in_the_frame_of_the_world_bodies_observe_what_humanoid_v5_does():
    small = {"include_cinert_in_observation": False, "include_cvel_in_observation": False}
    small |= {"include_qfrc_actuator_in_observation": False, "include_cfrc_ext_in_observation": False}
    envs, env = make_vector_env(1, 1, frame="world", reward="native"), gymnasium.make("Humanoid-v5", **small)
    observations, _ = envs.reset(seed=3)
    np.testing.assert_array_equal(observations[0, :45], env.reset(seed=3)[0].astype(np.float32))
    for actions in actions_for(3, 200, 1):
        observations, _, terminated, _, info = envs.step(actions)
        observation, *_ = env.step(actions[0])
        np.testing.assert_array_equal(info["final_obs"][0, :45], observation.astype(np.float32))
        if terminated[0]:
            np.testing.assert_array_equal(observations[0, :45], env.reset()[0].astype(np.float32))
    assert envs.episode_steps[0] < 200, "it fell on the way"


def test_the_goal_reward_and_the_cost_of_contacts_do_not_change_the_physics():
    native, goal = make_vector_env(2, 1, reward="native"), make_vector_env(2, 1)
    for envs in (native, goal):
        envs.reset(seed=1)
    costs = []
    for actions in actions_for(3, 60, 2):
        (seen, *_, info), (goal_seen, *_) = (envs.step(actions) for envs in (native, goal))
        np.testing.assert_array_equal(goal_seen, seen)
        costs.append(info["reward_contact"])
    assert np.min(costs) < 0


def test_the_parts_of_the_goal_reward_are_in_the_info_and_their_sum_is_the_reward():
    envs = GoalVectorEnv(3, 1)
    envs.reset(seed=0)
    for actions in actions_for(0, 30, 3):
        _, rewards, *_, info = envs.step(actions)
        parts = {name: values for name, values in info.items() if name.startswith("reward_")}
        np.testing.assert_allclose(rewards, sum(parts.values()))
    assert {"reward_tracking", "reward_gait", "reward_slip"} < parts.keys() and len(parts) == 15


def test_an_observation_is_the_body_and_then_its_command_on_the_way_to_its_goal():
    envs = make_vector_env(2, 1)
    observations, _ = envs.reset(seed=0, options={"goal": [Goal(3.0), Goal(vy=-0.4)]})
    assert observations.shape == (2, 50) and observations.dtype == np.float32
    assert envs.observation_space.contains(observations)
    command = observations[:, 45:]
    np.testing.assert_allclose(command[:, 0], [4.0 * 0.015, 0], atol=0.02)  # from the little motion of its start
    for _ in range(10):
        observations, *_ = envs.step(still(2))
        np.testing.assert_array_equal(observations[:, 45:], approach(command, envs.goals, envs.body))
        command = observations[:, 45:]
        expected = heading_observation(envs.state.qpos, envs.state.qvel)
        np.testing.assert_array_equal(observations[:, :45], expected)
    np.testing.assert_array_equal(observations, envs.observe())
    np.testing.assert_allclose(command[1], [0, -0.4, 0, 0, 0], atol=1e-6)
    assert 0.6 < command[0, 0] < 0.75


def test_the_reward_counts_the_command_that_was_observed():
    envs = make_vector_env(2, 1)
    envs.reset(seed=0, options={"goal": Goal(vy=-0.6)})
    envs.task.commands[1] = 0
    *_, info = envs.step(still(2))
    assert info["reward_tracking"][0] < info["reward_tracking"][1], "it stands, and only the second one should"


@pytest.mark.parametrize(
    "goals",
    [
        Goal(1.0, 0.2, -0.4, height="low", arms="out"),
        [Goal(1.0, 0.2, -0.4, height="low", arms="out")] * 2,
        [(1.0, 0.2, -0.4, 1, 2)] * 2,
        np.array([[1.0, 0.2, -0.4, 1, 2]] * 2),
    ],
)
def test_goals_are_given_as_one_goal_or_one_for_each_body(goals):
    envs = make_vector_env(2, 1)
    envs.goals = goals
    np.testing.assert_array_equal(envs.goals, np.array([[1.0, 0.2, -0.4, 1, 2]] * 2, dtype=np.float32))


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ([Goal(1.0)], "1 goals for 3 bodies: give one for each, or one Goal"),
        (np.zeros((3, 3)), "goal 0 is .* give a Goal or finite numbers vx, vy, wz, height, arms"),
        ([Goal(), Goal(), Goal.home()], "needs odometry"),
    ],
)
def test_goals_that_do_not_fit_the_bodies_are_refused(goals, message):
    with pytest.raises(ValueError, match=message):
        make_vector_env(3, 1).goals = goals


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1.5}, "seed=1.5: give a whole number from 0, or one for each body"),
        ({"seed": -1}, "seed=-1: give a whole number from 0"),
        ({"seed": [1, 2.5, 3]}, r"seed=\[1, 2.5, 3\]: give a whole number from 0"),
        ({"seed": [1, 2]}, "2 seeds for 3 bodies: give one for each, or one number"),
        ({"options": {"reset_mask": np.ones(3, dtype=bool)}}, "takes no option 'reset_mask': give a goal"),
    ],
)
def test_a_reset_that_cannot_be_done_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_vector_env(3, 1).reset(**settings)


def test_seeds_may_be_numbers_of_numpy():
    envs = make_vector_env(2, 1)
    np.testing.assert_array_equal(envs.reset(seed=np.int64(4))[0], envs.reset(seed=4)[0])
    np.testing.assert_array_equal(envs.reset(seed=np.array([4, 5]))[0], envs.reset(seed=4)[0])


def test_given_goals_replace_drawn_ones_until_the_next_episode():
    envs = GoalVectorEnv(4, 1, max_episode_steps=60, curriculum=Curriculum(goal_seconds=(0.05, 0.1), stand_factor=1))
    envs.reset(seed=0)
    envs.goals = Goal(0.5)
    for _ in range(30):
        envs.step(still(4))
        assert (envs.goals == [0.5, 0, 0, 0, 0]).all()
    while (envs.goals == [0.5, 0, 0, 0, 0]).all():
        *_, truncated, _ = envs.step(still(4))
    assert truncated.any() or (envs.episode_steps == 0).any()
    envs.reset(options={"goal": Goal(0.5)})
    envs.step(still(4))
    assert (envs.goals == [0.5, 0, 0, 0, 0]).all()


def test_without_a_curriculum_goals_are_kept_through_restarts_and_bodies_stand_before_the_first():
    envs = make_vector_env(3, 1)
    envs.reset(seed=0)
    assert not envs.goals.any()
    envs.goals = Goal(1.0)
    envs.reset()
    falls = sum(envs.step(actions)[2].sum() for actions in actions_for(0, 100, 3))
    assert falls > 3 and (envs.goals == [1, 0, 0, 0, 0]).all()


def test_the_number_of_threads_changes_nothing():
    runs = []
    for threads in (1, 2, 5):
        envs = GoalVectorEnv(4, threads, curriculum=EVERYTHING)
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
    envs = GoalVectorEnv(2, 1, curriculum=EVERYTHING)
    runs = []
    for seed in (5, None, 5, [5, 6], 7):
        first, _ = envs.reset(seed=seed)
        runs.append([np.column_stack([first, envs.goals]), *roll(envs, actions_for(0, 60, 2))])
    first, later, again, listed, other = runs
    for step, expected in enumerate(first):
        np.testing.assert_array_equal(again[step], expected)
        np.testing.assert_array_equal(listed[step], expected)
    assert not np.array_equal(first[0], later[0]) and not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0][0], first[0][1]), "bodies start differently"


def test_a_gyro_that_averages_shows_how_far_the_torso_turned():
    envs = make_vector_env(2, 1, "g1")
    first = envs.body.observation_names.index("roll_rate")
    observations, _ = envs.reset(seed=0)
    np.testing.assert_allclose(observations[:, first : first + 3], envs.state.qvel[:, 3:6], rtol=1e-6)
    for actions in RNG(1).uniform(-0.3, 0.3, (10, 2, 29)):
        before = envs.state.qpos[:, 3:7].copy()
        observations, *_ = envs.step(actions)
        for quaternion, gyro, after in zip(before, observations[:, first : first + 3], envs.state.qpos, strict=True):
            mujoco.mju_quatIntegrate(quaternion, gyro.astype(float), envs.body.control_seconds)
            np.testing.assert_allclose(quaternion, after[3:7], atol=1e-6)
    other = make_vector_env(2, 1, "g1")
    other.load_state_dict(envs.state_dict())
    np.testing.assert_array_equal(other.observe(), observations)


def test_a_time_limit_truncates_and_starts_again_in_the_same_step():
    envs = make_vector_env(2, 1, max_episode_steps=3)
    envs.reset(seed=0)
    for _ in range(2):
        *_, truncated, _ = envs.step(still(2))
        assert not truncated.any()
    observations, _, terminated, truncated, info = envs.step(still(2))
    assert truncated.all() and not terminated.any()
    assert (envs.episode_steps == 0).all()
    final = heading_observation(envs.final_state.qpos, envs.final_state.qvel)
    np.testing.assert_array_equal(info["final_obs"][:, :45], final)
    start = heading_observation(envs.state.qpos, envs.state.qvel)
    np.testing.assert_array_equal(observations[:, :45], start)
    assert (envs.state.qvel != envs.final_state.qvel).any()


def test_the_last_observation_of_a_fall_is_kept_and_the_next_one_is_a_start():
    envs = make_vector_env(1, 1)
    envs.reset(seed=0)
    for actions in actions_for(3, 200, 1):
        observations, _, terminated, _, info = envs.step(actions)
        if terminated[0]:
            break
    assert terminated[0]
    assert info["final_obs"][0, 0] < 1.0 < observations[0, 0]
    assert envs.final_state.qpos[0, 2] < 1.0 < envs.state.qpos[0, 2]


def test_without_autoreset_a_body_that_fell_goes_on_falling():
    envs = make_vector_env(1, 1, autoreset=False)
    envs.reset(seed=0)
    steps = [envs.step(actions) for actions in actions_for(3, 200, 1)]
    terminated = np.array([step[2][0] for step in steps])
    fall = int(terminated.argmax())
    assert terminated[fall:].mean() > 0.9 and envs.episode_steps[0] == 200
    np.testing.assert_array_equal(steps[fall][4]["final_obs"][:, :45], steps[fall][0][:, :45])


def test_the_privileged_features_before_a_restart_are_those_of_the_last_state():
    envs = GoalVectorEnv(2, 1, max_episode_steps=5, privileged=True)
    envs.reset(seed=0)
    for _ in range(5):
        *_, truncated, info = envs.step(still(2))
        even, odd = info["final_privileged"]
        assert even.dtype == odd.dtype == np.float32
        np.testing.assert_array_equal(even[:, 2:4] == envs.privileged[0][:, 2:4], not truncated.any())
    assert truncated.all()


@pytest.mark.parametrize("harm", ["nan position", "infinite velocity", "explosion"])
def test_a_diverged_body_ends_its_episode_alone_and_is_never_observed(harm):
    harmed, sound = (make_vector_env(3, 2, privileged=True) for _ in range(2))
    for envs in (harmed, sound):
        envs.reset(seed=0)
        envs.step(still(3))
    qpos, qvel = harmed.state.qpos[[1]].copy(), harmed.state.qvel[[1]].copy()
    if harm == "nan position":
        qpos[0, 9] = np.nan
    else:
        qvel[0, 8] = np.inf if harm == "infinite velocity" else 1e6
    harmed.physics.set_state(np.array([1]), qpos, qvel)
    others = [0, 2]
    for step in range(5):
        actions = np.full((3, 17), 0.1)
        observations, rewards, terminated, truncated, info = harmed.step(actions)
        expected, expected_rewards, *_ = sound.step(actions)
        for array in (observations, info["final_obs"], rewards, *info["final_privileged"]):
            assert np.isfinite(array).all()
        assert info["diverged"].tolist() == [False, step == 0, False]
        assert terminated.tolist() == [False, step == 0, False] and not truncated.any()
        np.testing.assert_array_equal(observations[others], expected[others])
        np.testing.assert_array_equal(rewards[others], expected_rewards[others])
        if step == 0:
            assert rewards[1] == 0
    assert np.isfinite(harmed.state.qpos).all()


def test_without_autoreset_a_diverged_body_is_observed_as_zeros_and_the_next_start_is_sound():
    envs = make_vector_env(2, 1, autoreset=False)
    envs.reset(seed=0)
    envs.physics.set_state(np.array([1]), np.full((1, 24), np.nan), np.zeros((1, 23)))
    for _ in range(3):
        observations, _, terminated, _, info = envs.step(still(2))
        np.testing.assert_array_equal(terminated, [False, True])
        for array in (observations, info["final_obs"]):
            assert array[0].any() and not array[1].any()
    assert envs.reset(seed=0)[0].any(1).all() and np.isfinite(envs.step(still(2))[0]).all()


def test_a_push_changes_the_velocity_of_the_whole_body_before_the_next_step():
    envs = make_vector_env(2, 1)
    envs.reset(seed=0)
    envs.step(still(2))
    before, final = envs.state.qvel.copy(), envs.final_state.qvel.copy()
    envs.push(np.array([1]), np.array([[0.3, -0.4]]))
    np.testing.assert_allclose(envs.state.qvel[1, :3] - before[1, :3], [0.3, -0.4, 0.0], atol=1e-12)
    np.testing.assert_array_equal(envs.state.qvel[1, 3:], before[1, 3:])
    np.testing.assert_array_equal(envs.state.qvel[0], before[0])
    np.testing.assert_array_equal(envs.final_state.qvel, final)
    np.testing.assert_allclose(envs.observe()[1, 22:24], envs.state.qvel[1, :2], atol=0.01)
    envs.step(still(2))
    assert envs.final_state.qvel[1, 0] - before[1, 0] > 0.15, "physics goes on from the push"


@pytest.mark.parametrize(
    ("rows", "velocity", "message"),
    [
        ([2], [[1, 0]], r"rows=\[2\] are no bodies: give a list of indices from 0 to 1"),
        ([0.5], [[1, 0]], r"rows=\[0.5\] are no bodies"),
        ([True, False], [[1, 0]], r"rows=\[True, False\] are no bodies"),
        ([0, 1], [[1, 0]], r"velocity has shape \(1, 2\): give \(2, 2\)"),
        ([0], [[np.nan, 0]], "velocity is not finite: give finite numbers"),
    ],
)
def test_a_shove_that_cannot_be_is_refused(rows, velocity, message):
    envs = make_vector_env(2, 1)
    with pytest.raises(ValueError, match=message):
        envs.push(rows, velocity)
    assert not envs.state.qvel.any()


@pytest.mark.parametrize(
    ("rows", "qpos", "qvel", "message"),
    [
        ([-1], np.zeros((1, 24)), np.zeros((1, 23)), r"rows=\[-1\] are no bodies"),
        ([0], np.zeros(24), np.zeros((1, 23)), r"qpos has shape \(24,\): give \(1, 24\)"),
        ([0], np.zeros((1, 24)), np.full((1, 23), np.inf), "qvel is not finite: give finite numbers"),
    ],
)
def test_a_state_that_cannot_be_is_refused(rows, qpos, qvel, message):
    with pytest.raises(ValueError, match=message):
        make_vector_env(2, 1).set_state(rows, qpos, qvel)


def test_forces_help_the_bodies_that_are_to_go_low_and_no_others_and_end_with_their_share():
    plain, helped = (make_vector_env(2, 1) for _ in range(2))
    for envs in (plain, helped):
        envs.reset(seed=0, options={"goal": [Goal(height="low"), Goal()]})
    helped.assist = 1.0
    for _ in range(10):
        plain.step(still(2))
        helped.step(still(2))
    assert np.abs(helped.physics.assist[0]).max() > 10 and not helped.physics.assist[1].any()
    assert np.abs(helped.state.qpos[0] - plain.state.qpos[0]).max() > 1e-3
    np.testing.assert_array_equal(helped.state.qpos[1], plain.state.qpos[1])
    helped.assist = 0.0
    plain.load_state_dict(helped.state_dict())
    for envs in (plain, helped):
        envs.step(still(2))
    np.testing.assert_array_equal(helped.state.qpos, plain.state.qpos)


@pytest.mark.parametrize(
    ("before", "tracking", "falls_per_minute", "after"),
    [
        ((0.5, 0.5), 9.0, 5.0, (0.505, 0.49)),
        ((0.5, 0.5), 9.0, 7.0, (0.5, 0.5)),
        ((0.5, 0.5), 5.0, 5.0, (0.5, 0.49)),
        ((1.0, 0.0), 9.0, 5.0, (1.0, 0.0)),
    ],
)
def test_it_gets_harder_while_bodies_rarely_fall_and_follow_their_commands(before, tracking, falls_per_minute, after):
    envs, other = make_vector_env(1, 1), make_vector_env(1, 1)
    envs.reset(seed=0)
    envs.difficulty, envs.assist = before
    envs.adapt(tracking, falls_per_minute)
    assert (envs.difficulty, envs.assist) == pytest.approx(after)
    other.load_state_dict(envs.state_dict())
    assert (other.difficulty, other.assist) == (envs.difficulty, envs.assist)


def test_a_planar_velocity_has_its_speed_and_direction():
    np.testing.assert_allclose(planar(np.array([2.0, 1.0]), np.array([0, np.pi / 2])), [[2, 0], [0, 1]], atol=1e-12)


def test_a_body_put_into_a_state_forgets_its_past():
    envs, fresh = make_vector_env(2, 1), make_vector_env(2, 1)
    for each in (envs, fresh):
        each.reset(seed=0, options={"goal": Goal(1.0)})
    roll(envs, actions_for(0, 5, 2))
    qpos, qvel = fresh.state.qpos.copy(), fresh.state.qvel.copy()
    for each in (envs, fresh):
        each.set_state(np.arange(2), qpos, qvel)
    np.testing.assert_array_equal(envs.observe(), fresh.observe())
    np.testing.assert_array_equal(roll(envs, actions_for(1, 5, 2)), roll(fresh, actions_for(1, 5, 2)))


@pytest.mark.parametrize("curriculum", [None, EVERYTHING], ids=["given goals", "curriculum"])
@pytest.mark.parametrize("reward", ["goal", "native"])
def test_a_saved_state_continues_bit_for_bit_in_another_env(curriculum, reward):
    settings = {"max_episode_steps": 25, "curriculum": curriculum, "reward": reward}
    envs = make_vector_env(3, 2, **settings)
    envs.reset(seed=0, options={} if curriculum else {"goal": Goal(1.0)})
    roll(envs, actions_for(4, 20, 3))
    envs.push(np.array([0]), np.array([[0.2, 0.1]]))
    saved = envs.state_dict()
    observed, expected = envs.observe(), roll(envs, actions_for(5, 50, 3))
    other = make_vector_env(3, 1, **settings)
    other.reset(seed=99)
    other.load_state_dict(saved)
    np.testing.assert_array_equal(other.observe(), observed)
    np.testing.assert_array_equal(roll(other, actions_for(5, 50, 3)), expected)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, envs.state_dict()[name], err_msg=name)


def test_a_saved_state_is_not_changed_by_later_steps():
    envs = GoalVectorEnv(2, 1, curriculum=EVERYTHING)
    envs.reset(seed=0)
    saved = envs.state_dict()
    kept = {name: value.copy() for name, value in saved.items()}
    for _ in range(2):
        envs.load_state_dict(saved)
        roll(envs, actions_for(0, 30, 2))
    for name, value in kept.items():
        np.testing.assert_array_equal(saved[name], value, err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_refused_before_it_moves_anything(value):
    envs = make_vector_env(3, 1)
    envs.reset(seed=0)
    before = envs.state.qpos.copy()
    actions = still(3)
    actions[2, 5] = value
    with pytest.raises(ValueError, match="action of body 2 is not finite: check the policy"):
        envs.step(actions)
    np.testing.assert_array_equal(envs.state.qpos, before)


@pytest.mark.parametrize("value", [100.0, 1e300])
@pytest.mark.parametrize("kind", ["torque", "position"])
def test_actions_beyond_the_action_space_are_clipped_to_it(kind, value, monkeypatch):
    servos = replace(HUMANOID, name="servos", action_kind=kind, action_scale=(0.2,) * 17, arm_poses={}, wave_swing=())
    monkeypatch.setitem(BODIES, "servos", servos)
    beyond, within = make_vector_env(2, 1, body="servos"), make_vector_env(2, 1, body="servos")
    for envs in (beyond, within):
        envs.reset(seed=0)
    signs = np.sign(actions_for(0, 1, 2)[0], dtype=float)
    np.testing.assert_array_equal(roll(beyond, [value * signs] * 5), roll(within, [HUMANOID.scale / 2 * signs] * 5))


def test_the_native_reward_counts_actions_beyond_the_action_space_as_gymnasium_does():
    envs, native = make_vector_env(1, 1, reward="native"), gymnasium.make("Humanoid-v5")
    for env in (envs, native):
        env.reset(seed=0)
    action = np.full(17, 3.0)
    _, rewards, *_, info = envs.step(action[None])
    _, reward, *_, native_info = native.step(action)
    assert rewards[0] == pytest.approx(reward, abs=1e-9) and info["reward_ctrl"][0] == native_info["reward_ctrl"]
    np.testing.assert_allclose(envs.final_state.qpos[0], native.unwrapped.data.qpos, rtol=0, atol=1e-9)


def test_a_closed_env_refuses_to_step_at_once():
    envs = make_vector_env(2, 2)
    envs.reset(seed=0)
    for _ in range(2):
        envs.close()
        with pytest.raises(ValueError, match="this env was closed: make another one"):
            envs.step(still(2))


def test_actions_of_another_shape_are_refused_with_both_shapes():
    envs = make_vector_env(3, 1)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"\(2, 17\).*\(3, 17\)"):
        envs.step(still(2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "num_envs=0 must be a whole number of at least 1"),
        ({"num_envs": 1.5}, "num_envs=1.5 must be a whole number"),
        ({"num_envs": "2"}, "num_envs='2' must be a whole number"),
        ({"num_envs": True}, "num_envs=True must be a whole number"),
        ({"num_threads": -1}, "num_threads=-1 must be a whole number of at least 1"),
        ({"max_episode_steps": 0}, "max_episode_steps=0 must be a whole number of at least 1"),
        ({"max_episode_steps": None}, "max_episode_steps=None must be a whole number of at least 1"),
        ({"reward": "fun"}, "reward='fun' is unknown for body humanoid: choose goal or native"),
        ({"body": "robot"}, "body='robot' is unknown"),
        ({"frame": "moon"}, "frame='moon' is unknown for body humanoid: choose heading or world"),
    ],
)
def test_settings_that_make_no_env_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_vector_env(**({"num_envs": 1} | settings))

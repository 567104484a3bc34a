"""Hindsight: what a body is said to have been asked, and what it would have been paid for it."""

import numpy as np
import pytest

from agent.data.hindsight import achieved, positions, rewards, velocities
from agent.simulation.env import GoalTask, RewardWeights, humanoid, make_env, observed_velocity, yaw
from agent.simulation.vector_env import make_vector_env

BODIES, STEPS = 3, 24


@pytest.fixture(scope="module")
def shard():
    """Bodies that move at random for as long as they stand, with another goal halfway, and what GoalTask paid."""
    rng = np.random.default_rng(0)
    envs, task = make_vector_env(BODIES, 1), GoalTask(BODIES, RewardWeights())
    observations, _ = envs.reset(seed=0)
    task.begin(np.arange(BODIES), envs.start)
    rows = []
    for step in range(STEPS):
        task.goals[:] = (1.0, 0.0, 0.4) if step < STEPS // 2 else (0.0, -0.2, 0.0)
        task.lead()
        action = rng.uniform(-0.1, 0.1, (BODIES, 17)).astype(np.float32)
        row = {"observation.state": observations, "action": action, "goal.command": task.goals.copy()}
        observations, _, fell, _, _ = envs.step(action)
        assert not fell.any()
        reward = sum(task.step(envs.body, action / 0.4).values())
        rows.append(row | {"next.reward": reward, "next.done": np.full(BODIES, step == STEPS - 1)})
    envs.close()
    return {name: np.concatenate(np.stack([row[name] for row in rows], axis=1)) for name in rows[0]}


def test_the_reward_for_the_goals_that_were_asked_is_the_one_that_was_paid(shard):
    found = rewards(shard, shard["goal.command"])
    inside = ~shard["next.done"]
    np.testing.assert_allclose(found[inside], shard["next.reward"][inside], atol=0.1)
    assert np.abs(found - shard["next.reward"])[inside].mean() < 0.02


def test_a_goal_that_was_achieved_is_paid_better_than_another(shard):
    commands = achieved(shard)
    assert rewards(shard, commands).mean() > rewards(shard, np.full_like(commands, 0.6)).mean() + 1


def test_what_was_achieved_is_the_mean_velocity_of_a_second_within_one_goal():
    observations = np.zeros((400, 45), dtype=np.float32)
    observations[:, 1] = 1
    observations[:150, 22] = 0.93  # asked for 1.0 all along; then it turns on the spot, and runs faster than any goal
    observations[150:200, 27] = -0.53
    observations[200:, 22], observations[200:, 23] = 7.0, -0.09
    asked = np.zeros((400, 3), dtype=np.float32)
    asked[:150, 0], asked[150:, 2] = 1.0, 0.4
    done = np.zeros(400, dtype=bool)
    done[[199, 399]] = True
    shard = {"observation.state": observations, "goal.command": asked, "next.done": done}
    found = achieved(shard)
    np.testing.assert_allclose(found[:70], [[1.0, 0.0, 0.0]] * 70, atol=1e-6)
    np.testing.assert_allclose(found[150:200], [[0.0, 0.0, -0.6]] * 50, atol=1e-6)
    np.testing.assert_allclose(found[200:], [[3.0, 0.0, 0.0]] * 200, atol=1e-6)
    assert not np.signbit(found[:150]).any(), "no goal has -0.0"


def test_positions_are_those_that_the_body_was_in_but_for_where_it_started():
    env = make_env()
    env.reset(seed=0)
    data = humanoid(env).data
    states, observations = [], []
    for action in np.random.default_rng(0).uniform(-0.1, 0.1, (20, 17)):
        observations.append(env.step(action)[0])
        states.append(data.qpos.copy())
    found = positions(np.array(observations))
    np.testing.assert_allclose(found[:, 2], np.array(states)[:, 2], atol=1e-6)
    np.testing.assert_allclose(found[:, 7:], np.array(states)[:, 7:], atol=1e-5)
    travelled = [np.diff(path[:, :2], axis=0).sum(0) for path in (found, np.array(states))]
    np.testing.assert_allclose(travelled[0], travelled[1], atol=0.02)
    turned = [yaw(path)[-1] - yaw(path)[0] for path in (found, np.array(states))]
    assert turned[0] == pytest.approx(turned[1], abs=0.05)


def test_velocities_are_those_that_are_observed_again_from_them():
    observations = np.random.default_rng(0).normal(0, 0.3, (5, 45))
    observations[:, 1:5] = 0.98, 0.1, -0.1, 0.0
    qpos = positions(observations)
    env = make_env()
    env.reset(seed=0)
    for state, seen, qvel in zip(qpos, observations, velocities(observations, qpos), strict=True):
        humanoid(env).set_state(state, qvel)
        again = env.observation(None)
        np.testing.assert_allclose(observed_velocity(again), observed_velocity(seen), atol=0.02)
        np.testing.assert_allclose(again[24:], seen[24:], atol=1e-6)

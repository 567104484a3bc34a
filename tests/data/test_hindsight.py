"""Hindsight: the goals that were achieved, and the rewards for them."""

import numpy as np
import pytest

from agent.bodies.humanoid import HUMANOID
from agent.data.hindsight import achieved, positions, rewards, velocities
from agent.goals import ARMS
from agent.simulation.env import make_env
from agent.simulation.heading import heading_observation, observed_velocity, yaw
from agent.simulation.vector_env import make_vector_env

BODIES, STEPS = 3, 24


@pytest.fixture(scope="module")
def shard():
    """Bodies that move at random for as long as they stand, with another goal halfway, and their rewards."""
    rng = np.random.default_rng(0)
    envs = make_vector_env(BODIES, 1)
    first, second = (
        np.tile(each, (BODIES, 1)) for each in ([1.0, 0.0, 0.4, 0, ARMS.index("wave_left")], [0.0, -0.2, 0.0, 1, 0])
    )
    observations, _ = envs.reset(seed=0, options={"goal": first})
    rows = []
    for step in range(STEPS):
        action = rng.uniform(-0.1, 0.1, (BODIES, 17)).astype(np.float32)
        row = {"observation.state": observations[:, :45], "action": action, "goal.command": envs.goals.copy()}
        if step == STEPS // 2 - 1:
            envs.goals = second
        observations, reward, fell, _, _ = envs.step(action)
        assert not fell.any()
        rows.append(row | {"next.reward": reward, "next.done": np.full(BODIES, step == STEPS - 1)})
    envs.close()
    return {name: np.concatenate(np.stack([row[name] for row in rows], axis=1)) for name in rows[0]}


def test_the_reward_for_the_goals_in_force_is_the_one_that_was_recorded(shard):
    found = rewards(shard, shard["goal.command"], HUMANOID)
    inside = ~shard["next.done"]
    np.testing.assert_allclose(found[inside], shard["next.reward"][inside], atol=0.1)
    assert np.abs(found - shard["next.reward"])[inside].mean() < 0.02


def test_a_goal_that_was_achieved_earns_more_than_another(shard):
    commands = achieved(shard, HUMANOID)
    other = commands.copy()
    other[:, :3] = 0.6
    assert rewards(shard, commands, HUMANOID).mean() > rewards(shard, other, HUMANOID).mean() + 1


def test_the_achieved_goal_is_the_mean_velocity_of_a_second_within_one_goal():
    observations = np.zeros((400, 45), dtype=np.float32)
    observations[:, 1] = 1
    observations[:150, 22] = 0.93  # the goal is 1.0; then the body turns on the spot, and runs faster than any goal
    observations[150:200, 27] = -0.53
    observations[200:, 22], observations[200:, 23] = 7.0, -0.09
    goals = np.zeros((400, 5), dtype=np.float32)
    goals[:150, 0], goals[150:, 2] = 1.0, 0.4
    goals[:, 4], goals[200:300, 3] = ARMS.index("up"), 1
    done = np.zeros(400, dtype=bool)
    done[[199, 399]] = True
    shard = {"observation.state": observations, "goal.command": goals, "next.done": done}
    found = achieved(shard, HUMANOID)
    np.testing.assert_allclose(found[:70], [[1.0, 0.0, 0.0, 0, 1]] * 70, atol=1e-6)
    np.testing.assert_allclose(found[150:200], [[0.0, 0.0, -0.6, 0, 1]] * 50, atol=1e-6)
    np.testing.assert_allclose(found[200:300], [[1.0, 0.0, 0.0, 1, 1]] * 100, atol=1e-6)
    np.testing.assert_allclose(found[300:], [[3.0, 0.0, 0.0, 0, 1]] * 100, atol=1e-6)
    assert not np.signbit(found[:150]).any(), "no goal has -0.0"


def test_positions_are_those_that_the_body_was_in_but_for_where_it_started():
    env = make_env()
    env.reset(seed=0)
    data = env.unwrapped.data
    states, observations = [], []
    for action in np.random.default_rng(0).uniform(-0.1, 0.1, (20, 17)):
        observations.append(env.step(action.astype(np.float32))[0][:45])
        states.append(data.qpos.copy())
    found = positions(np.array(observations), HUMANOID)
    np.testing.assert_allclose(found[:, 2], np.array(states)[:, 2], atol=1e-6)
    np.testing.assert_allclose(found[:, 7:], np.array(states)[:, 7:], atol=1e-5)
    travelled = [np.diff(path[:, :2], axis=0).sum(0) for path in (found, np.array(states))]
    np.testing.assert_allclose(travelled[0], travelled[1], atol=0.02)
    turned = [yaw(path)[-1] - yaw(path)[0] for path in (found, np.array(states))]
    assert turned[0] == pytest.approx(turned[1], abs=0.05)


def test_velocities_are_those_that_are_observed_again_from_them():
    observations = np.random.default_rng(0).normal(0, 0.3, (5, 45))
    observations[:, 1:5] = 0.98, 0.1, -0.1, 0.0
    qpos = positions(observations, HUMANOID)
    again = heading_observation(qpos, velocities(observations, qpos))
    np.testing.assert_allclose(observed_velocity(again), observed_velocity(observations), atol=0.02)
    np.testing.assert_allclose(again[:, 24:], observations[:, 24:], atol=1e-6)

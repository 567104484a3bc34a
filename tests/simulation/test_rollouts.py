"""The loop of observing, acting and stepping."""

from dataclasses import replace

import numpy as np
import pytest

from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.goals import Goal
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation.env import make_env
from agent.simulation.rollouts import Rollout, check_body
from agent.simulation.vector_env import make_vector_env


@pytest.fixture
def policy():
    return MotorPolicy(MotorPolicyConfig(widths=[8]))


def test_one_body_alone_moves_like_a_body_of_a_batch(policy):
    goals = [Goal(1.0), Goal(wz=-0.8)]
    envs = make_vector_env(2, 1)
    batch = Rollout.start(policy, envs, 3, goals)
    steps = [batch.step() for _ in range(20)]
    np.testing.assert_array_equal(envs.goals, np.array([goal.command for goal in goals], dtype=np.float32))
    for row, goal in enumerate(goals):
        env = make_env()
        alone = Rollout.start(policy, env, 3 + row, goal)
        assert env.unwrapped.goal == goal
        for step in steps:
            found = alone.step()
            np.testing.assert_allclose(found.observation[:45], step.observation[row, :45], atol=1e-4)
            assert found.reward == pytest.approx(step.reward[row], abs=1e-4) and found.fell == step.fell[row]
        env.close()
    envs.close()


def test_a_prompt_reaches_the_env_and_the_actor(policy):
    env = make_env()
    rollout = Rollout.start(policy, env, 0, Goal(1.0))
    rollout.step()
    rollout.prompt(Goal(vy=0.4))
    assert env.unwrapped.goal == Goal(vy=0.4)
    assert policy._goal.tolist() == pytest.approx([0, 0.4, 0, 0, 0])
    env.close()


def test_the_observation_of_a_step_is_the_one_before_a_restart(policy):
    envs = make_vector_env(1, 1, max_episode_steps=5)
    rollout = Rollout.start(policy, envs, seed=0)
    *_, last = [rollout.step() for _ in range(5)]
    assert last.truncated[0] and (last.observation != rollout.observation).any()
    np.testing.assert_array_equal(last.observation, last.info["final_obs"])
    envs.close()


def test_an_actor_of_another_body_is_refused(policy, monkeypatch):
    check_body(policy, "humanoid", "runs/ppo")
    monkeypatch.setitem(BODIES, "centaur", replace(HUMANOID, name="centaur"))
    with pytest.raises(ValueError, match="runs/ppo moves the body humanoid, not centaur"):
        check_body(policy, "centaur", "runs/ppo")

"""The motor policy: symmetric, complete in its folder, and goal-conditioned without a jump."""

import json

import numpy as np
import pytest
import torch

from agent.artefacts import runs
from agent.bodies.humanoid import HUMANOID
from agent.goals import GOAL_VERSION, Goal
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation.env import make_env
from agent.simulation.task import cadence


@pytest.fixture
def policy() -> MotorPolicy:
    """A small policy that has seen something: no weight, statistic or goal embedding is at its first value."""
    torch.manual_seed(0)
    policy = MotorPolicy(MotorPolicyConfig(widths=(16, 8))).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(0, 0.3)
    policy.update_statistics(policy.moments(torch.randn(200, 45) * 2 + 0.5))
    return policy


def test_the_mirror_of_what_it_sees_and_is_asked_gives_the_mirror_of_its_action(policy):
    observations, commands, phase = torch.randn(50, 45) * 2, torch.randn(50, 3), torch.rand(50)
    source, sign = (torch.as_tensor(each) for each in HUMANOID.observation_mirror)
    mean, std = policy(observations, commands, phase)
    mirrored_commands = commands * torch.tensor([1.0, -1.0, -1.0])
    image, image_std = policy(observations[:, source] * sign, mirrored_commands, phase + 0.5)
    source, sign = (torch.as_tensor(each) for each in HUMANOID.action_mirror)
    torch.testing.assert_close(image, mean[:, source] * sign, rtol=0, atol=1e-5)
    torch.testing.assert_close(image_std, std[source], rtol=0, atol=0)
    torch.testing.assert_close(std[source], std, rtol=0, atol=1e-7)
    assert (image - mean).abs().max() > 0.1
    assert (policy(observations, commands, phase + 0.5)[0] - mean).abs().max() > 0.1, "the clock matters"


def test_its_clock_runs_with_the_command_and_starts_anew_at_a_reset(policy):
    observation = np.ones(45, dtype=np.float32)
    policy.prompt(Goal(1.0))
    first, second = policy.act(observation), policy.act(observation)
    assert np.abs(first - second).max() > 0
    policy.reset()
    np.testing.assert_array_equal(policy.act(observation), first)
    policy.prompt(Goal())
    while policy.command.any():
        policy.act(observation)
    np.testing.assert_array_equal(policy.act(observation), policy.act(observation))


def test_its_command_changes_to_another_goal_at_a_rate(policy):
    observation = np.ones(45, dtype=np.float32)
    policy.reset()
    policy.prompt([Goal(3.0), Goal(vy=-0.4)])
    for _ in range(10):
        action = policy.act(observation[None].repeat(2, axis=0))
    np.testing.assert_allclose(policy.command, [[10 * 0.015 * HUMANOID.acceleration[0], 0, 0], [0, -0.4, 0]])
    phase = torch.tensor(policy.phase - 0.015 * cadence(policy.command, HUMANOID) / 2)  # when it acted
    mean, _ = policy(torch.ones(2, 45), torch.tensor(policy.command), phase.float())
    torch.testing.assert_close(torch.tensor(action), mean.clamp(-1, 1) * 0.4)


def test_a_goal_blind_policy_becomes_goal_conditioned_without_a_jump():
    torch.manual_seed(1)
    policy = MotorPolicy(MotorPolicyConfig(widths=(16, 8), goal_conditioned=False))
    observations, commands, phase = torch.randn(20, 45), torch.randn(20, 3), torch.rand(20)
    blind, _ = policy(observations, commands, phase)
    policy.config.goal_conditioned = True
    torch.testing.assert_close(policy(observations, commands, phase)[0], blind, rtol=0, atol=0)
    policy.goal_embedding.even.weight.grad = None
    policy(observations, commands, phase)[0].square().sum().backward()
    assert policy.goal_embedding.even.weight.grad.abs().max() > 0, "it can learn from there"


def test_a_goal_blind_policy_does_not_see_its_goal(policy):
    observations = torch.randn(5, 45)
    asked = [policy(observations, torch.full((5, 3), speed), torch.zeros(5))[0] for speed in (0.0, 1.0)]
    assert (asked[0] - asked[1]).abs().max() > 0.1
    policy.config.goal_conditioned = False
    blind = [policy(observations, torch.full((5, 3), speed), torch.zeros(5))[0] for speed in (0.0, 1.0)]
    assert torch.equal(*blind)


def test_a_policy_of_the_world_s_frame_acts_and_refuses_goals(tmp_path):
    MotorPolicy(MotorPolicyConfig(widths=(16, 8), goal_conditioned=False, frame="world")).save_pretrained(tmp_path)
    policy = MotorPolicy.from_pretrained(tmp_path)
    assert policy.act(np.zeros(45, dtype=np.float32)).shape == (17,)
    with pytest.raises(
        ValueError, match=r"follows no goals: measure it by evaluate\.py --actor policy --suite native"
    ):
        policy.prompt(Goal(1.0))
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"world"', '"moon"'))
    (tmp_path / runs.MANIFEST).unlink()
    with pytest.raises(ValueError, match="frame='moon' is unknown: choose heading or world"):
        MotorPolicy.from_pretrained(tmp_path)


def test_saved_and_loaded_it_acts_identically(policy, tmp_path):
    policy.save_pretrained(tmp_path)
    loaded = MotorPolicy.from_pretrained(tmp_path).eval()
    observations = np.random.default_rng(0).normal(size=(10, 45)).astype(np.float32)
    for actor in (policy, loaded):
        actor.reset()
        actor.prompt(Goal(1.0, 0.2, -0.4))
    np.testing.assert_array_equal(loaded.act(observations), policy.act(observations))
    assert loaded.state_dict().keys() == policy.state_dict().keys()
    for name, value in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert not list(tmp_path.glob("*.bin")) and (tmp_path / "model.safetensors").exists()


def test_a_policy_of_the_first_version_is_one_of_the_humanoid(policy, tmp_path):
    policy.save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    for name in ("body", "action_scale"):
        del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config | {"action_limit": 0.4}))
    loaded = MotorPolicy.from_pretrained(tmp_path)
    assert loaded.body is HUMANOID
    np.testing.assert_array_equal(loaded.act(np.ones(45)), policy.act(np.ones(45)))


@pytest.mark.parametrize(
    ("name", "value"), [("body", "robot"), ("observation_size", 44), ("action_scale", [0.3] * 17)]
)
def test_a_policy_of_another_body_is_refused_with_the_value(name, value, policy, tmp_path):
    policy.save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    assert name in config
    (tmp_path / "config.json").write_text(json.dumps(config | {name: value}))
    with pytest.raises(ValueError, match=f"{name}="):
        MotorPolicy.from_pretrained(tmp_path)


def test_a_policy_of_another_vocabulary_is_refused_with_both_versions(policy, tmp_path):
    policy.save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"goal_version": "0"}))
    with pytest.raises(ValueError, match=f"speaks goal vocabulary 0, this code {GOAL_VERSION}"):
        MotorPolicy.from_pretrained(tmp_path)


def test_statistics_of_parts_are_those_of_the_whole(policy):
    fresh = MotorPolicy(MotorPolicyConfig(widths=(16, 8)))
    observations = torch.randn(300, 45) * torch.linspace(0.1, 3, 45) + torch.linspace(-2, 2, 45)
    for part in observations.split([10, 90, 200]):
        fresh.update_statistics(fresh.moments(part))
    image = observations[:, HUMANOID.observation_mirror[0]] * torch.as_tensor(HUMANOID.observation_mirror[1])
    both = torch.cat([observations, image])  # the statistics are those of the observations and their mirror images
    even, odd = fresh.normalize(both)
    torch.testing.assert_close(even.mean(0), torch.zeros(even.shape[1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(even.std(0), torch.ones(even.shape[1]), atol=1e-2, rtol=0)
    torch.testing.assert_close(odd.square().mean(0), torch.ones(odd.shape[1]), atol=1e-2, rtol=0)
    assert fresh.count == 300


def test_it_takes_the_observations_of_the_env_and_returns_its_actions(policy):
    env = make_env()
    observation, _ = env.reset(seed=0)
    policy.prompt(Goal(1.0))
    action = policy.act(observation)
    assert action.shape == (17,) and action.dtype == np.float32 and env.action_space.contains(action)
    assert env.action_space.contains(policy.act(observation * 100))


def test_it_follows_its_own_prompt_and_not_the_command_of_the_env(policy):
    state = np.ones(45, dtype=np.float32)
    policy.prompt(Goal(1.0))
    alone = policy.act(state)
    policy.reset()
    np.testing.assert_array_equal(policy.act(np.concatenate([state, [0.0, 0.6, 0.0]])), alone)


def test_an_observation_that_is_too_short_is_refused(policy):
    with pytest.raises(ValueError, match="this actor needs 45 numbers for each body"):
        policy.act(np.ones(44))


def test_several_bodies_follow_one_goal_each(policy):
    observations = np.random.default_rng(0).normal(size=(3, 45)).astype(np.float32)
    goals = [Goal(1.0), Goal(0, 0.4), Goal(0, 0, -0.8)]
    policy.prompt(goals)
    together = policy.act(observations)
    for goal, observation, action in zip(goals, observations, together, strict=True):
        policy.reset()
        policy.prompt(goal)
        np.testing.assert_allclose(policy.act(observation), action, atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 0.01

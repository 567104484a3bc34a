"""The motor policy: symmetric, complete in its folder, and goal-conditioned without a jump."""

import json

import numpy as np
import pytest
import torch
from poses import mirrored_commands

from agent.artefacts import runs
from agent.bodies.humanoid import HUMANOID
from agent.goals import ARMS, Goal
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig, goal_features
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


def any_commands(count: int) -> torch.Tensor:
    """Commands [count, 5] with every pose of the arms."""
    return torch.cat([torch.randn(count, 3), torch.rand(count, 1), torch.arange(count)[:, None] % len(ARMS)], dim=1)


def test_the_mirror_of_what_it_sees_and_is_asked_gives_the_mirror_of_its_action(policy):
    observations, commands, phase = torch.randn(50, 45) * 2, any_commands(50), torch.rand(50, 2)
    source, sign = (torch.as_tensor(each) for each in HUMANOID.observation_mirror)
    mean, std = policy(observations, commands, phase)
    image_commands, half_a_cycle = torch.tensor(mirrored_commands(commands.numpy())), torch.tensor([0.5, 0.0])
    image, image_std = policy(observations[:, source] * sign, image_commands, phase + half_a_cycle)
    source, sign = (torch.as_tensor(each) for each in HUMANOID.action_mirror)
    torch.testing.assert_close(image, mean[:, source] * sign, rtol=0, atol=1e-5)
    torch.testing.assert_close(image_std, std[source], rtol=0, atol=0)
    torch.testing.assert_close(std[source], std, rtol=0, atol=1e-7)
    assert (image - mean).abs().max() > 0.1
    for change in ([0.5, 0.0], [0.0, 0.5]):
        changed = policy(observations, commands, phase + torch.tensor(change))[0]
        assert (changed - mean).abs().max() > 0.1, "both clocks matter"
    assert torch.equal(changed[commands[:, 4] < 3], mean[commands[:, 4] < 3]), "that of the wave only for a wave"


def test_the_features_of_a_goal_keep_their_order():
    angle = torch.tensor(0.3)
    command = torch.tensor([[1.0, -0.4, 0.8, 0.5, ARMS.index("wave_right")], [0, 0, 0, 1, ARMS.index("out")]])
    even, odd = goal_features(command, angle.sin(), angle.cos())
    sin, cos = angle.sin().item(), angle.cos().item()
    torch.testing.assert_close(even[0], torch.tensor([1.0, 0.4, 0.8, 0.5, 0, 0, 1, sin, cos]))
    torch.testing.assert_close(odd[0], torch.tensor([-0.4, 0.8, -1, -sin, -cos, 0.8]))
    assert even[1].tolist() == [0, 0, 0, 1, 0, 1, 0, 0, 0] and odd[1].tolist() == [0] * 6


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
    np.testing.assert_allclose(
        policy.command, [[10 * 0.015 * HUMANOID.acceleration[0], 0, 0, 0, 0], [0, -0.4, 0, 0, 0]], rtol=1e-6
    )
    phase = torch.tensor(policy.phase)
    phase[:, 0] -= torch.tensor(0.015 * cadence(policy.command, HUMANOID) / 2)  # when it acted
    mean, _ = policy(torch.ones(2, 45), torch.tensor(policy.command), phase.float())
    torch.testing.assert_close(torch.tensor(action), mean.clamp(-1, 1) * 0.4)


def test_a_goal_blind_policy_becomes_goal_conditioned_without_a_jump():
    torch.manual_seed(1)
    policy = MotorPolicy(MotorPolicyConfig(widths=(16, 8), goal_conditioned=False))
    observations, commands, phase = torch.randn(20, 45), any_commands(20), torch.rand(20, 2)
    blind, _ = policy(observations, commands, phase)
    policy.config.goal_conditioned = True
    torch.testing.assert_close(policy(observations, commands, phase)[0], blind, rtol=0, atol=0)
    policy.goal_embedding.even.weight.grad = None
    policy(observations, commands, phase)[0].square().sum().backward()
    assert policy.goal_embedding.even.weight.grad.abs().max() > 0, "it can learn from there"


def test_a_goal_blind_policy_does_not_see_its_goal(policy):
    observations = torch.randn(5, 45)
    asked = [policy(observations, torch.full((5, 5), speed), torch.zeros(5, 2))[0] for speed in (0.0, 1.0)]
    assert (asked[0] - asked[1]).abs().max() > 0.1
    policy.config.goal_conditioned = False
    blind = [policy(observations, torch.full((5, 5), speed), torch.zeros(5, 2))[0] for speed in (0.0, 1.0)]
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
    loaded = MotorPolicy.from_pretrained(tmp_path)
    assert not loaded.training
    observations = np.random.default_rng(0).normal(size=(10, 45)).astype(np.float32)
    for actor in (policy, loaded):
        actor.reset()
        actor.prompt(Goal(1.0, 0.2, -0.4))
    np.testing.assert_array_equal(loaded.act(observations), policy.act(observations))
    assert loaded.state_dict().keys() == policy.state_dict().keys()
    for name, value in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert not list(tmp_path.glob("*.bin")) and (tmp_path / "model.safetensors").exists()


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


def test_a_crouch_starts_as_what_it_does_when_what_it_sees_is_off_by_the_offset_of_its_body(policy):
    observations, commands, phase = torch.randn(6, 45), any_commands(6), torch.rand(6, 2)
    commands[:, 3] = 0
    before = policy(observations, commands, phase)[0]
    policy.start_crouch()
    assert torch.equal(policy(observations, commands, phase)[0], before), "where no crouch is asked for"
    for low in (0.5, 1.0):
        asked = commands + torch.tensor([0, 0, 0, low, 0])
        expected = policy(observations + low * torch.as_tensor(HUMANOID.crouch_shift), commands, phase)[0]
        torch.testing.assert_close(policy(observations, asked, phase)[0], expected, atol=1e-4, rtol=0)
        assert (expected - before).abs().max() > 0.05


def test_a_goal_without_a_command_is_refused(policy):
    with pytest.raises(ValueError, match="needs odometry"):
        policy.prompt(Goal.to(1.0))


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
    np.testing.assert_array_equal(policy.act(np.concatenate([state, [0.0, 0.6, 0.0, 1.0, 2.0]])), alone)


def test_an_observation_that_is_too_short_is_refused(policy):
    with pytest.raises(ValueError, match="this actor needs 45 numbers for each body"):
        policy.act(np.ones(44))


def test_several_bodies_follow_one_goal_each(policy):
    observations = np.random.default_rng(0).normal(size=(3, 45)).astype(np.float32)
    goals = [Goal(1.0), Goal(0, 0.4, height="low"), Goal(0, 0, -0.8, arms="wave_left")]
    policy.prompt(goals)
    together = policy.act(observations)
    for goal, observation, action in zip(goals, observations, together, strict=True):
        policy.reset()
        policy.prompt(goal)
        np.testing.assert_allclose(policy.act(observation), action, atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_observations_of_other_bodies_than_those_prompted_or_remembered_are_refused(policy):
    policy.prompt([Goal(1.0), Goal(vy=0.4)])
    for shape in ((45,), (1, 45), (3, 45)):
        with pytest.raises(
            ValueError, match=r"observation has shape .* after 2 prompts: give one for each, or prompt one Goal"
        ):
            policy.act(np.ones(shape))
    assert policy.act(np.ones((2, 45))).shape == (2, 17)
    policy.prompt([Goal(1.0)] * 3)
    with pytest.raises(ValueError, match="the actor remembers 2 bodies: reset it first"):
        policy.act(np.ones((3, 45)))
    policy.reset()
    assert policy.act(np.ones((3, 45))).shape == (3, 17)


def test_no_goals_are_refused(policy):
    with pytest.raises(ValueError, match=r"goals=\[\]: give a Goal"):
        policy.prompt([])

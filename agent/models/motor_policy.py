"""The motor policy: observation and goal in, actions out. It is the teacher of the later stages.

Even and odd features are those that the left-right mirror keeps and those whose sign it changes (`mirror.py`).

Shapes: B batch (any leading axes), S body state, C = 5 command, A actions, E even and O odd features.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init

from agent.artefacts import checks, hub, runs
from agent.bodies import find_body
from agent.goals import GOAL_VERSION, Goal
from agent.models.mirror import MirrorLinear, MirrorMLP, Pair, mirror_basis
from agent.simulation.heading import FRAMES, check_batch, check_observation
from agent.simulation.task import COMMAND_SIZE, advance_phase, approach, feature_sizes, goal_commands, posture_features

FIRST_STD = 0.35  # initial exploration noise, as a share of the action range
GOAL_FEATURES = (9, 6)  # numbers of even and odd `goal_features`
LOW = 3  # index of the crouch among the even ones
RETURN_SHARE = 0.05  # by which the critic's `return_scale` moves per rollout
OBSERVATION_CLIP = 10.0  # standard deviations
CRITIC = Path("critic") / "model.safetensors"  # next to a policy, to continue its training


class MotorPolicyConfig(PreTrainedConfig):
    """Sizes of a MotorPolicy.

    Args:
        body: name of the robot that it moves.
        widths: pairs of units in each hidden layer.
        goal_conditioned: whether it sees the command. False: goal-blind pretraining, where it sees only the body state
            and the clock.
        frame: what it observes, a key of `agent.simulation.heading.FRAMES`. A policy that was trained for the native
            reward, which counts motion along the world's x axis, observes the world frame.
        observation_size, action_size, action_scale: those of the body, for readers of config.json.
    """

    model_type = "motor_policy"

    body: str = "humanoid"
    widths: list[int] | tuple[int, ...] = (128, 128, 64)
    goal_conditioned: bool = True
    frame: str = "heading"
    observation_size: int | None = None
    action_size: int | None = None
    action_scale: list[float] | tuple[float, ...] | None = None
    goal_version: str = GOAL_VERSION

    def __post_init__(self, **kwargs):
        body = find_body(self.body)
        self.observation_size = self.observation_size or body.observation_size
        self.action_size = self.action_size or body.action_size
        self.action_scale = list(self.action_scale or body.action_scale)
        super().__post_init__(**kwargs)


class MotorPolicy(PreTrainedModel):
    """A mirror-symmetric Gaussian policy that contains its observation statistics.

    As an actor it is deterministic: `reset()`, `prompt(goal)`, `act(observation)`.
    """

    config_class = MotorPolicyConfig
    config: MotorPolicyConfig
    base_model_prefix = "policy"
    even_basis: Tensor
    odd_basis: Tensor
    even_action_basis: Tensor
    odd_action_basis: Tensor
    even_mean: Tensor
    even_variance: Tensor
    odd_variance: Tensor
    count: Tensor

    def __init__(self, config: MotorPolicyConfig):
        super().__init__(config)
        if config.frame not in FRAMES:
            raise ValueError(f"frame={config.frame!r} is unknown: choose {' or '.join(FRAMES)}")
        self.body = find_body(config.body)
        even, odd = mirror_basis(*self.body.observation_mirror)
        even_action, odd_action = mirror_basis(*self.body.action_mirror)
        for name, value in {
            "even_basis": even,
            "odd_basis": odd,
            "even_action_basis": even_action,
            "odd_action_basis": odd_action,
            "even_mean": np.zeros(len(even), dtype=np.float32),
            "even_variance": np.ones(len(even), dtype=np.float32),
            "odd_variance": np.ones(len(odd), dtype=np.float32),
            "count": np.zeros(()),
        }.items():
            self.register_buffer(name, torch.tensor(value))
        self.network = MirrorMLP((len(even), len(odd)), config.widths, (len(even_action), len(odd_action)))
        self.goal_embedding = MirrorLinear(GOAL_FEATURES, (config.widths[0], config.widths[0]), bias=False)
        self.clock_embedding = nn.Linear(2, config.widths[0], bias=False)
        self.log_std = nn.Parameter(torch.zeros(self.body.action_size))
        self._goal = np.zeros(COMMAND_SIZE, dtype=np.float32)
        self.command = self._goal
        self.phase = np.zeros(2)
        self.post_init()

    @classmethod
    def from_pretrained(cls, path: str | Path, **kwargs) -> "MotorPolicy":
        """Load from a folder or a Hub repo. Raises ValueError unless it is a complete MotorPolicy of this goal
        vocabulary.
        """
        policy = hub.load_pretrained(cls, super().from_pretrained, path, sizes=_sizes, **kwargs)
        checks.check_acts(policy, policy.body.observation_size, path)
        return policy

    @torch.no_grad()
    def start_crouch(self) -> None:
        """Make the policy respond to a low command, which it has not learned yet, as if the `crouch_offset` of its
        body were added to its observation. This gives a crouch to start learning from.

        The first layer is linear, so the offset adds a constant to its output. This constant becomes the goal
        embedding's weights for the feature `low`, so nothing changes for commands of normal height.
        """
        shift = self.even_basis @ torch.as_tensor(self.body.crouch_shift, device=self.device)
        shift /= (self.even_variance + 1e-6).sqrt()
        layer = cast(MirrorLinear, self.network.hidden[0])
        self.goal_embedding.even.weight[:, LOW] = layer.even.weight @ shift

    def save_pretrained(self, save_directory: str | Path, **kwargs) -> None:  # ty: ignore[incompatible-method-override]
        """Save to a folder, as whole files with a checksum manifest."""
        with runs.placing(save_directory, sum(value.nbytes for value in self.state_dict().values())) as new:
            super().save_pretrained(new, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            init.orthogonal_(module.weight, gain=2**0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        if isinstance(module, MotorPolicy):
            for head in (module.network.head.even, module.network.head.odd):
                init.orthogonal_(head.weight, gain=0.01)
            for embedding in (module.goal_embedding.even, module.goal_embedding.odd):
                init.zeros_(embedding.weight)  # a goal-blind policy becomes goal-conditioned without a jump
            init.normal_(module.clock_embedding.weight, std=0.3)
            module.set_std(FIRST_STD)

    def forward(self, observations: Tensor, commands: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [B, A] and standard deviation [A] of the action in ±1, for observations [B, S], commands [B, C] and the
        phase [B, 2] of gait and wave in cycles.

        Shifting the gait by half a cycle is the same as mirroring, so the clock also decides which foot takes the
        first step from a symmetric stance.
        """
        return self.from_features(self.normalize(observations), commands, phase)

    def from_features(self, features: Pair, commands: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """The same as `forward`, for observations that are already normalized."""
        angle = 2 * torch.pi * phase
        sin, cos = angle.sin(), angle.cos()
        odd_shift = self.clock_embedding(torch.stack([sin[..., 0], cos[..., 0]], dim=-1))
        even_shift = torch.zeros_like(odd_shift)
        if self.config.goal_conditioned:
            even_shift, odd_goal = self.goal_embedding(goal_features(commands, sin[..., 1], cos[..., 1]))
            odd_shift = odd_shift + odd_goal
        even, odd = self.network(features, (even_shift, odd_shift))
        return even @ self.even_action_basis + odd @ self.odd_action_basis, self.std

    @property
    def std(self) -> Tensor:
        """Standard deviation [A] of the exploration noise, equal for left and right."""
        source = torch.as_tensor(self.body.action_mirror[0], device=self.log_std.device)
        return ((self.log_std + self.log_std[source]) / 2).exp()

    @torch.no_grad()
    def set_std(self, std: float) -> None:
        """Set the exploration noise to `std`, a share of the action range; less for wide ranges (`noise_shares`)."""
        self.log_std.copy_(torch.as_tensor(np.log(std * self.body.noise_shares)))

    def normalize(self, observations: Tensor) -> Pair:
        """Observations [B, S] as even and odd features of unit variance."""
        even = (observations @ self.even_basis.T - self.even_mean) / (self.even_variance + 1e-6).sqrt()
        odd = (observations @ self.odd_basis.T) / (self.odd_variance + 1e-6).sqrt()
        return even.clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP), odd.clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def moments(self, observations: Tensor) -> Tensor:
        """Sums [1 + 2 E + O] over observations [..., S] for the statistics: their count, the deviations of even
        features from the mean so far, the squares of these, and squares of odd features. Sums can be added.
        """
        observations = observations.flatten(0, -2)
        even, odd = observations @ self.even_basis.T - self.even_mean, observations @ self.odd_basis.T
        count = even.new_full((1,), len(observations))
        return torch.cat([count, even.sum(0), even.square().sum(0), odd.square().sum(0)])

    @torch.no_grad()
    def update_statistics(self, moments: Tensor) -> None:
        """Merge the `moments` [1 + 2 E + O] of new observations."""
        size = len(self.even_mean)
        count, even, even_square, odd_square = moments.split([1, size, size, len(self.odd_variance)])
        total = self.count + count[0]
        shift = even / total  # of the mean
        variance = (self.even_variance * self.count + even_square) / total - shift**2
        self.even_variance.copy_(variance.clamp_min(0))
        self.even_mean.add_(shift)
        self.odd_variance.copy_((self.odd_variance * self.count + odd_square) / total)
        self.count.copy_(total)

    def reset(self) -> None:
        """Reset the clocks, and the command to standing."""
        self.phase, self.command = np.zeros(2), np.zeros(COMMAND_SIZE, dtype=np.float32)

    def prompt(self, goal: Goal | Sequence[Goal]) -> None:
        """Move the command toward `goal` from now on (`agent.simulation.task.approach`); one goal per body in a batch.

        Raises:
            ValueError: the policy observes the world frame, in which goals have no meaning; a goal has no command, or
                the body does not support its velocity, height or arms.
        """
        if self.config.frame != "heading":
            raise ValueError(
                "this policy was trained for the native reward of its body and follows no goals: "
                "measure it by evaluate.py --actor policy --suite native"
            )
        self._goal = goal_commands(goal, self.body)

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Action [B, A] float32 in the env's units for observations [B, S or more], as the env returned them.

        The policy ignores the env's command, which follows the body state, and follows its own prompt.
        """
        size = self.body.observation_size
        check_observation(observation, size)
        check_batch(observation, self._goal.shape[:-1], self.command.shape[:-1])
        observations = torch.as_tensor(observation[..., :size], dtype=torch.float32, device=self.device)
        self.command = approach(self.command, self._goal, self.body)
        commands = torch.as_tensor(self.command, device=self.device).expand(*observations.shape[:-1], COMMAND_SIZE)
        phase = torch.as_tensor(self.phase, dtype=torch.float32, device=self.device).expand(
            *observations.shape[:-1], 2
        )
        mean, _ = self(observations, commands, phase)
        self.phase = advance_phase(self.phase, self.command, self.body)
        return self.body.to_control(mean.cpu().numpy())


class Critic(nn.Module):
    """Mirror-invariant value of a state, in units of the running standard deviation of returns.

    Besides the body state, it sees `GoalTask.features`: the command, the clock and other quantities that the reward
    depends on.
    """

    return_scale: Tensor

    def __init__(self, config: MotorPolicyConfig):
        super().__init__()
        even, odd = mirror_basis(*find_body(config.body).observation_mirror)
        extra = feature_sizes(find_body(config.body))
        inputs = len(even) + extra[0], len(odd) + extra[1]
        self.network = MirrorMLP(inputs, config.widths, (1, 0))
        self.register_buffer("return_scale", torch.ones(()))
        for module in self.network.modules():
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, gain=2**0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.orthogonal_(self.network.head.even.weight)

    def forward(self, features: Pair, even: Tensor, odd: Tensor) -> Tensor:
        """Value [B] of normalized observations and the even [B, E] and odd [B, O] features of the reward."""
        inputs = torch.cat([features[0], even], dim=-1), torch.cat([features[1], odd], dim=-1)
        return self.network(inputs)[0].squeeze(-1)

    def follow_returns(self, std: Tensor) -> None:
        """Move the unit of the values toward the standard deviation of new returns."""
        started = self.return_scale != 1
        self.return_scale.lerp_(std, RETURN_SHARE if started else 1.0)

    def save(self, folder: Path) -> None:
        """Save to CRITIC within the folder of its policy, as a whole file with a checksum manifest."""
        with runs.placing(folder / CRITIC.parent) as new:
            save_file(self.state_dict(), new / CRITIC.name)

    def load(self, path: Path, name: str) -> None:
        """Load the weights in a file of the artifact `name`. Raises ValueError if they do not fit."""
        runs.check(path.parent)
        try:
            self.load_state_dict(load_file(path))
        except (RuntimeError, SafetensorError) as error:
            reason = checks.first_line(error)
            raise ValueError(
                f"{CRITIC} of {name} does not fit ({reason}): delete this file to start with a new critic"
            ) from error
        checks.check_finite(self, name)


def _sizes(config: dict) -> dict[str, Any]:
    """Required entries of a policy's config."""
    body = find_body(config.get("body", MotorPolicyConfig.body))
    return {
        "observation_size": body.observation_size,
        "action_size": body.action_size,
        "action_scale": list(body.action_scale),
    }


def goal_features(commands: Tensor, sin: Tensor, cos: Tensor) -> Pair:
    """Commands [B, C] as even [B, 9] and odd [B, 6] features, with sine and cosine [B] of the wave's phase.

    Even: vx, |vy|, |wz|, low, arms up, arms out, wave, wave * sin, wave * cos. Odd: vy, wz, side, side * sin, side *
    cos, vx * wz. `side` is 1 for a wave of the left arm and -1 for one of the right; vx * wz is the sideways
    acceleration of a curve.
    """
    vx, vy, wz = commands[..., 0], commands[..., 1], commands[..., 2]
    even, odd = posture_features(commands, sin, cos)
    return torch.stack([vx, vy.abs(), wz.abs(), *even], dim=-1), torch.stack([vy, wz, *odd, vx * wz], dim=-1)


AutoConfig.register(MotorPolicyConfig.model_type, MotorPolicyConfig)
AutoModel.register(MotorPolicyConfig, MotorPolicy)

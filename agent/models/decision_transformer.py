"""Goal-prompted models that imitate the motor policy: the Decision Transformer, and the MLP it is compared with.

The Decision Transformer (Chen et al., 2021) reads the three command tokens of the goal as a prefix, then the last
steps as (return-to-go, state, action), and predicts the teacher's action from every state. Time is counted inside the
context, so that nothing ends an episode; return-to-go is the mean reward of a fixed number of steps, so that it means
the same at every time.

Shapes: B windows or bodies, K steps of context, G = 3 goal tokens, S body state, A actions, H hidden size.
States and actions come and go in the env's units; inside, actions are in ±1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModel,
    DecisionTransformerConfig,
    DecisionTransformerModel,
    DynamicCache,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from agent.artefacts import checks, hub, runs
from agent.bodies import Body, find_body
from agent.goals import AXES, GOAL_VERSION, TOKENS, Goal
from agent.simulation.heading import check_observation

GOAL_TOKENS = len(AXES)
# What the tokens of a step are; their slots follow those of the goal.
STEP_TOKENS = ("return-to-go", "state", "action")
OBSERVATION_CLIP = 10.0  # standard deviations


class GoalDecisionTransformerConfig(DecisionTransformerConfig):
    """Sizes of a GoalDecisionTransformer. `context_length` is K; `target_return` is what the actor asks for.

    `body` is the name of the robot, empty for one that is not simulated here; sizes and `action_scale` [A], the
    largest actions in the env's units, are those of the body by default.
    `goal_prompt` is "prefix", or "state" for a goal that is added to every state and not put before them.
    """

    model_type = "goal_decision_transformer"

    body: str = "humanoid"
    state_dim: int = 0
    act_dim: int = 0
    action_scale: list[float] | tuple[float, ...] = ()
    goal_version: str = GOAL_VERSION
    context_length: int = 20
    return_horizon: int = 60
    target_return: float = 0.0
    goal_prompt: str = "prefix"

    hidden_size: int = 128
    n_layer: int = 3
    n_head: int = 4
    activation_function: str = "gelu"
    action_tanh: bool = False  # torques saturate, and tanh only comes near ±1
    resid_pdrop: float | int = 0.0
    embd_pdrop: float | int = 0.0
    attn_pdrop: float | int = 0.0
    vocab_size: int = len(TOKENS)
    n_positions: int = GOAL_TOKENS + len(STEP_TOKENS)
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    def __post_init__(self, **kwargs):
        _fill_in_sizes(self, kwargs)
        self.max_ep_len = self.context_length
        super().__post_init__(**kwargs)


class GoalMLPConfig(PreTrainedConfig):
    """Sizes of a GoalMLP."""

    model_type = "goal_mlp"

    body: str = "humanoid"
    state_dim: int = 0
    act_dim: int = 0
    action_scale: list[float] | tuple[float, ...] = ()
    goal_version: str = GOAL_VERSION
    hidden_size: int = 512
    n_layer: int = 3
    vocab_size: int = len(TOKENS)

    def __post_init__(self, **kwargs):
        _fill_in_sizes(self, kwargs)
        super().__post_init__(**kwargs)


def _fill_in_sizes(config: GoalDecisionTransformerConfig | GoalMLPConfig, entries: dict) -> None:
    """Set the sizes and scales that a config leaves out to those of its body.

    `entries` are those of its file that are no fields. Version 1 has one `action_limit` for all actions.
    """
    if config.body:
        body = find_body(config.body)
        config.state_dim = config.state_dim or body.observation_size
        config.act_dim = config.act_dim or body.action_size
        config.action_scale = config.action_scale or body.action_scale
    limit = entries.pop("action_limit", None)
    config.action_scale = [limit] * config.act_dim if limit else list(config.action_scale)
    if len(config.action_scale) != config.act_dim:
        raise ValueError(f"action_scale has {len(config.action_scale)} numbers for {config.act_dim} actions")


@dataclass
class GoalModelOutput(ModelOutput):
    """Actions [B, K, A] and, given labels, the loss: the mean squared error of actions in ±1."""

    loss: Tensor | None = None
    action_preds: Tensor | None = None


class GoalPrompted(PreTrainedModel):
    """What the models here share: the statistics of their data as buffers, the prompt, the loss, and loading with a
    check.
    """

    observation_mean: Tensor
    observation_std: Tensor
    return_mean: Tensor
    return_std: Tensor

    @classmethod
    def from_pretrained(cls, path: str | Path, **kwargs) -> Self:
        """Load from a folder or a Hub repo. Raises ValueError for what is no whole model of this kind."""
        model = hub.load_pretrained(cls, super().from_pretrained, path, sizes=_sizes, **kwargs)
        model.prompt(Goal())
        checks.check_acts(model, model.config.state_dim, path)
        return model

    def save_pretrained(self, save_directory: str | Path, **kwargs) -> None:  # ty: ignore[incompatible-method-override]
        """Save to a folder, whole and sealed."""
        with runs.placing(save_directory, sum(value.nbytes for value in self.state_dict().values())) as new:
            super().save_pretrained(new, **kwargs)

    def set_statistics(
        self, observation_mean: np.ndarray, observation_std: np.ndarray, return_mean: float, return_std: float
    ) -> None:
        """Keep the mean and standard deviation [S] of the observations and of the returns-to-go."""
        for name, value in {
            "observation_mean": observation_mean,
            "observation_std": np.maximum(observation_std, 1e-6),
            "return_mean": return_mean,
            "return_std": max(return_std, 1e-6),
        }.items():
            buffer = self.get_buffer(name)
            buffer.copy_(torch.as_tensor(value, dtype=buffer.dtype))

    @property
    def body(self) -> Body:
        """The robot that it moves. Raises ValueError where that is not simulated here."""
        return find_body(self.config.body)

    @property
    def action_scale(self) -> Tensor:
        """Largest actions [A] in the env's units: these times an action in ±1."""
        return torch.tensor(self.config.action_scale, device=self.device)

    def normalize(self, states: Tensor) -> Tensor:
        """States [..., S] in standard deviations from their mean."""
        return ((states - self.observation_mean) / self.observation_std).clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def prompt(self, goal: Goal | Sequence[Goal]) -> None:
        """Follow `goal` from now on; one goal per body when bodies are batched."""
        goals = [goal] if isinstance(goal, Goal) else goal
        self._goal_ids = np.array([each.command_ids for each in goals])

    def _read(self, observation: np.ndarray) -> Tensor:
        """The body states [B, 1, S] in observations [..., S or more]."""
        size = self.config.state_dim
        check_observation(observation, size)
        states = torch.as_tensor(observation[..., :size], dtype=torch.float32, device=self.device)
        return states.reshape(-1, 1, size)

    def _output(
        self, predictions: Tensor, labels: Tensor | None, loss_mask: Tensor | None, loss_steps: Tensor | float | None
    ) -> GoalModelOutput:
        """Predictions [B, K, A] in ±1 as actions, with their loss where there are labels."""
        output = GoalModelOutput(action_preds=predictions * self.action_scale)
        if labels is not None:
            assert loss_mask is not None, "labels come with the steps that count"
            loss_steps = loss_mask.sum() if loss_steps is None else loss_steps
            output.loss = masked_square_error(predictions, labels / self.action_scale, loss_mask, loss_steps)
        return output

    def _register_statistics(self) -> None:
        config = self.config
        for name, value in {
            "observation_mean": torch.zeros(config.state_dim),
            "observation_std": torch.ones(config.state_dim),
            "return_mean": torch.zeros(()),
            "return_std": torch.ones(()),
        }.items():
            self.register_buffer(name, value)


class GoalDecisionTransformer(GoalPrompted, DecisionTransformerModel):
    """transformers' DecisionTransformerModel, prompted by the tokens of a goal.

    The goal's tokens are rows of the encoder's vocabulary (`encoder.wte`); its positions (`encoder.wpe`) are slots:
    three of the goal, then return-to-go, state and action. `embed_timestep` counts the steps of the context.

    As an actor: `reset()`, `prompt(goal)`, `act(observation)`. A prompt replaces the prefix and keeps the history.
    """

    config_class = GoalDecisionTransformerConfig
    supports_gradient_checkpointing = True

    def __init__(self, config: GoalDecisionTransformerConfig):
        super().__init__(config)
        del self.predict_return, self.predict_state  # have no part in the loss
        self._register_statistics()
        self.prompt(Goal())
        self.reset()
        self.post_init()

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        returns_to_go: Tensor,
        goal_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        loss_mask: Tensor | None = None,
        loss_steps: Tensor | float | None = None,
    ) -> GoalModelOutput:
        """Actions after every step of B windows, and their loss.

        Args:
            states: observations [B, K, S].
            actions: executed actions [B, K, A].
            returns_to_go: mean reward of the coming `return_horizon` steps [B, K].
            goal_ids: command ids of the goal that each window is prompted with [B, G].
            attention_mask: true where a window has a step [B, K].
            labels: the teacher's mean actions [B, K, A].
            loss_mask: true where a step counts in the loss [B, K].
            loss_steps: number of steps that the loss is a mean over; by default those in `loss_mask`.
        """
        batch, context = states.shape[:2]
        prefix, goal = self._embed_goal(goal_ids)
        steps = self._embed_steps(states, actions, returns_to_go, goal)
        mask = functional.pad(
            attention_mask.long().repeat_interleave(len(STEP_TOKENS), dim=1), (GOAL_TOKENS, 0), value=1
        )
        hidden = self._encode(torch.cat([prefix, steps], dim=1), mask)[:, GOAL_TOKENS:]
        hidden = hidden.view(batch, context, len(STEP_TOKENS), -1)
        return self._output(self.predict_action(hidden[:, :, 1]), labels, loss_mask, loss_steps)

    def reset(self) -> None:
        """Forget the past."""
        self._states: Tensor | None = None  # [B, steps, S]
        self._actions: Tensor | None = None  # [B, steps, A]
        self._cache: DynamicCache | None = None

    def prompt(self, goal: Goal | Sequence[Goal]) -> None:
        super().prompt(goal)
        self._cache = None  # every step has attended to the old prefix

    @torch.inference_mode()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Action [A] or [B, A] float32 for observations [S or more] or [B, S or more], exactly as the env returned
        them. What follows the body state is the env's command; the model follows its own prompt.

        The context grows to K steps, and is then cut to the later half. Between two cuts the steps keep their place in
        it, so the keys and values of all but the newest tokens come from a cache, and are what recomputing would give.
        """
        config, device = self.config, self.device
        state = self._read(observation)
        bodies = len(state)
        states = state if self._states is None else torch.cat([self._states, state], dim=1)
        actions = state.new_zeros(bodies, 0, config.act_dim) if self._actions is None else self._actions
        cache = self._cache
        if states.shape[1] > config.context_length:
            kept = config.context_length // 2
            states, actions, cache = states[:, -kept - 1 :], actions[:, actions.shape[1] - kept :], None

        # The newest step has no action yet: its token is embedded from zeros, and left out.
        steps = states.shape[1]
        past = functional.pad(actions, (0, 0, 0, 1))
        returns = state.new_full((bodies, steps), config.target_return)
        prefix, goal = self._embed_goal(torch.as_tensor(self._goal_ids, device=device).expand(bodies, GOAL_TOKENS))
        if cache is None:
            cache = DynamicCache(config=config)
            tokens = torch.cat([prefix, self._embed_steps(states, past, returns, goal)[:, :-1]], dim=1)
        else:
            newest = slice(steps - 2, None)
            recent = self._embed_steps(states[:, newest], past[:, newest], returns[:, newest], goal, first=steps - 2)
            tokens = recent[:, 2:-1]  # the last action, then this return-to-go and state
        hidden = self._encode(tokens, cache=cache)
        action = self.predict_action(hidden[:, -1]).clamp(-1, 1) * self.action_scale
        self._states, self._actions, self._cache = states, torch.cat([actions, action[:, None]], dim=1), cache
        return action.cpu().numpy().reshape(*np.shape(observation)[:-1], config.act_dim)

    def _embed_goal(self, goal_ids: Tensor) -> tuple[Tensor, Tensor]:
        """What a goal [B, G] puts before the steps [B, G, H], and what it adds to every state [B, 1, H]."""
        goal = self.encoder.wte(goal_ids)
        nothing = torch.zeros_like(goal)
        if self.config.goal_prompt == "prefix":
            return goal, nothing[:, :1]
        return nothing, goal.sum(1, keepdim=True)

    def _embed_steps(
        self, states: Tensor, actions: Tensor, returns_to_go: Tensor, goal: Tensor, first: int = 0
    ) -> Tensor:
        """Tokens [B, 3K, H] of steps that are number `first` and the following of their context."""
        batch, steps = states.shape[:2]
        time = self.embed_timestep(torch.arange(first, first + steps, device=states.device))
        returns = (returns_to_go - self.return_mean) / self.return_std
        tokens = (
            self.embed_return(returns[..., None]),
            self.embed_state(self.normalize(states)) + goal,
            self.embed_action(actions / self.action_scale),
        )
        return (torch.stack(tokens, dim=2) + time[:, None]).view(batch, steps * len(STEP_TOKENS), -1)

    def _encode(
        self, embeddings: Tensor, attention_mask: Tensor | None = None, cache: DynamicCache | None = None
    ) -> Tensor:
        """Hidden states [B, n, H] of tokens that follow those in the cache, given which of them are there [B, n]."""
        first = cache.get_seq_length() if cache is not None else 0
        place = torch.arange(first, first + embeddings.shape[1], device=embeddings.device)
        slots = torch.where(place < GOAL_TOKENS, place, GOAL_TOKENS + (place - GOAL_TOKENS) % len(STEP_TOKENS))
        return self.encoder(
            inputs_embeds=self.embed_ln(embeddings),
            attention_mask=attention_mask,
            position_ids=slots[None],
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state


class GoalMLP(GoalPrompted):
    """Behavior cloning without a past: observation and goal tokens in, action out. Takes the same windows."""

    config_class = GoalMLPConfig
    base_model_prefix = "mlp"

    def __init__(self, config: GoalMLPConfig):
        super().__init__(config)
        width = config.hidden_size
        self.embed_goal = nn.Embedding(config.vocab_size, width)
        self.embed_state = nn.Linear(config.state_dim, width)
        layers = [layer for _ in range(config.n_layer - 1) for layer in (nn.GELU(), nn.Linear(width, width))]
        self.predict_action = nn.Sequential(*layers, nn.GELU(), nn.Linear(width, config.act_dim))
        self._register_statistics()
        self.prompt(Goal())
        self.reset()
        self.post_init()

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        returns_to_go: Tensor,
        goal_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        loss_mask: Tensor | None = None,
        loss_steps: Tensor | float | None = None,
    ) -> GoalModelOutput:
        """As GoalDecisionTransformer.forward; each step is seen by itself, and only its state."""
        return self._output(self._predict(states, goal_ids), labels, loss_mask, loss_steps)

    def reset(self) -> None:
        """Forget the past; this model has none."""

    @torch.inference_mode()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """As GoalDecisionTransformer.act."""
        states = self._read(observation)
        goal_ids = torch.as_tensor(self._goal_ids, device=self.device).expand(len(states), GOAL_TOKENS)
        action = self._predict(states, goal_ids).clamp(-1, 1) * self.action_scale
        return action.cpu().numpy().reshape(*np.shape(observation)[:-1], self.config.act_dim)

    def _predict(self, states: Tensor, goal_ids: Tensor) -> Tensor:
        return self.predict_action(
            self.embed_state(self.normalize(states)) + self.embed_goal(goal_ids).sum(1, keepdim=True)
        )


def _sizes(config: dict) -> dict[str, Any]:
    """What the config of a model must say. Version 1 has no `body`, and one `action_limit` for all actions."""
    name = config.get("body", "humanoid")
    if not name:
        return {"vocab_size": len(TOKENS)}
    body = find_body(name)
    return {
        "vocab_size": len(TOKENS),
        "state_dim": body.observation_size,
        "act_dim": body.action_size,
        "action_scale": list(body.action_scale),
        "action_limit": body.action_scale[0],
    }


def masked_square_error(prediction: Tensor, target: Tensor, mask: Tensor, count: Tensor | float) -> Tensor:
    """Mean over `count` steps of the squared error [B, K, D] of the steps in `mask` [B, K]; no other has a vote."""
    return ((prediction.float() - target).square().mean(-1) * mask).sum() / count


for _config, _model in ((GoalDecisionTransformerConfig, GoalDecisionTransformer), (GoalMLPConfig, GoalMLP)):
    AutoConfig.register(_config.model_type, _config)
    AutoModel.register(_config, _model)

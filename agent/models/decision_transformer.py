"""Goal-prompted models that imitate motor policies: the Decision Transformer, and an MLP baseline.

The Decision Transformer (Chen et al., 2021) reads the robot's own token and the five command tokens of the goal as a
prefix, then the last steps as (state, action), and predicts the teacher's action from every state. Time is counted
within the context, so episodes can have any length. For datasets of other projects, whose quality varies, a step can
also begin with its return-to-go. Here that is the mean reward of the next `return_horizon` steps, so it means the same
at every time. While the goal asks an arm to wave, each state comes with the sine and cosine of the wave's phase,
because the pose of the arm alone does not show in which direction it should move next.

One model can move several robots. Each robot has its own projections of states and actions and its own statistics of
the data; everything else is shared. As an actor, a model moves one of the robots (`select_body`).

Shapes: B windows or bodies, K steps of context, G = 5 goal tokens, S body state, A actions, H hidden size.
Inputs and outputs are in the env's units; inside the model, actions are in ±1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

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
from agent.bodies import BODIES, Body, find_body
from agent.goals import AXIS_IDS, COMMAND_AXES, COMMAND_TOKENS, GOAL_VERSION, Goal
from agent.simulation.heading import check_batch, check_observation
from agent.simulation.task import ARM_CODES, goal_commands, wave_clock

PREFIX_TOKENS = 1 + len(COMMAND_AXES)  # the body, then its command
STEP_TOKENS = ("return-to-go", "state", "action")  # the first is left out if `return_horizon` is 0
OBSERVATION_CLIP = 10.0  # standard deviations
WAVES = AXIS_IDS["arms"][ARM_CODES["wave_left"] :]  # tokens that ask an arm to wave


class GoalDecisionTransformerConfig(DecisionTransformerConfig):
    """Sizes of a GoalDecisionTransformer.

    Args:
        bodies: names of the robots that it moves.
        state_dims: S of each robot; by default that of the Body of this name. The same holds for `act_dims` (A) and
            `action_scales` ([A] each: the largest actions in the env's units).
        context_length: K.
        return_horizon: steps whose mean reward is the return-to-go; 0: steps have no return-to-go.
        goal_prompt: "prefix", or "state" to add the goal to every state instead of putting it before them.

    `state_dim` and `act_dim` are those of the first body.
    """

    model_type = "goal_decision_transformer"

    bodies: list[str] | tuple[str, ...] = ("humanoid",)
    state_dims: list[int] | tuple[int, ...] = ()
    act_dims: list[int] | tuple[int, ...] = ()
    action_scales: list[list[float]] | tuple[list[float], ...] = ()
    goal_version: str = GOAL_VERSION
    context_length: int = 20
    return_horizon: int = 0
    goal_prompt: str = "prefix"

    hidden_size: int = 128
    n_layer: int = 3
    n_head: int = 4
    activation_function: str = "gelu"
    resid_pdrop: float | int = 0.0
    embd_pdrop: float | int = 0.0
    attn_pdrop: float | int = 0.0
    vocab_size: int = len(COMMAND_TOKENS)
    n_positions: int = PREFIX_TOKENS + len(STEP_TOKENS)
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    def __post_init__(self, **kwargs):
        _fill_in_sizes(self)
        self.state_dim, self.act_dim, self.max_ep_len = self.state_dims[0], self.act_dims[0], self.context_length
        super().__post_init__(**kwargs)

    @property
    def step_tokens(self) -> tuple[str, ...]:
        """Kinds of the tokens of a step, in order; their positions follow those of the prefix."""
        return STEP_TOKENS if self.return_horizon else STEP_TOKENS[1:]


class GoalMLPConfig(PreTrainedConfig):
    """Sizes of a GoalMLP; `bodies` and their sizes are as in GoalDecisionTransformerConfig."""

    model_type = "goal_mlp"

    bodies: list[str] | tuple[str, ...] = ("humanoid",)
    state_dims: list[int] | tuple[int, ...] = ()
    act_dims: list[int] | tuple[int, ...] = ()
    action_scales: list[list[float]] | tuple[list[float], ...] = ()
    goal_version: str = GOAL_VERSION
    hidden_size: int = 512
    n_layer: int = 3
    vocab_size: int = len(COMMAND_TOKENS)

    def __post_init__(self, **kwargs):
        _fill_in_sizes(self)
        super().__post_init__(**kwargs)


def _fill_in_sizes(config: GoalDecisionTransformerConfig | GoalMLPConfig) -> None:
    """Set the sizes and scales that a config leaves out to those of its bodies."""
    config.bodies = list(config.bodies)
    if not (config.state_dims or config.act_dims or config.action_scales):
        for name, sizes in _body_sizes(config.bodies).items():
            setattr(config, name, sizes)
    given = {len(getattr(config, name)) for name in ("bodies", "state_dims", "act_dims", "action_scales")}
    if len(given) > 1 or not config.bodies:
        raise ValueError(f"bodies={config.bodies}: give at least one, each with state_dims, act_dims, action_scales")
    for size, scale in zip(config.act_dims, config.action_scales, strict=True):
        if len(scale) != size:
            raise ValueError(f"action_scales has {len(scale)} numbers for {size} actions")


def _body_sizes(names: Sequence[str]) -> dict[str, list]:
    """Config entries for robots that this package simulates."""
    bodies = [find_body(name) for name in names]
    return {
        "state_dims": [body.observation_size for body in bodies],
        "act_dims": [body.action_size for body in bodies],
        "action_scales": [list(body.action_scale) for body in bodies],
    }


@dataclass
class GoalModelOutput(ModelOutput):
    """Actions [B, K, A] and, given labels, the loss: the mean squared error of actions in ±1."""

    loss: Tensor | None = None
    action_preds: Tensor | None = None


class Statistics(nn.Module):
    """Statistics of the data of one body: mean and standard deviation of the observations [S] and of the
    returns-to-go, and the target return-to-go of an actor.
    """

    observation_mean: Tensor
    observation_std: Tensor
    return_mean: Tensor
    return_std: Tensor
    target_return: Tensor

    def __init__(self, state_dim: int):
        super().__init__()
        self.register_buffer("observation_mean", torch.zeros(state_dim))
        self.register_buffer("observation_std", torch.ones(state_dim))
        self.register_buffer("return_mean", torch.zeros(()))
        self.register_buffer("return_std", torch.ones(()))
        self.register_buffer("target_return", torch.zeros(()))

    def normalize(self, states: Tensor) -> Tensor:
        """States [..., S] in standard deviations from their mean, clipped to ±OBSERVATION_CLIP."""
        return ((states - self.observation_mean) / self.observation_std).clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)


class GoalPrompted(PreTrainedModel):
    """What the models here share: the modules of each body, the prompt, the loss, and checked loading."""

    embed_state: nn.ModuleDict  # name of a body -> its own projection
    embed_action: nn.ModuleDict
    predict_action: nn.ModuleDict
    statistics: nn.ModuleDict  # name of a body -> its Statistics
    _goal_ids = np.zeros(0, dtype=np.int64)
    _waved = np.array(-1)  # [B]: control steps for which the prompts have asked the arms to wave; -1: they do not

    @classmethod
    def from_pretrained(cls, path: str | Path, body: str | None = None, **kwargs) -> Self:
        """Load from a folder or a Hub repo, to move the robot named `body`; by default the first one of the model.

        Raises:
            ValueError: it is not a complete model of this kind, or does not move this body.
        """
        model = hub.load_pretrained(cls, super().from_pretrained, path, sizes=_sizes, **kwargs)
        bodies = model.config.bodies
        model.prompt(Goal())
        for name, size in zip(bodies, model.config.state_dims, strict=True):
            model.select_body(name)
            checks.check_acts(model, size, path)
        try:
            model.select_body(bodies[0] if body is None else body)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return model

    def save_pretrained(self, save_directory: str | Path, **kwargs) -> None:  # ty: ignore[incompatible-method-override]
        """Save to a folder, as whole files with a checksum manifest."""
        with runs.placing(save_directory, sum(value.nbytes for value in self.state_dict().values())) as new:
            super().save_pretrained(new, **kwargs)

    def select_body(self, body: str) -> None:
        """Move this robot from now on, and forget the history. Raises ValueError if the model does not move it."""
        if body not in self.config.bodies:
            raise ValueError(
                f"this model does not move body={body!r}: choose one of {', '.join(self.config.bodies)}, "
                "or train a model on a dataset of that body"
            )
        self._body = body
        self.reset()

    def keep_bodies(self, bodies: Sequence[str]) -> None:
        """Keep only these of the model's robots, in this order, and select the first."""
        rows = [self.config.bodies.index(body) for body in bodies]
        for name in ("bodies", "state_dims", "act_dims", "action_scales"):
            values = getattr(self.config, name)
            setattr(self.config, name, [values[row] for row in rows])
        if isinstance(self.config, GoalDecisionTransformerConfig):
            self.config.state_dim, self.config.act_dim = self.config.state_dims[0], self.config.act_dims[0]
        for name, module in self.named_children():
            if isinstance(module, nn.ModuleDict):
                setattr(self, name, nn.ModuleDict({body: module[body] for body in bodies}))
        self.embed_body = nn.Embedding.from_pretrained(self.embed_body.weight.detach()[rows], freeze=False)
        self.select_body(bodies[0])

    def set_statistics(
        self,
        body: str,
        observation_mean: np.ndarray,
        observation_std: np.ndarray,
        return_mean: float,
        return_std: float,
        target_return: float,
    ) -> None:
        """Set the Statistics of the data of a body."""
        for name, value in {
            "observation_mean": observation_mean,
            "observation_std": np.maximum(observation_std, 1e-6),
            "return_mean": return_mean,
            "return_std": max(return_std, 1e-6),
            "target_return": target_return,
        }.items():
            buffer = self._statistics(body).get_buffer(name)
            buffer.copy_(torch.as_tensor(value, dtype=buffer.dtype))

    @property
    def body(self) -> Body:
        """The robot that it moves. Raises ValueError if this package does not simulate it."""
        return find_body(self._body)

    def prompt(self, goal: Goal | Sequence[Goal]) -> None:
        """Follow the velocity goal `goal` from now on; one goal per body in a batch.

        Raises:
            ValueError: a goal is not a velocity goal, or the body does not support its velocity, height or arms.
        """
        if self._body in BODIES:
            goal_commands(goal, self.body)
        if not isinstance(goal, Goal) and not all(isinstance(each, Goal) for each in goal):
            raise ValueError(f"goals={goal!r:.60}: give Goals, which this model reads as tokens")
        self._goal_ids = np.array(goal.command_ids if isinstance(goal, Goal) else [each.command_ids for each in goal])

    def reset(self) -> None:
        """Forget the history."""
        self._waved = np.array(-1)

    def _add_bodies(self, width: int) -> None:
        """Create the modules for each body that every model needs."""
        self.statistics = self._for_each_body(lambda state_dim, act_dim: Statistics(state_dim))
        self.embed_state = self._for_each_body(lambda state_dim, act_dim: nn.Linear(state_dim, width))
        self.predict_action = self._for_each_body(lambda state_dim, act_dim: nn.Linear(width, act_dim))
        self.embed_body = nn.Embedding(len(self.config.bodies), width)
        self.embed_clock = nn.Linear(2, width, bias=False)
        self._body = self.config.bodies[0]

    def _for_each_body(self, make: Callable[[int, int], nn.Module]) -> nn.ModuleDict:
        """Name of a body -> the module that `make` gives for its S and A."""
        config = self.config
        sizes = zip(config.bodies, config.state_dims, config.act_dims, strict=True)
        return nn.ModuleDict({name: make(state_dim, act_dim) for name, state_dim, act_dim in sizes})

    def _statistics(self, body: str) -> "Statistics":
        return cast(Statistics, self.statistics[body])

    def _action_scale(self, body: str) -> Tensor:
        """Largest actions [A] in the env's units, the factor of an action in ±1."""
        return torch.tensor(self.config.action_scales[self.config.bodies.index(body)], device=self.device)

    def _to_control(self, body: str, actions: Tensor) -> Tensor:
        """Clip actions [..., A] to ±1 and convert them to the env's units."""
        return actions.clip(-1, 1) * self._action_scale(body)

    def _body_token(self, body: str, count: int) -> Tensor:
        """The embedding of a body [B, 1, H], repeated for B = `count`."""
        row = torch.full((count, 1), self.config.bodies.index(body), device=self.device)
        return self.embed_body(row)

    def _read(self, observation: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """The body states [B, 1, S] in observations [..., S or more], the ids [B, G] of their goals, and the clocks
        [B, 1, 2] of their waves, which go on by one step.
        """
        size = self._statistics(self._body).observation_mean.numel()
        check_observation(observation, size)
        rows = np.reshape(observation, (-1, np.shape(observation)[-1]))
        check_batch(rows, self._goal_ids.shape[:-1], self._waved.shape)
        states = torch.tensor(rows[:, None, :size], dtype=torch.float32, device=self.device)
        goal_ids = np.broadcast_to(self._goal_ids, (len(rows), len(COMMAND_AXES)))
        self._waved = np.where(np.isin(goal_ids[:, -1], WAVES), self._waved + 1, -1)
        clock = wave_clock(self._waved, self.body) if self._body in BODIES else np.zeros((len(rows), 2), np.float32)
        return (
            states,
            torch.tensor(goal_ids, device=self.device),
            torch.from_numpy(clock[:, None]).to(self.device),
        )

    def _output(
        self,
        body: str,
        predictions: Tensor,
        labels: Tensor | None,
        loss_mask: Tensor | None,
        loss_steps: Tensor | float | None,
    ) -> GoalModelOutput:
        """Predictions [B, K, A] in ±1 as actions in the env's units, with their loss if there are labels."""
        scale = self._action_scale(body)
        output = GoalModelOutput(action_preds=predictions * scale)
        if labels is not None:
            assert loss_mask is not None, "labels need a loss_mask"
            loss_steps = loss_mask.sum() if loss_steps is None else loss_steps
            output.loss = masked_square_error(predictions, labels / scale, loss_mask, loss_steps)
        return output


class GoalDecisionTransformer(GoalPrompted, DecisionTransformerModel):
    """transformers' DecisionTransformerModel, prompted by the tokens of a body and of its goal.

    `encoder.wte` embeds the tokens of the goal, `embed_body` that of the body. The position embeddings `encoder.wpe`
    stand for kinds of tokens: body, the five of the goal, then those of a step (`config.step_tokens`).
    `embed_timestep` embeds the number of a step in the context.

    As an actor: `reset()`, `prompt(goal)`, `act(observation)`. A prompt replaces the prefix and keeps the history.
    """

    config_class = GoalDecisionTransformerConfig

    def __init__(self, config: GoalDecisionTransformerConfig):
        super().__init__(config)
        del self.predict_return, self.predict_state  # not part of the loss
        if not config.return_horizon:
            del self.embed_return
        self._add_bodies(config.hidden_size)
        self.embed_action = self._for_each_body(lambda state_dim, act_dim: nn.Linear(act_dim, config.hidden_size))
        self.prompt(Goal())
        self.reset()
        self.post_init()

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        returns_to_go: Tensor,
        clock: Tensor,
        goal_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        loss_mask: Tensor | None = None,
        loss_steps: Tensor | float | None = None,
        body: str | None = None,
    ) -> GoalModelOutput:
        """Predicted actions at every step of B windows of one body, and their loss.

        Args:
            states: observations [B, K, S].
            actions: executed actions [B, K, A].
            returns_to_go: mean reward of the coming `return_horizon` steps [B, K].
            clock: sine and cosine of the phase of a waving arm [B, K, 2], as `task.wave_clock` gives them.
            goal_ids: command ids of the goal that prompts each window [B, G].
            attention_mask: true where a window has a step [B, K].
            labels: the teacher's mean actions [B, K, A].
            loss_mask: true where a step counts in the loss [B, K].
            loss_steps: number of steps that the loss is averaged over; by default those in `loss_mask`.
            body: name of the robot in the windows; by default the selected one.
        """
        body = body or self._body
        batch, context = states.shape[:2]
        names = self.config.step_tokens
        prefix, added = self._embed_prompt(body, goal_ids)
        tokens = self._embed_steps(body, states, actions, returns_to_go, clock, added)
        mask = functional.pad(attention_mask.long().repeat_interleave(len(names), dim=1), (PREFIX_TOKENS, 0), value=1)
        hidden = self._encode(torch.cat([prefix, tokens], dim=1), mask)[:, PREFIX_TOKENS:]
        hidden = hidden.view(batch, context, len(names), -1)[:, :, names.index("state")]
        return self._output(body, self.predict_action[body](hidden), labels, loss_mask, loss_steps)

    def reset(self) -> None:
        """Forget the history."""
        super().reset()
        self._clock: Tensor | None = None  # [B, steps, 2]
        self._states: Tensor | None = None  # [B, steps, S]
        self._actions: Tensor | None = None  # [B, steps, A]
        self._cache: DynamicCache | None = None
        self._added = torch.zeros(())  # what the prompt adds to every state, while there is a cache

    def prompt(self, goal: Goal | Sequence[Goal]) -> None:
        before = self._goal_ids
        super().prompt(goal)
        if not np.array_equal(before, self._goal_ids):
            self._cache = None  # every cached step has attended to the old prefix

    @torch.inference_mode()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Action [A] or [B, A] float32 for observations [S or more] or [B, S or more], exactly as the env returned
        them. The model ignores the env's command, which follows the body state, and follows its own prompt.

        The context grows to K steps, and is then cut to the later half. Between two cuts the steps keep their
        positions in it, so the keys and values of all but the newest tokens can be cached without changing the result.
        """
        config, body = self.config, self._body
        state, goal_ids, now = self._read(observation)
        bodies = len(state)
        states, clock = state, now
        if self._states is not None and self._clock is not None:
            states, clock = torch.cat([self._states, state], dim=1), torch.cat([self._clock, now], dim=1)
        actions = state.new_zeros(bodies, 0, len(self._action_scale(body))) if self._actions is None else self._actions
        cache = self._cache
        if states.shape[1] > config.context_length:
            kept = config.context_length // 2
            states, clock = states[:, -kept - 1 :], clock[:, -kept - 1 :]
            actions, cache = actions[:, actions.shape[1] - kept :], None

        # The newest step has no action yet: its action token is embedded from zeros and then left out.
        count = states.shape[1]
        past = functional.pad(actions, (0, 0, 0, 1))
        returns = self._statistics(body).target_return.expand(bodies, count)
        if cache is None:
            cache = DynamicCache(config=config)
            prefix, self._added = self._embed_prompt(body, goal_ids)
            recent = self._embed_steps(body, states, past, returns, clock, self._added)
            tokens = torch.cat([prefix, recent[:, :-1]], dim=1)
        else:
            first = count - 2  # when the step before was cached, its action was not known
            newest = (each[:, first:] for each in (states, past, returns, clock))
            recent = self._embed_steps(body, *newest, self._added, first)
            tokens = recent[:, len(config.step_tokens) - 1 : -1]  # from the last action to this state
        hidden = self._encode(tokens, cache=cache)
        action = self._to_control(body, self.predict_action[body](hidden[:, -1]))
        self._states, self._clock, self._cache = states, clock, cache
        self._actions = torch.cat([actions, action[:, None]], dim=1)
        return action.cpu().numpy().reshape(*np.shape(observation)[:-1], -1)

    def _embed_prompt(self, body: str, goal_ids: Tensor) -> tuple[Tensor, Tensor]:
        """The prefix [B, 1 + G, H] of a body and its goals [B, G], and what they add to every state [B, 1, H]. One of
        the two is zero, by `goal_prompt`.
        """
        embedded = torch.cat([self._body_token(body, len(goal_ids)), self.encoder.wte(goal_ids)], dim=1)
        nothing = torch.zeros_like(embedded)
        if self.config.goal_prompt == "prefix":
            return embedded, nothing[:, :1]
        return nothing, embedded.sum(1, keepdim=True)

    def _embed_steps(
        self,
        body: str,
        states: Tensor,
        actions: Tensor,
        returns_to_go: Tensor,
        clock: Tensor,
        added: Tensor,
        first: int = 0,
    ) -> Tensor:
        """Tokens [B, 2K or 3K, H] of steps, the first of which is number `first` in the context. `added` is what the
        prompt adds to every state.
        """
        batch, count = states.shape[:2]
        time = self.embed_timestep(torch.arange(first, first + count, device=states.device))
        statistics = self._statistics(body)
        tokens = [
            self.embed_state[body](statistics.normalize(states)) + self.embed_clock(clock) + added,
            self.embed_action[body](actions / self._action_scale(body)),
        ]
        if self.config.return_horizon:
            returns = (returns_to_go - statistics.return_mean) / statistics.return_std
            tokens.insert(0, self.embed_return(returns[..., None]))
        return (torch.stack(tokens, dim=2) + time[:, None]).view(batch, count * len(tokens), -1)

    def _encode(
        self, embeddings: Tensor, attention_mask: Tensor | None = None, cache: DynamicCache | None = None
    ) -> Tensor:
        """Hidden states [B, n, H] of tokens that follow those in the cache; the mask is [B, n], 0 for padding."""
        first = cache.get_seq_length() if cache is not None else 0
        place = torch.arange(first, first + embeddings.shape[1], device=embeddings.device)
        kind = (place - PREFIX_TOKENS) % len(self.config.step_tokens)
        slots = torch.where(place < PREFIX_TOKENS, place, PREFIX_TOKENS + kind)
        return self.encoder(
            inputs_embeds=self.embed_ln(embeddings),
            attention_mask=attention_mask,
            position_ids=slots[None],
            cache=cache,
            use_cache=cache is not None,
        ).last_hidden_state


class GoalMLP(GoalPrompted):
    """Behavior cloning without history: observation, clock, body and goal tokens in, action out. Takes the same
    windows.
    """

    config_class = GoalMLPConfig
    base_model_prefix = "mlp"

    def __init__(self, config: GoalMLPConfig):
        super().__init__(config)
        width = config.hidden_size
        self._add_bodies(width)
        self.embed_goal = nn.Embedding(config.vocab_size, width)
        layers = [layer for _ in range(config.n_layer - 1) for layer in (nn.GELU(), nn.Linear(width, width))]
        self.layers = nn.Sequential(*layers, nn.GELU())
        self.prompt(Goal())
        self.reset()
        self.post_init()

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        returns_to_go: Tensor,
        clock: Tensor,
        goal_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        loss_mask: Tensor | None = None,
        loss_steps: Tensor | float | None = None,
        body: str | None = None,
    ) -> GoalModelOutput:
        """As GoalDecisionTransformer.forward, but an action depends only on the prompt, the state and the clock."""
        body = body or self._body
        return self._output(body, self._predict(body, states, goal_ids, clock), labels, loss_mask, loss_steps)

    @torch.inference_mode()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """As GoalDecisionTransformer.act."""
        action = self._to_control(self._body, self._predict(self._body, *self._read(observation)))
        return action.cpu().numpy().reshape(*np.shape(observation)[:-1], -1)

    def _predict(self, body: str, states: Tensor, goal_ids: Tensor, clock: Tensor) -> Tensor:
        """Actions [B, K, A] in ±1."""
        added = self.embed_goal(goal_ids).sum(1, keepdim=True) + self._body_token(body, len(goal_ids))
        states = self.embed_state[body](self._statistics(body).normalize(states)) + self.embed_clock(clock)
        return self.predict_action[body](self.layers(states + added))


def _sizes(config: dict) -> dict[str, Any]:
    """Required entries of a model's config."""
    names = config.get("bodies")
    simulated = isinstance(names, list) and all(isinstance(name, str) and name in BODIES for name in names)
    return {"vocab_size": len(COMMAND_TOKENS)} | (_body_sizes(names) if simulated else {})


def masked_square_error(prediction: Tensor, target: Tensor, mask: Tensor, count: Tensor | float) -> Tensor:
    """Squared error of [B, K, D], averaged over D, summed over the steps in `mask` [B, K], divided by `count`."""
    return ((prediction.float() - target).square().mean(-1) * mask).sum() / count


for _config, _model in ((GoalDecisionTransformerConfig, GoalDecisionTransformer), (GoalMLPConfig, GoalMLP)):
    AutoConfig.register(_config.model_type, _config)
    AutoModel.register(_config, _model)

"""The two networks of the page as graphs that ONNX can hold: plain attention over tokens, with the keys and values of
earlier tokens as an input and an output.

Both compute exactly what the models in agent/ compute with their caches; tests/test_web.py compares them.

Shapes: L layers, n new tokens, p past tokens, h heads, d numbers per head, S body state, A actions, V vocabulary.
A past is [L, 2, h, p, d]: keys, then values.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from agent.models.decision_transformer import PREFIX_TOKENS, GoalDecisionTransformer


class TransformerGraph(nn.Module):
    """A GoalDecisionTransformer that moves one body.

    The caller says which tokens are new: `order` picks them from the prefix, the returns-to-go, the states and the
    actions, in this sequence, and `slots` are their positions. Actions are in the env's units, as are those it gives.
    """

    inputs = ("prefix", "states", "actions", "times", "order", "slots", "past")
    dynamic = ((), (0,), (0,), (0,), (0,), (0,), (3,))  # axes of the inputs that vary
    outputs = ("action", "present")

    def __init__(self, model: GoalDecisionTransformer, body: str):
        super().__init__()
        assert model.config.goal_prompt == "prefix", "the page puts the goal before the steps"
        self.model, self.body = model, body
        row = model.config.bodies.index(body)
        # Row 0 is the body's token, row 1 + i goal token i.
        self.prompt = nn.Parameter(torch.cat([model.embed_body.weight[row : row + 1], model.encoder.wte.weight]))
        statistics = model._statistics(body)
        self.target = nn.Parameter(((statistics.target_return - statistics.return_mean) / statistics.return_std)[None])
        self.register_buffer("scale", model._action_scale(body))

    def forward(
        self, prefix: Tensor, states: Tensor, actions: Tensor, times: Tensor, order: Tensor, slots: Tensor, past: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The action [A] for the last token, and keys and values of all tokens so far.

        Args:
            prefix: 0 for the body, then 1 + the ids of the five goal tokens [6] int64.
            states, actions: of the steps that new tokens belong to [T, S] and [T, A].
            times: number of each of these steps in its context [T] int64.
            order: the new tokens [n] int64: below 6 in the prefix, then T returns-to-go, T states, T actions.
            slots: their positions [n] int64.
            past: keys and values of earlier tokens.
        """
        model, body = self.model, self.body
        time = model.embed_timestep(times)
        returns = model.embed_return(self.target)[None]
        tokens = torch.cat(
            [
                self.prompt[prefix],
                returns + time,
                model._part("embed_state", body)(model._statistics(body).normalize(states)) + time,
                model._part("embed_action", body)(actions / self.scale) + time,
            ]
        )
        hidden = model.embed_ln(tokens[order]) + model.encoder.wpe(slots)
        present = []
        for block, before in zip(model.encoder.h, past, strict=True):
            heads = block.attn.num_heads
            query, key, value = (
                part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in block.attn.c_attn(block.ln_1(hidden)).chunk(3, -1)
            )
            key, value = torch.cat([before[0], key], dim=1), torch.cat([before[1], value], dim=1)
            hidden = hidden + block.attn.c_proj(attend(query, key, value).transpose(0, 1).flatten(1))
            hidden = hidden + block.mlp(block.ln_2(hidden))
            present.append(torch.stack([key, value]))
        action = model._part("predict_action", body)(model.encoder.ln_f(hidden)[-1])
        return action.clamp(-1, 1) * self.scale, torch.stack(present)

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of two new steps after one past step."""
        config = self.model.config
        size, actions = (sizes[config.bodies.index(self.body)] for sizes in (config.state_dims, config.act_dims))
        past = torch.zeros(config.n_layer, 2, config.n_head, PREFIX_TOKENS + 2, config.hidden_size // config.n_head)
        order, slots = torch.tensor([10, 7, 9]), torch.tensor([8, 6, 7])
        return (torch.arange(6), torch.zeros(2, size), torch.zeros(2, actions), torch.arange(2), order, slots, past)



class LanguageModelGraph(nn.Module):
    """A causal LM of the Llama family that writes only `answer_ids`: no others can stand in an answer, so the rest of
    its output matrix is left out.
    """

    inputs = ("ids", "past")
    dynamic = ((0,), (3,))
    outputs = ("logits", "present")

    def __init__(self, model: LlamaForCausalLM, answer_ids: list[int]):
        super().__init__()
        self.model, config = model.model, model.config
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.size = config.hidden_size // self.heads
        self.answer = nn.Linear(config.hidden_size, len(answer_ids), bias=False)
        self.answer.weight.data = model.lm_head.weight.data[answer_ids].clone()
        positions = torch.arange(config.max_position_embeddings)
        self.rotations = nn.Parameter(torch.stack([part[0] for part in self.model.rotary_emb(torch.zeros(1), positions[None])]))

    def forward(self, ids: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [answer ids] after the last of the ids [n] int64, and keys and values of all tokens so far."""
        hidden = self.model.embed_tokens(ids)
        first = past.shape[3]
        cos, sin = self.rotations[:, first : first + len(ids)]
        present = []
        for layer, before in zip(self.model.layers, past, strict=True):
            attention, normal = layer.self_attn, layer.input_layernorm(hidden)
            query, key, value = (
                part(normal).unflatten(-1, (-1, self.size)).transpose(0, 1)
                for part in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            query, key = rotated(query, cos, sin), torch.cat([before[0], rotated(key, cos, sin)], dim=1)
            value = torch.cat([before[1], value], dim=1)
            groups = self.heads // self.kv_heads
            mixed = attend(query, key.repeat_interleave(groups, 0), value.repeat_interleave(groups, 0))
            hidden = hidden + attention.o_proj(mixed.transpose(0, 1).flatten(1))
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
            present.append(torch.stack([key, value]))
        return self.answer(self.model.norm(hidden[-1:]))[0], torch.stack(present)

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of three new tokens after four past ones."""
        return torch.arange(3), torch.zeros(len(self.model.layers), 2, self.kv_heads, 4, self.size)



class ByteEmbedding(nn.Module):
    """An embedding whose rows are 8-bit numbers with a scale of their own."""

    def __init__(self, weight: Tensor):
        super().__init__()
        scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("rows", (weight / scale).round().to(torch.int8))

    def forward(self, ids: Tensor) -> Tensor:
        return self.rows[ids].float() * self.scale[ids]


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention [h, n, d] of queries [h, n, d] to keys and values [h, p + n, d]."""
    place = torch.arange(key.shape[1])
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    seen = place[None] <= place[key.shape[1] - query.shape[1] :, None]
    return functional.softmax(scores.masked_fill(~seen, -1e9), dim=-1) @ value


def rotated(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads [h, n, d] turned by their places [n, d] (Su et al., 2021, https://arxiv.org/abs/2104.09864)."""
    first, second = heads.chunk(2, -1)
    return heads * cos + torch.cat([-second, first], -1) * sin

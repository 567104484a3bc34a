"""Both networks of the page as ONNX graphs over tokens, with the keys and values of earlier tokens as an input and an
output. They compute what the models in agent/ compute with their caches; tests/test_web.py compares them.

Built node by node, because tracing a language model takes minutes, and to control the 8-bit arithmetic.

Shapes: L layers, n new tokens, p past tokens, h heads, d numbers per head, H hidden size, S body state, A actions.
A past is [L, 2, h, p, d]: keys, then values.
"""

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from transformers import LlamaForCausalLM

from agent.models.decision_transformer import OBSERVATION_CLIP, PREFIX_TOKENS, GoalDecisionTransformer

OPSET = 20
NEVER = -1e9  # the score of a token that comes later
Value = str  # name of a tensor in the graph


class Graph:
    """An ONNX graph in the making: `graph.Add(a, b)` puts a node into it and gives the value's name."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def __getattr__(self, operator: str):
        def add(*inputs: Value | Tensor | np.ndarray | Sequence | float, outputs: int = 1, **attributes):
            names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
            made = [f"{operator}_{len(self.nodes)}_{number}" for number in range(outputs)]
            self.nodes.append(helper.make_node(operator, names, made, **attributes))
            return made[0] if outputs == 1 else made

        return add

    def constant(self, value: Tensor | np.ndarray | Sequence | float) -> Value:
        """A tensor that is part of the graph; Python numbers become int64 or float32."""
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if not isinstance(value, Tensor | np.ndarray) and array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def byte_linear(self, value: Value, weight: Tensor) -> Value:
        """value [n, in] times weight [out, in], in 8 bits, with one scale for each row of both."""
        scale = weight.abs().amax(1).clamp_min(1e-8) / 127
        rows = (weight / scale[:, None]).round().to(torch.int8)
        step = self.Div(self.Max(self.ReduceMax(self.Abs(value), [-1], keepdims=1), 1e-8), 127.0)
        numbers = self.Cast(self.Add(self.Round(self.Div(value, step)), 128.0), to=TensorProto.UINT8)
        product = self.MatMulInteger(numbers, rows.T.contiguous(), np.uint8(128))
        return self.Mul(self.Cast(product, to=TensorProto.FLOAT), self.Mul(step, scale))

    def heads(self, value: Value, count: int) -> Value:
        """value [n, count * d] as [count, n, d]."""
        return self.Transpose(self.Reshape(value, [0, count, -1]), perm=[1, 0, 2])

    def places(self, tokens: Value, past: Value) -> tuple[Value, Value]:
        """Places [n] of new tokens, and their causal mask [n, p + n]: 0, or NEVER for what comes later."""
        first = self.Gather(self.Shape(past), 3)
        end = self.Add(first, self.Gather(self.Shape(tokens), 0))
        new = self.Range(first, end, 1)
        seen = self.LessOrEqual(self.Unsqueeze(self.Range(0, end, 1), [0]), self.Unsqueeze(new, [1]))
        return new, self.Where(seen, 0.0, NEVER)

    def attend(self, query: Value, key: Value, value: Value, past: Value, mask: Value) -> tuple[Value, Value]:
        """Attention of queries [h, n, d] to keys and values [g, n, d] and those of the past [2, g, p, d]. Returns the
        result [n, h * d] and the past with the new keys and values. Each key serves h / g heads.
        """
        present = self.Concat(past, self.Concat(self.Unsqueeze(key, [0]), self.Unsqueeze(value, [0]), axis=0), axis=2)
        keys, values = (self.Unsqueeze(self.Gather(present, each), [1]) for each in (0, 1))  # [g, 1, p + n, d]
        groups = self.Gather(self.Shape(key), [0])
        size = self.Gather(self.Shape(key), [2])
        shape = self.Concat(groups, [-1], self.Gather(self.Shape(query), [1]), size, axis=0)
        scores = self.MatMul(self.Reshape(query, shape), self.Transpose(keys, perm=[0, 1, 3, 2]))
        scores = self.Div(scores, self.Sqrt(self.Cast(size, to=TensorProto.FLOAT)))
        mixed = self.MatMul(self.Softmax(self.Add(scores, mask), axis=-1), values)
        mixed = self.Transpose(self.Reshape(mixed, self.Shape(query)), perm=[1, 0, 2])
        return self.Reshape(mixed, [0, -1]), present

    def model(self, inputs: dict[str, tuple[int, list]], outputs: dict[str, tuple[Value, list]]) -> onnx.ModelProto:
        """The whole graph, checked: inputs with their element types, outputs of floats with their values, and the
        shapes of both, in which names stand for any size.
        """
        for name, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        onnx.checker.check_model(model)
        return model


def transformer_graph(model: GoalDecisionTransformer, body: str) -> onnx.ModelProto:
    """A GoalDecisionTransformer that moves one body.

    | input | shape | what |
    |---|---|---|
    | prefix | [6] int64 | 0 for the body, then 1 + the ids of the five goal tokens |
    | states, actions | [T, S], [T, A] | of the steps that new tokens belong to |
    | clock | [T, 2] | sine and cosine of the phase of a waving arm in each of these steps |
    | times | [T] int64 | number of each of these steps in its context |
    | order | [n] int64 | the new tokens, as indices: 6 of the prefix, then T of each kind in `config.step_tokens` |
    | slots | [n] int64 | indices of their position embeddings: the place in the prefix, or 6 + the kind |
    | past | [L, 2, h, p, d] | keys and values of earlier tokens |

    Outputs are the `action` [A] for the last token, in the robot's units, and the `present`.
    """
    assert model.config.goal_prompt == "prefix", "the page puts the goal before the steps"
    config, encoder, statistics = model.config, model.encoder, model.statistics[body]
    row = config.bodies.index(body)
    scale = torch.tensor(config.action_scales[row])
    graph = Graph()

    def norm(value: Value, layer: torch.nn.LayerNorm) -> Value:
        return graph.LayerNormalization(value, layer.weight, layer.bias, axis=-1, epsilon=layer.eps)

    def dense(value: Value, name: str) -> Value:
        layer = getattr(model, name)[body]
        return graph.Gemm(value, layer.weight.T, layer.bias)

    prompt = torch.cat([model.embed_body.weight[row : row + 1], encoder.wte.weight])
    states = graph.Div(graph.Sub("states", statistics.observation_mean), statistics.observation_std)
    time = graph.Gather(model.embed_timestep.weight, "times")
    clock = graph.MatMul("clock", model.embed_clock.weight.T)
    tokens = [
        graph.Gather(prompt, "prefix"),
        graph.Add(
            graph.Add(time, clock), dense(graph.Clip(states, -OBSERVATION_CLIP, OBSERVATION_CLIP), "embed_state")
        ),
        graph.Add(time, dense(graph.Div("actions", scale), "embed_action")),
    ]
    if config.return_horizon:
        target = (statistics.target_return - statistics.return_mean) / statistics.return_std
        tokens.insert(1, graph.Add(time, model.embed_return(target[None])))
    hidden = norm(graph.Gather(graph.Concat(*tokens, axis=0), "order"), model.embed_ln)
    hidden = graph.Add(hidden, graph.Gather(encoder.wpe.weight, "slots"))
    _, mask = graph.places("order", "past")
    presents = []
    for number, block in enumerate(encoder.h):
        attention, mlp = block.attn, block.mlp
        mixed = graph.Gemm(norm(hidden, block.ln_1), attention.c_attn.weight, attention.c_attn.bias)
        query, key, value = (
            graph.heads(part, config.n_head) for part in graph.Split(mixed, axis=1, num_outputs=3, outputs=3)
        )
        mixed, present = graph.attend(query, key, value, graph.Gather("past", number), mask)
        presents.append(graph.Unsqueeze(present, [0]))
        hidden = graph.Add(hidden, graph.Gemm(mixed, attention.c_proj.weight, attention.c_proj.bias))
        inner = graph.Gelu(graph.Gemm(norm(hidden, block.ln_2), mlp.c_fc.weight, mlp.c_fc.bias))
        hidden = graph.Add(hidden, graph.Gemm(inner, mlp.c_proj.weight, mlp.c_proj.bias))
    last = norm(graph.Gather(hidden, [-1]), encoder.ln_f)
    action = graph.Mul(graph.Clip(graph.Squeeze(dense(last, "predict_action"), [0]), -1.0, 1.0), scale)
    sizes = [config.n_layer, 2, config.n_head, "past_tokens", config.hidden_size // config.n_head]
    inputs = {
        "prefix": (TensorProto.INT64, [PREFIX_TOKENS]),
        "states": (TensorProto.FLOAT, ["steps", config.state_dims[row]]),
        "actions": (TensorProto.FLOAT, ["steps", config.act_dims[row]]),
        "clock": (TensorProto.FLOAT, ["steps", 2]),
        "times": (TensorProto.INT64, ["steps"]),
        "order": (TensorProto.INT64, ["tokens"]),
        "slots": (TensorProto.INT64, ["tokens"]),
        "past": (TensorProto.FLOAT, sizes),
    }
    present = graph.Concat(*presents, axis=0), [*sizes[:3], "all_tokens", sizes[4]]
    return graph.model(inputs, {"action": (action, [config.act_dims[row]]), "present": present})


def language_model_graph(model: LlamaForCausalLM, answer_ids: Sequence[int], most_tokens: int) -> onnx.ModelProto:
    """A causal LM of the Llama family with 8-bit weights, for texts of at most `most_tokens`.

    Inputs are the `ids` [n] int64 and the `past` [L, 2, h, p, d]; outputs the `logits` of `answer_ids` after the last
    id, and the `present`. Only these can stand in an answer, so the rest of the output matrix is left out.
    """
    config, decoder, graph = model.config, model.model, Graph()
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    size = config.hidden_size // heads
    angles = decoder.rotary_emb(torch.zeros(1), torch.arange(most_tokens)[None])
    new, mask = graph.places("ids", "past")
    cos, sin = (graph.Gather(table[0], new) for table in angles)

    def norm(value: Value, layer: torch.nn.Module) -> Value:
        mean = graph.ReduceMean(graph.Mul(value, value), [-1], keepdims=1)
        return graph.Mul(graph.Div(value, graph.Sqrt(graph.Add(mean, float(config.rms_norm_eps)))), layer.weight)

    def rotate(value: Value) -> Value:
        """Su et al., 2021, https://arxiv.org/abs/2104.09864"""
        first, second = graph.Split(value, axis=2, num_outputs=2, outputs=2)
        return graph.Add(graph.Mul(value, cos), graph.Mul(graph.Concat(graph.Neg(second), first, axis=2), sin))

    embedding = decoder.embed_tokens.weight.detach()
    scale = embedding.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
    rows = graph.Gather((embedding / scale).round().to(torch.int8), "ids")
    hidden = graph.Mul(graph.Cast(rows, to=TensorProto.FLOAT), graph.Gather(scale, "ids"))
    presents = []
    for number, layer in enumerate(decoder.layers):
        attention, mlp = layer.self_attn, layer.mlp
        weights = [part.weight.detach() for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
        mixed = graph.byte_linear(norm(hidden, layer.input_layernorm), torch.cat(weights))
        query, key, value = graph.Split(mixed, [len(weight) for weight in weights], axis=1, outputs=3)
        query, key = rotate(graph.heads(query, heads)), rotate(graph.heads(key, groups))
        mixed, present = graph.attend(query, key, graph.heads(value, groups), graph.Gather("past", number), mask)
        presents.append(graph.Unsqueeze(present, [0]))
        hidden = graph.Add(hidden, graph.byte_linear(mixed, attention.o_proj.weight.detach()))
        weights = [mlp.gate_proj.weight.detach(), mlp.up_proj.weight.detach()]
        both = graph.byte_linear(norm(hidden, layer.post_attention_layernorm), torch.cat(weights))
        gate, up = graph.Split(both, axis=1, num_outputs=2, outputs=2)
        inner = graph.Mul(graph.Mul(gate, graph.Sigmoid(gate)), up)
        hidden = graph.Add(hidden, graph.byte_linear(inner, mlp.down_proj.weight.detach()))
    last = norm(graph.Gather(hidden, [-1]), decoder.norm)
    logits = graph.Squeeze(graph.byte_linear(last, model.lm_head.weight.detach()[list(answer_ids)]), [0])
    sizes = [config.num_hidden_layers, 2, groups, "past_tokens", size]
    inputs = {"ids": (TensorProto.INT64, ["tokens"]), "past": (TensorProto.FLOAT, sizes)}
    present = graph.Concat(*presents, axis=0), [*sizes[:3], "all_tokens", size]
    return graph.model(inputs, {"logits": (logits, [len(answer_ids)]), "present": present})

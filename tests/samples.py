"""What several tests start from: untrained planners and agents, and a dataset of bodies that follow their commands."""

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from peft import LoraConfig, get_peft_model
from pyarrow import parquet
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from agent.artefacts import runs
from agent.bodies import find_body
from agent.data import schema
from agent.data.windows import Steps, open_bodies
from agent.goals import GOAL_VERSION, Goal
from agent.language.corpus.generator import examples
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.motor_agent import MotorAgent
from agent.simulation.curriculum import sample_commands

EPISODES, STEPS = 40, 450
BODY = find_body("humanoid")


CHAT_TEMPLATE = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}<s>assistant\n"


@functools.cache
def trained_tokenizer() -> str:
    """A byte-level BPE tokenizer, as JSON."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(Regex("[0-9]"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((each.program for each in examples(300, seed=5)), trainer)
    return tokenizer.to_str()


def small_tokenizer(chat: bool = True) -> PreTrainedTokenizerFast:
    """The tokenizer, with or without a chat template."""
    trained = Tokenizer.from_str(trained_tokenizer())
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = CHAT_TEMPLATE if chat else None
    return tokenizer


def small_planner(chat: bool = True) -> Planner:
    """An untrained planner: nothing that it says is sensible, so that only the grammar holds it."""
    torch.manual_seed(0)
    tokenizer = small_tokenizer(chat)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.5,
    )
    return Planner(LlamaForCausalLM(config), tokenizer)


def small_agent(body: str = "humanoid", planner: Planner | None = None) -> MotorAgent:
    """An untrained agent of a robot."""
    config = GoalDecisionTransformerConfig(bodies=[body], hidden_size=16, n_layer=1, n_head=2)
    policy = MotorPolicy(MotorPolicyConfig(widths=[8], body=body))
    return MotorAgent([policy], GoalDecisionTransformer(config).eval(), planner or small_planner())


def write_base(folder: Path) -> Path:
    """The folder of a causal LM like SmolLM2, very small and untrained."""
    planner = small_planner()
    planner.model.save_pretrained(folder)
    planner.tokenizer.save_pretrained(folder)
    return folder


def with_adapter(planner: Planner, base_model: str = "") -> Planner:
    """The planner with an adapter attached that changes what it says."""
    adapter = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(planner.model, adapter)
    return Planner(model, planner.tokenizer, base_model=base_model)


def write_dataset(folder):
    """Episodes with a new goal in the middle; in every fourth the body is slower, in every eighth it falls."""
    rng = np.random.default_rng(0)
    count = EPISODES * STEPS
    goals = [Goal(*map(float, command)).on_grid().command for command in sample_commands(rng, 2 * EPISODES, BODY)]
    commands = np.repeat(np.array(goals, dtype=np.float32), STEPS // 2, axis=0)
    tasks = schema.occurring(commands)
    episode = np.arange(count) // STEPS
    observations = rng.normal(0, 0.02, (count, 45)).astype(np.float32)
    observations[:, :5] = 1.3, 1, 0, 0, 0
    velocity = commands[:, :3] * np.where(episode % 4 == 3, 0.6, 1.0)[:, None]
    observations[:, [22, 23, 27]] += velocity
    frame = np.arange(count) % STEPS
    done = frame == STEPS - 1
    fell = done & (episode % 8 == 1)
    shard = {
        "observation.state": observations,
        "action": np.zeros((count, 17)),
        "teacher.action": np.zeros((count, 17)),
        "goal.command": commands,
        "next.reward": np.zeros(count),
        "next.done": done,
        "next.terminated": fell,
        "next.truncated": done & ~fell,
        "timestamp": frame * 0.015,
        "frame_index": frame,
        "episode_index": episode,
        "index": np.arange(count),
        "task_index": schema.task_indices(commands, tasks),
    }
    path = folder / schema.DATA_PATH.format(**schema.file_indices(0))
    path.parent.mkdir(parents=True)
    schema.write_shard(path, shard, BODY)
    path = folder / schema.EPISODES_PATH.format(**schema.file_indices(0))
    path.parent.mkdir(parents=True)
    starts = np.arange(EPISODES) * STEPS
    episodes = {"episode_index": np.arange(EPISODES), "length": np.full(EPISODES, STEPS)}
    bounds = {"dataset_from_index": starts, "dataset_to_index": starts + STEPS}
    parquet.write_table(pa.table(episodes | bounds), path)
    schema.write_tasks(folder, tasks)
    info = {"body": BODY.name, "goal_version": GOAL_VERSION, "total_frames": count, "total_episodes": EPISODES}
    runs.write_json(folder / "meta" / "info.json", info)


def open_steps(*folders: Path) -> Steps:
    """The steps of datasets of one body."""
    (steps,) = open_bodies(*folders).values()
    return steps

"""The whole chain through a Hub, each stage a process with a cache of its own, while things go wrong on the way."""

import json
import os
import subprocess
import sys

import hub_server
import numpy as np
import pytest
from conftest import run_script
from hub_server import TOKEN, Fault
from huggingface_hub import DatasetCard, ModelCard

PPO = [
    *("--num_envs", "4", "--num_threads", "1", "--rollout_steps", "16", "--total_steps", "64"),
    *("--minibatch_size", "32", "--epochs", "1", "--widths", "16,8"),
]
DATASET = ["--num_envs", "4", "--num_threads", "1", "--shard_steps", "60", "--num_steps", "240"]
TRANSFORMER = [
    *("--hidden_size", "16", "--n_layer", "1", "--n_head", "2", "--context_length", "4", "--updates", "2"),
    *("--batch_size", "4", "--evaluation_episodes", "1"),
]
LANGUAGE = [
    *("--hidden_size", "64", "--num_hidden_layers", "1", "--vocab_size", "600", "--base_examples", "32"),
    *("--train_examples", "16", "--per_device_train_batch_size", "16", "--eval_examples", "5", "--lora_rank", "2"),
]
ACT = """
import json, sys
import numpy as np
from agent import Goal, MotorAgent

agent = MotorAgent.from_pretrained(sys.argv[1])
agent.prompt(Goal(1.0, 0.0, 0.4))
observations = np.random.default_rng(0).normal(size=(5, 45)).astype(np.float32)
actions = [agent.act(observation).tolist() for observation in observations]
print(json.dumps([actions, agent.parse("walk forward for 2 seconds").to_dict()]))
"""
OPEN = """
import sys
from datasets import load_dataset

rows = load_dataset(sys.argv[1], split="train", revision=sys.argv[2])
streamed = next(iter(load_dataset(sys.argv[1], split="train", revision=sys.argv[2], streaming=True)))
assert streamed == rows[0] and "agent" not in sys.modules
print(len(rows), len(streamed["observation.state"]))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The Hub after all stages have pushed, the first one into private repos, and the folder of their runs."""
    folder = tmp_path_factory.mktemp("chain")
    with hub_server.serving() as hub:

        def stage(name: str, script: str, *flags: str) -> str:
            """Run a stage, which publishes me/NAME as release v1; the name and commit of that."""
            pushed = ("--push_to_hub", f"me/{name}", "--tag", "v1", "--output_dir", str(folder / name))
            environment = hub.environment(folder / f"home of {name}")
            done = run_script(script, *flags, *pushed, **environment)
            assert done.returncode == 0 and "published: " in done.stderr, done.stderr
            kind = "datasets" if name == "rollouts" else "models"
            return f"me/{name}@{hub.repo(f'me/{name}', kind).branches['main']}"

        blind = stage("blind", "pretrain_ppo.py", *PPO, "--goal_conditioned", "false", "--private")
        hub.faults += [Fault("GET", "/api/models/me/blind", 500), Fault("POST", "/commit/", 500)]
        policy = stage("policy", "pretrain_ppo.py", *PPO, "--init_from", blind, "--report_to", "none")
        hub.faults += [Fault("HEAD", "model.safetensors", "etag"), Fault("PUT", "/lfs/", "cut")]
        rollouts = stage("rollouts", "collect_dataset.py", *DATASET, "--policy", policy)
        hub.faults += [Fault("GET", "file-000.parquet", "cut"), Fault("POST", "/api/repos/create", 429)]
        transformer = stage("dt", "train_decision_transformer.py", *TRANSFORMER, "--dataset", rollouts)
        parts = ("--agent_dir", str(folder / "assembled"), "--policy", policy, "--decision_transformer", transformer)
        hub.faults += [Fault("GET", "config.json", "lost"), Fault("POST", "/commit/", "lost")]
        stage("agent", "finetune_llm.py", *LANGUAGE, *parts, "--report_to", "none")
        assert not any(fault.times for fault in hub.faults)
        hub.folder = folder
        yield hub


def test_a_new_process_loads_the_agent_by_name_and_acts_as_the_one_that_was_pushed(chain):
    here, there = (
        run_script("-c", ACT, name, **chain.environment(chain.folder / "a new home"))
        for name in (chain.folder / "assembled", "me/agent@v1")
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.stdout and np.abs(json.loads(there.stdout)[0]).max() > 0


def test_every_stage_records_the_commits_that_it_was_made_from(chain):
    commits = {name: f"{name}@{repo.tags['v1']}" for (_, name), repo in chain.repos.items()}
    for name, kind, upstream in (
        ("me/policy", "models", {"init_from": commits["me/blind"]}),
        ("me/rollouts", "datasets", {"policy": commits["me/policy"]}),
        ("me/dt", "models", {"dataset": commits["me/rollouts"]}),
        ("me/agent", "models", {"policy": commits["me/policy"], "decision_transformer": commits["me/dt"]}),
    ):
        recorded = json.loads(chain.files(name, kind)["provenance.json"])["upstream"]
        assert len(recorded.pop("policy_sha256", "0" * 64)) == 64
        assert recorded == upstream


def test_each_publish_is_one_commit_and_private_where_asked(chain):
    for (_, name), repo in chain.repos.items():
        assert repo.messages == ["initial commit", "Publish v1"]
        assert repo.private == (name == "me/blind")


def test_every_card_is_valid_and_says_how_to_use_and_reproduce_it(chain):
    for kind, name in chain.repos:
        text = chain.files(name, kind)["README.md"].decode()
        card = (DatasetCard if kind == "datasets" else ModelCard)(text)
        assert card.data.license == "apache-2.0"
        for part in ("## Use", "## Results", "## Reproduce", "## Limits", "## License", name, "--tag v1", "Seed 0"):
            assert part in card.text, (name, part)
        if kind == "datasets":
            assert card.data.configs and card.data.task_categories and "`goal.command`" in card.text
        else:
            assert card.data.eval_results and card.data.model_name == name


def test_nothing_that_is_published_names_the_token_or_a_place_of_this_machine(chain):
    secrets = [TOKEN, str(chain.folder), os.path.expanduser("~") + "/", os.getcwd()]
    for kind, name in chain.repos:
        for path, content in chain.files(name, kind).items():
            assert not [secret for secret in secrets if secret.encode() in content], (name, path)
            assert not path.endswith((".bin", ".pkl", ".pt")) and "tfevents" not in path


def test_the_dataset_opens_in_a_process_that_has_never_heard_of_this_code(chain, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OPEN, "me/rollouts", "v1"],
        cwd=tmp_path,
        env=os.environ | chain.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["240", "45"], done.stderr

"""The whole chain through a Hub, each stage with caches of its own, while things go wrong on the way."""

import importlib
import io
import json
import os
import re
import subprocess
import sys

import av
import hub_server
import numpy as np
import pytest
from conftest import contents, run_script, use_hub
from hub_server import TOKEN, Fault
from huggingface_hub import DatasetCard, ModelCard
from samples import write_base

import play
from agent import Goal, MotorAgent
from agent.artefacts import arguments

pytestmark = pytest.mark.slow
SECRET = "nobody's business"
PPO = [
    *("--num_envs", "4", "--num_threads", "1", "--rollout_steps", "16", "--total_steps", "64"),
    *("--minibatch_size", "32", "--epochs", "1", "--widths", "16", "8"),
]
DATASET = ["--num_envs", "4", "--num_threads", "1", "--shard_steps", "60", "--num_steps", "240"]
TRANSFORMER = [
    *("--hidden_size", "16", "--n_layer", "1", "--n_head", "2", "--context_length", "4", "--updates", "2"),
    *("--batch_size", "4", "--evaluation_episodes", "1"),
]
LANGUAGE = [
    *("--dtype", "float32", "--written_epochs", "0", "--generated_examples", "16", "--lora_rank", "2"),
    *("--per_device_train_batch_size", "8", "--eval_examples", "2"),
]
BASE = "them/base"  # a repo with the base language model, which the stages did not push
ACT = """
import json, sys
import numpy as np
from agent import Goal, MotorAgent

agent = MotorAgent.from_pretrained(sys.argv[1])
agent.prompt(Goal(1.0, 0.0, 0.4))
observations = np.random.default_rng(0).normal(size=(5, 45)).astype(np.float32)
print(json.dumps([agent.act(observation).tolist() for observation in observations]))
print(json.dumps(agent.parse("walk forward for 2 seconds").to_dict()))
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
    """The Hub after all stages have pushed, the first one into a private repo, and the folder of their runs.

    A stage is what its script does from the arguments to the exit, in this process, which knows the Hub alone.
    """
    folder = tmp_path_factory.mktemp("chain")
    with hub_server.serving() as hub:
        hub.folder, hub.said = folder, {}

        def stage(name: str, script: str, *flags: str) -> str:
            """Run a stage, which publishes me/NAME as release v1; the name and commit of that."""
            pushed = ("--push_to_hub", f"me/{name}", "--tag", "v1", "--output_dir", str(folder / name))
            stage, said = importlib.import_module(script), io.StringIO()
            with pytest.MonkeyPatch.context() as patch:
                use_hub(hub, folder / f"home of {name}", patch)
                patch.setenv("SECRET_OF_THE_USER", SECRET)
                patch.setattr(sys, "argv", [f"{script}.py", *flags, *pushed])
                patch.setattr(sys, "stdout", said)
                patch.setattr(sys, "stderr", said)
                with pytest.raises(SystemExit) as exited:
                    arguments.run(stage.main, stage.Arguments)
            hub.said[name] = said.getvalue()
            assert exited.value.code == 0 and "published: " in hub.said[name], hub.said[name]
            kind = "datasets" if name == "rollouts" else "models"
            return f"me/{name}@{hub.repo(f'me/{name}', kind).branches['main']}"

        blind = stage("blind", "pretrain_ppo", *PPO, "--goal_conditioned", "false", "--private")
        hub.faults += [Fault("GET", "/api/models/me/blind", 500), Fault("POST", "/commit/", 409)]
        policy = stage("policy", "pretrain_ppo", *PPO, "--init_from", blind, "--report_to", "none")
        hub.faults += [Fault("HEAD", "model.safetensors", "etag"), Fault("PUT", "/lfs/", "cut")]
        rollouts = stage("rollouts", "collect_dataset", *DATASET, "--policy", policy)
        hub.faults += [Fault("GET", "file-000.parquet", "cut"), Fault("POST", "/api/repos/create", 429)]
        transformer = stage("dt", "train_decision_transformer", *TRANSFORMER, "--dataset", rollouts)
        hub.add(BASE, contents(write_base(folder / "base")))
        parts = ("--agent_dir", str(folder / "assembled"), "--policy", policy, "--decision_transformer", transformer)
        hub.faults += [Fault("GET", "model.safetensors", "truncated"), Fault("POST", "/commit/", "lost")]
        stage("agent", "finetune_llm", *LANGUAGE, "--base_model", BASE, *parts, "--report_to", "none")
        assert not any(fault.times for fault in hub.faults)
        yield hub


def published(chain):
    """Kind, name and repo of what the stages have pushed."""
    return [(kind, name, repo) for (kind, name), repo in chain.repos.items() if name != BASE]


def test_a_new_process_loads_the_agent_by_name_and_acts_as_the_one_that_was_pushed(chain, tmp_path, monkeypatch):
    there = run_script("-c", ACT, "me/agent@v1", **chain.environment(chain.folder / "a new home"))
    assert there.returncode == 0, there.stderr
    actions, program = map(json.loads, there.stdout.splitlines())
    use_hub(chain, tmp_path, monkeypatch)  # which has the base model
    here = MotorAgent.from_pretrained(chain.folder / "assembled")
    here.prompt(Goal(1.0, 0.0, 0.4))
    observations = np.random.default_rng(0).normal(size=(5, 45)).astype(np.float32)
    assert actions == [here.act(observation).tolist() for observation in observations] and np.abs(actions).max() > 0
    assert program == here.parse("walk forward for 2 seconds").to_dict()


def test_a_sentence_is_read_by_the_agent_of_a_name_and_a_revision(chain, tmp_path, monkeypatch, capsys):
    use_hub(chain, tmp_path, monkeypatch)
    flags = ["--agent", "me/agent@v1", "--parse_only", "--instruction", "walk forward for 2 seconds"]
    play.main(arguments.parse_arguments(play.Arguments, flags))
    assert json.loads(capsys.readouterr().out)["text"] == "walk forward for 2 seconds"


@pytest.mark.parametrize(("fault", "said"), [(404, "404"), (401, "401: .*hf auth login")])
def test_a_stage_whose_upstream_is_not_there_ends_in_one_line(chain, fault, said, tmp_path, monkeypatch, refusal):
    use_hub(chain, tmp_path / "home", monkeypatch)
    chain.faults.append(Fault("GET", "/api/models/me/policy", fault))
    line = refusal("collect_dataset", *DATASET, "--policy", "me/policy@v1", "--output_dir", tmp_path / "out")
    assert re.search(rf"me/policy@v1 is neither a folder nor a Hub repo that can be loaded \({said}", line)
    assert not (tmp_path / "out").exists()


def test_every_stage_records_the_commits_that_it_was_made_from(chain):
    commits = {name: f"{name}@{repo.tags['v1']}" for _, name, repo in published(chain)}
    base = f"{BASE}@{chain.repo(BASE).branches['main']}"
    parts = {"policy": commits["me/policy"], "decision_transformer": commits["me/dt"]}
    for name, kind, upstream in (
        ("me/policy", "models", {"init_from": commits["me/blind"]}),
        ("me/rollouts", "datasets", {"policy": commits["me/policy"]}),
        ("me/dt", "models", {"dataset": commits["me/rollouts"]}),
        ("me/agent", "models", parts | {"base_model": base}),
    ):
        recorded = json.loads(chain.files(name, kind)["provenance.json"])["upstream"]
        for hashed in ("policy_sha256", "dataset_sha256", "base_model_sha256"):
            assert len(recorded.pop(hashed, "0" * 64)) == 64
        assert recorded == upstream


def test_each_publish_is_one_commit_and_private_where_asked(chain):
    for _, name, repo in published(chain):
        assert repo.messages == ["initial commit", "Publish v1"]
        assert repo.private == (name == "me/blind")


def test_every_card_is_valid_and_says_how_to_use_and_reproduce_it(chain, tmp_path, monkeypatch):
    use_hub(chain, tmp_path, monkeypatch)  # which validates cards, too
    for kind, name, _ in published(chain):
        text = chain.files(name, kind)["README.md"].decode()
        card = (DatasetCard if kind == "datasets" else ModelCard)(text)
        card.validate()
        assert card.data.license == "apache-2.0"
        for part in ("## Use", "## Results", "## Reproduce", "## Limits", "## License", name, "--tag v1", "Seed 0"):
            assert part in card.text, (name, part)
        if kind == "datasets":
            assert card.data.configs and card.data.task_categories and "`goal.command`" in card.text
        else:
            assert card.data.eval_results and card.data.model_name == name


def test_every_artefact_shows_itself_in_a_video(chain):
    for kind, name, _ in published(chain):
        files = chain.files(name, kind)
        assert "replay.mp4" in files["README.md"].decode()
        with av.open(io.BytesIO(files["replay.mp4"])) as container:
            assert sum(1 for _ in container.decode(video=0)) > 10


def test_nothing_that_is_published_or_said_names_the_token_a_place_or_the_environment(chain):
    secrets = [TOKEN, SECRET, str(chain.folder), os.path.expanduser("~") + "/", os.getcwd()]
    for kind, name, _ in published(chain):
        for path, content in chain.files(name, kind).items():
            assert not [secret for secret in secrets if secret.encode() in content], (name, path)
            assert not path.endswith((".bin", ".pkl", ".pt")) and "tfevents" not in path
    for log in (*chain.said.values(), *(path.read_text() for path in chain.folder.rglob("metrics.jsonl"))):
        assert TOKEN not in log and SECRET not in log


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

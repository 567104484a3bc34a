"""Two processes without a GPU, as `accelerate launch` starts them; for the transformer see its own tests."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from conftest import run_script
from safetensors.torch import load_file
from samples import write_base
from test_chain import DATASET, LANGUAGE, PPO

import collect_dataset
from agent.artefacts.arguments import parse_arguments
from agent.data import schema
from agent.language.base_model import ADAPTER_WEIGHTS
from agent.language.planner import Planner
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

QUIET = ("--report_to", "none")
TEXTS = ["walk forward for 2 seconds, then turn left", "jump"]
# Script -> flags without which it has nothing to do.
SCRIPTS = {
    "pretrain_ppo": [],
    "collect_dataset": ["--policy", "nowhere"],
    "train_decision_transformer": ["--dataset", "nowhere"],
    "finetune_llm": [],
}


def launch(*command, config="two_cpu", **environment):
    launcher = ["-m", "accelerate.commands.launch", "--config_file", f"configs/accelerate/{config}.yaml"]
    done = run_script(*launcher, *command, "--num_processes", "2", **environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_machines_train_a_policy_on_the_bodies_of_both(tmp_path):
    """Each starts its own launcher, with its rank and the address of the first; here both are this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def machine(rank: str) -> None:
        place = ("--machine_rank", rank, "--main_process_ip", "127.0.0.1", "--main_process_port", port)
        flags = (*place, "--num_processes", "2", "--mixed_precision", "no")
        script = ("pretrain_ppo.py", *PPO, *QUIET, "--output_dir", tmp_path)
        launch(*flags, *script, config="multi_node", ACCELERATE_USE_CPU="true")

    with ThreadPoolExecutor() as machines:
        list(machines.map(machine, "01"))
    MotorPolicy.from_pretrained(tmp_path)
    assert {path.name for path in (tmp_path / "checkpoint").glob("process_*")} == {
        "process_0.safetensors",
        "process_1.safetensors",
    }
    first, second = (load_file(tmp_path / "checkpoint" / f"process_{rank}.safetensors") for rank in (0, 1))
    assert not torch.equal(first["envs.physics"], second["envs.physics"]), "each has bodies of its own"
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["step"] == 2 * 4 * 16, "a rollout is that of both"
    card = (tmp_path / "README.md").read_text()
    assert "accelerate launch pretrain_ppo.py" in card and "Seed 0; 2 processes;" in card


@pytest.mark.slow
def test_two_processes_collect_what_one_does(tmp_path):
    policy, one, two = (tmp_path / name for name in ("policy", "one", "two"))
    MotorPolicy(MotorPolicyConfig(widths=[16, 8])).save_pretrained(policy)
    flags = (*DATASET, "--policy", str(policy), "--num_steps", "480", "--output_dir")
    collect_dataset.main(parse_arguments(collect_dataset.Arguments, [*flags, str(one)]))
    launch("collect_dataset.py", *flags, two, ACCELERATE_USE_CPU="true")
    schema.validate(two)
    (alone, alone_two), (first, second) = schema.read_shards(one), schema.read_shards(two)
    for name in alone:
        np.testing.assert_array_equal(first[name], alone[name], err_msg=name)
        np.testing.assert_array_equal(second[name], alone_two[name], err_msg=name)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a base language model."""
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def planner(base, tmp_path_factory):
    """The folder of a planner that two processes trained."""
    folder = tmp_path_factory.mktemp("planner")
    flags = ("--base_model", base, *LANGUAGE, *QUIET, "--output_dir", folder)
    launch("finetune_llm.py", *flags, ACCELERATE_USE_CPU="true")
    return folder


@pytest.mark.slow
def test_two_processes_train_a_planner(planner):
    assert len(Planner.from_pretrained(planner).parse_batch(TEXTS)) == len(TEXTS)


@pytest.mark.slow
def test_two_processes_train_a_planner_in_shards_to_the_same_weights(base, planner, tmp_path):
    flags = ("--mixed_precision", "no", "--num_processes", "2", "--module", "tests.fsdp_on_cpu")
    launch(*flags, "--base_model", base, *LANGUAGE, *QUIET, "--output_dir", tmp_path, config="fsdp")
    assert len(Planner.from_pretrained(tmp_path).parse_batch(TEXTS)) == len(TEXTS)
    whole, sharded = (load_file(folder / ADAPTER_WEIGHTS) for folder in (planner, tmp_path))
    assert whole.keys() == sharded.keys()
    for name, value in whole.items():
        torch.testing.assert_close(sharded[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_launcher_that_starts_too_few_is_found_out(script, tmp_path, refusal, monkeypatch):
    flags = (*SCRIPTS[script], "--output_dir", tmp_path)
    assert "num_processes=2, but 1 started" in refusal(script, *flags, "--num_processes", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "num_processes=2, but 1 started" in refusal(script, *flags)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_model_that_cannot_be_in_shards_is_not_silently_kept_whole(script, tmp_path, refusal, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert "FSDP is for finetune_llm.py on GPUs" in refusal(script, *SCRIPTS[script], "--output_dir", tmp_path)


@pytest.mark.slow
def test_the_launcher_that_starts_one_process_silently_is_found_out(tmp_path):
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    done = run_script(*launcher, "pretrain_ppo.py", *PPO, *QUIET, "--output_dir", tmp_path)
    assert "pretrain_ppo.py: the launcher was asked for several processes and started one" in done.stderr
    assert done.returncode and not list(tmp_path.iterdir())

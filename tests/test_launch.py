"""Two processes without a GPU, as `accelerate launch` starts them; for the transformer see its own tests."""

import json

import pytest
from conftest import run_script
from test_chain import LANGUAGE, PPO

from agent.motor_policy import MotorPolicy
from agent.planner import Planner

LAUNCH = ["-m", "accelerate.commands.launch", "--config_file", "configs/accelerate/two_cpu.yaml"]


def launch(*command):
    done = run_script(*LAUNCH, *command, "--num_processes", "2", "--report_to", "none", ACCELERATE_USE_CPU="true")
    assert done.returncode == 0, done.stderr


def test_two_processes_train_a_policy_on_the_bodies_of_both(tmp_path):
    launch("pretrain_ppo.py", *PPO, "--output_dir", tmp_path)
    MotorPolicy.from_pretrained(tmp_path)
    assert {path.name for path in (tmp_path / "checkpoint").glob("process_*")} == {
        "process_0.safetensors",
        "process_1.safetensors",
    }
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["step"] == 2 * 4 * 16, "a rollout is that of both"


def test_two_processes_train_a_planner(tmp_path):
    launch("finetune_llm.py", *LANGUAGE, "--output_dir", tmp_path)
    assert len(Planner.from_pretrained(tmp_path).parse_batch(["turn left", "jump"])) == 2


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("pretrain_ppo.py", []),
        ("train_decision_transformer.py", ["--dataset", "nowhere"]),
        ("finetune_llm.py", []),
    ],
)
def test_a_launcher_that_starts_too_few_is_found_out(script, flags, tmp_path):
    done = run_script(script, *flags, "--num_processes", "2", "--output_dir", tmp_path)
    assert done.returncode == 2
    assert "num_processes=2 should work on this, 1 do" in done.stderr.splitlines()[-1]

"""The four stages, tiny, as processes that start in a fraction of a second: the libraries are imported once."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pyarrow import parquet
from safetensors.torch import load_file
from samples import write_base

import finetune_llm
from agent.artefacts import arguments, runs
from agent.artefacts.callbacks import checkpoint_step, last_checkpoint
from agent.language.base_model import ADAPTER_WEIGHTS
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

SCRIPTS = ["pretrain_ppo", "collect_dataset", "train_decision_transformer", "finetune_llm"]
SHARD_ROWS = 4 * 30
FLAGS = {
    "pretrain_ppo": {
        **{"num_envs": 4, "num_threads": 1, "rollout_steps": 16, "minibatch_size": 32, "epochs": 1},
        **{"widths": [16, 8], "total_steps": 64 * 30, "checkpoint_every": 2, "evaluate_every": 15},
        **{"report_to": "none"},
    },
    "collect_dataset": {"num_envs": 4, "num_threads": 1, "shard_steps": 30, "num_steps": 30 * SHARD_ROWS},
    "train_decision_transformer": {
        **{"context_length": 4, "hidden_size": 16, "n_layer": 1, "n_head": 2, "updates": 40, "batch_size": 8},
        **{"warmup_updates": 2, "log_every": 1, "evaluate_every": 20, "evaluation_episodes": 1},
        **{"checkpoint_every": 2, "report_to": "none"},
    },
    "finetune_llm": {
        **{"dtype": "float32", "written_epochs": 0, "generated_examples": 64, "per_device_train_batch_size": 8},
        **{"eval_examples": 2, "eval_steps": 100, "save_steps": 1, "report_to": "none", "lora_rank": 2},
    },
}


def work(script: str, words: list[str], log: str, cache: str, before: Callable[[], None] | None) -> None:
    """Be the script, as a user calls it, with short evaluations and films and no curves; in a process of its own."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    torch.set_num_threads(1)
    module = importlib.import_module(script)
    for place in (module, importlib.import_module("agent.evaluation.suites")):
        for name, value in {"COMMANDS": ((0.0, 0.0, 0.0),), "FILM_SECONDS": 0.06}.items():
            if hasattr(place, name):
                setattr(place, name, value)
    runs.Metrics.draw = lambda metrics: None
    importlib.import_module("agent.data.windows").HF_DATASETS_CACHE = Path(cache)
    sys.argv = [f"{script}.py", *words]
    if before:
        before()
    arguments.run(module.main, module.Arguments)


def as_words(flags: dict) -> list[str]:
    """Flags as they are typed in a shell."""
    return [
        str(word)
        for name, value in flags.items()
        for word in (f"--{name}", *(value if isinstance(value, list) else [value]))
    ]


@dataclass(frozen=True)
class Stage:
    """One script with its flags, and what it reads, in a folder of the torture."""

    script: str
    home: Path

    def flags(self, folder: Path, **changes) -> list[str]:
        sources = {
            "collect_dataset": {"policy": self.home / "policy"},
            "train_decision_transformer": {"dataset": self.home / "dataset"},
            "finetune_llm": {"base_model": self.home / "base"},
        }
        return as_words(FLAGS[self.script] | sources.get(self.script, {}) | {"output_dir": folder} | changes)

    def start(self, folder: Path, before: Callable[[], None] | None = None, **changes):
        """Start the stage, or go on with it where there is something to go on from."""
        if self.begun(folder):
            changes = {"resume": True} | changes
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*SCRIPTS, __name__])
        words = self.flags(folder, **changes)
        process = context.Process(
            target=work, args=(self.script, words, str(self.log(folder)), str(self.home / "cache"), before)
        )
        process.start()
        return process

    def run(self, folder: Path, before: Callable[[], None] | None = None, **changes) -> tuple[int, str]:
        """Run it to its end; its exit code and the last line that it says."""
        process = self.start(folder, before, **changes)
        process.join()
        return process.exitcode, (self.log(folder).read_text().strip().splitlines() or [""])[-1]

    def log(self, folder: Path) -> Path:
        return folder.with_name(f"{folder.name}.log")

    def begun(self, folder: Path) -> bool:
        if self.script == "finetune_llm":
            return (folder / runs.PROVENANCE).exists()
        if self.script == "collect_dataset":
            return folder.exists()
        return runs.newest(folder / "checkpoint") is not None

    def writes(self, folder: Path) -> bool:
        """Whether it is in the middle of writing a checkpoint or a shard."""
        if self.script == "finetune_llm":
            begun = (folder / finetune_llm.CHECKPOINTS).glob("checkpoint-*")
            return any(not (path / runs.MANIFEST).exists() for path in begun)
        if self.script == "collect_dataset":
            return any(folder.glob("data/*/.*.new")) or any(folder.glob("meta/*/*/.*.new"))
        return any((folder / name).exists() for name in (".checkpoint.new", ".new"))

    def progress(self, folder: Path) -> int:
        """How far what lies there has come, after a look at whether it loads.

        Raises:
            ValueError: something of it does not load.
        """
        if self.script == "collect_dataset":
            runs.check(folder)
            shards = sorted(folder.glob("data/*/file-*.parquet"))
            assert all(parquet.read_table(shard).num_rows == SHARD_ROWS for shard in shards), "a shard is not whole"
            return len(shards)
        if self.script == "finetune_llm":
            if (folder / "summary.json").exists():
                Planner.from_pretrained(folder)
            checkpoint = last_checkpoint(folder / finetune_llm.CHECKPOINTS)
            if checkpoint is None:
                return 0
            load_file(checkpoint / ADAPTER_WEIGHTS)
            return checkpoint_step(checkpoint)
        if (folder / "model.safetensors").exists():
            {"pretrain_ppo": MotorPolicy}.get(self.script, GoalDecisionTransformer).from_pretrained(folder)
        checkpoint = runs.newest(folder / "checkpoint")
        if checkpoint is None:
            return 0
        for path in checkpoint.rglob("*.safetensors"):
            load_file(path)
        return runs.read_json(checkpoint / "progress.json")["update"]

    def result(self, folder: Path) -> dict[str, str]:
        """Hashes of what a finished run has made, apart from times."""
        names = {
            "pretrain_ppo": ("model.safetensors", "checkpoint/*.safetensors"),
            "collect_dataset": ("data/*/*.parquet", "meta/**/*.parquet", "meta/*.json"),
            "train_decision_transformer": ("model.safetensors", "checkpoint/models.safetensors"),
            "finetune_llm": (ADAPTER_WEIGHTS, "planner.json"),
        }[self.script]
        found = {path for name in names for path in folder.glob(name)}
        return {path.relative_to(folder).as_posix(): runs.digest(path) for path in sorted(found)}


def prepare(home: Path) -> list[Stage]:
    """The stages, with what they read made once in `home`."""
    stages = [Stage(script, home) for script in SCRIPTS]
    if not (home / "policy").exists():
        torch.manual_seed(0)
        MotorPolicy(MotorPolicyConfig(widths=[16, 8])).save_pretrained(home / "policy")
        write_base(home / "base")
        code, line = stages[1].run(home / "dataset", num_steps=2 * SHARD_ROWS)
        assert code == 0, line
    return stages


@contextlib.contextmanager
def ended(process) -> Iterator[None]:
    """Whatever happens inside, the process is gone afterwards."""
    try:
        yield
    finally:
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()


def wait(process, seconds: float, moment: Callable[[], bool] = lambda: False) -> None:
    """Until the moment comes, the time is over, or the process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.exitcode is None and not moment():
        time.sleep(0.0005)

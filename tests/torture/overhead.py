"""The cost of checkpoints: the time to write one, as a share of the time between two of them."""

import time
from pathlib import Path

import pytest

import pretrain_ppo
import train_decision_transformer
from agent.artefacts import checkpoints
from agent.artefacts.arguments import parse_arguments
from agent.evaluation import suites
from torture import Tally
from torture.files import ROOT
from torture.stages import prepare

MOST = 0.02


def overhead(tally: Tally, home: Path) -> None:
    """One checkpoint of the configured policy and transformer, and the mean update before it."""
    prepare(home)
    sizes = {"num_threads": "1", "num_envs": "32", "total_steps": str(3 * 32 * 32)} if not tally.full else {}
    ppo = {"total_steps": str(12 * 256 * 32), "evaluate_every": "100000"} | sizes
    transformer = {
        "updates": "30" if tally.full else "3",
        "evaluate_every": "100000",
        "dataset": str(home / "dataset"),
    }
    for module, config, flags in (
        (pretrain_ppo, "ppo/humanoid.yaml", ppo),
        (train_decision_transformer, "decision_transformer/humanoid.yaml", transformer),
    ):
        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        words += ["--config", str(ROOT / "configs" / config), "--report_to", "none"]
        args = parse_arguments(module.Arguments, [*words, "--output_dir", str(home / module.__name__)])
        seconds = measure(module, args)
        share = seconds["checkpoint"] / (seconds["update"] * args.checkpoint_every)
        tally.expect(
            share <= MOST or not tally.full, f"{module.__name__}: {share:.2%} of the time goes into checkpoints"
        )
        tally.notes.append(f"{module.__name__} {share:.2%} ({seconds['checkpoint'] * 1e3:.0f} ms)")


def measure(module, args) -> dict[str, float]:
    """Seconds of a checkpoint and of an update, in a run in which nothing is evaluated."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        save = checkpoints.save

        def timed(*arguments) -> None:
            begin = time.perf_counter()
            save(*arguments)
            found["checkpoint"] = time.perf_counter() - begin
            progress = arguments[-1]
            found["update"] = progress["seconds"] / progress["update"]

        patch.setattr(checkpoints, "save", timed)
        for place in (suites, train_decision_transformer):
            patch.setattr(place, "COMMANDS", suites.COMMANDS[:1])
        module.main(args)
    return found

"""Ablations of the Decision Transformer: the setting that ships, and the same with one change at a time.

    make ablations POLICY=pretrained/agent/policy/humanoid

Every setting trains on the same number of steps of the same policy for the same number of updates, and is measured in
the same way. Results stay in runs/ablations; a second call continues from there.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from agent.artefacts import cards, hub, runs

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "ablations"
STEPS, UPDATES = 200_000, 1200
# Setting -> its flags, its dataset, and how many seeds.
SETTINGS: dict[str, tuple[str, str, int]] = {
    "baseline": ("", "noisy", 3),
    "MLP": ("--config configs/decision_transformer/mlp.yaml", "noisy", 3),
    "no noise in the data": ("", "clean", 1),
    "context of 1 step": ("--context_length 1", "noisy", 1),
    "context of 5 steps": ("--context_length 5", "noisy", 1),
    "goal added to the states": ("--goal_prompt state", "noisy", 1),
    "return-to-go": ("--return_horizon 60", "noisy", 1),
}
NOISE = {"noisy": "0 0.1 0.2 0.4", "clean": "0"}
SUITES = {"commands": 3, "switches": 20, "shoves": 5}  # and their episodes
COLUMNS = {
    "survival": ("commands", "survival"),
    "velocity error, m/s": ("commands", "velocity_error"),
    "yaw error, rad/s": ("commands", "yaw_error"),
    "falls per minute, switching": ("switches", "falls_per_minute"),
    "goals reached": ("switches", "reached"),
    "shoves survived": ("shoves", "survival"),
}


def main(policy: str) -> None:
    for name, levels in NOISE.items():
        if not (RUNS / name / "summary.json").exists():
            run(
                f"collect_dataset.py --config configs/dataset/humanoid.yaml --policy {policy} --num_steps {STEPS} "
                f"--noise_levels {levels} --output_dir {RUNS / name}"
            )
        collected = runs.read_json(RUNS / name / runs.PROVENANCE)["upstream"]["policy_sha256"]
        if collected != runs.digest(hub.folder(policy) / "model.safetensors"):
            raise SystemExit(f"{RUNS} has ablations of a policy other than {policy}: remove it, or move it away")
    rows = []
    for setting, (flags, dataset, seeds) in SETTINGS.items():
        measured = [measure(setting, flags, dataset, seed) for seed in range(seeds)]
        columns = [[row[column] for row in measured] for column in COLUMNS]
        rows.append([setting, seeds, *(spread(column) for column in columns)])
    print(cards.table([["setting", "seeds", *COLUMNS], *rows]))


def measure(setting: str, flags: str, dataset: str, seed: int) -> dict[str, float | None]:
    """Train one setting with one seed, and measure it."""
    folder = RUNS / f"{setting.replace(' ', '_')}_{seed}"
    if not (folder / "summary.json").exists():
        config = "" if "--config" in flags else "--config configs/decision_transformer/humanoid.yaml"
        run(
            f"train_decision_transformer.py {config} {flags} --dataset {RUNS / dataset} --output_dir {folder} "
            f"--updates {UPDATES} --evaluate_every {UPDATES} --seed {seed} --report_to none"
        )
    actor = "mlp" if setting == "MLP" else "transformer"
    for suite, episodes in SUITES.items():
        if not (folder / f"{suite}.json").exists():
            run(
                f"evaluate.py --agent {folder} --actor {actor} --suite {suite} --episodes {episodes} "
                f"--json {folder / suite}.json"
            )
    found = {suite: json.loads((folder / f"{suite}.json").read_text()) for suite in SUITES}
    return {column: found[suite].get("mean", found[suite])[name] for column, (suite, name) in COLUMNS.items()}


def spread(values: list[float | None]) -> str:
    """The value of one seed, or the mean and the range of several; a body that falls at once has no error."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return cards.cell(known[0] if known else None)
    return f"{np.mean(known):.3f} ({min(known):.3f} to {max(known):.3f})"


def run(command: str) -> None:
    subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

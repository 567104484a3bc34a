"""The benefit of goal-blind pretraining, and the spread of seeds: stage 1 (configs/ppo/blind.yaml) and then stage 2
(configs/ppo/humanoid.yaml, which sees the goals), compared to stage 2 alone, for the same number of steps in total.

    make stages

Draws docs/stages.png. Trained policies stay in runs/stages; a second call continues from there.
"""

import json
import subprocess
import sys
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "stages"
STEPS, BLIND_STEPS = 10_000_000, 2_000_000
# Arm -> its seeds, and its runs in order: folder, config, and steps.
ARMS: dict[str, tuple[range, list[tuple[str, str, int]]]] = {
    "stage 2 alone": (range(2), [("goals", "humanoid", STEPS)]),
    "stage 1, then stage 2": (
        range(4),
        [("blind", "blind", BLIND_STEPS), ("after", "humanoid", STEPS - BLIND_STEPS)],
    ),
}
MEASURES = {"survival": "survival", "velocity_error": "velocity error, m/s", "yaw_error": "yaw error, rad/s"}


def main() -> None:
    figure = Figure(figsize=(12, 3.2), layout="tight")
    axes = figure.subplots(1, len(MEASURES))
    for color, (arm, (seeds, stages)) in enumerate(ARMS.items()):
        for seed in seeds:
            rows = curve(stages, seed)
            print(f"{arm}, seed {seed}", *rows, sep="\n")
            for axis, (measure, title) in zip(axes, MEASURES.items(), strict=True):
                known = [row for row in rows if measure in row]
                steps, values = [row["step"] / 1e6 for row in known], [row[measure] for row in known]
                axis.plot(steps, values, marker=".", color=f"C{color}", label=arm if seed == seeds[0] else None)
                axis.set(title=title, xlabel="million steps")
    axes[0].legend()
    figure.savefig(ROOT / "docs" / "stages.png", dpi=80)


def curve(stages: list[tuple[str, str, int]], seed: int) -> list[dict[str, float]]:
    """Every evaluation on the commands suite on the way, by steps since the first stage began."""
    rows, before, source = [], 0, ""
    for name, config, steps in stages:
        folder = RUNS / f"{name}_{seed}"
        if not (folder / "summary.json").exists():
            start = "--resume" if (folder / "checkpoint").exists() else f"--init_from {source}" if source else ""
            command = (
                f"pretrain_ppo.py --config configs/ppo/{config}.yaml --total_steps {steps} --evaluate_every 100 "
                f"--seed {seed} --report_to none --output_dir {folder} {start}"
            )
            subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True)
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            found = {name: row[f"evaluation/{name}"] for name in MEASURES if f"evaluation/{name}" in row}
            if found:
                rows.append({"step": before + row["step"], **found})
        before, source = before + steps, str(folder)
    return rows


if __name__ == "__main__":
    main()

"""Steps and minutes of training from scratch until a policy follows its commands, over seeds.

    python experiments/from_scratch.py g1 --seeds 3

Each seed trains by the recipe's configurations, one after the other, and stops when an evaluation (commands suite, 2
episodes per command) is within the bars. Evaluations do not count as training. Prints a table of the seeds, and draws
docs/from_scratch_RECIPE.png. Runs stay in runs/from_scratch; a second call continues them. Run it on an idle machine.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "from_scratch"
SURVIVAL = 0.95  # share of the episodes without a fall, at least
UPDATES = 50  # between evaluations
MEASURES = {"survival": "survival", "velocity_error": "velocity error, m/s", "yaw_error": "yaw error, rad/s"}


@dataclass
class Recipe:
    """Configurations in configs/ppo, each with its number of steps, and the velocity error in m/s to reach."""

    stages: dict[str, int]
    velocity_error: float


RECIPES = {
    "humanoid": Recipe({"humanoid": 10_000_000}, velocity_error=0.2),
    "humanoid_blind": Recipe({"blind": 2_000_000, "humanoid": 8_000_000}, velocity_error=0.2),
    "g1": Recipe({"g1": 4_000_000, "g1_commands": 7_000_000}, velocity_error=0.15),
}
Row = dict[str, float]  # of an evaluation: MEASURES, and steps and minutes of training up to it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    recipe = RECIPES[args.recipe]
    curves = [train(args.recipe, recipe, seed) for seed in range(args.seeds)]
    print("| seed | million steps | minutes | survival | velocity error, m/s | yaw error, rad/s | reached |")
    print("|---|---|---|---|---|---|---|")
    for seed, rows in enumerate(curves):
        last, verdict = rows[-1], "yes" if reaches(rows[-1], recipe) else "no"
        measured = f"{last['survival']:.3f} | {last['velocity_error']:.3f} | {last['yaw_error']:.3f}"
        print(f"| {seed} | {last['steps'] / 1e6:.1f} | {last['minutes']:.0f} | {measured} | {verdict} |")
    reached = [rows[-1]["minutes"] for rows in curves if reaches(rows[-1], recipe)]
    median = f", median {statistics.median(reached):.0f} minutes" if reached else ""
    print(f"{len(reached)} of {len(curves)} reach survival {SURVIVAL} and {recipe.velocity_error} m/s{median}")
    draw(args.recipe, recipe, curves)


def train(name: str, recipe: Recipe, seed: int) -> list[Row]:
    """Evaluations of one seed, up to the first one within the bars."""
    rows: list[Row] = []
    steps, minutes, source = 0, 0.0, ""  # of the stages before
    for config, total_steps in recipe.stages.items():
        folder = RUNS / name / f"{seed}_{config}"
        if not reaches_in(folder, recipe) and not (folder / "summary.json").exists():
            start = "--resume" if (folder / "checkpoint").exists() else f"--init_from {source}" if source else ""
            command = (
                f"pretrain_ppo.py --config configs/ppo/{config}.yaml --total_steps {total_steps} --seed {seed} "
                f"--evaluate_every {UPDATES} --report_to none --output_dir {folder} {start}"
            )
            with subprocess.Popen([sys.executable, *command.split()], cwd=ROOT) as process:
                while process.poll() is None and not reaches_in(folder, recipe):
                    time.sleep(5)
                process.send_signal(signal.SIGTERM)
            if process.returncode and not reaches_in(folder, recipe):
                raise SystemExit(f"the training in {folder} stopped: call this again to continue it")
        found = evaluations(folder)
        rows += [{**row, "steps": steps + row["steps"], "minutes": minutes + row["minutes"]} for row in found]
        if reaches_in(folder, recipe):
            break
        steps, minutes, source = int(rows[-1]["steps"]), rows[-1]["minutes"], str(folder)
    return rows


def evaluations(folder: Path) -> list[Row]:
    metrics = folder / "metrics.jsonl"
    rows = map(json.loads, metrics.read_text().splitlines() if metrics.exists() else [])
    return [
        {"steps": row["step"], "minutes": 60 * row["time/hours"]}
        | {name: row[f"evaluation/{name}"] for name in MEASURES}
        for row in rows
        if "evaluation/survival" in row and "time/hours" in row
    ]


def reaches(row: Row, recipe: Recipe) -> bool:
    return row["survival"] >= SURVIVAL and row["velocity_error"] <= recipe.velocity_error


def reaches_in(folder: Path, recipe: Recipe) -> bool:
    return any(reaches(row, recipe) for row in evaluations(folder))


def draw(name: str, recipe: Recipe, curves: list[list[Row]]) -> None:
    figure = Figure(figsize=(12, 3.2), layout="tight")
    bars = {"survival": SURVIVAL, "velocity_error": recipe.velocity_error}
    for axis, (measure, title) in zip(figure.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        for seed, rows in enumerate(curves):
            axis.plot(
                [row["minutes"] for row in rows], [row[measure] for row in rows], marker=".", label=f"seed {seed}"
            )
        if measure in bars:
            axis.axhline(bars[measure], color="gray", linestyle=":")
        axis.set(title=title, xlabel="minutes of training")
    figure.axes[0].legend()
    figure.savefig(ROOT / "docs" / f"from_scratch_{name}.png", dpi=80)


if __name__ == "__main__":
    main()

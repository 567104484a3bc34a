"""Returns on Humanoid's native reward: pretrain_ppo.py and other libraries, on the same cores for the same minutes.

    PYTHONPATH=. python experiments/native_returns.py --minutes 20

Draws docs/native_returns.png: the return of the deterministic policy against minutes of training and against steps,
next to published figures, and prints the last points as a table. Evaluations do not count as training. Runs stay in
runs/native_returns; a second call trains only what is missing. Run it on an idle machine: one run after the other.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import torch
from matplotlib.figure import Figure
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agent.artefacts import runs

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "native_returns"
ENV_ID, EPISODES = "Humanoid-v5", 10
EVALUATIONS = 10  # of each run
UPDATES = 25  # of pretrain_ppo.py between evaluations
# Method (version of Humanoid) -> million steps if stated, return, source.
PUBLISHED: dict[str, tuple[float | None, float, str]] = {
    "SimbaV2 (v4)": (1.0, 10_545, "arXiv 2502.15280"),
    "Simba (v4)": (1.0, 7_654, "arXiv 2410.09754"),
    "BRO (v4)": (1.0, 4_757, "arXiv 2405.16158"),
    "CleanRL SAC (v4)": (1.0, 5_742, "sdpkjc/Humanoid-v4-sac_continuous_action-seed5"),
    "SB3 SAC (v4)": (None, 6_088, "b10401015/sac-Humanoid-v4"),
    "SB3 TD3 (v3)": (None, 5_690, "qgallouedec/td3-Humanoid-v3"),
    "JAT's expert (v4)": (None, 6_281, "arXiv 2402.09844"),
    "Sample-Factory PPO (v4)": (10.0, 5_439, "samplefactory.dev"),
}
LABEL_SPACING = 450  # of returns, between the labels of published points
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="minutes of training for each run")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of pretrain_ppo.py")
    args = parser.parse_args()
    peers: dict[str, Callable[[int], BaseAlgorithm]] = {
        "SB3 SAC": stable_baselines_sac,
        "SB3 PPO, CleanRL's settings": cleanrl_ppo,
    }
    curves: dict[str, list[list[Row]]] = {
        "pretrain_ppo.py": [train(seed, args.minutes) for seed in range(args.seeds)],
        **{name: [train_peer(name, make, args.minutes)] for name, make in peers.items()},
    }
    print("| method | seed | minutes | million steps | return |\n|---|---|---|---|---|")
    for name, seeds in curves.items():
        for seed, rows in enumerate(seeds):
            last = rows[-1]
            print(f"| {name} | {seed} | {last['minutes']:.1f} | {last['steps'] / 1e6:.2f} | {last['return']:,.0f} |")
    draw(curves)


def train(seed: int, minutes: float) -> list[Row]:
    """The curve of pretrain_ppo.py, which is interrupted when its time is up."""
    folder = RUNS / f"pretrain_ppo_{seed}"
    metrics = folder / "metrics.jsonl"
    if not (folder / "summary.json").exists() and trained_hours(metrics) < minutes / 60:
        flags = f"--seed {seed} --evaluate_every {UPDATES} --output_dir {folder} --report_to none"
        flags += " --resume" if (folder / "checkpoint").exists() else ""
        command = [sys.executable, "pretrain_ppo.py", "--config", "configs/ppo/native.yaml", *flags.split()]
        with subprocess.Popen(command, cwd=ROOT) as process:
            while process.poll() is None and trained_hours(metrics) < minutes / 60:
                time.sleep(5)
            process.send_signal(signal.SIGTERM)
    evaluation = "evaluation/native_return"
    rows = [row for row in map(json.loads, metrics.read_text().splitlines()) if evaluation in row]
    if not rows:
        raise SystemExit(f"{folder} was trained for less than {UPDATES} updates: give more --minutes")
    return [
        {"minutes": 60 * row.get("time/hours", 0.0), "steps": row["step"], "return": row[evaluation]} for row in rows
    ]


def trained_hours(metrics: Path) -> float:
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return json.loads(lines[-1]).get("time/hours", 0.0) if lines else 0.0


def stable_baselines_sac(seed: int) -> BaseAlgorithm:
    """With the library's defaults."""
    return SAC("MlpPolicy", gymnasium.make(ENV_ID), seed=seed, device="cpu")


def cleanrl_ppo(seed: int) -> BaseAlgorithm:
    """With the settings of CleanRL's ppo_continuous_action.py, but without the decay of its learning rate, whose end
    would depend on the speed of the machine.
    """
    env = VecNormalize(DummyVecEnv([lambda: gymnasium.make(ENV_ID)]))
    network = {"net_arch": [64, 64], "activation_fn": torch.nn.Tanh}
    return PPO(
        "MlpPolicy", env, n_steps=2048, batch_size=64, n_epochs=10, seed=seed, device="cpu", policy_kwargs=network
    )


def train_peer(name: str, make: Callable[[int], BaseAlgorithm], minutes: float) -> list[Row]:
    """The curve of another library's algorithm over so many minutes, with the first seed."""
    file = RUNS / f"{name}.json"
    if not file.exists():
        model, clock = make(0), Clock(minutes)
        model.learn(10**9, callback=clock)
        runs.write_json(file, {"rows": clock.rows})
    return runs.read_json(file)["rows"]


class Clock(BaseCallback):
    """Evaluates a policy at regular times of its training, and ends the training when its time is up."""

    def __init__(self, minutes: float):
        super().__init__()
        self.minutes, self.rows = minutes, list[Row]()
        self._trained, self._since = 0.0, time.perf_counter()

    def _on_step(self) -> bool:
        trained = self._trained + (time.perf_counter() - self._since) / 60
        if trained < (len(self.rows) + 1) * self.minutes / EVALUATIONS:
            return True
        self._trained = trained
        self.rows.append({"minutes": trained, "steps": self.num_timesteps, "return": self._measure()})
        self._since = time.perf_counter()
        return trained < self.minutes

    def _measure(self) -> float:
        env = DummyVecEnv([lambda: gymnasium.make(ENV_ID)])
        if isinstance(normalized := self.model.get_env(), VecNormalize):
            env = VecNormalize(env, training=False, norm_reward=False)
            env.obs_rms = normalized.obs_rms
        returns, _ = evaluate_policy(self.model, env, EPISODES, warn=False)
        return float(np.mean(returns))


def draw(curves: dict[str, list[list[Row]]]) -> None:
    figure = Figure(figsize=(12, 4.5), layout="tight")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (what, scale, title) in zip(
        axes, (("minutes", 1, "minutes of training on two cores"), ("steps", 1e6, "million steps")), strict=True
    ):
        for color, (name, seeds) in enumerate(curves.items()):
            for seed, rows in enumerate(seeds):
                places = [row[what] / scale for row in rows]
                values = [row["return"] for row in rows]
                axis.plot(places, values, marker=".", color=f"C{color}", label=None if seed else f"{name} (v5)")
        axis.set(xlabel=title)
        axis.grid(alpha=0.3)
    label_at, right = 0.0, 10.5
    axes[1].set_xlim(right=right)
    for name, (steps, value, source) in sorted(PUBLISHED.items(), key=lambda item: item[1][1]):
        if steps is None:
            axes[1].axhline(value, color="gray", linestyle=":", linewidth=0.8)
        else:
            axes[1].plot(steps, value, "k*")
        label_at = max(value, label_at + LABEL_SPACING)
        line = {"arrowstyle": "-", "color": "gray", "linewidth": 0.5}
        text = f" {name}, {source}"
        axes[1].annotate(text, (steps or right, value), (right, label_at), fontsize=7, va="center", arrowprops=line)
    axes[0].set(ylabel=f"return of {EPISODES} episodes, deterministic")
    axes[0].legend()
    figure.savefig(ROOT / "docs" / "native_returns.png", dpi=80)


if __name__ == "__main__":
    main()

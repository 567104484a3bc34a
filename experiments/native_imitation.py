"""How much of its expert's return a Decision Transformer keeps, on a robot's native reward, as in published results.

    python pretrain_ppo.py --config configs/ppo/native.yaml --output_dir runs/native
    PYTHONPATH=. python experiments/native_imitation.py runs/native runs/imitation --seeds 3

Records the policy in Gymnasium's own env with Minari (`pip install "minari[create]"`), trains transformers on the
dataset by train_decision_transformer.py, and measures all of them in that env. JAT (arXiv 2402.09844) publishes a
return of 696 ± 115 on Humanoid, where its expert has 6,281. A second call continues where the first one stopped.

Shapes: N episodes at once, S observation, A action.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import torch

from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.simulation.rollouts import Actor

ROOT = Path(__file__).parents[1]
PARTS = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")  # of the observation, which the policy does not use
DATASET = "motor-agents/native-v0"
EPISODES = 200  # in the dataset
NOISE = 0.1  # standard deviation, as a share of the action range; the student must recover from it
MEASURED = 10  # episodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", help="folder of a policy that was trained with configs/ppo/native.yaml")
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="transformers to train")
    parser.add_argument("--updates", type=int, default=6000, help="updates of each transformer")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes in the dataset")
    args = parser.parse_args()

    policy = MotorPolicy.from_pretrained(args.policy)
    if policy.config.frame != "world" or policy.body.native is None:
        raise SystemExit(
            f"{args.policy} was not trained for a native reward: give a policy that pretrain_ppo.py trained with "
            "--config configs/ppo/native.yaml"
        )
    env_id = policy.body.native.env_id
    expert = measure(policy, env_id, seed=0)
    show("expert", expert, expert)
    dataset = args.output_dir / DATASET
    if not dataset.exists():
        record(policy, env_id, args.episodes, args.output_dir)
    for seed in range(args.seeds):
        folder = args.output_dir / f"transformer_{seed}"
        if not (folder / "summary.json").exists():
            train(dataset, folder, args.updates, seed)
        student = GoalDecisionTransformer.from_pretrained(folder)
        show(f"transformer, seed {seed}", measure(student, env_id, seed), expert)


def make_env(env_id: str) -> gymnasium.Env:
    """Gymnasium's own env with the observation that the policy knows."""
    return gymnasium.make(env_id, **{f"include_{part}_in_observation": False for part in PARTS})


@torch.inference_mode()
def measure(actor: Actor, env_id: str, seed: int) -> np.ndarray:
    """Returns [N] of whole episodes; what comes after a fall does not count."""
    same_step = gymnasium.vector.AutoresetMode.SAME_STEP
    envs = gymnasium.vector.SyncVectorEnv([lambda: make_env(env_id)] * MEASURED, autoreset_mode=same_step)
    observations, _ = envs.reset(seed=seed)
    actor.reset()
    total, going = np.zeros(MEASURED), np.ones(MEASURED, dtype=bool)
    while going.any():
        observations, rewards, terminated, truncated, _ = envs.step(actor.act(observations))
        total += rewards * going
        going &= ~(terminated | truncated)
    envs.close()
    return total


@torch.inference_mode()
def record(policy: MotorPolicy, env_id: str, episodes: int, folder: Path) -> None:
    """Record episodes of the policy, with noise in its actions, as a Minari dataset within `folder`."""
    os.environ["MINARI_DATASETS_PATH"] = str(folder.resolve())
    try:
        import minari
    except ImportError as error:
        raise SystemExit('datasets are recorded with the package minari: pip install "minari[create]"') from error
    env = make_env(env_id)
    collector = minari.DataCollector(env, data_format="arrow")
    rng = np.random.default_rng(0)
    for episode in range(episodes):
        observation, _ = collector.reset(seed=episode)
        policy.reset()
        done = False
        while not done:
            action = policy.body.from_control(policy.act(observation[None])[0])
            action = policy.body.to_control(action + NOISE * rng.standard_normal(len(action), dtype=np.float32))
            observation, _, terminated, truncated, _ = collector.step(action)
            done = terminated or truncated
    collector.create_dataset(
        DATASET,
        algorithm_name="PPO",
        description=f"{episodes} episodes of a policy trained by configs/ppo/native.yaml, with noise in its actions",
        eval_env=env,
    )
    collector.close()


def train(dataset: Path, folder: Path, updates: int, seed: int) -> None:
    command = (
        f"{ROOT / 'train_decision_transformer.py'} --config {ROOT / 'configs/decision_transformer/humanoid.yaml'}"
    )
    flags = f"--dataset {dataset} --output_dir {folder} --updates {updates} --seed {seed} --report_to none"
    subprocess.run([sys.executable, *command.split(), *flags.split()], check=True)


def show(name: str, returns: np.ndarray, expert: np.ndarray) -> None:
    """Print the mean, the standard deviation and the share of the expert's mean."""
    share = returns.mean() / expert.mean()
    print(f"{name}: return {returns.mean():,.0f} ± {returns.std():,.0f}, {share:.3f} of the expert's", flush=True)


if __name__ == "__main__":
    main()

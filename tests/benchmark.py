"""How fast bodies are stepped and policies trained, beside the physics alone and beside others.

    make benchmark

64 bodies on 1 core and on all, in a process that may use no others. Everyone gets the same small random actions, under
which a body falls about every half second and starts again. Peers take turns in short slices, so that the noise of the
machine meets all of them; a ratio is the median over the rounds of ratios within one round.

Shapes: N = 64 bodies, A = 17 action.
"""

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import envpool
import gymnasium
import mujoco
import numpy as np
import torch
from accelerate import Accelerator
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from agent.env import ACTION_SIZE, HUMANOID, make_env
from agent.vector_env import FRAME_SKIP, MODEL_PATH, HumanoidVectorEnv, make_vector_env
from pretrain_ppo import Arguments, Collector, build_models, update, update_statistics

BODIES = 64
SLICE_STEPS = 8  # steps of all bodies before the next peer has its turn
ENV_ROUNDS = 30
TRAINING_ROUNDS = 6
EVERY_ACTION = np.random.default_rng(0).uniform(-0.1, 0.1, (1000, BODIES, ACTION_SIZE)).astype(np.float32)

Slice = Callable[[], int]  # does some work, and says how many steps of one body that were


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    print(f"{BODIES} bodies of Humanoid-v5; {processor()}, {len(cores)} cores")
    for used in dict.fromkeys((1, len(cores))):
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(cores[:used],))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


def measure(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)  # before any thread is made
    torch.set_num_threads(len(cores))
    envs = make_vector_env(BODIES)
    with asynchronous_steps() as gymnasium_async:
        env_steps = {
            "bare mj_step": bare_steps(envs),
            "agent.vector_env": vector_steps(envs),
            "EnvPool": envpool_steps(len(cores)),
            "Gymnasium AsyncVectorEnv": gymnasium_async,
        }
        print_rates(f"stepping, {len(cores)} core(s)", env_steps, "agent.vector_env", ENV_ROUNDS)
    training = {
        "bare mj_step": bare_steps(envs),
        "pretrain_ppo.py": training_steps(),
        "Stable-Baselines3 PPO": stable_baselines_steps(),
    }
    print_rates(f"training, {len(cores)} core(s)", training, "pretrain_ppo.py", TRAINING_ROUNDS)


def print_rates(title: str, peers: dict[str, Slice], ours: str, rounds: int) -> None:
    """Let the peers take turns, then print the steps per second of each, and of ours as a multiple of each."""
    rates: dict[str, list[float]] = {name: [] for name in peers}
    names = list(peers)
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = time.perf_counter()
            steps = peers[name]()
            if number:  # the first round warms up
                rates[name].append(steps / (time.perf_counter() - started))
    print(f"\n{title:<28}steps/s   ours / it")
    for name, own in rates.items():
        ratios = [mine / theirs for mine, theirs in zip(rates[ours], own, strict=True)]
        print(f"{name:<28}{statistics.median(own):7.0f}   {statistics.median(ratios):9.2f}", flush=True)


def actions() -> Iterator[np.ndarray]:
    while True:
        yield from EVERY_ACTION


def bare_steps(envs: HumanoidVectorEnv) -> Slice:
    """`mj_step` alone, in threads that never wait for each other, from the states that `envs` is in."""
    model = mujoco.MjModel.from_xml_path(str(MODEL_PATH))
    bodies = [mujoco.MjData(model) for _ in range(BODIES)]
    threads = ThreadPoolExecutor(envs.num_threads)
    turns = actions()

    def work(rows: range, slices: list[np.ndarray]) -> None:
        for each in slices:
            for row in rows:
                bodies[row].ctrl[:] = each[row]
                mujoco.mj_step(model, bodies[row], FRAME_SKIP)

    def run() -> int:
        for body, qpos, qvel in zip(bodies, envs.start.qpos, envs.start.qvel, strict=True):
            body.qpos[:], body.qvel[:] = qpos, qvel
        slices = [next(turns) for _ in range(SLICE_STEPS)]
        shares = [range(first, BODIES, envs.num_threads) for first in range(envs.num_threads)]
        list(threads.map(work, shares, [slices] * len(shares)))
        return SLICE_STEPS * BODIES

    return run


def vector_steps(envs: gymnasium.vector.VectorEnv) -> Slice:
    """Steps of any vector env of Gymnasium's interface."""
    turns = actions()
    envs.reset(seed=0)

    def run() -> int:
        for _ in range(SLICE_STEPS):
            envs.step(next(turns))
        return SLICE_STEPS * BODIES

    return run


def envpool_steps(threads: int) -> Slice:
    envs = envpool.make("Humanoid-v5", env_type="gymnasium", num_envs=BODIES, num_threads=threads)
    turns = actions()
    envs.reset()

    def run() -> int:
        for _ in range(SLICE_STEPS):
            envs.step(next(turns).astype(np.float64))
        return SLICE_STEPS * BODIES

    return run


@contextmanager
def asynchronous_steps() -> Iterator[Slice]:
    envs = gymnasium.vector.AsyncVectorEnv([make_native] * BODIES, context="fork")
    yield vector_steps(envs)
    envs.close()


def make_native() -> gymnasium.Env:
    return gymnasium.make("Humanoid-v5", **HUMANOID)


def training_steps() -> Slice:
    """The loop of pretrain_ppo.py: a rollout, an update, the statistics."""
    args = Arguments(num_envs=BODIES)
    accelerator = Accelerator(cpu=True)
    policy, critic = build_models(args, accelerator)
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=args.learning_rate)
    collector = Collector(args, args.seed)

    def run() -> int:
        torch.set_num_threads(1)
        rollout, _ = collector.collect(policy, args.difficulty)
        torch.set_num_threads(collector.num_threads)
        update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
        update_statistics(accelerator, policy, rollout)
        return args.batch_size

    return run


def stable_baselines_steps() -> Slice:
    """The same bodies, batch, epochs, minibatch and units per layer."""
    args = Arguments(num_envs=BODIES)
    units = [2 * int(pairs) for pairs in args.widths.split(",")]
    model = PPO(
        "MlpPolicy",
        DummyVecEnv([make_env] * BODIES),
        learning_rate=args.learning_rate,
        n_steps=args.rollout_steps,
        batch_size=args.minibatch_size,
        n_epochs=args.epochs,
        policy_kwargs={"net_arch": {"pi": units, "vf": units}, "activation_fn": nn.ELU},
        device="cpu",
    )

    def run() -> int:
        model.learn(args.batch_size, reset_num_timesteps=False)
        return args.batch_size

    return run


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()

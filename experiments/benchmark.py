"""Compare the speed of simulation, training, collection, parsing and acting with MuJoCo alone and with other
libraries.

    make benchmark

* Stepping and training: 64 bodies on 1 core and on all of them, in processes that are pinned to these cores. Every env
  gets the same small random actions, under which a body falls about every half second and starts again. Training runs
  one process per core, which share the bodies; on several cores also one process with as many threads.
* Collecting: one process per core collects and writes a whole shard with the defaults of collect_dataset.py, while
  `mj_step` alone goes through the same states and actions.
* Parsing: one sentence of two goals and 100 hand-written ones, by the shipped planner and by `generate` of the same
  model without its grammar; how long a planner takes to load in a new process, and its memory.
* Acting: the shipped transformer for one body and for 64, and transformers' own model of its size, which computes the
  whole context at every step.

The programs take turns in short slices, so that noise of the machine affects all of them alike. A ratio is the median
over the rounds of the ratios within one round.

Shapes: N = 64 bodies, A = 17 actions.
"""

import multiprocessing
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import DecisionTransformerConfig, DecisionTransformerModel, GenerationConfig

import collect_dataset
from agent.bodies import find_body
from agent.data import schema
from agent.goals import Goal
from agent.language.corpus import written
from agent.language.planner import MAX_ANSWER_TOKENS, READ, Planner
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.simulation.env import make_env
from agent.simulation.vector_env import GoalVectorEnv, make_vector_env
from pretrain_ppo import Arguments, build_envs, build_models, collect, mean_over_processes, update

BODY = find_body("humanoid")
BODIES = 64
SLICE_STEPS = 8  # steps of all bodies before the next peer has its turn
ENV_ROUNDS = 30
TRAINING_ROUNDS = 12
COLLECTED_SLICE = 40  # steps of all bodies
CONTEXT = 20  # steps that transformers' own model computes
PARSING_ROUNDS = 10
ACTING_ROUNDS = 10
LATENCIES, PARSINGS = 2000, 50
TWO_GOALS = ["walk forward 2 metres, then turn left 90 degrees"]
ROOT = Path(__file__).parents[1]
EVERY_ACTION = np.random.default_rng(0).uniform(-0.1, 0.1, (1000, BODIES, BODY.action_size)).astype(np.float32)

LOADING = f"""
import sys, time
started = time.perf_counter()
import psutil
from agent import Planner
imported = time.perf_counter()
planner = Planner.from_pretrained(sys.argv[1])
loaded = time.perf_counter()
planner.parse_batch({TWO_GOALS} * 10)
memory = psutil.Process().memory_info().rss / 1e6
print(f"loading: {{imported - started:.1f}} s of imports, {{loaded - imported:.1f}} s; {{memory:.0f}} MB resident")
"""

Slice = Callable[[], int]  # does some work, and returns how many steps of single bodies that were


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    print(f"{BODIES} bodies of Humanoid-v5; {processor()}, {len(cores)} cores")
    for used in dict.fromkeys((1, len(cores))):
        in_a_process(measure, cores[:used])
        with tempfile.TemporaryDirectory() as folder:
            in_a_process(measure_collecting, cores[:used], Path(folder))
    in_a_process(measure_parsing, cores)
    in_a_process(measure_acting, cores[:1], 1)
    in_a_process(measure_acting, cores, BODIES)


def in_a_process(work: Callable[..., None], *args) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def measure(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)  # before any thread is made
    torch.set_num_threads(len(cores))
    envs = make_vector_env(BODIES, reward="native")
    with asynchronous_steps() as gymnasium_async:
        env_steps = {
            "bare mj_step": bare_steps(envs),
            "agent.simulation.vector_env": vector_steps(envs),
            "with the goal reward": vector_steps(GoalVectorEnv(BODIES)),
            "EnvPool": envpool_steps(len(cores)),
            "Gymnasium AsyncVectorEnv": gymnasium_async,
        }
        print_rates(f"stepping, {len(cores)} core(s)", env_steps, "agent.simulation.vector_env", ENV_ROUNDS)
    with launched_steps(len(cores)) as launched, launched_steps(len(cores), compile=True) as compiled:
        training = {
            "bare mj_step": bare_steps(envs),
            "pretrain_ppo.py": launched,
            "pretrain_ppo.py --compile": compiled,
            "Stable-Baselines3 PPO": stable_baselines_steps(),
        }
        if len(cores) > 1:
            training["pretrain_ppo.py, threads"] = training_steps(Arguments(num_envs=BODIES))
        print_rates(f"training, {len(cores)} core(s)", training, "pretrain_ppo.py", TRAINING_ROUNDS)


def measure_collecting(cores: list[int], folder: Path) -> None:
    os.sched_setaffinity(0, cores)
    with ProcessPoolExecutor(len(cores), multiprocessing.get_context("spawn")) as processes:
        measured = list(processes.map(collect_shard, range(len(cores)), [folder] * len(cores)))
    names = ("bare mj_step", "collect_dataset.py")
    rates = {
        name: [len(cores) * rate for rate in own] for name, own in zip(names, zip(*measured, strict=True), strict=True)
    }
    print_table(f"collecting, {len(cores)} core(s)", rates, "collect_dataset.py", "steps/s")


def measure_parsing(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    folder = ROOT / "pretrained" / "agent" / "planner"
    subprocess.run([sys.executable, "-c", LOADING, str(folder)], check=True)
    planner = Planner.from_pretrained(folder)
    batch = [each.text for each in written.sentences("development")[:100]]
    for texts in (TWO_GOALS, batch):
        peers = {"agent.language.planner": parsed(planner, texts), "transformers generate": generated(planner, texts)}
        title = f"parsing {len(texts)}, {len(cores)} core(s)"
        print_rates(title, peers, "agent.language.planner", PARSING_ROUNDS, "texts/s")
    print_latency("parse", parsed(planner, TWO_GOALS), PARSINGS)


def measure_acting(cores: list[int], bodies: int) -> None:
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    folder = ROOT / "pretrained" / "agent" / "decision_transformer"
    transformer = GoalDecisionTransformer.from_pretrained(folder, body=BODY.name)
    peers = {
        "agent.models.decision_transformer": cached_actions(transformer, bodies),
        "the stock model": recomputed_actions(transformer.config, bodies),
    }
    title = f"acting for {bodies}, {len(cores)} core(s)"
    print_rates(title, peers, "agent.models.decision_transformer", ACTING_ROUNDS, "actions/s")
    print_latency("act", cached_actions(transformer, bodies, steps=1), LATENCIES)
    print(f"a control step lasts {1000 * BODY.control_seconds:.0f} ms")


def print_latency(name: str, call: Slice, count: int) -> None:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    median, late = (1000 * value for value in np.quantile(seconds, (0.5, 0.99)))
    print(f"one call of {name}: median {median:.2f} ms, 99th percentile {late:.2f} ms")


def print_rates(title: str, peers: dict[str, Slice], subject: str, rounds: int, unit: str = "steps/s") -> None:
    """Let the peers take turns, then print the rate of each, and that of the `subject` as a multiple of it."""
    rates: dict[str, list[float]] = {name: [] for name in peers}
    names = list(peers)
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = time.perf_counter()
            steps = peers[name]()
            if number:  # the first round warms up
                rates[name].append(steps / (time.perf_counter() - started))
    print_table(title, rates, subject, unit)


def print_table(title: str, rates: dict[str, list[float]], subject: str, unit: str) -> None:
    print(f"\n{title:<36}{unit}   {subject} / this")
    for name, own in rates.items():
        ratios = [measured / other for measured, other in zip(rates[subject], own, strict=True)]
        print(f"{name:<36}{statistics.median(own):{len(unit)}.0f}   {statistics.median(ratios):9.2f}", flush=True)


def actions() -> Iterator[np.ndarray]:
    while True:
        yield from EVERY_ACTION


def bare_steps(envs: GoalVectorEnv) -> Slice:
    """`mj_step` alone, in threads that never wait for each other, from the states that `envs` is in."""
    model = BODY.load_model()
    bodies = [mujoco.MjData(model) for _ in range(BODIES)]
    threads = ThreadPoolExecutor(envs.num_threads)
    turns = actions()

    def work(rows: range, slices: list[np.ndarray]) -> None:
        for each in slices:
            for row in rows:
                bodies[row].ctrl[:] = each[row]
                mujoco.mj_step(model, bodies[row], BODY.frame_skip)

    def run() -> int:
        for body, qpos, qvel in zip(bodies, envs.state.qpos, envs.state.qvel, strict=True):
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
def asynchronous_steps() -> Generator[Slice]:
    envs = gymnasium.vector.AsyncVectorEnv([make_native] * BODIES, context="fork")
    yield vector_steps(envs)
    envs.close()


def make_native() -> gymnasium.Env:
    parts = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    return gymnasium.make("Humanoid-v5", **{f"include_{part}_in_observation": False for part in parts})


def collect_shard(number: int, folder: Path) -> tuple[float, float]:
    """Steps per second of `mj_step` alone, and of what a process of collect_dataset.py does for a shard.

    They take turns in slices of a second or two: `mj_step` repeats the states and actions of a slice.
    """
    torch.set_num_threads(1)
    args = collect_dataset.Arguments(policy=str(ROOT / "pretrained" / "agent" / "policy" / "humanoid"), num_threads=1)
    policy = MotorPolicy.from_pretrained(args.policy)
    envs = collect_dataset.build_envs(args, policy.body)
    model = BODY.load_model()
    bodies = [mujoco.MjData(model) for _ in range(args.num_envs)]
    motion, step, alone_steps, alone_seconds = [], envs.step, 0, 0.0

    def recorded_step(taken: np.ndarray) -> tuple:
        motion.append((envs.state.qpos.copy(), envs.state.qvel.copy(), taken))
        return step(taken)

    def slices() -> Iterator[int]:
        nonlocal alone_steps, alone_seconds
        for frame in range(args.shard_steps):
            yield frame
            if len(motion) == COLLECTED_SLICE:
                started = time.perf_counter()
                for qpos, qvel, taken in motion:
                    for body, *state in zip(bodies, qpos, qvel, taken, strict=True):
                        body.qpos[:], body.qvel[:], body.ctrl[:] = state
                        mujoco.mj_step(model, body, BODY.frame_skip)
                alone_steps += len(motion) * args.num_envs
                motion.clear()
                alone_seconds += time.perf_counter() - started

    envs.step = recorded_step  # ty: ignore[invalid-assignment]
    started = time.perf_counter()
    shard, velocity = collect_dataset.roll_out(args, policy, envs, number, slices())
    tasks = schema.occurring(shard["goal.command"])
    collect_dataset.add_indices(shard, number * args.shard_size, 0, tasks, policy.body)
    collect_dataset.write_shard(folder, number, shard, velocity, policy.body)
    seconds = time.perf_counter() - started
    return alone_steps / alone_seconds, args.shard_size / (seconds - alone_seconds)


def training_steps(args: Arguments) -> Slice:
    """The loop of pretrain_ppo.py: a rollout, an update, the statistics, and the means over weights and processes."""
    accelerator = Accelerator(cpu=True)
    policy, critic = build_models(args, accelerator.device)
    average_policy = AveragedModel(policy, multi_avg_fn=get_ema_multi_avg_fn(args.average_decay))
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=args.learning_rate, fused=True)
    envs = build_envs(args, args.seed)

    def run() -> int:
        torch.set_num_threads(1)
        rollout, row = collect(args, envs, policy)
        mean_over_processes(accelerator, row)
        torch.set_num_threads(envs.num_threads)
        update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
        policy.update_statistics(accelerator.reduce(policy.moments(rollout["observations"]), "sum"))
        average_policy.update_parameters(policy)
        return args.batch_size

    return run


@contextmanager
def launched_steps(processes: int, **options) -> Generator[Slice]:
    """pretrain_ppo.py in processes that share the bodies, as `accelerate launch --cpu` starts them."""
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shared: dict[str, int | str] = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "OMP_NUM_THREADS": 1}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    args = Arguments(num_envs=BODIES // processes, **options)
    pipes = []
    for rank in range(processes):
        pipe, far = context.Pipe()
        place = shared | {"RANK": rank, "LOCAL_RANK": rank}
        context.Process(target=train_on_call, args=(args, place, far), daemon=True).start()
        far.close()
        pipes.append(pipe)

    def run() -> int:
        for pipe in pipes:
            pipe.send(None)
        return sum(pipe.recv() for pipe in pipes)

    yield run
    for pipe in pipes:
        pipe.close()


def train_on_call(args: Arguments, place: dict[str, str | int], pipe: Connection) -> None:
    os.environ.update({name: str(value) for name, value in place.items()})
    run = training_steps(args)
    with suppress(EOFError):  # the other end is closed when all is measured
        while True:
            pipe.recv()
            pipe.send(run())


def stable_baselines_steps() -> Slice:
    """The same bodies, batch, epochs, minibatch and units per layer."""
    args = Arguments(num_envs=BODIES)
    units = [2 * pairs for pairs in args.widths]
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


def parsed(planner: Planner, texts: list[str]) -> Slice:
    def run() -> int:
        return len(planner.parse_batch(texts))

    return run


def generated(planner: Planner, texts: list[str]) -> Slice:
    """Greedy decoding as the library does it: any token may follow any other."""
    prompts = [planner.chat.prompt_ids(READ, text) for text in texts]
    length = max(map(len, prompts))
    inputs = {
        "input_ids": torch.tensor([[0] * (length - len(ids)) + ids for ids in prompts]),
        "attention_mask": torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in prompts]),
    }
    end = planner.chat.end
    options = GenerationConfig(do_sample=False, max_new_tokens=MAX_ANSWER_TOKENS, eos_token_id=end, pad_token_id=end)

    def run() -> int:
        planner.model.generate(**inputs, generation_config=options)
        return len(texts)

    return run


def cached_actions(transformer: GoalDecisionTransformer, bodies: int, steps: int = CONTEXT) -> Slice:
    observations = np.random.default_rng(0).normal(size=(bodies, BODY.observation_size)).astype(np.float32)
    transformer.reset()
    transformer.prompt([Goal(1.0)] * bodies)

    def run() -> int:
        for _ in range(steps):
            transformer.act(observations)
        return steps * bodies

    return run


def recomputed_actions(config: DecisionTransformerConfig, bodies: int) -> Slice:
    """What an action costs when the whole context goes through transformers' own model at every step."""
    names = ("state_dim", "act_dim", "hidden_size", "n_layer", "n_head", "activation_function")
    sizes = {name: getattr(config, name) for name in names}
    stock = DecisionTransformerConfig(**sizes, max_ep_len=CONTEXT, bos_token_id=None, eos_token_id=None)
    model = DecisionTransformerModel(stock).eval()
    window = {
        "states": torch.randn(bodies, CONTEXT, BODY.observation_size),
        "actions": torch.randn(bodies, CONTEXT, BODY.action_size),
        "returns_to_go": torch.randn(bodies, CONTEXT, 1),
        "timesteps": torch.arange(CONTEXT).expand(bodies, CONTEXT),
        "attention_mask": torch.ones(bodies, CONTEXT, dtype=torch.long),
    }

    @torch.no_grad()
    def run() -> int:
        for _ in range(CONTEXT):
            model(**window)
        return CONTEXT * bodies

    return run


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()

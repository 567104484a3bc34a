"""Train a motor policy by PPO: goal-blind under randomized goals, then goal-conditioned from there.

Reads   nothing, or a MotorPolicy to go on from (--init_from)
Writes  a MotorPolicy                            (collect_dataset.py, evaluate.py)

    python pretrain_ppo.py --config configs/ppo/blind.yaml --output_dir runs/blind
    python pretrain_ppo.py --config configs/ppo/humanoid.yaml --init_from runs/blind --output_dir runs/ppo

The folder itself is the best policy by evaluation, with the critic that --init_from goes on with; last/ is the newest
policy; checkpoint/ is what --resume goes on from.

Shapes: T steps of a rollout, N parallel bodies, A = 17 action; features come as (even, odd) pairs under the mirror.
`b` is the batch of a rollout, `mb` a minibatch of it.
"""

import functools
import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed
from huggingface_hub.dataclasses import strict
from safetensors import SafetensorError
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from agent.artefacts import arguments, cards, hub, runs
from agent.evaluation.suites import COMMANDS, measure_commands, measure_native, score_commands
from agent.models.mirror import MirrorMLP, Pair
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation import vector_env
from agent.simulation.env import (
    CONTROL_SECONDS,
    FOOT_RADIUS,
    RECOVERY_NOISE,
    GoalTask,
    RewardWeights,
    fast_commands,
    moving,
    sample_commands,
    stride_poses,
    uprightness,
)
from agent.simulation.vector_env import MAX_DIVERGED, HumanoidVectorEnv, make_vector_env
from agent.simulation.video import film

COMMAND_STEPS = (80, 260)  # a goal lasts 1.2 to 3.9 seconds
STAND_FACTOR = 3  # a goal to stand lasts longer: a body that tips over slowly falls late
PUSH_STEPS = (120, 400)  # a shove every 1.8 to 6 seconds
CRITIC = Path("critic") / "model.safetensors"  # beside a policy, for a training that goes on from it
UPRIGHT = 0.9  # cosine of the torso's tilt, above which a body is worth starting from
MAX_SKIPPED = 10  # minibatches of a run without a finite gradient; more than that is no accident
# What may change when a run goes on: where it ends, what it reports, what it runs on.
FREE = {"init_from", "total_steps", "num_threads", "compile", "evaluate_every", "checkpoint_every"}
FREE |= arguments.ALWAYS_FREE


@strict
@dataclass
class Arguments(RewardWeights, arguments.TrainingArguments):
    output_dir: str = field(
        default="runs/ppo", metadata={"help": "folder of the policy, its checkpoint and its curves"}
    )
    init_from: str = field(default="", metadata={"help": "folder or Hub repo of a MotorPolicy to start from"})
    resume: bool = field(default=False, metadata={"help": "go on from the checkpoint in output_dir"})
    seed: int = 0

    reward: str = field(default="goal", metadata={"help": "goal: follow commands; native: Humanoid-v5's own reward"})
    goal_conditioned: bool = field(
        default=True, metadata={"help": "false: goal-blind pretraining under randomized goals"}
    )
    difficulty: float = field(
        default=0.3, metadata={"help": "share of the trained region that commands are drawn from at the start"}
    )
    run_share: float = field(
        default=0.0, metadata={"help": "share of the goals that are runs, beside those among all the others"}
    )
    stand_share: float = field(
        default=0.0, metadata={"help": "share of the goals that are to stand, beside those among all the others"}
    )
    push_speed: float = field(
        default=0.5, metadata={"help": "m/s, largest shove that a body gets now and then, at full difficulty"}
    )
    stride_share: float = field(default=0.2, metadata={"help": "share of episodes that start in mid-stride"})
    recovery_share: float = field(
        default=0.1, metadata={"help": "share of episodes that start in another body's state, disturbed"}
    )
    retry_share: float = field(
        default=0.5,
        metadata={"help": "share of the bodies that fell and start again where their last goal began, with that goal"},
    )
    widths: str = field(
        default="128,128,64", metadata={"help": "pairs of units in each hidden layer of what starts from nothing"}
    )

    total_steps: int = 20_000_000
    num_envs: int = 256
    num_threads: int = field(default=0, metadata={"help": "threads that step the physics; 0: its share of the cores"})
    compile: bool = field(
        default=False,
        metadata={
            "help": "torch.compile acting and learning, with CUDA graphs where a GPU is: a minute for a little speed"
        },
    )
    integrator: str = field(
        default="rk4",
        metadata={
            "help": "rk4: Humanoid-v5's own; implicitfast: three times as fast, to pretrain in; never evaluated in"
        },
    )
    rollout_steps: int = 32
    epochs: int = 3
    minibatch_size: int = 2048
    learning_rate: float = field(
        default=5e-4, metadata={"help": "of the policy to start with; it adapts to target_kl"}
    )
    critic_learning_rate: float = 1e-3
    learning_rate_min: float = 2e-4
    learning_rate_max: float = 3e-3
    target_kl: float = field(
        default=0.04, metadata={"help": "the learning rate adapts to keep the change per update near this"}
    )
    last_kl: float = field(default=0.01, metadata={"help": "what target_kl goes down to, by the end of the run"})
    average_decay: float = field(
        default=0.98,
        metadata={"help": "per update, of the mean of the weights: the policy that is evaluated and kept"},
    )
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_coefficient: float = 0.2
    value_coefficient: float = 1.0
    entropy_coefficient: float = 0.0
    max_grad_norm: float = 1.0
    critic_updates: int = field(
        default=0, metadata={"help": "updates at the start in which only the critic learns, after --init_from"}
    )
    first_std: float = field(
        default=0.0, metadata={"help": "exploration noise to start with; 0: that of init_from, or 0.35"}
    )
    evaluate_every: int = field(
        default=100, metadata={"help": "updates between evaluations, on the commands or the native suite"}
    )
    checkpoint_every: int = field(default=20, metadata={"help": "updates between checkpoints"})

    def validate_numbers(self):
        for name in (
            "total_steps",
            "num_envs",
            "rollout_steps",
            "epochs",
            "minibatch_size",
            "evaluate_every",
            "checkpoint_every",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.num_threads < 0:
            raise ValueError(f"num_threads={self.num_threads} must be at least 0")
        if not all(width.isdecimal() and int(width) for width in self.widths.split(",")):
            raise ValueError(f"widths={self.widths!r} must be numbers of pairs, like 128,128,64")
        if self.reward not in ("goal", "native"):
            raise ValueError(f"reward={self.reward!r} is unknown: choose goal or native")
        if self.reward == "native" and self.goal_conditioned:
            raise ValueError("reward=native has no goals: give --config configs/ppo/native.yaml")
        if self.integrator not in vector_env.INTEGRATORS:
            raise ValueError(
                f"integrator={self.integrator!r} is unknown: choose {' or '.join(vector_env.INTEGRATORS)}"
            )
        for name in (
            *("difficulty", "run_share", "stand_share", "stride_share", "recovery_share", "retry_share"),
            *("gamma", "gae_lambda"),
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")
        if not 0 < self.last_kl <= self.target_kl:
            raise ValueError(f"last_kl={self.last_kl} must be above 0 and at most target_kl={self.target_kl}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay={self.average_decay} must be at least 0 and less than 1")
        for names in (("stride_share", "recovery_share"), ("run_share", "stand_share")):
            shares = [getattr(self, name) for name in names]
            if sum(shares) > 1:
                given = " and ".join(f"{name}={share}" for name, share in zip(names, shares, strict=True))
                raise ValueError(f"{given} must not add up to more than 1")
        on_gpu = torch.cuda.is_available()
        compiler = os.environ.get("CC", "gcc") if on_gpu else os.environ.get("CXX", "g++")  # that torch calls
        if self.compile and not shutil.which(compiler):
            raise ValueError(f"compile={self.compile} needs the compiler {compiler}: install it, or leave it out")
        if self.resume and self.init_from:
            raise ValueError("--resume goes on from output_dir and --init_from starts anew: give one of them")

    @property
    def frame(self) -> str:
        """What the bodies observe: Humanoid-v5's own reward is for the way along the world's x axis."""
        return "world" if self.reward == "native" else "heading"

    @property
    def batch_size(self) -> int:
        return self.num_envs * self.rollout_steps


def main(args: Arguments) -> None:
    accelerator = Accelerator(
        log_with=None if args.report_to == "none" else args.report_to, project_dir=Path(args.output_dir) / "runs"
    )
    args.check_processes(accelerator.num_processes)
    set_seed(args.seed)  # the same weights in every process
    with accelerator.main_process_first():
        source = hub.folder(args.init_from) if args.init_from else None
    checkpoint = Path(args.output_dir) / "checkpoint"
    found = find_checkpoint(args, checkpoint) if args.resume else None
    progress = runs.read_json(found / "progress.json") if found else {}
    policy, critic = build_models(args, accelerator, source, progress.get("widths"))
    average_policy = AveragedModel(policy, multi_avg_fn=get_ema_multi_avg_fn(args.average_decay))
    groups = [
        {"params": policy.parameters(), "lr": args.learning_rate},
        {"params": critic.parameters(), "lr": args.critic_learning_rate},
    ]
    optimizer = torch.optim.Adam(groups, eps=1e-5, fused=True)
    rank_seed = args.seed + 1000 * accelerator.process_index
    set_seed(rank_seed)  # other bodies, commands and noise
    collector = Collector(args, rank_seed)
    if found:
        load_checkpoint(found, accelerator, policy, average_policy, critic, optimizer, collector)
    else:
        progress = {"update": 0, "step": 0, "skipped": 0, "seconds": 0.0, "difficulty": args.difficulty}
        progress |= {"best_score": None, "best": {}, "widths": policy.config.widths}
    if accelerator.is_main_process:
        metrics = runs.Metrics(args.output_dir, progress["step"] if found else None)
        if not args.resume:
            shutil.rmtree(checkpoint, ignore_errors=True)  # of another run
            upstream = {"init_from": hub.origin(args.init_from, source)} if source else None
            runs.record_provenance(args.output_dir, args, upstream)
        if args.init_from:
            # What the training starts from is the one to beat.
            metrics.add(0, keep_if_best(policy, critic, args, progress))
    if accelerator.log_with:
        accelerator.init_trackers("ppo", config=vars(args))

    batch_steps = args.batch_size * accelerator.num_processes
    bar = tqdm(
        total=args.total_steps,
        initial=progress["step"],
        unit="step",
        unit_scale=True,
        disable=not accelerator.is_main_process,
    )
    with runs.interruptible() as interruption:
        while progress["step"] < args.total_steps:
            started = time.perf_counter()
            torch.set_num_threads(1)  # the cores belong to the physics
            rollout, row = collector.collect(policy, progress["difficulty"])
            row = average(accelerator, row)  # all processes decide alike
            collected = time.perf_counter()
            torch.set_num_threads(collector.num_threads)
            critic_only = progress["update"] < args.critic_updates
            row |= update(args, accelerator, policy, critic, optimizer, rollout, critic_only)
            update_statistics(accelerator, policy, rollout)
            if not critic_only:
                average_policy.update_parameters(policy)
                kl = average(accelerator, {"kl": row["policy/kl"]})["kl"]
                adapt_learning_rate(args, optimizer, kl, annealed_kl(args, progress["step"]))
            progress["skipped"] += int(row["loss/skipped"])
            if progress["skipped"] > MAX_SKIPPED:
                stop_with(rollout, args, accelerator)
            progress["update"] += 1
            progress["step"] += batch_steps
            progress["seconds"] += time.perf_counter() - started
            progress["difficulty"] = widen(progress["difficulty"], row, args)
            row |= {
                "curriculum/difficulty": progress["difficulty"],
                "policy/learning_rate": optimizer.param_groups[0]["lr"],
                "time/steps_per_second": batch_steps / (time.perf_counter() - started),
                "time/update_share": (time.perf_counter() - collected) / (time.perf_counter() - started),
                "time/hours": progress["seconds"] / 3600,
            }
            done = progress["step"] >= args.total_steps
            evaluated = done or progress["update"] % args.evaluate_every == 0
            if accelerator.is_main_process and evaluated:
                average_policy.module.save_pretrained(Path(args.output_dir) / "last")
                row |= keep_if_best(average_policy.module, critic, args, progress)
            if accelerator.log_with:
                accelerator.log(row, step=progress["step"])
            if accelerator.is_main_process:
                metrics.add(progress["step"], row)
                if evaluated:
                    metrics.draw()
            interrupted = max(gather_object([interruption.signal]))
            if done or interrupted or progress["update"] % args.checkpoint_every == 0:
                save_checkpoint(
                    checkpoint, accelerator, policy, average_policy, critic, optimizer, collector, progress
                )
            bar.update(batch_steps)
            bar.set_postfix_str(f"reward {row['rollout/reward']:.2f}, episode {row['rollout/episode_seconds']:.1f} s")
            if interrupted:
                bar.close()
                raise SystemExit(128 + interrupted)
    bar.close()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        best = ", ".join(
            f"{name} {cards.cell(value)}" for name, value in progress["best"].items() if name != "episodes"
        )
        made = f"motor policy, {progress['step']:,} steps"
        runs.write_summary(args.output_dir, stage="motor policy", made=made, seconds=progress["seconds"], metric=best)
        if args.push_to_hub:
            if args.reward == "goal":
                film(MotorPolicy.from_pretrained(args.output_dir), Path(args.output_dir))
            hub.publish(args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)
    accelerator.end_training()


class Critic(nn.Module):
    """Value of a state under the mirror, in units of the running standard deviation of returns.

    It sees what the reward remembers beside the observation, so that the value is a function of the state.
    """

    def __init__(self, inputs: tuple[int, int], widths: list[int]):
        super().__init__()
        self.network = MirrorMLP(inputs, widths, (1, 0))
        self.register_buffer("return_scale", torch.ones(()))
        for module in self.network.modules():
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, gain=2**0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.orthogonal_(self.network.head.even.weight)

    def forward(self, features: Pair) -> Tensor:
        return self.network(features)[0].squeeze(-1)


def build_models(
    args: Arguments, accelerator: Accelerator, source: Path | None = None, widths: list[int] | None = None
) -> tuple[MotorPolicy, Critic]:
    """A policy of `widths`, where a run goes on, or of those asked for, and its critic; or those in the folder
    `source`, which may have no critic.
    """
    if source:
        policy = MotorPolicy.from_pretrained(source)
        if policy.config.frame != args.frame:
            raise ValueError(
                f"{args.init_from} observes the {policy.config.frame} frame, and reward={args.reward} takes one of "
                f"the {args.frame} frame: give another --init_from"
            )
        policy.config.goal_conditioned = args.goal_conditioned
    else:
        widths = widths or [int(width) for width in args.widths.split(",")]
        policy = MotorPolicy(
            MotorPolicyConfig(widths=widths, goal_conditioned=args.goal_conditioned, frame=args.frame)
        )
    if args.first_std:
        nn.init.constant_(policy.log_std, math.log(args.first_std))
    sizes = len(policy.even_basis) + GoalTask.EVEN_FEATURES, len(policy.odd_basis) + GoalTask.ODD_FEATURES
    critic = Critic(sizes, policy.config.widths)
    if source and (source / CRITIC).is_file():
        runs.check(source / CRITIC.parent)
        try:
            critic.load_state_dict(load_file(source / CRITIC))
        except (RuntimeError, SafetensorError) as error:
            reason = hub.first_line(error)
            raise ValueError(
                f"{args.init_from} has no fitting {CRITIC} ({reason}): take it away to start one"
            ) from error
        hub.check_finite(critic, args.init_from)
    return policy.to(accelerator.device), critic.to(accelerator.device)


class Collector:
    """N bodies with their tasks and statistics of their episodes; collects rollouts of T steps."""

    def __init__(self, args: Arguments, seed: int):
        self.args = args
        self.envs: HumanoidVectorEnv = make_vector_env(
            args.num_envs,
            args.num_threads or None,
            integrator=args.integrator,
            frame=args.frame,
            contact_cost=args.reward == "native",
        )
        self.num_threads = self.envs.num_threads
        self.task = GoalTask(args.num_envs, args)
        self.rng = np.random.default_rng(seed)
        self.observations, _ = self.envs.reset(seed=seed)
        self.task.begin(np.arange(args.num_envs), self.envs.start)
        self.command_left = np.zeros(args.num_envs, dtype=np.int64)
        self.begun_qpos, self.begun_qvel = self.envs.start.qpos.copy(), self.envs.start.qvel.copy()
        self.push_left = self.rng.integers(1, PUSH_STEPS[1], args.num_envs)
        # Spread over the episode, so that time limits do not come in waves.
        self.envs.episode_steps[:] = self.rng.integers(0, self.envs.max_episode_steps, args.num_envs)
        self.episode_length = np.zeros(args.num_envs, dtype=np.int64)
        self.finished_seconds: deque[float] = deque(maxlen=200)

    @torch.no_grad()
    def collect(self, policy: MotorPolicy, difficulty: float) -> tuple[dict[str, Tensor], dict[str, float]]:
        """One rollout: tensors [T, N, ...] and the means of what happened."""
        args, envs, task, device = self.args, self.envs, self.task, policy.device
        steps, bodies = args.rollout_steps, args.num_envs
        act = compiled(MotorPolicy.forward, device.type) if args.compile else MotorPolicy.forward
        std, noise = policy.std, torch.randn(steps, bodies, *envs.single_action_space.shape, device=device)
        sizes: dict[str, tuple[int, ...]] = {
            "observations": envs.single_observation_space.shape,
            "final_observations": envs.single_observation_space.shape,
            "even": (task.EVEN_FEATURES,),
            "odd": (task.ODD_FEATURES,),
            "final_even": (task.EVEN_FEATURES,),
            "final_odd": (task.ODD_FEATURES,),
            "commands": (3,),
            "phase": (),
            "actions": envs.single_action_space.shape,
            "rewards": (),
        }
        store = {name: np.zeros((steps, bodies, *size), dtype=np.float32) for name, size in sizes.items()}
        store |= {name: np.zeros((steps, bodies), dtype=bool) for name in ("terminated", "done", "valid")}
        sums: dict[str, np.ndarray | float] = {}  # [N]
        for t in range(steps):
            self._renew_commands(difficulty)
            self._push(difficulty)
            task.lead()
            store["observations"][t] = self.observations
            store["commands"][t], store["phase"][t] = task.commands, task.phase
            store["even"][t], store["odd"][t] = task.features(envs.start)
            seen = (torch.from_numpy(store[name][t]).to(device) for name in ("observations", "commands", "phase"))
            actions = (act(policy, *seen)[0] + std * noise[t]).cpu().numpy()
            store["actions"][t], executed = actions, actions.clip(-1, 1)

            self.observations, native, terminated, truncated, info = envs.step(executed * policy.config.action_limit)
            parts = task.step(envs.body, executed) if args.reward == "goal" else {"native": native}
            done, diverged = terminated | truncated, info["diverged"]
            even, odd = task.features(envs.body)
            # Not a number would run back through the advantages of the whole rollout.
            even[diverged] = odd[diverged] = 0.0
            store["final_observations"][t] = info["final_obs"]
            store["final_even"][t], store["final_odd"][t] = even, odd
            parts = {f"reward/{name}": np.where(diverged, 0.0, values) for name, values in parts.items()}
            reward = sum(parts.values())
            store["rewards"][t] = reward
            store["terminated"][t], store["done"][t], store["valid"][t] = terminated, done, ~diverged

            happened = parts | {"rollout/reward": reward, "rollout/falls": terminated, "rollout/diverged": diverged}
            for name, values in happened.items():
                sums[name] = sums.get(name, 0.0) + values
            self.episode_length += 1
            if done.any():
                rows = np.flatnonzero(done)
                self.finished_seconds.extend(self.episode_length[rows] * CONTROL_SECONDS)
                self.episode_length[rows] = self.command_left[rows] = 0
                self._recover(rows, difficulty)
                self._retry(np.flatnonzero(terminated & ~diverged))
                task.begin(rows, envs.start)
        row = {name: float(np.mean(total)) / steps for name, total in sums.items()}
        if row["rollout/diverged"] > MAX_DIVERGED:
            raise ValueError(
                f"{row['rollout/diverged']:.2%} of the simulation steps diverged: "
                "lower push_speed or start from a sounder policy"
            )
        row["rollout/falls_per_minute"] = row.pop("rollout/falls") * 60 / CONTROL_SECONDS
        row["rollout/episode_seconds"] = float(np.mean(self.finished_seconds)) if self.finished_seconds else 0.0
        row["policy/std"] = float(policy.std.mean())
        rollout = {name: torch.from_numpy(value).to(device) for name, value in store.items()}
        return rollout | {"log_probs": log_density(noise, std)}, row

    def _renew_commands(self, difficulty: float) -> None:
        rows = np.flatnonzero(self.command_left <= 0)
        commands = sample_commands(self.rng, len(rows), difficulty)
        kind = self.rng.random(len(rows))
        fast = kind < self.args.run_share
        commands[fast] = fast_commands(self.rng, int(fast.sum()), difficulty)
        commands[kind > 1 - self.args.stand_share] = 0
        self.task.goals[rows] = commands
        self._time(rows)
        self.begun_qpos[rows], self.begun_qvel[rows] = self.envs.start.qpos[rows], self.envs.start.qvel[rows]
        self.command_left -= 1

    def _push(self, difficulty: float) -> None:
        rows = np.flatnonzero(self.push_left <= 0)
        direction = self.rng.uniform(0, 2 * math.pi, len(rows))
        speed = self.rng.uniform(0, self.args.push_speed * difficulty, len(rows))
        self.envs.push(
            rows, np.column_stack([speed * np.cos(direction), speed * np.sin(direction), np.zeros(len(rows))])
        )
        self.push_left[rows] = self.rng.integers(*PUSH_STEPS, len(rows))
        self.push_left -= 1

    def _recover(self, rows: np.ndarray, difficulty: float) -> None:
        """Let some of the bodies in `rows`, which start anew, start in mid-stride, or in a disturbed state of another
        body.

        From its usual start, with both feet side by side, a body on spherical feet tips over before it has learned to
        step.
        """
        kind = self.rng.random(len(rows))
        strides, others = rows[kind < self.args.stride_share], rows[kind > 1 - self.args.recovery_share]
        if len(strides):
            qpos, qvel = stride_poses(self.rng, len(strides))
            self.envs.set_state(strides, qpos, qvel)
            qpos[:, 2] -= (
                self.envs.start.feet[strides][..., 2].min(1) - FOOT_RADIUS
            )  # the lower foot touches the ground
            self.observations[strides] = self.envs.set_state(strides, qpos, qvel)
        upright = np.flatnonzero(uprightness(self.envs.start.qpos) > UPRIGHT)
        if len(others) and len(upright):
            models = self.rng.choice(upright, len(others))
            qpos, qvel = self.envs.start.qpos[models], self.envs.start.qvel[models]
            qvel += difficulty * self.rng.normal(0, RECOVERY_NOISE, qvel.shape)
            self.observations[others] = self.envs.set_state(others, qpos, qvel)

    def _retry(self, rows: np.ndarray) -> None:
        """Let some of the bodies in `rows`, which fell, try the same change of goal again: what is hard, like a stop
        from a run, is practiced until it is not.
        """
        rows = rows[self.rng.random(len(rows)) < self.args.retry_share]
        self.observations[rows] = self.envs.set_state(rows, self.begun_qpos[rows], self.begun_qvel[rows])
        self._time(rows)

    def _time(self, rows: np.ndarray) -> None:
        """Draw how long the bodies in `rows` have for their goals."""
        stands = ~moving(self.task.goals[rows])
        self.command_left[rows] = self.rng.integers(*COMMAND_STEPS, len(rows)) * np.where(stands, STAND_FACTOR, 1)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that the next rollout depends on, as arrays."""
        own = {
            "observations": self.observations,
            "command_left": self.command_left,
            "begun_qpos": self.begun_qpos,
            "begun_qvel": self.begun_qvel,
            "push_left": self.push_left,
            "episode_length": self.episode_length,
            "finished_seconds": np.array(self.finished_seconds),
            "generator": vector_env.generator_words(self.rng),
        }
        task = {f"task.{name}": value for name, value in self.task.memory.items()}
        return own | task | {f"envs.{name}": value for name, value in self.envs.state_dict().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        for name in ("observations", "command_left", "begun_qpos", "begun_qvel", "push_left", "episode_length"):
            setattr(self, name, state[name])
        self.finished_seconds = deque(state["finished_seconds"].tolist(), maxlen=self.finished_seconds.maxlen)
        self.rng = vector_env.generator_from_words(state["generator"])
        for name in self.task.memory:
            setattr(self.task, name, state[f"task.{name}"])
        self.envs.load_state_dict(
            {name.removeprefix("envs."): value for name, value in state.items() if name.startswith("envs.")}
        )


def update(
    args: Arguments,
    accelerator: Accelerator,
    policy: MotorPolicy,
    critic: Critic,
    optimizer: torch.optim.Adam,
    rollout: dict[str, Tensor],
    critic_only: bool,
) -> dict[str, float]:
    """Improve policy and critic on one rollout by clipped PPO (Schulman et al., 2017); returns what to log."""
    b = learning_batch(args, accelerator, policy, critic, rollout)
    returns, values = b["returns"], b.pop("values")
    explained = 1 - (returns - values).var() / returns.var()
    losses = compiled(minibatch_losses, policy.device.type) if args.compile else minibatch_losses
    parameters = [*policy.parameters(), *critic.parameters()]
    totals = dict.fromkeys(
        ("loss/policy", "loss/value", "policy/entropy", "policy/kl", "policy/clip_share", "policy/gradient_norm"), 0.0
    )
    count = skipped = 0
    minibatches = -(-args.batch_size // args.minibatch_size)  # as many in every process, however many steps are valid
    for _ in range(args.epochs):
        for rows in torch.randperm(len(returns), device=returns.device).tensor_split(minibatches):
            mb = {name: value[rows] for name, value in b.items()}
            policy_loss, value_loss, entropy, kl, share = losses(policy, critic, mb, args.clip_coefficient)
            loss = args.value_coefficient * value_loss
            if not critic_only:
                loss = loss + policy_loss - args.entropy_coefficient * entropy

            optimizer.zero_grad()
            loss.backward()
            average_gradients(parameters, accelerator)
            norm, critic_norm = (
                nn.utils.clip_grad_norm_(module.parameters(), args.max_grad_norm) for module in (policy, critic)
            )
            if not (norm + critic_norm).isfinite():  # all processes see it, because gradients are averaged
                skipped += 1
                continue
            optimizer.step()
            count += 1
            for name, value in zip(totals, (policy_loss, value_loss, entropy, kl, share, norm), strict=True):
                totals[name] += float(value.detach())
    row = {name: total / max(1, count) for name, total in totals.items()} | {"loss/skipped": skipped}
    return row | {"loss/explained_variance": float(explained)}


@torch.no_grad()
def learning_batch(
    args: Arguments, accelerator: Accelerator, policy: MotorPolicy, critic: Critic, rollout: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The valid steps of a rollout, each with its features, its advantage, and its return and value in units of the
    critic's scale, which follows the returns.
    """
    features, final = (policy.normalize(rollout[name]) for name in ("observations", "final_observations"))
    values = critic(critic_features(features, rollout["even"], rollout["odd"])) * critic.return_scale
    next_values = critic(critic_features(final, rollout["final_even"], rollout["final_odd"])) * critic.return_scale
    advantages = generalized_advantages(
        rollout["rewards"],
        values,
        next_values,
        rollout["terminated"],
        rollout["done"],
        gamma=args.gamma,
        lam=args.gae_lambda,
    )
    returns = advantages + values
    scale = accelerator.reduce(returns.std(), "mean")
    critic.return_scale.lerp_(scale, 0.05 if critic.return_scale != 1 else 1.0)

    b = {name: rollout[name] for name in ("actions", "log_probs", "commands", "phase", "even", "odd")}
    b |= {"even_features": features[0], "odd_features": features[1], "advantages": advantages}
    b |= {"returns": returns / critic.return_scale, "values": values / critic.return_scale}
    b = {name: value[rollout["valid"]] for name, value in b.items()}
    b["advantages"] = (b["advantages"] - b["advantages"].mean()) / (b["advantages"].std() + 1e-8)
    return b


def log_density(noise: Tensor, std: Tensor) -> Tensor:
    """Logarithm [...] of the density of actions that are `noise` [..., A] standard deviations `std` [A] off the
    mean.
    """
    return -noise.square().sum(-1) / 2 - (std.log() + math.log(2 * math.pi) / 2).sum()


def minibatch_losses(
    policy: MotorPolicy, critic: Critic, mb: dict[str, Tensor], clip_coefficient: float
) -> tuple[Tensor, ...]:
    """Losses of policy and critic on a minibatch, the entropy of the noise, and how far the policy has come from the
    one that acted: the KL divergence, and the share of the ratios that are clipped.
    """
    features = mb["even_features"], mb["odd_features"]
    mean, std = policy.from_features(features, mb["commands"], mb["phase"])
    log_ratio = log_density((mb["actions"] - mean) / std, std) - mb["log_probs"]
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_coefficient, 1 + clip_coefficient)
    policy_loss = -torch.minimum(ratio * mb["advantages"], clipped * mb["advantages"]).mean()
    value_loss = (critic(critic_features(features, mb["even"], mb["odd"])) - mb["returns"]).square().mean()
    entropy = (std.log() + math.log(2 * math.pi * math.e) / 2).sum()
    kl = ((ratio - 1) - log_ratio).detach().mean()  # Schulman's low-variance estimate
    share = ((ratio - 1).abs() > clip_coefficient).float().mean()
    return policy_loss, value_loss, entropy, kl, share


@functools.cache
def compiled(function: Callable, device_type: str) -> Callable:
    """The function as fused kernels; on a GPU launched at once, as a CUDA graph."""
    return torch.compile(function, mode="reduce-overhead" if device_type == "cuda" else "default")


def stop_with(rollout: dict[str, Tensor], args: Arguments, accelerator: Accelerator) -> NoReturn:
    """Keep the rollout whose gradients are not finite for a look at it, and end the run."""
    path = Path(args.output_dir) / "not_finite.safetensors"
    if accelerator.is_main_process:
        save_file({name: value.contiguous().cpu() for name, value in rollout.items()}, path)
    raise ValueError(
        f"the gradients of more than {MAX_SKIPPED} minibatches were not finite: look at {path}, "
        "then start anew, --init_from what is the best so far, with a lower learning_rate_max"
    )


def critic_features(features: Pair, even: Tensor, odd: Tensor) -> Pair:
    return torch.cat([features[0], even], dim=-1), torch.cat([features[1], odd], dim=-1)


def generalized_advantages(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, done: Tensor, *, gamma: float, lam: float
) -> Tensor:
    """Advantages [T, N] of a rollout. A fall removes the future; a time limit only ends the sum (Schulman et al.,
    2016).
    """
    advantages = rewards + gamma * next_values * ~terminated - values
    decay = gamma * lam * ~done
    for t in reversed(range(len(rewards) - 1)):
        advantages[t] += decay[t] * advantages[t + 1]
    return advantages


def average(accelerator: Accelerator, row: dict[str, float]) -> dict[str, float]:
    """The means of a row over all processes."""
    means = accelerator.reduce(torch.tensor([*row.values()], device=accelerator.device), "mean")
    return dict(zip(row, means.tolist(), strict=True))


def average_gradients(parameters: list[nn.Parameter], accelerator: Accelerator) -> None:
    """Replace the gradients by their mean over all processes."""
    if accelerator.num_processes == 1:
        return
    used = [parameter.grad for parameter in parameters if parameter.grad is not None]
    mean = accelerator.reduce(torch.cat([gradient.flatten() for gradient in used]), "mean")
    for gradient, part in zip(used, mean.split([gradient.numel() for gradient in used]), strict=True):
        gradient.copy_(part.view_as(gradient))


def annealed_kl(args: Arguments, step: int) -> float:
    """The change per update to aim for at a step of the run: from target_kl down to last_kl."""
    return args.target_kl + (args.last_kl - args.target_kl) * min(1.0, step / args.total_steps)


def adapt_learning_rate(args: Arguments, optimizer: torch.optim.Adam, kl: float, target: float) -> None:
    """Keep the change per update near the target: faster well below it, slower well beyond it."""
    factor = 1 / 1.2 if kl > 1.5 * target else 1.2 if kl < target / 1.5 else 1.0
    group = optimizer.param_groups[0]
    group["lr"] = min(max(group["lr"] * factor, args.learning_rate_min), args.learning_rate_max)


def update_statistics(accelerator: Accelerator, policy: MotorPolicy, rollout: dict[str, Tensor]) -> None:
    """Merge the observations of all processes into the policy's running statistics."""
    observations = rollout["observations"].flatten(0, 1)
    even, odd = observations @ policy.even_basis.T, observations @ policy.odd_basis.T
    moments = accelerator.reduce(torch.cat([even.sum(0), even.square().sum(0), odd.square().sum(0)]), "sum")
    split = moments.split([even.shape[1], even.shape[1], odd.shape[1]])
    policy.update_statistics(torch.stack(split[:2]), split[2], len(observations) * accelerator.num_processes)


def widen(difficulty: float, row: dict[str, float], args: Arguments) -> float:
    """Widen the region of commands while the ones inside it are followed well and without falling."""
    if args.reward == "native":
        return difficulty
    followed = row["reward/tracking"] > 0.55 * args.tracking_weight and row["rollout/falls_per_minute"] < 6
    return min(1.0, difficulty + 0.005 * followed)


def evaluate(policy: MotorPolicy, args: Arguments) -> dict:
    """The commands suite, a few episodes of each; with the native reward ten episodes of Humanoid-v5 as others play
    it.
    """
    if args.reward == "native":
        return measure_native(policy, episodes=10, seed=args.seed)
    return measure_commands(policy, COMMANDS, episodes=2, seed=args.seed)


def score(args: Arguments, mean: dict[str, float | None]) -> float:
    """How good an evaluation is, the greater the better."""
    if args.reward == "native":
        return mean["humanoid_return"]
    return score_commands(mean)


def keep_if_best(policy: MotorPolicy, critic: Critic, args: Arguments, progress: dict) -> dict[str, float]:
    """Evaluate the policy, publish it where it is the best so far, and return what to log."""
    evaluation = evaluate(policy, args)
    mean = evaluation["mean"]
    if progress["best_score"] is None or score(args, mean) > progress["best_score"]:
        progress["best_score"], progress["best"] = score(args, mean), mean
        publish(policy, critic, args, evaluation, progress)
    return {f"evaluation/{name}": value for name, value in mean.items() if value is not None}


def publish(policy: MotorPolicy, critic: Critic, args: Arguments, evaluation: dict, progress: dict) -> None:
    """Save the policy, with its critic and its card, as the best so far."""
    policy.save_pretrained(args.output_dir)
    with runs.placing(Path(args.output_dir) / CRITIC.parent) as beside:
        save_file(critic.state_dict(), beside / CRITIC.name)
    rows, mean = evaluation["rows"], evaluation["mean"]
    columns = [name for name in rows[0] if name != "episodes"]
    returns = [row["humanoid_return"] for row in rows]
    results = {name: value for name, value in mean.items() if name not in ("episodes", "humanoid_return")}
    results["mean_reward"] = f"{np.mean(returns):.2f} +/- {np.std(returns):.2f}"
    cells = [[row.get(name, "") for name in columns] for row in (mean | {columns[0]: "mean"}, *rows)]
    name = args.push_to_hub or Path(args.output_dir).name
    stage = "goal-conditioned" if args.goal_conditioned else "goal-blind"
    what, use, said, limits = (
        (NATIVE_WHAT, NATIVE_USE, NATIVE_RESULTS, NATIVE_LIMITS)
        if args.reward == "native"
        else (WHAT, USE, RESULTS, LIMITS)
    )
    card = cards.Card(
        data=cards.model_data(name, results, tags=("ppo",)),
        title="Motor policy for Humanoid-v5",
        what=what.format(stage=stage, steps=progress["step"], hours=progress["seconds"] / 3600),
        use=use.format(name=name),
        results=said.format(episodes=rows[0].get("episodes"), table=cards.table([columns, *cells])),
        limits=limits,
    )
    cards.write_card(Path(args.output_dir), card, runs.read_json(Path(args.output_dir) / runs.PROVENANCE))


WHAT = """
A mirror-symmetric Gaussian policy: heading-frame observation [45] and velocity command in, 17 torques out.
Trained {stage} by PPO: {steps:,} steps in {hours:.2f} hours. `curves.png` shows the training.
"""
USE = """
from agent import Goal, MotorPolicy, make_env

policy, env = MotorPolicy.from_pretrained("{name}"), make_env()
policy.prompt(Goal(1.0, 0.0, 0.4))
observation, _ = env.reset(seed=0)
for _ in range(1000):
    observation, *_ = env.step(policy.act(observation))
"""
RESULTS = """
Per command {episodes} episodes of 1,000 steps with the deterministic policy. Errors are mean absolute differences
between the command and the velocity averaged over a sliding second (m/s and rad/s); survival is the share of steps
before a fall. The reward is Humanoid-v5's own, its deviation the one between commands.

{table}
"""
LIMITS = """
It walks on flat ground and sees nothing; commands are velocities. It is a simulation: nothing here has seen a robot.
"""
NATIVE_WHAT = """
A Gaussian policy for Humanoid-v5's own reward: its observation [45], without the `include_*` parts, in, 17 torques
out. The gait's clock stands still. Trained by PPO: {steps:,} steps in {hours:.2f} hours. `curves.png` shows the
training.
"""
NATIVE_USE = """
import gymnasium

from agent import MotorPolicy
from agent.simulation.env import HUMANOID

policy, env = MotorPolicy.from_pretrained("{name}"), gymnasium.make("Humanoid-v5", **HUMANOID)
observation, _ = env.reset(seed=0)
for _ in range(1000):
    observation, *_ = env.step(policy.act(observation))
"""
NATIVE_RESULTS = """
Per episode of 1,000 steps with the deterministic policy, `evaluate.py --actor policy --suite native`: the share of it
before a fall, the speed along the world's x axis (m/s), and the sum of Humanoid-v5's rewards.

{table}
"""
NATIVE_LIMITS = """
It goes ahead, and follows no goals. It is a simulation: nothing here has seen a robot.
"""


def save_checkpoint(
    folder: Path,
    accelerator: Accelerator,
    policy: MotorPolicy,
    average_policy: AveragedModel,
    critic: Critic,
    optimizer: torch.optim.Adam,
    collector: Collector,
    progress: dict,
) -> None:
    """Write all that --resume needs, the bodies of every process too; the folder appears when all of it is there."""
    own = {f"collector.{name}": np.ascontiguousarray(value) for name, value in collector.state_dict().items()}
    own["torch_generator"] = torch.get_rng_state().numpy()
    if accelerator.device.type == "cuda":
        own["cuda_generator"] = torch.cuda.get_rng_state().numpy()
    processes = gather_object([own])
    if not accelerator.is_main_process:
        return
    models = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    models |= {f"average.{name}": value for name, value in average_policy.state_dict().items()}
    models |= {f"critic.{name}": value for name, value in critic.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        models |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    size = sum(value.nbytes for arrays in (models, *processes) for value in arrays.values())
    with runs.replacing(folder, size) as beside:
        beside.mkdir()
        for index, arrays in enumerate(processes):
            save_arrays(arrays, beside / f"process_{index}.safetensors")
        save_file({name: value.contiguous() for name, value in models.items()}, beside / "models.safetensors")
        runs.write_json(beside / "progress.json", progress | {"learning_rate": optimizer.param_groups[0]["lr"]})


def find_checkpoint(args: Arguments, folder: Path) -> Path:
    """The last whole checkpoint of a run. Raises ValueError where there is none, or the arguments are others."""
    found = runs.newest(folder)
    if found is None:
        raise ValueError(f"no checkpoint in {folder}: start without --resume")
    runs.check_resume(args.output_dir, args, FREE)
    return found


def load_checkpoint(
    folder: Path,
    accelerator: Accelerator,
    policy: MotorPolicy,
    average_policy: AveragedModel,
    critic: Critic,
    optimizer: torch.optim.Adam,
    collector: Collector,
) -> None:
    """Put everything back as `save_checkpoint` found it."""
    models = load_file(folder / "models.safetensors", device=str(accelerator.device))
    for prefix, module in (("policy.", policy), ("average.", average_policy), ("critic.", critic)):
        module.load_state_dict(
            {name.removeprefix(prefix): value for name, value in models.items() if name.startswith(prefix)}
        )
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in models.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".")
            state.setdefault(int(index), {})[entry] = value
    groups = optimizer.state_dict()["param_groups"]
    groups[0]["lr"] = runs.read_json(folder / "progress.json")["learning_rate"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    tensors = load_file(folder / f"process_{accelerator.process_index}.safetensors")
    torch.set_rng_state(tensors.pop("torch_generator"))
    cuda_generator = tensors.pop("cuda_generator", None)
    if cuda_generator is not None and accelerator.device.type == "cuda":  # what it runs on may have changed
        torch.cuda.set_rng_state(cuda_generator)
    collector.load_state_dict({name.removeprefix("collector."): value.numpy() for name, value in tensors.items()})


if __name__ == "__main__":
    arguments.run(main, Arguments)

"""Train a motor policy with PPO: first goal-blind under randomized goals, then goal-conditioned.

Reads   nothing, or a MotorPolicy to continue from (--init_from)
Writes  a MotorPolicy                            (collect_dataset.py, evaluate.py)

    python pretrain_ppo.py --config configs/ppo/blind.yaml --output_dir runs/blind
    python pretrain_ppo.py --config configs/ppo/humanoid.yaml --init_from runs/blind --output_dir runs/ppo
    python pretrain_ppo.py --config configs/ppo/humanoid_postures.yaml --init_from runs/ppo --output_dir runs/postures

The first command is optional. configs/ppo/ also has the runs after the third one, those of the G1, and one for
Gymnasium's own reward.

The output folder holds the best policy by evaluation, with its critic; --init_from loads both. last/ holds the newest
policy. checkpoint/ holds what --resume continues from.

What differs from CleanRL's ppo_continuous_action.py:
- The learning rate of the policy adapts to the KL divergence, as in rsl_rl, and no epoch ends early.
- Policy and critic have an optimizer group and a gradient norm of their own. The value loss is not clipped, and its
  targets are in units of the standard deviation of the returns.
- The value after a step is that of the state under the same command, before the next goal, shove or restart.
- There is no entropy bonus. Advantages are normalized once per rollout, in each process.
- The critic also sees the state of the reward: heights of the feet, smoothed errors, clocks (GoalTask.features).
- Both networks treat left and right alike (agent/models/mirror.py).
- What is evaluated and saved is an exponential moving average of the policy's weights.

Shapes: T steps of a rollout, N parallel bodies, S body state, C = 5 command, A actions. Features are pairs of an even
and an odd part under mirroring. `b` is the batch of a rollout, `mb` a minibatch of it.
"""

import copy
import functools
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from agent.artefacts import arguments, cards, checkpoints, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import BODIES, find_body
from agent.evaluation.suites import score_policy
from agent.models.motor_policy import CRITIC, Critic, MotorPolicy, MotorPolicyConfig
from agent.simulation.curriculum import Curriculum
from agent.simulation.env import env_id
from agent.simulation.task import RewardWeights
from agent.simulation.vector_env import MAX_DIVERGED, MAX_EPISODE_STEPS, GoalVectorEnv
from agent.simulation.video import film

MAX_SKIPPED = 10  # minibatches with a non-finite gradient that a run may skip
# Arguments that may differ when a run is resumed: its length, its reports, its hardware, and the physics it trains in.
FREE = {"init_from", "total_steps", "num_threads", "compile", "training_model", "evaluate_every", "checkpoint_every"}
FREE |= arguments.ALWAYS_FREE
# Settings of the env's random goals, starts and shoves.
DRAWN = (
    *("run_share", "sidestep_share", "skill_share", "stand_share", "low_share", "arms_share"),
    *("stride_share", "recovery_share", "retry_share", "push_speed"),
)


@strict
@dataclass
class Arguments(RewardWeights, arguments.TrainingArguments):
    output_dir: str = option("runs/ppo", "folder of the policy, its checkpoint and its curves")
    init_from: str = option("", "folder or Hub repo of a MotorPolicy to start from")
    resume: bool = option(False, "continue from the checkpoint in output_dir")
    seed: int = 0

    body: str = option("humanoid", f"robot to train, one of {', '.join(BODIES)}")
    reward: str = option("goal", "goal: follow commands; native: the reward of Gymnasium's own env of this robot")
    goal_conditioned: bool = option(True, "false: goal-blind pretraining under randomized goals")
    difficulty: float = option(0.3, "initial share of the trained region that commands are drawn from")
    run_share: float = option(0.0, "share of the goals other than named skills that are runs")
    sidestep_share: float = option(
        0.0, "share of the goals other than named skills that are sidesteps, in addition to those in the general mix"
    )
    skill_share: float = option(0.0, "share of the goals that are named skills, each at one of its speeds")
    stand_share: float = option(
        0.0, "share of the goals other than named skills that are standing, in addition to those in the general mix"
    )
    low_share: float = option(0.0, "share of the goals in a crouch")
    arms_share: float = option(0.0, "share of the goals with an arm pose")
    push_speed: float = option(0.5, "m/s, maximum of the occasional shoves, at full difficulty")
    stride_share: float = option(0.2, "share of episodes that start in mid-stride")
    recovery_share: float = option(0.1, "share of episodes that start from another body's state, disturbed")
    retry_share: float = option(0.5, "share of the falls after which the last goal is retried from its start")
    max_episode_steps: int = option(MAX_EPISODE_STEPS, "episode length; a shorter one practices starts more often")
    start_crouch: bool = option(
        False, "initialize the crouch of an init_from that has none, with the effect of its body's crouch_offset"
    )
    assist: float = option(0.0, "initial strength, 0 to 1, of forces that help to crouch; fades while falls are rare")
    kickstart_weight: float = option(
        0.0, "weight of a KL penalty toward the initial policy, on commands without a crouch or an arm pose"
    )
    initial_share: float = option(0.0, "share of the weights of init_from in the policy that is evaluated and saved")
    widths: list[int] = field(
        default_factory=lambda: [128, 128, 64],
        metadata={"help": "pairs of units in each hidden layer of a new policy"},
    )

    total_steps: int = 20_000_000
    num_envs: int = 256
    num_threads: int = option(0, "threads that step the physics; 0: this process's share of the cores")
    compile: bool = option(False, "use torch.compile to act and learn, with CUDA graphs on a GPU; takes a minute")
    training_model: bool = option(False, "train in the body's cheaper simulation model, which evaluations never use")
    rollout_steps: int = 32
    epochs: int = 3
    minibatch_size: int = 2048
    learning_rate: float = option(5e-4, "initial, of the policy; it adapts to target_kl")
    critic_learning_rate: float = 1e-3
    learning_rate_min: float = 2e-4
    learning_rate_max: float = 3e-3
    target_kl: float = option(
        0.04, "the learning rate adapts to keep the KL of an update near this (rsl_rl: desired_kl)"
    )
    last_kl: float = option(0.01, "value that target_kl falls to by the end of the run")
    average_decay: float = option(0.98, "decay per update of the average of the weights, which is evaluated and saved")
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_coefficient: float = 0.2
    max_grad_norm: float = 1.0
    critic_updates: int = option(0, "updates at the start that train only the critic, as after a change of the reward")
    first_std: float = option(0.0, "initial exploration noise; 0: that of init_from, or 0.35")
    evaluate_every: int = option(
        100, "updates between evaluations on the commands suite (and postures, if trained) or the native suite"
    )
    checkpoint_every: int = option(20, "updates between checkpoints")

    def validate_numbers(self):
        arguments.check_counts(
            self,
            *("total_steps", "num_envs", "rollout_steps", "epochs", "minibatch_size"),
            *("max_episode_steps", "evaluate_every", "checkpoint_every"),
        )
        if self.batch_size < 2:
            raise ValueError("num_envs=1 with rollout_steps=1 is one step per update: give more of either")
        arguments.check_shares(self, "difficulty", "assist", "gamma", "gae_lambda", "initial_share")
        self.curriculum  # noqa: B018  it checks its own numbers
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths={self.widths} must be one or more numbers of at least 1")
        if not 0 < self.learning_rate_min <= self.learning_rate <= self.learning_rate_max:
            raise ValueError(
                f"learning_rate={self.learning_rate} must be from learning_rate_min={self.learning_rate_min} to "
                f"learning_rate_max={self.learning_rate_max}"
            )
        if not 0 < self.last_kl <= self.target_kl:
            raise ValueError(f"last_kl={self.last_kl} must be above 0 and at most target_kl={self.target_kl}")
        arguments.check_decay(self)

    def validate_choices(self):
        body = find_body(self.body)
        if self.smoothing_seconds < body.control_seconds:
            raise ValueError(
                f"smoothing_seconds={self.smoothing_seconds} must be at least a control step of body {body.name}, "
                f"{body.control_seconds:g} s"
            )
        if self.reward not in ("goal", "native"):
            raise ValueError(f"reward={self.reward!r} is unknown: choose goal or native")
        if self.reward == "native" and self.goal_conditioned:
            raise ValueError("reward=native has no goals: give --config configs/ppo/native.yaml")
        for share, choices in (("low_share", body.heights), ("arms_share", body.arms)):
            if getattr(self, share) and len(choices) == 1:
                raise ValueError(f"{share} must be 0 for body {self.body}, which knows only {choices[0]}")
        if self.start_crouch and not body.crouch_offset:
            raise ValueError(
                f"start_crouch={self.start_crouch} needs a crouch_offset, which body {body.name} lacks: leave it out"
            )
        if self.resume and self.init_from:
            raise ValueError("--resume goes on from output_dir and --init_from starts anew: give one of them")

    def validate_compile(self):
        on_gpu = torch.cuda.is_available()
        compiler = os.environ.get("CC", "gcc") if on_gpu else os.environ.get("CXX", "g++")  # the one that torch calls
        if self.compile and not shutil.which(compiler):
            raise ValueError(f"compile={self.compile} needs the compiler {compiler}: install it, or leave it out")

    @property
    def curriculum(self) -> Curriculum:
        return Curriculum(**{name: getattr(self, name) for name in DRAWN})

    @property
    def frame(self) -> str:
        """Frame of the observations: the native reward is for motion along the world's x axis."""
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
    for name in ("start_crouch", "initial_share", "kickstart_weight"):
        if getattr(args, name) and not (source or args.resume):
            raise ValueError(f"{name}={getattr(args, name)} is about a trained policy: give --init_from")
    checkpoint = Path(args.output_dir) / checkpoints.FOLDER
    found = checkpoints.find(args.output_dir, args, FREE) if args.resume else None
    progress: dict = runs.read_json(found / "progress.json") if found else {}
    policy, critic = build_models(args, accelerator.device, source, progress.get("widths"))
    average_policy = AveragedModel(policy, multi_avg_fn=get_ema_multi_avg_fn(args.average_decay))
    first_policy = copy.deepcopy(policy).requires_grad_(False)
    modules = {"policy": policy, "average": average_policy, "critic": critic}
    if args.kickstart_weight or args.initial_share:
        modules["first"] = first_policy
    rates = (policy, args.learning_rate), (critic, args.critic_learning_rate)
    groups = [{"params": model.parameters(), "lr": rate} for model, rate in rates]
    optimizer = torch.optim.Adam(groups, eps=1e-5, fused=True)
    rank_seed = args.seed + args.num_envs * accelerator.process_index  # body i of a process has the seed plus i
    set_seed(rank_seed)  # different starts, goals and noise in each
    envs = build_envs(args, rank_seed)
    if found:
        checkpoints.load(found, accelerator, modules, optimizer, envs)
    else:
        progress = {"update": 0, "step": 0, "skipped": 0, "seconds": 0.0}
        progress.update(best_score=None, best={}, widths=policy.config.widths)
    torch.set_num_threads(1)  # the cores are for the physics threads, except in an update
    if accelerator.is_main_process:
        metrics = runs.Metrics(args.output_dir, progress["step"] if found else None)
        if not args.resume:
            runs.discard(Path(args.output_dir), checkpoints.FOLDER)  # from a different run
            upstream = {"init_from": hub.origin(args.init_from, source)} if source else None
            runs.record_provenance(args.output_dir, args, upstream)
        if args.init_from:
            # The policy that the training starts from is the one to beat.
            metrics.add(0, keep_if_best(policy, critic, args, progress))
    accelerator.init_trackers("ppo", config=vars(args) | {"widths": " ".join(map(str, args.widths))})

    batch_steps = args.batch_size * accelerator.num_processes
    bar = tqdm(
        total=args.total_steps,
        initial=progress["step"],
        unit="step",
        unit_scale=True,
        disable=None if accelerator.is_main_process else True,
    )
    with runs.interruptible() as interruption:
        while progress["step"] < args.total_steps:
            started = time.perf_counter()
            rollout, happened = collect(args, envs, policy)
            collected = time.perf_counter()
            torch.set_num_threads(envs.num_threads)
            if args.kickstart_weight:
                rollout |= kickstart(first_policy, rollout, args)
            critic_only = progress["update"] < args.critic_updates
            learned = update(args, accelerator, policy, critic, optimizer, rollout, critic_only)
            torch.set_num_threads(1)
            row = mean_over_processes(accelerator, happened | learned)  # all processes decide alike
            policy.update_statistics(accelerator.reduce(policy.moments(rollout["observations"]), "sum"))
            if not critic_only and not row["loss/skipped"]:
                average_policy.update_parameters(policy)
                adapt_learning_rate(args, optimizer, row["policy/kl"], progress["step"])
            progress["skipped"] += int(row["loss/skipped"])
            if progress["skipped"] > MAX_SKIPPED:
                raise ValueError(
                    f"the gradients of more than {MAX_SKIPPED} minibatches were not finite: start again, --init_from "
                    "the best policy so far, with a lower learning_rate_max"
                )
            progress["update"] += 1
            progress["step"] += batch_steps
            progress["seconds"] += time.perf_counter() - started
            if args.reward == "goal":
                envs.adapt(row["reward/tracking"], row["rollout/falls_per_minute"])
            row |= {
                "curriculum/difficulty": envs.difficulty,
                "curriculum/assist": envs.assist,
                "policy/learning_rate": optimizer.param_groups[0]["lr"],
                "time/steps_per_second": batch_steps / (time.perf_counter() - started),
                "time/update_share": (time.perf_counter() - collected) / (time.perf_counter() - started),
                "time/hours": progress["seconds"] / 3600,
            }
            done = progress["step"] >= args.total_steps
            evaluated = done or progress["update"] % args.evaluate_every == 0
            if accelerator.is_main_process and evaluated:
                averaged = interpolate(cast(MotorPolicy, average_policy.module), first_policy, args.initial_share)
                row |= keep_if_best(averaged, critic, args, progress)
            accelerator.log(row, step=progress["step"])
            if accelerator.is_main_process:
                metrics.add(progress["step"], row)
                if evaluated:
                    metrics.draw()
            interrupted = max(gather_object([interruption.signal]))
            if done or interrupted or progress["update"] % args.checkpoint_every == 0:
                checkpoints.save(checkpoint, accelerator, modules, optimizer, envs, progress)
            bar.update(batch_steps)
            bar.set_postfix_str(f"reward {row['rollout/reward']:.2f}, episode {row['rollout/episode_seconds']:.1f} s")
            if interrupted:
                bar.close()
                raise SystemExit(128 + interrupted)
    bar.close()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        finish(args, progress)
    accelerator.end_training()


def build_models(
    args: Arguments, device: torch.device, source: Path | None = None, widths: list[int] | None = None
) -> tuple[MotorPolicy, Critic]:
    """The policy and the critic from the folder `source`, or new ones with `widths`, by default args.widths."""
    if source:
        policy = MotorPolicy.from_pretrained(source)
        for name in ("body", "frame"):
            found, asked = getattr(policy.config, name), getattr(args, name)
            if found != asked:
                raise ValueError(f"{args.init_from} has {name}={found}, this run {asked}: give another --init_from")
        policy.config.goal_conditioned = args.goal_conditioned
        if args.start_crouch:
            policy.start_crouch()
    else:
        widths = widths or args.widths
        policy = MotorPolicy(
            MotorPolicyConfig(body=args.body, widths=widths, goal_conditioned=args.goal_conditioned, frame=args.frame)
        )
    if args.first_std:
        policy.set_std(args.first_std)
    critic = Critic(policy.config)
    if source and (source / CRITIC).is_file():
        critic.load(source / CRITIC, args.init_from)
    return policy.to(device), critic.to(device)


def build_envs(args: Arguments, seed: int) -> GoalVectorEnv:
    """The training envs, at random times of their episodes, so that they do not all reach the time limit at once."""
    envs = GoalVectorEnv(
        args.num_envs,
        args.num_threads or None,
        args.body,
        args.max_episode_steps,
        reward=args.reward,
        frame=args.frame,
        training_model=args.training_model,
        curriculum=args.curriculum if args.reward == "goal" else None,
        weights=args,
        privileged=True,
    )
    envs.difficulty, envs.assist = args.difficulty, args.assist
    envs.reset(seed=seed)
    envs.episode_steps[:] = np.random.default_rng(seed).integers(0, envs.max_episode_steps, args.num_envs)
    return envs


@torch.no_grad()
def collect(args: Arguments, envs: GoalVectorEnv, policy: MotorPolicy) -> tuple[dict[str, Tensor], dict[str, float]]:
    """One rollout: tensors [T, N, ...], and means to log."""
    device, state_size = policy.device, envs.body.observation_size
    act = compiled(MotorPolicy.forward, device.type) if args.compile else MotorPolicy.forward
    std, noise = policy.std, torch.randn(args.rollout_steps, envs.num_envs, envs.body.action_size, device=device)
    rows: list[dict[str, np.ndarray]] = []
    happened: list[dict[str, np.ndarray]] = []  # [N] each
    lengths: list[int] = []  # of the episodes that end; if none does, those that go on are averaged
    observations = envs.observe()
    for t in range(args.rollout_steps):
        state, commands = np.split(observations, [state_size], axis=1)
        phase = envs.phase.astype(np.float32)  # of the gait clock
        even, odd = envs.privileged  # what only the critic sees
        seen = (torch.from_numpy(each).to(device) for each in (state, commands, phase))
        actions = (act(policy, *seen)[0] + std * noise[t]).cpu().numpy()
        steps = envs.episode_steps + 1

        observations, rewards, terminated, truncated, info = envs.step(envs.body.to_control(actions))
        done, diverged, (next_even, next_odd) = terminated | truncated, info["diverged"], info["final_privileged"]
        lengths += steps[done].tolist()
        row = {"observations": state, "commands": commands, "phase": phase, "critic_even": even, "critic_odd": odd}
        row |= {"actions": actions, "rewards": rewards.astype(np.float32)}
        row |= {"terminated": terminated, "done": done, "valid": ~diverged}
        row |= {"next_observations": info["final_obs"][:, :state_size]}
        rows.append(row | {"next_critic_even": next_even, "next_critic_odd": next_odd})
        parts = {name.replace("_", "/", 1): values for name, values in info.items() if name.startswith("reward_")}
        happened.append(parts | {"rollout/reward": rewards, "rollout/falls": terminated, "rollout/diverged": diverged})
    means = {name: float(np.mean([each[name] for each in happened])) for name in happened[0]}
    if means["rollout/diverged"] > MAX_DIVERGED:
        raise ValueError(
            f"{means['rollout/diverged']:.2%} of the simulation steps diverged: "
            "lower push_speed or start from a sounder policy"
        )
    means["rollout/falls_per_minute"] = means.pop("rollout/falls") * 60 / envs.body.control_seconds
    means["rollout/episode_seconds"] = float(np.mean(lengths or envs.episode_steps)) * envs.body.control_seconds
    means["policy/std"] = float(std.mean())
    rollout = {name: torch.from_numpy(np.stack([row[name] for row in rows])).to(device) for name in rows[0]}
    return rollout | {"log_probs": log_density(noise, std)}, means


@torch.no_grad()
def kickstart(first_policy: MotorPolicy, rollout: dict[str, Tensor], args: Arguments) -> dict[str, Tensor]:
    """Actions [T, N, A] of the initial policy, and their weights [T, N], which are 0 on commands with a posture that
    it has yet to learn (kickstarting: Schmitt et al., 2018, arXiv:1803.03835).
    """
    mean, _ = first_policy(rollout["observations"], rollout["commands"], rollout["phase"])
    _, _, _, low, arms = rollout["commands"].unbind(-1)
    return {"first_actions": mean, "first_weight": args.kickstart_weight * ((low == 0) & (arms == 0))}


def generalized_advantages(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, done: Tensor, gamma: float, lam: float
) -> Tensor:
    """Advantages [T, N] of a rollout. Values are bootstrapped at time limits, but not after falls (Schulman et al.,
    2016).
    """
    advantages = rewards + gamma * next_values * ~terminated - values
    decay = gamma * lam * ~done
    for t in reversed(range(len(rewards) - 1)):
        advantages[t] += decay[t] * advantages[t + 1]
    return advantages


@torch.no_grad()
def learning_batch(
    args: Arguments, accelerator: Accelerator, policy: MotorPolicy, critic: Critic, rollout: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The valid steps of a rollout with their features, advantages, returns and values. Returns and values are in
    units of the critic's scale, which follows the standard deviation of the returns.
    """
    rewards, terminated, done = (rollout[name] for name in ("rewards", "terminated", "done"))
    features, next_features = (policy.normalize(rollout[name]) for name in ("observations", "next_observations"))
    values = critic(features, rollout["critic_even"], rollout["critic_odd"]) * critic.return_scale
    # Under the same command, and before any restart: that the command moves toward its goal, or a shove, is no effect
    # of the action, and would only add variance.
    next_values = critic(next_features, rollout["next_critic_even"], rollout["next_critic_odd"]) * critic.return_scale
    advantages = generalized_advantages(rewards, values, next_values, terminated, done, args.gamma, args.gae_lambda)
    returns = advantages + values
    critic.follow_returns(accelerator.reduce(returns.std(), "mean"))

    kept = "actions", "log_probs", "commands", "phase", "critic_even", "critic_odd", "first_actions", "first_weight"
    b = {name: rollout[name] for name in kept if name in rollout}
    b |= {"even_features": features[0], "odd_features": features[1], "advantages": advantages}
    b |= {"returns": returns / critic.return_scale, "values": values / critic.return_scale}
    b = {name: rows[rollout["valid"]] for name, rows in b.items()}  # a step that diverged ended its episode
    b["advantages"] = (b["advantages"] - b["advantages"].mean()) / (b["advantages"].std() + 1e-8)
    return b


def log_density(noise: Tensor, std: Tensor) -> Tensor:
    """Log density [...] of actions that are `noise` [..., A] standard deviations `std` [A] from the mean."""
    return -noise.square().sum(-1) / 2 - (std.log() + math.log(2 * math.pi) / 2).sum()


def minibatch_losses(
    policy: MotorPolicy, critic: Critic, mb: dict[str, Tensor], clip_coefficient: float
) -> dict[str, Tensor]:
    """Losses of policy, critic and kickstarting on a minibatch. For the log, also the entropy of the noise, the KL
    divergence from the policy that acted, and the share of clipped ratios.
    """
    features = mb["even_features"], mb["odd_features"]
    mean, std = policy.from_features(features, mb["commands"], mb["phase"])
    log_ratio = log_density((mb["actions"] - mean) / std, std) - mb["log_probs"]
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_coefficient, 1 + clip_coefficient)
    value_error = critic(features, mb["critic_even"], mb["critic_odd"]) - mb["returns"]
    kickstart_loss = torch.zeros_like(ratio)
    if "first_actions" in mb:
        divergence = ((mean - mb["first_actions"]) / std.detach()).square().sum(-1) / 2
        kickstart_loss = mb["first_weight"] * divergence
    return {
        "loss/policy": -torch.minimum(ratio * mb["advantages"], clipped * mb["advantages"]).mean(),
        "loss/value": value_error.square().mean(),
        "loss/kickstart": kickstart_loss.mean(),
        "policy/entropy": (std.log() + math.log(2 * math.pi * math.e) / 2).sum(),
        "policy/kl": ((ratio - 1) - log_ratio).detach().mean(),  # Schulman's low-variance estimate
        "policy/clip_share": ((ratio - 1).abs() > clip_coefficient).float().mean(),
    }


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
    rows: list[dict[str, float]] = []
    skipped = 0
    minibatches = -(-args.batch_size // args.minibatch_size)  # the same in every process, however many steps are valid
    for _ in range(args.epochs):
        for mb_indices in torch.randperm(len(returns), device=returns.device).tensor_split(minibatches):
            mb = {name: value[mb_indices] for name, value in b.items()}
            computed = losses(policy, critic, mb, args.clip_coefficient)
            loss = computed["loss/value"]
            if not critic_only:
                loss = loss + computed["loss/policy"] + computed["loss/kickstart"]
            optimizer.zero_grad()
            loss.backward()
            average_gradients(parameters, accelerator)
            norm, critic_norm = (
                nn.utils.clip_grad_norm_(module.parameters(), args.max_grad_norm) for module in (policy, critic)
            )
            if (norm + critic_norm).isfinite():  # the same in all processes, because gradients are averaged
                optimizer.step()
                rows.append({name: float(value.detach()) for name, value in computed.items()})
                rows[-1]["policy/gradient_norm"] = float(norm)
            else:
                skipped += 1
    names = (*computed, "policy/gradient_norm")
    row = {name: sum(each[name] for each in rows) / max(1, len(rows)) for name in names}
    return row | {"loss/skipped": skipped, "loss/explained_variance": float(explained)}


@functools.cache
def compiled(function: Callable, device_type: str) -> Callable:
    """The function compiled to fused kernels; on a GPU launched as one CUDA graph."""
    return torch.compile(function, mode="reduce-overhead" if device_type == "cuda" else "default")


@torch.no_grad()
def interpolate(policy: MotorPolicy, first_policy: MotorPolicy, initial_share: float) -> MotorPolicy:
    """A policy between the two: `initial_share` of its weights and statistics are those of `first_policy`. It may be
    better than either (WiSE-FT: Wortsman et al., 2022, arXiv:2109.01903).
    """
    between = copy.deepcopy(policy)
    first = first_policy.state_dict()
    for name, value in between.state_dict().items():
        value.lerp_(first[name], initial_share)
    return between


def mean_over_processes(accelerator: Accelerator, row: dict[str, float]) -> dict[str, float]:
    """The means of a row over all processes."""
    means = accelerator.reduce(torch.tensor([*row.values()], device=accelerator.device), "mean")
    return dict(zip(row, means.tolist(), strict=True))


def average_gradients(parameters: list[nn.Parameter], accelerator: Accelerator) -> None:
    """Replace the gradients by their mean over all processes."""
    if accelerator.num_processes > 1:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        vector_to_parameters(accelerator.reduce(parameters_to_vector(gradients), "mean"), gradients)


def adapt_learning_rate(args: Arguments, optimizer: torch.optim.Adam, kl: float, step: int) -> None:
    """Keep the KL of an update, its mean over the minibatches, near a target, which falls from target_kl to last_kl
    over the run.
    """
    target = args.target_kl + (args.last_kl - args.target_kl) * min(1.0, step / args.total_steps)
    factor = 1 / 1.2 if kl > 1.5 * target else 1.2 if kl < target / 1.5 else 1.0
    group = optimizer.param_groups[0]
    group["lr"] = min(max(group["lr"] * factor, args.learning_rate_min), args.learning_rate_max)


def keep_if_best(policy: MotorPolicy, critic: Critic, args: Arguments, progress: dict) -> dict[str, float]:
    """Evaluate the policy, save it as the last one and, if it is, as the best so far; return what to log."""
    policy.save_pretrained(Path(args.output_dir) / "last")
    postures = bool(args.low_share or args.arms_share)
    score, evaluation, mean = score_policy(policy, args.reward, postures, args.seed, args.num_threads or None)
    if progress["best_score"] is None or score > progress["best_score"]:
        progress["best_score"], progress["best"] = score, mean
        save_with_card(policy, critic, evaluation, args, progress)
    return {f"evaluation/{name}": value for name, value in mean.items() if value is not None}


def save_with_card(policy: MotorPolicy, critic: Critic, evaluation: dict, args: Arguments, progress: dict) -> None:
    """Save the policy with its critic and its card, as the best so far."""
    folder, body, native = Path(args.output_dir), policy.body, args.reward == "native"
    policy.save_pretrained(folder)
    critic.save(folder)
    env = body.native.env_id if native and body.native else env_id(body.name)
    name, (results, table) = args.push_to_hub or folder.name, cards.policy_results(evaluation)
    cards.write_card(
        folder,
        cards.NATIVE_POLICY if native else cards.POLICY,
        cards.model_data(name, results, measured_on=env, tags=(*cards.TAGS, body.name, "ppo")),
        name=name,
        body=body.name,
        env_id=env,
        size=body.observation_size,
        controls=body.controls,
        stage="goal-conditioned" if args.goal_conditioned else "goal-blind",
        steps=progress["step"],
        hours=progress["seconds"] / 3600,
        episodes=evaluation["rows"][0].get("episodes"),
        table=table,
    )


def finish(args: Arguments, progress: dict) -> None:
    """Write the summary, and publish the best policy."""
    best = ", ".join(f"{name} {value:.3g}" for name, value in progress["best"].items() if value is not None)
    made = f"motor policy, {progress['step']:,} steps"
    runs.write_summary(args.output_dir, stage="motor policy", made=made, seconds=progress["seconds"], metric=best)
    if args.push_to_hub:
        if args.reward == "goal":
            film(MotorPolicy.from_pretrained(args.output_dir), Path(args.output_dir))
        hub.publish(args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)


if __name__ == "__main__":
    arguments.run(main, Arguments)

"""Roll a motor policy out over every goal and write the episodes as a dataset.

Reads   a MotorPolicy               (pretrain_ppo.py)
Writes  a dataset of trajectories   (train_decision_transformer.py)

    python collect_dataset.py --config configs/dataset/humanoid.yaml --policy runs/ppo --output_dir runs/rollouts
    python collect_dataset.py --policy pretrained/humanoid/policy --proposals runs/proposals.jsonl \
        --output_dir runs/proposed
    python collect_dataset.py --relabel runs/proposed --output_dir runs/relabelled

The policy is executed with noise, and its mean action is stored as the label (DART, Laskey et al., 2017): a model that
imitates it learns the way back, too. A shard is what N bodies do from a start of their own in T steps. It depends only
on the seed and its number: a run that dies loses the open shard, and one that is resumed writes what it would have
written. Under `accelerate launch` the processes take turns at the shards.

With --proposals the goals are those of programs that a planner proposed (evaluate.py --suite goals), one program after
the other. With --relabel no body moves: a dataset is written again, its goals in hindsight what was achieved
(agent/data/hindsight.py).

Shapes: T steps of a shard, N parallel bodies.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import torch
from accelerate import Accelerator
from huggingface_hub import DatasetCardData
from huggingface_hub.dataclasses import strict
from pyarrow import parquet
from tqdm import tqdm

from agent.artefacts import arguments, cards, hub, runs
from agent.data import hindsight, schema
from agent.data.schema import Shard
from agent.feedback import proposals
from agent.feedback.trials import expected_seconds
from agent.goals import GOAL_VERSION, SKILLS, SPEEDS, Goal, GoalProgram
from agent.models.motor_policy import MotorPolicy
from agent.simulation.env import (
    ACTION_LIMIT,
    CONTROL_SECONDS,
    RECOVERY_NOISE,
    GoalTask,
    RewardWeights,
    heading_velocity,
    humanoid,
    observed_velocity,
    sample_commands,
)
from agent.simulation.vector_env import MAX_DIVERGED, HumanoidVectorEnv, make_vector_env
from agent.simulation.video import FRAME_EVERY, make_rendering_env, write_video

COMMAND_STEPS = (150, 400)  # a goal lasts 2.25 to 6 seconds
PUSH_STEPS = (200, 600)  # a shove every 3 to 9 seconds
FILM_STEPS = 400  # 6 seconds
FILE_MEGABYTES = 100  # LeRobot's own limit, for what its tools add; a shard here is about 35
# What may change when a collection goes on: how much, where and by how many processes; not what is in the files.
FREE = {"policy", "proposals", "num_steps", "num_threads", "processes", *arguments.ALWAYS_FREE}


@strict
@dataclass
class Arguments(arguments.StageArguments):
    policy: str = field(default="", metadata={"help": "folder or Hub repo of the MotorPolicy to follow"})
    output_dir: str = field(default="runs/rollouts", metadata={"help": "folder of the dataset"})
    proposals: str = field(
        default="", metadata={"help": "file of programs to take the goals from, JSON lines, in place of any goals"}
    )
    relabel: str = field(
        default="",
        metadata={"help": "folder or Hub repo of a dataset to write again with the goals that were achieved"},
    )
    resume: bool = field(default=False, metadata={"help": "go on after the shards that output_dir has"})
    seed: int = 0

    num_steps: int = field(default=512_000, metadata={"help": "steps to collect, rounded up to whole shards"})
    num_envs: int = field(
        default=128,
        metadata={"help": "bodies of each process: the more, the cheaper is the policy, and the larger the shards"},
    )
    num_threads: int = field(default=0, metadata={"help": "threads that step the physics; 0: its share of the cores"})
    shard_steps: int = field(
        default=1000, metadata={"help": "steps of every body in a shard, and the longest episode"}
    )
    noise_levels: str = field(
        default="0,0.1,0.2,0.4",
        metadata={"help": "standard deviations of the executed noise, as shares of the action range"},
    )
    noise_steps: int = field(default=150, metadata={"help": "steps after which a body draws another noise level"})
    skill_share: float = field(
        default=0.5, metadata={"help": "share of the goals that are named skills; the others are any commands"}
    )
    push_speed: float = field(default=0.5, metadata={"help": "m/s, largest shove that a body gets now and then"})
    recovery_share: float = field(
        default=0.3, metadata={"help": "share of episodes that start disturbed, in another body's mid-motion state"}
    )

    def validate_numbers(self):
        for name in ("num_steps", "num_envs", "shard_steps", "noise_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("skill_share", "recovery_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")
        if not all(math.isfinite(level) and level >= 0 for level in self.noise):
            raise ValueError(
                f"noise_levels={self.noise_levels!r} must be numbers of at least 0, with commas between them"
            )

    def validate_policy(self):
        if self.relabel and (self.policy or self.proposals or self.resume):
            raise ValueError("--relabel collects nothing: give it without --policy, --proposals and --resume")
        if not (self.policy or self.relabel):
            raise ValueError("--policy is missing: give the folder or Hub repo of a MotorPolicy")

    @property
    def noise(self) -> list[float]:
        try:
            return [float(level) for level in self.noise_levels.split(",")]
        except ValueError:
            return [math.nan]

    @property
    def shard_size(self) -> int:
        return self.num_envs * self.shard_steps


def main(args: Arguments) -> None:
    started = time.perf_counter()
    accelerator = Accelerator()
    args.check_processes(accelerator.num_processes)
    if args.relabel:
        if accelerator.is_main_process:
            relabel(args, started)
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return
    torch.set_num_threads(1)  # the cores belong to the physics
    folder = Path(args.output_dir)
    with accelerator.main_process_first():
        source = hub.folder(args.policy)
    policy = MotorPolicy.from_pretrained(source).to(accelerator.device)
    policy.prompt(Goal())  # which one without goals refuses
    programs = proposals.read_programs(Path(args.proposals)) if args.proposals else []
    ranks, rank = accelerator.num_processes, accelerator.process_index
    rounds = math.ceil(args.num_steps / (args.shard_size * ranks))
    claim = runs.claim(folder) if accelerator.is_main_process else None
    first, episodes = begin(args, folder, source, ranks) if accelerator.is_main_process else (0, 0)
    first, episodes = accelerator.reduce(torch.tensor([first, episodes], device=accelerator.device), "sum").tolist()
    envs = make_vector_env(
        args.num_envs, args.num_threads or None, max_episode_steps=args.shard_steps, contact_cost=False
    )

    for turn in range(first, rounds):
        number = turn * ranks + rank
        description = f"shard {number + 1} of {rounds * ranks}"
        shard, velocity = roll_out(
            args,
            policy,
            envs,
            number,
            programs,
            tqdm(range(args.shard_steps), desc=description, disable=True if rank else None),
        )
        counts = accelerator.gather(torch.tensor([int(shard["next.done"].sum())], device=accelerator.device)).tolist()
        add_indices(shard, number * args.shard_size, episodes + sum(counts[:rank]))
        write_shard(folder, number, shard, velocity)
        accelerator.wait_for_everyone()
        episodes += sum(counts)
        if accelerator.is_main_process:
            write_card(args, folder, (turn + 1) * ranks * args.shard_size, episodes)
    envs.close()
    if claim:
        numbers = write_card(args, folder, max(first, rounds) * ranks * args.shard_size, episodes)
        finish(args, folder, numbers, time.perf_counter() - started)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def begin(args: Arguments, folder: Path, source: Path, ranks: int) -> tuple[int, int]:
    """Rounds of shards and episodes that the folder has; makes it ready for more."""
    paths = sorted(folder.glob("data/chunk-*/file-*.parquet"))
    if paths and not args.resume:
        raise ValueError(f"{folder} has {len(paths)} shards already: give --resume to go on, or another --output_dir")
    upstream = {"policy": hub.origin(args.policy, source), "policy_sha256": runs.digest(source / "model.safetensors")}
    if args.proposals:
        upstream["proposals_sha256"] = runs.digest(Path(args.proposals))
    for number, path in enumerate(paths):
        if path != (expected := folder / schema.DATA_PATH.format(**schema.place(number))):
            raise ValueError(f"{expected} is missing: put it back, or remove those after it to collect them again")
    if paths:
        runs.check(folder, may_lack=True)  # what was removed at the end is collected again
        runs.check_resume(folder, args, FREE)
        before = runs.read_json(folder / runs.PROVENANCE)["upstream"]
        if before | {"policy": upstream["policy"]} != upstream:  # its place may change, its weights may not
            raise ValueError(
                f"{folder} was collected by another policy than {args.policy}, or for other proposals: "
                "give another --output_dir"
            )
    whole = len(paths) // ranks
    unfinished = [*paths[whole * ranks :], *sorted(folder.glob("meta/episodes/*/*.parquet"))[whole * ranks :]]
    if unfinished:
        (folder / runs.MANIFEST).unlink(missing_ok=True)
    for path in unfinished:
        path.unlink()
    done = [parquet.read_table(path, columns=["next.done"]).column(0) for path in paths[: whole * ranks]]
    episodes = sum(column.to_numpy().sum() for column in done)
    write_tasks(folder)
    if not paths:
        runs.record_provenance(folder, args, upstream)
    return whole, int(episodes)


def write_tasks(folder: Path) -> None:
    """Write the text of every goal."""
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    texts = schema.task_texts()
    with runs.replacing(folder / "meta" / "tasks.parquet") as beside:
        pandas.DataFrame({"task_index": range(len(texts))}, index=pandas.Index(texts, name="task")).to_parquet(beside)


def write_shard(folder: Path, number: int, shard: Shard, velocity: np.ndarray) -> None:
    """Write shard `number`, whose bodies moved with `velocity` [N * T, 3], and what its episodes are."""
    place = schema.place(number)
    with runs.replacing(folder / schema.EPISODES_PATH.format(**place)) as beside:
        parquet.write_table(describe_episodes(shard, velocity, place), beside)
    with runs.replacing(folder / schema.DATA_PATH.format(**place)) as beside:
        schema.write_shard(beside, shard)


def relabel(args: Arguments, started: float) -> None:
    """Write a dataset again, in which the goals are what was achieved, and the rewards and instructions are theirs."""
    folder, source = Path(args.output_dir), hub.folder(args.relabel, repo_type="dataset")
    info = schema.read_info(source)
    if found := len(list(folder.glob("data/chunk-*/file-*.parquet"))):
        raise ValueError(f"{folder} has {found} shards already: give another --output_dir")
    with runs.claim(folder):
        write_tasks(folder)
        runs.record_provenance(folder, args, {"dataset": hub.origin(args.relabel, source)})
        paths = schema.shard_paths(source)
        for number, shard in enumerate(tqdm(schema.read_shards(source), total=len(paths), unit="shard", disable=None)):
            commands = hindsight.achieved(shard)
            shard |= {
                "next.reward": hindsight.rewards(shard, commands),
                "goal.command": commands,
                "task_index": schema.task_indices(commands),
            }
            write_shard(folder, number, shard, observed_velocity(hindsight.after(shard)))
        numbers = write_card(args, folder, info["total_frames"], info["total_episodes"])
        finish(args, folder, numbers, time.perf_counter() - started)


class Bodies:
    """What N bodies are asked to do, and what disturbs them, step by step."""

    def __init__(self, args: Arguments, rng: np.random.Generator, programs: Sequence[GoalProgram] = ()):
        self.args, self.rng, self.programs = args, rng, programs
        self.coming: list[list[Goal]] = [[] for _ in range(args.num_envs)]  # what is left of each body's program
        self.goals = [Goal()] * args.num_envs
        self.noise = np.zeros(args.num_envs, dtype=np.float32)
        self.goal_left = np.zeros(args.num_envs, dtype=np.int64)
        self.noise_left = np.zeros(args.num_envs, dtype=np.int64)
        self.push_left = rng.integers(1, PUSH_STEPS[1], args.num_envs)

    def renew_goals(self, task: GoalTask) -> bool:
        """Give new goals to the bodies whose time is over; tells whether there are any."""
        rows = np.flatnonzero(self.goal_left <= 0)
        if len(rows):
            (self._take_proposed if self.programs else self._draw_goals)(rows, task)
        self.goal_left -= 1
        return bool(len(rows))

    def _take_proposed(self, rows: np.ndarray, task: GoalTask) -> None:
        """The next goal of each body's program, for as long as it should take; after the last, another program."""
        for row in rows:
            if not self.coming[row]:
                self.coming[row] = list(self.programs[self.rng.integers(len(self.programs))].goals)
            goal = self.coming[row].pop(0)
            steps = round(expected_seconds(goal) / CONTROL_SECONDS)
            self.goals[row] = Goal(*goal.velocity).on_grid()
            task.goals[row] = self.goals[row].velocity
            self.goal_left[row] = max(1, steps) if goal.end else self.rng.integers(*COMMAND_STEPS)

    def _draw_goals(self, rows: np.ndarray, task: GoalTask) -> None:
        """Any goal of the trained region, for any time."""
        commands = sample_commands(self.rng, len(rows))
        skills = self.rng.integers(0, len(SKILLS), len(rows)), self.rng.integers(0, len(SPEEDS), len(rows))
        named = self.rng.random(len(rows)) < self.args.skill_share
        commands[named] = np.array(list(SKILLS.values()), dtype=np.float32)[skills][named]
        for row, command in zip(rows, commands.astype(float).round(6), strict=True):
            self.goals[row] = Goal(*command.tolist()).on_grid()
            task.goals[row] = self.goals[row].velocity
        self.goal_left[rows] = self.rng.integers(*COMMAND_STEPS, len(rows))

    def renew_noise(self) -> None:
        rows = np.flatnonzero(self.noise_left <= 0)
        self.noise[rows] = self.rng.choice(self.args.noise, len(rows))
        self.noise_left[rows] = self.args.noise_steps
        self.noise_left -= 1

    def push(self, envs: HumanoidVectorEnv) -> None:
        rows = np.flatnonzero(self.push_left <= 0)
        direction = self.rng.uniform(0, 2 * math.pi, len(rows))
        speed = self.rng.uniform(0, self.args.push_speed, len(rows))
        envs.push(rows, np.column_stack([speed * np.cos(direction), speed * np.sin(direction), np.zeros(len(rows))]))
        self.push_left[rows] = self.rng.integers(*PUSH_STEPS, len(rows))
        self.push_left -= 1

    def restart(self, rows: np.ndarray, envs: HumanoidVectorEnv, task: GoalTask, observations: np.ndarray) -> None:
        """Begin an episode with the bodies in `rows`, which stand; some of them disturbed, in another body's state."""
        recovering = rows[self.rng.random(len(rows)) < self.args.recovery_share]
        if len(recovering):
            models = self.rng.integers(0, len(self.goals), len(recovering))
            qpos, qvel = envs.start.qpos[models], envs.start.qvel[models]
            qvel += self.rng.normal(0, RECOVERY_NOISE, qvel.shape)
            observations[recovering] = envs.set_state(recovering, qpos, qvel)
        task.begin(rows, envs.start)
        for row in rows:
            self.coming[row] = []
        self.goal_left[rows] = self.noise_left[rows] = 0


@torch.no_grad()
def roll_out(
    args: Arguments,
    policy: MotorPolicy,
    envs: HumanoidVectorEnv,
    number: int,
    programs: Sequence[GoalProgram],
    steps: Iterable[int],
) -> tuple[Shard, np.ndarray]:
    """Shard `number` without its indices, body after body, step after step, and its velocities [N * T, 3]."""
    rng = np.random.default_rng([args.seed, number])
    observations, _ = envs.reset(seed=int(rng.integers(2**31)))
    task = GoalTask(args.num_envs, RewardWeights())
    bodies = Bodies(args, rng, programs)
    bodies.restart(np.arange(args.num_envs), envs, task, observations)
    frame = np.zeros(args.num_envs, dtype=np.int64)
    policy.reset()
    rows: list[Shard] = []
    diverged = 0
    for step in steps:
        if bodies.renew_goals(task):
            policy.prompt(bodies.goals)
        bodies.renew_noise()
        bodies.push(envs)
        policy.phase, policy.command = task.phase, task.commands  # of each body, since its own start
        task.lead()
        label = policy.act(observations)
        noise = ACTION_LIMIT * bodies.noise[:, None] * rng.standard_normal(label.shape, dtype=np.float32)
        action = np.clip(label + noise, -ACTION_LIMIT, ACTION_LIMIT)
        row = {
            "observation.state": observations,
            "action": action,
            "teacher.action": label,
            "goal.command": task.goals.copy(),
            "frame_index": frame.copy(),
        }
        observations, _, terminated, truncated, info = envs.step(action)
        reward = sum(task.step(envs.body, action / ACTION_LIMIT).values())
        truncated |= ~terminated & (step == args.shard_steps - 1)
        done = terminated | truncated
        row |= {
            "next.reward": np.where(info["diverged"], 0, reward),
            "next.done": done,
            "next.terminated": terminated,
            "next.truncated": truncated,
            "velocity": np.where(info["diverged"][:, None], 0, heading_velocity(envs.body.qpos, envs.body.qvel)),
        }
        rows.append(row)
        diverged += int(info["diverged"].sum())
        if diverged > max(1, MAX_DIVERGED * args.shard_size):
            raise ValueError(
                f"{diverged} of the simulation steps of shard {number} diverged: lower push_speed or noise_levels"
            )
        frame = np.where(done, 0, frame + 1)
        if done.any():
            bodies.restart(np.flatnonzero(done), envs, task, observations)
    shard = {
        name: np.stack([row[name] for row in rows], axis=1).reshape(args.shard_size, *rows[0][name].shape[1:])
        for name in rows[0]
    }
    velocity = shard.pop("velocity")
    return shard, velocity


def add_indices(shard: Shard, first_row: int, first_episode: int) -> None:
    """Number the steps and the episodes of a shard, and say when and for which task each step was."""
    done = shard["next.done"]
    shard["index"] = first_row + np.arange(len(done))
    shard["episode_index"] = first_episode + np.concatenate([[0], np.cumsum(done)[:-1]])
    shard["timestamp"] = shard["frame_index"] * CONTROL_SECONDS
    shard["task_index"] = schema.task_indices(shard["goal.command"])


def describe_episodes(shard: Shard, velocity: np.ndarray, place: dict[str, int]) -> pa.Table:
    """One row per episode: where it lies, instructions that ask for it, and what came of it in numbers."""
    texts = schema.task_texts()
    ends = np.flatnonzero(shard["next.done"]) + 1
    rows = []
    for begin, end in pairwise([0, *ends.tolist()]):
        commands = shard["goal.command"][begin:end]
        switches = begin + 1 + np.flatnonzero((commands[1:] != commands[:-1]).any(1))
        segments = [summarize(shard, velocity, *bounds) for bounds in pairwise([begin, *switches.tolist(), end])]
        goals = [Goal(*segment["command"], seconds=max(0.1, segment["seconds"])).on_grid() for segment in segments]
        rows.append(
            {
                "episode_index": int(shard["episode_index"][begin]),
                "tasks": list(dict.fromkeys(texts[index] for index in shard["task_index"][begin:end])),
                "length": end - begin,
                "dataset_from_index": int(shard["index"][begin]),
                "dataset_to_index": int(shard["index"][end - 1]) + 1,
                "data/chunk_index": place["chunk_index"],
                "data/file_index": place["file_index"],
                "meta/episodes/chunk_index": place["chunk_index"],
                "meta/episodes/file_index": place["file_index"],
                "instructions": instructions(goals),
                "fell": bool(shard["next.terminated"][end - 1]),
                "mean_reward": float(shard["next.reward"][begin:end].mean()),
                "summary": segments,
            }
        )
    return pa.Table.from_pylist(rows)


def summarize(shard: Shard, velocity: np.ndarray, begin: int, end: int) -> dict:
    """What was asked from row `begin` to row `end`, and how well it was done."""
    command = shard["goal.command"][begin].astype(float)
    travelled = velocity[begin:end].astype(float)
    return {
        "command": [round(value, 1) for value in command.tolist()],
        "seconds": round((end - begin) * CONTROL_SECONDS, 3),
        "mean_velocity": [round(value, 3) for value in travelled.mean(0).tolist()],
        "meters": round(float(np.linalg.norm(travelled[:, :2], axis=1).sum()) * CONTROL_SECONDS, 3),
        "degrees": round(math.degrees(float(travelled[:, 2].sum())) * CONTROL_SECONDS, 1),
        "mean_reward": round(float(shard["next.reward"][begin:end].mean()), 4),
    }


def instructions(goals: list[Goal]) -> list[str]:
    """Ways to ask for a sequence of goals, all of which end by time."""

    def phrase(goal: Goal, style: int) -> str:
        motion = goal.skill.replace("_", " ").replace("stand", "stand still")
        speed = {"slow": (" slowly", " at a slow pace", ", slow"), "fast": (" fast", " at a fast pace", ", fast")}
        manner = speed[goal.speed][style] if goal.speed in speed else ""
        seconds = f"{goal.seconds:g}"
        return (
            f"{motion}{manner} for {seconds} seconds",
            f"for {seconds} seconds {motion}{manner}",
            f"{motion}{manner}, {seconds} s",
        )[style]

    return [
        joint.join(phrase(goal, style) for goal in goals)
        for style, joint in enumerate((", then ", "; after that ", " -> "))
    ]


def write_card(args: Arguments, folder: Path, steps: int, episodes: int) -> dict[str, float]:
    """Write meta/info.json, as LeRobot reads it, and the card; returns what the card says in numbers."""
    features = {
        name: {"dtype": column.dtype, "shape": list(column.shape or (1,)), "names": None, "meaning": column.meaning}
        for name, column in schema.COLUMNS.items()
    }
    info = {
        "codebase_version": schema.LAYOUT_VERSION,
        "robot_type": "gymnasium Humanoid-v5",
        "goal_version": GOAL_VERSION,
        "total_episodes": episodes,
        "total_frames": steps,
        "total_tasks": len(schema.task_texts()),
        "chunks_size": schema.FILES_PER_CHUNK,
        "data_files_size_in_mb": FILE_MEGABYTES,
        "video_files_size_in_mb": FILE_MEGABYTES,
        "fps": 1 / CONTROL_SECONDS,
        "splits": {"train": f"0:{episodes}"},
        "data_path": schema.DATA_PATH,
        "video_path": None,
        "features": features,
    }
    with runs.placing(folder) as beside:  # seals the shards as well
        runs.write_json(beside / "meta" / "info.json", info)

    paths = sorted(folder.glob("meta/episodes/*/*.parquet"))
    table = pa.concat_tables(parquet.read_table(path, columns=["length", "fell", "mean_reward"]) for path in paths)
    length, fell, reward = (column.to_numpy() for column in table.columns)
    numbers = {
        "steps": steps,
        "episodes": episodes,
        "hours": steps * CONTROL_SECONDS / 3600,
        "falls_per_minute": float(fell.sum()) / (steps * CONTROL_SECONDS / 60),
        "mean_reward": float((reward * length).sum() / length.sum()),
        "megabytes": sum(path.stat().st_size for path in folder.glob("data/*/*.parquet")) / 1e6,
    }
    columns = [
        [f"`{name}`", f"{each.dtype} {list(each.shape)}", each.meaning] for name, each in schema.COLUMNS.items()
    ]
    rows = [
        [name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"]
        for name, value in numbers.items()
    ]
    name = args.push_to_hub or folder.name
    card = cards.Card(
        data=DatasetCardData(
            license=cards.LICENSE,
            pretty_name="Humanoid-v5 following velocity goals",
            task_categories=["reinforcement-learning", "robotics"],
            tags=["LeRobot", "humanoid", *cards.TAGS],
            configs=[{"config_name": "default", "data_files": "data/*/*.parquet"}],
        ),
        title="Humanoid-v5 following velocity goals",
        what=describe(args),
        use=USE.format(name=name),
        results=RESULTS.format(
            numbers=cards.table([["measure", "value"], *rows]),
            columns=cards.table([["column", "type", "meaning"], *columns]),
            version=GOAL_VERSION,
            film_seconds=FILM_STEPS * CONTROL_SECONDS,
        ),
        limits=LIMITS,
    )
    cards.write_card(folder, card, runs.read_json(folder / runs.PROVENANCE))
    return numbers


def describe(args: Arguments) -> str:
    """What the card says the steps are."""
    if args.relabel:
        return RELABELLED.format(source=runs.without_place(args.relabel))
    return WHAT.format(args=args) + (PROPOSED if args.proposals else "")


WHAT = """
Steps of Gymnasium's Humanoid-v5 under a goal-conditioned motor policy, executed with Gaussian noise of standard
deviation {args.noise_levels} of the action range (another level every {args.noise_steps} steps). The label of a step
is the policy's mean action in the same state. Goals change within episodes; bodies are shoved by up to
{args.push_speed} m/s, and {args.recovery_share:.0%} of the episodes start disturbed.
"""
PROPOSED = """
The goals are those of programs that a planner proposed, of what an agent does worst.
"""
RELABELLED = """
The steps of `{source}` in hindsight: the goal of each stretch of about a second is the mean velocity that was achieved
in it, and rewards and instructions are those of that goal. The label is what the policy did for another goal.
"""
USE = """
from datasets import load_dataset

steps = load_dataset("{name}", split="train", streaming=True)
print(next(iter(steps)))
"""
RESULTS = """
{numbers}

<video src="replay.mp4" controls muted></video>

[replay.mp4](replay.mp4) is of the longest episode in the first file, up to {film_seconds:g} seconds, posed as its rows
say.

One row per step of 15 ms, episode after episode:

{columns}

`meta/stats.json` has the statistics of every column; `meta/episodes`, for each episode, where it lies, instructions
that ask for it and what came of every goal in it. Layout and names follow LeRobot v3.0; goal vocabulary {version}.
"""
LIMITS = """
One body on flat ground in simulation, moved by one policy: what that cannot do is not in here.
"""


def finish(args: Arguments, folder: Path, numbers: dict[str, float], seconds: float) -> None:
    """Check the dataset, write its statistics, video and summary, and publish it."""
    with runs.placing(folder) as beside:
        runs.write_json(beside / "meta" / "stats.json", measure_columns(folder))
    film(next(schema.read_shards(folder)), folder / "replay.mp4")
    made = f"{numbers['steps']:,} steps in {numbers['episodes']:,} episodes"
    metric = f"{numbers['falls_per_minute']:.2f} falls per minute under noise"
    runs.write_summary(folder, stage="dataset", made=made, seconds=seconds, metric=metric)
    if args.push_to_hub:
        hub.publish(folder, args.push_to_hub, private=args.private, tag=args.tag)


def measure_columns(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Count, least, greatest, mean and standard deviation of every column, as LeRobot's stats.json has them."""
    stats: dict[str, dict[str, np.ndarray]] = {}
    for shard in schema.read_shards(folder):
        for name, column in schema.COLUMNS.items():
            values = shard[name].reshape(-1, column.size or 1).astype(np.float64)
            new = {
                "count": np.array([len(values)]),
                "min": values.min(0),
                "max": values.max(0),
                "mean": values.mean(0),
                "std": values.std(0),
            }
            old = stats.get(name)
            stats[name] = merge_statistics(old, new) if old else new
    return {name: {measure: value.tolist() for measure, value in measures.items()} for name, measures in stats.items()}


def merge_statistics(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Statistics of two sets of rows together (Chan et al., 1979)."""
    count = old["count"] + new["count"]
    share = new["count"] / count
    variance = (
        (1 - share) * old["std"] ** 2
        + share * new["std"] ** 2
        + share * (1 - share) * (new["mean"] - old["mean"]) ** 2
    )
    return {
        "count": count,
        "min": np.minimum(old["min"], new["min"]),
        "max": np.maximum(old["max"], new["max"]),
        "mean": old["mean"] + share * (new["mean"] - old["mean"]),
        "std": np.sqrt(variance),
    }


def film(shard: Shard, path: Path) -> None:
    """Show the longest episode of a shard, or how it begins."""
    ends = np.flatnonzero(shard["next.done"]) + 1
    lengths = np.diff(ends, prepend=0)
    longest = lengths.argmax()
    begin = ends[longest] - lengths[longest]
    rows = slice(begin, begin + min(lengths[longest], FILM_STEPS))
    env = make_rendering_env(max_episode_steps=1)
    frames = []
    for position in hindsight.positions(shard["observation.state"][rows])[::FRAME_EVERY]:
        humanoid(env).set_state(position, humanoid(env).init_qvel)
        frames.append(np.asarray(env.render()))
    env.close()
    write_video(path, frames)


if __name__ == "__main__":
    arguments.run(main, Arguments)

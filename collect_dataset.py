"""Roll out a motor policy under changing goals and write the episodes as a dataset.

Reads   a MotorPolicy               (pretrain_ppo.py)
Writes  a dataset of trajectories   (train_decision_transformer.py, finetune_llm.py)

    python collect_dataset.py --config configs/dataset/humanoid.yaml --policy runs/balance --output_dir runs/rollouts
    python collect_dataset.py --policy pretrained/agent/policy/humanoid --proposals runs/proposals.jsonl \
        --output_dir runs/proposed
    python collect_dataset.py --relabel runs/proposed --output_dir runs/relabelled

The policy is executed with noise, and its mean action is stored as the label (DART, Laskey et al., 2017): a model that
imitates it also learns to recover. The goals, with the heights and arm poses that the body supports:

* A goal lasts 2.25 to 6 seconds. Its velocity is that of a named skill, or any on the grid within the body's reach.
* `posture_share` of the goals have a posture other than upright with arms at rest. All of these are equally likely.
* `posture_switch_share` of the switches between goals redraw only the posture. Of the rest, half change only the
  velocity, and half change both.
* In `correction_share` of the episodes, short corrections interrupt the goals, as Pursuit's steering does. Between
  them the body goes straight, stands, or turns on the spot. A correction lasts 0.2 to 1 second and changes one or more
  of vx and vy by 0.2 m/s and wz by 0.2 or 0.4 rad/s; near full speed it may only slow the body down. In half of the
  cases, another one follows immediately.

A shard holds T steps of N bodies, beginning with a reset. It depends only on the seed and its number: a run that is
killed loses only the unfinished shard, and a resumed run writes the same shards as an uninterrupted one. Under
`accelerate launch`, the processes work in parallel, one shard each per round, and a killed run loses the unfinished
round.

With --proposals, the goals are those of programs that a planner proposed (evaluate.py --suite goals), one program
after another. With --relabel, nothing is simulated: a dataset is rewritten with the goals that were achieved
(agent/data/hindsight.py).

Shapes: T steps of a shard, N parallel bodies, S body state, A actions; a goal is five numbers, those of
`agent.goals.COMMAND_AXES`.
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from huggingface_hub.dataclasses import strict
from pyarrow import parquet
from tqdm import tqdm

from agent.artefacts import arguments, cards, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import Body, find_body
from agent.data import hindsight, schema
from agent.data.schema import Shard
from agent.feedback import proposals
from agent.feedback.trials import expected_seconds
from agent.goals import GRID_STEP, HEIGHTS, Goal
from agent.models.motor_policy import MotorPolicy
from agent.simulation import video
from agent.simulation.curriculum import Curriculum, at_height, control_steps, nearest_on_grid
from agent.simulation.env import env_id
from agent.simulation.heading import heading_velocity, observed_velocity
from agent.simulation.task import ARM_CODES, goal_commands
from agent.simulation.vector_env import MAX_DIVERGED, GoalVectorEnv

GOAL_SECONDS = (2.25, 6.0)
CORRECTION_SECONDS = (0.2, 1.0)
BETWEEN_SECONDS = (0.2, 2.0)  # from one series of corrections to the next
ANOTHER_CORRECTION = 0.5  # share of the corrections that are immediately followed by another
CORRECTIONS = ((-1, 0, 0, 0, 0, 0, 1), (-1, 0, 1), (-2, -1, 0, 1, 2))  # of vx, vy and wz, in grid steps
PUSH_SECONDS = (3.0, 9.0)
NOISE_SECONDS = 2.25  # after which a body draws a new noise level
FILM_SECONDS = 6.0
# Arguments that may differ when a run is resumed. Policy and proposals are recognized by their content.
FREE = {"policy", "proposals", "num_steps", "num_threads", "processes", *arguments.ALWAYS_FREE}


@strict
@dataclass
class Arguments(arguments.StageArguments):
    policy: str = option("", "folder or Hub repo of the MotorPolicy to roll out")
    output_dir: str = option("runs/rollouts", "folder of the dataset")
    proposals: str = option("", "JSON Lines file of programs to take the goals from")
    relabel: str = option("", "folder or Hub repo of a dataset to rewrite with the goals that were achieved")
    resume: bool = option(False, "continue after the shards in output_dir")
    seed: int = 0

    num_steps: int = option(512_000, "steps to collect, rounded up to a shard for each process")
    num_envs: int = option(128, "parallel bodies per process; more are faster per step and make larger shards")
    num_threads: int = option(0, "threads that step the physics; 0: this process's share of the cores")
    shard_steps: int = option(1000, "steps of each body in a shard, and maximum length of an episode")
    noise_levels: list[float] = field(
        default_factory=lambda: [0.0, 0.1, 0.2, 0.4],
        metadata={"help": "standard deviations of the noise, for actions in ±1"},
    )
    skill_share: float = option(0.5, "share of the goals that are named skills; the rest are arbitrary commands")
    push_speed: float = option(0.5, "m/s, maximum of the occasional shoves")
    posture_share: float = option(0.5, "share of the goals with a crouch or an arm pose")
    posture_switch_share: float = option(0.2, "share of the switches between goals that change only the posture")
    correction_share: float = option(0.4, "share of the episodes in which short corrections interrupt the goals")
    recovery_share: float = option(0.3, "share of episodes that start in the current state of any body, disturbed")

    def validate_numbers(self):
        arguments.check_counts(self, "num_steps", "num_envs", "shard_steps")
        shares = ("skill_share", "posture_share", "posture_switch_share", "correction_share", "recovery_share")
        arguments.check_shares(self, *shares)
        if not (self.noise_levels and all(0 <= level < math.inf for level in self.noise_levels)):
            raise ValueError(f"noise_levels={self.noise_levels} must be one or more numbers of at least 0")

    def validate_source(self):
        if self.relabel and (self.policy or self.proposals or self.resume):
            raise ValueError("--relabel collects nothing: give it without --policy, --proposals and --resume")
        if not (self.policy or self.relabel):
            raise ValueError("--policy is missing: give the folder or Hub repo of a MotorPolicy")

    @property
    def shard_size(self) -> int:
        return self.num_envs * self.shard_steps


def main(args: Arguments) -> None:
    accelerator = Accelerator()
    args.check_processes(accelerator.num_processes)
    if not args.relabel:
        collect(args, accelerator)
    elif accelerator.is_main_process:
        relabel(args)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def collect(args: Arguments, accelerator: Accelerator) -> None:
    """Write shards until there are num_steps, in rounds of one shard per process."""
    started = time.perf_counter()
    torch.set_num_threads(1)  # the cores belong to the physics
    folder, ranks, rank = Path(args.output_dir), accelerator.num_processes, accelerator.process_index
    with accelerator.main_process_first():
        source = hub.folder(args.policy)
    policy = MotorPolicy.from_pretrained(source).to(accelerator.device)
    if not policy.config.goal_conditioned:
        raise ValueError(f"{args.policy} is goal-blind: give the folder or Hub repo of a goal-conditioned policy")
    policy.prompt(Goal())  # raises an error if it observes the world frame
    envs = build_envs(args, policy.body)
    rounds = math.ceil(args.num_steps / (args.shard_size * ranks))
    _lock = runs.claim(folder) if accelerator.is_main_process else None  # held until this function returns
    begun = begin(args, folder, source, ranks) if accelerator.is_main_process else (0, 0)
    first, episodes = broadcast_object_list([*begun])
    tasks = schema.read_tasks(folder)
    if accelerator.is_main_process and first:  # a run that was killed may not have counted its last shards
        schema.write_info(folder, policy.body, first * ranks * args.shard_size, episodes)
    for turn in range(first, rounds):
        number = turn * ranks + rank
        progress = f"shard {number + 1} of {rounds * ranks}"
        steps = tqdm(range(args.shard_steps), desc=progress, disable=True if rank else None)
        shard, velocity = roll_out(args, policy, envs, number, steps)
        counts = accelerator.gather(torch.tensor([int(shard["next.done"].sum())], device=accelerator.device)).tolist()
        tasks = add_tasks(tasks, *gather_object([schema.occurring(shard["goal.command"])]))
        if accelerator.is_main_process:
            schema.write_tasks(folder, tasks)
        accelerator.wait_for_everyone()  # the tasks file must be complete before a shard refers to it
        add_indices(shard, number * args.shard_size, episodes + sum(counts[:rank]), tasks, policy.body)
        write_shard(folder, number, shard, velocity, policy.body)
        accelerator.wait_for_everyone()
        episodes += sum(counts)
        if accelerator.is_main_process:
            schema.write_info(folder, policy.body, (turn + 1) * ranks * args.shard_size, episodes)
    envs.close()
    if accelerator.is_main_process:
        finish(args, folder, time.perf_counter() - started)


def build_envs(args: Arguments, body: Body) -> GoalVectorEnv:
    """The parallel bodies, with goals, shoves and disturbed starts."""
    curriculum = GoalsToCollect(
        goal_seconds=GOAL_SECONDS,
        stand_factor=1,
        skill_share=args.skill_share,
        on_grid=True,
        push_speed=args.push_speed,
        push_seconds=PUSH_SECONDS,
        recovery_share=args.recovery_share,
        posture_share=args.posture_share,
        posture_switch_share=args.posture_switch_share,
        correction_share=args.correction_share,
        programs=read_schedules(Path(args.proposals), body) if args.proposals else [],
    )
    return GoalVectorEnv(args.num_envs, args.num_threads or None, body.name, args.shard_steps, curriculum=curriculum)


Schedule = Iterable[tuple[np.ndarray, int]]  # goals [5] one after another, and the control steps that each lasts


@dataclass(frozen=True)
class GoalsToCollect(Curriculum):
    """Draws goals as the script's docstring describes, or takes those of `programs`, one program after another. Each
    body has its own schedule, which begins with the episode.
    """

    posture_share: float = 0.0
    posture_switch_share: float = 0.0
    correction_share: float = 0.0
    programs: list[Schedule] = field(default_factory=list)
    schedules: dict[int, Iterator[tuple[np.ndarray, int]]] = field(default_factory=dict)

    def draw(
        self, rng: np.random.Generator, rows: np.ndarray, starting: np.ndarray, body: Body, difficulty: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """As Curriculum.draw."""
        drawn = []
        for row, begins in zip(rows.tolist(), starting.tolist(), strict=True):
            if begins:
                self.schedules[row] = iter(self.schedule(rng, body))
            drawn.append(next(self.schedules[row]))
        goals, steps = zip(*drawn, strict=True)
        return np.array(goals, dtype=np.float32), np.array(steps)

    def schedule(self, rng: np.random.Generator, body: Body) -> Schedule:
        """The goals of an episode."""
        if self.programs:
            return self.proposed(rng)
        steered = rng.random() < self.correction_share
        return self.corrected(rng, body) if steered else self.switching(rng, body)

    def proposed(self, rng: np.random.Generator) -> Schedule:
        """Goals of random programs, one program after another, each goal for its expected time."""
        while True:
            yield from self.programs[rng.integers(len(self.programs))]

    def switching(self, rng: np.random.Generator, body: Body) -> Schedule:
        """Goals that change the velocity, the posture or both."""
        postures = [(HEIGHTS.index(height), ARM_CODES[arms]) for height in body.heights for arms in body.arms]
        before = None
        while True:
            goal = self.draw_goals(rng, 1, body, 1.0)[0]
            if len(postures) > 1:
                other = rng.random() < self.posture_share
                goal[3:] = postures[rng.integers(1, len(postures)) if other else 0]
            if before is not None and len(postures) > 1:
                if rng.random() < self.posture_switch_share:
                    goal[:3] = before[:3]
                elif rng.random() < 0.5:
                    goal[3:] = before[3:]
            goal[:3] = nearest_on_grid(at_height(goal[:3], goal[3] > 0, body), body, goal[3] > 0)
            yield goal, int(self.draw_times(rng, goal[None], body)[0])
            before = goal

    def corrected(self, rng: np.random.Generator, body: Body) -> Schedule:
        """Goals interrupted by short corrections."""
        for goal, left in self.switching(rng, body):
            straight = goal.copy()
            if straight[:2].any():
                straight[2] = 0
            now = straight
            while left > 0:
                span = CORRECTION_SECONDS if now is not straight else BETWEEN_SECONDS
                steps = int(rng.integers(*control_steps(span, body), endpoint=True))
                yield now, steps
                left -= steps
                another = now is straight or rng.random() < ANOTHER_CORRECTION
                now = correct(now, rng, body) if another else straight


def correct(goal: np.ndarray, rng: np.random.Generator, body: Body) -> np.ndarray:
    """A goal that differs from `goal` in one or more of its velocities."""
    corrected = goal.copy()
    while (corrected == goal).all():
        change = [rng.choice(choices) * GRID_STEP for choices in CORRECTIONS]
        corrected[:3] = nearest_on_grid(goal[:3] + change, body, goal[3] > 0)
    return corrected


def read_schedules(path: Path, body: Body) -> list[Schedule]:
    """The programs in a file of proposals. An open goal lasts as long as the longest random goal.

    Raises:
        ValueError: as in proposals.read_programs, or a goal is not a velocity, or the body does not support it.
    """
    schedules: list[Schedule] = []
    for program in proposals.read_programs(path):
        seconds = [GOAL_SECONDS[1] if goal.open else expected_seconds(goal) for goal in program.goals]
        steps = [max(1, round(each / body.control_seconds)) for each in seconds]
        schedules.append(list(zip(goal_commands(program.goals, body), steps, strict=True)))
    return schedules


def begin(args: Arguments, folder: Path, source: Path, ranks: int) -> tuple[int, int]:
    """Prepare the folder for more shards, without those of an unfinished round; returns how many complete rounds of
    shards and how many episodes it has.
    """
    paths = sorted(folder.glob(schema.DATA_FILES))
    if paths and not args.resume:
        raise ValueError(f"{folder} has {len(paths)} shards already: give --resume to go on, or another --output_dir")
    upstream = {"policy": hub.origin(args.policy, source), "policy_sha256": runs.digest(source / "model.safetensors")}
    if args.proposals:
        upstream["proposals_sha256"] = runs.digest(Path(args.proposals))
    rounds = complete_rounds(folder, paths, ranks)
    if paths:
        check_same_run(args, folder, upstream)
    remove_shards(folder, rounds * ranks)
    episodes, tasks = count(paths[: rounds * ranks])
    schema.write_tasks(folder, tasks)
    runs.record_provenance(folder, args, upstream)
    return rounds, episodes


def complete_rounds(folder: Path, paths: Sequence[Path], ranks: int) -> int:
    """How many rounds have all of their shards.

    Raises:
        ValueError: a shard is missing from a round that is not the last one.
    """

    def shard_path(number: int) -> Path:
        return folder / schema.DATA_PATH.format(**schema.file_indices(number))

    missing = next(number for number in itertools.count() if shard_path(number) not in paths)
    rounds = missing // ranks
    if paths and paths[-1] >= shard_path((rounds + 1) * ranks):  # not of the unfinished round
        raise ValueError(
            f"{shard_path(missing)} is missing: put it back, or remove those after it to collect them again"
        )
    return rounds


def check_same_run(args: Arguments, folder: Path, upstream: dict[str, str]) -> None:
    """Raise ValueError if the shards in the folder are damaged, or were collected in another way."""
    runs.check(folder, may_lack=True)  # missing shards at the end are collected again
    runs.check_resume(folder, args, FREE)
    before = runs.read_json(folder / runs.PROVENANCE)["upstream"]
    if before | {"policy": upstream["policy"]} != upstream:  # its location may change, its weights may not
        raise ValueError(
            f"{folder} was collected with a policy other than {args.policy}, or for other proposals: "
            "give another --output_dir"
        )


def remove_shards(folder: Path, first: int) -> None:
    """Remove the shards from number `first` on, and the tables of their episodes."""
    patterns = schema.DATA_FILES, schema.EPISODES_FILES
    paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))[first:]]
    if paths:
        (folder / runs.MANIFEST).unlink(missing_ok=True)
    for path in paths:
        path.unlink()


def count(paths: Iterable[Path]) -> tuple[int, list[int]]:
    """How many episodes the shards have, and their tasks."""
    episodes, tasks = 0, []
    for path in paths:
        table = parquet.read_table(path, columns=["next.done", "goal.command"])
        episodes += int(table["next.done"].to_numpy().sum())
        commands = table["goal.command"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        tasks = add_tasks(tasks, schema.occurring(commands))
    return episodes, tasks


@torch.no_grad()
def roll_out(
    args: Arguments, policy: MotorPolicy, envs: GoalVectorEnv, number: int, steps: Iterable[int]
) -> tuple[Shard, np.ndarray]:
    """Shard `number` without its indices, ordered by body and then by step, and its velocities [N * T, 3]."""
    body, device = envs.body, policy.device
    rng = np.random.default_rng([args.seed, number])
    observations, _ = envs.reset(seed=int(rng.integers(2**31)))
    levels, noise = (np.zeros((args.num_envs, size), dtype=np.float32) for size in (1, body.action_size))
    rows: list[Shard] = []
    diverged = 0
    for step in steps:
        states, commands = np.split(observations, [body.observation_size], axis=1)
        seen = (torch.from_numpy(each).to(device) for each in (states, commands, envs.phase.astype(np.float32)))
        label = policy(*seen)[0].clamp(-1, 1).cpu().numpy()
        renewed = envs.episode_steps % round(NOISE_SECONDS / body.control_seconds) == 0
        levels[renewed, 0] = rng.choice(args.noise_levels, renewed.sum())
        fresh = rng.standard_normal(label.shape, dtype=np.float32)
        noise = body.noise_memory * noise + np.sqrt(1 - body.noise_memory**2) * fresh
        action = label + levels * body.noise_shares * noise
        row = {
            "observation.state": states,
            "action": body.to_control(action),
            "teacher.action": body.to_control(label),
            "goal.command": envs.goals.copy(),
            "frame_index": envs.episode_steps.copy(),
        }
        observations, reward, terminated, truncated, info = envs.step(row["action"])
        truncated |= ~terminated & (step == args.shard_steps - 1)
        velocity = heading_velocity(envs.final_state.qpos, envs.final_state.qvel)
        row |= {
            "next.reward": reward,
            "next.done": terminated | truncated,
            "next.terminated": terminated,
            "next.truncated": truncated,
            "velocity": np.where(info["diverged"][:, None], 0, velocity),
        }
        rows.append(row)
        diverged += int(info["diverged"].sum())
        if diverged > max(1, MAX_DIVERGED * args.shard_size):
            raise ValueError(
                f"{diverged} of the simulation steps of shard {number} diverged: lower push_speed or noise_levels"
            )
    shard = {
        name: np.stack([row[name] for row in rows], axis=1).reshape(args.shard_size, *rows[0][name].shape[1:])
        for name in rows[0]
    }
    velocity = shard.pop("velocity")
    return shard, velocity


def add_tasks(tasks: Sequence[int], *found: Sequence[int]) -> list[int]:
    """The tasks of a dataset, followed by those `found` in more of its shards, without duplicates."""
    return list(dict.fromkeys(itertools.chain(tasks, *found)))


def add_indices(shard: Shard, first_row: int, first_episode: int, tasks: Sequence[int], body: Body) -> None:
    """Number the steps and the episodes of a shard, and add each step's time and its index in `tasks`."""
    done = shard["next.done"]
    shard["index"] = first_row + np.arange(len(done))
    shard["episode_index"] = first_episode + np.concatenate([[0], np.cumsum(done)[:-1]])
    shard["timestamp"] = shard["frame_index"] * body.control_seconds
    shard["task_index"] = schema.task_indices(shard["goal.command"], tasks)


def write_shard(folder: Path, number: int, shard: Shard, velocity: np.ndarray, body: Body) -> None:
    """Write shard `number`, whose bodies moved with `velocity` [N * T, 3], and the table of its episodes."""
    files = schema.file_indices(number)
    with runs.replacing(folder / schema.EPISODES_PATH.format(**files)) as new:
        schema.write_episodes(new, shard, velocity, files, body)
    with runs.replacing(folder / schema.DATA_PATH.format(**files)) as new:
        schema.write_shard(new, shard, body)


def relabel(args: Arguments) -> None:
    """Rewrite a dataset with the goals that were achieved, and with their rewards and instructions."""
    started = time.perf_counter()
    folder, source = Path(args.output_dir), hub.folder(args.relabel, repo_type="dataset")
    info = schema.read_info(source)
    body = find_body(info["body"])
    if found := len(list(folder.glob(schema.DATA_FILES))):
        raise ValueError(f"{folder} has {found} shards already: give another --output_dir")
    with runs.claim(folder):
        tasks: list[int] = []
        runs.record_provenance(folder, args, {"dataset": hub.origin(args.relabel, source)})
        paths = schema.shard_paths(source)
        for number, shard in enumerate(tqdm(schema.read_shards(source), total=len(paths), unit="shard", disable=None)):
            commands = hindsight.achieved(shard, body)
            tasks = add_tasks(tasks, schema.occurring(commands))
            schema.write_tasks(folder, tasks)
            shard |= {
                "next.reward": hindsight.rewards(shard, commands, body),
                "goal.command": commands,
                "task_index": schema.task_indices(commands, tasks),
            }
            write_shard(folder, number, shard, observed_velocity(hindsight.next_states(shard)), body)
        schema.write_info(folder, body, info["total_frames"], info["total_episodes"])
        finish(args, folder, time.perf_counter() - started)


def finish(args: Arguments, folder: Path, seconds: float) -> None:
    """Check the dataset, write its statistics, video, card and summary, and publish it."""
    info = schema.read_info(folder)
    body = find_body(info["body"])
    schema.write_statistics(folder)
    film(next(schema.read_shards(folder)), folder / cards.REPLAY, body)
    paths = sorted(folder.glob(schema.EPISODES_FILES))
    table = pa.concat_tables(parquet.read_table(path, columns=["length", "fell", "mean_reward"]) for path in paths)
    length, fell, reward = (column.to_numpy() for column in table.columns)
    minutes = info["total_frames"] * body.control_seconds / 60
    numbers = {
        "steps": info["total_frames"],
        "episodes": info["total_episodes"],
        "hours": minutes / 60,
        "falls_per_minute": float(fell.sum()) / minutes,
        "mean_reward": float((reward * length).sum() / length.sum()),
        "megabytes": sum(path.stat().st_size for path in folder.glob(schema.DATA_FILES)) / 1e6,
    }
    measures = {name: f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" for name, value in numbers.items()}
    columns = [
        (f"`{name}`", f"{column.dtype} {list(column.shape)}", column.meaning)
        for name, column in schema.columns(body).items()
    ]
    goals = cards.PROPOSED_DATASET if args.proposals else cards.DATASET
    cards.write_card(
        folder,
        cards.RELABELED_DATASET if args.relabel else goals,
        cards.dataset_data(env_id(body.name), body.name),
        name=args.push_to_hub or folder.name,
        env_id=env_id(body.name),
        milliseconds=1000 * body.control_seconds,
        film_seconds=FILM_SECONDS,
        numbers=cards.measures(measures),
        columns=cards.table([("column", "type", "meaning"), *columns]),
        **runs.resolved(args) | {"noise_levels": ", ".join(f"{level:g}" for level in args.noise_levels)},
    )
    made = f"{numbers['steps']:,} steps in {numbers['episodes']:,} episodes"
    metric = f"{numbers['falls_per_minute']:.2f} falls per minute under noise"
    runs.write_summary(folder, stage="dataset", made=made, seconds=seconds, metric=metric)
    if args.push_to_hub:
        hub.publish(folder, args.push_to_hub, private=args.private, tag=args.tag)


def film(shard: Shard, path: Path, body: Body) -> None:
    """Write a video of the first seconds of a shard's longest episode."""
    starts, ends = schema.episode_bounds(shard["next.done"])
    longest = (ends - starts).argmax()
    states = shard["observation.state"][starts[longest] : ends[longest]][: round(FILM_SECONDS / body.control_seconds)]
    positions = hindsight.positions(states, body)
    video.write_video(path, video.draw(body, positions[:: video.FRAME_EVERY]), body)


if __name__ == "__main__":
    arguments.run(main, Arguments)

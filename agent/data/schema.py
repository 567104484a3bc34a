"""The dataset: its columns, its files, and their validation.

A dataset is a folder in LeRobot's layout (https://huggingface.co/docs/lerobot/lerobot-dataset-v3), one row per step:

    data/chunk-000/file-000.parquet           the steps of one shard, episode after episode
    meta/episodes/chunk-000/file-000.parquet  its episodes: location, instruction, numeric summary
    meta/tasks.parquet                        the goals that occur: text, index and command
    meta/info.json  meta/stats.json
    README.md                                 the card, by which `datasets.load_dataset` finds the data

Actions are in the env's own units. A dataset has one body, which meta/info.json names. The teacher is the motor
policy that moved the body. Its mean action, before noise is added, is the label that a model learns to predict.

Shapes: R rows of a shard, A actions, G = 5 numbers of a command (`agent.goals.COMMAND_AXES`).
"""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
from datasets import Features, List, Value
from pyarrow import parquet

from agent.artefacts import runs
from agent.bodies import Body, find_body
from agent.goals import (
    ARMS,
    AXES,
    AXIS_IDS,
    COMMAND_AXES,
    GOAL_VERSION,
    GRID_STEP,
    GRID_STEPS,
    HEIGHTS,
    Goal,
    check_goal_version,
)

LAYOUT_VERSION = "v3.0"
FILES_PER_CHUNK = 1000
FILE_MEGABYTES = 100  # LeRobot's own limit for files that its tools add; a shard here has about 35
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_FILES, EPISODES_FILES = "data/chunk-*/file-*.parquet", "meta/episodes/*/*.parquet"  # patterns of all of them
TASKS_PATH = "meta/tasks.parquet"
# For each of COMMAND_AXES: the number of its values, the first value, and the step between values.
AXIS_SIZES = tuple(len(AXIS_IDS[axis]) for axis in COMMAND_AXES)
AXIS_STARTS = np.array([*(GRID_STEPS[axis][0] * GRID_STEP for axis in AXES), 0, 0])
AXIS_STEPS = np.array([*[GRID_STEP] * len(AXES), 1, 1])


@dataclass(frozen=True)
class Column:
    """One column: `size` numbers of `dtype` per step, or a scalar if `size` is 0. `names` are those of the numbers."""

    dtype: str
    size: int
    meaning: str
    names: tuple[str, ...] | None = None

    @property
    def feature(self) -> Value | List:
        return List(Value(self.dtype), length=self.size) if self.size else Value(self.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,) if self.size else ()


@functools.cache
def columns(body: Body) -> dict[str, Column]:
    """The columns of a dataset of this body."""
    actions = body.action_size
    return {
        "observation.state": Column("float32", body.observation_size, "body state before the step, heading frame"),
        "action": Column("float32", actions, "as executed, noise included, in the env's units"),
        "teacher.action": Column("float32", actions, "the teacher's mean action in the same state: the label"),
        "goal.command": Column(
            "float32",
            len(COMMAND_AXES),
            "vx m/s, vy m/s, wz rad/s, height and arms of the goal in force during the step: velocities on the token "
            f"grid, then indices in {', '.join(HEIGHTS)} and in {', '.join(ARMS)}",
            COMMAND_AXES,
        ),
        "next.reward": Column("float32", 0, "goal reward of the step: GoalTask with the default RewardWeights"),
        "next.done": Column("bool", 0, "last step of its episode"),
        "next.terminated": Column("bool", 0, "the step ended in a fall"),
        "next.truncated": Column("bool", 0, "the episode was ended here by the time limit or the end of its file"),
        "timestamp": Column("float32", 0, "seconds since the episode began"),
        "frame_index": Column("int64", 0, "steps since the episode began"),
        "episode_index": Column("int64", 0, "number of the episode"),
        "index": Column("int64", 0, "number of the step in the dataset"),
        "task_index": Column("int64", 0, "number of the goal's text in meta/tasks.parquet"),
    }


def features(body: Body) -> Features:
    """The same columns, as `datasets` describes them."""
    return Features({name: column.feature for name, column in columns(body).items()})


Shard = dict[str, np.ndarray]


def file_indices(file_number: int) -> dict[str, int]:
    """Chunk and file index of a shard, to format DATA_PATH and EPISODES_PATH with."""
    return {"chunk_index": file_number // FILES_PER_CHUNK, "file_index": file_number % FILES_PER_CHUNK}


def episode_bounds(done: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each episode, and the row after its last, from the last steps `done` [R]."""
    ends = np.flatnonzero(done) + 1
    return np.concatenate([[0], ends[:-1]]), ends


def goal_numbers(commands: np.ndarray) -> np.ndarray:
    """Number [...] of each command [..., G] on the grid: its index in the flattened grid of all axes."""
    steps = np.rint((commands - AXIS_STARTS) / AXIS_STEPS).astype(np.int64)
    return np.ravel_multi_index(tuple(np.moveaxis(steps, -1, 0)), AXIS_SIZES)


def numbered_commands(numbers: np.ndarray) -> np.ndarray:
    """Commands [..., G] float32 of `goal_numbers` [...], its inverse."""
    steps = np.stack(np.unravel_index(numbers, AXIS_SIZES), axis=-1)
    return (AXIS_STARTS + steps * AXIS_STEPS).round(1).astype(np.float32) + 0.0  # + 0.0 turns -0.0 into 0.0


def occurring(commands: np.ndarray) -> list[int]:
    """The distinct `goal_numbers` of commands [R, G], in the order of their first occurrence."""
    numbers, first = np.unique(goal_numbers(commands), return_index=True)
    return numbers[np.argsort(first)].tolist()


def task_indices(commands: np.ndarray, tasks: Sequence[int]) -> np.ndarray:
    """Index of each command [R, G] in `tasks`, the `goal_numbers` of a dataset; -1 if it is not there."""
    places = np.full(math.prod(AXIS_SIZES), -1)
    places[list(tasks)] = np.arange(len(tasks))
    return places[goal_numbers(commands)]


def write_shard(path: Path, shard: Shard, body: Body) -> None:
    """Write the steps of a shard as Parquet. Floats are byte-stream split, which compresses them by a fifth more."""
    arrays, found = [], columns(body)
    for name, column in found.items():
        values = pa.array(np.ascontiguousarray(shard[name], dtype=column.dtype).reshape(-1))
        arrays.append(pa.FixedSizeListArray.from_arrays(values, column.size) if column.size else values)
    table = pa.Table.from_arrays(arrays, schema=features(body).arrow_schema)
    floats = [
        name + ".list.element" * bool(column.size) for name, column in found.items() if column.dtype == "float32"
    ]
    discrete = [name for name, column in found.items() if column.dtype != "float32"]
    parquet.write_table(table, path, compression="zstd", use_dictionary=discrete, use_byte_stream_split=floats)


def write_episodes(path: Path, shard: Shard, velocity: np.ndarray, files: dict[str, int], body: Body) -> None:
    """Write one row per episode of a shard: the location of its steps, an instruction for it, and how well its goals
    were followed. `velocity` [R, 3] is the velocity of the bodies, `files` are the `file_indices` of the shard.
    """
    starts, ends = episode_bounds(shard["next.done"])
    rows = []
    for begin, end in zip(starts.tolist(), ends.tolist(), strict=True):
        commands = shard["goal.command"][begin:end]
        switches = begin + 1 + np.flatnonzero((commands[1:] != commands[:-1]).any(1))
        stretches = [_summarize(shard, velocity, *each, body) for each in pairwise([begin, *switches.tolist(), end])]
        goals = [
            Goal.from_command(stretch["command"], seconds=max(0.1, stretch["seconds"])).on_grid()
            for stretch in stretches
        ]
        rows.append(
            {
                "episode_index": int(shard["episode_index"][begin]),
                "tasks": list(dict.fromkeys(Goal.from_command(stretch["command"]).text for stretch in stretches)),
                "length": end - begin,
                "dataset_from_index": int(shard["index"][begin]),
                "dataset_to_index": int(shard["index"][end - 1]) + 1,
                **{f"data/{name}": index for name, index in files.items()},
                **{f"meta/episodes/{name}": index for name, index in files.items()},
                "instruction": "; ".join(goal.text for goal in goals),
                "fell": bool(shard["next.terminated"][end - 1]),
                "mean_reward": float(shard["next.reward"][begin:end].mean()),
                "summary": stretches,
            }
        )
    parquet.write_table(pa.Table.from_pylist(rows), path)


def _summarize(shard: Shard, velocity: np.ndarray, begin: int, end: int, body: Body) -> dict:
    """The goal from row `begin` to row `end`, and how well it was followed."""
    command, traveled = shard["goal.command"][begin].astype(float), velocity[begin:end].astype(float)
    return {
        "command": [round(value, 1) for value in command.tolist()],
        "seconds": round((end - begin) * body.control_seconds, 3),
        "mean_velocity": [round(value, 3) for value in traveled.mean(0).tolist()],
        "meters": round(float(np.linalg.norm(traveled[:, :2], axis=1).sum()) * body.control_seconds, 3),
        "degrees": round(math.degrees(float(traveled[:, 2].sum())) * body.control_seconds, 1),
        "mean_reward": round(float(shard["next.reward"][begin:end].mean()), 4),
    }


def write_tasks(folder: Path, tasks: Sequence[int]) -> None:
    """Write the text, the index and the command of each of `tasks`, the `goal_numbers` that occur."""
    commands = numbered_commands(np.array(tasks, dtype=np.int64))
    texts = pandas.Index([Goal.from_command(command).text for command in commands], name="task")
    columns = {"task_index": np.arange(len(tasks)), **dict(zip(COMMAND_AXES, commands.T, strict=True))}
    with runs.placing(folder) as new:
        (new / "meta").mkdir()
        pandas.DataFrame(columns, index=texts).to_parquet(new / TASKS_PATH)


def read_tasks(folder: Path) -> list[int]:
    """The `goal_numbers` of a dataset's tasks, in their order. Raises ValueError if the file is not such a list."""
    path = folder / TASKS_PATH
    table = _read_table(path, ("task", "task_index", *COMMAND_AXES), needs_rows=False)
    commands = np.column_stack([table[name].to_numpy() for name in COMMAND_AXES])
    _check_commands(path, commands)
    _refuse(path, table["task_index"].to_numpy() != np.arange(len(table)), "task_index does not count from 0")
    return goal_numbers(commands).tolist()


def write_info(folder: Path, body: Body, steps: int, episodes: int) -> None:
    """Write meta/info.json, as LeRobot reads it, and the folder's checksum manifest."""
    info = {
        "codebase_version": LAYOUT_VERSION,
        "robot_type": body.name,
        "body": body.name,
        "goal_version": GOAL_VERSION,
        "total_episodes": episodes,
        "total_frames": steps,
        "total_tasks": len(read_tasks(folder)),
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": FILE_MEGABYTES,
        "video_files_size_in_mb": FILE_MEGABYTES,
        "fps": 1 / body.control_seconds,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": None,
        "features": {
            name: {
                "dtype": column.dtype,
                "shape": list(column.shape or (1,)),
                "names": list(column.names) if column.names else None,
                "meaning": column.meaning,
            }
            for name, column in columns(body).items()
        },
    }
    with runs.placing(folder) as new:
        runs.write_json(new / "meta" / "info.json", info)


def write_statistics(folder: Path) -> None:
    """Check the dataset, and write the count, minimum, maximum, mean and standard deviation of every column to
    meta/stats.json, as LeRobot reads it.
    """
    parts: dict[str, list[list[np.ndarray]]] = {}
    for shard in read_shards(folder):
        for name, column in shard.items():
            values = column.reshape(len(column), -1).astype(np.float64)
            found = [values.min(0), values.max(0), values.sum(0), np.square(values).sum(0)]
            parts.setdefault(name, []).append(found)
    count, statistics = read_info(folder)["total_frames"], {}
    for name, found in parts.items():
        least, greatest, total, squares = (np.array(part) for part in zip(*found, strict=True))
        mean = total.sum(0) / count
        deviation = np.sqrt(np.maximum(squares.sum(0) / count - mean**2, 0))
        measures = {"min": least.min(0), "max": greatest.max(0), "mean": mean, "std": deviation}
        statistics[name] = {"count": [count], **{measure: value.tolist() for measure, value in measures.items()}}
    with runs.placing(folder) as new:
        runs.write_json(new / "meta" / "stats.json", statistics)


def shard_paths(folder: Path) -> list[Path]:
    """Data files of a dataset, in order. Raises ValueError when there are none."""
    paths = sorted(folder.glob(DATA_FILES))
    if not paths:
        raise ValueError(f"{folder} has no {DATA_FILES}: give the folder of a dataset, or collect one")
    return paths


def read_info(folder: Path) -> dict:
    """The dataset's meta/info.json. Raises ValueError if it is missing, uses another goal vocabulary, or is of an
    unknown body.
    """
    path = folder / "meta" / "info.json"
    info = runs.read_json(path)
    check_goal_version(info.get("goal_version"), str(folder))
    find_body(info.get("body", ""))
    for name in ("total_frames", "total_episodes"):
        if not isinstance(info.get(name), int):
            raise ValueError(f"{path} has no {name}: collect with --resume to complete the dataset")
    return info


def read_shards(folder: Path) -> Iterator[Shard]:
    """The steps of a dataset, shard by shard, each checked.

    Raises:
        ValueError: names the file, the row and what is wrong: columns or dimensions, values that are not finite or out
            of range, a goal off the grid, episodes that do not begin or end where they should, indices that are
            missing or duplicate, another goal vocabulary, or episodes or totals that differ from meta/.
    """
    info = read_info(folder)
    body, paths, tasks = find_body(info["body"]), shard_paths(folder), read_tasks(folder)
    rows = episodes = 0
    for path in paths:
        shard = _read_shard(path, body)
        _check_values(path, shard, body)
        _refuse(
            path,
            shard["task_index"] != task_indices(shard["goal.command"], tasks),
            f"task_index is not that of goal.command in {TASKS_PATH}",
        )
        _check_order(path, shard, rows, episodes, body)
        _check_episodes(folder / "meta" / "episodes" / path.parent.name / path.name, shard)
        rows += len(shard["index"])
        episodes += int(shard["next.done"].sum())
        if rows > info["total_frames"]:
            break
        yield shard
    if (rows, episodes) != (info["total_frames"], info["total_episodes"]):
        raise ValueError(
            f"{folder}/meta/info.json counts {info['total_frames']} steps and {info['total_episodes']} episodes, "
            f"{path.name} ends with {rows} and {episodes}: collect with --resume to complete the dataset"
        )


def validate(folder: Path) -> None:
    """Raise ValueError, naming file and row, unless the dataset is valid and complete."""
    for _ in read_shards(folder):
        pass


def _read_table(path: Path, names: Iterable[str], needs_rows: bool = True) -> pa.Table:
    """The table of a file that has the columns called `names`."""
    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path} is no whole Parquet file ({str(error).splitlines()[0]}): remove it and collect with --resume"
        ) from error
    if needs_rows and not len(table):
        raise ValueError(f"{path} has no rows: remove it and collect with --resume")
    require_columns(path, table, names)
    return table


def require_columns(path: Path, table: pa.Table, names: Iterable[str]) -> None:
    """Raise ValueError for the first of `names` that is not a column of the table, which was read from `path`."""
    for name in names:
        if name not in table.column_names:
            raise ValueError(f"{path} has no column {name!r}: it has {', '.join(table.column_names)}")


def _read_shard(path: Path, body: Body) -> Shard:
    table, types = _read_table(path, columns(body)), features(body).arrow_schema
    shard = {}
    for name, column in columns(body).items():
        found, expected = table.schema.field(name).type, types.field(name).type
        if found != expected:
            raise ValueError(
                f"{path}: column {name!r} is {found}, that of body {body.name} is {expected}: collect it again"
            )
        values = table.column(name).combine_chunks()
        flat = values.flatten() if column.size else values
        for array, width in ((values, 1), (flat, column.size or 1)):
            if array.null_count:
                missing = array.is_null().to_numpy(zero_copy_only=False).reshape(-1, width)
                _refuse(path, missing.any(1), f"{name} is missing")
        shard[name] = flat.to_numpy(zero_copy_only=False).reshape(len(table), *column.shape)
    return shard


def _refuse(path: Path, wrong: np.ndarray | np.bool, what: str) -> None:
    """Raise ValueError for the first row where `wrong` [rows] is true."""
    if wrong.any():
        raise ValueError(f"{path} row {int(np.argmax(wrong))}: {what}")


def _check_values(path: Path, shard: Shard, body: Body) -> None:
    for name, column in columns(body).items():
        if column.dtype == "float32":
            values = shard[name].reshape(len(shard[name]), -1)
            _refuse(path, ~np.isfinite(values).all(1), f"{name} is not finite")
    for name in ("action", "teacher.action"):
        beyond = np.abs(shard[name]) > body.scale + 1e-6
        _refuse(path, beyond.any(1), f"{name} is beyond the action scale of body {body.name}")
    _check_commands(path, shard["goal.command"])


def _check_commands(path: Path, commands: np.ndarray) -> None:
    """Raise ValueError for the first of the commands [R, G] that has no `goal_numbers`."""
    steps = (commands - AXIS_STARTS) / AXIS_STEPS
    inside = (steps > -1e-4) & (steps < np.array(AXIS_SIZES) - 1 + 1e-4)  # false for numbers that are not finite
    _refuse(path, ~inside.all(1), "goal.command is out of range")
    _refuse(
        path,
        (np.abs(steps - np.rint(steps)) > 1e-3).any(1),
        f"goal.command is not on the grid of vocabulary {GOAL_VERSION}",
    )


def _check_order(path: Path, shard: Shard, first_row: int, first_episode: int, body: Body) -> None:
    done, frame = shard["next.done"], shard["frame_index"]
    terminated, truncated = shard["next.terminated"], shard["next.truncated"]
    rows = first_row + np.arange(len(done))
    begins = np.concatenate([[True], done[:-1]])
    episode, start = first_episode + np.cumsum(begins) - 1, np.maximum.accumulate(np.where(begins, rows, 0))
    seconds = frame * body.control_seconds
    wrong = {
        f"index does not go on by one from {first_row}: a step is missing or double": shard["index"] != rows,
        "episode_index does not count the episodes: one is cut, joined or double": shard["episode_index"] != episode,
        "frame_index does not count the steps of its episode from 0": frame != rows - start,
        f"timestamp is not frame_index * {body.control_seconds:g}": np.abs(shard["timestamp"] - seconds) > 1e-3,
        "next.done is not terminated or truncated": done != (terminated | truncated),
        "an episode is both terminated and truncated": terminated & truncated,
        "the file ends inside an episode": ~done & (rows == rows[-1]),
    }
    for what, where in wrong.items():
        _refuse(path, where, what)


def _check_episodes(path: Path, shard: Shard) -> None:
    """Compare what meta/episodes says about the episodes of a shard with its steps."""
    starts, ends = episode_bounds(shard["next.done"])
    expected = {
        "episode_index": shard["episode_index"][starts],
        "length": ends - starts,
        "dataset_from_index": shard["index"][starts],
        "dataset_to_index": shard["index"][ends - 1] + 1,
    }
    table = _read_table(path, expected)
    if len(table) != len(ends):
        raise ValueError(f"{path} has {len(table)} rows for {len(ends)} episodes")
    for name, values in expected.items():
        _refuse(path, table[name].to_numpy() != values, f"{name} is not that of the steps")

"""Training windows: a few consecutive steps of one episode, read directly from memory-mapped records.

For a dataset from collect_dataset.py, the columns that a window needs are in `.npy` files in the cache of `datasets`.
They are written and checked once per version of the dataset. One record holds everything that a window needs from a
step, so a batch costs one gather, whatever the size of the dataset.

A batch of windows has states [B, K, S], actions [B, K, A] and goal ids [B, G]: see `take_windows`.

Shapes: R rows of the dataset, B windows, K steps of context, S observation, A action, G = 5 goal tokens.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from datasets.config import HF_DATASETS_CACHE

from agent.artefacts import runs
from agent.bodies import Body, find_body
from agent.data import schema
from agent.data.episodes import read_episodes
from agent.goals import ARMS, AXIS_IDS, COMMAND_AXES
from agent.simulation.task import ARM_CODES, wave_clock

# Token ids [goals, G] of every command, in the order of schema.goal_numbers.
GOAL_IDS = np.array(list(product(*(AXIS_IDS[axis] for axis in COMMAND_AXES))))
STAND = int(schema.goal_numbers(np.zeros(len(COMMAND_AXES))))
OTHER_BODY = "other"  # the robot of a dataset of another project, which is not simulated here
# Field of a record, or of Steps -> its column in the dataset.
RECORD_SOURCES = {"states": "observation.state", "actions": "action", "labels": "teacher.action"}
SOURCES = {"rewards": "next.reward", "done": "next.done", "terminated": "next.terminated"}
DATA_SUFFIXES = (".parquet", ".arrow", ".hdf5")
Window = dict[str, np.ndarray]


def record_type(state_size: int, action_size: int) -> np.dtype:
    """Record of a step: the observation, the executed action and the teacher's action, in the env's units."""
    return np.dtype([("states", "f4", state_size), ("actions", "f4", action_size), ("labels", "f4", action_size)])


@dataclass
class Steps:
    """The steps of a dataset, one row each, episode after episode.

    Raises:
        ValueError: no rows, columns of different lengths, or a last episode that is not done.
    """

    records: np.ndarray  # [R] of a record_type
    rewards: np.ndarray  # [R]
    clock: np.ndarray  # [R, 2] sine and cosine of the phase of a waving arm, as `task.wave_clock` gives them
    goals: np.ndarray  # [R] number of the goal in force, as schema.goal_numbers counts
    done: np.ndarray  # [R] last step of an episode
    terminated: np.ndarray  # [R] fell
    body: str  # name of the robot; OTHER_BODY for one that is not simulated here and follows no goals
    action_scale: Sequence[float]  # [A] largest actions
    starts: np.ndarray = field(init=False)  # [R] first row of the row's episode
    ends: np.ndarray = field(init=False)  # [R] row after the last of the row's episode
    _returns: dict[int, np.ndarray] = field(init=False, default_factory=dict)  # by horizon

    def __post_init__(self):
        lengths = {
            len(column) for column in (self.records, self.rewards, self.clock, self.goals, self.done, self.terminated)
        }
        if len(lengths) != 1 or not len(self.done):
            raise ValueError(f"columns have {sorted(lengths)} rows: give every column the same number, at least one")
        if not self.done[-1]:
            raise ValueError(f"row {len(self.done) - 1} is the last, and its episode is not done")
        starts, ends = schema.episode_bounds(self.done)
        self.starts, self.ends = np.repeat([starts, ends], ends - starts, axis=1)

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers in an observation and in an action."""
        return self.records.dtype["states"].shape[0], self.records.dtype["actions"].shape[0]

    def __len__(self) -> int:
        return len(self.done)

    def returns_to_go(self, horizon: int) -> np.ndarray:
        """Mean reward [R] of the coming `horizon` steps, so that it means the same at every time of an episode. It is
        computed once.

        Steps after a fall count as 0, and a horizon of 0 gives 0. Rewards after a time limit are unknown: the mean is
        then over the steps before it.
        """
        if horizon not in self._returns:
            total = np.concatenate([[0.0], np.cumsum(self.rewards, dtype=np.float64)])
            rows = np.arange(len(self))
            until = np.minimum(rows + horizon, self.ends)
            counted = np.where(self.terminated[self.ends - 1], horizon, until - rows)
            means = (total[until] - total[rows]) / np.maximum(counted, 1)
            self._returns[horizon] = means.astype(np.float32)
        return self._returns[horizon]

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation [S] of the observations."""
        parts = np.array_split(self.records["states"], 1 + len(self) // 100_000)
        mean = np.sum([part.sum(0, dtype=np.float64) for part in parts], axis=0) / len(self)
        return mean, np.sqrt(np.sum([np.square(part - mean).sum(0) for part in parts], axis=0) / len(self))


def data_files(folder: Path) -> list[Path]:
    """The data files of the dataset in `folder`: its steps, and any tables of episodes and tasks."""
    return [file for file in folder.rglob("*") if file.name.endswith(DATA_SUFFIXES)]


def open_bodies(*folders: Path) -> dict[str, Steps]:
    """The steps of the datasets in `folders`, by name of the body. Datasets of one body are concatenated.

    Raises:
        ValueError: as schema.read_shards and episodes.read_episodes, or datasets collected here are mixed with those
            of other projects.
    """
    mapped = [(folder / "meta" / "info.json").exists() for folder in folders]
    if not any(mapped):
        return {OTHER_BODY: _gather_steps(folders)}
    if not all(mapped):
        raise ValueError(
            f"{folders[mapped.index(True)]} was collected here, {folders[mapped.index(False)]} has another layout: "
            "give datasets of one kind"
        )
    bodies: dict[str, list[Path]] = {}
    for folder in folders:
        bodies.setdefault(schema.read_info(folder)["body"], []).append(folder)
    return {name: _map_steps(own) for name, own in bodies.items()}


def _map_steps(folders: Sequence[Path]) -> Steps:
    """The steps of datasets of one body in the layout of schema.py, memory-mapped."""
    infos = [schema.read_info(folder) for folder in folders]
    totals = [info["total_frames"] for info in infos]
    body = find_body(infos[0]["body"])
    files = [
        (folder.resolve(), total, [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in paths])
        for folder, total, paths in zip(folders, totals, map(schema.shard_paths, folders), strict=True)
    ]
    types = {"records": record_type(body.observation_size, body.action_size), "goals": np.dtype("i8")}
    types |= {name: np.dtype(schema.columns(body)[source].dtype) for name, source in SOURCES.items()}
    version = hashlib.sha256(repr((files, types)).encode()).hexdigest()[:16]
    cache = Path(HF_DATASETS_CACHE) / "records" / version
    runs.make_once(cache, lambda: _write_columns(cache, folders, totals, types))
    arrays = {name: np.load(cache / f"{name}.npy", mmap_mode="r") for name in types}
    clock = clocks(arrays["goals"], arrays["done"], body)
    return Steps(**arrays, clock=clock, body=body.name, action_scale=body.action_scale)


def clocks(goals: np.ndarray, done: np.ndarray, body: Body) -> np.ndarray:
    """The wave's clock [R, 2] at each step, from the numbers of the goals [R] and the last steps of episodes [R]. It
    starts with the first of the goals that ask an arm to wave, as in `GoalTask`.
    """
    rows = np.arange(len(goals))
    waving = goals % len(ARMS) >= ARM_CODES["wave_left"]  # the arms are the last axis of a goal's number
    still = np.where(waving, -1, rows)  # the last row before the wave
    still[1:] = np.maximum(still[1:], np.where(done[:-1], rows[:-1], -1))
    return wave_clock(rows - np.maximum.accumulate(still) - 1, body)


def _write_columns(cache: Path, folders: Sequence[Path], totals: Sequence[int], types: Mapping[str, np.dtype]) -> None:
    """Write the concatenated columns of datasets of `totals` rows as files of their `types` in `cache`."""
    count = sum(totals)
    size = count * sum(dtype.itemsize for dtype in types.values())
    with runs.replacing(cache, size) as new:  # on a full disk, writing to a memory map would kill the process
        new.mkdir()
        columns = {
            name: np.lib.format.open_memmap(new / f"{name}.npy", mode="w+", dtype=dtype, shape=(count,))
            for name, dtype in types.items()
        }
        for folder, before in zip(folders, np.cumsum([0, *totals[:-1]]).tolist(), strict=True):
            for shard in schema.read_shards(folder):
                rows = slice(before + int(shard["index"][0]), before + int(shard["index"][-1]) + 1)
                for name, source in RECORD_SOURCES.items():
                    columns["records"][name][rows] = shard[source]
                for name, source in SOURCES.items():
                    columns[name][rows] = shard[source]
                columns["goals"][rows] = schema.goal_numbers(shard["goal.command"])
        for column in columns.values():
            column.flush()


def _gather_steps(folders: Sequence[Path]) -> Steps:
    """The steps of other projects' datasets, in memory: actions are their own labels, and the goal never changes."""
    episodes = read_episodes(*folders)
    states, actions, rewards = (
        np.concatenate([getattr(episode, name) for episode in episodes])
        for name in ("observations", "actions", "rewards")
    )
    records = np.empty(len(states), record_type(states.shape[1], actions.shape[1]))
    records["states"], records["actions"], records["labels"] = states, actions, actions
    done, terminated = np.zeros((2, len(states)), dtype=bool)
    last = np.cumsum([len(episode.rewards) for episode in episodes]) - 1
    done[last], terminated[last] = True, [episode.terminations[-1] for episode in episodes]
    goals = np.full(len(states), STAND)
    largest = max(float(np.abs(actions).max()), 1e-6)
    scale = [largest] * actions.shape[1]
    clock = np.zeros((len(states), 2), np.float32)
    return Steps(records, rewards, clock, goals, done, terminated, body=OTHER_BODY, action_scale=scale)


def sample_windows(rng: np.random.Generator, steps: Steps, count: int, context: int) -> np.ndarray:
    """First rows [count] of random windows. A step in the middle of an episode is in about twice as many windows as
    its first or last step.
    """
    rows = rng.integers(0, len(steps), count)
    return np.maximum(rows - rng.integers(0, context, count), steps.starts[rows])


def take_windows(steps: Steps, returns_to_go: np.ndarray, first: np.ndarray, context: int) -> Window:
    """The windows that begin at rows `first` [B] and end after `context` steps, or with their episode.

    A window is prompted with the goal of its last step. Steps of an earlier goal are its history, and do not count in
    the loss. Steps after the end of an episode repeat its last one, and are masked out of attention and loss.

    Returns `states` [B, K, S], `actions` and `labels` [B, K, A], `returns_to_go`, `attention_mask` and `loss_mask`
    [B, K], `clock` [B, K, 2], and `goal_ids` [B, G].
    """
    rows = first[:, None] + np.arange(context)
    ends = steps.ends[first][:, None]
    attention_mask = rows < ends
    rows = np.minimum(rows, ends - 1)
    records = steps.records.take(rows)  # indexing would copy field by field
    goals = steps.goals[rows]
    return {
        **{name: records[name] for name in RECORD_SOURCES},
        "returns_to_go": returns_to_go[rows],
        "clock": steps.clock[rows],
        "goal_ids": GOAL_IDS[goals[:, -1]],
        "attention_mask": attention_mask,
        "loss_mask": attention_mask & (goals == goals[:, -1:]),
    }

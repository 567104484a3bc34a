"""Training windows: a few consecutive steps of one episode, taken straight from memory-mapped columns.

The columns of a dataset lie in one `.npy` file each, made and checked once per version of the dataset in the cache of
`datasets`, and are read by fancy indexing: a batch costs one gather per column, whatever the size of the dataset.

Shapes: R rows of the dataset, B windows, K steps of context, S = 45 observation, A = 17 action, G = 3 goal tokens.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasets.config import HF_DATASETS_CACHE

from agent import runs, schema
from agent.goals import AXES, AXIS_IDS, GRID_STEP, GRID_STEPS

# Ids of an axis follow one another in the order of its grid, so a command is three additions away from its ids.
ZERO_IDS = np.array([AXIS_IDS[axis][0] - GRID_STEPS[axis][0] for axis in AXES])
Window = dict[str, np.ndarray]


@dataclass(frozen=True)
class Steps:
    """The steps of a dataset, one row each, episode after episode.

    Raises:
        ValueError: no rows, columns of different lengths, or a last episode that is not done.
    """

    states: np.ndarray  # [R, S] as the env returned them
    actions: np.ndarray  # [R, A] executed, ±0.4
    labels: np.ndarray  # [R, A] the teacher's, ±0.4
    rewards: np.ndarray  # [R]
    commands: np.ndarray  # [R, 3] on the grid
    done: np.ndarray  # [R] last step of an episode
    terminated: np.ndarray  # [R] fell
    starts: np.ndarray = field(init=False)  # [R] first row of the row's episode
    ends: np.ndarray = field(init=False)  # [R] row after the last of the row's episode

    def __post_init__(self):
        lengths = {len(column) for name, column in vars(self).items()}
        if len(lengths) != 1 or not len(self.done):
            raise ValueError(f"columns have {sorted(lengths)} rows: give every column the same number, at least one")
        if not self.done[-1]:
            raise ValueError(f"row {len(self.done) - 1} is the last, and its episode is not done")
        last = np.flatnonzero(self.done)
        lengths_of_episodes = np.diff(last, prepend=-1)
        object.__setattr__(self, "ends", np.repeat(last + 1, lengths_of_episodes))
        object.__setattr__(self, "starts", np.repeat(last + 1 - lengths_of_episodes, lengths_of_episodes))

    def __len__(self) -> int:
        return len(self.done)

    def returns_to_go(self, horizon: int) -> np.ndarray:
        """Mean reward [R] of the coming `horizon` steps, so that it means the same at every time of an episode.

        After a fall there is no reward. What a time limit cut off is unknown: the mean is then over what is there.
        """
        total = np.concatenate([[0.0], np.cumsum(self.rewards, dtype=np.float64)])
        rows = np.arange(len(self))
        until = np.minimum(rows + horizon, self.ends)
        counted = np.where(self.terminated[self.ends - 1], horizon, until - rows)
        return ((total[until] - total[rows]) / counted).astype(np.float32)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation [S] of the observations."""
        parts = np.array_split(self.states, 1 + len(self) // 100_000)
        mean = np.sum([part.sum(0, dtype=np.float64) for part in parts], axis=0) / len(self)
        return mean, np.sqrt(np.sum([np.square(part - mean).sum(0) for part in parts], axis=0) / len(self))


# Field of Steps -> its column in the dataset.
SOURCES = {
    "states": "observation.state",
    "actions": "action",
    "labels": "teacher.action",
    "rewards": "next.reward",
    "commands": "goal.command",
    "done": "next.done",
    "terminated": "next.terminated",
}


def open_steps(folder: Path) -> Steps:
    """The steps of the dataset in `folder`, memory-mapped. Raises ValueError as schema.read_shards does."""
    info = schema.read_info(folder)
    files = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in schema.shard_paths(folder)]
    version = hashlib.sha256(repr((folder.resolve(), info["total_frames"], files)).encode()).hexdigest()[:16]
    cache = Path(HF_DATASETS_CACHE) / "steps" / version
    if not cache.is_dir():
        with runs.replacing(cache) as beside:
            beside.mkdir()
            columns = {
                name: np.lib.format.open_memmap(
                    beside / f"{name}.npy",
                    mode="w+",
                    dtype=schema.COLUMNS[source].dtype,
                    shape=(info["total_frames"], *schema.COLUMNS[source].shape),
                )
                for name, source in SOURCES.items()
            }
            for shard in schema.read_shards(folder):
                rows = slice(int(shard["index"][0]), int(shard["index"][-1]) + 1)
                for name, source in SOURCES.items():
                    columns[name][rows] = shard[source]
            for column in columns.values():
                column.flush()
    return Steps(**{name: np.load(cache / f"{name}.npy", mmap_mode="r") for name in SOURCES})


def sample_windows(rng: np.random.Generator, steps: Steps, count: int, context: int) -> np.ndarray:
    """First rows [count] of random windows, which hold every step about as often, those at an episode's ends half."""
    rows = rng.integers(0, len(steps), count)
    return np.maximum(rows - rng.integers(0, context, count), steps.starts[rows])


def take_windows(steps: Steps, returns_to_go: np.ndarray, first: np.ndarray, context: int) -> Window:
    """The windows that begin at rows `first` [B] and end after `context` steps, or with their episode.

    A window is prompted with the goal of its last step. Steps of an earlier goal are its history, and do not count in
    the loss. Steps after the end of an episode repeat its last one, and are masked out of everything.
    """
    rows = first[:, None] + np.arange(context)
    ends = steps.ends[first]
    attention_mask = rows < ends[:, None]
    last = np.minimum(rows[:, -1], ends - 1)
    rows = np.minimum(rows, last[:, None])
    commands = steps.commands[rows]
    goals = steps.commands[last]
    return {
        "states": steps.states[rows],
        "actions": steps.actions[rows],
        "returns_to_go": returns_to_go[rows],
        "goal_ids": command_ids(goals),
        "attention_mask": attention_mask,
        "labels": steps.labels[rows],
        "loss_mask": attention_mask & (commands == goals[:, None]).all(-1),
    }


def command_ids(commands: np.ndarray) -> np.ndarray:
    """Token ids [..., G] of commands [..., 3] on the grid."""
    return np.rint(commands / GRID_STEP).astype(np.int64) + ZERO_IDS

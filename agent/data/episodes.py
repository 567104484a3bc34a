"""Datasets of other projects, episode by episode. The files in the folder determine the layout:

    data/main_data.hdf5                  Minari's, read by h5py
    data/0/part-0.arrow, or .parquet     Minari's, one folder per episode
    *.parquet at any depth               one row per episode, with nested lists `observations`, `actions`, `rewards`
                                         and `dones`: the layout of the Hugging Face blog on Decision Transformers

See https://minari.farama.org/content/dataset_standards and https://huggingface.co/blog/train-decision-transformers.

Shapes: T steps of an episode, S observation, A action.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import dataset, parquet

from agent.data.schema import require_columns

BLOG_COLUMNS = ("observations", "actions", "rewards", "dones")
MINARI_COLUMNS = ("observations", "actions", "rewards", "terminations")


@dataclass
class Episode:
    """One whole episode.

    Raises:
        ValueError: names the source and what is wrong: columns that are not vectors or differ in length, values that
            are not finite, or a termination before the last step.
    """

    source: str  # file, and position in it
    observations: np.ndarray  # [T, S] float32, before each step
    actions: np.ndarray  # [T, A] float32
    rewards: np.ndarray  # [T] float32
    terminations: np.ndarray  # [T] bool; all false if a time limit ended the episode

    def __post_init__(self):
        if self.terminations[:-1].any():
            raise ValueError(
                f"{self.source} step {int(self.terminations.argmax())}: the episode goes on after its end"
            )
        for name, axes in (("observations", 2), ("actions", 2), ("rewards", 1)):
            values = getattr(self, name)
            if values.ndim != axes or values.dtype.kind not in "fiub":
                raise ValueError(
                    f"{self.source}: {name} are {values.dtype} of shape {values.shape}, not numbers in {axes} axes"
                )
            if not len(values) == len(self.terminations) > 0:
                raise ValueError(f"{self.source} has {len(values)} {name} and {len(self.terminations)} steps")
            if not np.isfinite(values).all():
                step = int(np.argwhere(~np.isfinite(values))[0, 0])
                raise ValueError(f"{self.source} step {step}: {name} are not finite")
            setattr(self, name, values.astype(np.float32))


def read_episodes(*folders: Path) -> list[Episode]:
    """The episodes of datasets of other projects, in order.

    Raises:
        ValueError: names the file, the episode and what is wrong: an unknown layout, no episodes, bodies of different
            sizes, or what Episode refuses.
    """
    episodes: list[Episode] = []
    for folder in folders:
        opened = list(_open(folder))
        if not opened:
            raise ValueError(f"{folder} has no episodes: give the folder of a dataset with its data files")
        episodes += opened
    sizes = [(each.observations.shape[1], each.actions.shape[1]) for each in episodes]
    for episode, found in zip(episodes, sizes, strict=True):
        if found != sizes[0]:
            raise ValueError(
                f"{episode.source} has observations and actions of {found} numbers, those before it of {sizes[0]}: "
                "give datasets of one body"
            )
    return episodes


def _open(folder: Path) -> Iterator[Episode]:
    data = folder / "data"
    if (data / "main_data.hdf5").exists():
        return _read_minari_file(data / "main_data.hdf5")
    if (data / "metadata.json").exists():
        return _read_minari_folders(data)
    paths = sorted(folder.rglob("*.parquet"))
    if not paths:
        raise ValueError(
            f"{folder} has neither meta/info.json nor *.parquet or Minari's data/: "
            "give the folder of a dataset, or collect one"
        )
    return _read_blog(paths)


def _read_blog(paths: list[Path]) -> Iterator[Episode]:
    for path in paths:
        table = parquet.read_table(path)
        require_columns(path, table, BLOG_COLUMNS)
        for row in range(len(table)):
            source = f"{path} row {row}"
            columns = []
            for name in BLOG_COLUMNS:
                values = table[name][row]
                if not (isinstance(values, pa.ListScalar) and values.is_valid):
                    raise ValueError(f"{source}: {name} is not a list: give one row per episode, with nested lists")
                columns.append(_numbers(source, name, values.values))
            yield Episode(source, *columns)


def _read_minari_folders(data: Path) -> Iterator[Episode]:
    for folder in sorted((path for path in data.iterdir() if path.is_dir()), key=lambda path: int(path.name)):
        files = sorted(folder.glob("part-*"))
        layout = "parquet" if any(file.suffix == ".parquet" for file in files) else "arrow"
        table = dataset.dataset(files, format=layout).to_table()
        require_columns(folder, table, MINARI_COLUMNS)
        # The last row holds the observation after the last step; the rest of it is padding.
        columns = [_numbers(str(folder), name, table[name].combine_chunks())[:-1] for name in MINARI_COLUMNS]
        yield Episode(str(folder), *columns)


def _read_minari_file(path: Path) -> Iterator[Episode]:
    try:
        import h5py  # only this layout needs it
    except ImportError as error:
        raise ValueError(f"{path} can be read with the package h5py: pip install h5py") from error
    with h5py.File(path) as file:
        for name in sorted(file, key=lambda name: int(name.removeprefix("episode_"))):
            if missing := [
                column for column in MINARI_COLUMNS if not isinstance(file[name].get(column), h5py.Dataset)
            ]:
                raise ValueError(f"{path} {name} has no array {missing[0]!r}")
            observations, *columns = (file[name][column][:] for column in MINARI_COLUMNS)
            yield Episode(f"{path} {name}", observations[:-1], *columns)


def _numbers(source: str, name: str, values: pa.Array) -> np.ndarray:
    """The numbers of a column: [T], or [T, n] for one of lists."""
    vectors = pa.types.is_nested(values.type) and not pa.types.is_struct(values.type)
    flat = values.flatten() if vectors else values
    if vectors and len(values.value_lengths().unique()) != 1:
        raise ValueError(f"{source}: {name} are not all of one length")
    if pa.types.is_nested(flat.type) or flat.null_count:
        raise ValueError(f"{source}: {name} are lists of lists, or some are missing")
    numbers = flat.to_numpy(zero_copy_only=False)
    return numbers.reshape(len(values), -1) if vectors else numbers

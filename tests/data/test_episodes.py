"""Datasets of other projects: files in their layouts become the steps that they hold, and broken ones are refused by
place.
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import dataset, parquet
from samples import open_steps

from agent.data.episodes import read_episodes
from agent.data.windows import OTHER_BODY, sample_windows, take_windows

LENGTHS = (5, 3)


def make_episodes(lengths=LENGTHS, sizes=(4, 2)) -> list[dict]:
    """Episodes of which the first runs into a time limit and the others end by themselves."""
    rng = np.random.default_rng(0)
    return [
        {
            "observations": rng.normal(size=(length + 1, sizes[0])),
            "actions": rng.uniform(-2, 2, (length, sizes[1])).astype(np.float32),
            "rewards": rng.normal(size=length),
            "terminations": np.arange(length) == (length - 1 if number else length),
            "truncations": np.arange(length) == (length if number else length - 1),
        }
        for number, length in enumerate(lengths)
    ]


def write_blog(folder, episodes) -> None:
    rows = [
        {
            "observations": episode["observations"][:-1].astype(np.float32).tolist(),
            "actions": episode["actions"].tolist(),
            "rewards": episode["rewards"].astype(np.float32).tolist(),
            "dones": episode["terminations"].tolist(),
        }
        for episode in episodes
    ]
    path = folder / "body-v2" / "train" / "0000.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


def write_minari(folder, episodes, layout="arrow") -> None:
    """As Minari's own storage does: a row more than steps, for the last observation, padded with zeros."""
    for number, episode in enumerate(episodes):
        columns = {"episode_id": pa.array(np.full(len(episode["observations"]), number, dtype=np.int32))}
        for name, values in episode.items():
            padded = np.concatenate([values, np.zeros_like(values[:1])]) if name != "observations" else values
            flat = pa.array(padded.reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, padded.shape[1]) if padded.ndim > 1 else flat
        dataset.write_dataset(
            pa.RecordBatch.from_pydict(columns),
            folder / "data",
            format=layout,
            partitioning=["episode_id"],
            existing_data_behavior="overwrite_or_ignore",
        )
        (folder / "data" / str(number) / "metadata.json").write_text(json.dumps({"id": number}))
    (folder / "data" / "metadata.json").write_text(json.dumps({"total_episodes": len(episodes)}))


def write_minari_file(folder, episodes) -> None:
    h5py = pytest.importorskip("h5py")
    (folder / "data").mkdir()
    with h5py.File(folder / "data" / "main_data.hdf5", "w") as file:
        for number, episode in enumerate(episodes):
            for name, values in episode.items():
                file[f"episode_{number}/{name}"] = values


WRITERS = {
    "blog": write_blog,
    "arrow": write_minari,
    "parquet": lambda folder, episodes: write_minari(folder, episodes, "parquet"),
    "hdf5": write_minari_file,
}


@pytest.mark.parametrize("layout", WRITERS)
def test_the_steps_are_those_that_were_written_in_their_order(tmp_path, layout):
    episodes = make_episodes([5, 3, *[2] * 9])  # eleven, so that 10 comes after 9
    WRITERS[layout](tmp_path, episodes)
    steps = open_steps(tmp_path)
    joined = {name: np.concatenate([episode[name] for episode in episodes]) for name in ("actions", "rewards")}
    states = np.concatenate([episode["observations"][:-1] for episode in episodes])
    np.testing.assert_array_equal(steps.records["states"], states.astype(np.float32))
    np.testing.assert_array_equal(steps.records["actions"], joined["actions"])
    np.testing.assert_array_equal(steps.records["labels"], joined["actions"])
    np.testing.assert_array_equal(steps.rewards, joined["rewards"].astype(np.float32))
    assert np.flatnonzero(steps.done).tolist() == [4, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25]
    assert not steps.terminated[4], "a time limit is no fall"
    assert steps.terminated[7]
    assert steps.sizes == (4, 2)
    assert steps.action_scale == [np.abs(joined["actions"]).max()] * 2
    assert steps.body == OTHER_BODY, "its robot is not simulated here"


def test_windows_of_them_have_one_goal_throughout(tmp_path):
    write_blog(tmp_path, make_episodes())
    steps = open_steps(tmp_path)
    first = sample_windows(np.random.default_rng(0), steps, 16, 4)
    window = take_windows(steps, steps.returns_to_go(2), first, 4)
    assert window["states"].shape == (16, 4, 4)
    assert len(np.unique(window["goal_ids"], axis=0)) == 1
    np.testing.assert_array_equal(window["loss_mask"], window["attention_mask"])


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("observations", np.full((4, 4), np.nan), "step 0: observations are not finite"),
        ("rewards", np.array([0, np.inf, 0]), "step 1: rewards are not finite"),
        ("terminations", np.array([True, False, False]), "step 0: the episode goes on after its end"),
        ("observations", np.zeros((4, 5)), r"numbers, those before it of \(4, 2\): give datasets of one body"),
    ],
)
def test_a_broken_episode_is_refused_with_its_place(tmp_path, layout, name, value, message):
    episodes = make_episodes()
    episodes[1][name] = value
    WRITERS[layout](tmp_path, episodes)
    with pytest.raises(ValueError, match=message) as error:
        read_episodes(tmp_path)
    place = {"blog": "0000.parquet row 1", "hdf5": "main_data.hdf5 episode_1"}.get(layout, "data/1")
    assert place in str(error.value)


def test_datasets_of_two_bodies_are_refused(tmp_path):
    for name, size in (("first", 4), ("second", 5)):
        write_blog(tmp_path / name, make_episodes(sizes=(size, 2)))
    message = r"second.* row 0 has observations and actions of \(5, 2\) numbers, those before it of \(4, 2\)"
    with pytest.raises(ValueError, match=message):
        read_episodes(tmp_path / "first", tmp_path / "second")


def test_lists_that_are_no_vectors_and_columns_of_other_lengths_are_refused(tmp_path):
    path = tmp_path / "episodes.parquet"
    row = {"observations": [[1.0, 2.0]] * 2, "actions": [[1.0]] * 2, "rewards": [0.0] * 2, "dones": [False] * 2}
    for changes, message in (
        ({"observations": [[1.0], [2.0, 3.0]]}, "row 0: observations are not all of one length"),
        ({"actions": [["left"], ["right"]]}, r"row 0: actions are object of shape \(2, 1\), not numbers in 2 axes"),
        ({"actions": [[1.0], [None]]}, "row 0: actions are lists of lists, or some are missing"),
        ({"actions": [1.0, 2.0]}, r"row 0: actions are float64 of shape \(2,\), not numbers in 2 axes"),
        ({"rewards": [0.0]}, "row 0 has 1 rewards and 2 steps"),
        ({name: [] for name in row}, "row 0"),
        ({"rewards": 0.0}, "row 0: rewards is not a list: give one row per episode"),
        ({"actions": None}, "row 0: actions is not a list"),
    ):
        parquet.write_table(pa.Table.from_pylist([row | changes]), path)
        with pytest.raises(ValueError, match=rf"episodes\.parquet {message}"):
            read_episodes(tmp_path)
    parquet.write_table(pa.Table.from_pylist([row]).slice(1), path)
    with pytest.raises(ValueError, match="has no episodes: give the folder of a dataset with its data files"):
        read_episodes(tmp_path)
    parquet.write_table(pa.table({"text": ["walk"]}), path)
    with pytest.raises(ValueError, match=r"episodes\.parquet has no column 'observations': it has text"):
        read_episodes(tmp_path)


def test_a_folder_in_no_known_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give the folder of a dataset, or collect one"):
        open_steps(tmp_path)


def test_the_package_that_a_layout_needs_is_named_when_it_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "main_data.hdf5").touch()
    with pytest.raises(ValueError, match=r"main_data\.hdf5 can be read with the package h5py: pip install h5py"):
        read_episodes(tmp_path)


def test_datasets_collected_here_and_by_other_projects_are_not_mixed(tmp_path):
    write_blog(tmp_path / "foreign", make_episodes())
    (tmp_path / "collected" / "meta").mkdir(parents=True)
    (tmp_path / "collected" / "meta" / "info.json").write_text("{}")
    with pytest.raises(ValueError, match="give datasets of one kind"):
        open_steps(tmp_path / "collected", tmp_path / "foreign")


def test_datasets_of_other_projects_are_read_one_after_the_other_and_are_of_one_body(tmp_path):
    for name in "ab":
        write_blog(tmp_path / name, make_episodes([5, 3]))
    assert np.flatnonzero(open_steps(tmp_path / "a", tmp_path / "b").done).tolist() == [4, 7, 12, 15]

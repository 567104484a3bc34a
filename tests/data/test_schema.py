"""The dataset's files: written and read back exactly, and refused, by file and row, when they are broken."""

import numpy as np
import pandas
import pyarrow as pa
import pytest
from pyarrow import parquet

from agent.artefacts import runs
from agent.bodies.humanoid import HUMANOID
from agent.data.schema import (
    AXIS_SIZES,
    DATA_PATH,
    EPISODES_PATH,
    TASKS_PATH,
    columns,
    features,
    file_indices,
    goal_numbers,
    numbered_commands,
    occurring,
    read_info,
    read_shards,
    read_tasks,
    task_indices,
    validate,
    write_shard,
    write_statistics,
    write_tasks,
)
from agent.goals import COMMAND_AXES, Goal

LENGTHS = (4, 3, 5)
COMMANDS = np.array([[1.0, 0, 0, 0, 2], [0, 0.4, 0, 1, 0], [0, 0, -0.8, 0, 4]], dtype=np.float32)
TASKS = occurring(COMMANDS)


def make_shard(first_row: int = 0, first_episode: int = 0) -> dict[str, np.ndarray]:
    """Three episodes of 4, 3 and 5 steps; the second one ends in a fall."""
    rng = np.random.default_rng(first_row)
    count = sum(LENGTHS)
    done = np.zeros(count, dtype=bool)
    done[np.cumsum(LENGTHS) - 1] = True
    terminated = done & (np.arange(count) == 6)
    commands = np.repeat(COMMANDS, LENGTHS, axis=0)
    frame = np.concatenate([np.arange(length) for length in LENGTHS])
    return {
        "observation.state": rng.normal(size=(count, 45)).astype(np.float32),
        "action": rng.uniform(-0.4, 0.4, (count, 17)).astype(np.float32),
        "teacher.action": rng.uniform(-0.4, 0.4, (count, 17)).astype(np.float32),
        "goal.command": commands,
        "next.reward": rng.normal(size=count).astype(np.float32),
        "next.done": done,
        "next.terminated": terminated,
        "next.truncated": done & ~terminated,
        "timestamp": (frame * 0.015).astype(np.float32),
        "frame_index": frame,
        "episode_index": first_episode + np.repeat(np.arange(3), LENGTHS),
        "index": first_row + np.arange(count),
        "task_index": task_indices(commands, TASKS),
    }


@pytest.fixture
def dataset(tmp_path):
    """A folder of two shards, with as much of meta/ as makes it whole."""
    for number in (0, 1):
        path = tmp_path / DATA_PATH.format(**file_indices(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_shard(path, make_shard(12 * number, 3 * number), HUMANOID)
        write_episodes(tmp_path, number)
    write_tasks(tmp_path, TASKS)
    runs.write_json(
        tmp_path / "meta" / "info.json",
        {"body": "humanoid", "goal_version": "2", "total_frames": 24, "total_episodes": 6},
    )
    return tmp_path


def write_episodes(folder, number: int, **changes) -> None:
    """The episodes of shard `number`, as far as they are checked."""
    ends = 12 * number + np.cumsum(LENGTHS)
    episodes = {
        "episode_index": 3 * number + np.arange(3),
        "length": np.array(LENGTHS),
        "dataset_from_index": ends - LENGTHS,
        "dataset_to_index": ends,
    }
    path = folder / EPISODES_PATH.format(**file_indices(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(episodes | changes), path)


def break_shard(folder, name: str, row, value) -> None:
    """Put `value` into a column of the second shard."""
    shard = make_shard(12, 3)
    shard[name][row] = value
    write_shard(folder / DATA_PATH.format(**file_indices(1)), shard, HUMANOID)


def test_a_shard_is_read_back_exactly(dataset):
    for number, shard in enumerate(read_shards(dataset)):
        for name, values in make_shard(12 * number, 3 * number).items():
            np.testing.assert_array_equal(shard[name], values)
            assert shard[name].dtype == columns(HUMANOID)[name].dtype


def test_files_are_numbered_in_chunks_of_a_thousand():
    assert DATA_PATH.format(**file_indices(7)) == "data/chunk-000/file-007.parquet"
    assert DATA_PATH.format(**file_indices(1002)) == "data/chunk-001/file-002.parquet"


def test_every_command_on_the_grid_has_a_number_and_a_text_of_its_own():
    numbers = np.arange(np.prod(AXIS_SIZES))
    commands = numbered_commands(numbers)
    assert commands.shape == (len(numbers), len(COMMAND_AXES)) and not np.signbit(commands[commands == 0]).any()
    assert goal_numbers(commands).tolist() == numbers.tolist()
    assert len({Goal.from_command(command).text for command in commands}) == len(commands)


def test_tasks_are_the_goals_that_occur_in_the_order_in_which_they_do(dataset):
    commands = COMMANDS[[1, 1, 0, 2, 0]]
    tasks = occurring(commands)
    assert numbered_commands(np.array(tasks)).tolist() == COMMANDS[[1, 0, 2]].tolist()
    assert task_indices(commands, tasks).tolist() == [0, 0, 1, 2, 1]
    assert task_indices(COMMANDS, tasks[:1]).tolist() == [-1, 0, -1]
    assert read_tasks(dataset) == TASKS
    table = pandas.read_parquet(dataset / TASKS_PATH)
    assert table.index.tolist() == ["walk forward, arms out", "sidestep left, low", "turn right, wave right"]
    assert table["task_index"].tolist() == [0, 1, 2]


def test_tasks_that_are_none_are_refused(dataset):
    path = dataset / TASKS_PATH
    table = pandas.read_parquet(path)
    for changed, message in (
        (table.assign(vx=7.0), "row 0: goal.command is out of range"),
        (table.assign(task_index=1), "row 0: task_index does not count from 0"),
        (table.drop(columns="arms"), "has no column 'arms'"),
    ):
        changed.to_parquet(path)
        with pytest.raises(ValueError, match=rf"meta/tasks\.parquet {message}"):
            validate(dataset)


@pytest.mark.parametrize(
    ("name", "row", "value", "message"),
    [
        ("observation.state", (5, 3), np.nan, "row 5: observation.state is not finite"),
        ("next.reward", 2, np.inf, "row 2: next.reward is not finite"),
        ("action", (7, 0), 0.5, "row 7: action is beyond the action scale of body humanoid"),
        ("teacher.action", (0, 16), -0.41, "row 0: teacher.action is beyond the action scale"),
        ("goal.command", (4, 0), 3.2, "row 4: goal.command is out of range"),
        ("goal.command", (4, 0), 0.5, "row 4: goal.command is not on the grid of vocabulary 2"),
        ("goal.command", (4, 3), 2, "row 4: goal.command is out of range"),
        ("goal.command", (4, 4), 0.5, "row 4: goal.command is not on the grid"),
        ("task_index", 3, 1, "row 3: task_index is not that of goal.command"),
        ("goal.command", (3, 4), 1, "row 3: task_index is not that of goal.command in meta/tasks.parquet"),
        ("index", 8, 19, "row 8: index does not go on by one from 12"),
        ("episode_index", slice(4, 7), 3, "row 4: episode_index"),
        ("frame_index", 1, 0, "row 1: frame_index"),
        ("timestamp", 9, 1.0, "row 9: timestamp"),
        ("next.done", 5, True, "row 6: episode_index"),
        ("next.terminated", 3, True, "row 3: an episode is both"),
        ("next.truncated", 3, False, "row 3: next.done is not terminated or truncated"),
        ("next.done", 11, False, "row 11: next.done"),
    ],
)
def test_a_broken_value_is_refused_with_its_file_and_row(dataset, name, row, value, message):
    validate(dataset)
    break_shard(dataset, name, row, value)
    with pytest.raises(ValueError, match=r"file-001\.parquet") as error:
        validate(dataset)
    assert message in str(error.value)


def test_a_file_that_ends_inside_an_episode_is_refused(dataset):
    shard = {name: values[:-1] for name, values in make_shard(12, 3).items()}
    write_shard(dataset / DATA_PATH.format(**file_indices(1)), shard, HUMANOID)
    with pytest.raises(ValueError, match=r"file-001\.parquet row 10: the file ends inside an episode"):
        validate(dataset)


def test_a_shard_twice_or_missing_is_refused(dataset):
    first, second = (dataset / DATA_PATH.format(**file_indices(number)) for number in (0, 1))
    whole = second.read_bytes()
    second.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match=r"file-001\.parquet row 0: index"):
        validate(dataset)
    second.unlink()
    with pytest.raises(ValueError, match=r"counts 24 steps and 6 episodes, file-000\.parquet ends with 12 and 3"):
        validate(dataset)
    second.write_bytes(whole)
    (dataset / DATA_PATH.format(**file_indices(2))).write_bytes(second.read_bytes())
    with pytest.raises(ValueError, match=r"file-002\.parquet row 0: index"):
        validate(dataset)


def test_a_damaged_file_is_refused(dataset):
    path = dataset / DATA_PATH.format(**file_indices(1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"file-001\.parquet is no whole Parquet file"):
        validate(dataset)


def test_other_dimensions_columns_and_missing_values_are_refused(dataset):
    path = dataset / DATA_PATH.format(**file_indices(1))
    table = parquet.read_table(path)
    parquet.write_table(table.drop_columns(["teacher.action"]), path)
    with pytest.raises(ValueError, match=r"file-001\.parquet has no column 'teacher\.action'"):
        validate(dataset)
    states = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(12 * 17, dtype=np.float32)), 17)
    position = table.column_names.index("observation.state")
    parquet.write_table(table.set_column(position, "observation.state", states), path)
    with pytest.raises(ValueError, match=r"file-001\.parquet: column 'observation\.state'.*17.*45"):
        validate(dataset)
    position = table.column_names.index("next.reward")
    holes = pa.array([1.0] * 5 + [None] + [1.0] * 6, pa.float32())
    parquet.write_table(table.set_column(position, "next.reward", holes), path)
    with pytest.raises(ValueError, match=r"file-001\.parquet row 5: next\.reward is missing"):
        validate(dataset)


def test_a_missing_number_inside_a_vector_is_refused_with_its_row(dataset):
    path = dataset / DATA_PATH.format(**file_indices(1))
    table = parquet.read_table(path)
    actions = table["action"].to_pylist()
    actions[7][3] = None
    position = table.column_names.index("action")
    parquet.write_table(
        table.set_column(position, "action", pa.array(actions, table.schema.field("action").type)), path
    )
    with pytest.raises(ValueError, match=r"file-001\.parquet row 7: action is missing"):
        validate(dataset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episode_index": [3, 3, 5]}, "row 1: episode_index is not that of the steps"),
        ({"length": [4, 3, 6]}, "row 2: length is not that of the steps"),
        ({"dataset_from_index": [12, 15, 19]}, "row 1: dataset_from_index is not that of the steps"),
        ({"dataset_to_index": [15, 19, 24]}, "row 0: dataset_to_index is not that of the steps"),
    ],
)
def test_episodes_that_are_not_those_of_the_steps_are_refused(dataset, changes, message):
    write_episodes(dataset, 1, **changes)
    with pytest.raises(ValueError, match=rf"meta/episodes/chunk-000/file-001\.parquet {message}"):
        validate(dataset)


def test_a_file_without_rows_or_with_other_episodes_is_refused(dataset):
    path = dataset / EPISODES_PATH.format(**file_indices(1))
    table = parquet.read_table(path)
    for changed, message in (
        (table[:0], "has no rows"),
        (table[:2], "has 2 rows for 3 episodes"),
        (table.drop_columns(["length"]), "has no column 'length'"),
    ):
        parquet.write_table(changed, path)
        with pytest.raises(ValueError, match=rf"meta/episodes/chunk-000/file-001\.parquet {message}"):
            validate(dataset)


def test_another_vocabulary_is_refused_with_both_versions(dataset):
    info = runs.read_json(dataset / "meta" / "info.json")
    runs.write_json(dataset / "meta" / "info.json", info | {"goal_version": "0"})
    with pytest.raises(ValueError, match="vocabulary 0, but this code uses 2"):
        validate(dataset)


@pytest.mark.parametrize("body", ["centaur", None])
def test_a_dataset_of_an_unknown_body_is_refused(dataset, body):
    runs.write_json(dataset / "meta" / "info.json", read_info(dataset) | {"body": body})
    with pytest.raises(ValueError, match=f"body={body!r} is unknown: choose one of humanoid"):
        validate(dataset)


def test_statistics_are_those_of_all_rows_together(dataset):
    write_statistics(dataset)
    found, shards = runs.read_json(dataset / "meta" / "stats.json"), list(read_shards(dataset))
    for name in columns(HUMANOID):
        values = np.concatenate([shard[name] for shard in shards]).reshape(24, -1).astype(float)
        measures = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
        for measure, expected in measures.items():
            np.testing.assert_allclose(found[name][measure], expected, atol=1e-6, err_msg=f"{measure} of {name}")
        assert found[name]["count"] == [24]


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"info\.json is missing"):
        validate(tmp_path)
    runs.write_json(
        tmp_path / "meta" / "info.json",
        {"body": "humanoid", "goal_version": "2", "total_frames": 0, "total_episodes": 0},
    )
    with pytest.raises(ValueError, match="has no data/chunk"):
        validate(tmp_path)


def test_the_features_are_the_columns():
    assert list(features(HUMANOID)) == list(columns(HUMANOID))
    assert features(HUMANOID)["observation.state"].length == 45

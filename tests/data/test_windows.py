"""Windows: what they hold, what they never hold, and returns-to-go by hand."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from samples import open_steps

from agent.artefacts import runs
from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.data import windows
from agent.data.schema import (
    DATA_PATH,
    EPISODES_PATH,
    columns,
    file_indices,
    goal_numbers,
    occurring,
    write_shard,
    write_tasks,
)
from agent.data.windows import (
    GOAL_IDS,
    Steps,
    clocks,
    data_files,
    open_bodies,
    record_type,
    sample_windows,
    take_windows,
)
from agent.goals import ARMS, Goal
from agent.simulation.curriculum import Curriculum
from agent.simulation.vector_env import GoalVectorEnv

COMMANDS = np.array(
    [[0, 0, 0, 0, 0], [1.0, 0, 0, 1, 0], [0.6, -0.2, 0.4, 0, 4], [-0.6, 0.6, -1.2, 1, 1]], dtype=np.float32
)
NUMBERS = goal_numbers(COMMANDS)
IDS = {int(number): Goal.from_command(command).command_ids for number, command in zip(NUMBERS, COMMANDS, strict=True)}


def make_steps(lengths, fell=None, goals=None, rewards=None) -> Steps:
    """Episodes of the given lengths whose states, actions and labels tell which row they are from."""
    count = sum(lengths)
    rows = np.arange(count, dtype=np.float32)
    records = np.empty(count, record_type(5, 2))
    for offset, name in enumerate(("states", "actions", "labels")):
        records[name] = rows[:, None] + 0.25 * offset
    done = np.zeros(count, dtype=bool)
    done[np.cumsum(lengths) - 1] = True
    terminated = done.copy()
    terminated[done] = [False] * len(lengths) if fell is None else fell
    return Steps(
        records=records,
        rewards=rows if rewards is None else np.array(rewards, dtype=np.float32),
        clock=rows[:, None] + np.array([0.0, 0.5], dtype=np.float32),
        goals=NUMBERS[np.zeros(count, dtype=int) if goals is None else goals],
        done=done,
        terminated=terminated,
        body="other",
        action_scale=[1.0, 1.0],
    )


@st.composite
def datasets_and_contexts(draw):
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    goals = draw(st.lists(st.integers(0, 3), min_size=sum(lengths), max_size=sum(lengths)))
    fell = draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths)))
    return make_steps(lengths, fell, goals), draw(st.integers(1, 8)), draw(st.integers(0, 2**32 - 1))


@given(datasets_and_contexts())
def test_a_window_holds_consecutive_steps_of_one_episode_and_trains_those_of_its_goal(case):
    steps, context, seed = case
    first = sample_windows(np.random.default_rng(seed), steps, 8, context)
    window = take_windows(steps, steps.returns_to_go(4), first, context)
    for begin, *parts in zip(first, *window.values(), strict=True):
        one = dict(zip(window, parts, strict=True))
        count = int(one["attention_mask"].sum())
        assert 1 <= count <= context
        assert one["attention_mask"][:count].all(), "a window has no holes"
        rows = begin + np.arange(count)
        assert steps.starts[rows[0]] == steps.starts[rows[-1]], "a window crosses no boundary"
        assert count == context or steps.done[rows[-1]], "a window is only short where its episode ends"
        np.testing.assert_array_equal(one["states"][:count, 0], rows)
        np.testing.assert_array_equal(one["actions"][:count, 0], rows + 0.25)
        np.testing.assert_array_equal(one["labels"][:count, 0], rows + 0.5)
        np.testing.assert_array_equal(one["clock"][:count, 1], rows + 0.5)
        np.testing.assert_array_equal(one["returns_to_go"][:count], steps.returns_to_go(4)[rows])
        goal = steps.goals[rows[-1]]
        assert tuple(one["goal_ids"]) == IDS[goal]
        np.testing.assert_array_equal(one["loss_mask"][:count], steps.goals[rows] == goal)
        assert not one["loss_mask"][count:].any(), "padding has no vote"


def test_a_window_over_a_switch_is_prompted_with_the_new_goal_and_keeps_the_old_steps_as_history():
    steps = make_steps([6], goals=[1, 1, 1, 2, 2, 2])
    window = take_windows(steps, steps.returns_to_go(1), np.array([1]), 4)
    assert window["attention_mask"].tolist() == [[True] * 4]
    assert window["loss_mask"].tolist() == [[False, False, True, True]]
    assert tuple(window["goal_ids"][0]) == Goal(0.6, -0.2, 0.4, arms="wave_right").command_ids


def test_returns_to_go_are_the_hand_computed_ones():
    limit = make_steps([3, 2], rewards=[1, 2, 3, 10, 20]).returns_to_go(2)
    fall = make_steps([3, 2], rewards=[1, 2, 3, 10, 20], fell=[True, False]).returns_to_go(2)
    assert limit.tolist() == [1.5, 2.5, 3.0, 15.0, 20.0]
    assert fall.tolist() == [1.5, 2.5, 1.5, 15.0, 20.0], "after a fall there is no reward"
    assert make_steps([3, 2], rewards=[1, 2, 3, 10, 20]).returns_to_go(0).tolist() == [0.0] * 5, "none is asked for"


@given(datasets_and_contexts(), st.integers(1, 9))
def test_returns_to_go_never_look_into_the_next_episode(case, horizon):
    steps, _, _ = case
    later = replace(steps, rewards=steps.rewards + 100 * (steps.starts > 0))
    first = steps.starts == 0
    np.testing.assert_allclose(steps.returns_to_go(horizon)[first], later.returns_to_go(horizon)[first], rtol=1e-6)


def test_every_step_is_sampled_and_one_at_an_episode_end_at_least_half_as_often():
    steps = make_steps([30, 30])
    first = sample_windows(np.random.default_rng(0), steps, 20_000, 5)
    window = take_windows(steps, steps.rewards, first, 5)
    counts = np.bincount(window["states"][..., 0][window["attention_mask"]].astype(int), minlength=60)
    assert counts.min() > 0.5 * np.median(counts)


def test_moments_are_those_of_numpy():
    steps = make_steps([5, 4])
    mean, std = steps.moments()
    np.testing.assert_allclose(mean, steps.records["states"].mean(0))
    np.testing.assert_allclose(std, steps.records["states"].astype(float).std(0))


def test_a_window_becomes_tensors_without_a_copy():
    steps = make_steps([6])
    window = take_windows(steps, steps.returns_to_go(1), np.array([0, 2]), 3)
    for value in window.values():
        assert torch.from_numpy(value).data_ptr() == value.ctypes.data


def test_the_clock_of_a_wave_is_that_which_the_teacher_follows():
    curriculum = Curriculum(arms_share=0.9, on_grid=True, goal_seconds=(0.1, 0.5))
    envs = GoalVectorEnv(4, curriculum=curriculum, max_episode_steps=90)
    envs.reset(seed=0)
    goals, done, phases = [], [], []
    for _ in range(200):
        goals.append(goal_numbers(envs.goals))
        phases.append(envs.phase[:, 1])
        _, _, terminated, truncated, _ = envs.step(np.zeros((4, envs.body.action_size), dtype=np.float32))
        done.append(terminated | truncated)
    goals, done, phases = (np.stack(column, axis=1) for column in (goals, done, phases))
    done[:, -1] = True
    waving = (goals % len(ARMS) >= ARMS.index("wave_left"))[..., None]
    angle = 2 * np.pi * phases[..., None]
    expected = np.concatenate([np.sin(angle), np.cos(angle)], axis=-1) * waving
    found = clocks(goals.ravel(), done.ravel(), envs.body).reshape(expected.shape)
    assert done.sum() > 8 and 0.2 < waving.mean() < 0.8
    np.testing.assert_allclose(found, expected, atol=1e-5)


def write_dataset(folder) -> None:
    """Two standing episodes of three steps in the layout of schema.py."""
    count, frame = 6, np.tile(np.arange(3), 2)
    shard = {name: np.zeros((count, *column.shape), dtype=column.dtype) for name, column in columns(HUMANOID).items()}
    shard |= {"index": np.arange(count), "frame_index": frame, "timestamp": 0.015 * frame}
    shard |= {"next.done": frame == 2, "next.truncated": frame == 2, "episode_index": np.arange(count) // 3}
    path, episodes = (folder / layout.format(**file_indices(0)) for layout in (DATA_PATH, EPISODES_PATH))
    for each in (path, episodes):
        each.parent.mkdir(parents=True)
    write_shard(path, shard, HUMANOID)
    places = {"episode_index": [0, 1], "length": [3, 3], "dataset_from_index": [0, 3], "dataset_to_index": [3, 6]}
    parquet.write_table(pa.table(places), episodes)
    write_tasks(folder, occurring(shard["goal.command"]))
    runs.write_json(
        folder / "meta" / "info.json",
        {"body": "humanoid", "goal_version": "2", "total_frames": 6, "total_episodes": 2},
    )


def test_two_runs_that_start_on_a_new_dataset_together_make_its_records_once(tmp_path, monkeypatch):
    write_dataset(tmp_path / "data")
    monkeypatch.setattr(windows, "HF_DATASETS_CACHE", tmp_path / "cache")
    read_shards, calls = windows.schema.read_shards, []

    def slowly(folder):
        calls.append(folder)
        time.sleep(0.3)
        yield from read_shards(folder)

    monkeypatch.setattr(windows.schema, "read_shards", slowly)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(open_steps, [tmp_path / "data"] * 2))
    assert len(calls) == 1
    assert [len(steps) for steps in found] == [6, 6]


def test_datasets_of_two_bodies_are_opened_by_body_and_not_as_one(tmp_path, monkeypatch):
    monkeypatch.setitem(BODIES, "twin", replace(HUMANOID, name="twin"))
    for name in BODIES:
        write_dataset(tmp_path / name)
        info = tmp_path / name / "meta" / "info.json"
        runs.write_json(info, runs.read_json(info) | {"body": name})
    monkeypatch.setattr(windows, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = open_bodies(*(tmp_path / name for name in ("humanoid", "twin", "humanoid")))
    assert {name: (steps.body, len(steps)) for name, steps in found.items()} == {
        "humanoid": ("humanoid", 12),
        "twin": ("twin", 6),
    }


def test_a_fingerprint_is_of_what_a_dataset_holds_with_or_without_a_manifest(tmp_path):
    write_dataset(tmp_path / "a")
    (tmp_path / "a" / runs.MANIFEST).unlink()

    def fingerprint(folder):
        return runs.fingerprint(folder, data_files(folder))

    first = fingerprint(shutil.copytree(tmp_path / "a", tmp_path / "b"))
    runs.seal(tmp_path / "a")
    (tmp_path / "a" / "README.md").write_text("about it")
    assert fingerprint(tmp_path / "a") == first
    (tmp_path / "b" / DATA_PATH.format(**file_indices(0))).write_bytes(b"other steps")
    assert fingerprint(tmp_path / "b") != first


@pytest.mark.parametrize("number", NUMBERS)
def test_a_goal_has_the_ids_of_the_vocabulary(number):
    assert tuple(GOAL_IDS[number]) == IDS[number]


def test_columns_that_do_not_belong_together_are_refused():
    steps = make_steps([3])
    with pytest.raises(ValueError, match="same number"):
        replace(steps, rewards=np.zeros(2, dtype=np.float32))
    with pytest.raises(ValueError, match="not done"):
        replace(steps, done=np.array([False, False, False]))

"""Lessons from a dataset of bodies that follow their commands, some of them badly."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from agent import lessons, runs, schema
from agent.env import sample_commands
from agent.feedback import cause
from agent.goals import Goal

EPISODES, STEPS = 40, 450


def write_dataset(folder):
    """Episodes with a new goal in the middle; in every fourth the body is slower, in every eighth it falls."""
    rng = np.random.default_rng(0)
    count = EPISODES * STEPS
    goals = [Goal(*map(float, command)).on_grid().velocity for command in sample_commands(rng, 2 * EPISODES)]
    commands = np.repeat(np.array(goals, dtype=np.float32), STEPS // 2, axis=0)
    episode = np.arange(count) // STEPS
    observations = rng.normal(0, 0.02, (count, 45)).astype(np.float32)
    observations[:, :5] = 1.3, 1, 0, 0, 0
    velocity = commands * np.where(episode % 4 == 3, 0.6, 1.0)[:, None]
    observations[:, [22, 23, 27]] += velocity
    frame = np.arange(count) % STEPS
    done = frame == STEPS - 1
    fell = done & (episode % 8 == 1)
    shard = {
        "observation.state": observations,
        "action": np.zeros((count, 17)),
        "teacher.action": np.zeros((count, 17)),
        "goal.command": commands,
        "next.reward": np.zeros(count),
        "next.done": done,
        "next.terminated": fell,
        "next.truncated": done & ~fell,
        "timestamp": frame * 0.015,
        "frame_index": frame,
        "episode_index": episode,
        "index": np.arange(count),
        "task_index": schema.task_indices(commands),
    }
    path = folder / schema.DATA_PATH.format(**schema.place(0))
    path.parent.mkdir(parents=True)
    schema.write_shard(path, shard)
    path = folder / schema.EPISODES_PATH.format(**schema.place(0))
    path.parent.mkdir(parents=True)
    starts = np.arange(EPISODES) * STEPS
    episodes = {"episode_index": np.arange(EPISODES), "length": np.full(EPISODES, STEPS)}
    bounds = {"dataset_from_index": starts, "dataset_to_index": starts + STEPS}
    parquet.write_table(pa.table(episodes | bounds), path)
    info = {"goal_version": "1", "total_frames": count, "total_episodes": EPISODES}
    runs.write_json(folder / "meta" / "info.json", info)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lessons")
    write_dataset(path)
    return path


def test_lessons_hold_goals_that_were_met_and_missed_in_many_ways(folder):
    found = lessons.draw(folder, 200, seed=0)
    causes = Counter(map(cause, found))
    assert len(found) == 200
    assert 0.3 < causes["met"] / 200 < 0.6
    assert {"met", "fall", "end", "speed"} <= set(causes)
    assert found == lessons.draw(folder, 200, seed=0) != lessons.draw(folder, 200, seed=1)


def test_what_is_held_out_is_of_other_episodes(folder):
    held_out, trained = (lessons.draw(folder, 100, seed=0, held_out=each) for each in (True, False))
    assert not {each.velocity for each in held_out} & {each.velocity for each in trained}


def test_a_lesson_may_be_a_whole_episode(folder, monkeypatch):
    seconds = (STEPS - 1) * 0.015  # the observations after all but the first step
    monkeypatch.setattr(lessons, "STRETCH_SECONDS", (seconds, seconds))
    assert [each.seconds for each in lessons.draw(folder, 5, seed=0)] == pytest.approx([seconds] * 5)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_dataset_of_short_episodes_is_refused_with_what_to_collect(folder, monkeypatch, held_out):
    monkeypatch.setattr(lessons, "STRETCH_SECONDS", (0.6, STEPS * 0.015))
    with pytest.raises(ValueError, match=r"0 episodes of more than 6.75 s.* --shard_steps above 450"):
        lessons.draw(folder, 5, seed=0, held_out=held_out)


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="info"):
        lessons.draw(tmp_path, 1, seed=0)

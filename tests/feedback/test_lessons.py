"""Lessons from a dataset of bodies that follow their commands, some of them badly."""

from collections import Counter

import pytest
from samples import STEPS, write_dataset

from agent.feedback import lessons
from agent.feedback.outcomes import cause


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
    assert found[:20] == lessons.draw(folder, 20, seed=0) != lessons.draw(folder, 20, seed=1)


def test_what_is_held_out_is_of_other_episodes(folder):
    held_out, trained = (lessons.draw(folder, 50, seed=0, held_out=each) for each in (True, False))
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

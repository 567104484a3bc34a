"""Proposals: what a table tells, what is worth practicing, and the file that collecting reads."""

import itertools

import numpy as np
import pytest

from agent.feedback.proposals import (
    GOALS,
    SHOWN,
    WEAKEST,
    Score,
    draw_tables,
    example,
    practices,
    read_programs,
    shown,
    weakest,
    worst_first,
    write_programs,
)
from agent.goals import SKILLS, Goal, GoalProgram


def table(**met: float) -> list[Score]:
    """Every goal met, but for those of the skills that are named."""
    return [Score(goal, met.get(goal.skill, 1.0)) for goal in GOALS]


def test_a_table_has_every_skill_at_every_speed_once():
    assert len(GOALS) == len({goal.velocity for goal in GOALS}) == 3 * (len(SKILLS) - 1) + 1


def test_the_worst_goals_are_shown_the_worst_first():
    rows = shown(table(turn_left=0.3, run_forward=0.7))
    assert [row.goal.skill for row in rows[:6]] == ["turn_left"] * 3 + ["run_forward"] * 3
    assert [row.tenths for row in rows] == [3] * 3 + [7] * 3 + [9] * (SHOWN - 6)


def test_the_weakest_are_three_and_those_that_look_like_the_third():
    assert weakest(table(turn_left=0.3, run_forward=0.7)) == {
        Goal.from_skill("turn_left", s) for s in ("slow", "normal", "fast")
    }
    rows = [Score(goal, 0.05 * place) for place, goal in enumerate(GOALS[:20])]
    assert weakest(rows) == set(GOALS[:4]), "0.10 and 0.15 look alike"


def test_the_worst_goals_are_named_in_the_order_told_until_there_are_three():
    stand, fast, turn, back = (Goal(), Goal(1.4), Goal(wz=0.8), Goal(-0.4))
    rows = [Score(turn, 0.35), Score(stand, 0.1), Score(fast, 0.39), Score(back, 0.5)]
    assert worst_first(rows) == [(0, []), (1, [stand]), (2, []), (3, [turn, fast])]
    assert worst_first(rows[:2]) == [(0, []), (1, [stand]), (2, []), (3, [turn])]


def test_an_example_practices_a_weak_goal_after_another_motion():
    rng = np.random.default_rng(0)
    rows = table(sidestep_left=0.2)
    lengths = set()
    for _ in range(20):
        program = example(rows, rng)
        lengths.add(len(program.goals))
        for lead, practiced in zip(program.goals[::2], program.goals[1::2], strict=True):
            assert practiced.skill == "sidestep_left" != lead.skill
            assert lead.end and practiced.end
        assert practices(program, weakest(rows))
    assert lengths == {2, 4, 6}
    assert not practices(GoalProgram((Goal(1.0, seconds=2.0), Goal.to(1, 2))), weakest(rows))


def test_drawn_tables_differ_in_what_is_weak_and_the_same_seed_draws_the_same():
    first = list(itertools.islice(draw_tables(0), 50))
    assert first == list(itertools.islice(draw_tables(0), 50)) != list(itertools.islice(draw_tables(1), 50))
    assert len(set().union(*map(weakest, first))) == len(GOALS)
    assert np.mean([len(weakest(rows)) for rows in first]) < 2 * WEAKEST


def test_programs_come_back_from_their_file(tmp_path):
    programs = [GoalProgram((Goal(1.0, seconds=2.0), Goal(wz=0.8))), GoalProgram((Goal(-0.4, meters=1.0),))]
    write_programs(tmp_path / "proposals.jsonl", programs)
    assert read_programs(tmp_path / "proposals.jsonl") == programs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no programs: give at least one"),
        ("walk\n", "line 1: give a JSON object with program"),
        ('{"program": "<walk> <end>"}\n', "line 1: give a JSON object with program"),
        ('{"program": "<refuse> <body> <end>"}\n', "line 1: a refusal cannot be collected"),
    ],
)
def test_a_file_without_programs_is_refused_by_its_line(tmp_path, content, message):
    (tmp_path / "proposals.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_programs(tmp_path / "proposals.jsonl")

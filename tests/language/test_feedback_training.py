"""Examples for the feedback adapter: they are allowed by the grammar, and graded against the simulator."""

import itertools

import numpy as np
import pytest
from samples import small_planner

from agent.feedback.outcomes import Assessment, GoalOutcome, cause, judge
from agent.feedback.proposals import draw_tables, example
from agent.goals import Goal
from agent.language import feedback_training
from agent.language.planner import VOCABULARY

ASKED = Goal(1.0, meters=2.0)
MET, SHORT, FELL = (
    GoalOutcome(ASKED, 2.0, meters, 0.0, (1.0, 0.0, 0.0), fell, timed_out=False)
    for meters, fell in ((2.0, False), (1.2, False), (1.0, True))
)
TABLES = list(itertools.islice(draw_tables(0), 3))


@pytest.fixture
def planner():
    return small_planner(list(VOCABULARY))


def test_each_outcome_gives_a_verdict_a_repair_if_it_can_be_repaired_and_a_proposal(planner):
    prompts, answers = feedback_training.examples(planner, [MET, SHORT, FELL], seed=0)
    assert len(prompts) == len(answers) == 3 + 1 + 3
    assert answers[:3] == [planner.verdict_ids(cause(each)) for each in (MET, SHORT, FELL)]


def test_answers_like_the_simulators_get_full_marks(planner, monkeypatch):
    monkeypatch.setattr(planner, "assess", lambda outcomes: [judge(each)[0] for each in outcomes])
    monkeypatch.setattr(planner, "correct", lambda outcomes: [judge(each)[1] for each in outcomes])
    monkeypatch.setattr(planner, "propose", lambda table, *_: [example(table, np.random.default_rng(0))])
    grades = feedback_training.grade(planner, [MET, SHORT, FELL], TABLES)
    right = {"verdict": 1.0, "cause": 1.0, "false_miss": 0.0, "repair": 1.0, "proposal": 1.0}
    assert grades.items() >= right.items() and 0 < grades["proposal_by_chance"] < 1


def test_a_met_goal_that_is_called_missed_counts_as_a_false_miss(planner, monkeypatch):
    monkeypatch.setattr(planner, "assess", lambda outcomes: [Assessment("end")] * len(outcomes))
    planner.feedback = planner.model
    grades = feedback_training.grade(planner, [MET, SHORT], TABLES[:1])
    assert (grades["verdict"], grades["false_miss"]) == (0.5, 1.0)


def test_the_threshold_lets_few_met_goals_be_called_missed(planner, monkeypatch):
    chances = [0.1] * 600 + [0.8]
    monkeypatch.setattr(planner, "assess", lambda outcomes: [Assessment("end", chance) for chance in chances])
    assert feedback_training.calibrate(planner, [MET]) == 0.5
    chances = [0.7] * 600
    assert feedback_training.calibrate(planner, [MET]) == pytest.approx(0.7)
    chances = []
    assert feedback_training.calibrate(planner, [SHORT]) == 0.5, "no met goal to measure"

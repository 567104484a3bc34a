"""The suites of sentences."""

import pytest
from samples import small_planner

from agent.evaluation import sentences


def test_a_planner_that_understands_too_few_instructions_is_not_measured(monkeypatch):
    monkeypatch.setattr(sentences, "GENERATED", 12)
    with pytest.raises(ValueError, match=r"understands 0 of 12 generated instructions .*, episodes=1 are asked for"):
        sentences.draw_instructions(small_planner(), 1, seed=0)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"), [(5, 10, 0.2366, 0.7634), (120, 120, 0.9690, 1.0), (0, 4, 0.0, 0.4899)]
)
def test_a_share_has_the_interval_of_wilson(right, count, low, high):
    found = sentences.share([True] * right + [False] * (count - right))
    assert (found["share"], found["of"]) == (right / count, count)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))

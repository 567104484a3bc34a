import pytest

from agent.feedback.outcomes import GoalOutcome, cause, repairs, summarize, verdict
from agent.goals import Goal


def outcome(goal, **measured):
    values = {
        "seconds": 2.0,
        "meters": 0.0,
        "degrees": 0.0,
        "velocity": goal.velocity,
        "fell": False,
        "timed_out": False,
    }
    return GoalOutcome(goal, **(values | measured))


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        (Goal(1.0, meters=2.0), {"meters": 2.29}, True),
        (Goal(1.0, meters=2.0), {"meters": 2.31}, False),
        (Goal(1.0, meters=4.0), {"meters": 3.41}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 104}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 106}, False),
        (Goal(1.0, seconds=2.0), {"velocity": (0.81, 0.0, 0.0)}, True),
        (Goal(1.0, seconds=2.0), {"velocity": (0.79, 0.0, 0.0)}, False),
        (Goal(1.0, seconds=2.0), {"fell": True}, False),
    ],
)
def test_a_goal_is_met_within_its_tolerance(goal, measured, met):
    assert outcome(goal, **measured).met is met


def test_the_verdict_names_the_goal_that_failed_and_why():
    walk, turn = Goal(1.0, meters=2.0), Goal(0.0, 0.0, 0.8, degrees=90)
    done, fallen = outcome(walk, meters=2.0), outcome(turn, fell=True, seconds=1.2)
    assert verdict([done, fallen], 2) == "goal 2 of 2 (turn left 90 degrees) fell after 1.2 s"
    assert verdict([done], 2) == "1 of 2 goals were not started"
    assert verdict([done], 1) == "all 1 goals met"
    assert summarize([done, fallen]).count("\n") == 1


@pytest.mark.parametrize(
    ("goal", "measured", "why", "undone"),
    [
        (Goal(1.0, meters=2.0), {"meters": 1.95}, "met", []),
        (Goal(1.0, meters=2.0), {"meters": 1.2}, "end", [Goal(1.0, meters=0.8)]),
        (Goal(1.0, meters=2.0), {"meters": 3.0}, "end", [Goal(-0.4, meters=1.0)]),
        (Goal(0.0, 0.0, -0.8, degrees=90), {"degrees": -30}, "end", [Goal(0.0, 0.0, -0.8, degrees=60)]),
        (Goal(0.0, 0.0, -0.8, degrees=90), {"degrees": -120}, "end", [Goal(0.0, 0.0, 0.8, degrees=30)]),
        (Goal(1.0, seconds=3.0), {"seconds": 1.0}, "end", [Goal(1.0, seconds=2.0)]),
        (Goal(1.0, seconds=2.0), {"velocity": (0.2, 0.0, 0.0)}, "speed", [Goal(1.0, seconds=2.0)]),
        (Goal(1.0, meters=2.0), {"meters": 2.0, "degrees": 40}, "facing", [Goal(0.0, 0.0, -0.8, degrees=40)]),
        (Goal(1.0, meters=2.0), {"meters": 2.0, "drift": -0.5}, "drift", [Goal(0.0, 0.4, 0.0, meters=0.5)]),
        (Goal(0.0, 0.4, 0.0, meters=1.0), {"meters": 1.0, "drift": 0.5}, "drift", [Goal(1.0, meters=0.5)]),
        (
            Goal(1.0, meters=2.0),
            {"meters": 0.0, "degrees": -90},
            "end",
            [Goal(0.0, 0.0, 0.8, degrees=90), Goal(1.0, meters=2.0)],
        ),
        (
            Goal(1.0, meters=2.0),
            {"meters": 1.0, "uprightness": 0.9},
            "end",
            [Goal(seconds=1.0), Goal(1.0, meters=1.0)],
        ),
        (Goal(1.0, meters=2.0), {"meters": 1.0, "fell": True}, "fall", []),
    ],
)
def test_what_was_missed_has_a_cause_and_a_repair(goal, measured, why, undone):
    found = outcome(goal, **measured)
    assert cause(found) == why
    assert found.met is (why == "met")
    assert [repair.goal for repair in repairs(found)] == undone


def test_a_report_tells_what_is_off_as_an_amount_and_as_a_share_of_what_is_tolerated():
    found = outcome(Goal(1.0, meters=2.0), meters=1.2, degrees=12, drift=-0.03, uprightness=0.9)
    assert found.report == "0.8 meters short 2.67, facing 12 degrees left 0.80, stumbled"
    assert found.report in summarize([found])


def test_a_repair_says_which_deviation_has_its_amount():
    found = outcome(Goal(1.0, meters=2.0), meters=1.2, degrees=40)
    assert [found.reported[repair.deviation].cause for repair in repairs(found)] == ["facing", "end"]

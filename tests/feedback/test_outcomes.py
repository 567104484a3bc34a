import math
import re

import pytest

from agent.feedback.outcomes import GoalOutcome, cause, repairs, summarize, verdict
from agent.goals import Goal, Pose, Progress, VelocityGoal

HOME = Pose()


def outcome(goal, seconds=2.0, x=0.0, y=0.0, degrees=0.0, home=HOME, along=0.0, **measured):
    progress = Progress(seconds, Pose(x, y, math.radians(degrees)), home, degrees, along)
    values = {
        "velocity": goal.velocity if isinstance(goal, VelocityGoal) else (0.0, 0.0, 0.0),
        "fell": False,
        "timed_out": False,
    }
    return GoalOutcome(goal, progress, **(values | measured))


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        (Goal(1.0, meters=2.0), {"x": 2.34}, True),
        (Goal(1.0, meters=2.0), {"x": 2.36}, False),
        (Goal(1.0, meters=4.0), {"x": 3.41}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 105}, True),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 106}, False),
        (Goal(1.0, 0.0, 0.4, meters=2.0), {"x": 1.2, "y": 1.2, "along": 2.0, "degrees": 60}, True),
        (Goal(1.0, seconds=2.0), {"x": 2.0, "velocity": (0.81, 0.0, 0.0)}, True),
        (Goal(1.0, seconds=2.0), {"x": 2.0, "velocity": (0.7, 0.0, 0.0)}, False),
        (Goal(1.0, seconds=2.0), {"x": 2.0, "fell": True}, False),
        (Goal.to(3, 2), {"x": 3.1, "y": 1.8}, True),
        (Goal.to(3, 2), {"x": 3.2, "y": 1.8}, False),
        (Goal.home(), {"x": 1.0, "home": Pose(1.1, 0.2)}, True),
        (Goal.home(), {"x": 1.0, "home": Pose(0.0, 0.0)}, False),
        (Goal.face_start(), {"degrees": 82, "home": Pose(heading=math.radians(90 - 360))}, True),
        (Goal.face_start(), {"degrees": 70, "home": Pose(heading=math.radians(90))}, False),
        (Goal(height="low", seconds=3.0), {"seconds": 3.0, "too_high": 0.08}, True),
        (Goal(height="low", seconds=3.0), {"seconds": 3.0, "too_high": 0.4}, False),
        (Goal(arms="up", seconds=3.0), {"seconds": 3.0, "arms_off": 60}, False),
        (Goal(arms="up", seconds=1.0), {"seconds": 1.0, "arms_off": 60}, True),  # too short to raise them
    ],
)
def test_a_goal_is_met_within_its_tolerance(goal, measured, met):
    assert outcome(goal, **measured).met is met


def test_the_verdict_names_the_goal_that_failed_and_why():
    walk, turn = Goal(1.0, meters=2.0), Goal(0.0, 0.0, 0.8, degrees=90)
    done, fallen = outcome(walk, x=2.0), outcome(turn, fell=True, seconds=1.2)
    assert verdict([done, fallen], 2) == "goal 2 of 2 (turn left 90 degrees) fell after 1.2 s"
    assert verdict([done], 2) == "1 of 2 goals were not started"
    assert verdict([done], 1) == "all 1 goals met"
    assert "missed its end: 1 meters forward" in verdict([outcome(walk, x=1.0)], 1)
    assert summarize([done, fallen]).count("\n") == 1


@pytest.mark.parametrize(
    ("goal", "measured", "why", "undone"),
    [
        (Goal(1.0, meters=2.0), {"x": 1.95}, "met", []),
        (Goal(1.0, meters=2.0), {"x": 1.2}, "end", [Goal(1.0, meters=0.8)]),
        (Goal(1.0, meters=2.0), {"x": 3.0}, "end", [Goal(-0.4, meters=1.0)]),
        (Goal(0.0, 0.0, -0.8, degrees=90), {"degrees": -30}, "end", [Goal(0.0, 0.0, -0.8, degrees=60)]),
        (Goal(0.0, 0.0, -0.8, degrees=90), {"degrees": -120}, "end", [Goal(0.0, 0.0, 0.8, degrees=30)]),
        (Goal(1.0, seconds=3.0), {"x": 1.0, "seconds": 1.0}, "end", [Goal(1.0, seconds=2.0)]),
        (Goal(1.0, seconds=2.0), {"velocity": (0.2, 0.0, 0.0)}, "speed", [Goal(1.0, seconds=2.0)]),
        (Goal(1.0, meters=2.0), {"x": 2.0, "degrees": 40}, "facing", [Goal(0.0, 0.0, -0.8, degrees=40)]),
        (Goal(1.0, meters=2.0), {"x": 2.0, "y": -0.5}, "drift", [Goal(0.0, 0.4, 0.0, meters=0.5)]),
        (Goal(0.0, 0.4, meters=1.0), {"x": -0.5, "y": 1.0}, "drift", [Goal(1.0, meters=0.5)]),
        (
            Goal(1.0, meters=2.0),
            {"degrees": -90},
            "end",
            [Goal(0.0, 0.0, 0.8, degrees=90), Goal(1.0, meters=2.0)],
        ),
        (Goal(1.0, meters=2.0), {"x": 1.0, "uprightness": 0.9}, "end", [Goal(seconds=1.0), Goal(1.0, meters=1.0)]),
        (Goal(1.0, meters=2.0), {"x": 1.0, "fell": True}, "fall", []),
        (Goal.to(3, 2, arms="up"), {"x": 2.0, "y": 2.0, "degrees": 90}, "end", [Goal.to(0, -1, arms="up")]),
        (Goal.home("slow"), {"x": 2.0}, "end", [Goal.home("slow")]),
        (Goal.face_start(), {"degrees": 50}, "end", [Goal.face_start()]),
        (
            Goal(1.0, meters=3.0, height="low"),
            {"x": 3.0, "seconds": 4.0, "too_high": 0.4},
            "posture",
            [Goal(seconds=2.0, height="low")],
        ),
    ],
)
def test_what_was_missed_has_a_cause_and_a_repair(goal, measured, why, undone):
    found = outcome(goal, **measured)
    assert cause(found) == why
    assert found.met is (why == "met")
    assert list(repairs(found)) == undone


@pytest.mark.parametrize(
    ("goal", "measured", "judged"),
    [
        (
            Goal(1.0, meters=3.0),
            {"x": 2.1, "y": 0.4, "degrees": 3.3},
            "0.9 meters short, missed; 3 degrees left, kept; 0.4 meters left, barely kept",
        ),
        (
            Goal(1.0, meters=3.0),
            {"x": 3.0},
            "0 meters too far, kept; 0 degrees left, kept; 0 meters left, kept",
        ),
        (Goal(1.0, meters=3.0), {"x": 1.0, "fell": True}, ""),
        (Goal(0.0, 0.0, 0.8, degrees=90), {"degrees": 120}, "30 degrees too far, missed"),
        (
            Goal(0.0, -0.4, meters=1.0),
            {"x": -0.2, "y": -1.0},
            "0 meters too far, kept; 0 degrees left, kept; 0.2 meters backward, barely kept",
        ),
        (
            Goal(-0.4),
            {"x": -0.8, "y": 0.2, "velocity": (-0.3, 0.0, 0.0)},
            "0 degrees left, kept; 0.2 meters left, barely kept; 0.1 m/s off, barely kept; "
            "0 m/s off, kept; 0 rad/s off, kept",
        ),
        (
            Goal(1.0, seconds=3.0, height="low", arms="up"),
            {"seconds": 3.0, "velocity": (0.8, 0.1, 0.3), "too_high": 0.12, "arms_off": 25.4},
            "0 seconds too far, kept; 0 degrees left, kept; 0 meters left, kept; "
            "0.2 m/s off, barely kept; 0.1 m/s off, barely kept; "
            "0.3 rad/s off, missed; 0.1 meters too high, barely kept; 25 degrees off, missed",
        ),
        (Goal.home(), {"x": 1.0}, "1 meters short, missed"),
    ],
)
def test_what_is_off_is_said_in_amounts_and_not_in_shares_of_a_tolerance(goal, measured, judged):
    found = outcome(goal, **measured)
    assert found.judged == judged
    assert found.off == re.sub(", (?:barely )?kept|, missed", "", judged)


@pytest.mark.parametrize(
    ("goal", "measured", "report"),
    [
        (
            Goal(1.0, meters=3.0),
            {"x": 2.1, "y": 0.4, "degrees": 3.3},
            "asked: walk forward 3 meters. "
            "happened: 2.1 meters forward, 0.4 meters left, turned 3 degrees left, did not fall.",
        ),
        (
            Goal(1.0, 0.0, -0.4, seconds=2.0, arms="up"),
            {"along": 1.9, "degrees": -44, "uprightness": 0.9, "arms_off": 4.0},
            "asked: curve right 2 seconds, arms up, which is 1 m/s forward, 0 m/s left, -0.4 rad/s left. "
            "happened: 1.9 meters along the way, turned 44 degrees right, 2 seconds, at the end 1 m/s forward, "
            "0 m/s left, -0.4 rad/s left, arms 4 degrees off, stumbled but did not fall.",
        ),
        (
            Goal.to(3, 2, height="low"),
            {"x": 2.5, "y": 2.0, "degrees": 90, "fell": True, "too_high": 0.12},
            "asked: go to 3 meters ahead 2 meters left, low. "
            "happened: 2.5 meters forward, 2 meters left, turned 90 degrees left, "
            "the place is 0.5 meters away, 0 meters ahead and 0.5 meters right, torso 0.1 meters too high, fell.",
        ),
        (
            Goal.face_start(),
            {"degrees": -20, "home": Pose(heading=-0.5)},
            "asked: face start. happened: turned 20 degrees right, faces 9 degrees left of the start, did not fall.",
        ),
    ],
)
def test_a_report_says_what_was_asked_and_what_happened_in_plain_words(goal, measured, report):
    assert outcome(goal, **measured).report == report

"""The readable programs: one to one with goals, completed and checked by code."""

import math
import re
from dataclasses import replace

import pytest
from drawn_goals import goals
from hypothesis import given
from hypothesis import strategies as st

from agent.bodies import find_body
from agent.goals import SKILLS, Goal, GoalProgram
from agent.language.program import GRAMMAR, BeyondLimit, check_posture, check_velocity, parse, score

HUMANOID, G1 = find_body("humanoid"), find_body("g1")
PLAIN = replace(HUMANOID, arm_joints=(), arm_poses={}, wave_swing=(), crouch_height=None)

PROGRAMS = {
    "walk forward 2 metres; turn left": (Goal(1.0, meters=2), Goal(wz=0.8)),
    "turn left; walk forward": (Goal(wz=0.8, degrees=90), Goal(1.0)),
    "walk forward; stand": (Goal(1.0, seconds=3), Goal()),
    "walk backward slow six feet": (Goal(-0.2, meters=1.8),),
    "run forward a minute at 2 m/s": (Goal(2.0, seconds=60),),
    "turn right half a turn at 30 degrees per second": (Goal(wz=-0.6, degrees=180),),
    "go to 3 m ahead 2 m left; go home fast; face start": (Goal.to(3, 2), Goal.home("fast"), Goal.face_start()),
    "go to slow five feet behind": (Goal.to(-1.524, 0, "slow").on_grid(),),
    "curve left 360 degrees": (Goal(1.0, wz=0.4, degrees=360),),
    "curve left fast at 20 degrees per second, low": (Goal(1.0, wz=0.4, height="low"),),
    "walk forward half of 8 seconds": (Goal(1.0, seconds=4),),
    "2 times (walk forward 1 m; turn left 90 degrees); stand": (
        *(Goal(1.0, meters=1), Goal(wz=0.8, degrees=90), Goal(1.0, meters=1), Goal(wz=0.8, degrees=90)),
        Goal(),
    ),
    "3 times (turn left) with stand 2 s, low between": (
        *(Goal(wz=0.8, degrees=90), Goal(seconds=2, height="low"), Goal(wz=0.8, degrees=90)),
        *(Goal(seconds=2, height="low"), Goal(wz=0.8)),
    ),
}
LIMITS = {
    "run forward at 40 km/h": "3 m/s",
    "walk forward 3 miles": "200 meters",
    "stand 3 hours": "600 seconds",
    "go to 30 m ahead": "20 m",
    "sidestep left at 2 m/s": "0.6 m/s",
    "walk forward at 0.05 m/s": "from 0.2 to 3 m/s",
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_readable_program_becomes_goals_with_what_it_leaves_open(text):
    assert re.fullmatch(GRAMMAR, text)
    assert parse(text, HUMANOID) == GoalProgram(PROGRAMS[text])


@pytest.mark.parametrize("text", LIMITS)
def test_what_is_beyond_the_robot_is_refused_with_its_limit(text):
    program = parse(text, HUMANOID)
    assert program.refusal == "limit" and LIMITS[text] in program.reason, program.reason


@pytest.mark.parametrize("pace", ["", " fast"])
@pytest.mark.parametrize("skill", SKILLS)
def test_a_named_skill_is_within_the_reach_of_every_robot(skill, pace):
    for body in (HUMANOID, G1):
        (goal,) = parse(skill.replace("_", " ") + pace, body).goals
        assert body.reach(goal.velocity) <= 1 + 1e-6 and any(goal.velocity) == (skill != "stand")


def test_too_many_repetitions_are_refused_as_too_long():
    text = "3 times (walk forward 1 m; turn left; stand)"
    assert re.fullmatch(GRAMMAR, text) and parse(text, HUMANOID) == GoalProgram(refusal="limit")


NONSENSE = ["turn left 3 meters", "stand 90 degrees", "go to", "walk forward 3 m ahead 2 m left", "nonsense", ""]


@pytest.mark.parametrize("text", NONSENSE)
def test_what_makes_no_sense_is_unclear(text):
    assert parse(text, HUMANOID) == GoalProgram(refusal="unclear")


@given(goals())
def test_the_text_of_a_goal_is_read_back_as_that_goal_or_refused_for_the_robots_limit(goal):
    program = parse(goal.text, HUMANOID)
    assert program == GoalProgram((goal,)) or program.refusal == "limit", goal.text


@given(st.from_regex(GRAMMAR, fullmatch=True))
def test_whatever_the_grammar_allows_is_a_program_within_limits_or_a_refusal(text):
    program = parse(text, HUMANOID)
    assert GoalProgram.from_tokens(program.tokens).goals == program.goals
    for goal in program.goals:
        assert goal.skill.startswith(("go", "face")) or math.isfinite(HUMANOID.reach(goal.command[:3]))


@pytest.mark.parametrize(
    ("velocity", "height", "words"),
    [
        ((4.0, 0, 0), "normal", "4 m/s is too fast: this robot goes forward at 3 m/s at most"),
        ((-1.0, 0, 0), "normal", "walks backward at 0.6 m/s"),
        ((0, 0.8, 0), "normal", "sidesteps left at 0.6 m/s"),
        ((0, 0, -2.0), "normal", "turns right at 1.2 rad/s"),
        ((1.4, 0, 0), "low", "1.4 m/s is too fast in a crouch: 1 m/s at most"),
    ],
)
def test_a_velocity_beyond_the_robot_names_its_limit(velocity, height, words):
    with pytest.raises(BeyondLimit, match=words):
        check_velocity(velocity, height, HUMANOID)


def test_what_the_robot_reaches_passes():
    check_velocity((3.0, 0, 0), "normal", HUMANOID)
    check_posture("low", "wave_left", HUMANOID)


@pytest.mark.parametrize(
    ("height", "arms", "words"),
    [("normal", "wave_left", "with its arms: wave left"), ("low", "rest", "cannot crouch")],
)
def test_a_robot_without_a_posture_refuses_it(height, arms, words):
    with pytest.raises(BeyondLimit, match=words):
        check_posture(height, arms, PLAIN)


def test_the_score_counts_programs_by_length_refusals_and_refusals_without_need():
    walk, turn = GoalProgram((Goal(1.0),)), GoalProgram((Goal(wz=0.8),))
    both = GoalProgram((Goal(1.0, meters=1), Goal(wz=0.8)))
    body, limit = GoalProgram(refusal="body"), GoalProgram(refusal="limit")
    found, meant = [walk, walk, body, limit, both], [walk, turn, limit, walk, both]
    assert score(found, meant) == {
        "exact": 3 / 5,
        "exact_single": 1 / 3,
        "exact_more": 1.0,
        "refusals_right": 1.0,
        "spurious_refusals": 1 / 4,
    }

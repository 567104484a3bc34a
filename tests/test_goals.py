"""The vocabulary: its kinds of goals, its grid, what each kind wants, and what it refuses."""

import itertools
import math
import pickle
import re

import pytest
from drawn_goals import INSIDE, goals, programs, velocity_goals
from hypothesis import given
from hypothesis import strategies as st

from agent.goals import (
    AMOUNTS,
    ARRIVED,
    COMMAND_AXES,
    ENDS,
    GOAL_VERSION,
    GRID,
    REASONS,
    SKILLS,
    SPEEDS,
    TOKENS,
    Goal,
    GoalProgram,
    Pose,
    Progress,
    VelocityGoal,
    check_goal_version,
    rotate,
    wrap,
)


@given(programs())
def test_a_program_survives_the_way_through_text_and_ids(program):
    assert GoalProgram.from_tokens(program.tokens) == program
    assert GoalProgram.from_token_ids(program.token_ids) == program
    assert GoalProgram.from_tokens(program.tokens).tokens == program.tokens


@given(goals())
def test_a_goal_on_the_grid_is_its_own_nearest(goal):
    assert goal.on_grid() == goal
    assert Goal.from_token_ids(goal.token_ids) == goal


@given(velocity_goals())
def test_the_prompt_of_a_velocity_goal_begins_its_spelling(goal):
    assert goal.token_ids[: len(COMMAND_AXES)] == goal.command_ids
    assert Goal(*goal.velocity, height=goal.height, arms=goal.arms).command == goal.command


@given(goals())
def test_a_goal_survives_being_pickled(goal):
    assert pickle.loads(pickle.dumps(goal)) == goal


@given(velocity_goals(INSIDE))
def test_a_goal_off_the_grid_moves_by_at_most_a_step_and_keeps_its_end(goal):
    nearest = goal.on_grid()
    assert nearest == nearest.on_grid()
    assert all(abs(a - b) <= 0.2 for a, b in zip(goal.velocity, nearest.velocity, strict=True))
    assert nearest.end == goal.end


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("skill", SKILLS)
def test_a_skill_lies_in_its_own_region_at_every_speed(skill, speed):
    goal = Goal.from_skill(skill, speed, seconds=2)
    assert goal.skill == skill
    assert goal.speed == (speed if skill != "stand" else "normal")
    assert goal == Goal(*goal.velocity, seconds=2.0), "a goal made from a name and one made from numbers are the same"
    assert goal.on_grid() == goal


@given(INSIDE)
def test_every_command_has_a_skill_whose_name_makes_a_command_of_the_same_skill(velocity):
    goal = Goal(*velocity)
    assert Goal.from_skill(goal.skill, goal.speed).skill == goal.skill


@given(programs(), st.data())
def test_a_program_with_one_id_changed_is_another_program_or_refused(program, data):
    ids = list(program.token_ids)
    place = data.draw(st.integers(0, len(ids) - 1))
    ids[place : place + data.draw(st.integers(0, 1))] = data.draw(
        st.lists(st.integers(0, len(TOKENS) - 1), max_size=1)
    )
    try:
        read = GoalProgram.from_token_ids(ids)
    except ValueError:
        return
    assert read.token_ids == tuple(ids), "each program has one spelling"


def test_tokens_with_another_token_as_their_end_are_refused():
    *velocity, _ = GoalProgram((Goal(1.0),)).tokens.split()
    for end in ("<left>", "<vy=+0.2>", "<unclear>"):
        with pytest.raises(ValueError, match=re.escape(end)):
            GoalProgram.from_tokens(" ".join([*velocity, end, "<1>"]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Goal(3.2), ["vx=3.2", "m/s", "-0.6 to 3"]),
        (lambda: Goal(0, -0.8), ["vy=-0.8", "-0.6 to 0.6"]),
        (lambda: Goal(0, 0, 1.4), ["wz=1.4", "rad/s", "-1.2 to 1.2"]),
        (lambda: Goal(math.nan), ["vx=nan", "finite"]),
        (lambda: Goal("1"), ["vx='1'", "number"]),
        (lambda: Goal(1, seconds=0), ["seconds=0", "0.1 to 600"]),
        (lambda: Goal(1, meters=1000), ["meters=1000", "0.1 to 200"]),
        (lambda: Goal(0, 0, 1, degrees=-90), ["degrees=-90", "1 to 3600"]),
        (lambda: Goal(meters=2), ["meters=2", "vx or vy"]),
        (lambda: Goal(1, degrees=90), ["degrees=90", "wz"]),
        (lambda: Goal(1, seconds=1, meters=1), ["seconds and meters", "one"]),
        (lambda: Goal(height="flat"), ["height 'flat'", "low"]),
        (lambda: Goal.home(arms="crossed"), ["arms 'crossed'", "wave_left"]),
        (lambda: Goal.to(30), ["ahead=30 m", "-20 to 20"]),
        (lambda: Goal.to(1, math.inf), ["left=inf", "finite"]),
        (lambda: Goal.to(1, 1, "quick"), ["'quick'", "slow"]),
        (lambda: Goal.to(1).command, ["go to 1 meter ahead", "MotorAgent"]),
        (lambda: Goal.from_skill("go_to"), ["'go_to'", "go_home"]),
        (lambda: Goal.from_skill("fly"), ["'fly'", "walk_forward"]),
        (lambda: Goal.from_skill("stand", "quick"), ["'quick'", "slow"]),
        (lambda: GoalProgram(), ["goals or a refusal"]),
        (lambda: GoalProgram((Goal(),), "body"), ["goals or a refusal"]),
        (lambda: GoalProgram(refusal="mood"), ["'mood'", "body"]),
        (lambda: GoalProgram((Goal(), Goal())), ["goal 1 of 2", "seconds"]),
        (lambda: GoalProgram((Goal(seconds=1),) * 9), ["9 goals", "at most 8"]),
        (lambda: GoalProgram.from_tokens("<vx=+9.9>"), ["'<vx=+9.9>'", f"vocabulary {GOAL_VERSION}"]),
        (lambda: GoalProgram.from_token_ids([-1]), ["-1"]),
        (lambda: GoalProgram.from_token_ids([len(TOKENS)]), [str(len(TOKENS))]),
    ],
)
def test_what_cannot_be_is_refused_with_the_value_and_a_remedy(make, words):
    with pytest.raises(ValueError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_refusal_says_why_and_has_no_goals():
    program = GoalProgram(refusal="body")
    assert program.refused and not program.goals and program.reason == REASONS["body"]
    assert program.to_dict() == {
        "refused": True,
        "reason": REASONS["body"],
        "goals": [],
        "tokens": "<refuse> <body> <end>",
    }


def test_the_json_of_a_program_has_the_published_fields():
    assert GoalProgram((Goal.from_skill("turn_left", degrees=90),)).to_dict() == {
        "refused": False,
        "reason": "",
        "goals": [
            {
                "skill": "turn_left",
                "speed": "normal",
                "velocity": [0.0, 0.0, 0.8],
                "seconds": None,
                "meters": None,
                "degrees": 90.0,
                "ahead": None,
                "left": None,
                "height": "normal",
                "arms": "rest",
            }
        ],
        "tokens": "<vx=+0.0> <vy=+0.0> <wz=+0.8> <height=normal> <arms=rest> <degrees> <9> <0> <end>",
    }


def test_the_json_of_a_place_has_no_velocity():
    found = Goal.to(3, -2, "fast", arms="up").to_dict()
    assert found["velocity"] is None and found["seconds"] is None
    assert (found["skill"], found["speed"], found["ahead"], found["left"], found["arms"]) == (
        "go_to",
        "fast",
        3.0,
        -2.0,
        "up",
    )


def test_another_vocabulary_is_refused_with_both_versions():
    check_goal_version(GOAL_VERSION, "runs/ppo")
    with pytest.raises(ValueError, match=rf"runs/ppo uses goal vocabulary 0, but this code uses {GOAL_VERSION}: "):
        check_goal_version("0", "runs/ppo")
    with pytest.raises(ValueError, match="vocabulary None"):
        check_goal_version(None, "runs/ppo")


def test_negative_zero_makes_no_second_goal():
    assert Goal(-0.0, 0.0, -0.0) == Goal()
    assert hash(Goal(-0.0)) == hash(Goal(0.0)) and str(Goal(-0.0)) == str(Goal(0.0))


def test_every_end_has_amounts_and_every_amount_one_spelling():
    assert ENDS == ("seconds", "meters", "degrees")
    for amounts in AMOUNTS.values():
        assert len({float(amount) for amount in amounts}) == len(amounts)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (Goal(), "stand"),
        (Goal.from_skill("walk_forward"), "walk forward"),
        (Goal.from_skill("walk_forward", "slow", meters=2), "walk forward slow 2 meters"),
        (Goal.from_skill("turn_left", degrees=90), "turn left 90 degrees"),
        (Goal.from_skill("run_forward", "fast", seconds=3), "run forward fast 3 seconds"),
        (Goal(0.8, meters=1), "walk forward 1 meter at 0.8 m/s"),
        (Goal.to(3, 2), "go to 3 meters ahead 2 meters left"),
        (Goal.to(-0.5, 0, "slow", arms="wave_left"), "go to slow 0.5 meters behind, wave left"),
        (Goal.home("fast", height="low", arms="up"), "go home fast, low, arms up"),
        (Goal.face_start(), "face start"),
        (Goal(1.0, 0.0, 0.6, degrees=90), "curve left 90 degrees at 1 m/s forward and 0.6 rad/s left"),
    ],
)
def test_a_goal_has_words(goal, text):
    assert goal.text == text


@given(goals(), goals())
def test_different_goals_on_the_grid_have_different_words(one, other):
    assert (one.text == other.text) == (one == other)


def test_every_velocity_on_the_grid_has_its_own_words():
    velocities = list(itertools.product(*GRID.values()))
    assert len({Goal(*velocity).text for velocity in velocities}) == len(velocities)


def test_a_program_has_words():
    program = GoalProgram((Goal.from_skill("walk_forward", "slow", meters=2), Goal()))
    assert program.text == "walk forward slow 2 meters; stand"
    assert GoalProgram(refusal="unclear").text == "refuse: unclear"


HOME = Pose()


def progress(
    x: float = 0.0, y: float = 0.0, heading: float = 0.0, home: Pose = HOME, seconds: float = 1.0
) -> Progress:
    return Progress(seconds, Pose(x, y, heading), home, math.degrees(heading), math.hypot(x, y))


def test_a_straight_goal_turns_back_to_its_heading_and_its_line():
    goal = Goal(1.0, meters=5)
    assert goal.straight and goal.wanted(progress()) == (1.0, 0.0, 0.0)
    vx, vy, wz = goal.wanted(progress(x=1, y=0.2, heading=0.1))
    assert vx > 0 and vy < 0 and wz < 0
    assert Goal(1.0, wz=0.4).wanted(progress(y=1, heading=1)) == (1.0, 0.0, 0.4), "an arc is no line"


def test_who_stands_turns_back_once_the_heading_is_well_off():
    assert Goal().wanted(progress(x=0.1, heading=math.radians(5))) == (0.0, 0.0, 0.0)
    assert Goal().wanted(progress(heading=math.radians(12)))[2] < 0
    assert Goal(arms="wave_left").wanted(progress(heading=math.radians(-12)))[2] > 0


def test_a_straight_goal_ends_after_the_distance_along_its_line():
    goal = Goal(0.0, 0.4, meters=2)
    assert goal.ending(progress(x=3, y=1.5)).left == pytest.approx(0.5)
    assert not goal.reached(progress(y=1.9)) and goal.reached(progress(y=2.0))


POSES = st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-6, 6))


@given(POSES, st.tuples(st.floats(-5, 5), st.floats(-5, 5)), st.sampled_from(SPEEDS))
def test_a_body_that_does_what_a_place_wants_arrives_there(start, place, speed):
    goal = Goal.to(*place, speed)
    x, y, heading = start
    for _ in range(3000):
        now = progress(x, y, heading)
        if goal.reached(now):
            break
        vx, vy, wz = goal.wanted(now)
        dx, dy = rotate(vx * 0.02, vy * 0.02, heading)
        x, y, heading = x + dx, y + dy, heading + wz * 0.02
    assert math.hypot(x - place[0], y - place[1]) <= ARRIVED + 1e-9


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_heading_is_taken_up_by_the_shorter_turn(heading, home):
    goal, now = Goal.face_start(), progress(heading=heading, home=Pose(0, 0, home))
    left = wrap(home - heading)
    assert goal.wanted(now)[2] * left >= 0
    assert goal.ending(now).left == pytest.approx(abs(math.degrees(left)))


@given(POSES, POSES)
def test_a_pose_seen_from_another_and_back_is_the_same(a, b):
    pose, origin = Pose(*a), Pose(*b)
    assert origin.after(pose.seen_from(origin)) == pytest.approx(pose)


def test_home_is_where_the_program_began_however_far_the_goal_before_went():
    goal = Goal.home()
    assert isinstance(Goal(), VelocityGoal) and not isinstance(goal, VelocityGoal)
    assert goal.ending(progress(x=1, home=Pose(-3, 4))).left == pytest.approx(math.hypot(4, 4))

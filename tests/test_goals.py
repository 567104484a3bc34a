"""The vocabulary: its grammar, its grid and what it refuses."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.goals import (
    AMOUNTS,
    AXES,
    ENDS,
    GOAL_VERSION,
    GRID,
    MAX_GOALS,
    REASONS,
    SKILLS,
    SPEEDS,
    TOKENS,
    Goal,
    GoalProgram,
    check_goal_version,
    next_token_ids,
)

COMMANDS = st.tuples(*(st.sampled_from(GRID[axis]) for axis in AXES))
INSIDE = st.tuples(*(st.floats(GRID[axis][0], GRID[axis][-1]) for axis in AXES))


def possible_ends(velocity) -> list[str]:
    """The kinds of end that a body with this velocity can reach."""
    moves, turns = math.hypot(*velocity[:2]) > 0.1, abs(velocity[2]) > 0.1
    return ["seconds"] + ["meters"] * moves + ["degrees"] * turns


@st.composite
def goals(draw, commands=COMMANDS, *, closed: bool = False):
    velocity = draw(commands)
    kind = draw(st.sampled_from(possible_ends(velocity) + ([] if closed else [None])))
    return Goal(*velocity, **({kind: float(draw(st.sampled_from(AMOUNTS[kind])))} if kind else {}))


@st.composite
def programs(draw):
    if draw(st.booleans()):
        return GoalProgram(refusal=draw(st.sampled_from(list(REASONS))))
    first = draw(st.lists(goals(closed=True), max_size=MAX_GOALS - 1))
    return GoalProgram((*first, draw(goals())))


@given(programs())
def test_a_program_survives_the_way_through_text_and_ids(program):
    assert GoalProgram.from_tokens(program.tokens) == program
    assert GoalProgram.from_token_ids(program.token_ids) == program
    assert GoalProgram.from_tokens(program.tokens).tokens == program.tokens


@given(goals())
def test_a_goal_on_the_grid_is_its_own_nearest(goal):
    assert goal.on_grid() == goal
    assert Goal.from_token_ids(goal.token_ids) == goal
    assert goal.token_ids[:3] == goal.command_ids


@given(goals(INSIDE))
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


@given(st.data())
def test_every_walk_through_the_grammar_ends_in_a_valid_program(data):
    ids: list[int] = []
    while allowed := next_token_ids(ids):
        ids.append(data.draw(st.sampled_from(allowed)))
        assert len(ids) < 100
    program = GoalProgram.from_token_ids(ids)
    assert program.token_ids == tuple(ids)


@given(programs())
def test_the_grammar_allows_every_program(program):
    ids = program.token_ids
    assert all(ids[place] in next_token_ids(ids[:place]) for place in range(len(ids)))
    assert next_token_ids(ids) == ()


@given(programs(), st.data())
def test_a_program_with_one_id_changed_is_read_exactly_when_the_grammar_allows_it(program, data):
    ids = list(program.token_ids)
    place = data.draw(st.integers(0, len(ids) - 1))
    ids[place : place + data.draw(st.integers(0, 1))] = data.draw(
        st.lists(st.integers(0, len(TOKENS) - 1), max_size=1)
    )
    allowed = all(ids[place] in next_token_ids(ids[:place]) for place in range(len(ids)))
    if allowed and ids and not next_token_ids(ids):
        assert GoalProgram.from_token_ids(ids).token_ids == tuple(ids)
    else:
        with pytest.raises(ValueError):
            GoalProgram.from_token_ids(ids)


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
            }
        ],
        "tokens": "<vx=+0.0> <vy=+0.0> <wz=+0.8> <degrees> <9> <0> <end>",
    }


def test_another_vocabulary_is_refused_with_both_versions():
    check_goal_version(GOAL_VERSION, "runs/ppo")
    with pytest.raises(ValueError, match=rf"runs/ppo speaks goal vocabulary 0, this code {GOAL_VERSION}: "):
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

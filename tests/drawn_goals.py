"""Goals and programs of every kind, as hypothesis draws them."""

import math

from hypothesis import strategies as st

from agent.goals import AMOUNTS, ARMS, AXES, GRID, HEIGHTS, MAX_GOALS, REASONS, SPEEDS, Goal, GoalProgram

COMMANDS = st.tuples(*(st.sampled_from(GRID[axis]) for axis in AXES))
INSIDE = st.tuples(*(st.floats(GRID[axis][0], GRID[axis][-1]) for axis in AXES))
POSTURES = st.fixed_dictionaries({"height": st.sampled_from(HEIGHTS), "arms": st.sampled_from(ARMS)})
COORDINATES = st.sampled_from([sign * float(amount) for amount in AMOUNTS["place"] for sign in (1, -1)])


def possible_ends(velocity) -> list[str]:
    """The kinds of end that a body with this velocity can reach."""
    moves, turns = math.hypot(*velocity[:2]) > 0.1, abs(velocity[2]) > 0.1
    return ["seconds"] + ["meters"] * moves + ["degrees"] * turns


@st.composite
def velocity_goals(draw, commands=COMMANDS, *, closed: bool = False):
    velocity = draw(commands)
    kind = draw(st.sampled_from(possible_ends(velocity) + ([] if closed else [None])))
    end = {kind: float(draw(st.sampled_from(AMOUNTS[kind])))} if kind else {}
    return Goal(*velocity, **end, **draw(POSTURES))


PLACES = st.builds(lambda *place, posture: Goal.to(*place, **posture), COORDINATES, COORDINATES, posture=POSTURES)
HOMES = st.builds(lambda speed, posture: Goal.home(speed, **posture), st.sampled_from(SPEEDS), POSTURES)
HEADINGS = st.builds(lambda posture: Goal.face_start(**posture), POSTURES)


def goals(*, closed: bool = False):
    """Goals of every kind; `closed`: that end."""
    return velocity_goals(closed=closed) | PLACES | HOMES | HEADINGS


@st.composite
def programs(draw):
    if draw(st.booleans()):
        return GoalProgram(refusal=draw(st.sampled_from(list(REASONS))))
    first = draw(st.lists(goals(closed=True), max_size=MAX_GOALS - 1))
    return GoalProgram((*first, draw(goals())))

"""Numbers and units: what people write comes out as digits in the units of the vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.goals import AMOUNTS, snap
from agent.language.quantities import beyond, lift, rewrite


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("Walk two and a half metres", "walk 2.5 meters"),
        ("a hundred and twenty degrees", "120 degrees"),
        ("twenty-one steps", "10.5 meters"),
        ("1500 ms", "1.5 seconds"),
        ("half a minute", "30 seconds"),
        ("a quarter of a minute", "15 seconds"),
        ("1 minute and 15 seconds", "75 seconds"),
        ("5 feet 6 inches", "1.7 meters"),
        ("a metre and a half", "1.5 meters"),
        ("two point five m", "2.5 meters"),
        ("½ m", "0.5 meters"),
        ("3/4 of a turn", "270 degrees"),
        ("three half turns", "540 degrees"),
        ("a full rotation", "360 degrees"),
        ("a 90-degree turn", "a 90 degrees turn"),
        ("45° right", "45 degrees right"),
        ("to your three o'clock", "90 degrees right"),
        ("to 10 o'clock", "60 degrees left"),
        ("5 km/h", "1.4 m/s"),
        ("0.6 metres a second", "0.6 m/s"),
        ("45 degrees per second", "0.8 rad/s"),
        ("2,000 m", "2000 meters"),
        ("0,5 m", "0.5 meters"),
        ("walk 2 meters and a half turn right", "walk 2 meters and 180 degrees right"),
        ("forward 2 meters, 50 cm left", "forward 2 meters, 0.5 meters left"),
        ("turn left 90 / 3 steps forward", "turn left 90 degrees / 1.5 meters forward"),
        ("turn 45 left, then right by 30", "turn 45 degrees left, then right by 30 degrees"),
        ("rotate pi/2 rad", "rotate 90 degrees"),
        ("2 π", "360 degrees"),
        ("1:30 minutes", "90 seconds"),
        ("one minute thirty", "90 seconds"),
        ("walk 1m50", "walk 1.5 meters"),
        ("do a 180 to the right", "do a 180 degrees to the right"),
        ("run 3 m / stop 2 s", "run 3 meters / stop 2 seconds"),
        ("three-quarter turn to the right", "270 degrees to the right"),
        ("three quarters of a minute", "45 seconds"),
        ("one and three quarter turns", "630 degrees"),
        ("two thirds of a turn", "240 degrees"),
        ("⅓ of a turn", "120 degrees"),
        ("1/4 turn left", "90 degrees left"),
        ("0.5 turn left", "180 degrees left"),
        ("half-turn right", "180 degrees right"),
        ("two-and-a-half seconds", "2.5 seconds"),
        ("two and one half meters", "2.5 meters"),
        ("a minute-and-a-half", "90 seconds"),
        ("90º", "90 degrees"),
        ("turn one eighty degrees", "turn 180 degrees"),
        ("5 or 6 steps", "3 meters"),
        ("between 2 and 4 feet", "1.2 meters"),
        ("two dozen steps", "12 meters"),
        ("half a dozen steps", "3 meters"),
        ("do three 360s", "do 1080 degrees"),
    ],
)
def test_an_amount_is_rewritten_in_digits_and_the_units_of_the_vocabulary(text, rewritten):
    assert rewrite(text) == rewritten


@pytest.mark.parametrize(
    "text",
    [
        "at a slow pace",
        "the second time",
        "turn left a second time",
        "make a turn to the left",
        "come in, turn back",
        "stand on 1 foot",
        "2 steps per second",
        "10 meters per minute",
        "go to the point 3 meters ahead",
        "walk until 6 o'clock",
        "turn left 10 times",
        "sidestep left 20",
        "make 10 right turns",
    ],
)
def test_words_that_only_look_like_amounts_stay(text):
    assert rewrite(text) == text


@pytest.mark.parametrize("text", ["10 km", "a million degrees", "three hours", "50 m/s", "0 meters", "9" * 400 + " s"])
def test_an_amount_that_no_goal_has_is_beyond(text):
    assert beyond(rewrite(text))


@pytest.mark.parametrize("text", ["200 m", "600 seconds", "10 full turns", "3 m/s", "1.2 rad/s", "walk on"])
def test_an_amount_that_a_goal_has_is_not_beyond(text):
    assert not beyond(rewrite(text))


@given(st.sampled_from(list(AMOUNTS)).flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(AMOUNTS[kind]))))
def test_every_amount_with_a_spelling_stays_what_it_is(amount):
    kind, spelling = amount
    assert rewrite(f"{spelling} {kind}") == f"{spelling} {kind}"
    assert snap(float(spelling), kind) == float(spelling)


@given(st.text(max_size=600))
def test_any_text_can_be_rewritten(text):
    beyond(rewrite(text))


def test_amounts_are_lifted_out_in_their_order_and_those_beyond_the_grid_stay():
    parts, amounts = lift(rewrite("walk two meters, turn 90 degrees, then wait 5000 hours at 1.6 m/s"), 16)
    assert parts == ["walk", " meters, turn", " degrees, then wait 18000000 seconds at 1.6 m/s"]
    assert amounts == [("meters", "2"), ("degrees", "90")]
    assert lift("walk 2 meters and 3 meters", 1) == (["walk", " meters and 3 meters"], [("meters", "2")])


@pytest.mark.parametrize("text", ["1e3 meters", "10 meters per minute", "1 meters every second"])
def test_what_is_no_amount_of_a_goal_is_not_lifted(text):
    assert lift(text, 16) == ([text], [])

"""Lists of steps: what is one is taken apart, and what only looks like one is not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.language.corpus.generator import generate
from agent.language.steps import Steps, steps


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Walk forward 2 m, then turn left.", ("walk forward 2 meters", "turn left")),
        ("run and stop", ("run", "stop")),
        ("First, back up; next spin around. Finally halt!", ("back up", "spin around", "halt")),
        ("walk 2 metres turn left 90 walk on", ("walk 2 meters", "turn left 90 degrees", "walk on")),
        ("1. walk 2 m 2. turn left 3. stop", ("walk 2 meters", "turn left", "stop")),
        ("step 1: run\nstep 2: stop", ("run", "stop")),
        ("walk forward turn left turn right run", ("walk forward", "turn left", "turn right", "run")),
        ("make a left turn and wait a second, then go", ("make a left turn", "wait 1 seconds", "walk")),
        ("forward 1 m, left 90 degrees, forward 1 m", ("forward 1 meters", "left 90 degrees", "forward 1 meters")),
        (
            "could you walk for 3 s -> turn around => stop, please",
            ("walk for 3 seconds", "turn around", "stop"),
        ),
        ("tunr left adn wlak 2m", ("turn left", "walk 2 meters")),
        ("firstly run, secondly turn left, thirdly stop", ("run", "turn left", "stop")),
        ("walk 3 m, take a right, then walk another 2 m", ("walk 3 meters", "take a right", "walk 2 meters")),
        ("walk 3 m, then no more walking", ("walk 3 meters", "stand still")),
        ("walk 3 m and spin twice", ("walk 3 meters", "spin twice")),
        ("run 5 m, turn around, run back", ("run 5 meters", "turn around", "run 5 meters")),
        ("take a 2 second walk and then take a break", ("take a 2 seconds walk", "take a break")),
    ],
)
def test_a_list_of_steps_is_taken_apart(text, parts):
    assert steps(text) == Steps(parts)


@pytest.mark.parametrize(
    "text",
    [
        "before you run, walk 2 metres",
        "before running, walk 2 metres please",
        "walk 2 metres before you run",
        "walk 2 metres prior to running",
        "after walking 2 metres, run",
        "once you have walked 2 metres, run",
        "when you're done walking 2 metres, run",
        "run after you walk 2 metres",
        "run as soon as you've walked 2 metres",
        "could you run, but first walk 2 metres?",
        "run. Before that, walk 2 metres",
        "walk 2 metres followed by running",
        "start by walking 2 metres and end by running",
        "walk 2 metres, and once that's done run",
        "finish by running, but start by walking 2 metres",
        "walk 2 metres; when you are finished with that, run",
        "walk 2 metres and only after that run",
    ],
)
def test_steps_come_in_the_order_that_the_words_give(text):
    assert steps(text) == Steps(("walk 2 meters", "run"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("before you stop, walk 1 m and turn left", ("walk 1 meters", "turn left", "stop")),
        ("after 3 seconds of running backwards, stop", ("run backwards for 3 seconds", "stop")),
        ("turn left after walking 1 m, then stop", ("walk 1 meters", "turn left", "stop")),
        ("stop after walking 1 m and turning left", ("walk 1 meters", "turn left", "stop")),
    ],
)
def test_an_order_may_hold_lists(text, parts):
    assert steps(text) == Steps(parts)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("walk 1 m and turn left, three times", 3),
        ("twice: walk 1 m, turn left", 2),
        ("walk 1 m, turn left. Repeat that 4 times.", 4),
        ("repeat the following 2x: walk 1 m, turn left", 2),
        ("3 rounds of: walk 1 m, turn left", 3),
        ("do two loops: walk 1 m, turn left", 2),
        ("walk 1 m, turn left and do so thrice", 3),
        ("walk 1 m and turn left, then do it all again", 2),
        ("walk 1 m, turn left. Repeat.", 2),
        ("walk 1 m, turn left, and once more", 2),
    ],
)
def test_a_list_says_how_often_it_is_done(text, times):
    assert steps(text) == Steps(("walk 1 meters", "turn left"), times)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("turn left, then right, then left again", ("turn left", "turn right", "turn left")),
        ("sidestep left 1 m, right 2 m", ("sidestep left 1 meters", "sidestep right 2 meters")),
        ("sidestep left 1 m, right 90 degrees", ("sidestep left 1 meters", "right 90 degrees")),  # another motion
        ("walk slowly for 2 s, then fast for 3 s", ("walk slowly for 2 seconds", "walk fast for 3 seconds")),
        ("go forward 1 m, then 2 m, and back 3 m", ("go forward 1 meters", "go forward 2 meters", "go back 3 meters")),
        ("walk 2 m, turn left, 3 m", ("walk 2 meters", "turn left", "walk 3 meters")),
        ("walk 2 m, wait 1 s, 3 m", ("walk 2 meters", "wait 1 seconds", "walk 3 meters")),
        ("forward march, 4 steps, then stop", ("forward march 2 meters", "stop")),
        ("turn left, turn around, 2 seconds", ("turn left", "turn around 2 seconds")),
        ("left, right, stop", ("turn left", "turn right", "stop")),
        ("rotate, left, 20 degrees", ("rotate left 20 degrees",)),
    ],
)
def test_what_a_step_leaves_out_was_said_before(text, parts):
    assert steps(text) == Steps(parts)


def test_one_step_may_be_repeated_too_but_turns_are_counted():
    assert steps("turn left, three times") == Steps(("turn left",), 3)
    assert steps("turn left, and again") == Steps(("turn left",), 2)
    assert steps("spin around, twice") is None and steps("turn left") is None


@pytest.mark.parametrize(
    "text",
    [
        "walk 2 meters",
        "walk on, turn left, walk on again",
        "wait 2 and run 5 seconds",  # of what?
        "turn left, no, turn right",
        "don't walk, run",
        "turn left 90 degrees, then right",  # by how much?
        "walk on, then faster",
        "walk forward and back 2 metres",
        "walk and turn left at the same time",
        "walk a square, 2 m per side",
        "turn left, wait, turn right",
        "walk 2 m, pick up the ball, turn left",
        "walk 2 m and turn left twice",
        "hello robot, walk",
        "for 3 seconds, walk",
        "come on, run",
        "walk, slowly",
        "the quick brown fox, and the lazy dog",
        "",
    ],
)
def test_what_is_no_plain_list_stays_whole(text):
    assert steps(text) is None


def test_the_steps_of_generated_instructions_are_as_many_as_their_goals():
    found = [(steps(each.text), each) for each in itertools.islice(generate(8), 3000) if each.program.goals]
    taken = [(plain, each) for plain, each in found if plain]
    right = [len(plain.parts) * plain.times == len(each.program.goals) for plain, each in taken]
    assert len(taken) > 100 and sum(right) / len(right) > 0.9


@given(st.text(max_size=300))
def test_any_text_is_a_list_or_none(text):
    found = steps(text)
    assert found is None or (found.parts and found.times and all(found.parts))

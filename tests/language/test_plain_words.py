"""What is around the meaning of an instruction goes, and what may mean something else stays."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.language.corpus import phrases
from agent.language.corpus.generator import generate, prompt
from agent.language.plain_words import shortened


@pytest.mark.parametrize(
    "text",
    [
        "could you please walk?",
        "Hey buddy, can you just walk for me, thanks a lot!",
        "good morning! I'd like you to walk right away",
        "my dear friend, let us walk",
        "come on boy, walk!",
        "would you mind walking, please",
        "you should walk now",
        "ok so um like, walk, bro",
        "walk walk walk!!!",
        "soldier, walk! That's all.",
        "move it!",
    ],
)
def test_courtesy_address_and_emphasis_go(text):
    assert prompt(text) == "walk"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("turn left, no, right", "turn right"),
        ("turn left 30 degrees... sorry, I meant to the right", "turn left 30 degrees... sorry, i meant to the right"),
        ("walk for 2 seconds, make that 4", "walk for 4 seconds"),
        ("walk 5 metres - wait, no, 6 metres", "walk 6 meters"),
        ("go forward. actually no, back 1 m", "go back 1 meters"),
        ("don't turn left, turn right", "turn right"),
        ("instead of running, walk", "walk"),
        ("turn left at once by 15 degrees", "turn left by 15 degrees"),
        ("walk, don't run", "walk"),
        ("run and don't stop", "run"),
        ("walk 2 m, then turn left, scratch that, stop", "walk 2 meters, then stop"),
        ("stand still, no, walk", "walk"),
        ("turn left, wait, turn right", "turn left, wait, turn right"),  # a wait is a step as well
        ("don't turn until you have walked 2 m", "don't turn until you have walked 2 meters"),
        ("don't turn before you walk, run", "don't turn before you walk, run"),
    ],
)
def test_what_is_taken_back_in_the_same_breath_is_gone(text, meant):
    assert prompt(text) == meant


@pytest.mark.parametrize(
    "text",
    ["don't move", "not another step!", "stop walking", "no more running, please", "that's enough turning for now",
     "don't take another step", "quit moving around", "nobody move a muscle", "do not go anywhere"],
)  # fmt: skip
def test_a_stop_in_negative_words_is_a_stop(text):
    assert prompt(text) == "stand still"


def test_a_stop_in_negative_words_may_have_an_end():
    assert prompt("don't take another step for 5 s") == "stand still for 5 seconds"
    assert prompt("stop moving until 5 s have passed") == "stand still until 5 seconds have passed"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("creep forward 2 m", "slowly walk forward 2 meters"),
        ("stop after hurrying for 2 s", "stop after quickly walking for 2 seconds"),
        ("bolt!", "sprint"),
        ("run like there's no tomorrow", "sprint"),
        ("give me a quick spin", "do a quick spin"),
        ("come back to your left", "come to the left"),
    ],
)
def test_a_rare_word_gives_way_to_a_common_one(text, meant):
    assert prompt(text) == meant


@pytest.mark.parametrize(
    "text",
    ["charge the battery", "take a stroll", "follow that soldier", "the robot", "hello there", "thanks", "don't walk",
     "do not walk", "give me a hand", "run like a turtle",
     "turn right now", "stop the music", "please", "good boy", "move your arms", "left left right"],
)  # fmt: skip
def test_what_may_mean_something_else_stays(text):
    assert prompt(text) == text


def test_nearly_every_opening_of_the_corpus_is_seen_to_be_one():
    kept = [opening for opening in phrases.OPENINGS if prompt(f"{opening}walk forward") != "walk forward"]
    assert len(kept) < len(phrases.OPENINGS) / 3, kept


def test_what_is_short_enough_is_not_shortened():
    words = [prompt(each.text) for each in itertools.islice(generate(9), 500)]
    assert all(shortened(each) == each for each in words)


WORDS = st.sampled_from(["no", ",", "wait", "left", "walk", "please", ".", "don't", "2", "meters", "bro"])


@given(st.text(max_size=200) | st.lists(WORDS).map(" ".join))
def test_something_is_left_of_any_text(text):
    assert bool(shortened(text)) == bool(text)

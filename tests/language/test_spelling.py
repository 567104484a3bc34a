"""Typing errors: the words of instructions are put right, and no other word is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.language.quantities import rewrite
from agent.language.spelling import KNOWN, REAL_WORDS, corrected, correction


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("wlak foward", "walk forward"),  # two letters change places, one is missing
        ("runn bakc", "run back"),  # one too many
        ("tirn keft", "turn left"),  # the key beside it
        ("walk for 3 secnds", "walk for 3 seconds"),
        ("2meeters", "2meters"),
        ("thirtty degress", "thirty degrees"),
        ("turnright tehn stopp", "turn right then stop"),
        ("stepback 5secondsand wait", "step back 5seconds and wait"),
        ("walk2m", "walk 2m"),
        ("sloooowly", "slowly"),
        ("STPO", "stop"),
        ("can u turn n stop plz, dont run", "can you turn and stop please, don't run"),
        ("make a u turn an walk an inch", "make a u turn and walk an inch"),
    ],
)
def test_a_word_one_error_away_from_a_word_of_instructions_is_that_word(typed, meant):
    assert corrected(typed) == meant


def test_a_misspelled_unit_is_a_unit():
    assert rewrite(corrected("turn ninty degreees, wait 5 secodns")) == "turn 90 degrees, wait 5 seconds"


@pytest.mark.parametrize(
    "text",
    [
        "pick up the ball by the wall",
        "burn the box, then talk to the man",  # near turn and walk, and English
        "what a nice match, brother",
        "don't you've o'clock u-turn",
        "<vx=+1.0> <secnds> &nbsp",
        "asdfgh qwrtz 12345 x2",
        "тurn łeft こんにちは",
    ],
)
def test_other_words_stay_as_they_are(text):
    assert corrected(text) == text


def test_a_word_of_instructions_is_never_changed():
    assert all(correction(word) == word for word in KNOWN)
    assert not REAL_WORDS & set(KNOWN)


def test_every_english_word_in_the_list_is_there_because_it_would_be_changed(monkeypatch):
    monkeypatch.setattr("agent.language.spelling.REAL_WORDS", frozenset())
    assert all(correction.__wrapped__(word) != word for word in sorted(REAL_WORDS)[::10])


@given(st.text(max_size=200))
def test_what_is_corrected_is_correct(text):
    assert corrected(corrected(text)) == corrected(text)


@given(st.sampled_from(sorted(KNOWN)).filter(lambda word: len(word) > 2), st.data())
def test_two_letters_in_the_wrong_order_are_put_right_unless_they_make_another_word(word, data):
    place = data.draw(st.integers(0, len(word) - 2))
    typed = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    assert typed in REAL_WORDS or correction(typed) in KNOWN

"""Amounts in words: what they are, and that what is none is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.language.amounts import AMOUNT, SPEED, amount, number, speed
from agent.language.corpus.generator import in_words

AMOUNTS = {
    "2 metres": ("meters", 2.0),
    "six feet": ("meters", 1.8288),
    "half a minute": ("seconds", 30.0),
    "a minute and a half": ("seconds", 90.0),
    "4 steps": ("meters", 2.0),
    "half a dozen paces": ("meters", 3.0),
    "a couple of steps": ("meters", 1.0),
    "a quarter turn": ("degrees", 90.0),
    "three quarters of a turn": ("degrees", 270.0),
    "a three-quarter turn": ("degrees", 270.0),
    "a full ten seconds": ("seconds", 10.0),
    "an eighth of a turn": ("degrees", 45.0),
    "two and a half turns": ("degrees", 900.0),
    "a full turn": ("degrees", 360.0),
    "2 1/2 minutes": ("seconds", 150.0),
    "2 quarter turns": ("degrees", 180.0),
    "three quarter turns": ("degrees", 270.0),
    "one point five full turns": ("degrees", 540.0),
    "2 full turns": ("degrees", 720.0),
    "one eighty degrees": ("degrees", 180.0),
    "three sixty degrees": ("degrees", 360.0),
    "a hundred and five degrees": ("degrees", 105.0),
    "1/2 turn": ("degrees", 180.0),
    "forty-five degrees": ("degrees", 45.0),
    "two hundred and ten degrees": ("degrees", 210.0),
    "three point five metres": ("meters", 3.5),
    "1,5 m": ("meters", 1.5),
    "1,000 m": ("meters", 1000.0),
    "1 minute 30 seconds": ("seconds", 90.0),
    "5 feet 6 inches": ("meters", 1.6764),
    "250cm": ("meters", 2.5),
    "90°": ("degrees", 90.0),
    "half of 12 seconds": ("seconds", 6.0),
    "twice six feet": ("meters", 3.6576),
    "a third of 9 s": ("seconds", 3.0),
    "three quarters of a minute and a half": ("seconds", 67.5),
    "3 times a quarter turn": ("degrees", 270.0),
}
SPEEDS = {
    "0.8 m/s": ("m/s", 0.8),
    "3 km/h": ("m/s", 0.8333),
    "two miles an hour": ("m/s", 0.8941),
    "half a metre per second": ("m/s", 0.5),
    "thirty degrees per second": ("rad/s", 0.5236),
}


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_converted_as_it_was_said(text):
    kind, value = AMOUNTS[text]
    assert amount(text) == (kind, pytest.approx(value))
    assert re.fullmatch(AMOUNT, text), "the grammar lets the model write it"


@pytest.mark.parametrize("text", SPEEDS)
def test_a_speed_is_converted_as_it_was_said(text):
    unit, value = SPEEDS[text]
    assert speed(text) == (unit, pytest.approx(value, abs=1e-4))
    assert re.fullmatch(SPEED, text)


@pytest.mark.parametrize("text", ["", "metres", "of a metres", "2 metres 3 seconds", "two point twenty m", "1/0 m"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        amount(text)


@given(st.integers(0, 999_999))
def test_a_number_in_digits_is_itself(value):
    assert number(str(value)) == value


@given(st.integers(0, 9_999))
def test_a_number_in_words_is_itself(value):
    assert number(in_words(value)) == value


@given(st.from_regex(AMOUNT, fullmatch=True))
def test_whatever_the_grammar_allows_is_an_amount_or_a_value_error(text):
    try:
        kind, value = amount(text)
    except ValueError:
        return
    assert kind in ("seconds", "meters", "degrees") and value >= 0

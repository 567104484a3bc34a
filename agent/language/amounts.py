"""Amounts in words, and what they are in meters, seconds, degrees, m/s and rad/s.

The language model copies an amount as it was said ("six feet", "half a minute"), and writes an amount
that refers to another one as a ratio ("twice six feet"). This file converts and multiplies, with the words in
amounts.yaml. The patterns are also part of the grammar that the model decodes under.
"""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

_TABLES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
WORD_VALUES = {word: float(value) for word, value in _TABLES["word_values"].items()}
MULTIPLES = {word: float(value) for word, value in _TABLES["multiples"].items()}
PARTS = {word: 1 / count for word, count in _TABLES["parts"].items()}
JOINS, WHOLE = _TABLES["joins"], _TABLES["whole"]
RATIOS = {word: float(factor) for word, factor in _TABLES["ratios"].items()}


def _by_spelling(units: dict[str, list[list]]) -> dict[str, tuple[str, float]]:
    """How a unit may be written -> kind of amount, and factor to the vocabulary's unit."""
    return {word: (kind, float(each)) for kind, rows in units.items() for each, *words in rows for word in words}


UNITS, SPEED_UNITS = _by_spelling(_TABLES["units"]), _by_spelling(_TABLES["speed_units"])
PER = {word: float(seconds) for word, seconds in _TABLES["per"].items()}


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_WORD = _either([*WORD_VALUES, *PARTS, *MULTIPLES, *JOINS, *WHOLE])
DIGITS = r"(?:[0-9]{1,6}(?:[.,][0-9]{1,4})?|(?:[0-9]{1,3} )?[0-9]{1,2}/[0-9]{1,2})"
_WORDS = rf"(?:{_WORD})(?:[ -](?:{_WORD})){{0,7}}"
NUMBER = rf"(?:{DIGITS}|{_WORDS})"
_SHARE = rf"(?:(?:{'|'.join(WHOLE)}|half|quarter)[ -])?"
_RATIO = _either(RATIOS)


def amount_pattern(*kinds: str) -> str:
    """A regular expression of all amounts of these kinds: "six feet", "a minute and a half", "5 feet 6 inches", "half
    of 12 seconds".
    """
    unit = _either(word for word, (kind, _) in UNITS.items() if kind in kinds)
    single = rf"(?:{DIGITS}[ -]?{_SHARE}|{_WORDS}[ -])(?:{unit})(?: and (?:a half|a quarter|three quarters))?"
    return rf"(?:(?:{_RATIO}) )?{single}(?:(?: and)? {single})?"


def speed_pattern(*units: str) -> str:
    """A regular expression of all speeds in m/s, in rad/s or in both: "3 km/h", "thirty degrees per second"."""
    kinds = [{"m/s": "meters", "rad/s": "degrees"}[unit] for unit in units]
    short = _either(word for word, (unit, _) in SPEED_UNITS.items() if unit in units)
    long = _either(word for word, (kind, _) in UNITS.items() if kind in kinds)
    return rf"{NUMBER} ?(?:{short}|(?:{long}) (?:per|an|a) (?:{_either(PER)}))"


AMOUNT = amount_pattern("seconds", "meters", "degrees")
SPEED = speed_pattern("m/s", "rad/s")

_UNIT = _either(UNITS)
_LENGTH_UNIT = _either(word for word, (kind, _) in UNITS.items() if kind != "seconds")
PARSE_SINGLE = re.compile(rf"({NUMBER})[ -]?({_SHARE})({_UNIT})(?: and (a half|a quarter|three quarters))?(?![a-z])")
PARSE_RATIO = re.compile(rf"({_RATIO}) ")
PARSE_SPEED = re.compile(rf"({NUMBER}) ?(?:({_either(SPEED_UNITS)})|({_LENGTH_UNIT}) (?:per|an|a) ({_either(PER)}))")


def number(text: str) -> float:
    """The value of a number: "2.5", "forty five", "three quarters of a". Raises ValueError for what is no number."""
    if re.fullmatch(DIGITS, text):
        # 1,000 is a thousand, 1,5 and 0,500 are less.
        *whole, last = re.sub(r"(?<!^0),(?=[0-9]{3}$)", "", text).replace(",", ".").split()
        top, _, bottom = last.partition("/")
        if bottom and not float(bottom):
            raise ValueError(f"{text!r} divides by zero")
        return sum(map(float, whole)) + float(top) / float(bottom or 1)
    words = [word for word in re.split("[ -]", text) if word not in WHOLE]
    if "point" in words:
        place = words.index("point")
        digits = [WORD_VALUES.get(word, -1) for word in words[place + 1 :]]
        if not digits or not all(0 <= digit <= 9 for digit in digits):
            raise ValueError(f"{text!r} is no number")
        whole = _words(words[:place]) if place else 0.0
        return whole + float("0." + "".join(f"{digit:.0f}" for digit in digits))
    return _words(words)


def _words(words: list[str]) -> float:
    """Sum of what the words add: "two and a half" is 2 + 1/2, "three quarters of a" 3/4, "two hundred ten" 210."""
    total = run = 0.0
    counted = False  # whether `run` holds a number said just before
    for place, word in enumerate(words):
        if word in PARTS:
            run = (run or 1.0) * PARTS[word] if counted else PARTS[word]
            counted = True
        elif word in MULTIPLES:
            last = run % 1000  # the five of "two thousand five hundred"
            run, counted = run - last + (last if counted else 1.0) * MULTIPLES[word], True
        elif word in ("a", "an"):
            if place == 0 or words[place - 1] not in (*PARTS, "of"):  # not "half a", "a quarter of a"
                total, run, counted = total + run, 1.0, True
        elif word in WORD_VALUES:
            run = 0.0 if place and words[place - 1] in ("a", "an") else run  # "a three-quarter turn"
            hundreds = 0 < run < 10 and WORD_VALUES[word] >= 10  # "one eighty"
            run, counted = run * (100 if hundreds else 1) + WORD_VALUES[word], True
        elif word == "and" and any(later in PARTS for later in words[place + 1 :]):
            total, run, counted = total + run, 0.0, False
        elif word not in JOINS:
            raise ValueError(f"{' '.join(words)!r} is no number")
    if not counted:
        raise ValueError(f"{' '.join(words)!r} is no number")
    return total + run


def amount(text: str) -> tuple[str, float]:
    """Kind (seconds, meters or degrees) and value of an amount as it was said: "1 minute 30 seconds" is 90 seconds.
    Raises ValueError for what is no amount, or adds amounts of two kinds.
    """
    ratio = PARSE_RATIO.match(text)
    kinds, total, end = set(), 0.0, ratio.end() if ratio else 0
    for match in PARSE_SINGLE.finditer(text, end):
        if text[end : match.start()] not in ("", " ", " and "):
            break
        kind, factor = UNITS[match[3]]
        kinds.add(kind)
        value = number(match[1]) * PARTS.get(match[2].strip(" -"), 1.0)  # 2 quarter turns
        total += (value + (number(match[4]) if match[4] else 0)) * factor
        end = match.end()
    if len(kinds) != 1 or end != len(text):
        raise ValueError(f"{text!r} is no amount: say a number and a unit, such as 2 meters")
    return kinds.pop(), total * (RATIOS[ratio[1]] if ratio else 1.0)


def speed(text: str) -> tuple[str, float]:
    """Unit (m/s or rad/s) and value of a speed, such as "3 km/h". Raises ValueError for what is no speed."""
    match = PARSE_SPEED.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no speed: say a number and a unit, such as 0.8 m/s")
    value = number(match[1])
    if match[2]:
        unit, factor = SPEED_UNITS[match[2]]
        return unit, value * factor
    kind, factor = UNITS[match[3]]
    per_second = value * factor / PER[match[4]]
    return ("m/s", per_second) if kind == "meters" else ("rad/s", math.radians(per_second))

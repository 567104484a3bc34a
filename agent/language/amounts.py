"""Amounts in words, and what they are in meters, seconds, degrees, m/s and rad/s.

The language model copies an amount as it was said ("six feet", "half a minute", "a quarter turn"); this file converts
it. The patterns are also part of the grammar that the model decodes under.
"""

import math
import re
from collections.abc import Iterable

STEP_METERS = 0.5  # one step of the robot, in any direction

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# What a word adds; `hundred` and `thousand` multiply, `of` and `and` only join.
WORD_VALUES = {word: float(value) for value, word in enumerate(ONES + TEENS)}
WORD_VALUES |= {word: 10.0 * value for value, word in enumerate(TENS, start=2)}
WORD_VALUES |= {"a": 1.0, "an": 1.0}
PARTS = {"half": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4}
PARTS |= {f"{name}{plural}": 1 / n for n, name in ((5, "fifth"), (6, "sixth"), (8, "eighth")) for plural in ("", "s")}
MULTIPLES = {"couple": 2.0, "dozen": 12.0, "hundred": 100.0, "thousand": 1000.0}
JOINS = ("and", "of", "point")
WHOLE = ("full", "whole", "complete")

# How a unit may be written -> kind of amount, and factor to the vocabulary's unit.
UNITS = {
    **dict.fromkeys(("milliseconds", "ms"), ("seconds", 0.001)),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), ("seconds", 1.0)),
    **dict.fromkeys(("minutes", "minute", "mins", "min"), ("seconds", 60.0)),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), ("seconds", 3600.0)),
    **dict.fromkeys(("millimetres", "millimetre", "millimeters", "millimeter", "mm"), ("meters", 0.001)),
    **dict.fromkeys(("centimetres", "centimetre", "centimeters", "centimeter", "cms", "cm"), ("meters", 0.01)),
    **dict.fromkeys(("metres", "metre", "meters", "meter", "mtrs", "mtr", "m"), ("meters", 1.0)),
    **dict.fromkeys(("kilometres", "kilometre", "kilometers", "kilometer", "kms", "km"), ("meters", 1000.0)),
    **dict.fromkeys(("inches", "inch", "in", '"'), ("meters", 0.0254)),
    **dict.fromkeys(("feet", "foot", "ft", "'"), ("meters", 0.3048)),
    **dict.fromkeys(("yards", "yard", "yds", "yd"), ("meters", 0.9144)),
    **dict.fromkeys(("miles", "mile"), ("meters", 1609.344)),
    **dict.fromkeys(("nautical miles", "nautical mile"), ("meters", 1852.0)),
    **dict.fromkeys(("steps", "step", "paces", "pace", "strides", "stride"), ("meters", STEP_METERS)),
    **dict.fromkeys(("degrees", "degree", "degs", "deg", "°"), ("degrees", 1.0)),
    **dict.fromkeys(("radians", "radian", "rads", "rad"), ("degrees", 180 / math.pi)),
    **dict.fromkeys(("turns", "turn", "revolutions", "revolution", "rotations", "rotation"), ("degrees", 360.0)),
    **dict.fromkeys(("circles", "circle", "laps", "lap", "spins", "spin"), ("degrees", 360.0)),
}
SPEED_UNITS = {
    **dict.fromkeys(("m/s", "mps"), ("m/s", 1.0)),
    "cm/s": ("m/s", 0.01),
    **dict.fromkeys(("km/h", "kmh", "kph", "km/hr"), ("m/s", 1 / 3.6)),
    "mph": ("m/s", 0.44704),
    **dict.fromkeys(("ft/s", "fps"), ("m/s", 0.3048)),
    **dict.fromkeys(("knots", "knot"), ("m/s", 0.514444)),
    **dict.fromkeys(("deg/s", "°/s", "degrees/s"), ("rad/s", math.pi / 180)),
    "rad/s": ("rad/s", 1.0),
}
PER = {"second": 1.0, "sec": 1.0, "s": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "h": 3600.0}


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_WORD = _either([*WORD_VALUES, *PARTS, *MULTIPLES, *JOINS, *WHOLE])
DIGITS = r"(?:[0-9]{1,6}(?:[.,][0-9]{1,4})?|(?:[0-9]{1,3} )?[0-9]{1,2}/[0-9]{1,2})"
_WORDS = rf"(?:{_WORD})(?:[ -](?:{_WORD})){{0,7}}"
NUMBER = rf"(?:{DIGITS}|{_WORDS})"
_SHARE = rf"(?:(?:{'|'.join(WHOLE)}|half|quarter)[ -])?"


def amount_pattern(*kinds: str) -> str:
    """A regular expression of all amounts of these kinds: "six feet", "a minute and a half", "5 feet 6 inches"."""
    unit = _either(word for word, (kind, _) in UNITS.items() if kind in kinds)
    single = rf"(?:{DIGITS}[ -]?{_SHARE}|{_WORDS}[ -])(?:{unit})(?: and (?:a half|a quarter|three quarters))?"
    return rf"{single}(?:(?: and)? {single})?"


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
PARSE_SPEED = re.compile(rf"({NUMBER}) ?(?:({_either(SPEED_UNITS)})|({_LENGTH_UNIT}) (?:per|an|a) ({_either(PER)}))")


def number(text: str) -> float:
    """The value of a number in digits or words: "2.5", "forty five", "one and a half", "three quarters of a".

    Raises:
        ValueError: it is not a number.
    """
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

    Raises:
        ValueError: it is not an amount, or adds amounts of two kinds.
    """
    kinds, total, end = set(), 0.0, 0
    for match in PARSE_SINGLE.finditer(text):
        if text[end : match.start()] not in ("", " ", " and "):
            break
        kind, factor = UNITS[match[3]]
        kinds.add(kind)
        value = number(match[1]) * PARTS.get(match[2].strip(" -"), 1.0)  # 2 quarter turns
        total += (value + (number(match[4]) if match[4] else 0)) * factor
        end = match.end()
    if len(kinds) != 1 or end != len(text):
        raise ValueError(f"{text!r} is no amount: say a number and a unit, such as 2 meters")
    return kinds.pop(), total


def speed(text: str) -> tuple[str, float]:
    """Unit (m/s or rad/s) and value of a speed: "3 km/h", "thirty degrees per second".

    Raises:
        ValueError: it is not a speed.
    """
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

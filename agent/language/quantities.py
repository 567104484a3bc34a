"""Numbers and units in English text, rewritten in digits and in the units of the vocabulary.

The planner's language model sees the rewritten text, so that it copies amounts and never has to calculate them. What
is out of range stays in the text as it is: the refusal of it is a rule (`beyond`), and does not depend on the model.
"""

import math
import re
import unicodedata

from agent.goals import AMOUNTS, snap

STEP_METERS = 0.5  # one step of the body, in any direction
LARGEST = 1e9  # amounts are cut here, so that they always print as digits

DIGIT_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEEN_WORDS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS_WORDS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
WORD_VALUES = {word: value for value, word in enumerate(DIGIT_WORDS + TEEN_WORDS)}
WORD_VALUES |= {word: 10 * value for value, word in enumerate(TENS_WORDS, start=2)}

# Pattern of a unit -> kind of quantity, and how many of the vocabulary's unit it is.
UNITS = {
    r"milli ?sec(?:ond)?s?|msecs?|ms": ("seconds", 0.001),
    r"seconds?|secs?|s": ("seconds", 1.0),
    r"minutes?|mins?": ("seconds", 60.0),
    r"hours?|hrs?|h": ("seconds", 3600.0),
    r"days?": ("seconds", 86400.0),
    r"weeks?": ("seconds", 604800.0),
    r"months?": ("seconds", 2592000.0),
    r"years?": ("seconds", 31536000.0),
    r"milli ?met(?:er|re)s?|mm": ("meters", 0.001),
    r"centi ?met(?:er|re)s?|cms?": ("meters", 0.01),
    r"met(?:er|re)s?|mtrs?|mts?|m": ("meters", 1.0),
    r"kilo ?met(?:er|re)s?|kms?|k": ("meters", 1000.0),
    r"inch(?:es)?": ("meters", 0.0254),
    r"foot|feet|ft": ("meters", 0.3048),
    r"yards?|yds?": ("meters", 0.9144),
    r"miles?": ("meters", 1609.344),
    r"steps?|paces?|strides?": ("meters", STEP_METERS),
    r"degrees?|degs?|°": ("degrees", 1.0),
    r"radians?|rads?": ("degrees", 180 / math.pi),
    r"half[ -]turns?": ("degrees", 180.0),
    r"quarter[ -]turns?": ("degrees", 90.0),
    r"(?:(?:full|complete|whole|entire) )?(?:turns|revolutions?|rotations?)": ("degrees", 360.0),
    r"(?:full|complete|whole|entire|of an?) turn": ("degrees", 360.0),
}
LENGTHS = [unit for unit, (kind, _) in UNITS.items() if kind == "meters"]
PER_SECOND = r"(?: ?/ ?| per | 1 | each )(?:seconds?|secs?|s)"
PER_HOUR = r"(?: ?/ ?| per | 1 )(?:hours?|hr|h)"
SPEED_UNITS = {
    rf"(?:met(?:er|re)s?|m){PER_SECOND}|mps": ("m/s", 1.0),
    rf"(?:centi ?met(?:er|re)s?|cm){PER_SECOND}": ("m/s", 0.01),
    rf"(?:kilo ?met(?:er|re)s?|kms?){PER_HOUR}|kph|kmh": ("m/s", 1 / 3.6),
    rf"miles?{PER_HOUR}|mph": ("m/s", 0.44704),
    rf"(?:feet|foot|ft){PER_SECOND}": ("m/s", 0.3048),
    rf"(?:degrees?|degs?|°){PER_SECOND}": ("rad/s", math.pi / 180),
    rf"(?:radians?|rads?){PER_SECOND}": ("rad/s", 1.0),
}
# A second amount after one of these adds to the first: 1 minute 30 seconds, 5 feet 6 inches.
COMPOUNDS = r"hours?|hrs?|h|minutes?|mins?|met(?:er|re)s?|m|foot|feet|ft"
COMPOUND_RESTS = r"minutes?|mins?|seconds?|secs?|s|centi ?met(?:er|re)s?|cm|inch(?:es)?"

NUMBER = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
SIZES = r"(?:(?:more|whole|full|entire|further|small|big|little|large|long|short|giant|tiny|baby|good|solid) )?"
MANNERS = r"(?:(slow|fast|quick|normal) )?"
ANY_UNIT = "|".join([*SPEED_UNITS, *UNITS])
# What follows would make a speed of a distance.
RATE = r"(?! ?(?:per|every) | ?/ ?(?:[a-z]|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?)\b|²)"
QUANTITY = re.compile(rf"(?<![a-z0-9.])({NUMBER})[ -]?{MANNERS}({ANY_UNIT}|{SIZES}(?:{ANY_UNIT}))(?![a-z0-9]){RATE}")
BODY_PART = re.compile(r"(?:on|put|lift|raise|with) $")  # before "1 foot" that is no length
COMPOUND = re.compile(
    rf"(?<![a-z0-9.])({NUMBER}) ?({COMPOUNDS})(?: and | )?({NUMBER}) ?({COMPOUND_RESTS})(?![a-z0-9/]| per)"
)
CANONICAL = re.compile(r"([0-9]+(?:\.[0-9]+)?) (seconds|meters|degrees|m/s|rad/s)\b")

AMOUNT = re.compile(rf" ?(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)(?= (seconds|meters|degrees)\b{RATE})")

_TENS = rf"(?:{'|'.join(TENS_WORDS)})(?:[ -](?:{'|'.join(DIGIT_WORDS[1:])}))?|{'|'.join(TEEN_WORDS + DIGIT_WORDS)}"
_HUNDREDS = rf"(?:(?:{_TENS}|a|[0-9]+)[ -]hundred(?:(?:[ -]and)?[ -](?:{_TENS}))?|{_TENS})"
WORDS = re.compile(
    rf"\b(?:(?:{_HUNDREDS}|a|[0-9]+) (?:thousand|million|billion)(?:(?: and)? {_HUNDREDS})?|{_HUNDREDS})\b"
)
# Before numbers in words become digits.
TURNS_SAID = {"one eighty": 180, "three sixty": 360, "two seventy": 270, "one twenty": 120, "seven twenty": 720}
TURN_SAID = re.compile(rf"\b({'|'.join(TURNS_SAID)})\b(?! ?(?:seconds?|secs?|met|m\b|steps?|feet))")
HYPHENS = re.compile(r"-(?=and\b|an?\b|half\b|quarters?\b|thirds?\b)|(?<=\band)-|(?<=\ba)-|(?<=half)-|(?<=quarter)-")
NO_UNIT = r"(?!pace|stride|step by|second (?:turn|time|left|right|step|walk|run|lap|circle))"  # a second time
ONE_OF = r"turn|step|pace|rotation|revolution|circle|spin|met(?:er|re)|second|minute"
PATTERNS = [
    (r"(?<=[0-9]),(?=[0-9]{3}\b)", ""),
    (rf"\b([0-9]+),([0-9]{{1,2}})(?= ?(?:{'|'.join(UNITS)})\b)", r"\1.\2"),
    (rf"\bbetween (?:{NUMBER}) and ({NUMBER})\b", r"\1"),
    (rf"\b(?:{NUMBER})(?: or | to |-)({NUMBER})(?= ?(?:{'|'.join(UNITS)})\b)", r"\1"),
    (rf"\b({NUMBER}) ?(?:by|x|times) ?({NUMBER}) ?({'|'.join(LENGTHS)})\b", r"\1 \3 by \2 \3"),  # 4 by 2 meters
    (r"\b([2-9]) 360s\b", lambda match: f"{360 * int(match[1])} degrees"),
    (r"\bhalf a dozen\b", "6"),
    (r"\b([0-9]+) dozen\b", lambda match: str(12 * int(match[1]))),
    (rf"\b({NUMBER}) and (?:an?|1) quarter\b(?! (?:{ONE_OF})\b)", lambda match: f"{float(match[1]) + 0.25:g}"),
    (rf"\b({NUMBER}) and 3 quarters?\b", lambda match: f"{float(match[1]) + 0.75:g}"),
    (r"\b3 quarters?(?: of)?(?: an?)? (?:turn|revolution|rotation)\b", "270 degrees"),
    (rf"\b3 quarters?(?: of)?(?: an?)? ({'|'.join(UNITS)})\b", r"0.75 \1"),
    (rf"\b(?:an?|1) third(?: of)?(?: an?)? ({'|'.join(UNITS)}|turn|rotation|revolution)\b", r"0.3333333 \1"),
    (rf"\b2 thirds(?: of)?(?: an?)? ({'|'.join(UNITS)}|turn|rotation|revolution)\b", r"0.6666667 \1"),
    (r"\b([0-9]+) point ([0-9]+)\b", r"\1.\2"),
    (r"(?<!the )(?<!to )(?<!a )\bpoint ([0-9]+)\b", r"0.\1"),
    (rf"\b({NUMBER}) (?:and )?(?:a|1) half\b(?! (?:{ONE_OF})\b)", lambda match: f"{float(match[1]) + 0.5:g}"),
    (
        rf"\b(?:an?|({NUMBER})) ({'|'.join(UNITS)}) and a half\b(?! (?:{ONE_OF})\b)",
        lambda match: f"{float(match[1] or 1) + 0.5:g} {match[2]}",
    ),
    (r"\b([0-9]+) 1/2\b", lambda match: f"{match[1]}.5"),
    (
        r"\b([0-9]{1,3})/([1-9][0-9]?)\b",
        lambda match: f"{int(match[1]) / int(match[2]):.7g}" if int(match[1]) < int(match[2]) else match[0],
    ),
    (
        r"\b(0?\.[0-9]+)(?: of)?(?: an?)? (?:turn|revolution|rotation)\b",
        lambda match: f"{360 * float(match[1]):.4g} degrees",
    ),
    (rf"\b(0?\.[0-9]+) of an? ({'|'.join(UNITS)})\b", r"\1 \2"),
    (r"\b(?:a |1 )?(half|quarter)(?:[ -]of)?(?:[ -]an?|[ -]the)? (turn|revolution|rotation)\b", r"1 \1 turn"),
    (rf"(?<![0-9] )\bhalf(?: of)?(?: an?)? ({'|'.join(UNITS)})\b", r"0.5 \1"),
    (rf"\b(?:a )?quarter(?: of)?(?: an?) ({'|'.join(UNITS)})\b", r"0.25 \1"),
    (r"\b(?:a |the next )?couple(?: of| more)?\b", "2"),
    (r"\b(?:a )?dozen\b", "12"),
    (rf"\b(?:a |the next )few (?=(?:{MANNERS}{SIZES}(?:{ANY_UNIT}))\b)", "3 "),
    (
        rf"\b(?:an?|another) (?={MANNERS}{SIZES}{NO_UNIT}(?:{ANY_UNIT})(?![a-z0-9']))",
        "1 ",
    ),
    (
        r"\b(?<!until )(?<!by )(?:to |at |towards? )?(?:your |the |my )?([0-9]{1,2})"
        r" ?o ?'? ?clock(?: position| direction)?\b",
        lambda match: _clock(match),
    ),
]
PATTERNS += [
    (r"\b([0-9]+):([0-5][0-9]) ?min(?:ute)?s?\b", lambda match: f"{60 * int(match[1]) + int(match[2])} seconds"),
    (
        rf"\b([0-9]+) min(?:ute)?s? ([1-5][0-9])\b(?!\.?[0-9]| ?(?:{'|'.join(UNITS)})\b)",
        lambda match: f"{60 * int(match[1]) + int(match[2])} seconds",
    ),
    (r"\b([0-9]+) ?m ?([0-9]{2})\b(?!\.?[0-9]| ?[a-z°])", r"\1.\2 m"),
    (
        rf"(?:\b({NUMBER}) ?\*? ?)?(?:\bpi\b|π)(?: ?/ ?([1-9]))?(?: ?rad(?:ian)?s?)?\b(?! ?/| per)",
        lambda match: f"{180 * float(match[1] or 1) / int(match[2] or 1):.4g} degrees",
    ),
]
REWRITES = [(re.compile(pattern), replacement) for pattern, replacement in PATTERNS]


def rewrite(text: str) -> str:
    """`text` in lower case with single spaces, its amounts as digits with seconds, meters, degrees, m/s or rad/s.

    An amount within range is rounded to the nearest one that has a spelling in tokens.
    """
    text = "".join(f" {each}" if unicodedata.decomposition(each).startswith("<fraction>") else each for each in text)
    text = unicodedata.normalize("NFKC", text.replace("º", "°")).replace("\u2044", "/").replace("\u2019", "'").lower()
    text = HYPHENS.sub(" ", " ".join(text.split()))
    text = TURN_SAID.sub(lambda match: str(TURNS_SAID[match[1]]), text)
    text = WORDS.sub(_digits, text)
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    text = COMPOUND.sub(_sum, text)
    text = QUANTITY.sub(_quantity, text)
    for pattern in BARE_TURNS:
        text = pattern.sub(lambda match: f"{match[0]} degrees", text)
    return text


def beyond(rewritten: str) -> bool:
    """Whether a rewritten text holds an amount that no goal has: too far, too long, too fast, or nothing at all."""
    return any(snap(float(amount), kind) is None for amount, kind in CANONICAL.findall(rewritten))


def lift(rewritten: str, most: int) -> tuple[list[str], list[tuple[str, str]]]:
    """A rewritten text without its first `most` amounts that a goal can end with, and these amounts.

    Returns what is between the amounts, one part more than there are of them, and their kinds and spellings:
    "walk 2 meters" -> ["walk", " meters"], [("meters", "2")].
    """
    parts, amounts, end = [], [], 0
    for match in AMOUNT.finditer(rewritten):
        if len(amounts) < most and match[1] in AMOUNTS[match[2]]:
            parts.append(rewritten[end : match.start()])
            amounts.append((match[2], match[1]))
            end = match.end()
    return [*parts, rewritten[end:]], amounts


# A number that only a turn can have: turn left 90, 45 to the right, do a 180.
_SIDE = r"left|right|clockwise|anticlockwise|counterclockwise|cw|ccw"
_NO_UNIT_AFTER = rf"(?!\.?[0-9])(?! ?(?:{ANY_UNIT}|times?|x)\b)"
BARE_TURNS = [
    re.compile(rf"\ba (?:45|90|135|180|270|360|540|720){_NO_UNIT_AFTER}(?![0-9'-])"),
    re.compile(rf"(?<!step )(?<!strafe )\b(?:{_SIDE})(?: by| about)? [1-9][0-9]{{1,2}}{_NO_UNIT_AFTER}"),
    re.compile(
        rf"(?:^|\b(?:turn|turning|rotate|rotating|pivot|spin|then|and) |[,;] )[1-9][0-9]{{1,2}}"
        rf"(?= (?:to (?:the|your) )?(?:{_SIDE})\b(?! turn))"
    ),
]


def _digits(match: re.Match) -> str:
    """A number in words as digits: two hundred and five -> 205."""
    total = group = 0
    for word in re.split(r"[ -]", match[0]):
        if word in ("thousand", "million", "billion"):
            total, group = total + max(group, 1) * SCALES[word], 0
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word.isdigit():
            group += float(word)
        else:
            group += WORD_VALUES.get(word, 0)
    return f"{min(total + group, LARGEST):.12g}"


def _unit(spelling: str) -> tuple[str, float]:
    for pattern, (kind, factor) in (SPEED_UNITS | UNITS).items():
        if re.fullmatch(SIZES + f"(?:{pattern})", spelling):
            return kind, factor
    raise AssertionError(spelling)


def _quantity(match: re.Match) -> str:
    if re.search(r"foot|feet", match[3]) and BODY_PART.search(match.string[: match.start()]):
        return match[0]
    kind, factor = _unit(match[3])
    amount = min(float(match[1]) * factor, LARGEST)
    snapped = snap(amount, kind)
    manner = f"{match[2]} " if match[2] else ""
    return f"{manner}{_plain(amount if snapped is None else snapped)} {kind}"


def _sum(match: re.Match) -> str:
    (kind, factor), (rest_kind, rest_factor) = _unit(match[2]), _unit(match[4])
    if kind != rest_kind or factor <= rest_factor:
        return match[0]
    return f"{_plain(min((float(match[1]) * factor + float(match[3]) * rest_factor), LARGEST))} {kind}"


def _plain(amount: float) -> str:
    """Digits without an exponent."""
    return f"{amount:.4f}".rstrip("0").rstrip(".")


def _clock(match: re.Match) -> str:
    hour = int(match[1])
    if not 1 <= hour <= 11:
        return match[0]
    if hour == 6:
        return "180 degrees"
    return f"{30 * hour} degrees right" if hour < 6 else f"{30 * (12 - hour)} degrees left"

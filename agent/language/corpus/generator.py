"""Instructions in many words with the goal programs that they mean: the seeded corpus that the planner learns from.

What the text leaves open follows these conventions:

* A stated end is used; the last goal without one is open, and an earlier one gets DEFAULT_DEGREES for a turn on the spot and
  DEFAULT_SECONDS for anything else. What is repeated has an end each time.
* A stop without an end and the stand after it are one: stop, wait for 5 seconds.
* No stated speed is "normal". A speed in numbers is rounded to the grid.
* A turn, sidestep, curve or shape without a side goes to the left; walking without a direction goes forward.
* A step is half a metre. "Turn around" is 180 degrees, "spin" is 360, facing left or right is 90.
* "Go left" is a sidestep, "make a left" and a bare "left" are turns.
* A program that holds anything to refuse is refused as a whole; more than MAX_GOALS goals are beyond the limit.
"""

# ruff: noqa: E501 (templates stay on one line)

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from agent.goals import GRID, MAX_GOALS, SKILLS, SPEEDS, Goal, GoalProgram, snap
from agent.language.corpus import phrases
from agent.language.corpus.phrases import GERUND, IMPERATIVE, PARTICIPLE
from agent.language.plain_words import shortened
from agent.language.quantities import DIGIT_WORDS, STEP_METERS, TEEN_WORDS, TENS_WORDS, lift, rewrite
from agent.language.spelling import NEIGHBORS, corrected

DEFAULT_SECONDS = 3.0
DEFAULT_DEGREES = 90.0
MAX_CHARACTERS = 600  # longer texts are refused; the longest generated instruction is about half of it


@dataclass(frozen=True)
class Instruction:
    text: str
    program: GoalProgram
    category: str


@dataclass(frozen=True)
class Clause:
    """One goal in words. `end` is None where the words name none."""

    text: str
    skill: str
    velocity: tuple[float, float, float]
    end: tuple[str, float] | None = None

    def goal(self, last: bool = False) -> Goal:
        goal = Goal(*self.velocity, **dict([self.end] if self.end else []))
        return goal if last else ended(goal)


def ended(goal: Goal) -> Goal:
    """The goal, with the end that it has where words name none and another goal follows."""
    if goal.end:
        return goal
    turning = goal.skill.startswith("turn")
    return replace(goal, degrees=DEFAULT_DEGREES) if turning else replace(goal, seconds=DEFAULT_SECONDS)


def in_order(found: Sequence[Goal], repeated: bool = False) -> tuple[Goal, ...]:
    """Goals one after another: all but the last end, that too where it is repeated. To stop and wait is one goal."""
    stops = [goal.skill == "stand" for goal in found]
    kept = [goal for goal, *both in zip(found, stops, [*stops[1:], False], strict=True) if goal.end or not all(both)]
    return (*map(ended, kept[:-1]), ended(kept[-1]) if repeated else kept[-1])


def prompt(text: str) -> str | None:
    """The words that a language model sees of an instruction, or None when there are too many of them to be one."""
    words = " ".join(text.encode("utf-8", "replace").decode().split())  # half a surrogate pair is no character
    return shortened(rewrite(corrected(words))) if len(words) <= MAX_CHARACTERS else None


def generate(seed: int) -> Iterator[Instruction]:
    """Instructions without end. The same seed gives the same ones."""
    rng = random.Random(seed)
    while True:
        (make,) = rng.choices(list(MAKERS), weights=list(MAKERS.values()))
        instruction = make(rng)
        if instruction is not None and len(instruction.text) <= MAX_CHARACTERS:
            yield instruction


def say(rng: random.Random, template: str, form: int = IMPERATIVE) -> str:
    """One reading of a template: [a|b|] chooses, innermost first, and walk/walking/walked takes the form."""
    while "[" in template:
        template = re.sub(r"\[([^\[\]]*)\]", lambda match: rng.choice(match[1].split("|")), template)
    template = re.sub(r"([\w']+)/([\w']+)/([\w']+)", lambda match: match[form + 1], template)
    return re.sub(r"\s+([,.!?;:])", r"\1", " ".join(template.split()))


# amounts


def in_words(number: int) -> str:
    """Whole numbers under a thousand: 42 -> forty-two."""
    if number >= 100:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{DIGIT_WORDS[number // 100]} hundred{rest}"
    if number >= 20:
        return TENS_WORDS[number // 10 - 2] + (f"-{DIGIT_WORDS[number % 10]}" if number % 10 else "")
    return (DIGIT_WORDS + TEEN_WORDS)[number]


def numeral(rng: random.Random, number: float) -> str:
    """A number as digits or in words."""
    whole, half = int(number), number % 1 == 0.5
    if number % 1 == 0 and number < 1000 and rng.random() < 0.35:
        return in_words(whole).replace("-", rng.choice("- "))
    if half and 1 <= number < 100 and rng.random() < 0.35:
        return rng.choice(
            [f"{in_words(whole)} and a half", f"{whole} and a half", f"{in_words(whole)} point five", f"{whole} 1/2"]
        )
    return f"{number:g}"


def pick(rng: random.Random, *ranges: Sequence[float]) -> float:
    return float(rng.choice(rng.choice(ranges)))


def amount(rng: random.Random, kind: str) -> tuple[str, float]:
    """An amount in words or digits, and what it is in the vocabulary."""
    if rng.random() < 0.15:
        text = rng.choice(phrases.IDIOMS[kind])
        return text, quantity(text, kind)
    one, more, factor, numbers = rng.choice(phrases.SPOKEN[kind])
    number = pick(rng, *numbers)
    unit = rng.choice((one if number == 1 else more).split("|"))
    value = snap(number * factor, kind)
    if value is None:
        return amount(rng, kind)
    glued = unit in ("s", "m", "cm", "ms", "ft", "°", "deg", "min", "sec") and rng.random() < 0.5
    return (f"{number:g}{unit}" if glued or unit == "°" else f"{numeral(rng, number)} {unit}"), value


def quantity(text: str, kind: str) -> float:
    """The one amount that a text states."""
    (value,) = re.findall(rf"([0-9.]+) {kind}", rewrite(text))
    return float(value)


# clauses


def sided(template: str, side: str) -> str:
    """Fill in a template's sides; {toside} may be left out on the left."""
    toside = (
        f"[to the {side}|{side}|to your {side}|over the {side} shoulder]"
        if side == "right"
        else "[||||to the left|left]"
    )
    return template.replace("{side}", side).replace("{clock}", phrases.CLOCKWISE[side]).replace("{toside}", toside)


def clause(rng: random.Random, form: int = IMPERATIVE, ended: bool | None = None, skill: str | None = None) -> Clause:
    """A goal in words. `ended` says whether they state its end; None leaves that to chance."""
    ended = rng.random() < 0.65 if ended is None else ended
    draw = rng.random()
    if rng.random() < 0.3:
        return plain(rng, form, ended, skill)
    if skill is None and draw < 0.1 and ended:
        return fixed_turn(rng, form)
    if skill is None and draw < 0.2 and form == IMPERATIVE and ended:
        return terse(rng)
    if skill is None and draw < 0.32 and ended:
        return counted(rng, form)
    if skill is None and draw < 0.36:
        return explicit_speed(rng, form, ended)
    skill = skill or rng.choice(list(SKILLS))
    side = "right" if skill.endswith("right") else "left"
    left = skill.replace("right", "left")
    manners = [manner for manner in ("", "slow", "fast") if (left, manner) in phrases.MOTIONS]
    (manner,) = rng.choices(manners, weights=[3, 1, 1][: len(manners)])
    template = rng.choice(phrases.MOTIONS[left, manner])
    speed = manner or "normal"
    if left == "curve_left" and rng.random() < 0.06:
        template, speed = rng.choice(phrases.CURVES_BY_FAST_RUN), "fast"
    if left in phrases.UNSIDED and side == "left" and not manner and rng.random() < 0.25:
        template = phrases.UNSIDED[left]
    text = say(rng, sided(template, side), form)
    if not manner and speed == "normal" and skill != "stand" and rng.random() < 0.3:
        speed = rng.choice(SPEEDS)
        text = (
            f"{say(rng, phrases.BEFORE[speed])} {text}"
            if rng.random() < 0.3
            else f"{text} {say(rng, phrases.ADVERBS[speed])}"
        )
    made = Clause(text, skill, SKILLS[skill][SPEEDS.index(speed)])
    return with_end(rng, made) if ended else made


def plain(rng: random.Random, form: int, ended: bool, skill: str | None) -> Clause:
    """What most people say: few verbs, small numbers."""
    skill = skill or rng.choice(list(phrases.PLAIN))
    side = "right" if skill.endswith("right") else "left"
    words = say(rng, sided(phrases.PLAIN[skill], side), form)
    made = Clause(words, skill, SKILLS[skill][1])
    if not ended:
        return made
    kind = rng.choice(phrases.FAMILY_ENDS[skill.split("_")[0]])
    number = (
        rng.choice([45, 90, 90, 90, 180, 30, 60]) if kind == "degrees" else rng.choice([*range(1, 6), *range(1, 11)])
    )
    unit = say(
        rng,
        {
            "seconds": "[seconds|seconds|secs|s]",
            "meters": "[meters|meters|metres|m|m]",
            "degrees": "[degrees|degrees|deg]",
        }[kind],
    )
    unit = unit.removesuffix("s") if number == 1 and unit != "s" else unit
    said = f"{number}{unit}" if len(unit) == 1 and rng.random() < 0.5 else f"{numeral(rng, number)} {unit}"
    verb, _, rest = words.partition(" ")
    texts = [f"{words} {said}", f"{words} for {said}" if kind != "degrees" else f"{words} by {said}"]
    if kind != "seconds" and rest:
        texts += [f"{verb} {said} {rest}"]
    return replace(made, text=rng.choice(texts), end=(kind, float(number)))


def with_end(rng: random.Random, made: Clause) -> Clause:
    kind = rng.choice(phrases.FAMILY_ENDS[made.skill.split("_")[0]])
    n, value = amount(rng, kind)
    draw = rng.random()
    if kind == "degrees" and made.skill.startswith("turn") and draw < 0.08:  # turn left 90
        value = float(rng.choice([15, 30, 45, 60, 90, 90, 120, 135, 180, 270, 360]))
        text = f"{made.text} {rng.choice(['', 'by '])}{numeral(rng, value)}"
    elif draw < 0.12:
        text = (
            f"{say(rng, phrases.ENDS[kind].replace('{n}', n))}, {made.text}"
            if kind == "seconds"
            else f"{made.text} {say(rng, phrases.UNTIL[kind].replace('{n}', n))}"
        )
    elif draw < 0.2:
        text = f"{made.text} {say(rng, phrases.UNTIL[kind].replace('{n}', n))}"
    elif draw < 0.3 and kind != "seconds":  # turn 90 degrees left
        words = made.text.split(" ", 1)
        text = (
            f"{words[0]} {n} {words[1]}"
            if len(words) == 2 and words[0].isalpha() and not words[1].startswith("a ")
            else f"{made.text} {n}"
        )
    else:
        text = f"{made.text} {say(rng, phrases.ENDS[kind].replace('{n}', n))}"
    return replace(made, text=text, end=(kind, value))


def fixed_turn(rng: random.Random, form: int) -> Clause:
    template, degrees = rng.choice(phrases.FIXED_TURNS)
    side = rng.choice(["left", "right"]) if "side}" in template else "left"
    if rng.random() < 0.06 and form == IMPERATIVE:
        hour = rng.choice([1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11])
        text = say(
            rng, f"[turn|rotate|face|turn to face|pivot] [to|to|towards] [your|] {hour} [o'clock|oclock|o' clock]"
        )
        degrees, side = 30.0 * min(hour, 12 - hour), "right" if hour < 6 else "left"
        return Clause(text, f"turn_{side}", SKILLS[f"turn_{side}"][1], ("degrees", degrees))
    speed, words = "normal", say(rng, sided(template, side), form)
    if rng.random() < 0.15:
        speed = rng.choice(SPEEDS)
        words = f"{words} {say(rng, phrases.ADVERBS[speed])}"
    return Clause(words, f"turn_{side}", SKILLS[f"turn_{side}"][SPEEDS.index(speed)], ("degrees", degrees))


def terse(rng: random.Random) -> Clause:
    left = rng.choice(list(phrases.TERSE))
    side = rng.choice(["left", "right"])
    skill = left.replace("left", side)
    kind = rng.choice(phrases.FAMILY_ENDS[left.split("_")[0]])
    if left == "turn_left" and rng.random() < 0.25:
        value = float(rng.choice([15, 30, 45, 60, 90, 90, 120, 135, 180, 270, 360]))
        return Clause(say(rng, sided("{side} ", side)) + f"{value:g}", skill, SKILLS[skill][1], ("degrees", value))
    n, value = amount(rng, kind)
    words = say(rng, sided(phrases.TERSE[left], side))
    if rng.random() < 0.15 and kind == "meters" and left == "sidestep_left":
        words = say(rng, f"[{side}|to the {side}]")  # metres to the left are a sidestep
    return Clause(
        rng.choice([f"{words} {n}", f"{words} {n}", f"{words} for {n}", f"{n} {words}", f"{words}: {n}"]),
        skill,
        SKILLS[skill][1],
        (kind, value),
    )


def counted(rng: random.Random, form: int) -> Clause:
    """Ends that are the object of the verb: take three steps back, a 90 degree left turn."""
    side, draw = rng.choice(["left", "right"]), rng.random()
    if draw < 0.45:  # steps
        count = rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20])
        skill, where = rng.choice(
            [
                ("walk_forward", "[forward|forwards|ahead|]"),
                ("walk_backward", "[back|back|backward|backwards]"),
                (f"sidestep_{side}", f"[to the {side}|{side}|to your {side}|sideways to the {side}]"),
            ]
        )
        number = rng.choice(["a", "one", "1"]) if count == 1 else rng.choice([str(count), in_words(count)])
        unit = rng.choice(["steps", "steps", "steps", "paces", "more steps", "big steps"]) if count > 1 else "step"
        words, speed = (
            rng.choice(
                [
                    "[take/taking/taken|take/taking/taken|do/doing/done|make/making/made] {n} {where}",
                    "[take/taking/taken|walk/walking/walked] {n} {where}",
                    "{n} {where}",
                ]
            ),
            "normal",
        )
        if form != IMPERATIVE:
            words = "[take/taking/taken|take/taking/taken|make/making/made] {n} {where}"
        if rng.random() < 0.2:
            speed = rng.choice(["slow", "fast"])
            number += f" {'slow' if speed == 'slow' else rng.choice(['quick', 'fast'])}"
            unit = unit.split(" ")[-1]
        text = say(rng, words.replace("{n}", f"{number} {unit}").replace("{where}", where or "forward"), form)
        return Clause(text, skill, SKILLS[skill][SPEEDS.index(speed)], ("meters", count * STEP_METERS))
    speed = rng.choice(["normal", "normal", "normal", "slow", "fast"])
    noun = "" if speed == "normal" and rng.random() < 0.8 else say(rng, phrases.NOUN_SPEED[speed])
    if draw < 0.75:  # turns
        n, value = (
            (f"{(degrees := rng.choice([30, 45, 60, 90, 90, 120, 135, 180, 270])):g} degree", float(degrees))
            if rng.random() < 0.7
            else amount(rng, "degrees")
        )
        if "degree" in n or "°" in n:
            words = rng.choice(
                [
                    f"a {noun} {n} turn to the {side}",
                    f"a {noun} {n} {side} turn",
                    f"a {noun} {n.replace(' ', '-')} turn to the {side}",
                    f"a {noun} {side} turn of {n.removesuffix('s')}s",
                ]
            )
        else:
            words = f"{n} to the {side}"
            speed = "normal"
        text = say(
            rng,
            f"[do/doing/done|make/making/made|make/making/made|perform/performing/performed|execute/executing/executed|take/taking/taken] {words}",
            form,
        )
        return Clause(text, f"turn_{side}", SKILLS[f"turn_{side}"][SPEEDS.index(speed)], ("degrees", value))
    kind = rng.choice(["seconds", "meters"])
    n, value = amount(rng, kind)
    if draw > 0.93 and form == IMPERATIVE:  # three seconds of walking backwards
        made = plain(rng, GERUND, False, None)
        if not made.skill.startswith("turn") and (kind == "seconds" or made.skill != "stand"):
            return replace(made, text=f"{rng.choice(['', 'do ', ''])}{n} of {made.text}", end=(kind, value))
    skill, name = rng.choice(
        [
            ("walk_forward", "walk"),
            ("run_forward", "run"),
            ("walk_forward", "walk forward"),
            ("walk_backward", "walk backward"),
            ("walk_backward", "walk backwards"),
            (f"sidestep_{side}", f"sidestep to the {side}"),
            ("stand", "pause"),
            ("stand", "stop"),
            ("stand", "break"),
            ("stand", "rest"),
            ("stand", "wait"),
        ]
    )
    if skill == "stand":
        kind, noun, speed = "seconds", "", "normal"
        n, value = amount(rng, kind)
    words = (
        say(rng, rng.choice([f"a {noun} {n} {name}", f"a {noun} {name} of {n}"]))
        .replace("a a ", "a ")
        .replace("a one ", "a one-")
    )
    text = say(rng, f"[do/doing/done|make/making/made|take/taking/taken] {words}", form)
    return Clause(text, skill, SKILLS[skill][SPEEDS.index(speed)], (kind, value))


def explicit_speed(rng: random.Random, form: int, ended: bool) -> Clause:
    """A goal at a speed in numbers: walk forward at 1.4 m/s."""
    skill = rng.choice(
        [
            "walk_forward",
            "walk_forward",
            "run_forward",
            "walk_backward",
            "sidestep_left",
            "sidestep_right",
            "turn_left",
            "turn_right",
        ]
    )
    axis = {"turn": 2, "sidestep": 1}.get(skill.split("_")[0], 0)
    side = "right" if skill.endswith("right") else "left"
    limit = {"walk_forward": 2.0, "run_forward": 3.0, "walk_backward": 0.6}.get(skill, 1.2 if axis == 2 else 0.6)
    unit, factor = rng.choice(phrases.YAWS_SAID if axis == 2 else phrases.SPEEDS_SAID)
    target = rng.choice([value for value in GRID["wz" if axis == 2 else "vx"] if 0 < value <= limit])
    raw = target / factor
    said = round(raw, 1) if raw < 10 else round(raw)
    value = snap(said * factor, "rad/s" if axis == 2 else "m/s")
    if value is None or value > limit:
        said = target
        unit, factor, value = ("rad/s" if axis == 2 else "m/s"), 1.0, target
    sign = -1.0 if skill in ("walk_backward", "sidestep_right", "turn_right") else 1.0
    vx, vy, wz = (sign * value if axis == each else 0.0 for each in range(3))
    text = say(rng, sided(rng.choice(phrases.MOTIONS[skill.replace("right", "left"), ""]), side), form)
    made = Clause(text, skill, (vx, vy, wz))
    speed = say(
        rng, f"[at|at|at|at a speed of|with a speed of|at about|with|doing] {said:g}{rng.choice([' ', ' ', ''])}{unit}"
    )
    if ended and rng.random() < 0.5:
        made = with_end(rng, made)
        return replace(made, text=f"{made.text} {speed}")
    made = replace(made, text=f"{made.text} {speed}")
    return with_end(rng, made) if ended else made


# instructions


def single(rng: random.Random) -> Instruction:
    if rng.random() < 0.1:
        form = rng.choice([GERUND, GERUND, IMPERATIVE, PARTICIPLE])
        made = clause(rng, form)
        return Instruction(
            cased(rng, rng.choice(phrases.ASKED[form]).replace("{0}", made.text)),
            GoalProgram((made.goal(last=True),)),
            "single",
        )
    made = clause(rng)
    text = made.text
    if made.end is None and made.skill != "stand" and rng.random() < 0.12:
        text = f"{text} {say(rng, phrases.FOREVER)}"
    if made.end is None and made.skill == "stand" and rng.random() < 0.1:
        text = say(
            rng,
            "[don't move|do not move|don't go anywhere|don't move a muscle|stop moving|no moving|do not walk any further|quit moving|that's far enough|enough|whoa|stop it|stop right now|stop now|stay|nobody move|don't take another step]",
        )
    return dressed(rng, text, (made.goal(last=True),), "single")


def program(rng: random.Random) -> Instruction:
    draw = rng.random()
    if draw < 0.8:  # mostly what is no plain list: lists are read step by step (`agent/language/steps.py`)
        return ordered(rng, phrases.PAIRS if draw < 0.5 else phrases.TRIPLES)
    (count,) = rng.choices(range(2, MAX_GOALS + 1), weights=[6, 8, 6, 4, 2, 2, 2])
    last_ended = rng.random() < 0.6
    clauses = [clause(rng, ended=rng.random() < 0.8 if number < count - 1 else last_ended) for number in range(count)]
    if rng.random() < 0.3:  # most programs end by stopping
        clauses[-1] = clause(rng, ended=False, skill="stand")
    texts, style = [made.text for made in clauses], rng.random()
    if style < 0.12:
        mark = rng.choice(["{}. ", "{}) ", "step {}: ", "({}) ", "{}: "])
        text = rng.choice([" ", "\n", ", ", "; "]).join(
            mark.format(number) + words for number, words in enumerate(texts, start=1)
        )
    elif style < 0.3:
        between = rng.choice([", ", ". ", "; ", " then ", ", then ", "\n", " -> ", " ", " and then ", " / "])
        text = between.join(texts)
    else:
        text = (
            rng.choice(["", "", "first ", "first, ", "start by going like this: ", "to begin, ", "do the following: "])
            + texts[0]
        )
        for words in texts[1:-1]:
            text += say_between(rng, phrases.BETWEEN) + words
        text += say_between(rng, phrases.LAST) + texts[-1]
    return dressed(rng, text, goals(clauses), "program", verb_first=text.startswith(texts[0]))


def say_between(rng: random.Random, choices: str) -> str:
    """One of the alternatives, its spaces kept."""
    return rng.choice(choices[1:-1].split("|"))


def goals(clauses: Sequence[Clause], repeated: bool = False) -> tuple[Goal, ...]:
    return in_order([made.goal(last=True) for made in clauses], repeated)


def ordered(rng: random.Random, templates: Sequence[str]) -> Instruction:
    """Two or three goals, whose order and forms a template gives."""
    template = rng.choice(templates)
    clauses = []
    for number in range(3 if "{2" in template else 2):
        form = GERUND if f"{{{number}g}}" in template else PARTICIPLE if f"{{{number}p}}" in template else IMPERATIVE
        last = f"{{{number + 1}" not in template
        skill = "stand" if last and rng.random() < 0.12 else None
        clauses.append(clause(rng, form, ended=rng.random() < (0.6 if last else 0.75), skill=skill))
    text = re.sub(r"\{([012])[gp]?\}", lambda match: clauses[int(match[1])].text, template)
    if rng.random() < 0.12:
        clauses.append(clause(rng))
        text = f"{text}{say_between(rng, phrases.LAST)}{clauses[-1].text}"
    verb_first = template.startswith(("{0} ", "{0},", "{1} ", "{0}.", "{0};", "{2}"))
    return dressed(rng, text, goals(clauses), "program", verb_first=verb_first)


def shared(rng: random.Random) -> Instruction:
    """Programs whose clauses share words: turn left then right, walk forward and back for 2 seconds each."""
    side, other = rng.sample(["left", "right"], 2)
    n, value = amount(rng, "seconds")
    m, meters = amount(rng, "meters")
    a, b = (rng.choice([15, 30, 45, 60, 90, 90, 120, 180]) for _ in range(2))
    turns = [Goal.from_skill(f"turn_{each}") for each in (side, other)]
    walk, back = Goal.from_skill("walk_forward"), Goal.from_skill("walk_backward")
    turned = [replace(turns[0], degrees=DEFAULT_DEGREES), turns[1]]
    steps = [Goal.from_skill(f"sidestep_{each}") for each in (side, other)]
    choices: list[tuple[str, list[Goal]]] = [
        (f"turn {side} [and then|then|and] {other}", turned),
        (f"[turn|rotate] {side} {a} degrees [and|and then|then|,] {other} {b} [degrees|]", [replace(turns[0], degrees=a), replace(turns[1], degrees=b)]),
        (f"[turn|rotate] {a} degrees {side} [and|and then|then] {b} degrees {other}", [replace(turns[0], degrees=a), replace(turns[1], degrees=b)]),
        (f"[turn|rotate] {side} [and then|then|and] {other} {a} degrees each", [replace(turn, degrees=a) for turn in turns]),
        (f"[step|sidestep|strafe|side step] {side} [and then|then|and] {other}", [replace(steps[0], seconds=DEFAULT_SECONDS), steps[1]]),
        (f"[sidestep|strafe|move|step] {side} {m} [and then|then|and] {other} {m}", [replace(step, meters=meters) for step in steps]),
        (f"[walk|go|move] forward [and then|then|and] [backward|back|backwards] for {n} each", [replace(walk, seconds=value), replace(back, seconds=value)]),
        (f"[walk|go|move] [forward|ahead] {m} [and then|then|and] [backward|back|backwards] {n}", [replace(walk, meters=meters), replace(back, seconds=value)]),
        (f"[walk|go|move] [back and forth|forward and back] {m}", [replace(walk, meters=meters), replace(back, meters=meters)]),
        (f"[walk|go|move] {m} [forward|ahead] [and|then|,] [the same distance|just as far|as far] [back|backwards]", [replace(walk, meters=meters), replace(back, meters=meters)]),
        (f"[go|walk|move] [forward|ahead] {m}, {side} {a} degrees, [forward|ahead] {m}", [replace(walk, meters=meters), replace(turns[0], degrees=a), replace(walk, meters=meters)]),
        (f"[walk|go] [forward|straight|ahead|], [turn|then turn|take a] {side}, [walk|go] [forward|straight|ahead|on|] [again|some more|]", [replace(walk, seconds=DEFAULT_SECONDS), turned[0], walk]),
        (f"[walk|go|move] forward {m}, turn [around|back] and [walk|go|come] [back|the same way back|back {m}]", [replace(walk, meters=meters), Goal.from_skill("turn_left", degrees=180), replace(walk, meters=meters)]),
        (f"[straight|forward], then {side}, then [straight|forward] [again|]", [replace(walk, seconds=DEFAULT_SECONDS), turned[0], walk]),
        (f"[turn|pivot|rotate] {side}, {other}, [and|then] {side}", [turned[0], replace(turns[1], degrees=DEFAULT_DEGREES), turns[0]]),
        (f"[jog|trot] {m} [and then|then|,] [slow down|slow] to a walk [for {n}|]", []),
        (f"[walk|go] {m} then [speed up to|break into|switch to|pick up] a [run|jog]", []),
        (f"turn {side}, {other}, {side}, {other}", [turned[0], replace(turns[1], degrees=DEFAULT_DEGREES), turned[0], turns[1]]),
        (f"[walk|go] [forward|ahead|] and stop [after|when you have done|when you've done] {m}", [replace(walk, meters=meters), Goal()]),
        (f"run [forward|ahead|] and [stop|halt] after {n}", [Goal.from_skill("run_forward", seconds=value), Goal()]),
        (f"after {m} of [walking|walking forward] [stop|halt|stand still]", [replace(walk, meters=meters), Goal()]),
        (f"[after|once you've done] {n} of [walking|walking forward] turn {side}", [replace(walk, seconds=value), turns[0]]),
        (f"turn {side} [twice|two times|2x] [and then|then|, then] walk {m}", [turned[0], turned[0], replace(walk, meters=meters)]),
        (f"[walk|go] {m}, [then|and then] another {n}", [replace(walk, meters=meters), replace(walk, seconds=value)]),
        (f"[walk|go] {m} [forward|ahead], {m} [back|backward|backwards] and {m} to the {side}", [replace(walk, meters=meters), replace(back, meters=meters), replace(steps[0], meters=meters)]),
        (f"{m} [forward|ahead], {n} [back|backward|backwards]", [replace(walk, meters=meters), replace(back, seconds=value)]),
        (f"for {n} each: [walk|go] forward, [walk|go] backward, turn {side}", [replace(walk, seconds=value), replace(back, seconds=value), replace(turns[0], seconds=value)]),
    ]  # fmt: skip
    if rng.random() < 0.2:
        return elided(rng)
    template, made = rng.choice(choices)
    text = say(rng, template)
    if not made and "walk" in text.split(" a ")[-1]:
        walk = Goal.from_skill("walk_forward", seconds=value if f"for {n}" in text else None)
        made = [Goal.from_skill("run_forward", "slow", meters=meters), walk]
    elif not made:
        made = [
            replace(walk, meters=meters),
            Goal.from_skill("run_forward", "slow" if text.endswith("jog") else "normal"),
        ]
    return dressed(rng, text, tuple(made), "program")


def elided(rng: random.Random) -> Instruction:
    """What was said once holds for what follows: walk slowly for 2 s, then fast for 3; two steps ahead, one back."""
    count = rng.choice([2, 3, 3, 4])
    if rng.random() < 0.5:
        skill = rng.choice(["walk_forward", "walk_forward", "run_forward", "turn_left", "walk_backward"])
        kind = rng.choice(phrases.FAMILY_ENDS[skill.split("_")[0]])
        said = [amount(rng, kind) for _ in range(count)]
        speeds = [rng.choice(SPEEDS) for _ in range(count)]
        words = [
            f"{say(rng, phrases.ADVERBS[speed])} {say(rng, phrases.ENDS[kind].replace('{n}', n))}"
            for speed, (n, _) in zip(speeds, said, strict=True)
        ]
        verb = say(rng, sided(phrases.PLAIN[skill], "left"))
        made = [Goal.from_skill(skill, speed, **{kind: value}) for speed, (_, value) in zip(speeds, said, strict=True)]
        text = f"{verb} {words[0]}"
    else:
        where = {
            "walk_forward": "[forward|ahead|forwards]",
            "walk_backward": "[back|backwards|to the back]",
            "sidestep_left": "to the left",
            "sidestep_right": "to the right",
        }
        skills = [rng.choice(list(where)) for _ in range(count)]
        steps = [rng.choice([1, 1, 2, 2, 3, 4, 5]) for _ in range(count)]
        unit, size = rng.choice([("step", STEP_METERS), ("step", STEP_METERS), ("meter", 1.0), ("metre", 1.0)])
        words = [
            f"{numeral(rng, number)} {unit}{'s' * (number > 1)} {say(rng, where[skill])}"
            for number, skill in zip(steps, skills, strict=True)
        ]
        made = [Goal.from_skill(skill, meters=number * size) for number, skill in zip(steps, skills, strict=True)]
        text = rng.choice(["", "", "walk ", "go ", "take " if unit == "step" else "move "]) + words[0]
    for each in words[1:-1]:
        text += rng.choice([", ", ", then ", " then "]) + each
    return dressed(
        rng, text + rng.choice([", ", ", then ", " and then ", " and ", ", and "]) + words[-1], made, "program"
    )


def repetition(rng: random.Random) -> Instruction:
    length = rng.choice([1, 2, 2, 2, 3])
    clauses = [clause(rng, ended=rng.random() < 0.75) for _ in range(length)]
    text = rng.choice([", then ", " and ", " then ", ", ", " and then "]).join(made.text for made in clauses)
    count = rng.choice([2, 2, 2, 3, 3, 4, 4, *range(2, MAX_GOALS + 1)])
    if count * length > MAX_GOALS:
        if rng.random() < 0.7:
            return repetition(rng)
        return refused(
            rng,
            rng.choice(phrases.REPEATS).format(text, t=rng.choice(phrases.TIMES[count]), **{"0": text, "c": count}),
            "limit",
        )
    if count == 2 and rng.random() < 0.5:
        text = rng.choice(phrases.AGAIN).format(text)
    elif count > 2 and rng.random() < 0.06:
        times = "once" if count == 2 else f"{rng.choice([in_words(count - 1), str(count - 1)])} times"
        text = rng.choice(phrases.MORE_TIMES).format(text, m=times)
    else:
        text = (
            rng.choice(phrases.REPEATS)
            .replace("{0}", text)
            .replace("{t}", rng.choice(phrases.TIMES[count]))
            .replace("{c}", str(count))
        )
    if length == 1 and clauses[0].end is None and clauses[0].skill.startswith("turn") and "spin" in clauses[0].text:
        return repetition(rng)
    made, verb_first = goals(clauses, repeated=True) * count, text.startswith(clauses[0].text)
    if len(made) < MAX_GOALS and rng.random() < 0.2:  # something comes after it, or before it
        other = clause(rng, ended=rng.random() < 0.5, skill=rng.choice([None, "stand"]))
        if rng.random() < 0.7:
            text, made = text + say_between(rng, phrases.FINALLY) + other.text, (*made, other.goal(last=True))
        else:
            text, made = (
                other.text + say_between(rng, "[, then |. then |; then |, and then ]") + text,
                (other.goal(), *made),
            )
            verb_first = True
    return dressed(rng, text, made, "repetition", verb_first=verb_first)


def shape(rng: random.Random) -> Instruction:
    side = rng.choice(["left", "right"])
    sided_words = "" if side == "left" and rng.random() < 0.7 else sided(phrases.TO_SIDE, side)
    draw = rng.random()
    if draw < 0.45:  # circles
        word, count, degrees = rng.choice([
            ("[a circle|a circle|a full circle|one circle|a loop|circles once|a complete circle|one lap of a circle|a ring|a round loop]", 1, 360.0), ("[two|2] [circles|loops|full circles|laps of a circle]", 2, 360.0), ("[three|3] [circles|loops|full circles]", 3, 360.0), ("[half a circle|a half circle|a semicircle|a half-circle|a semi-circle]", 1, 180.0), ("[a quarter circle|a quarter of a circle]", 1, 90.0), ("[four|4] [circles|loops]", 4, 360.0), ("[circles|a circle] [twice|two times]", 2, 360.0),
        ])  # fmt: skip
        speed, verb = rng.choice(
            [
                ("normal", phrases.SHAPE_VERB),
                ("normal", "[walk|walk in|go in|move in|walk around in|go around in]"),
                ("slow", "[slowly walk|stroll in|slowly walk in]"),
                ("fast", "[run in|run|quickly walk|jog in|sprint in]"),
            ]
        )
        sided_words = sided_words and sided(
            "[to the {side}|{side}|going {side}|{clock}|turning {side}|on your {side}|to your {side}]", side
        )
        text = say(rng, f"{verb} {word} {sided_words}")
        made = (Goal.from_skill(f"curve_{side}", speed, degrees=degrees * count),)
    elif draw < 0.55:  # figure of eight
        text = say(
            rng,
            f"{phrases.SHAPE_VERB} [a figure eight|a figure 8|a figure of eight|an eight|a figure-eight|the shape of an 8|the number 8|a figure-8 pattern|the infinity sign]",
        )
        made = (Goal.from_skill("curve_left", degrees=360), Goal.from_skill("curve_right", degrees=360))
    else:  # polygons
        m, meters = amount(rng, "meters")
        stated = rng.random() < 0.75
        name, corners, angle = rng.choice(
            [
                ("square", 4, 90.0),
                ("square", 4, 90.0),
                ("square", 4, 90.0),
                ("triangle", 3, 120.0),
                ("equilateral triangle", 3, 120.0),
            ]
        )
        speed, verb = rng.choice(
            [("normal", phrases.SHAPE_VERB)] * 5
            + [("slow", "[slowly walk|slowly trace]"), ("fast", "[quickly walk|quickly trace]")]
        )
        if rng.random() < 0.1 and stated:
            verb, speed = "[run|run in|run along]", "run"
        leg = Goal.from_skill("run_forward") if speed == "run" else Goal.from_skill("walk_forward", speed)
        article = "an" if name.startswith("e") else "a"
        if stated and rng.random() < 0.35 and not m.startswith(("a ", "half", "the")):
            words = f"a {m} {name}"
        else:
            words = f"{article} {name} " + (phrases.WITH_SIDES.replace("{m}", m) if stated else "")
        text = say(rng, f"{verb} {words} {sided_words}")
        leg = replace(leg, meters=meters) if stated else replace(leg, seconds=DEFAULT_SECONDS)
        made = (leg, Goal.from_skill(f"turn_{side}", degrees=angle)) * corners
        if name == "square" and stated and rng.random() < 0.2:  # a rectangle
            n, other = amount(rng, "meters")
            text = say(
                rng,
                f"{verb} a [rectangle|rectangular path] [of {m} by {n}|measuring {m} by {n}|of {m} times {n}|with a length of {m} and a width of {n}|that is {m} by {n}|, {m} by {n},|with sides of {m} and {n}|{m} x {n}|{m} long and {n} wide] {sided_words}",
            )
            turn = made[1]
            made = (leg, turn, replace(leg, meters=other), turn) * 2
    return dressed(rng, text, made, "shape")


def correction(rng: random.Random) -> Instruction:
    draw = rng.random()
    if draw < 0.35:
        return mended(rng)
    template = rng.choice(phrases.CORRECTIONS)
    form = GERUND if "{0g}" in template else IMPERATIVE
    wrong = clause(
        rng, form, ended=rng.random() < 0.3, skill=rng.choice([skill for skill in SKILLS if skill != "stand"])
    )
    right = clause(rng)
    if template.startswith("stop") and right.skill == "stand":
        return correction(rng)
    text = re.sub(r"\{([01])g?\}", lambda match: (wrong, right)[int(match[1])].text, template)
    clauses = [right]
    if rng.random() < 0.25 and "{1}" in template[-5:]:
        more = clause(rng)
        text, clauses = f"{text}{say_between(rng, phrases.LAST)}{more.text}", [right, more]
    elif rng.random() < 0.2:
        before = clause(rng, ended=True)
        text, clauses = f"{before.text}{say_between(rng, '[, then |. then |. |, and then ]')}{text}", [before, right]
    return dressed(rng, text, goals(clauses), "correction", verb_first=template.startswith(("{0}", "{1}")))


def mended(rng: random.Random) -> Instruction:
    """A slip in one word: turn left, I mean right; walk 2 metres, make that 3."""
    mend = say_between(rng, phrases.MENDS)
    draw = rng.random()
    before = [clause(rng, ended=True)] if rng.random() < 0.25 else []
    if draw < 0.45:  # the side
        skill = rng.choice(["turn", "sidestep", "curve", "turn", "turn"])
        side, other = rng.sample(["left", "right"], 2)
        verb = {
            "turn": "[turn|rotate|pivot|spin on the spot]",
            "sidestep": "[sidestep|step|strafe|move|go]",
            "curve": "[curve|veer|walk in a curve]",
        }[skill]
        template = rng.choice(
            [
                f"{verb} [to the|] {side}{mend}[to the|] {other}",
                f"{verb} [to the|] {side}{mend}{verb} [to the|] {other}",
                f"{verb} [to the|] {other}, not [to the|] {side}",
                f"{verb} not [to the|] {side} but [to the|] {other}",
                f"not {side}, {other}: {verb} {other}",
                f"{verb} [to the|] {other} and not [to the|] {side}",
            ]
        )
        made = Clause(say(rng, template), f"{skill}_{other}", SKILLS[f"{skill}_{other}"][1])
        if rng.random() < 0.6:
            kind = rng.choice(phrases.FAMILY_ENDS[skill])
            n, value = amount(rng, kind)
            made = replace(
                made, text=f"{made.text} {say(rng, phrases.ENDS[kind].replace('{n}', n))}", end=(kind, value)
            )
    elif draw < 0.75:  # the amount
        made = clause(rng, ended=False, skill=rng.choice([skill for skill in SKILLS if skill != "stand"]))
        kind = rng.choice(phrases.FAMILY_ENDS[made.skill.split("_")[0]])
        (n, _), (right, value) = amount(rng, kind), amount(rng, kind)
        if rng.random() < 0.3:  # the unit is said once
            first, second = rng.sample(range(1, 20), 2)
            unit = {"seconds": "seconds", "meters": "meters", "degrees": "degrees"}[kind]
            n, right, value = rng.choice(
                [(f"{first} {unit}", f"{second}", float(second)), (f"{first}", f"{second} {unit}", float(second))]
            )
        words = say(rng, phrases.ENDS[kind].replace("{n}", n))
        made = replace(made, text=f"{made.text} {words}{mend}{right}", end=(kind, value))
    else:  # ahead or back, walk or run
        wrong, right, skill = rng.choice(
            [
                ("[walk|go|move] forward", "backward", "walk_backward"),
                ("[walk|go|move] [backward|backwards|back]", "forward", "walk_forward"),
                ("walk", "run", "run_forward"),
                ("run", "walk", "walk_forward"),
                ("[run|walk] ahead", "[back up|go back]", "walk_backward"),
                ("[go|move] forwards", "backwards", "walk_backward"),
            ]
        )
        template = rng.choice(
            [
                f"{wrong}{mend}{right}",
                f"{wrong}{mend}{right}",
                f"{right}, not {wrong}" if right in ("walk", "run") else f"{wrong}{mend}{right}",
                f"don't {wrong}, {right}" if right in ("walk", "run") else f"{wrong}{mend}{right}",
            ]
        )
        made = Clause(say(rng, template), skill, SKILLS[skill][1])
        if rng.random() < 0.6:
            kind = rng.choice(["seconds", "meters"])
            n, value = amount(rng, kind)
            made = replace(
                made, text=f"{made.text} {say(rng, phrases.ENDS[kind].replace('{n}', n))}", end=(kind, value)
            )
    text = "".join(each.text + rng.choice([", then ", " and then ", ". ", " then "]) for each in before) + made.text
    return dressed(rng, text, goals([*before, made]), "correction")


# refusals


def body(rng: random.Random) -> Instruction:
    text = say(rng, rng.choice(phrases.BODY))
    if rng.random() < 0.2:  # things that nobody has listed
        text = re.sub(r"\b(the|my|that) \w+", rf"\1 {rng.choice(phrases.STRANGE)}", text, count=1)
    draw = rng.random()
    if draw < 0.12:
        text = f"{text} {say(rng, phrases.ADVERBS[rng.choice(SPEEDS)])}"
    elif draw < 0.2:
        text = f"{text} {say(rng, phrases.ENDS['seconds'].replace('{n}', amount(rng, 'seconds')[0]))}"
    return refused(rng, among_motions(rng, text), "body")


def among_motions(rng: random.Random, text: str) -> str:
    """Now and then, what cannot be done stands in a program with things that can."""
    draw = rng.random()
    if draw < 0.15:
        return f"{clause(rng).text}{say_between(rng, phrases.LAST)}{text}"
    if draw < 0.25:
        return f"{text}{say_between(rng, phrases.LAST)}{clause(rng).text}"
    if draw < 0.3:
        return f"{clause(rng).text}, {text}{say_between(rng, phrases.LAST)}{clause(rng).text}"
    return text


def unclear(rng: random.Random) -> Instruction:
    draw = rng.random()
    if rng.random() < 0.12:
        text = rng.choice(phrases.SENTENCES)
        while "{" in text:
            text = text.replace("{}", rng.choice(phrases.STRANGE), 1)
        return refused(rng, text, "unclear", polite=False)
    if draw < 0.1:  # keys struck at random
        letters = rng.choice(phrases.KEYS)
        text = " ".join("".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(rng.randint(1, 6)))
    elif draw < 0.16:  # any Unicode
        text = "".join(
            chr(
                rng.choice(
                    [
                        rng.randint(0x21, 0x24F),
                        rng.randint(0x370, 0x5FF),
                        rng.randint(0x3040, 0x30FF),
                        rng.randint(0x4E00, 0x9FFF),
                        rng.randint(0x1F300, 0x1F6FF),
                        0x20,
                    ]
                )
            )
            for _ in range(rng.randint(1, 25))
        )
        if not text.strip():
            return unclear(rng)
    elif draw < 0.22:  # words of motion in no order
        words = phrases.SALAD
        text = " ".join(
            ["the", *rng.sample(words, rng.randint(2, 7)), rng.choice(["of", "cheese", "because", "who", "sky"])]
        )
    else:
        text = say(rng, rng.choice(phrases.UNCLEAR))
    return refused(rng, text, "unclear", polite=False)


def rules(rng: random.Random) -> Instruction:
    template = rng.choice(phrases.RULES).replace("{more}", rng.choice(["", phrases.MORE]))
    command = clause(rng)
    tokens = GoalProgram((clause(rng).goal(last=True),)).tokens
    if rng.random() < 0.4:
        tokens = " ".join(rng.sample(tokens.split(), min(len(tokens.split()), rng.randint(1, 4))))
    text = say(rng, template.replace("{tokens}", tokens.replace("[", ""))).replace("{command}", command.text)
    return refused(rng, text, "rules", polite=rng.random() < 0.2)


def limit(rng: random.Random) -> Instruction:
    draw = rng.random()

    def huge() -> str:
        return rng.choice(phrases.HUGE)

    if draw < 0.4:
        text, motion = rng.choice([
            (f"{huge()} [meters|metres|m|yards]", "walk"), (f"{rng.choice(['2', '10', 'five', '50', 'a hundred', '3', '1000', 'twenty', '42'])} [km|kilometers|miles|kilometres]", "walk"), ("[a|one] [mile|kilometer|kilometre|km]", "walk"), ("[a marathon|a half marathon|a full marathon|around the world|to infinity|all the way around the planet|a hundred laps of the stadium]", "walk"), (f"{rng.choice([5, 100, 10000])} [million|thousand] [degrees|turns]", "turn"), (f"{rng.choice(['5000', '10000', '36000', 'a million', '999999', 'ten thousand', '4000'])} [degrees|°|full turns]", "turn"),
            (f"for {rng.choice(['2', 'three', '5', '24', 'ten', 'twelve', '48'])} [hours|days|weeks|years|hrs|h|months]", "any"), ("for [an hour|a day|a week|a year|one hour|half an hour|two days]", "any"), (f"for {rng.choice(['20', '30', '45', 'forty', 'ninety', '15', '600', 'twelve'])} [minutes|mins|min]", "any"), (f"for {rng.choice(['1000', '5000', 'a thousand', '10000', '86400', '700', '2000'])} [seconds|secs|s]", "any"), (f"for {huge()} [steps|paces]", "walk"),
        ])  # fmt: skip
        skill = rng.choice(
            {
                "walk": ["walk_forward", "run_forward", "walk_backward", "walk_forward"],
                "turn": ["turn_left", "turn_right"],
                "any": list(SKILLS),
            }[motion]
        )
        text = f"{clause(rng, ended=False, skill=skill).text} {say(rng, text)}"
    elif draw < 0.8:
        skill, speeds = rng.choice(phrases.TOO_FAST)  # fmt: skip
        made = clause(rng, ended=False, skill=skill)
        text = f"{made.text} {say(rng, f'[at|at|at|with a speed of|at a speed of] {speeds}')}"
        if rng.random() < 0.3:
            text += f" for {amount(rng, 'seconds')[0]}"
    elif draw < 0.9:
        made = [clause(rng) for _ in range(rng.randint(1, 2))]
        times = rng.choice(phrases.TOO_OFTEN)
        text = " and ".join(each.text for each in made) + rng.choice(
            [f", {times} times", f" {times} times", f", repeat {times} times"]
        )
    elif draw < 0.96:
        zero = rng.choice(phrases.NO_AMOUNT)
        text = f"{clause(rng, ended=False, skill=rng.choice(['walk_forward', 'run_forward', 'walk_backward', 'sidestep_left'])).text} {rng.choice(['', 'for '])}{zero}"
    else:
        text = say(
            rng,
            "[walk|trace|do|make|march] a [pentagon|hexagon|octagon|decagon|dodecagon] [with 2 meter sides|with sides of 1 m|]",
        )
    return refused(rng, text if draw > 0.8 else among_limits(rng, text), "limit")


def among_limits(rng: random.Random, text: str) -> str:
    return f"{clause(rng, ended=True).text}{say_between(rng, phrases.LAST)}{text}" if rng.random() < 0.2 else text


def refused(rng: random.Random, text: str, reason: str, polite: bool = True) -> Instruction:
    made = (
        dressed(rng, text, (), reason, reason)
        if polite
        else Instruction(cased(rng, text), GoalProgram(refusal=reason), reason)
    )
    return made


# how people write


def dressed(
    rng: random.Random,
    text: str,
    made: Sequence[Goal],
    category: str,
    refusal: str | None = None,
    verb_first: bool = True,
) -> Instruction:
    """The text as someone might have typed it. "Could you" opens it only when it begins with its verb."""
    if rng.random() < 0.3:
        text = rng.choice(phrases.OPENINGS if verb_first else phrases.ASIDES) + text
    if rng.random() < 0.2:
        text += rng.choice(phrases.CLOSINGS)
    if rng.random() < 0.16:
        text = mistyped(rng, text)
    text = cased(rng, text)
    draw = rng.random()
    if draw < 0.3 and text[-1].isalnum():
        text += "?" if re.match(r"(?i)(can|could|would|will) ", text) else "."
    elif draw < 0.4:
        text = re.sub(r"[,;!?]|\.(?![0-9])|:(?= )", "", text)
    if draw > 0.97:
        text = re.sub(r" (?=\w)", "  ", text, count=1)
    return Instruction(text, GoalProgram(tuple(made), refusal), category)


def cased(rng: random.Random, text: str) -> str:
    """Case reaches the model only where it joins words, because `rewrite` lowers it."""
    return (
        rng.choice([str, str, str, str.lower, str.capitalize, str.capitalize, str.upper])(text)
        if rng.random() < 0.8
        else text[:1].upper() + text[1:]
    )


def mistyped(rng: random.Random, text: str) -> str:
    """One to three words with a typing error, which the reader sees as `corrected` leaves them.

    An error that changes an amount is not made: nobody could know what was meant.
    """
    words, amounts = text.split(" "), lift(prompt(text) or "", len(text))[1]
    places = [place for place, word in enumerate(words) if word.isalpha() and len(word) > 3]
    for place in rng.sample(places, min(len(places), rng.choice([1, 1, 2, 3]))):
        wrong = [*words[:place], typo(rng, words[place]), *words[place + 1 :]]
        if lift(prompt(" ".join(wrong)) or "", len(text))[1] == amounts:
            words = wrong
    if rng.random() < 0.1 and len(words) > 2:  # a space is missing
        place = rng.randrange(len(words) - 1)
        wrong = [*words[:place], words[place] + words[place + 1], *words[place + 2 :]]
        same = prompt(" ".join(wrong)) == prompt(" ".join(words))
        words = wrong if same else words
    return " ".join(words)


def typo(rng: random.Random, word: str) -> str:
    place = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kinds = [
        before + after[0] + letter + after[1:],
        before + after[0] + letter + after[1:],
        before + after,
        before + 2 * letter + after,
        before + rng.choice(NEIGHBORS.get(letter.lower(), letter)) + after,
        before + letter + rng.choice(NEIGHBORS.get(letter.lower(), letter)) + after,
        word[1] + word[0] + word[2:],
        word[:-2] + word[-1] + word[-2],
        before + rng.choice([3, 4, 5]) * letter + after,
    ]
    return rng.choice(kinds)


MAKERS: dict[Callable[[random.Random], Instruction | None], float] = {
    single: 26, program: 32, shared: 8, repetition: 8, shape: 5, correction: 12, body: 10, unclear: 8, limit: 4, rules: 4,
}  # fmt: skip

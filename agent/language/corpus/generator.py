"""Sentences for a walking robot with the one right program of each: the seeded corpus that the planner learns from.

    for text, program, kind in examples(1000, seed=0): ...

`written/README.md` holds the language of the programs and the conventions of their meaning. A sentence is built from blocks: some
words together with the events that they stand for, which are goals and changes of posture. `program_of` folds the events of a whole
sentence into its program, so that text and meaning cannot part. Amounts are copied as they are said.
"""

# ruff: noqa: E501 (templates stay on one line)

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.language.corpus import phrases as P
from agent.language.corpus import refusals as R

MAX_GOALS = 8
IMPERATIVE, GERUND, PARTICIPLE = range(3)
OTHER_SIDE = {"left": "right", "right": "left"}


class Example(NamedTuple):
    text: str
    program: str
    kind: str  # single, short (2 to 4 goals), long, or the reason of a refusal


class Goal(NamedTuple):
    motion: str
    speed: str = ""
    amount: str = ""
    velocity: str = ""
    postures: tuple[str, ...] = ()

    def __str__(self):
        at = f"at {self.velocity}" if self.velocity else ""
        words = [self.motion, self.speed, self.amount, at]
        if self.motion.startswith("go to "):
            words = ["go to", self.speed, self.motion.removeprefix("go to ")]
        order = ("low", "arms up", "arms out", "wave left", "wave right")
        return ", ".join([" ".join(filter(None, words)), *sorted(set(self.postures), key=order.index)])


class Pose(NamedTuple):
    """A posture taken as an action of its own. It stays until the next one; an empty one ends it."""

    postures: tuple[str, ...] = ()


class Block(NamedTuple):
    """Words for some events. The text may hold walk/walking/walked. Only a verb can follow "could you" and "once you've"."""

    text: str
    events: tuple
    form: str = "verb"  # "verb", "noun" (two steps back: it can follow "after") or "fixed" (only plain joints)
    noun: str = ""  # what a correction calls it: scratch the turn


class Amount(NamedTuple):
    text: str
    number: str
    value: float
    unit: str  # in the plural
    kind: str


class Speaker(NamedTuple):
    """Who speaks: the source of chance, and habits that stay the same within a sentence."""

    rng: random.Random
    style: str
    words: float  # share of numbers in words
    units: dict  # kind of amount -> the unit that the speaker prefers

    def pick(self, items: Sequence):
        return self.rng.choice(items)

    def weighted(self, rows: Sequence):
        """One of the rows, each of which ends with its weight."""
        return self.rng.choices(rows, weights=[row[-1] for row in rows])[0]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def say(self, template: str | Sequence[str], **values: str) -> str:
        """One reading of a template, or of one of some: chooses in [a|b|], innermost first, then fills in the names in braces."""
        template = template if isinstance(template, str) else self.pick(template)
        while "[" in template:
            template = re.sub(r"\[([^\[\]]*)\]", lambda match: self.pick(match[1].split("|")), template)
        for name, value in values.items():
            template = template.replace("{" + name + "}", value)
        return template


def examples(count: int, seed: int) -> list[Example]:
    """The first `count` examples of a seed, no text twice."""
    rng, found = random.Random(seed), {}
    while len(found) < count:
        made = example(rng)
        found.setdefault(made.text, made)
    return list(found.values())


def example(rng: random.Random) -> Example:
    styles = {"plain": 42, "texter": 10, "transcript": 13, "foreign": 8, "polite": 9, "exact": 9, "casual": 9}
    (style,) = rng.choices(list(styles), weights=list(styles.values()))
    words = {"transcript": 0.8, "texter": 0.08, "exact": 0.05}.get(style, rng.choice([0.1, 0.4, 0.8]))
    speaker = Speaker(rng, style, words, {})
    for kind, units in P.UNITS.items():
        speaker.units[kind] = speaker.weighted(units)
    (kind,) = rng.choices(["single", "few", "long", "refusal"], weights=[30, 50, 5.5, 14.5])
    text, program = refusal(speaker) if kind == "refusal" else instruction(speaker, kind)
    count = program.count(";") + 1
    kind = "single" if count == 1 else "short" if count < 5 else "long"
    return Example(text, program, program.removeprefix("refuse: ") if program.startswith("refuse") else kind)


def inflect(text: str, form: int = IMPERATIVE) -> str:
    """walk/walking/walked in one of its forms."""
    return re.sub(r"([A-Za-z'-]+)/([A-Za-z'-]+)/([A-Za-z'-]+)", lambda match: match[form + 1], text)


def tidy(text: str) -> str:
    text = re.sub(r" +", " ", text).strip(" ")
    text = re.sub(r"\b([Aa]) (?=8\d? |8\d?-|8\d?°|eight|11[ -]|18[ -]|1[18]°)", r"\1n ", text)
    text = re.sub(r" +([,.;:?!])", r"\1", text)
    return re.sub(r",(?=[,.;:?!])|(?<=[;:,?!]),", "", text)


# amounts


def in_words(number: int) -> str:
    """Whole numbers below ten thousand: 42 -> forty-two."""
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            return f"{in_words(number // size)} {name}" + (f" {in_words(number % size)}" if number % size else "")
    if number >= 20:
        return tens.split()[number // 10 - 2] + (f"-{in_words(number % 10)}" if number % 10 else "")
    return small.split()[number]


def numeral(speaker: Speaker, number: float, digits: bool = False) -> str:
    if digits or not speaker.chance(speaker.words):
        if number % 1 == 0.5 and not digits and speaker.chance(0.06):
            return f"{int(number)} 1/2" if number > 1 else "1/2"
        return f"{number:.2f}" if number % 1 and speaker.chance(0.06) else f"{number:g}"
    if number % 1 == 0:
        words = in_words(int(number)).replace("-", speaker.pick(["-", "-", " "]))
        words = re.sub(r"hundred (?=\w)", "hundred and ", words) if speaker.chance(0.5) else words
        return words.replace("one hundred", "a hundred") if speaker.chance(0.3) else words
    if number % 1 == 0.5 and number > 1 and speaker.chance(0.7):
        return f"{in_words(int(number))} and a half"
    whole, decimals = f"{number:g}".split(".")
    return f"{in_words(int(whole))} point {' '.join(in_words(int(digit)) for digit in decimals)}"


def new_amount(speaker: Speaker, kinds: str | Sequence[str], plain: bool = False) -> Amount:
    """An amount of one of some kinds, as it is said. `plain` leaves out whole phrases such as half a minute."""
    kind = kinds if isinstance(kinds, str) else speaker.pick(kinds)
    if not plain and speaker.chance(0.14):
        text, value, unit = speaker.pick(P.IDIOMS[kind])
        return Amount(text, text.split()[0], value, unit, kind)
    one, more, numbers, _ = speaker.units[kind] if speaker.chance(0.8) else speaker.weighted(P.UNITS[kind])
    value = speaker.pick(P.NUMBERS[numbers])
    if not plain and more == " degrees" and speaker.style == "transcript" and speaker.chance(0.15):
        number, value = speaker.pick(list(P.SPOKEN_ANGLES.items()))
    else:  # 3 m, not three m
        number = numeral(speaker, value, digits=not more.startswith(" ") or (len(more) < 5 and speaker.chance(0.85)))
    if speaker.style == "foreign" and speaker.chance(0.15):
        more = one  # 3 meter
    return Amount(number + (one if value == 1 else more), number, value, more, kind)


def times(factor: float, amount: Amount) -> str:
    """A computed amount: in digits."""
    value, unit = amount.value * factor, amount.unit.strip()
    short = {"s": "seconds", "sec": "seconds", "secs": "seconds", "'": "feet", "°": "degrees", "deg": "degrees"}
    unit = short.get(unit, unit)
    if "min" in unit and value < 1:
        value, unit = value * 60, "seconds"
    if value == 1:
        unit = {"feet": "foot", "inches": "inch"}.get(unit, unit if len(unit) < 3 else unit.removesuffix("s"))
    glued = amount.unit == unit and len(unit) < 4
    return f"{value:.10g}{'' if glued else ' '}{unit}"


def with_preposition(speaker: Speaker, amount: Amount, said: str) -> str:
    if speaker.style == "foreign" and speaker.chance(0.3):
        return ("during " if amount.kind == "time" else "of ") + said
    if speaker.style in ("texter", "transcript") and speaker.chance(0.15):
        return ("for like " if amount.kind in ("time", "length") else "like ") + said
    preposition = speaker.say(P.PREPOSITIONS[amount.kind])
    if said.startswith("a ") and preposition.endswith(("next", "total of")):
        preposition = "for"
    return f"{preposition} {said}"


def mended(speaker: Speaker, wrong: str, right: str) -> str:
    """The slip of a tongue: the last word counts."""
    text = wrong + speaker.say(P.MEND) + right
    text = wrong + speaker.say(P.MEND) + text if speaker.chance(0.06) else text
    return text + speaker.pick([", I always mix them up,", ", yes,", ", exactly,"]) if speaker.chance(0.05) else text


def mended_amount(speaker: Speaker, amount: Amount) -> str:
    """4, no, 5 metres. The wrong amount may lack its unit."""
    wrong = amount
    while wrong.text in amount.text or amount.text in wrong.text:
        wrong = new_amount(speaker, amount.kind)
    if speaker.chance(0.06):
        return speaker.say(
            "{0}[, actually {1} is plenty|, no, {1} will do|? {1} is enough|, did I say {0}? {1}|, not {0}, {1}]",
            **{"0": wrong.text, "1": amount.text},
        )
    return mended(
        speaker, wrong.number if speaker.chance(0.4) and wrong.number not in ("a", "half") else wrong.text, amount.text
    )


# single goals


def draw_motion(speaker: Speaker) -> str:
    motions = [("walk forward", 27), ("run forward", 12), ("walk backward", 13), ("stand", 8)]
    sided = [
        ("sidestep left", 7),
        ("sidestep right", 7),
        ("turn left", 10),
        ("turn right", 11),
        ("curve left", 3),
        ("curve right", 3),
    ]
    return speaker.weighted(motions + sided)[0]


def noun_of(motion: str) -> str:
    return P.NOUNS.get(motion) or P.NOUNS.get(motion.split()[0], "")


def direction(speaker: Speaker, side: str) -> str:
    return P.SHIP[side] if speaker.chance(0.03) else speaker.say(P.SIDE_PHRASES, side=side)


def adverb_for(speaker: Speaker, speed: str) -> str:
    return speaker.say({"": "", "slow": P.SLOWLY, "fast": P.FAST}[speed])


def around_amount(speaker: Speaker, motion: str, amount: Amount, speed: str, fix: str) -> Block | None:
    """A phrase built around its amount: three slow steps back, a 90 degree turn, or the word order of a learner of English."""
    base, side, said = motion.replace("right", "left"), motion.split()[-1], amount.text
    if (
        speaker.style == "foreign"
        and not speed
        and fix in ("", "amount")
        and base in P.FOREIGN
        and speaker.chance(0.5)
    ):
        said = mended_amount(speaker, amount) if fix else said
        return Block(
            speaker.say(P.FOREIGN[base], a=said, side=side), (Goal(motion, "", amount.text),), "fixed", noun_of(motion)
        )
    if fix or speaker.chance(0.7 if speaker.style == "exact" else 0.82):
        return None
    number, _, unit = said.rpartition(" ")
    kind = "turn" if said.endswith("turn") else "degrees" if said.endswith((" degrees", " deg", "°")) else amount.kind
    rows = [row for row in P.WITH_AMOUNT[base] if row[0] in (None, speed) and row[1] in ("", kind, amount.kind)]
    if not rows or (amount.kind == "steps" and number == "half a"):
        return None
    values = {
        "take": P.TAKE,
        "make": P.MAKE,
        "adjective": P.ADJECTIVES[speed],
        "speed": P.ADJECTIVES[speed] if speed else "",
    }
    template = speaker.say(speaker.pick(rows)[2], **values)
    degree = said.replace(" degrees", speaker.pick([" degree", "-degree"]))
    values = {
        "a": said,
        "side": side,
        "number": number,
        "unit": unit,
        "degree": degree,
        "to": direction(speaker, side) if side in OTHER_SIDE else "",
    }
    text = speaker.say(template, adverb=adverb_for(speaker, speed), **values).strip()
    form = "verb" if re.match(r"[a-z]+/[a-z]+/", text) else "fixed" if "," in text else "noun"
    return Block(text, (Goal(motion, speed, amount.text),), form, noun_of(motion))


def move(
    speaker: Speaker,
    motion: str = "",
    amount: Amount | None = None,
    speed: str | None = None,
    fix: str = "",
    measured: float = 0.62,
    last: bool = False,
    manner: float = 0.07,
) -> Block:
    """One motion in words. `fix` names the part that the speaker gets wrong first; `last` allows an endless motion."""
    motion = motion or draw_motion(speaker)
    base, side = motion.replace("right", "left"), motion.split()[-1]
    if fix == "motion":
        return mended_motion(speaker)
    if (fix == "side" and side not in OTHER_SIDE) or (fix == "speed" and base == "stand"):
        fix = "amount"
    if amount is None and (fix == "amount" or speaker.chance(measured)):
        amount = new_amount(speaker, P.MEASURES[base])
    speed = speaker.weighted([("", 66), ("slow", 18), ("fast", 16)])[0] if speed is None else speed
    speed = "" if base == "stand" else "slow" if fix == "speed" and not speed else speed
    made = around_amount(speaker, motion, amount, speed, fix) if amount else None
    if made:
        return made
    table = P.PLAIN if speaker.chance(0.4) else P.MOTIONS
    usable = ("",) if fix == "speed" else ("", speed)
    implied, template = speaker.pick(
        [row for row in table[base] if row[0] in usable and (fix != "side" or "{to}" in row[1])]
    )

    to, clock, trailing = "", "", ""
    if side in OTHER_SIDE and (fix or side == "right" or base.startswith("side") or not speaker.chance(0.12)):
        to, clock = direction(speaker, side), speaker.say(P.CLOCKWISE[side])
        if fix == "side":
            wrong = to.replace(side, OTHER_SIDE[side])
            to, trailing = (
                (wrong, speaker.say(P.MEND) + to) if speaker.chance(0.3) else (mended(speaker, wrong, to), "")
            )
    text = speaker.say(template, to=to, side=side, clock=clock)
    adverb = "" if speed == implied else adverb_for(speaker, speed)
    if fix == "speed":
        adverb = mended(speaker, adverb_for(speaker, {"slow": "fast", "fast": "slow"}[speed]), adverb)
    elif not speed and base != "stand" and speaker.chance(0.03):
        adverb = speaker.say(P.NORMALLY)
    if adverb and " " not in adverb and adverb.endswith("ly") and speaker.chance(0.25):
        text, adverb = f"{adverb} {text}", ""
    elif adverb and "_" in text and speaker.chance(0.1):
        text, adverb = text.replace("_", adverb), ""

    tail, velocity, leading = [adverb], "", ""
    if amount:
        said, draw = mended_amount(speaker, amount) if fix == "amount" else amount.text, speaker.rng.random()
        if draw < 0.28 and "_" in text:
            text = text.replace("_", f"for {said}" if amount.kind == "time" else said)
        elif draw < 0.33 and not fix and base != "stand":
            tail.append(speaker.say(P.UNTIL[amount.kind], a=said))
        elif draw < 0.38 and not fix and amount.kind == "time":
            leading = f"for {said}, "
        elif draw < 0.42 and not fix and amount.text.endswith(" degrees"):
            tail.insert(0, amount.number)  # turn left 90
        else:
            tail.insert(speaker.rng.randint(0, 1), with_preposition(speaker, amount, said))
    elif base != "stand":
        tail.append(
            speaker.say(P.ENDLESS)
            if last and speaker.chance(0.09)
            else speaker.say(P.VAGUE)
            if speaker.chance(0.06)
            else ""
        )
    if not speed and base != "stand" and (fix == "velocity" or speaker.chance(0.07)):
        velocity, words = new_velocity(speaker, base, fix == "velocity")
        if not fix and not leading and speaker.chance(0.12):
            leading = f"{words}, "  # at 1.5 m/s, run 12 m
        else:
            tail.insert(speaker.rng.randint(0, len(tail)), words)
    text = " ".join([leading + text.replace("_", ""), *tail]).strip() + trailing
    made = Block(
        text,
        (Goal(motion, speed, amount.text if amount else "", velocity),),
        "fixed" if leading else "verb",
        noun_of(motion),
    )
    return with_manner(speaker, made) if speaker.chance(manner) else made


def measured_move(speaker: Speaker, motions: Sequence[str], amount: Amount, speed: str | None = None) -> Block:
    """A motion with its amount that can stand before "and the same back"."""
    while True:
        made = move(speaker, speaker.pick(motions), amount, speed, manner=0)
        if made.form != "fixed" and not made.events[0].velocity:
            return made


def new_velocity(speaker: Speaker, base: str, fix: bool) -> tuple[str, str]:
    """A velocity, and the words around it."""
    numbers, unit = speaker.pick(P.VELOCITIES["turn" if base == "turn left" else "ahead"])
    unit = speaker.say(unit)
    said, wrong = (
        numeral(speaker, round(speaker.pick(numbers), 2), digits=not unit.startswith(" ")) for _ in range(2)
    )
    words = mended(speaker, wrong + speaker.pick([unit, ""]), said + unit) if fix and wrong != said else said + unit
    return said + unit, f"{speaker.say(P.AT)} {words}"


def mended_motion(speaker: Speaker) -> Block:
    """walk, no, run three metres"""
    verbs = {"walk forward": "walk", "run forward": "run", "walk backward": "walk backwards", "stand": "wait"}
    motion, other = speaker.rng.sample(list(verbs), 2)
    amount = new_amount(speaker, P.MEASURES[motion])
    tail = f"for {amount.text}" if amount.kind == "time" else amount.text
    wrong, right = verbs[other], verbs[motion]
    text = speaker.pick([f"{mended(speaker, wrong, right)} {tail}", f"{mended(speaker, f'{wrong} {tail}', right)}"])
    return Block(text, (Goal(motion, "", amount.text),), "fixed", noun_of(motion))


def whole_turn(speaker: Speaker) -> Block:
    """turn around, spin, face left, walk in a circle, do two laps to the right"""
    motion, degrees, template, _ = speaker.weighted(P.WHOLE_TURNS)
    side, speed = speaker.pick(["left", "right"]), speaker.weighted([("", 80), ("slow", 11), ("fast", 9)])[0]
    maybe = (
        speaker.say(P.CLOCKWISE[side])
        if speaker.chance(0.3)
        else speaker.say("[{side}|to the {side}|to your {side}]", side=side)
    )
    text = speaker.say(template, maybe="" if side == "left" and speaker.chance(0.5) else maybe, side=side)
    adverb = adverb_for(speaker, speed)
    if text.startswith("stroll"):
        speed, adverb = "slow", ""
    noun = "circle" if motion == "curve" else "spin" if degrees > 200 else "turn"
    made = Block(f"{text} {adverb}", (Goal(f"{motion} {side}", speed, f"{degrees} degrees"),), "verb", noun)
    return with_manner(speaker, made) if speaker.chance(0.05) else made


def place(speaker: Speaker, fix: str = "") -> Block:
    """go to the spot three metres ahead and one to the left"""
    kind, ahead, side = (
        speaker.pick(["length", "length", "steps"]),
        speaker.pick(["ahead", "ahead", "behind"]),
        speaker.pick(["left", "right"]),
    )
    first, second = new_amount(speaker, kind), new_amount(speaker, kind, plain=True)
    form = speaker.pick(["ahead", "side"] if fix == "side" else ["ahead", "ahead", "side", "both", "both", "turned"])
    said, also = mended_amount(speaker, first) if fix == "amount" else first.text, second.text
    if form == "both" and first.unit == second.unit[1:] and second.value > 1 and speaker.chance(0.5):
        also = second.number  # a metre ahead and two to the left
    elif form == "both" and first.unit == second.unit and second.value != 1 and speaker.chance(0.4):
        also = second.number
    front, beside = speaker.say(P.AHEAD_OF[ahead]), speaker.say(P.BESIDE, side=side)
    if fix == "side":
        beside = mended(speaker, f"to the {OTHER_SIDE[side]}", f"to the {side}")
        front = mended(speaker, *(["behind you", "ahead"] if ahead == "ahead" else ["ahead of you", "behind you"]))
    where, meaning = {
        "ahead": (f"{said} {front}", f"{first.text} {ahead}"),
        "side": (f"{said} {beside}", f"{first.text} {side}"),
        "both": (
            f"{said} {front}{speaker.pick([' and ', ' and ', ', ', ' '])}{also} {beside}",
            f"{first.text} {ahead} {second.text} {side}",
        ),
        "turned": (f"{said} {beside} and {second.text} {front}", f"{second.text} {ahead} {first.text} {side}"),
    }[form]
    speed, template, _ = speaker.weighted(P.REACH)
    if speaker.style == "foreign" and speaker.chance(0.2):
        speed, template = "", "to {spot} go"
    spot = f"{speaker.say(P.SPOT)} {speaker.pick(['', '', '', '', 'which is', 'that is', 'located'])} {where}"
    return Block(
        speaker.say(template, spot=spot),
        (Goal(f"go to {meaning}", speed),),
        "fixed" if template.startswith("to") else "verb",
    )


def return_home(speaker: Speaker) -> Block:
    motion = speaker.pick(["go home", "face start"])
    if speaker.style == "foreign" and speaker.chance(0.4):
        return Block(speaker.say(P.FOREIGN[motion]), (Goal(motion),), "fixed")
    speed, template = speaker.pick(P.MOTIONS[motion][:1] * 3 + P.MOTIONS[motion])
    text = speaker.say(template)
    if not speed and speaker.chance(0.06):
        speed = speaker.pick(["slow", "fast"])
        text += " " + adverb_for(speaker, speed)
    return Block(text, (Goal(motion, speed),))


# postures


def hand_words(speaker: Speaker, named: str, plain: str, fix: bool = False) -> tuple[str, str]:
    """Words for a wave, and its posture: the right hand unless another is named."""
    if not fix and speaker.chance(0.4):
        return speaker.say(plain), "wave right"
    hand = speaker.pick(["left", "left", "right"])
    return speaker.say(named, hand=mended(speaker, OTHER_SIDE[hand], hand) if fix else hand), f"wave {hand}"


def with_manner(speaker: Speaker, block: Block, posture: str = "") -> Block:
    """The goal of a block with a posture for as long as it lasts: walk 3 m crouched."""
    posture = posture or speaker.pick(["low", "low", "arms up", "arms out", "wave"])
    text = speaker.say(P.MANNERS[posture])
    if posture == "wave":
        text, posture = hand_words(speaker, P.MANNERS["wave hand"], P.MANNERS["wave"])
    events = tuple(goal._replace(postures=(*goal.postures, posture)) for goal in block.events)
    if text.startswith(("with ", "while ")) and speaker.chance(0.12):
        return block._replace(text=f"{text}, {block.text}", events=events, form="fixed")
    return block._replace(text=f"{block.text} {text}", events=events)


def wave(speaker: Speaker, fix: bool = False) -> Block:
    text, posture = hand_words(speaker, P.HAND_WAVES, P.WAVES, fix)
    said = new_amount(speaker, "time").text if speaker.chance(0.3) else ""
    return Block(f"{text} for {said}" if said else text, (Goal("stand", "", said, "", (posture,)),), "verb", "wave")


def pose(speaker: Speaker) -> Block:
    """A posture as an action of its own: it stays."""
    postures = speaker.pick([("low",), ("low",), ("arms up",), ("arms out",), ("low", "arms up"), ("low", "arms out")])
    if len(postures) == 1 and speaker.chance(0.2):
        return Block(speaker.say(P.NOMINAL_POSES[postures[0]]), (Pose(postures),), "noun")
    return Block(" and ".join(speaker.say(P.POSES[posture]) for posture in postures), (Pose(postures),))


def timed_pose(speaker: Speaker) -> Block:
    """hold your arms up for five seconds"""
    posture, said = speaker.pick(list(P.POSES)), new_amount(speaker, "time").text
    text = speaker.say(
        P.POSES[posture] + "[ for {a}| for {a}| and hold it for {a}| and stay like that for {a}|, {a}]", a=said
    )
    if speaker.chance(0.3):
        text = speaker.say(
            "stand/standing/stood [still|there|] {0} for {a}", **{"0": speaker.say(P.MANNERS[posture]), "a": said}
        )
    return Block(text, (Goal("stand", "", said, "", (posture,)),))


def release(speaker: Speaker, postures: tuple[str, ...]) -> Block:
    return Block(" and ".join(speaker.say(P.RELEASES[posture.split()[0]]) for posture in postures), (Pose(),))


def program_of(events: tuple) -> str | None:
    """Fold events into a program: an own posture merges into the goals after it. None if postures exclude each other."""
    goals, held, waiting = [], (), False
    for event in events:
        if isinstance(event, Pose):
            held, waiting = event.postures, True
            continue
        goals.append(event._replace(postures=(*held, *event.postures)))
        waiting = False
        if len({*held, *event.postures} - {"low"}) > 1:
            return None
    if waiting:
        goals.append(Goal("stand", postures=held))
    return "; ".join(map(str, goals)) if len(goals) <= MAX_GOALS else "refuse: limit"


# groups of goals


def joined(speaker: Speaker, parts: list[str]) -> str:
    return (
        speaker.pick([", ", ", ", " then ", ", then ", " and then ", "; "]).join(parts[:-1])
        + speaker.pick([", ", " and ", ", then ", ", and "])
        + parts[-1]
    )


def shared(speaker: Speaker) -> Block:
    """left then right, two steps each"""
    kinds, moves = speaker.pick(P.SHARERS)
    amount = new_amount(speaker, kinds.split())
    preposition = {"time": "for", "angle": "by"}.get(amount.kind, "")
    text = speaker.say(
        P.SHARED,
        list=joined(speaker, [speaker.say(words) for words in moves.values()]),
        a=amount.text,
        **{"for": preposition},
    )
    goals = [(" ".join(name.split()[:2]), " ".join(name.split()[2:])) for name in moves]
    return Block(text, tuple(Goal(motion, speed, amount.text) for motion, speed in goals), "fixed")


STRAIGHT = ["walk forward", "walk backward", "run forward", "sidestep left", "sidestep right"]


def ratio(speaker: Speaker) -> Block:
    """walk for 4 s, then twice as long backwards"""
    amount = new_amount(speaker, ["length", "length", "time", "time", "steps", "angle"])
    first = measured_move(speaker, ["turn left", "turn right"] if amount.kind == "angle" else STRAIGHT, amount)
    factor = speaker.pick([2, 2, 2, 0.5, 0.5, 0.5, 3, 0.25, 1, 1, 1])
    words, before = speaker.say(P.RATIOS[factor][amount.kind]), first.events[0].motion
    if amount.kind == "angle":
        motion, speed = f"turn {OTHER_SIDE[before.split()[1]]}", ""
        second = speaker.say("[turn |]{0} [to the {1}|{1}]", **{"0": words, "1": motion.split()[1]})
    else:
        motion = speaker.pick([name for name in STRAIGHT if name != before])
        side = motion.split()[1]
        speed, template = speaker.pick([row for row in P.MOTIONS[motion.replace("right", "left")] if "_" in row[1]])
        second = speaker.say(template, to=f"to the {side}", side=side).replace("_", "") + f" {words}"
        if motion != "run forward" and speaker.chance(0.4):
            way = {"walk forward": "forward", "walk backward": "backwards"}.get(motion, f"to the {side}")
            speed, second = "", f"{words} {way}"
    text = (
        first.text
        + speaker.pick([", then ", " and then ", ", and ", " then ", " and ", ". Then ", "; after that "])
        + second
    )
    return Block(text, (*first.events, Goal(motion, speed, times(factor, amount))), "fixed")


def back_again(speaker: Speaker, first: bool) -> Block:
    """Two metres forward and back again. Coming back to where the robot was is coming home if it has just set off."""
    amount = new_amount(speaker, ["length", "length", "steps"])
    made = measured_move(speaker, ["walk forward", "walk forward", "run forward"], amount)
    templates, goal = speaker.pick(
        [
            (P.BACK_AGAIN, Goal("walk backward", "", times(1, amount))),
            (P.FORTH_AND_BACK, Goal("walk backward", "", amount.text)),
            (P.RETURNS, Goal("go home")),
        ][: 3 if first else 2]
    )
    return Block(speaker.say(templates, **{"0": made.text, "a": amount.text}), (*made.events, goal), "fixed")


def mirrored(speaker: Speaker) -> Block:
    """turn left 40 degrees, and the same to the right; a circle and another the other way"""
    base, side = speaker.pick(["sidestep", "turn", "turn", "curve"]), speaker.pick(["left", "right"])
    other = OTHER_SIDE[side]
    if speaker.chance(0.2):
        text = speaker.say(
            "[walk|do|make] a [circle|loop|lap] [{0}|to the {0}] and [then |]another [one |][the other way|to the {1}|in the other direction]",
            **{"0": side, "1": other},
        )
        return Block(
            text, (Goal(f"curve {side}", "", "360 degrees"), Goal(f"curve {other}", "", "360 degrees")), "fixed"
        )
    amount = new_amount(speaker, P.MEASURES[f"{base} left"])
    made = measured_move(speaker, [f"{base} {side}"], amount)
    goal = made.events[0]._replace(motion=f"{base} {other}", amount=times(1, amount))
    return Block(speaker.say(P.OTHER_WAY, **{"0": made.text, "side": other}), (*made.events, goal), "fixed")


def halves(speaker: Speaker) -> Block:
    """run 10 s, the first half slowly"""
    amount = new_amount(speaker, ["length", "time", "time"], plain=speaker.chance(0.7))
    made = measured_move(speaker, STRAIGHT, amount, speed="")
    template, both = speaker.pick(P.HALVES)
    words = {
        "slow": "[slowly|slow|at a slow pace|gently|carefully]",
        "fast": "[fast|quickly|at speed|quick]",
        "": "[at a normal pace|normally|at your usual speed]",
    }
    x, y = speaker.pick(
        [("slow", "fast"), ("fast", "slow"), ("slow", ""), ("fast", ""), ("", "fast")]
        if both
        else [("slow", ""), ("fast", "")]
    )
    x, y = ("", x) if both is None else (x, y)
    text = speaker.say(template, **{"0": made.text, "x": speaker.say(words[x]), "y": speaker.say(words[y])})
    return Block(text, tuple(Goal(made.events[0].motion, speed, times(0.5, amount)) for speed in (x, y)), "fixed")


def ladder(speaker: Speaker) -> Block:
    """walk slowly for two metres, then briskly for four"""
    motion, verb = speaker.pick(
        [
            ("walk forward", "walk"),
            ("walk forward", "go"),
            ("run forward", "run"),
            ("walk backward", "walk backwards"),
            ("walk forward", ""),
        ]
    )
    kind = speaker.pick(["length", "steps", "time"])
    more, parts, goals = speaker.weighted(P.UNITS[kind])[1], [], []
    for speed, posture, words in speaker.rng.sample(P.LADDERS, speaker.pick([2, 2, 3])):
        number = numeral(speaker, speaker.rng.randint(2, 12), digits=len(more) < 5)
        said = number if parts and more.startswith(" ") and speaker.chance(0.5) else number + more
        said = f"for {said}" if kind == "time" else said
        parts.append(
            (verb if not parts else "") + speaker.say("[ {0} {1}| {1} {0}]", **{"0": said, "1": speaker.say(words)})
        )
        goals.append(Goal(motion, speed, number + more, "", (posture,) if posture else ()))
    return Block(speaker.pick([", then", " and then", ", and then", ";", ","]).join(parts), tuple(goals), "fixed")


def ellipsis(speaker: Speaker, count: int) -> Block:
    """Amounts without their unit or motions without their verb: three metres, turn left and two more."""
    kind = speaker.pick(["length", "steps"])
    more = speaker.weighted(P.UNITS[kind])[1]
    numbers = [numeral(speaker, speaker.rng.randint(2, 12), digits=len(more) < 5) for _ in range(count)]
    if speaker.chance(0.45):  # two steps left, three right
        ways = [speaker.pick(P.WAYS)]
        while len(ways) < count:
            ways.append(speaker.pick([way for way in P.WAYS if way != ways[-1]]))
        parts = [f"{number} {speaker.say(words)}" for (_, words), number in zip(ways, numbers, strict=True)]
        verb = speaker.pick([P.TAKE if kind == "steps" else "go/going/gone", ""])
        parts[0] = f"{speaker.say(verb)} {numbers[0]}{more} {speaker.say(ways[0][1])}"
        return Block(
            joined(speaker, parts),
            tuple(Goal(way[0], "", number + more) for way, number in zip(ways, numbers, strict=True)),
            "fixed",
        )
    speed, verb = speaker.pick(
        [
            ("", "walk"),
            ("", "walk"),
            ("", "go"),
            ("", "forward"),
            ("", "go forward"),
            ("", "march"),
            ("slow", "tiptoe"),
            ("slow", "stroll"),
            ("fast", "hurry"),
        ]
    )
    parts, goals = [f"{verb} {numbers[0]}{more}"], [Goal("walk forward", speed, numbers[0] + more)]
    for number in numbers[1:]:
        side, degrees = speaker.pick(["left", "right"]), numeral(speaker, speaker.pick([90, 90, 45, 60]))
        corner = Goal(f"turn {side}", "", "90 degrees")
        words, goal = speaker.pick(
            [
                (f"turn {side}", corner),
                (side, corner),
                (f"{side} face", corner),
                (f"turn {side} {degrees}", corner._replace(amount=f"{degrees} degrees")),
                ("turn around", Goal("turn left", "", "180 degrees")),
                (speaker.pick(["stop", "wait"]), Goal("stand")),
            ]
        )
        parts += [
            words,
            speaker.pick(
                [
                    f"{number} more",
                    f"{number} more",
                    f"another {number}",
                    f"{verb} {number}",
                    f"{verb} another {number}",
                ]
            ),
        ]
        goals += [goal, Goal("walk forward", speed, number + more)]
    return Block(joined(speaker, parts), tuple(goals), "fixed")


def legs(speaker: Speaker) -> Block:
    """A path of legs with corners: 2 m, left, 3 m, right, 1 m."""
    parts, goals = [], []
    for index in range(speaker.rng.randint(2, 4)):
        side, amount = speaker.pick(["left", "right"]), new_amount(speaker, ["length", "length", "steps"], plain=True)
        parts += [speaker.say("[{0}|{0}|turn {0}|face {0}|a {0} turn|{0} turn]", **{"0": side})] if index else []
        goals += [Goal(f"turn {side}", "", "90 degrees")] if index else []
        parts.append(f"{speaker.pick(['', '', 'forward ', 'walk ', 'ahead '])}{amount.text}")
        goals.append(Goal("walk forward", "", amount.text))
    return Block(speaker.pick([", ", ", ", ", then "]).join(parts), tuple(goals), "fixed")


def repetition(speaker: Speaker, fits: bool = True) -> Block:
    """Some goals several times, perhaps with a pause between. `fits` says whether they are few enough for a program."""
    makers = [(lambda s: move(s, measured=0.9), 8), (wave, 1), (whole_turn, 1)]
    count = speaker.pick([1, 1, 2, 2, 3])  # one alone is no whole turn: "spin twice" is one turn of 720 degrees
    few = [speaker.weighted(makers[: 2 if count == 1 else 3])[0](speaker) for _ in range(count)]
    text = speaker.pick([", ", " and ", ", then "]).join(inflect(block.text) for block in few)
    events = tuple(event for block in few for event in block.events)
    if fits and speaker.chance(0.25):
        return Block(speaker.say(P.AGAIN, **{"0": text}), events * 2, "fixed")
    count = speaker.pick([count for count in P.TIMES if (count * len(few) <= MAX_GOALS) == fits])
    said = speaker.say(P.TIMES[count])
    if "x" not in said and count < 5 and speaker.chance(0.08):
        said = mended(speaker, speaker.say(P.TIMES[speaker.pick([n for n in (2, 3, 4, 5) if n != count])]), said)
    if len(few) == 1 and count < 5 and events[0].motion != "stand" and speaker.chance(0.5):
        pause = new_amount(speaker, "time", plain=True).text
        between = speaker.say(P.BETWEEN, a=pause)
        stop = Goal("stand", "", pause if pause in between else "")
        return Block(f"{text} {said} {between}", (*((*events, stop) * (count - 1)), *events), "fixed")
    return Block(speaker.say(P.REPEATS, **{"0": text, "t": said}), events * count, "fixed")


def eight(speaker: Speaker) -> Block:
    text = speaker.say(P.EIGHTS)
    goals = (Goal("curve left", "", "360 degrees"), Goal("curve right", "", "360 degrees"))
    return Block(text, goals, "verb" if "/" in text else "noun", "eight")


def shape(speaker: Speaker) -> Block:
    """square, triangle, rectangle"""
    side, kind = speaker.pick(["left", "left", "right"]), speaker.pick(["square", "square", "triangle", "rectangle"])
    size = new_amount(speaker, ["length", "length", "steps"])
    motion, verb = (
        ("run forward", "run/running/run") if speaker.chance(0.1) else ("walk forward", speaker.say(P.SHAPE))
    )
    sizes, words = [size.text] * (3 if kind == "triangle" else 4), speaker.say(f"{kind} {P.SIDES}", a=size.text)
    if kind == "rectangle":
        other = new_amount(speaker, size.kind, plain=True)
        words = speaker.say(P.RECTANGLE, a=size.text, b=other.text)
        sizes = [size.text, other.text] * 2
    elif speaker.chance(0.15):
        words, sizes = kind, ["2 metres"] * len(sizes)
    corners = (
        speaker.say(P.CORNERS, side=side, to=f"to the {side}", clock=speaker.say(P.CLOCKWISE[side]))
        if side == "right" or speaker.chance(0.5)
        else ""
    )
    goals = tuple(
        goal
        for size in sizes
        for goal in (Goal(motion, "", size), Goal(f"turn {side}", "", f"{120 if kind == 'triangle' else 90} degrees"))
    )
    if speaker.chance(0.12) and motion == "walk forward":
        return Block(f"{words}, {corners}", goals, "fixed")
    return Block(f"{verb} a {speaker.pick(['', '', '', 'nice', 'big', 'little'])} {words} {corners}", goals)


def telegram(speaker: Speaker, count: int) -> Block:
    """fwd 3m, R 90, fwd 1m"""
    lower, glue, held = speaker.chance(0.4), speaker.chance(0.5), ""
    units = {kind: speaker.weighted(P.UNITS[kind]) for kind in P.UNITS}
    parts, events = [], []
    while sum(isinstance(event, Goal) for event in events) < count:
        side, code = (
            speaker.pick(["left", "right"]),
            speaker.pick(["walk forward"] * 3 + ["turn left"] * 5 + list(P.CODES)),
        )
        template, kinds = P.CODES[code]
        kind = speaker.pick(kinds)
        words = speaker.say(template, side=side, S=side[0] if lower and glue else side[0].upper())
        if code in P.POSES:
            if not held and speaker.chance(0.7):
                parts.append(words)
                events.append(Pose((code,)))
                held = code
            elif held and isinstance(events[-1], Goal):
                parts.append(speaker.say(P.CODE_RELEASES[held]))
                events.append(Pose())
                held = ""
            continue
        if not words and kind == "time":
            continue
        base, _, posture = code.partition(", ")
        motion, rest = " ".join(base.split()[:2]), " ".join(base.split()[2:])
        if held and posture:
            continue
        if kind and "left" in motion:
            motion = motion.replace("left", side)
        said = meant = rest if "degrees" in rest else ""
        if kind == "angle" and speaker.chance(0.7):  # R 90, or only R
            angle = speaker.pick([90, 90, 90, 45, 45, 30, 60, 180, 120, 135, 10, 15, 20, 75, 270])
            said = numeral(speaker, angle, digits=len(words) == 1)
            said, meant = (
                ("", "corner") if motion.startswith("turn") and speaker.chance(0.2) else (said, f"{said} degrees")
            )
        elif kind:
            one, more, numbers, _ = units[kind]
            value = speaker.pick(P.NUMBERS[numbers])
            said = meant = numeral(speaker, value, digits=len(more) < 5) + (one if value == 1 else more)
        if code == "go to":
            ahead = speaker.pick(
                [
                    ("ahd", "ahead"),
                    ("ahead", "ahead"),
                    ("behind", "behind"),
                    (f"to {side[0].upper()}", side),
                    (side, side),
                ]
            )
            motion, meant, said = f"go to {meant} {ahead[1]}", "", f"{said} {ahead[0]}"
        if kind == "length" and len(words) == 1 and speaker.chance(0.5):
            words = side
        parts.append(words + ("" if (glue and len(words) == 1) or not kind else " ") + (said if kind else ""))
        events.append(
            Goal(
                motion,
                "" if "degrees" in rest else rest,
                meant,
                "",
                (posture.replace("left", side),) if posture else (),
            )
        )
    for index, event in enumerate(events):  # a turn without an angle between two legs is a corner
        if event[2:3] == ("corner",):
            events[index] = event._replace(amount="90 degrees" if 0 < index < len(events) - 1 else "")
    text = speaker.pick(P.CODE_JOINTS).join(part.strip() for part in parts)
    return Block(text.lower() if lower else text.upper() if speaker.chance(0.04) else text, tuple(events), "fixed")


# sentences


def allowed(template: str, first: Block, second: Block) -> bool:
    """Whether two blocks have the forms that a template asks for."""
    for index, block in enumerate((first, second)):
        if block.form == "fixed" and (f"{{{index}g}}" in template or f"{{{index}p}}" in template):
            return False
        if block.form != "verb" and (
            f"{{{index}p}}" in template or re.search(rf"(you|don't|only|is|to) \{{{index}\}}", template)
        ):
            return False
    return True


def paired(speaker: Speaker, first: Block, second: Block) -> Block:
    ordered = speaker.chance(0.42) and "fixed" not in (first.form, second.form)
    text = template = speaker.pick(
        [found for found in (P.ORDERED if ordered else P.PAIRS) if allowed(found, first, second)]
    )
    for index, block in enumerate((first, second)):
        for mark, form in (("", IMPERATIVE), ("g", GERUND), ("p", PARTICIPLE)):
            text = text.replace(f"{{{index}{mark}}}", inflect(block.text, form))
    start = first if template.startswith("{0}") else second if template.startswith("{1}") else Block("", (), "fixed")
    return Block(text, first.events + second.events, "fixed" if ". " in template else start.form)


def chain(speaker: Speaker, blocks: Sequence[Block]) -> Block:
    """Blocks one after another, their verbs inflected."""
    if len(blocks) == 1:
        return blocks[0]._replace(text=inflect(blocks[0].text))
    if len(blocks) == 2:
        return paired(speaker, *blocks)
    blocks, events = list(blocks), sum((block.events for block in blocks), ())
    if speaker.chance(0.12) and len(blocks) <= 8:
        text = "{}".join(speaker.pick(P.NUMBERED).split("{}")[: len(blocks)]) + "{}"
        for block in blocks:
            text = text.replace("{}", inflect(block.text), 1)
        return Block(text, events, "fixed")
    same = speaker.chance(0.6)
    joints = [
        speaker.say(joint)
        for joint in ([speaker.pick(P.JOINTS)] * len(blocks) if same else speaker.rng.choices(P.JOINTS, k=len(blocks)))
    ][1:]
    if speaker.chance(0.5):
        joints[-1] = speaker.say(P.LAST_JOINTS)
    if speaker.chance(0.3):  # a pair told in its own order, set apart from the rest
        index = speaker.rng.randrange(len(joints))
        blocks[index : index + 2] = [paired(speaker, *blocks[index : index + 2])]
        joints[max(index - 1, 0) : index + 2] = [
            speaker.say(P.STRONG_JOINTS) for _ in joints[max(index - 1, 0) : index + 2]
        ][1:]
    text = inflect(blocks[0].text) + "".join(
        joint + inflect(block.text) for joint, block in zip(joints, blocks[1:], strict=True)
    )
    return Block(text, events, "verb" if blocks[0].form == "verb" else "fixed")


def simple_block(speaker: Speaker) -> Block:
    makers = [(move, 75), (whole_turn, 11), (place, 6), (wave, 5), (return_home, 6)]
    return speaker.weighted(makers)[0](speaker)


def single(speaker: Speaker) -> Block:
    """A sentence of one goal."""
    makers = [
        (lambda s: move(s, last=True, manner=0.12), 53),
        (whole_turn, 11),
        (place, 10),
        (return_home, 8),
        (wave, 5),
        (pose, 6),
        (timed_pose, 4),
        (negative, 4),
    ]
    return speaker.weighted(makers)[0](speaker)


def negative(speaker: Speaker) -> Block:
    motion, template = speaker.pick(P.NEGATIVES)
    return Block(speaker.say(template), (Goal(motion),), "fixed")


def goals_of(blocks: Sequence[Block]) -> list[Goal]:
    return [event for block in blocks for event in block.events if isinstance(event, Goal)]


def few_blocks(speaker: Speaker, count: int) -> list[Block]:
    """Blocks of about `count` goals, some of them in groups, with own postures around some."""
    groups = [
        (shared, 4),
        (ratio, 5),
        (halves, 3),
        (mirrored, 2),
        (eight, 1.5),
        (ladder, 3),
        (lambda s: ellipsis(s, s.pick([2, 2, 3])), 5),
        (repetition, 5),
        (legs, 2),
    ]
    blocks: list[Block] = []
    while len(goals_of(blocks)) < count:
        several = len(goals_of(blocks)) + 2 <= count and speaker.chance(0.35)
        makers = [*groups, (lambda s: back_again(s, not blocks), 3)] if several else [(simple_block, 1)]
        blocks.append(speaker.weighted(makers)[0](speaker))
    if speaker.chance(0.2):  # a posture of its own, from here on
        made, start = pose(speaker), speaker.rng.randint(0, len(blocks))
        blocks.insert(start, made)
        end = speaker.rng.randint(start + 2, len(blocks) + 2)
        blocks[end:end] = [release(speaker, made.events[0].postures)] if end <= len(blocks) else []
    elif speaker.chance(0.07):  # crouch for five seconds, stand up, then go on
        made, index = timed_pose(speaker), speaker.rng.randint(0, len(blocks))
        ending = index < len(blocks) or speaker.chance(0.3)
        blocks[index:index] = [made, release(speaker, made.events[0].postures)] if ending else [made]
    if speaker.chance(0.12) and blocks[-1].events[-1] not in (Goal("go home"), Goal("face start")):
        blocks.append(return_home(speaker))
    return blocks


# corrections


def dropped(speaker: Speaker, blocks: list[Block]) -> Block | None:
    """One of the blocks is taken back: walk 2 m and turn left, scratch the turn."""
    nouns = [block.noun for block in blocks]
    choices = [index for index, noun in enumerate(nouns) if noun and nouns.count(noun) == 1]
    if not choices or len(blocks) < 2 or any(len(block.events) > 1 for block in blocks):
        return None
    index = speaker.pick(choices)
    rest = sum((block.events for block in blocks[:index] + blocks[index + 1 :]), ())
    return Block(speaker.say(P.DROPS, **{"0": chain(speaker, blocks).text, "n": nouns[index]}), rest, "fixed")


def replaced(speaker: Speaker) -> Block | None:
    """Another goal instead: don't run, walk two metres."""
    wrong, right = simple_block(speaker), simple_block(speaker)
    if (wrong.form, right.form) != ("verb", "verb") or wrong.events[0].motion == right.events[0].motion:
        return None
    values = {
        "0": inflect(wrong.text),
        "0g": inflect(wrong.text, GERUND),
        "1": inflect(right.text),
        "mend": speaker.say(P.MEND),
    }
    return Block(speaker.say(P.INSTEAD, **values), right.events, "fixed")


def unposed(speaker: Speaker) -> Block:
    """crouch and walk six feet, actually don't crouch"""
    made, posture = move(speaker, manner=0), speaker.pick(list(P.UPRIGHT))
    text = with_manner(speaker, made, posture).text
    if posture != "wave" and speaker.chance(0.5):
        text = f"{speaker.say(P.POSES[posture])} and {made.text}"
    return Block(speaker.say(P.UPRIGHT[posture], **{"0": inflect(text)}), made.events, "fixed")


def mended_pose(speaker: Speaker) -> Block:
    wrong, right = speaker.rng.sample(list(P.POSES), 2)
    text = mended(speaker, inflect(speaker.say(P.POSES[wrong])), inflect(speaker.say(P.POSES[right])))
    if "low" not in (wrong, right) and speaker.chance(0.6):
        text = mended(speaker, speaker.pick(["arms ", "put your arms "]) + wrong[5:], right[5:])
    return Block(text, (Pose((right,)),), "fixed")


def multiplied(speaker: Speaker) -> Block:
    """walk four feet, hm, no, twice that"""
    amount = new_amount(speaker, ["length", "steps", "time"])
    made = measured_move(speaker, STRAIGHT, amount)
    factor, words = speaker.pick(
        [
            (2, "twice that"),
            (2, "double that"),
            (0.5, "half of that"),
            (3, "three times that"),
            (0.5, "only half that"),
        ]
    )
    goal = made.events[0]._replace(amount=times(factor, amount))
    return Block(
        inflect(made.text) + speaker.say("[, hm, no, |, no, |... no, |, wait, |, well, ]") + words, (goal,), "fixed"
    )


def corrected(speaker: Speaker, alone: bool) -> Block | None:
    """A sentence in which the speaker takes something back."""
    blocks = [single(speaker)] if alone else few_blocks(speaker, speaker.pick([2, 2, 3]))
    events = sum((block.events for block in blocks), ())
    action, name = speaker.pick(R.TAKEN_BACK)
    whole = [
        (
            lambda s: Block(
                s.say(P.NEVERMIND, **{"0": chain(s, blocks).text, "s": s.say(P.STAY)}), (Goal("stand"),), "fixed"
            ),
            10,
        ),
        (
            lambda s: Block(
                s.say(R.TAKING_BACK, **{"0": chain(s, blocks).text, "a": action, "n": name}), events, "fixed"
            ),
            7,
        ),
        (lambda s: Block(s.say(P.CONFIRMED, **{"0": chain(s, blocks).text}), events, "fixed"), 4),
        (lambda s: dropped(s, blocks), 2 if alone else 14),
    ]
    parts = [
        (unposed, 7),
        (multiplied, 3),
        (replaced, 14),
        (mended_pose, 4),
        (lambda s: wave(s, fix=True), 4),
        (lambda s: place(s, s.pick(["amount", "side"])), 5),
    ]
    parts += [
        (lambda s, fix=fix: move(s, fix=fix), weight)
        for fix, weight in (("amount", 12), ("side", 11), ("speed", 4), ("motion", 3), ("velocity", 3))
    ]
    maker, _ = speaker.weighted(whole + parts)
    made = maker(speaker)
    if made is None or alone or (maker, _) in whole:
        return made
    made, index = made._replace(text=inflect(made.text), form="fixed"), speaker.rng.randrange(len(blocks))
    if maker is replaced:  # first, so that it is clear what is replaced
        rest = blocks[1:]
        return (
            Block(
                made.text + speaker.say(P.STRONG_JOINTS) + chain(speaker, rest).text,
                made.events + sum((block.events for block in rest), ()),
                "fixed",
            )
            if rest
            else made
        )
    return chain(speaker, [*blocks[:index], made, *blocks[index + 1 :]])


# around the sentence


def instruction(speaker: Speaker, kind: str) -> tuple[str, str]:
    """A text and its program, of about as many goals as `kind` says."""
    while True:
        made, framed = draft(speaker, kind)
        program = made and program_of(made.events)
        if not program or program.startswith("refuse"):
            continue
        count = program.count(";") + 1
        if kind == ("single" if count == 1 else "few" if count < 5 else "long"):
            text = finished(speaker, made, framed)
            if len(text) < 480:
                return text, program


def draft(speaker: Speaker, kind: str) -> tuple[Block | None, bool]:
    """The words of an instruction, and whether something may be said around them."""
    if kind != "long" and speaker.chance(0.13):
        return corrected(speaker, kind == "single"), True
    if kind == "single":
        made = single(speaker)
        return (made if speaker.chance(0.15) else made._replace(text=inflect(made.text))), True
    if speaker.chance(0.16 if kind == "few" else 0.2):
        return telegram(
            speaker, speaker.pick([2, 3, 3, 4]) if kind == "few" else speaker.rng.randint(5, 8)
        ), speaker.chance(0.1)
    if kind == "few" or speaker.chance(0.25):
        blocks = few_blocks(
            speaker, speaker.pick([2, 2, 2, 2, 3, 3, 4]) if kind == "few" else speaker.rng.randint(5, 8)
        )
    else:
        blocks = [
            speaker.weighted([(shape, 4), (repetition, 3), (lambda s: ellipsis(s, 3), 1), (legs, 1)])[0](speaker)
        ]
        blocks += [simple_block(speaker)] if speaker.chance(0.35) else []
    made = chain(speaker, blocks)
    if (
        len(made.events) > 1
        and not any(isinstance(event, Pose) or event.postures for event in made.events)
        and speaker.chance(0.08)
    ):
        posture = speaker.pick(list(P.THROUGHOUT))
        events = tuple(goal._replace(postures=(posture,)) for goal in made.events)
        words = speaker.say(P.THROUGHOUT[posture])
        text = f"{words}: {made.text}" if speaker.chance(0.4) else f"{made.text}, {words}"
        return Block(text, events, "fixed"), False
    return made, True


def finished(speaker: Speaker, made: Block, framed: bool = True) -> str:
    """Politeness, names, reasons and stories around an instruction, and the writing of its speaker."""
    text, ending, style = made.text.strip(), "", speaker.style
    if framed and made.form == "verb" and inflect(text) != text:
        text, framed = speaker.say(P.GERUND_FRAMES, **{"0": inflect(text, GERUND)}), False
    elif framed and made.form == "noun" and speaker.chance(0.3):
        text, framed = speaker.say(P.NOUN_FRAMES, **{"0": text}), False
    text = inflect(text)
    if framed and speaker.chance({"polite": 0.85, "exact": 0.15, "foreign": 0.3}.get(style, 0.22)):
        text = speaker.say(P.OPENINGS if made.form == "verb" and text[0].isalpha() else P.NEUTRAL_OPENINGS) + text
    elif framed and made.form == "verb" and speaker.chance(0.3 if style == "foreign" else 0.03):
        text = "you " + text
    if framed and speaker.chance({"casual": 0.4, "polite": 0.2}.get(style, 0.07)):
        name = speaker.say(P.NAMES)
        text, ending = speaker.pick(
            [
                (f"{name}, {text}", ""),
                (f"hey {name}, {text}", ""),
                (f"{name}! {text}", ""),
                (text, f", {name}"),
                (text, f", {name}"),
            ]
        )
    if framed and speaker.chance({"casual": 0.35, "transcript": 0.1, "exact": 0.05}.get(style, 0.13)):
        if speaker.chance(0.45):
            ending += speaker.pick([", ", ", ", ". ", " - ", "; "]) + speaker.say(P.REASONS, who=speaker.say(P.WHO))
        else:
            text = speaker.say(P.STORIES) + speaker.pick([", so ", ". ", ". ", "; ", ". Now, "]) + text
    elif framed and not ending and speaker.chance({"polite": 0.3}.get(style, 0.1)):
        ending += speaker.say(P.CLOSINGS)
    elif framed and speaker.chance(0.02):
        ending += ", " + speaker.say(P.EMPTY_BANS)
    return written(speaker, tidy(text.rstrip(", ") + ending))


def written(speaker: Speaker, text: str) -> str:
    """The text in the speaker's hand: capitals, punctuation, slang, fillers, typing errors."""
    if speaker.style in ("texter", "transcript") and speaker.chance(0.3):
        text = re.sub(r"(?<=[a-z])'(?=[a-z])", "", text)
    if speaker.style == "transcript":
        text = re.sub(r"[.,;:!?]+(?=\s|$)|(?<=\s)--?(?=\s)", "", text.lower())
        words = (speaker.say(P.TRANSCRIPT_OPENINGS) + text).split()
        for _ in range(speaker.pick([0, 1, 1, 2, 3])):
            words.insert(speaker.rng.randint(0, len(words)), speaker.say(P.FILLERS))
        return misspelled(speaker, " ".join(words), 0.03)
    if speaker.style == "texter":
        text = respelled(speaker, text, P.SLANG, 0.55)
        return misspelled(speaker, text.lower() if speaker.chance(0.85) else text, 0.35)
    if speaker.style == "casual" and speaker.chance(0.2):  # dialect
        text = respelled(speaker, text, P.DIALECT, 1)
    if speaker.chance(0.72):
        text = re.sub(r"(^|[.!?]\s+|\n)([a-z])", lambda match: match[1] + match[2].upper(), text)
        if text[-1:] not in ".!?":
            asks = re.match(r"(\w+, |Please )?(Could|Can|Would|Will|Might|Any|How|What|Do you)", text, re.IGNORECASE)
            text += "?" if asks and speaker.chance(0.8) else speaker.pick([".", ".", ".", "", "!"])
    elif speaker.chance(0.05):
        text = text.upper()
    return misspelled(speaker, text, 0.08)


def respelled(speaker: Speaker, text: str, words: dict[str, str], share: float) -> str:
    """The text with some words in another spelling. Numbers such as two and a half are left alone."""
    parts = re.split(r"(?<!hundred)(?<!hundred and) (?!and a half|a half|half)", text)
    return " ".join(speaker.say(words[part]) if part in words and speaker.chance(share) else part for part in parts)


KNOWN = set(re.findall(r"[a-z]+", str(vars(P)).lower()))
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBORS = {key: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in ROWS for i, key in enumerate(row)}
NUMBER = re.compile(
    "(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|quarter|third|dozen|couple|hundred|thousand|point|zero|.*teen|.*ty)",
    re.IGNORECASE,
)


def misspelled(speaker: Speaker, text: str, share: float) -> str:
    """The text with one or two slips in its longer words, never in numbers and never so that another word comes out."""
    if not speaker.chance(share):
        return text
    words = text.split(" ")
    for index in speaker.rng.choices(range(len(words)), k=speaker.pick([1, 1, 1, 2])):
        word = words[index]
        if len(word) < 4 or not word.isalpha() or NUMBER.fullmatch(word):
            continue
        at = speaker.rng.randrange(1, len(word) - 1)
        before, here, after = word[:at], word[at], word[at + 1 :]
        near = speaker.pick(NEIGHBORS.get(here.lower(), here))
        wrong = speaker.pick(
            [before + after[0] + here + after[1:], before + after, before + here + here + after, before + near + after]
        )
        words[index] = word if wrong.lower() in KNOWN else wrong
    if speaker.chance(0.12) and len(words) > 3:
        index = speaker.rng.randrange(len(words) - 1)
        if (words[index] + words[index + 1]).isalpha():
            words[index : index + 2] = [words[index] + words[index + 1]]
    return " ".join(words)


# refusals


def refusal(speaker: Speaker) -> tuple[str, str]:
    makers: list[tuple[Callable, str, int]] = [
        (body, "body", 41),
        (unclear, "unclear", 34),
        (rules, "rules", 17),
        (limit, "limit", 6),
        (nothing, "nothing", 1),
    ]
    make, reason, _ = speaker.weighted(makers)
    return make(speaker), f"refuse: {reason}"


def body(speaker: Speaker) -> str:
    """An action that the robot lacks, alone or among ones that it has."""
    side = speaker.pick(["left", "right"])
    fill = {
        "thing": speaker.say(R.THING),
        "place": speaker.say(R.PLACE),
        "person": speaker.say(R.PERSON),
        "side": side,
    }
    fill |= {name: new_amount(speaker, kind).text for name, kind in (("a", "length"), ("t", "time"), ("d", "angle"))}
    text = speaker.say(R.BODY, **fill)
    if speaker.chance(0.35):
        blocks = few_blocks(speaker, speaker.pick([1, 1, 2]))
        blocks.insert(speaker.pick([0, len(blocks), len(blocks)]), Block(text, (), "fixed"))
        text = chain(speaker, blocks).text
    elif speaker.chance(0.25):
        text += speaker.say(R.BODY_NOTES, side=side)
    return finished(speaker, Block(text, (), "verb" if speaker.chance(0.8) else "fixed"))


def unclear(speaker: Speaker) -> str:
    number = str(speaker.rng.randint(2, 60))
    if speaker.chance(0.14):
        return written(speaker._replace(style="plain"), speaker.say(R.FOREIGN, n=number).strip())
    made = measured_move(
        speaker, ["walk forward", "run forward", "turn left", "walk backward"], new_amount(speaker, "time")
    )
    made = speaker.pick([made, move(speaker, "turn right", speed="", manner=0), whole_turn(speaker)])
    values = {
        "subject": speaker.say(R.SUBJECT),
        "a": new_amount(speaker, "length").text,
        "n": number,
        "dot": speaker.pick(["", ".", "."]),
        "bang": speaker.pick(["", "", ".", "!"]),
    }
    values |= {"command": tidy(inflect(made.text)), "participle": tidy(inflect(made.text, PARTICIPLE))}
    text = speaker.say(R.UNCLEAR, **values)
    if speaker.chance(0.1):
        text = speaker.say(P.STORIES) + speaker.pick([". ", ", "]) + text
    elif speaker.chance(0.1):
        text = speaker.say("[hey {name}|oh|well|so|okay|tell me|{name}], ", name=speaker.say(P.NAMES)) + text
    return written(speaker, tidy(text))


def rules(speaker: Speaker) -> str:
    program = None
    while not program:
        command = chain(speaker, few_blocks(speaker, speaker.pick([1, 1, 2])))
        program = program_of(command.events)
    values = {"command": tidy(command.text), "program": program, "sep": speaker.pick([", ", ": ", " and "])}
    values |= {"order": speaker.say(R.ORDERS), "more": speaker.say(R.MORE, **values)}
    if speaker.chance(0.2):
        text = speaker.pick(R.MARKUP)
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text
    text = speaker.say(R.RULES, **values)
    if speaker.chance(0.15):
        text = values["command"] + speaker.pick([". ", ", and ", ". Also ", ", then "]) + text
    elif speaker.chance(0.2):
        text = speaker.say(P.NEUTRAL_OPENINGS) + text
    return written(speaker, tidy(text))


def limit(speaker: Speaker) -> str:
    """More than eight goals."""
    size = new_amount(speaker, "length").text
    makers = [
        (lambda s: repetition(s, fits=False), 5),
        (lambda s: telegram(s, s.rng.randint(9, 13)), 2),
        (lambda s: chain(s, [simple_block(s) for _ in range(s.rng.randint(9, 11))]), 2),
        (lambda s: Block(s.say(R.LIMIT, a=size), (Goal("stand"),) * 9), 2),
    ]
    while True:
        made = speaker.weighted(makers)[0](speaker)
        if program_of(made.events) == "refuse: limit":
            return finished(speaker, made)


def nothing(speaker: Speaker) -> str:
    return speaker.pick(R.NOTHING)

"""Sentences for a walking robot with the one right program of each: the seeded corpus that the planner learns from.

    for text, program in examples(1000, seed=0): ...

`written/README.md` describes the language of the programs; the words are in `phrases/`. A sentence is built from
blocks: some words together with the events that they stand for, which are goals and changes of posture. `folded` and
`program_of` make the program of the events of a whole sentence, so that text and meaning cannot diverge. Amounts are
copied as they are said.

From the top: `instruction` or `refusal` makes a sentence; `single`, `few_blocks` and `corrected` make its blocks, and
`chain` joins them; `finished` and `written` add what people say around an order, and how they write.
"""

import functools
import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from agent.goals import MAX_GOALS
from agent.language import amounts
from agent.language.corpus import phrases
from agent.language.corpus.written import Sentence

P = phrases.read()
for table in (P.motions, P.plain, P.measures, P.nouns, P.foreign, P.with_amount):  # the left serves the right too
    table.update({motion.replace("left", "right"): words for motion, words in table.items() if "left" in motion})
IMPERATIVE, GERUND, PARTICIPLE = range(3)
OTHER_SIDE = {"left": "right", "right": "left"}
STYLES = {"plain": 42, "texter": 10, "transcript": 13, "foreign": 8, "polite": 9, "exact": 9, "casual": 9}
HOME = ("go home", "face start")
STRAIGHT = ["walk forward", "walk backward", "run forward", "sidestep left", "sidestep right"]
RATIO_WORDS = {factor: words for words, factor in amounts.RATIOS.items()}
LENGTHS = {"single": range(1, 2), "few": range(2, 5), "long": range(5, MAX_GOALS + 1)}  # numbers of goals


class GoalWords(NamedTuple):
    """A goal, or without a motion a posture as an action of its own, which stays until the next one."""

    motion: str
    speed: str = ""
    amount: str = ""  # or a place
    velocity: str = ""
    postures: tuple[str, ...] = ()
    times: int = 1  # how often this goal and the next ones, `size` in all, are to be done
    size: int = 1
    pause: "GoalWords | None" = None  # between these times

    def __str__(self):
        words = [self.motion, self.speed, self.amount, self.velocity and f"at {self.velocity}"]
        return ", ".join([" ".join(filter(None, words)), *(each for each in P.manners if each in self.postures)])


class Block(NamedTuple):
    """Words for some events. The text may hold walk/walking/walked. Only a verb follows "could you" and "you've"."""

    text: str
    events: tuple
    form: str = "fixed"  # "verb", "noun" (two steps back: it can follow "after") or "fixed" (only plain joints)
    noun: str = ""  # what a correction calls it: scratch the turn


class Amount(NamedTuple):
    text: str
    number: str
    value: float
    unit: str  # in the plural
    kind: str

    def times(self, factor: float) -> str:
        """A multiple of it, which code computes: twice six feet."""
        return self.text if factor == 1 else f"{RATIO_WORDS[factor]} {self.text}"


class Speaker(NamedTuple):
    """Who speaks: the random generator, habits that stay the same within a sentence, and how amounts are said."""

    rng: random.Random
    style: str
    words: float  # share of numbers in words
    units: dict  # kind of amount -> the unit that the speaker prefers

    def pick(self, items: Sequence) -> Any:
        return self.rng.choice(items)

    def side(self) -> str:
        return self.pick(["left", "right"])

    def weighted(self, rows: Sequence) -> Any:
        """One of the rows, each of which ends with its weight or has it by name."""
        return self.rng.choices(rows, [row["weight"] if isinstance(row, dict) else row[-1] for row in rows])[0]

    def make(self, *makers: tuple) -> Any:
        """The result of one of some functions, drawn by their weights."""
        return self.weighted(makers)[0](self)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def say(self, template: str | Sequence[str], *parts: str, **values: str) -> str:
        """One random reading of one of the templates: fills in names, then chooses in [a|b|], innermost first."""
        template = template if isinstance(template, str) else self.pick(template)
        text = filled(template, {**{str(index): part for index, part in enumerate(parts)}, **values})
        while "[" in text:
            text = re.sub(r"\[([^\[\]]*)\]", lambda match: self.pick(match[1].split("|")), text)
        return text

    def numeral(self, number: float, digits: bool = False) -> str:
        """A number as this speaker says it."""
        if digits or not self.chance(self.words):
            if number % 1 == 0.5 and not digits and self.chance(0.06):
                return f"{int(number)} 1/2" if number > 1 else "1/2"
            return f"{number:.2f}" if number % 1 and self.chance(0.06) else f"{number:g}"
        if number % 1 == 0:
            words = in_words(int(number)).replace("-", self.pick(["-", "-", " "]))
            words = re.sub(r"hundred (?=\w)", "hundred and ", words) if self.chance(0.5) else words
            return words.replace("one hundred", "a hundred") if self.chance(0.3) else words
        if number % 1 == 0.5 and number > 1 and self.chance(0.7):
            return f"{in_words(int(number))} and a half"
        whole, decimals = f"{number:g}".split(".")
        return f"{in_words(int(whole))} point {' '.join(P.small_numbers[int(digit)] for digit in decimals)}"

    def new_amount(self, kinds: str | Sequence[str], plain: bool = False) -> Amount:
        """An amount of one of some kinds, as it is said. `plain` leaves out whole phrases such as half a minute."""
        kind = kinds if isinstance(kinds, str) else self.pick(kinds)
        if not plain and self.chance(0.14):
            text, value, unit = self.pick(P.idioms[kind])
            return Amount(text, text.rpartition(" ")[0], value, f" {unit}", kind)
        one, more, numbers, _ = self.units[kind] if self.chance(0.8) else self.weighted(P.units[kind])
        value = self.pick(numbers_for(numbers))
        # 3 m, not three m
        number = self.numeral(value, digits=not more.startswith(" ") or (len(more) < 5 and self.chance(0.85)))
        if self.style == "foreign" and self.chance(0.15):
            more = one  # 3 meter
        return Amount(number + (one if value == 1 else more), number, value, more, kind)

    def new_velocity(self, motion: str) -> str:
        row = self.pick(P.velocities["turn" if motion.startswith("turn") else "ahead"])
        unit = self.say(row["unit"])
        return self.numeral(self.pick(row["numbers"]), digits=unit[0] != " ") + unit

    def joined(self, parts: list[str]) -> str:
        return self.say(P.lists).join(parts[:-1]) + self.say(P.last_in_list) + parts[-1]


def examples(count: int, seed: int) -> list[Sentence]:
    """The first `count` examples of a seed, no text twice."""
    rng, found = random.Random(seed), {}
    while len(found) < count:
        made = example(rng)
        found.setdefault(made.text, made)
    return list(found.values())


def example(rng: random.Random) -> Sentence:
    """One sentence of one speaker."""
    (style,) = rng.choices(list(STYLES), weights=list(STYLES.values()))
    words = {"transcript": 0.8, "texter": 0.08, "exact": 0.05}.get(style, rng.choice([0.1, 0.4, 0.8]))
    speaker = Speaker(rng, style, words, {})
    speaker.units.update((kind, speaker.weighted(units)) for kind, units in P.units.items())
    (kind,) = rng.choices([*LENGTHS, "refusal"], weights=[30, 50, 5.5, 14.5])
    return Sentence(*(refusal(speaker) if kind == "refusal" else instruction(speaker, kind)))


def filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def inflect(text: str, form: int = IMPERATIVE) -> str:
    """walk/walking/walked in one of its forms."""
    return re.sub(r"([A-Za-z'-]+)/([A-Za-z'-]+)/([A-Za-z'-]+)", lambda match: match[form + 1], text)


def tidy(text: str) -> str:
    text = re.sub(r" +", " ", text).strip(" ")
    text = re.sub(r"\b([Aa]) (?=8\d? |8\d?-|8\d?°|eight|11[ -]|18[ -]|1[18]°)", r"\1n ", text)
    text = re.sub(r" +([,.;:?!])", r"\1", text)
    return re.sub(r",(?=[,.;:?!])|(?<=[;:,?!]),", "", text)


def events_of(blocks: Sequence[Block]) -> tuple:
    return tuple(event for block in blocks for event in block.events)


@functools.cache
def numbers_for(name: str) -> list[float]:
    """The numbers of a table, each as often as it is to be drawn."""
    found = []
    for row in P.numbers[name]:
        first, last, step = row.get("range", (0, 0, 1))
        steps = range(round((last - first) / step) + 1)
        found += (row.get("these") or [round(first + n * step, 2) for n in steps]) * row["times"]
    return found


def in_words(number: int) -> str:
    """Whole numbers below ten thousand: 42 -> forty-two."""
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            return f"{in_words(number // size)} {name}" + (f" {in_words(number % size)}" if number % size else "")
    if number >= 20:
        return P.tens[number // 10 - 2] + (f"-{P.small_numbers[number % 10]}" if number % 10 else "")
    return P.small_numbers[number]


def around_amount(speaker: Speaker, motion: str, amount: Amount, speed: str) -> Block | None:
    """A phrase built around its amount: three slow steps back, a 90 degree turn, or a learner's word order."""
    side, said = motion.split()[-1], amount.text
    goal, noun = GoalWords(motion, speed, said), P.nouns[motion]
    if speaker.style == "foreign" and not speed and speaker.chance(0.5):
        return Block(speaker.say(P.foreign[motion], a=said, side=side), (goal,), noun=noun)
    kind = "turn" if said.endswith("turn") else "degrees" if said.endswith((" degrees", " deg", "°")) else amount.kind
    fits = [r for r in P.with_amount[motion] if r["speed"] in ("any", speed) and r["kind"] in ("", kind, amount.kind)]
    if not fits or speaker.chance(0.7 if speaker.style == "exact" else 0.82):
        return None
    number, _, unit = said.rpartition(" ")
    values = {"a": said, "number": number, "unit": unit, "adjective": P.adjectives[speed], "adverb": P.adverbs[speed]}
    values |= {"degree": said.replace(" degrees", "[ degree|-degree]"), "to": P.directions.get(side, ""), "side": side}
    text = speaker.say(speaker.pick(fits)["say"], **values).strip()
    form = "verb" if re.match(r"[a-z]+/[a-z]+/", text) else "fixed" if "," in text else "noun"
    return Block(text, (goal,), form, noun)


def move(
    speaker: Speaker,
    motion: str = "",
    amount: Amount | None = None,
    speed: str | None = None,
    measured: float = 0.62,
    last: bool = False,
    manner: float = 0.07,
) -> Block:
    """One motion in words. `last` allows an endless motion."""
    motion = motion or speaker.weighted(list(P.frequency.items()))[0]
    still = motion in ("stand", *HOME)
    if amount is None and speaker.chance(measured):
        amount = speaker.new_amount(P.measures[motion])
    speed = speaker.weighted([("", 66), ("slow", 18), ("fast", 16)])[0] if speed is None else speed
    speed = "" if motion in ("stand", "face start") else speed
    made = around_amount(speaker, motion, amount, speed) if amount else None
    if made:
        return made
    implied, text = verb_phrase(speaker, motion, speed)
    adverb, draw = speaker.say(P.adverbs["" if speed == implied else speed]), speaker.rng.random()
    if not speed and not still and speaker.chance(0.03):
        adverb = speaker.say(P.normally)
    if draw < 0.25 and adverb.endswith("ly") and " " not in adverb:
        text, adverb = f"{adverb} {text}", ""
    elif draw < 0.33 and adverb and "_" in text:
        text, adverb = text.replace("_", adverb), ""
    tail, velocity, leading = [adverb], "", ""
    if amount:
        text, leading = with_amount(speaker, text, tail, amount, still)
    elif not still:
        draw = speaker.rng.random()
        tail.append(speaker.say(P.endless if last and draw < 0.09 else P.vague if draw < 0.1 * measured else ""))
    if not speed and not still and speaker.chance(0.07):
        velocity = speaker.new_velocity(motion)
        words = f"{speaker.say(P.at)} {velocity}"
        if not leading and speaker.chance(0.12):
            leading = f"{words}, "  # at 1.5 m/s, run 12 m
        else:
            tail.insert(speaker.rng.randint(0, len(tail)), words)
    text = " ".join([leading + text.replace("_", ""), *tail]).strip()
    goal = GoalWords(motion, speed, amount.text if amount else "", velocity)
    made = Block(text, (goal,), "fixed" if leading else "verb", P.nouns[motion])
    return with_manner(speaker, made) if speaker.chance(manner) else made


def verb_phrase(speaker: Speaker, motion: str, speed: str) -> tuple[str, str]:
    """The speed that the verb of a motion implies, and the verb with its direction."""
    side = motion.split()[-1]
    table = (P.plain if motion in P.plain and speaker.chance(0.4) else P.motions)[motion]
    implied, template = speaker.pick([(each, template) for each in ("", speed) for template in table.get(each, [])])
    unsaid = motion in ("turn left", "curve left") and speaker.chance(0.12)
    to, clock = ("", "") if unsaid else (P.directions.get(side, ""), P.clockwise.get(side, ""))
    return implied, speaker.say(template, to=to, side=side, clock=clock)


def with_amount(speaker: Speaker, text: str, tail: list[str], amount: Amount, still: bool) -> tuple[str, str]:
    """The text with an amount in it, and words before it. Most amounts go to the tail."""
    said, draw, timed = amount.text, speaker.rng.random(), amount.kind == "time"
    if draw < 0.28 and "_" in text:
        return text.replace("_", f"for {said}" if timed else said), ""
    if draw < 0.33 and not still:
        tail.append(speaker.say(P.until[amount.kind], a=said))
    elif draw < 0.38 and timed:
        return text, f"for {said}, "
    elif draw < 0.42 and said.endswith(" degrees"):
        tail.insert(0, amount.number)  # turn left 90
    else:
        habits = P.habits.get(speaker.style) if speaker.chance(0.2) else None
        tail.insert(speaker.rng.randint(0, 1), f"{speaker.say((habits or P.prepositions)[amount.kind])} {said}")
    return text, ""


def measured_move(speaker: Speaker, motions: Sequence[str], amount: Amount, speed: str | None = None) -> Block:
    """A motion with its amount that can stand before "and the same back"."""
    while True:
        made = move(speaker, speaker.pick(motions), amount, speed, manner=0)
        if made.form != "fixed" and not made.events[0].velocity:
            return made


def whole_turn(speaker: Speaker) -> Block:
    """turn around, spin, face left, walk in a circle, do two laps to the right"""
    row = speaker.weighted(P.whole_turns)
    side, speed = speaker.side(), speaker.weighted([("", 80), ("slow", 11), ("fast", 9)])[0]
    maybe = speaker.say(P.clockwise[side]) if speaker.chance(0.3) else speaker.say(P.to_side, side=side)
    text = speaker.say(row["say"], maybe="" if side == "left" and speaker.chance(0.5) else maybe, side=side)
    noun = "circle" if row["motion"] == "curve" else "spin" if row["degrees"] > 200 else "turn"
    goal = GoalWords(f"{row['motion']} {side}", speed, f"{row['degrees']} degrees")
    made = Block(f"{text} {speaker.say(P.adverbs[speed])}", (goal,), "verb", noun)
    return with_manner(speaker, made) if speaker.chance(0.05) else made


def place(speaker: Speaker) -> Block:
    """go to the spot three metres ahead and one to the left"""
    kind, side, ahead = speaker.pick(["length", "length", "steps"]), speaker.side(), speaker.pick(P.ends)
    first, second = speaker.new_amount(kind), speaker.new_amount(kind, plain=True)
    bare = first.unit == second.unit and second.value != 1 and speaker.chance(0.45)
    values = {"a": first.text, "b": second.text, "also": second.number if bare else second.text}
    values |= {"front": P.ahead_of[ahead], "beside": P.beside, "side": side, "ahead": ahead}
    words, meaning = speaker.pick(P.places)
    row = speaker.weighted(P.reach)
    text = speaker.say(row["say"], spot=f"{P.spot} {words}", **values)
    goal = GoalWords("go to", row["speed"], speaker.say(meaning, **values))
    return Block(text, (goal,), "fixed" if text.startswith("to ") else "verb")


def return_home(speaker: Speaker) -> Block:
    return move(speaker, speaker.pick(HOME), measured=0)


def with_manner(speaker: Speaker, block: Block) -> Block:
    """The goal of a block with a posture for as long as it lasts: walk 3 m crouched."""
    posture = speaker.pick(P.manner_postures)
    text = speaker.say(P.manners[posture], hand=posture.split()[-1])
    events = tuple(goal._replace(postures=(*goal.postures, posture)) for goal in block.events)
    if text.startswith(("with ", "while ")) and speaker.chance(0.12):
        return block._replace(text=f"{text}, {block.text}", events=events, form="fixed")
    return block._replace(text=f"{block.text} {text}", events=events)


def wave(speaker: Speaker) -> Block:
    posture = speaker.pick(["wave left", "wave left", "wave right", "wave right", "wave right"])
    said = speaker.new_amount("time").text if speaker.chance(0.3) else ""
    text = speaker.say(P.waves[posture], hand=posture.split()[-1]) + (f" for {said}" if said else "")
    return Block(text, (GoalWords("stand", amount=said, postures=(posture,)),), "verb", "wave")


def pose(speaker: Speaker) -> Block:
    """A posture as an action of its own: it stays."""
    postures = speaker.pick([("low",), ("low",), ("arms up",), ("arms out",), ("low", "arms up"), ("low", "arms out")])
    event, noun = GoalWords("", postures=postures), P.nouns.get(" and ".join(postures), "")
    if len(postures) == 1 and speaker.chance(0.2):
        return Block(speaker.say(P.nominal_poses[postures[0]]), (event,), "noun", noun)
    return Block(" and ".join(speaker.say(P.poses[posture]) for posture in postures), (event,), "verb", noun)


def timed_pose(speaker: Speaker) -> Block:
    """hold your arms up for five seconds"""
    posture, said = speaker.pick(list(P.poses)), speaker.new_amount("time").text
    text = speaker.say(P.poses[posture] + P.held, a=said)
    if speaker.chance(0.3):
        text = speaker.say(P.standing, speaker.say(P.manners[posture]), a=said)
    return Block(text, (GoalWords("stand", amount=said, postures=(posture,)),), "verb")


def release(speaker: Speaker, postures: tuple[str, ...]) -> Block:
    text = " and ".join(speaker.say(P.releases[posture.split()[0]]) for posture in postures)
    return Block(text, (GoalWords(""),), "verb")


def folded(events: tuple) -> list[GoalWords] | None:
    """The goals of some events: a pose holds for the goals after it. None if postures exclude each other."""
    goals, held = [], ()
    for event in events:
        if event.motion:
            pause = event.pause and event.pause._replace(postures=(*held, *event.pause.postures))
            goals.append(event._replace(postures=(*held, *event.postures), pause=pause))
        else:
            held = event.postures
    if not events[-1].motion:
        goals.append(GoalWords("stand", postures=held))
    return None if any(len({*goal.postures} - {"low"}) > 1 for goal in goals) else goals


def program_of(goals: Sequence[GoalWords]) -> str:
    """The program of some goals, in which those that repeat are written once."""
    parts = []
    while goals:
        first, block, goals = goals[0], "; ".join(map(str, goals[: goals[0].size])), goals[goals[0].size :]
        pause = f" with {first.pause} between" if first.pause else ""
        parts.append(f"{first.times} times ({block}){pause}" if first.times > 1 else block)
    return "; ".join(parts)


def count_goals(events: Sequence[GoalWords]) -> int:
    """The number of goals, counting those that repeat each time."""
    return sum(bool(each.motion) + (each.times - 1) * (each.size + bool(each.pause)) for each in events)


def shared(speaker: Speaker) -> Block:
    """left then right, two steps each"""
    row = speaker.pick(P.sharers)
    amount = speaker.new_amount(row["kinds"])
    parts = [speaker.say(words) for words in row["moves"].values()]
    values = {"a": amount.text, "for": {"time": "for", "angle": "by"}.get(amount.kind, "")}
    text = speaker.say(P.shared, list=speaker.joined(parts), **values)
    return Block(text, tuple(GoalWords(motion, amount=amount.text) for motion in row["moves"]))


def ratio(speaker: Speaker) -> Block:
    """walk for 4 s, then twice as long backwards"""
    amount = speaker.new_amount(["length", "length", "time", "time", "steps", "angle"])
    motions = ["turn left", "turn right"] if amount.kind == "angle" else STRAIGHT
    made = measured_move(speaker, motions, amount)
    factor = speaker.pick([2, 2, 2, 0.5, 0.5, 0.5, 3, 0.25, 1, 1, 1])
    (first,), words, said = made.events, speaker.say(P.ratios[factor][amount.kind]), amount.times(factor)
    if factor != 1 and speaker.chance(0.1):
        return Block(inflect(made.text) + speaker.say(P.multiply) + words, (first._replace(amount=said),))
    motion = speaker.pick([name for name in motions if name != first.motion])
    second, text = GoalWords(motion, amount=said), f"{words} {speaker.say(P.ways[motion])}"
    if amount.kind != "angle" and (motion == "run forward" or speaker.chance(0.6)):
        other = move(speaker, motion, measured=0, manner=0)
        second, text = other.events[0]._replace(amount=said), f"{other.text} {words}"
    return Block(made.text + speaker.say(P.ratio_joints) + text, (first, second))


def echo(speaker: Speaker, first: bool) -> Block:
    """A motion, and one that refers to it: two metres forward and back again; turn left, and the same to the right.
    Coming back may also be `go home`, if this block is the `first`.
    """
    row = speaker.pick(P.echoes if first else P.echoes[:-1])
    amount = speaker.new_amount(row["kinds"])
    made = measured_move(speaker, row["motions"], amount)
    way, _, side = made.events[0].motion.partition(" ")
    other = OTHER_SIDE.get(side, "")
    then = GoalWords(row["then"]) if row["then"] else made.events[0]._replace(motion=f"{way} {other}")
    then = then._replace(amount=amount.text if row["amount"] else "")
    return Block(speaker.say(row["say"], made.text, a=amount.text, side=other), (*made.events, then))


def shares(speaker: Speaker) -> Block:
    """run 10 s, the first half slowly; walk 9 metres, the last third crouched"""
    amount = speaker.new_amount(["length", "time", "time"], plain=speaker.chance(0.7))
    made = measured_move(speaker, STRAIGHT, amount, speed="")
    share, other = speaker.weighted(P.shares)["of"]
    named, template = speaker.pick(P.shared_by)
    x, y = speaker.pick(P.share_pairs[named])
    text = speaker.say(template, made.text, share=share, x=P.share_manners[x], y=P.share_manners[y])
    factors = (share, other) if named != "last" else (other, share)
    goals = []
    for factor, manner in zip(factors, (x, y), strict=True):
        speed, posture = ("", (manner,)) if manner in P.manners else (manner, ())
        goals.append(GoalWords(made.events[0].motion, speed, f"{P.share_words[factor]} {amount.text}", "", posture))
    return Block(text, tuple(goals))


def ladder(speaker: Speaker) -> Block:
    """walk slowly for two metres, then briskly for four"""
    motion, verb = speaker.pick(P.ladder_verbs)
    kind = speaker.pick(["length", "steps", "time"])
    more, parts, goals = speaker.weighted(P.units[kind])[1], [], []
    for speed, posture, words in speaker.rng.sample(P.ladders, speaker.pick([2, 2, 3])):
        number = speaker.numeral(speaker.rng.randint(2, 12), digits=len(more) < 5)
        said = number if parts and more.startswith(" ") and speaker.chance(0.5) else number + more
        said = f"for {said}" if kind == "time" else said
        parts.append(("" if parts else verb) + speaker.say("[ {0} {1}| {1} {0}]", said, speaker.say(words)))
        goals.append(GoalWords(motion, speed, number + more, "", (posture,) if posture else ()))
    return Block(speaker.say(P.ladder_joints).join(parts), tuple(goals))


def ellipsis(speaker: Speaker, count: int) -> Block:
    """Legs without their unit or verb: two steps left, three right; three metres, turn left and two more."""
    kind = speaker.pick(["length", "steps"])
    more = speaker.weighted(P.units[kind])[1]
    numbers = [speaker.numeral(speaker.rng.randint(2, 12), digits=len(more) < 5) for _ in range(count)]
    if speaker.chance(0.35):
        motions, verb = speaker.rng.sample(list(P.ways)[:4], count), P.take if kind == "steps" else "go/going/gone"
        parts = [f"{number} {speaker.say(P.ways[motion])}" for number, motion in zip(numbers, motions, strict=True)]
        parts[0] = speaker.say(f"[{verb}|] {numbers[0]}{more} {P.ways[motions[0]]}")
        goals = [GoalWords(motion, amount=number + more) for number, motion in zip(numbers, motions, strict=True)]
        return Block(speaker.joined(parts), tuple(goals))
    speed, verb = speaker.pick(P.marches)
    parts, goals = [f"{verb} {numbers[0]}{more}"], [GoalWords("walk forward", speed, numbers[0] + more)]
    for number in numbers[1:]:
        values = {"side": speaker.side(), "n": speaker.numeral(speaker.pick([90, 90, 45, 60]))}
        words, motion, said = (speaker.say(each, **values) for each in speaker.pick(P.turnings))
        parts += [words, speaker.say(P.marches_on, number, verb, more)]
        goals += [GoalWords(motion, amount=said), GoalWords("walk forward", speed, number + more)]
    return Block(speaker.joined(parts), tuple(goals))


def repetition(speaker: Speaker, fits: bool = True) -> Block:
    """Some goals several times, perhaps with a pause between. `fits`: whether they are few enough for a program."""
    count = speaker.pick([1, 1, 2, 2, 3])
    makers = [(lambda s: move(s, measured=0.9), 8), (wave, 1), (whole_turn, 1)]
    makers = makers if count > 1 else makers[:2]  # "spin twice" is one turn of 720 degrees
    few = [speaker.make(*makers) for _ in range(count)]
    text, events = speaker.pick([", ", " and ", ", then "]).join(inflect(block.text) for block in few), events_of(few)
    if fits and speaker.chance(0.25):
        return Block(speaker.say(P.again, text), repeated(events, 2))
    count = speaker.pick([count for count in P.times if (count * len(few) <= MAX_GOALS) == fits])
    said = speaker.say(P.times[count])
    if len(few) == 1 and count < 5 and events[0].motion != "stand" and speaker.chance(0.5):
        pause = speaker.new_amount("time", plain=True).text
        between = speaker.say(P.between, a=pause)
        stop = GoalWords("stand", amount=pause if pause in between else "")
        return Block(f"{text} {said} {between}", repeated(events, count, stop))
    return Block(speaker.say(P.repeats, text, t=said), repeated(events, count))


def repeated(goals: tuple, times: int, pause: GoalWords | None = None) -> tuple:
    return (goals[0]._replace(times=times, size=len(goals), pause=pause), *goals[1:])


def circles(speaker: Speaker) -> Block:
    """a figure eight; a circle and another the other way"""
    side, template = speaker.side(), speaker.pick(P.circles)
    sides = (side, OTHER_SIDE[side]) if "{0}" in template else ("left", "right")
    text = speaker.say(template, *sides)
    goals = tuple(GoalWords(f"curve {way}", amount="360 degrees") for way in sides)
    return Block(text, goals, "verb" if "/" in text else "noun", "eight")


def shape(speaker: Speaker) -> Block:
    """walk a square with sides of two metres"""
    side, kind = speaker.pick(["left", "left", "right"]), speaker.pick(["square", "square", "triangle", "rectangle"])
    size, verb = speaker.new_amount(["length", "length", "steps"]), speaker.say(P.shape)
    other = speaker.new_amount(size.kind, plain=True) if kind == "rectangle" else size
    sizes, angle = ([size.text] * 3, 120) if kind == "triangle" else ([size.text, other.text] * 2, 90)
    words = speaker.say(P.shapes[kind], a=size.text, b=other.text)
    if kind != "rectangle" and speaker.chance(0.15):
        words, sizes = kind, ["2 metres"] * len(sizes)
    corners = ""
    if side == "right" or speaker.chance(0.5):
        corners = speaker.say(P.corners, side=side, clock=P.clockwise[side])
    motion = "run forward" if verb.startswith("run") else "walk forward"
    turn = GoalWords(f"turn {side}", amount=f"{angle} degrees")
    goals = tuple(goal for size in dict.fromkeys(sizes) for goal in (GoalWords(motion, amount=size), turn))
    goals = repeated(goals, 2 * len(sizes) // len(goals))
    return Block(f"{verb} a {speaker.say(P.sizes)} {words} {corners}", goals, "verb")


def telegram(speaker: Speaker, count: int) -> Block:
    """fwd 3m, R 90, fwd 1m"""
    lower, glue, held = speaker.chance(0.4), speaker.chance(0.5), ""
    parts, events = [], []
    while (goals := sum(bool(event.motion) for event in events)) < count:
        row, side, said = speaker.weighted(P.codes), speaker.side(), ""
        values = {"side": side, "S": side[0] if lower and glue else side[0].upper()}
        words, kind = speaker.say(row["say"], **values), speaker.pick(row["kinds"])
        motion, meant, posture = (speaker.say(each, **values) for each in row["goal"])
        if (held and motion and posture) or (kind == "time" and not words):
            continue
        if not motion:
            if events and not events[-1].motion:
                continue
            words, posture = (speaker.say(P.code_releases[held]), "") if held else (words, posture)
            held = posture
        elif kind == "angle" and speaker.chance(0.7):  # R 90, or only R
            said = speaker.numeral(speaker.pick(P.code_angles), digits=len(words) == 1)
            meant = f"{said} degrees"
            if motion.startswith("turn") and speaker.chance(0.2):  # without an angle: a corner, between two others
                said, meant = "", "90 degrees" if events and goals < count - 1 else ""
        elif kind:
            said = meant = speaker.new_amount(kind, plain=True).text
        if motion == "go to":
            way, where = (speaker.say(each, **values) for each in speaker.pick(P.code_places))
            said, meant = f"{said} {way}", f"{meant} {where}"
        parts.append(words + ("" if glue and len(words) == 1 else " ") + said)
        events.append(GoalWords(motion, "", meant, "", (posture,) if posture else ()))
    text = speaker.say(P.code_joints).join(part.strip() for part in parts)
    return Block(text.lower() if lower else text.upper() if speaker.chance(0.04) else text, tuple(events))


def allowed(template: str, first: Block, second: Block) -> bool:
    """Whether two blocks have the forms that a template asks for."""
    for index, block in enumerate((first, second)):
        inflected = rf"\{{{index}[gp]\}}" if block.form == "fixed" else rf"\{{{index}p\}}"
        if block.form != "verb" and re.search(rf"{inflected}|(you|don't|only|is|to) \{{{index}\}}", template):
            return False
    return True


def paired(speaker: Speaker, first: Block, second: Block) -> Block:
    """Two blocks in one of the many ways to order two actions."""
    ordered = speaker.chance(0.42) and "fixed" not in (first.form, second.form)
    templates = P.ordered if ordered else P.pairs
    template = speaker.pick([template for template in templates if allowed(template, first, second)])
    forms = {"": IMPERATIVE, "g": GERUND, "p": PARTICIPLE}.items()
    blocks = enumerate((first, second))
    text = filled(template, {f"{i}{mark}": inflect(block.text, form) for i, block in blocks for mark, form in forms})
    form = {"{0}": first.form, "{1}": second.form}.get(template[:3], "fixed")
    return Block(text, first.events + second.events, "fixed" if ". " in template else form)


def chain(speaker: Speaker, blocks: Sequence[Block]) -> Block:
    """Blocks one after another, their verbs inflected."""
    if len(blocks) == 1:
        return blocks[0]._replace(text=inflect(blocks[0].text))
    if len(blocks) == 2:
        return paired(speaker, *blocks)
    blocks, events = list(blocks), events_of(blocks)
    if speaker.chance(0.12) and len(blocks) <= 8:
        text = "{}".join(speaker.pick(P.numbered).split("{}")[: len(blocks)]) + "{}"
        return Block(text.format(*(inflect(block.text) for block in blocks)), events)
    same = speaker.chance(0.6)
    joints = [speaker.pick(P.joints)] * len(blocks) if same else speaker.rng.choices(P.joints, k=len(blocks))
    joints = [speaker.say(joint) for joint in joints][1:]
    if speaker.chance(0.5):
        joints[-1] = speaker.say(P.last_joints)
    if speaker.chance(0.3):  # a pair told in its own order, set apart from the rest
        index = speaker.rng.randrange(len(joints))
        blocks[index : index + 2] = [paired(speaker, *blocks[index : index + 2])]
        around = slice(max(index - 1, 0), index + 2)
        joints[around] = [speaker.say(P.strong_joints) for _ in joints[around]][1:]
    text = inflect(blocks[0].text)
    text += "".join(joint + inflect(block.text) for joint, block in zip(joints, blocks[1:], strict=True))
    return Block(text, events, "verb" if blocks[0].form == "verb" else "fixed")


def simple_block(speaker: Speaker) -> Block:
    return speaker.make((move, 75), (whole_turn, 11), (place, 6), (wave, 5), (return_home, 6))


def single(speaker: Speaker) -> Block:
    """A sentence of one goal."""
    makers = [(lambda s: move(s, last=True, manner=0.12), 53), (whole_turn, 11), (place, 10), (return_home, 8)]
    return speaker.make(*makers, (wave, 5), (pose, 6), (timed_pose, 4), (negative, 4))


def negative(speaker: Speaker) -> Block:
    row = speaker.pick(P.negatives)
    return Block(speaker.say(row["say"]), (GoalWords(row["motion"]),))


def few_blocks(speaker: Speaker, count: int) -> list[Block]:
    """Blocks with about `count` goals in all. Some goals come in groups, some have a posture of their own."""
    groups = [(shared, 4), (ratio, 5), (shares, 4), (circles, 2), (ladder, 3)]
    others = [(lambda s: ellipsis(s, s.pick([2, 2, 3])), 7), (repetition, 5)]
    blocks: list[Block] = []
    while (goals := count_goals(events_of(blocks))) < count:
        if goals + 2 <= count and speaker.chance(0.35):
            blocks.append(speaker.make(*groups, *others, (lambda s: echo(s, not blocks), 5)))
        else:
            blocks.append(speaker.make((simple_block, 1)))
    if speaker.chance(0.2):  # a posture of its own, from here on
        made, start = pose(speaker), speaker.rng.randint(0, len(blocks))
        blocks.insert(start, made)
        end = speaker.rng.randint(start + 2, len(blocks) + 2)
        blocks[end:end] = [release(speaker, made.events[0].postures)] if end <= len(blocks) else []
    elif speaker.chance(0.07):  # crouch for five seconds, stand up, then go on
        made, index = timed_pose(speaker), speaker.rng.randint(0, len(blocks))
        ending = index < len(blocks) or speaker.chance(0.3)
        blocks[index:index] = [made, release(speaker, made.events[0].postures)] if ending else [made]
    if speaker.chance(0.12) and blocks[-1].events[-1].motion not in HOME:
        blocks.append(return_home(speaker))
    return blocks


def dropped(speaker: Speaker, blocks: list[Block]) -> Block | None:
    """One of the blocks is taken back: walk 2 m and turn left, scratch the turn."""
    nouns = [block.noun for block in blocks]
    choices = [block for block in blocks if block.noun and nouns.count(block.noun) == 1]
    if not choices or len(blocks) < 2 or any(len(block.events) > 1 for block in blocks):
        return None
    less = speaker.pick(choices)
    text = speaker.say(P.dropped, chain(speaker, blocks).text, n=less.noun)
    return Block(text, events_of([block for block in blocks if block is not less]))


def replaced(speaker: Speaker) -> Block | None:
    """Another goal instead: don't run, walk two metres."""
    wrong, right = simple_block(speaker), simple_block(speaker)
    if (wrong.form, right.form) != ("verb", "verb") or wrong.events[0].motion == right.events[0].motion:
        return None
    values = {"0g": inflect(wrong.text, GERUND), "mend": speaker.say(P.mend)}
    return Block(speaker.say(P.instead, inflect(wrong.text), inflect(right.text), **values), right.events)


def slipped(speaker: Speaker) -> Block | None:
    """A block of which a part is wrong at first: walk 4, no, 5 metres; turn left 90 degrees, no, right"""
    made = speaker.make((lambda s: move(s, measured=0.9, manner=0), 30), (place, 5), (wave, 4), (pose, 4))
    text, goal, pairs = made.text, made.events[0], list(P.slips.items())
    for right in re.findall(amounts.AMOUNT, goal.amount):
        wrong = speaker.new_amount(P.kinds[amounts.amount(right)[0]])
        pairs += [(right, wrong.text), (right, wrong.text), (right, wrong.number)]
    if goal.velocity:
        pairs.append((goal.velocity, speaker.new_velocity(goal.motion)))
    words = [
        (re.search(rf"\b{re.escape(right)}(?![\w/])", text), wrong) for right, wrong in pairs if wrong not in right
    ]
    found = [(word, wrong) for word, wrong in words if word]
    if not found:
        return None
    word, wrong = speaker.pick(found)
    before, right, after = text[: word.start()], word[0], text[word.end() :]
    if speaker.chance(0.2):
        return made._replace(text=before + wrong + after + speaker.say(P.mend) + right)
    said = wrong + speaker.say(P.mend) + right + (speaker.say(P.mended_ends) if speaker.chance(0.05) else "")
    return made._replace(text=before + said + after)


def corrected(speaker: Speaker, alone: bool) -> Block | None:
    """A sentence in which the speaker takes something back: the whole of it, or a part."""
    blocks = [single(speaker)] if alone else few_blocks(speaker, speaker.pick([2, 2, 3]))
    kinds = {"nevermind": 10, "taking_back": 7, "confirmed": 4, "dropped": 2 if alone else 16}
    (kind,) = speaker.rng.choices([*kinds, "replaced", "slipped"], [*kinds.values(), 14, 54])
    if kind == "dropped":
        return dropped(speaker, blocks)
    if kind in kinds:
        action, name = speaker.pick(P.taken_back)
        text = speaker.say(getattr(P, kind), chain(speaker, blocks).text, s=P.stay, a=action, n=name)
        return Block(text, (GoalWords("stand"),) if kind == "nevermind" else events_of(blocks))
    made = replaced(speaker) if kind == "replaced" else slipped(speaker)
    if made is None or alone:
        return made
    made, index = made._replace(text=inflect(made.text), form="fixed"), speaker.rng.randrange(len(blocks))
    if kind == "slipped":
        blocks[index] = made
        return chain(speaker, blocks)
    if len(blocks) == 1:
        return made
    # what is replaced comes first, so that it is clear
    text = made.text + speaker.say(P.strong_joints) + chain(speaker, blocks[1:]).text
    return Block(text, events_of([made, *blocks[1:]]))


def instruction(speaker: Speaker, kind: str) -> tuple[str, str]:
    """A text and its program, of about as many goals as `kind` says: single, few or long."""
    while True:
        made, framed = draft(speaker, kind)
        goals = made and folded(made.events)
        if not goals or count_goals(goals) not in LENGTHS[kind]:
            continue
        text = finished(speaker, made, framed)
        if len(text) < 480:
            return text, program_of(goals)


def draft(speaker: Speaker, kind: str) -> tuple[Block | None, bool]:
    """The words of an instruction, and whether something may be said around them."""
    if kind != "long" and speaker.chance(0.13):
        return corrected(speaker, kind == "single"), True
    if kind == "single":
        made = single(speaker)
        return (made if speaker.chance(0.15) else made._replace(text=inflect(made.text))), True
    if speaker.chance(0.16 if kind == "few" else 0.2):
        count = speaker.pick([2, 3, 3, 4]) if kind == "few" else speaker.rng.randint(5, 8)
        return telegram(speaker, count), speaker.chance(0.1)
    if kind == "few" or speaker.chance(0.25):
        count = speaker.pick([2, 2, 2, 2, 3, 3, 4]) if kind == "few" else speaker.rng.randint(5, 8)
        blocks = few_blocks(speaker, count)
    else:
        blocks = [speaker.make((shape, 4), (repetition, 3), (lambda s: ellipsis(s, s.pick([3, 4])), 2))]
        blocks += [simple_block(speaker)] if speaker.chance(0.35) else []
    made = chain(speaker, blocks)
    posed = any(not event.motion or event.postures for event in made.events)
    if len(made.events) == 1 or posed or not speaker.chance(0.08):
        return made, True
    posture = speaker.pick(list(P.throughout))  # one for all goals
    goals = [goal._replace(pause=goal.pause and goal.pause._replace(postures=(posture,))) for goal in made.events]
    words = speaker.say(P.throughout[posture])
    text = f"{words}: {made.text}" if speaker.chance(0.4) else f"{made.text}, {words}"
    return Block(text, tuple(goal._replace(postures=(posture,)) for goal in goals)), False


def finished(speaker: Speaker, made: Block, framed: bool = True) -> str:
    """Politeness, names, reasons and stories around an instruction, and the writing of its speaker."""
    text, ending, style = made.text.strip(), "", speaker.style
    if framed and made.form == "verb" and inflect(text) != text:
        text, framed = speaker.say(P.gerund_frames, inflect(text, GERUND)), False
    elif framed and made.form == "noun" and speaker.chance(0.3):
        text, framed = speaker.say(P.noun_frames, text), False
    text = inflect(text)
    if not framed:
        return written(speaker, tidy(text.rstrip(", ")))
    if speaker.chance({"polite": 0.85, "exact": 0.15, "foreign": 0.3}.get(style, 0.22)):
        text = speaker.say(P.openings if made.form == "verb" and text[0].isalpha() else P.neutral_openings) + text
    elif made.form == "verb" and speaker.chance(0.3 if style == "foreign" else 0.03):
        text = "you " + text
    if speaker.chance({"casual": 0.4, "polite": 0.2}.get(style, 0.07)):
        name = speaker.say(P.names)
        call = speaker.say(P.calls, name=name)
        text, ending = call + text, "" if call else f", {name}"
    if speaker.chance({"casual": 0.35, "transcript": 0.1, "exact": 0.05}.get(style, 0.13)):
        if speaker.chance(0.45):
            ending += speaker.say(P.reason_joints) + speaker.say(P.reasons, who=speaker.say(P.who))
        else:
            text = speaker.say(P.stories) + speaker.say(P.story_joints) + text
    elif not ending and speaker.chance({"polite": 0.3}.get(style, 0.1)):
        ending += speaker.say(P.closings)
    elif speaker.chance(0.02):
        ending += ", " + speaker.say(P.empty_bans)
    return written(speaker, tidy(text.rstrip(", ") + ending))


def written(speaker: Speaker, text: str) -> str:
    """The text as the speaker writes it: capitals, punctuation, slang, fillers, typing errors."""
    if speaker.style in ("texter", "transcript") and speaker.chance(0.3):
        text = re.sub(r"(?<=[a-z])'(?=[a-z])", "", text)
    if speaker.style == "transcript":
        text = re.sub(r"[.,;:!?]+(?=\s|$)|(?<=\s)--?(?=\s)", "", text.lower())
        words = (speaker.say(P.transcript_openings) + text).split()
        for _ in range(speaker.pick([0, 1, 1, 2, 3])):
            words.insert(speaker.rng.randint(0, len(words)), speaker.say(P.fillers))
        return misspelled(speaker, " ".join(words), 0.03)
    if speaker.style == "texter":
        text = respelled(speaker, text, P.slang, 0.55)
        return misspelled(speaker, text.lower() if speaker.chance(0.85) else text, 0.35)
    if speaker.style == "casual" and speaker.chance(0.2):
        text = respelled(speaker, text, P.dialect, 1)
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
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBORS = {key: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in KEYS for i, key in enumerate(row)}


def misspelled(speaker: Speaker, text: str, share: float) -> str:
    """The text with one or two slips in its longer words, but not in numbers, and none that makes another word."""
    if not speaker.chance(share):
        return text
    words = text.split(" ")
    for index in speaker.rng.choices(range(len(words)), k=speaker.pick([1, 1, 1, 2])):
        if len(words[index]) >= 4 and words[index].isalpha() and not re.fullmatch(P.number_words, words[index], re.I):
            words[index] = slip(speaker, words[index])
    if speaker.chance(0.12) and len(words) > 3:
        index = speaker.rng.randrange(len(words) - 1)
        if (words[index] + words[index + 1]).isalpha():
            words[index : index + 2] = [words[index] + words[index + 1]]
    return " ".join(words)


def slip(speaker: Speaker, word: str) -> str:
    """A word with two letters swapped, or one letter missing, doubled or replaced by a neighboring key."""
    at = speaker.rng.randrange(1, len(word) - 1)
    before, here, after = word[:at], word[at], word[at + 1 :]
    near = speaker.pick(NEIGHBORS.get(here.lower(), here))
    wrong = speaker.pick([after[0] + here + after[1:], after, here + here + after, near + after])
    return word if (before + wrong).lower() in KNOWN else before + wrong


def refusal(speaker: Speaker) -> tuple[str, str]:
    """A text that is refused, and its program."""
    makers: list[tuple] = [("body", beyond_the_body, 41), ("unclear", not_an_order, 34), ("rules", new_rules, 17)]
    makers += [("limit", too_long, 6), ("nothing", lambda s: s.pick(P.nothing), 1)]
    reason, make, _ = speaker.weighted(makers)
    return make(speaker), f"refuse: {reason}"


def beyond_the_body(speaker: Speaker) -> str:
    """An action that the robot lacks, alone or among ones that it has."""
    side = speaker.side()
    fill = {name: speaker.say(getattr(P, name)) for name in ("thing", "place", "person")} | {"side": side}
    fill |= {name: speaker.new_amount(kind).text for name, kind in (("a", "length"), ("t", "time"), ("d", "angle"))}
    text = speaker.say(P.body, **fill)
    if speaker.chance(0.35):
        blocks = few_blocks(speaker, speaker.pick([1, 1, 2]))
        blocks.insert(speaker.pick([0, len(blocks), len(blocks)]), Block(text, ()))
        text = chain(speaker, blocks).text
    elif speaker.chance(0.25):
        text += speaker.say(P.body_notes, side=side)
    return finished(speaker, Block(text, (), "verb" if speaker.chance(0.8) else "fixed"))


def not_an_order(speaker: Speaker) -> str:
    """Questions, remarks, quotations, nonsense and other languages."""
    number = str(speaker.rng.randint(2, 60))
    if speaker.chance(0.14):
        return written(speaker._replace(style="plain"), speaker.say(P.other_languages, n=number).strip())
    walked = measured_move(speaker, STRAIGHT[:3], speaker.new_amount("time"))
    made = speaker.pick([walked, move(speaker, "turn right", speed="", manner=0), whole_turn(speaker)])
    values = {"subject": speaker.say(P.subject), "a": speaker.new_amount("length").text, "n": number}
    values |= {"dot": speaker.pick(["", ".", "."]), "bang": speaker.pick(["", "", ".", "!"])}
    values |= {"command": tidy(inflect(made.text)), "participle": tidy(inflect(made.text, PARTICIPLE))}
    text = speaker.say(P.unclear, **values)
    if speaker.chance(0.1):
        text = speaker.say(P.stories) + speaker.pick([". ", ", "]) + text
    elif speaker.chance(0.1):
        text = speaker.say(P.chatter, name=speaker.say(P.names)) + text
    return written(speaker, tidy(text))


def new_rules(speaker: Speaker) -> str:
    """Attempts to change what the planner may say."""
    goals = None
    while not goals:
        command = chain(speaker, few_blocks(speaker, speaker.pick([1, 1, 2])))
        goals = folded(command.events)
    values = {"command": tidy(command.text), "program": program_of(goals), "sep": speaker.pick([", ", ": ", " and "])}
    values |= {"order": speaker.say(P.orders), "more": speaker.say(P.more, **values)}
    if speaker.chance(0.2):
        return filled(speaker.pick(P.markup), values)
    text = speaker.say(P.rules, **values)
    if speaker.chance(0.15):
        text = values["command"] + speaker.pick([". ", ", and ", ". Also ", ", then "]) + text
    elif speaker.chance(0.2):
        text = speaker.say(P.neutral_openings) + text
    return written(speaker, tidy(text))


def too_long(speaker: Speaker) -> str:
    """More than eight goals."""
    size = speaker.new_amount("length").text
    makers = [(lambda s: repetition(s, fits=False), 5), (lambda s: telegram(s, s.rng.randint(9, 13)), 2)]
    makers += [(lambda s: chain(s, [simple_block(s) for _ in range(s.rng.randint(9, 11))]), 2)]
    makers += [(lambda s: Block(s.say(P.limit, a=size), (GoalWords("stand"),) * 9, "verb"), 2)]
    while True:
        made = speaker.make(*makers)
        if count_goals(made.events) > MAX_GOALS:
            return finished(speaker, made)

"""Typing errors in the words that decide what an instruction means, put right before anything reads it.

A word that is no English word and one error away from a word of motion, side, order, number or unit is taken for that
word: wlak -> walk, secnds -> seconds, turnleft -> turn left. Nothing else is touched. The language model then sees
words that it knows, and a misspelled unit is a unit all the same.
"""

import functools
import itertools
import re
import string
from collections.abc import Iterator
from pathlib import Path

# What may be meant, the likelier of two first; verbs in all their forms.
VERBS = """walk turn run stop step jog stand sprint spin rotate wait move halt pause stay march sidestep curve
strafe pivot go freeze creep stroll hurry rush dash veer face swivel twist advance retreat reverse head proceed
start keep begin finish repeat remain hold take make cover travel continue circle trace"""
WORDS = """left right forward forwards backward backwards back ahead straight around sideways clockwise
counterclockwise anticlockwise then and after before first next finally until once twice again again followed
afterwards while without instead times slow slowly quick quickly fast normal gently carefully briskly rapidly speed
pace seconds second meters meter metres metre degrees degree steps minutes minute centimeters centimeter
centimetres centimetre milliseconds paces feet foot yards rotation rotations revolution secs mins half quarter full
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand square triangle rectangle meant
please could would for the you your with don't walked walking ran running stopped stood went gone done took
made jump jumping"""
# English words that would be turned into one of these, from the word list of SCOWL (Atkinson).
REAL_WORDS = frozenset(Path(__file__).with_name("real_words.txt").read_text().split())

NEIGHBORS = {
    key: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for place, key in enumerate(row)
}
# What is typed for a longer word. A u-turn keeps its u, and "an" is "and" before a verb.
SHORTHAND = {"u": "you", "ur": "your", "ya": "you", "n": "and", "nd": "and", "an": "and", "dont": "don't"}
SHORTHAND |= {"pls": "please", "plz": "please", "fwd": "forward", "bwd": "backward", "bkwd": "backward"}
_EXCEPT = {"u": r"(?:(?<=can u)|(?! turn|-turn| ey|-ey))", "an": rf"(?= (?:{'|'.join(VERBS.split())})\b)"}
_SHORT = "|".join(word + _EXCEPT.get(word, "") for word in SHORTHAND)
SHORT = re.compile(rf"(?<![\w'<-])(?:{_SHORT})(?![\w'>=-])")
STRETCHED = re.compile(r"([a-z])\1{2,}")  # slooowly
SHORTEST = 3  # letters of a word that is looked at; so short a one lacks a letter or has two in the wrong order


def inflections(verb: str) -> tuple[str, ...]:
    """walk, walks, walking, walked."""
    stem = verb.removesuffix("e")
    if re.fullmatch(r"(?:side)?[^aeiou]+[aeiou][^aeiouwxy]", verb):  # run, running
        stem += stem[-1]
    return verb, f"{verb}s", f"{stem}ing", f"{stem}ed"


KNOWN = dict.fromkeys([*WORDS.split(), *(form for verb in VERBS.split() for form in inflections(verb))])


def corrected(text: str) -> str:
    """`text`, in lower case, with the words put right that are one typing error away from a word of instructions."""
    text = SHORT.sub(lambda match: SHORTHAND[match[0]], text.lower())
    text = re.sub(r"\b([a-z]{2,})(?=[0-9])", lambda match: f"{match[1]} " if _is_known(match[1]) else match[1], text)
    return re.sub(r"(?<![\w'<])([0-9]*)([a-z]{3,})(?![\w'>=])", lambda match: match[1] + correction(match[2]), text)


def _is_known(word: str) -> bool:
    return correction(word).split()[0] in KNOWN


@functools.lru_cache(maxsize=10_000)
def correction(word: str) -> str:
    """The word of instructions that `word` was meant to be, two of them where a space is missing, or `word` itself."""
    if word in KNOWN or word in REAL_WORDS:
        return word
    meant = itertools.chain((STRETCHED.sub(r"\1", word), STRETCHED.sub(r"\1\1", word)), _one_error_away(word))
    found = next((each for each in meant if each in KNOWN), None)
    return found or next((f"{a} {b}" for a, b in _halves(word) if a in KNOWN and b in KNOWN), word)


def _halves(word: str) -> list[tuple[str, str]]:
    return [(word[:place], word[place:]) for place in range(2, len(word) - 1)]


def _one_error_away(word: str) -> Iterator[str]:
    """What `word` may have been: the commonest errors first."""
    places = range(len(word) + 1)
    yield from (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in places[:-2])
    yield from _in_order({word[:i] + letter + word[i:] for i in places for letter in string.ascii_lowercase})
    if len(word) > SHORTEST:
        yield from _in_order({word[:i] + word[i + 1 :] for i in places[:-1]})
        yield from _in_order({word[:i] + near + word[i + 1 :] for i in places[:-1] for near in NEIGHBORS[word[i]]})
        yield from _in_order(
            {word[:i] + letter + word[i + 1 :] for i in places[:-1] for letter in string.ascii_lowercase}
        )


def _in_order(candidates: set[str]) -> list[str]:
    return [word for word in KNOWN if word in candidates]

"""Instructions that are a plain list of steps, taken apart: walk 2 meters, then turn left, and stop.

A language model of a few layers loses count in a long list, and reads one step well. So a list of which every part is
a step of its own is read part by part; it may say how often it is to be done. Whatever has other words for its order,
takes something back, or has a part that is no step, stays whole, and the model reads all of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.instructions import prompt
from agent.quantities import CANONICAL
from agent.spelling import VERBS

# Words of order, condition, correction or repetition: a text that holds one is no plain list.
BINDING = re.compile(
    r"\b(?:before|prior|after(?! that\b| this\b)|once|when|whenever|while|as|during|same time|simultaneously|but|if|"
    r"unless|or|either|not|no|nope|never|\w+n't|dont|without|avoid|instead|rather|than|sorry|mean|meant|actually|oops|"
    r"scratch|strike|forget|cancel|ignore|correction|mistake|quit|cease|make that|make it|stop (?:\w+ )*\w+ing|"
    r"again|more|another|repeat|times|twice|thrice|double|rounds?|sets?|laps?|each|every|both|per|same|back and forth|"
    r"followed|(?:by|with) \w+ing|having|second(?!s)|third|last thing|square|triangle|rectangle|eight|shape)\b"
    r"|\bx ?[0-9]|\b[0-9] ?x\b|[<?()]|(?<![-=])>|=(?!>)"
)
_THEN = (
    r"(?:and )?(?:then|next|afterwards|after that|after this|finally|last|lastly|at the end|in the end|to finish|now|"
    r"subsequently|thereafter)"
)
BETWEEN = re.compile(
    rf"(?:\s*(?:[,;.!|/&+]|[-=]>|- )+)?\s*\b(?:{_THEN}|and)\b[\s,:]*|\s*(?:[;!|/+]|[-=]>|\.+(?![0-9])|,)+\s*"
)
NUMBERED = re.compile(r"(?:^|(?<=[\s,;.]))(?:step )?\(?([1-9])[.):](?=\s)")
OPENED = re.compile(r"^(?:first(?:ly)?(?: of all)?|start by|to begin(?: with)?|ok(?:ay)?|so)\b[\s,:]*")
COURTESY = re.compile(
    r"(?:please|pls|plz|thanks|thank|thx|you|a|lot|so|much|ok|okay|cheers|robot|buddy|dude|bro|mate| )+"
)
NO_STEP = ("go", "go on", "go ahead", "come on", "come", "right", "do so", "all right", "alright")

_MOTIONS = VERBS.replace("\n", " ").replace(" ", "|") + (
    r"|back(?= (?:up|away|off)\b)|come|do|crab|side|sneak|tiptoe|shuffle|slide|shift|amble|edge|inch|rest|relax|arc|"
    r"bend|hustle|trot|saunter|scoot|yaw|bolt|hike"
)
_DIRECTIONS = r"forwards?|ahead|straight|left|right|back|backwards?|fwd|clockwise|counterclockwise"
VERB_FIRST = re.compile(
    rf"(?:(?:slowly|quickly|briskly|gently|carefully|rapidly|swiftly|please|just|you) )*(?:{_MOTIONS})\b(?! it\b)"
)
SECOND_VERB = re.compile(rf"\b(?:{_MOTIONS})\b.*(?<!crab )(?<!side )\b(?:{_MOTIONS})\b")
NOUN = re.compile(r"\b(?:a|an|the|to|some)\b.*")  # take a walk
WITHOUT_VERB = re.compile(
    rf"(?:a |the )?(?:{_DIRECTIONS})\b|[0-9.]+ (?:seconds|meters|degrees)\b.*\b(?:{_DIRECTIONS})\b"
)
RUN_ON = re.compile(rf"(?:(?<=seconds|degrees)|(?<=meters)) (?=(?!back\b)(?:{_MOTIONS})\b)")

_TIMES = r"(?:([2-9]) times|(twice)|(thrice)|([2-9]) ?x|x ?([2-9]))"
_DO_SO = (
    r"(?:and |then )*(?:do|repeat|perform)(?: all)?(?: of)?(?: so| this| that| it| these| the following)?"
    r"(?: (?:over|in a row|sequence|steps))? ?"
)
REPEATED = [
    re.compile(rf"^(?:please )?(?:{_DO_SO})?{_TIMES}(?: in a row)?\s*[:,]\s*(?P<what>.+)$"),
    re.compile(rf"^(?P<what>.+?)(?:\s*[,;.:-]+\s*(?:{_DO_SO})?|\s+{_DO_SO})\b{_TIMES}(?: in a row| in total)?[.!]?$"),
]


@dataclass(frozen=True)
class Steps:
    """The parts of a list, each in the words of a step, and how often all of them are done."""

    parts: tuple[str, ...]
    times: int = 1


def steps(text: str) -> Steps | None:
    """The steps of an instruction, or None for one that is no plain list of two steps and more."""
    words = prompt(re.sub(r"\s*\n\s*", " ; ", text.strip())) or ""
    for pattern in REPEATED:
        if match := pattern.match(words):
            parts = _parts(match["what"])
            return Steps(parts, _count(match.groups())) if len(parts) > 1 else None
    parts = _parts(words)
    return Steps(parts) if len(parts) > 1 else None


def _count(groups: Sequence[str | None]) -> int:
    said = next(each for each in groups if each in ("twice", "thrice") or (each and each.isdigit()))
    return {"twice": 2, "thrice": 3}.get(said) or int(said)


def _parts(words: str) -> tuple[str, ...]:
    """The parts of a list, or none of a text that is none."""
    numbers = [int(number) for number in NUMBERED.findall(words)]
    if len(numbers) > 1 and numbers == list(range(1, len(numbers) + 1)):
        opening, *pieces = NUMBERED.split(words)
        words = words if opening.strip() else " ; ".join(pieces[1::2])
    if BINDING.search(words):
        return ()
    parts = [step for part in BETWEEN.split(OPENED.sub("", words)) for step in _run_on(part.strip(" .:-"))]
    parts = [part for part in parts if part and not COURTESY.fullmatch(part)]
    return tuple(parts) if _are_steps(parts) else ()


def _run_on(part: str) -> list[str]:
    """Steps with nothing between them: walk 2 meters turn left. "Take a 2 seconds walk" is one step."""
    return [part] if NOUN.search(part) else RUN_ON.split(part)


def _are_steps(parts: Sequence[str]) -> bool:
    """Whether each is one step. Without a verb it has an amount, and so has the one before it: left 90 degrees."""
    for place, part in enumerate(parts):
        if part in NO_STEP or SECOND_VERB.search(NOUN.sub("", part)):
            return False
        before = parts[place - 1] if place else ""
        if part == "wait" and _verb(before) == _verb(*parts[place + 1 : place + 2]) and not CANONICAL.search(before):
            return False  # turn left, wait, turn right: which of them?
        if VERB_FIRST.match(part) or (not place and re.search(rf"\b(?:{_MOTIONS}|{_DIRECTIONS})\b", part)):
            continue
        if not (WITHOUT_VERB.match(part) and CANONICAL.search(part) and (not place or CANONICAL.search(before))):
            return False
    return True


def _verb(part: str = "") -> str:
    return part.split(" ")[0]

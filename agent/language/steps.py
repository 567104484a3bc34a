"""Instructions that are steps in an order, taken apart: before you turn left, walk 2 meters and stop.

A language model of a few layers loses count in a long list, and reads one step well. So a text of which every part is
a step of its own is read part by part, in the order that its words give; it may say how often it is to be done. What
takes something back, shares its words among steps, or has a part that is no step, stays whole, and the model reads all
of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.language.corpus.generator import prompt
from agent.language.plain_words import IMPERATIVES, MOTIONS, stop
from agent.language.quantities import CANONICAL

# Words of order, condition, correction or repetition: a part that holds one is no step.
BINDING = re.compile(
    r"\b(?:before|prior|after|once|when|whenever|while|as|during|same time|simultaneously|but|if|"
    r"unless|or|either|not|no|nope|never|\w+n't|dont|without|avoid|instead|rather|than|sorry|mean|meant|actually|oops|"
    r"scratch|strike|forget|cancel|ignore|correction|mistake|quit|cease|make that|make it|stop (?:\w+ )*\w+ing|"
    r"again|more|another|repeat|times|twice|thrice|double|rounds?|sets?|laps?|each|every|both|per|same|back and forth|"
    r"followed|(?:by|with) \w+ing|having|second(?!s)|third|last thing|square|triangle|rectangle|eight|shape)\b"
    r"|\bx ?[0-9]|\b[0-9] ?x\b|[<?()]|(?<![-=])>|=(?!>)"
)
COUNTED = re.compile(r"\b(?:spin|around|circles?|loops?) (?:twice|thrice|[2-9] times)\b")  # is one step
_THEN = (
    r"(?:and )?(?:then|next|afterwards|finally|last|lastly|at the end|in the end|to finish|subsequently|thereafter|"
    r"(?<!right )now|secondly|thirdly|fourthly|(?:second|third|fourth)(?=,? (?:" + MOTIONS + r")\b))"
)
# Other words for "then": once that's done.
WHEN_DONE = re.compile(
    r"\b(?:and )?(?:only )?(?:after (?:that|this)|(?:when|once|as soon as) "
    r"(?:(?:you're|you are|that's|that is|this is) )?(?:done|finished)(?: with (?:that|this))?(?=[\s,]+(?!\w+ing)))\b"
)
BETWEEN = re.compile(
    rf"(?:\s*(?:[,;.!|/&+]|[-=]>|- )+)?\s*\b(?:{_THEN}|and)\b[\s,:]*|\s*(?:[;!|/+]|[-=]>|\.+(?![0-9])|,)+\s*"
)
NUMBERED = re.compile(r"(?:^|(?<=[\s,;.]))(?:step )?\(?([1-9])[.):](?=\s)")
OPENED = re.compile(r"^(?:first(?:ly)?(?: of all)?|to begin(?: with)?|ok(?:ay)?|so)\b[\s,:]*")
COURTESY = re.compile(
    r"(?:please|pls|plz|thanks|thank|thx|you|a|lot|so|much|ok|okay|cheers|robot|buddy|dude|bro|mate| )+"
)
THANKS = re.compile(r"[\s,]+(?:please|pls|plz|thanks|thank you|thx)$")
WAY_BACK = re.compile(r"\b(?:come|go|walk|head|run|jog|return) back\b")
TURNED = re.compile(r"around|turn back|u.turn|180 degrees")
NO_STEP = ("go", "go on", "go ahead", "come on", "come", "right", "do so", "all right", "alright")

_DIRECTIONS = r"forwards?|ahead|straight|left|right|back|backwards?|fwd|clockwise|counterclockwise"
VERB_FIRST = re.compile(
    r"(?:(?:slowly|quickly|briskly|gently|carefully|rapidly|swiftly|please|just|you) )*"
    rf"(?:{MOTIONS})\b(?! (?:it|your)\b)"
)
SECOND_VERB = re.compile(rf"\b(?:{MOTIONS})\b.*(?<!crab )(?<!side )\b(?:{MOTIONS})\b")
NOUN = re.compile(r"\b(?:a|an|the|to|some)\b.*")  # take a walk
WITHOUT_VERB = re.compile(
    rf"(?:a |the )?(?:{_DIRECTIONS})\b|[0-9.]+ (?:seconds|meters|degrees)\b.*\b(?:{_DIRECTIONS})\b"
)
RUN_ON = re.compile(
    rf"(?:(?<=seconds|degrees|forward)|(?<=meters|around)|(?<=ahead)) (?=(?!(?:back|march)\b)(?:{MOTIONS})\b)"
    rf"|(?:(?<=\bleft)|(?<=\bright)) (?=(?!(?:back|turn|curve|spin|face|circle|side|sidestep)\b)(?:{MOTIONS})\b)"
    r"|(?:(?<=turn left)|(?<=turn right)) (?=turn\b)"
)

_TIMES = (
    r"(?:([2-9]) (?:times|rounds|sets|reps|laps(?= ?:)|loops(?= ?:))(?: of)?|(twice)|(thrice)|([2-9]) ?x|x ?([2-9]))"
)
_DO_SO = (
    r"(?:and |then )*(?:do|repeat|perform)(?: all)?(?: of)?(?: so| this| that| it| these| the following)?"
    r"(?: (?:all|over|in a row|sequence|steps))? ?"
)
_ONCE_MORE = r"(?:again|once more|once again|one more time|a second time)"
REPEATED = [
    re.compile(rf"^(?:please )?(?:{_DO_SO})?{_TIMES}(?: in a row)?\s*[:,]\s*(?P<what>.+)$"),
    re.compile(rf"^(?P<what>.+?)(?:\s*[,;.:-]+\s*(?:{_DO_SO})?|\s+{_DO_SO})\b{_TIMES}(?: in a row| in total)?[.!]?$"),
    re.compile(
        rf"^(?P<what>.+?)(?:(?:\s*[,;.:-]+\s*(?:and |then )*|\s+(?:and |then )+){_ONCE_MORE}|(?:\s*[,;.:-]+\s*|\s+)"
        rf"(?:{_DO_SO}{_ONCE_MORE}|(?:and |then )*repeat(?: (?:it|this|that))?(?: once)?))[.!]?$"
    ),
]


_AFTER = r"after|as soon as|once(?= you)|when(?= you)"
_JUST = r"(?:(?:only|right|just|directly|immediately|straight|shortly) )?"
_DONE = r"(?:(?:you|have|having|are|you've|you're) )*(?:(?:done|finished|finish|through)(?: with)? (?=\w+ing))?"
# The order in words: which of the two comes first.
ORDERED = [
    re.compile(
        r"^(?:finish|end) (?:by|with) (?P<second>.+?)[,;.]?\s+(?:(?:but|and) )?(?:start|begin) (?:by|with) "
        r"(?P<first>.+)$"
    ),
    re.compile(rf"^{_JUST}(?:upon|{_AFTER}) {_DONE}(?P<first>.+?)\s*[,;:]\s*(?P<second>.+)$"),
    re.compile(rf"^(?P<second>.+?)[,;.]?\s+(?:but )?{_JUST}(?:{_AFTER}) {_DONE}(?P<first>.+)$"),
    re.compile(rf"^{_JUST}(?:before|prior to) (?:you (?:start |begin )?)?(?P<second>.+?)\s*[,;:]\s*(?P<first>.+)$"),
    re.compile(
        r"^(?P<second>.+?)[,;.]+\s*(?:but first|but before (?:that|you do)|and before that|before that|but start by|"
        r"first,? though)[\s,:]+(?P<first>.+)$"
    ),
    re.compile(rf"^(?P<first>.+?),?\s+{_JUST}(?:before|prior to|ahead of) (?:you )?(?P<second>.+)$"),
    re.compile(r"^(?P<first>.+?),?\s+followed by (?P<second>.+)$"),
    re.compile(
        r"^(?:start|begin) (?:by|with) (?P<first>\w+ing\b.*?)[,;.]?\s+(?:(?:and |then |and then )?"
        r"(?:finish|end|continue|go on) (?:by|with)|(?:and )?then) (?P<second>.+)$"
    ),
]
TAIL = re.compile(rf"\s*[,;.]*\s*\b{_THEN}\b[\s,:]*")
ASKING = re.compile(
    r"^(?:(?:please|could you|can you|would you|will you|i want you to|i'd like you to|i need you to|you should|just|"
    r"now|kindly|robot|hey|ok|okay|so|let's)\b[\s,]*)+"
)
AMOUNT_OF = re.compile(r"^([0-9.]+ (?:seconds|meters)) of (\w+ing)\b(.*)")  # 3 seconds of walking backwards
BARE_NUMBER = re.compile(r"(?<!a )(?<![0-9.])[0-9.]+(?![0-9.])(?! (?:seconds|meters|degrees|m/s|rad/s))")
# What an elliptic part says; the rest is what was said before: sidestep left 1 meters, right 2 meters.
ELLIPTIC = {
    "amount": re.compile(r"\b[0-9]+(?:\.[0-9]+)? (?:seconds|meters|degrees)\b"),
    "side": re.compile(r"\b(?:left|right)\b"),
    "ahead": re.compile(r"\b(?:forwards?|ahead|straight|back|backwards?)\b"),
    "manner": re.compile(r"\b(?:slow|slowly|quick|quickly|fast|normal|normally)\b"),
}
ANOTHER = re.compile(r"\banother (?=[0-9])")
FILLERS = re.compile(r"\b(?:for|by|to|the|your|about|again)\b")
TURNING = re.compile(r"(?:turn|rotate|pivot|spin|face|twist|swivel|left|right)\b")
STANDING = re.compile(r"(?:stop|stand|wait|pause|halt|hold|stay|rest|freeze|remain)\b")


@dataclass(frozen=True)
class Steps:
    """The parts of a list, each in the words of a step, and how often all of them are done."""

    parts: tuple[str, ...]
    times: int = 1


def steps(text: str) -> Steps | None:
    """The steps of an instruction; None for one that is no plain list, or a single step that stands in it as it is."""
    words = prompt(re.sub(r"\s*\n\s*", " ; ", text.strip())) or ""
    for pattern in REPEATED:
        if match := pattern.match(words):
            parts = _parts(match["what"])
            return (
                Steps(parts, _count([said for said in match.groups() if said != match["what"]]))
                if len(parts) > 1 or _once(parts)
                else None
            )
    parts = _parts(words)
    return Steps(parts) if len(parts) > 1 or any(part not in words for part in parts) else None


def _count(said: Sequence[str | None]) -> int:
    number = next((each for each in said if each in ("twice", "thrice") or (each and each.isdigit())), "twice")
    return {"twice": 2, "thrice": 3}.get(number) or int(number)


def _once(parts: Sequence[str]) -> bool:
    """Whether this is one step that is not itself counted in turns: spin twice, walk in a circle twice."""
    return len(parts) == 1 and not re.search(r"\b(?:spin|around|circles?|loops?)\b", parts[0])


def _parts(words: str) -> tuple[str, ...]:
    """The parts in the order in which they are done, or none of a text that is no steps."""
    numbers = [int(number) for number in NUMBERED.findall(words)]
    if len(numbers) > 1 and numbers == list(range(1, len(numbers) + 1)):
        opening, *pieces = NUMBERED.split(words)
        words = words if opening.strip() else " ; ".join(pieces[1::2])
    words = OPENED.sub("", WHEN_DONE.sub("then", words.rstrip(" .!?")))
    order = next((match for match in (pattern.match(words) for pattern in ORDERED) if match), None)
    if order:
        first, *tail = TAIL.split(order["first"], maxsplit=1)  # turn after walking 2 meters, then stop
        texts = [ASKING.sub("", text) for text in (first, order["second"], *tail)]
    parts = [step for text in (texts if order else [words]) for part in BETWEEN.split(text) for step in _run_on(part)]
    parts = [_imperative(part) if order else part for part in parts if part and not COURTESY.fullmatch(part)]
    parts = _way_back(_filled_in([ANOTHER.sub("", stop(part) if place else part) for place, part in enumerate(parts)]))
    return tuple(parts) if _are_steps(parts) else ()


def _imperative(part: str) -> str:
    """walking 2 meters -> walk 2 meters, 3 seconds of walking -> walk for 3 seconds."""
    if match := AMOUNT_OF.match(part):
        part = f"{match[2]}{match[3]} for {match[1]}"
    if part.startswith(("a ", "an ")):
        return f"do {part}"
    verb, *rest = part.split(" ")
    return " ".join([IMPERATIVES.get(verb, verb), *rest])


def _filled_in(parts: Sequence[str]) -> list[str]:
    """Parts with what they leave out: it was said before, or the amount is that of the part before."""
    found = [_said(part) for part in parts]
    elliptic = [bool(said) and not FILLERS.sub("", rest).strip() for said, rest in found]
    full: list[str] = []
    for place, part in enumerate(parts):
        if not place and part in ("left", "right") and any(elliptic[1:2]):
            full.append(f"turn {part}")  # left, right, forward 2 meters
        elif not place or not elliptic[place]:
            full.append(part)
        else:
            full[-1:] = _after(full[-1], part, found[place][0])
    return full


def _way_back(parts: list[str]) -> list[str]:
    """Walk 5 meters, turn around, come back: the way back is as long as the way there."""
    match parts:
        case [there, turn, back, *rest] if (
            there.endswith("meters") and TURNED.search(turn) and WAY_BACK.fullmatch(back)
        ):
            return [there, turn, there, *rest]
    return parts


def _after(before: str, part: str, said: dict[str, str]) -> list[str]:
    """The part before and an elliptic one in full."""
    had, _ = _said(before)
    unit, unit_before = (each.get("amount", "").split(" ")[-1] for each in (said, had))
    turning = TURNING.match(before)
    if said.keys() & {"side", "ahead"}:
        if turning and not had:  # rotate, left
            return [f"{before} {part}"]
        same = said.keys() - {"manner"} <= had.keys() and unit == unit_before
        return [before, _replaced(before, had, said) if same else part]
    if unit == "degrees" and not turning:
        return [before, f"turn {part}"]
    if unit == "meters" and (turning or STANDING.match(before)):
        return [before, f"walk {part}"]
    if unit and not unit_before:  # march, 4 meters
        return [f"{before} {part}"]
    return [before, _replaced(before, had, said) if unit else part]


def _said(part: str) -> tuple[dict[str, str], str]:
    """What a part says of amount, direction and manner, and the rest of it."""
    said = {kind: match[0] for kind, pattern in ELLIPTIC.items() if (match := pattern.search(part))}
    for pattern in ELLIPTIC.values():
        part = pattern.sub("", part, count=1)
    return said, part


def _replaced(before: str, had: dict[str, str], said: dict[str, str]) -> str:
    for kind, words in said.items():
        before = before.replace(had[kind], words, 1) if kind in had else f"{before} {words}"
    return before


def _run_on(part: str) -> list[str]:
    """Steps with nothing between them: walk 2 meters turn left. "Take a 2 seconds walk" is one step."""
    part = THANKS.sub("", part.strip(" .:-!"))
    return [part] if NOUN.search(part) else RUN_ON.split(part)


def _are_steps(parts: Sequence[str]) -> bool:
    """Whether each is one step. Without a verb it has an amount, and so has the one before it: left 90 degrees."""
    if any(WAY_BACK.search(part) for part in parts) and any(TURNED.search(part) for part in parts):
        return False
    for place, part in enumerate(parts):
        if (
            part in NO_STEP
            or BINDING.search(COUNTED.sub("", part))
            or BARE_NUMBER.search(part)
            or SECOND_VERB.search(NOUN.sub("", part))
        ):
            return False
        before = parts[place - 1] if place else ""
        if part == "wait" and _verb(before) == _verb(*parts[place + 1 : place + 2]) and not CANONICAL.search(before):
            return False  # turn left, wait, turn right: which of them?
        if VERB_FIRST.match(part) or (not place and re.search(rf"\b(?:{MOTIONS}|{_DIRECTIONS})\b", part)):
            continue
        needs_no_verb = not place or CANONICAL.search(before) or _verb(before) in ("turn", "rotate", "stop", "wait")
        if not (WITHOUT_VERB.match(part) and CANONICAL.search(part) and needs_no_verb):
            return False
    return True


def _verb(part: str = "") -> str:
    return part.split(" ")[0]

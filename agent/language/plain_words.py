"""What people say around what they mean, taken away before anything reads it.

"Hey buddy, could you please walk, thanks!" is walk. Courtesy and address go; a rare word gives way to a common one;
what is said over and over is said once; what is taken back in the same breath is gone (turn left, no, right -> turn
right; don't run, walk -> walk); a stop in negative words is a stop (not another step! -> stand still). What may mean
something else stays as it is.
"""

import re

from agent.language.spelling import VERBS, inflections

MOTIONS = VERBS.replace("\n", " ").replace(" ", "|") + (
    r"|back(?= (?:up|away|off)\b)|come|do|crab|side|sneak|tiptoe|shuffle|slide|shift|amble|edge|inch|rest|relax|arc|"
    r"bend|hustle|trot|saunter|scoot|yaw|bolt|hike|carry(?= on\b)|set(?= off\b)|bear(?= (?:left|right|to)\b)|twirl"
)
# walking -> walk, (you have) walked -> walk
IMPERATIVES = {form: verb for verb in VERBS.split() for form in inflections(verb)[2:]} | {
    "backing": "back", "backed": "back", "coming": "come", "doing": "do", "done": "do", "gone": "go", "going": "go",
    "kept": "keep", "made": "make", "spun": "spin", "stood": "stand", "taken": "take", "crept": "creep",
    "held": "hold", "frozen": "freeze", "begun": "begin", "shuffling": "shuffle", "sliding": "slide",
}  # fmt: skip
_GERUND = "|".join(form for form in IMPERATIVES if form.endswith("ing"))
_MOTION = rf"(?:(?:slowly|quickly|briskly|gently|carefully|just|to) )*(?:{MOTIONS})\b(?! (?:it|your)\b)"

# Names, and those that are words as well and want a comma: soldier, march; but: follow that soldier.
_DEAR = r"(?:(?:my|you|little|old|dear|good|mister) )*"
_NAME = rf"{_DEAR}(?:robot|bot|robo|humanoid|bro|bruh|dude|mate|buddy|pal|siri|alexa)"
_WORD = (
    rf"{_DEAR}(?:boy|girl|man|lad|kid|kiddo|love|darling|honey|sweetie|dear|sir|madam|ma'am|mister|friend|soldier|"
    r"squad|chief|boss|champ|captain|team|folks|guys|everyone|everybody|there)"
)
_YOU = r"you(?: (?:please|kindly|maybe|perhaps|just|now))*"
_OPENINGS = (
    rf"(?:hey|hi|hello|yo|oi|good (?:morning|evening|day)|excuse me|attention)(?:,? (?:{_NAME}|{_WORD}))?",
    rf"(?:come on|go on|all right|good|great|perfect|quick|fine|wow|well|like|listen|sorry|thanks|thank you)"
    rf"(?:,? (?:{_NAME}|{_WORD}))?(?=[,!:?.])",
    rf"{_NAME}|{_WORD}(?=[,!:])",
    r"ok|okay|alright|so|um+|uh+|er+|hm+|oh|ah|lol|haha|basically|simply|just|please|kindly|now|and|then",
    rf"(?:could|can|would|will|might|may) {_YOU}(?: be (?:so kind|so good|kind enough|able)(?: as)? to)?"
    r"(?! (?:mind|be|not)\b)",
    rf"(?:i|we|i'd|i would)(?: really)? (?:like|want|need|order|command|ask) {_YOU} to(?! not\b)",
    r"let's|lets|let us|(?:let me|lemme|i'd like to|i'd love to) see you|show me how you",
    r"(?:do me a favou?r|be (?:a|so) (?:dear|love|darling|kind|good)|go on|come on|try) and",
    rf"(?:try to|you (?:should|must|may|can|need to|have to|are to|gotta))(?= {_MOTION})",
    r"(?:it would be|it'd be|i'd be|i would be) (?:great|nice|lovely|good|kind|grateful|glad) if you (?:could|would)",
    r"i(?:'d| would) appreciate it if you (?:could|would)|i wonder if you could|may i ask you to",
    r"if (?:you (?:don't mind|please|can|could|would)|possible)(?=,)|(?:no|wait|no wait)(?=,? (?:don't|do not)\b)",
    r"(?:your |the |next )*(?:task|mission|goal|command|instruction|exercise|order)s?(?: is to|:)",
)
OPENING = re.compile(rf"^(?:{'|'.join(_OPENINGS)})(?![\w'-])[\s,.:;!?-]*(?=\w)(?!there\b|you$)")
QUESTION = re.compile(r"^((?:could|can|would|will|might|may) you\b.*?)\s*\?$")
_CLOSINGS = (
    r"please|kindly|thanks|thank you|thx|ty|cheers|much appreciated|for me|ok|okay|alright|right away|immediately|"
    r"at once|asap|already|this instant|lol|haha|yeah|when you can|as i said",
    r"(?:will|would|could|can) you|if (?:you (?:can|could|would|please|don't mind)|possible|that's (?:ok|alright))",
    r"(?<=[,.!] )(?:that's (?:all|it)|and that is all|no (?:more|further|less)|nothing more|come on|go)",
    rf"(?<=[,!.] )(?:{_NAME}|{_WORD})|(?<!the )(?<!that )(?<!my )(?<!a )(?:bro|dude|mate|buddy|pal)",
    r"(?<!right )(?:for )?now",
    r"(?<!turn )(?<!go )(?<!move )(?<!step )(?<!look )(?<!face )(?<!rotate )(?<!strafe )right now",
)
CLOSING = re.compile(rf"(?<=[^\s,.;!-])[\s,.;!-]+(?:{'|'.join(_CLOSINGS)})(?: (?:a lot|so much|very much))?[\s.!?]*$")
FULL_STOP = re.compile(r"(?<=[\w)])\s*[.!]+$")
EMPHASIS = re.compile(r"\b(?!left|right)([a-z]+)(?:[ !]+\1\b)+")

# What takes back: turn left, no, right.
_NO = (
    r"(?:no|nope|sorry|oops|actually|i mean|i meant|i'm sorry|my (?:mistake|bad)|(?:scratch|strike|cancel) that|"
    r"make (?:that|it)|or rather|rather|correction|forget (?:that|it)|never mind|ignore that|that(?:'s| was) wrong|"
    r"changed my mind|on second thoughts?)"
)
_ER = r"(?:wait|hold on|uh+|um+|er+|hm+|oh|ah|argh|ehm|well|or|better|that is|i changed my mind|stop(?=\W+i mea))"
_MEND = rf"(?:{_ER}[\s,.;:!-]+)*{_NO}\b(?:[\s,.;:!-]+(?:{_ER}|{_NO})\b)*[\s,.;:!-]+"
_BREAK = r"[\s,.;:!?(-]+"
_SIDE = r"(?:left|right)\b"
_AHEAD = r"(?:forwards?|ahead|backwards?|back|straight)\b"
_BEGINS = r"(?:^|(?<=[,;.] )|(?<=\bthen )|(?<=\band ))"  # of a step
_WORDS = r"(?:(?!\b(?:until|before|unless|after|when|if|and|then|more)\b)[\w' ])+?"
_DONT = r"(?:don't|do not|never|not|no need to|instead of|rather than|you should not|you are not to|avoid)"
TAKEN_BACK = (
    (rf"\b{_SIDE}{_BREAK}{_MEND}(?:to )?(?:the |your )?(?P<meant>{_SIDE})(?:\s*[-)](?=\s))?", r"\g<meant>"),
    (rf"\b{_AHEAD}{_BREAK}{_MEND}(?P<meant>{_AHEAD})(?:\s*[-)](?=\s))?", r"\g<meant>"),
    (
        rf"\b[0-9.]+ (?P<unit>seconds|meters|degrees){_BREAK}{_MEND}(?:for |by |to )?(?P<meant>[0-9]+(?:\.[0-9]+)?)"
        r"(?: (?P=unit))?(?= actually\b| instead\b|[,;!)]| (?:and|then)\b|\.?$)(?: actually| instead)?\)?",
        r"\g<meant> \g<unit>",
    ),
    (rf"{_BEGINS}{_DONT} {_WORDS}(?:\s*[,;.!:-]+|\s+but\b)\s*(?:(?:but|just|only|instead|rather) )*(?={_MOTION})", ""),
    (rf"{_BEGINS}{_WORDS}(?:until {_WORDS})?\s*[,.;:!?(-]+\s*{_MEND}(?={_MOTION})", ""),
    (
        rf"^(?P<meant>(?!do not\b){_MOTION}.*?)(?:\s*[,;.(-]+\s*|\s+)(?:(?:and|but) )?"
        rf"(?:{_DONT}|without|no(?= \w+ing\b)) (?:(?:to|the|your|by|for) )*(?:{MOTIONS}|{_GERUND}|{_SIDE}|{_AHEAD})\b"
        r"(?:(?!\b(?:until|before|unless|after|when|if|and|then)\b)[a-z'. ])*\)?[.!]?$",
        r"\g<meant>",
    ),
)
# Stops in negative words.
_MOVING = rf"(?:{_GERUND}|movement|motion|steps?)(?: (?:around|about|forwards?|ahead|on))?"
_STEP = r"(?:0.5 meters|a single step|any more steps)"  # another step
STOP = re.compile(
    rf"^(?:(?:don't|do not|never|nobody|no one)(?: you)?(?: dare)? (?:move|budge|go anywhere|do anything|take {_STEP}|"
    r"(?:go|walk|move) any (?:further|farther|more))"
    rf"|not (?:{_STEP}|another inch)|(?:no more|(?:that's |that is )?enough)(?: of)?(?: the| this| that)? {_MOVING}"
    rf"|(?:stop|quit|cease)(?: all| the| this)* {_MOVING}|(?:that's |that is )?(?:far )?enough)"
    r"(?: (?:a muscle|an inch|right there|there|at all))*(?P<end>(?: (?:for|during|until) .*)?)$"
)
GO = re.compile(r"^(?:go|move it|get (?:going|moving|a move on))$")

# Rare words for motions, in all their forms -> common ones.
SYNONYMS = {
    "sprint": "bolt dash race charge gallop zoom scamper",
    "quickly walk": "hurry rush hustle hasten scurry scuttle",
    "slowly walk": "creep inch tiptoe sneak amble saunter plod trudge edge meander mosey dawdle toddle stroll",
    "jog": "trot lope",
    "walk": "cover",
}
COMMON = {
    rare: " ".join([*manner, common])
    for meant, verbs in SYNONYMS.items()
    for *manner, verb in [meant.split()]
    for each in verbs.split()
    for rare, common in zip(inflections(each), inflections(verb), strict=True)
}
# What may stand before and after them: take a stroll, charge the battery.
_AS_VERB = (
    r"(?:^|(?<=[,.;:!] )|(?<=\b(?:to|by) )|(?<=\bthen )|(?<=\b(?:and|you) )|(?<=before )|(?<=after )|(?<=you've )|"
    r"(?<=have )|(?<=upon )|(?<=slowly )|(?<=quickly ))"
)
_NO_OBJECT = (
    r"(?=$|[,.;!]| (?:forwards?|ahead|straight|onwards?|off|away|along|on|backwards?|back|around|for|until|then|and|"
    r"after|before|[0-9]))"
)
PLAINER = (
    (rf"{_AS_VERB}(?:{'|'.join(COMMON)})\b{_NO_OBJECT}", lambda match: COMMON[match[0]]),
    (r"\b(?:book|leg|gun|hightail) it\b", "sprint"),
    (
        r"\b(?:run|sprint) like (?:there's|there is|a|an|the|your|you|crazy|mad|hell)\b(?! (?:snail|turtle))[a-z' ]*$",
        "sprint",
    ),
    # give me a quick spin
    (
        r"^(?:give|show) me (?=(?:a|[0-9.]+) .*\b(?:spin|turn|walk|run|jog|sprint|stroll|steps?|meters|degrees)\b)",
        "do ",
    ),
    (r"\b(?:gently|carefully|cautiously|gingerly|lazily|unhurriedly)\b", "slowly"),
    (r"\bnice (?:and|n) (?:slow|easy|gentle|steady)(?:ly)?\b", "slowly"),
    (r"\b(?:rapidly|swiftly|briskly|hastily|speedily)\b", "quickly"),
    # come back to the left, at your left
    (r"\b(?:back )?(?:at|on|to|towards?) (?:the|your) (left|right)(?: side| hand side)?\b", r"to the \1"),
    (r"(?<=meters )behind(?= (?:and|then)\b|[,.;]|$)", "back"),
    (r"\byourself ", ""),
    (r" (?:at once|immediately|right away)(?= (?:by|for)\b)", ""),
    (
        r"(?:^(?:would you mind|do you mind|how about|what about|let's see you|try)|\b(?:start|begin|set off|get)) "
        rf"(?P<gerund>{_GERUND})\b",
        lambda match: IMPERATIVES[match["gerund"]],
    ),
    # turn right and keep turning
    (r"^((?P<verb>[a-z]+)\b[a-z ]*?),? and (?:keep|keep on) (?:going|(?P=verb)[a-z]?ing)$", r"\1"),
)
REWRITES = [(re.compile(pattern), meant) for pattern, meant in (*PLAINER, *TAKEN_BACK)]


def shortened(text: str) -> str:
    """`text`, which is in lower case with its amounts rewritten, in as few words as mean the same."""
    shorter = _shorter(text)
    while shorter != text:
        text, shorter = shorter, _shorter(shorter)
    return text


def _shorter(text: str) -> str:
    text = EMPHASIS.sub(r"\1", FULL_STOP.sub("", text))
    for pattern, meant in REWRITES:
        text = pattern.sub(meant, text)
    text = CLOSING.sub("", text)
    return stop(OPENING.sub("", QUESTION.sub(r"\1", text)))


def stop(step: str) -> str:
    """A step in plain words where it is a stop in negative ones."""
    return GO.sub("walk", STOP.sub(r"stand still\g<end>", step))

"""The words of the generated sentences.

A template is read by `generator.say`: [a|b|] chooses one alternative, walk/walking/walked is a verb in its imperative, gerund and
participle, `_` is a place inside the phrase where an amount or an adverb may stand, {to} is "left" or "to your left", {side} is
"left", {clock} is "clockwise". Other names in braces are filled in by the function that uses the table.
"""

# ruff: noqa: E501 (one template per line)

AHEAD = "[forward|forward|forward|forwards|ahead|straight ahead|straight|straight on|onward|in a straight line|straight forward|to the front]"
BACK = "[backward|backwards|back|back|in reverse|rearwards|to the rear]"

# Motion -> (speed that the verb implies, template). Both sides share the entry of the left.
MOTIONS = {
    "stand": [
        (
            "",
            "[stop/stopping/stopped|halt/halting/halted|pause/pausing/paused|wait/waiting/waited|wait/waiting/waited|freeze/freezing/frozen|rest/resting/rested|chill/chilling/chilled|heave/heaving/hove to]",
        ),
        (
            "",
            "stand/standing/stood [still|still|there|in place|motionless|upright|at ease|quietly|absolutely still|fully upright]",
        ),
        (
            "",
            "[stay/staying/stayed|remain/remaining/remained] [still|put|there|where you are|in place|standing|motionless|right there|as you are]",
        ),
        ("", "hold/holding/held [still|your position|it there|it right there|on|your ground|fast]"),
        (
            "",
            "[stop/stopping/stopped [moving|there|right there|right where you are|dead]|come/coming/come to a [stop|halt|standstill|rest]]",
        ),
        (
            "",
            "[take/taking/taken a [break|rest|pause|breather]|have/having/had a [rest|breather]|do/doing/done nothing|keep/keeping/kept [still|perfectly still]|be/being/been still]",
        ),
        (
            "",
            "[hold/holding/held a beat|wait/waiting/waited a moment|stand/standing/stood by|wait/waiting/waited here while [I shut the gate|I set up the camera|they get ready|we talk|I find my notes]|stay/staying/stayed there while [I count|I get the door|they pass]|hold/holding/held the pose]",
        ),
    ],
    "walk forward": [
        (
            "",
            f"[walk/walking/walked|walk/walking/walked|walk/walking/walked|go/going/gone|go/going/gone|move/moving/moved|step/stepping/stepped|head/heading/headed|proceed/proceeding/proceeded|march/marching/marched|travel/traveling/traveled|come/coming/come|taxi/taxiing/taxied|process/processing/processed|progress/progressing/progressed|locomote/locomoting/locomoted] _ {AHEAD}",
        ),
        (
            "",
            "[walk/walking/walked|walk/walking/walked|walk/walking/walked|advance/advancing/advanced|march/marching/marched|march/marching/marched|stride/striding/strode [forward|out]]",
        ),
        (
            "",
            "[walk/walking/walked|keep/keeping/kept walking|carry/carrying/carried on walking|go/going/gone on walking|press/pressing/pressed on|get/getting/got walking|start/starting/started walking|continue/continuing/continued straight on|keep/keeping/kept going [straight|forward|ahead]|set/setting/set off|walk/walking/walked off|walk/walking/walked on|pace/pacing/paced forward|walk/walking/walked away|simply walk/walking/walked|stretch/stretching/stretched your legs]",
        ),
        ("", "[take/taking/taken a walk|go/going/gone for a walk|make/making/made your way [forward|ahead]]"),
        (
            "slow",
            f"[stroll/strolling/strolled|amble/ambling/ambled|creep/creeping/crept|tiptoe/tiptoeing/tiptoed|sneak/sneaking/sneaked|inch/inching/inched|saunter/sauntering/sauntered|crawl/crawling/crawled along|edge/edging/edged] _ {AHEAD}",
        ),
        (
            "slow",
            "[stroll/strolling/strolled|amble/ambling/ambled|creep/creeping/crept|tiptoe/tiptoeing/tiptoed|sneak/sneaking/sneaked|stroll/strolling/strolled along|amble/ambling/ambled on|go/going/gone on tiptoe|take/taking/taken a [slow|leisurely|gentle] walk|go/going/gone for a stroll]",
        ),
        (
            "fast",
            f"[hurry/hurrying/hurried|rush/rushing/rushed|hustle/hustling/hustled|march/marching/marched briskly|power walk/walking/walked|speed walk/walking/walked|scurry/scurrying/scurried|hasten/hastening/hastened|walk/walking/walked [fast|briskly|quickly]] _ {AHEAD}",
        ),
        (
            "fast",
            "[hurry/hurrying/hurried|rush/rushing/rushed|hustle/hustling/hustled|power walk/walking/walked|hurry/hurrying/hurried along|take/taking/taken a brisk walk|walk/walking/walked as [fast|quickly] as you can]",
        ),
    ],
    "run forward": [
        ("", f"run/running/run _ {AHEAD}"),
        (
            "",
            "[run/running/run|run/running/run|run/running/run|start/starting/started running|go/going/gone for a run|keep/keeping/kept running|break/breaking/broken into a run|run/running/run on]",
        ),
        ("slow", f"[jog/jogging/jogged|trot/trotting/trotted] _ {AHEAD}"),
        (
            "slow",
            "[jog/jogging/jogged|jog/jogging/jogged|trot/trotting/trotted|go/going/gone for a jog|jog/jogging/jogged along|run/running/run slowly|keep/keeping/kept jogging]",
        ),
        (
            "fast",
            f"[sprint/sprinting/sprinted|dash/dashing/dashed|bolt/bolting/bolted|race/racing/raced|charge/charging/charged] _ {AHEAD}",
        ),
        (
            "fast",
            "[sprint/sprinting/sprinted|sprint/sprinting/sprinted|dash/dashing/dashed [off|]|bolt/bolting/bolted|race/racing/raced|run/running/run [flat out|full tilt|like the wind|at full speed|like mad|all out|as fast as you can|fast]]",
        ),
    ],
    "walk backward": [
        (
            "",
            f"[walk/walking/walked|go/going/gone|move/moving/moved|step/stepping/stepped|march/marching/marched|head/heading/headed] _ {BACK}",
        ),
        ("", f"[walk/walking/walked|go/going/gone|step/stepping/stepped] _ {BACK}"),
        (
            "",
            "[back/backing/backed up|back/backing/backed up|back/backing/backed away|back/backing/backed off|reverse/reversing/reversed|retreat/retreating/retreated|fall/falling/fallen back|drop/dropping/dropped back|backpedal/backpedaling/backpedaled|moonwalk/moonwalking/moonwalked|walk/walking/walked _ in reverse|move/moving/moved _ astern]",
        ),
        (
            "slow",
            "[creep/creeping/crept|inch/inching/inched|edge/edging/edged|tiptoe/tiptoeing/tiptoed|sneak/sneaking/sneaked] _ [back|backward|backwards]",
        ),
        (
            "fast",
            "[hurry/hurrying/hurried|rush/rushing/rushed|scurry/scurrying/scurried|hustle/hustling/hustled] _ [backward|backwards]",
        ),
    ],
    "sidestep left": [
        (
            "",
            "[sidestep/sidestepping/sidestepped|side-step/side-stepping/side-stepped|sidestep/sidestepping/sidestepped|strafe/strafing/strafed] _ {to}",
        ),
        (
            "",
            "[step/stepping/stepped|move/moving/moved|go/going/gone|shift/shifting/shifted|slide/sliding/slid|shuffle/shuffling/shuffled|scoot/scooting/scooted|scooch/scooching/scooched over|sidle/sidling/sidled|slip/slipping/slipped sideways] _ {to}",
        ),
        (
            "",
            "[step/stepping/stepped|move/moving/moved|walk/walking/walked|go/going/gone|shuffle/shuffling/shuffled] _ [sideways {to}|sideways {to}|laterally {to}|{to} sideways|{to} without turning]",
        ),
        ("", "[crab-walk/crab-walking/crab-walked|move/moving/moved over] _ {to}"),
        (
            "slow",
            "[creep/creeping/crept|inch/inching/inched|edge/edging/edged|tiptoe/tiptoeing/tiptoed] _ [sideways|] {to}",
        ),
        ("fast", "[hurry/hurrying/hurried|rush/rushing/rushed|hustle/hustling/hustled] _ sideways {to}"),
    ],
    "turn left": [
        (
            "",
            "[turn/turning/turned|turn/turning/turned|turn/turning/turned|rotate/rotating/rotated|rotate/rotating/rotated|pivot/pivoting/pivoted|swivel/swiveling/swiveled] _ {to}",
        ),
        ("", "[turn/turning/turned|rotate/rotating/rotated|pivot/pivoting/pivoted] _ {clock}"),
        (
            "",
            "[turn/turning/turned|rotate/rotating/rotated|pivot/pivoting/pivoted] _ [on the spot|in place|where you stand|around your own axis] {to}",
        ),
        (
            "",
            "[turn/turning/turned|rotate/rotating/rotated|twist/twisting/twisted|swing/swinging/swung|swivel/swiveling/swiveled] _ [{to}|{to} on the spot|yourself {to}|your body {to}]",
        ),
        ("", "[hang/hanging/hung|take/taking/taken|make/making/made] a {side} [|turn]"),
        (
            "",
            "[keep/keeping/kept turning {to}|start/starting/started turning {to}|come/coming/come about _ {to}|change/changing/changed your heading _ {to}]",
        ),
    ],
    "curve left": [
        (
            "",
            "[curve/curving/curved|veer/veering/veered|arc/arcing/arced|bend/bending/bent|bear/bearing/borne] _ [off|] {to}",
        ),
        (
            "",
            "[walk/walking/walked|go/going/gone|move/moving/moved] _ [in a curve|in an arc|along a curve|on an arc|in a gentle bend] {to}",
        ),
        (
            "",
            "[walk/walking/walked|follow/following/followed|make/making/made|describe/describing/described|take/taking/taken] _ [a curve|an arc|a wide curve|a bend] {to}",
        ),
        (
            "",
            "[walk/walking/walked|go/going/gone] _ [forward|] [while|and] [curving|veering|bending|turning gradually] {to}",
        ),
        (
            "slow",
            "[stroll/strolling/strolled|creep/creeping/crept|amble/ambling/ambled] _ [in a curve|in an arc] {to}",
        ),
        ("fast", "[hurry/hurrying/hurried|rush/rushing/rushed] _ [in a curve|in an arc] {to}"),
    ],
    "go home": [
        (
            "",
            "[go/going/gone|come/coming/come|walk/walking/walked|return/returning/returned|head/heading/headed|get/getting/got|move/moving/moved|make/making/made your way] [back|back|back again] to [where [we|it all|this all] [started|began]|where you were initialised|your start place|where you stood at the start|where you [started|began|set off|set out|were at the opening|were at the start|were at first|started from|came from]|your [starting|start|original|initial] [point|position|spot|place]|the [starting|start|original|initial|first] [point|position|spot|place]|the start|the place where you started|the spot you began at|the beginning|your starting location]",
        ),
        (
            "",
            "[go/going/gone home|come/coming/come home|return/returning/returned home|head/heading/headed home|return/returning/returned to base|go/going/gone back home|find/finding/found your way back to the start]",
        ),
        (
            "slow",
            "[stroll/strolling/strolled|amble/ambling/ambled|creep/creeping/crept|tiptoe/tiptoeing/tiptoed|sneak/sneaking/sneaked] [back to [where you [started|began]|your starting point|the start]|home]",
        ),
        (
            "fast",
            "[hurry/hurrying/hurried|rush/rushing/rushed|hustle/hustling/hustled|dash/dashing/dashed|race/racing/raced|sprint/sprinting/sprinted] [back to [where you [started|began]|your starting [point|spot]|the start]|home]",
        ),
    ],
    "face start": [
        (
            "",
            "[face/facing/faced|look/looking/looked|turn/turning/turned to face|turn/turning/turned back to face] [the way you [started|began|were facing at the start|were facing at first|faced at the beginning|did at the start|faced at the opening|were looking at the beginning|were facing before]|as you did at the [start|beginning|outset]|in [your|the] [original|initial|starting|first] direction|[your|the] [original|initial|starting] [direction|heading|orientation]|the same way as at the [start|beginning]|the direction you [started|began] in|where you were facing to begin with|the way you faced initially|how you were facing when [we|you] [started|began]|the way you looked at the beginning]",
        ),
        (
            "",
            "[return/returning/returned|rotate/rotating/rotated back|go/going/gone back|turn/turning/turned back] to [your|the] [original|initial|starting] [heading|orientation|facing|direction]",
        ),
        (
            "",
            "[restore/restoring/restored|re-establish/re-establishing/re-established|resume/resuming/resumed|recover/recovering/recovered] your [original|initial|starting] [heading|orientation|facing]",
        ),
    ],
}

# What most people say, with the same meaning.
PLAIN = {
    "stand": [
        (
            "",
            "[stop/stopping/stopped|wait/waiting/waited|stand/standing/stood still|pause/pausing/paused|stay/staying/stayed there]",
        )
    ],
    "walk forward": [
        (
            "",
            "[walk/walking/walked|walk/walking/walked|walk/walking/walked|walk/walking/walked _ forward|go/going/gone _ forward|move/moving/moved _ forward|go/going/gone|walk/walking/walked _ straight ahead|step/stepping/stepped _ forward|go/going/gone _ straight]",
        )
    ],
    "run forward": [("", "[run/running/run|run/running/run|run/running/run _ forward|run/running/run _ ahead]")],
    "walk backward": [
        (
            "",
            "[[walk/walking/walked|go/going/gone|move/moving/moved|step/stepping/stepped] _ [back|backwards|backward]|back/backing/backed up]",
        )
    ],
    "sidestep left": [
        (
            "",
            "[sidestep/sidestepping/sidestepped|step/stepping/stepped|move/moving/moved|go/going/gone|shuffle/shuffling/shuffled] _ {to}",
        )
    ],
    "turn left": [
        ("", "[turn/turning/turned|turn/turning/turned|turn/turning/turned|rotate/rotating/rotated] _ {to}")
    ],
    "curve left": [
        (
            "",
            "[curve/curving/curved _ {to}|walk/walking/walked _ in a curve {to}|walk/walking/walked _ in an arc {to}]",
        )
    ],
}
# Turns on the spot and circles whose angle is in the verb: motion, degrees, template, weight.
WHOLE_TURNS = [
    (
        "turn",
        180,
        "[turn/turning/turned [around|round|back]|do/doing/done [a u-turn|an about-face|an about turn|a u turn]|make/making/made [a u-turn|an about-face|a one-eighty]|face/facing/faced [the other way|the opposite way|backwards]|spin/spinning/spun round to face the other way|reverse/reversing/reversed your heading|about-face/about-facing/about-faced|turn/turning/turned to face the opposite direction] {maybe}",
        2,
    ),
    ("turn", 180, "turn/turning/turned [around|around|round] {maybe}", 7),
    (
        "turn",
        360,
        "[spin/spinning/spun [around|round|]|pirouette/pirouetting/pirouetted|twirl/twirling/twirled [around|]|do/doing/done [a spin|a full spin|a pirouette|a 360|a twirl|a full circle on the spot]|turn/turning/turned [all the way around|full circle on the spot|once around completely]|spin/spinning/spun once] {maybe}",
        5,
    ),
    (
        "turn",
        720,
        "[spin/spinning/spun [twice|two times|around twice]|do/doing/done [two spins|a double spin|two pirouettes|two 360s]] {maybe}",
        1,
    ),
    (
        "turn",
        1080,
        "[spin/spinning/spun [three times|around three times|thrice]|do/doing/done [three spins|three 360s|a triple spin]] {maybe}",
        1,
    ),
    ("turn", 90, "[face/facing/faced|turn/turning/turned to face] [{side}|to the {side}|to your {side}|{side}]", 3),
    (
        "curve",
        360,
        "[walk/walking/walked|go/going/gone|stroll/strolling/strolled|march/marching/marched] [in a [big |wide |full |complete |]circle|round in a circle|around in a circle|once around in a circle|a [full |complete |]circle|one full circle|a loop|one lap|in a loop] {maybe}",
        2,
    ),
    (
        "curve",
        360,
        "[do/doing/done|make/making/made|complete/completing/completed|trace/tracing/traced] [a circle on foot|a loop|a lap|one lap|a walking circle|a full walking circle|a circle as you walk] {maybe}",
        1,
    ),
    (
        "curve",
        360,
        "[loop/looping/looped around|circle/circling/circled around once|loop/looping/looped|walk/walking/walked a circle] {maybe}",
        1,
    ),
    (
        "curve",
        720,
        "[walk/walking/walked|do/doing/done|make/making/made|complete/completing/completed] [two|2] [circles|laps|full circles|loops|rounds] {maybe}",
        1,
    ),
    (
        "curve",
        1080,
        "[walk/walking/walked|do/doing/done|make/making/made] [three|3] [circles|laps|loops] {maybe}",
        0.7,
    ),
]
EIGHTS = "[[walk/walking/walked|do/doing/done|make/making/made|trace/tracing/traced|go/going/gone round in|pace/pacing/paced out] [a figure eight|a figure of eight|a figure 8|an eight|the shape of an eight|a big figure eight|one figure eight|a figure-eight pattern] [|on foot|as you walk]|figure eight|fig 8|a figure eight, walking]"

SLOWLY = "[slowly|slowly|slowly|very slowly|really slowly|gently|carefully|cautiously|leisurely|at a leisurely pace|at a slow pace|at a gentle pace|nice and slow|nice and easy|slow|at an easy pace|at a snail's pace|in slow motion|unhurriedly|without any hurry|taking your time|as slowly as you can|quite slowly|real slow|at low speed|with care|ever so slowly|at a crawl|without rushing|softly softly]"
FAST = "[quickly|quickly|fast|fast|rapidly|briskly|swiftly|at a brisk pace|at a fast pace|as fast as you can|as quickly as possible|really fast|very quickly|at full speed|at top speed|at high speed|in a hurry|at speed|with haste|hastily|speedily|at the double|full speed|pretty fast|super fast|at a good clip|on the double|quick as you can]"
NORMALLY = "[at a normal pace|at your usual pace|at normal speed|at a steady pace|steadily|normally|at a comfortable pace|at a moderate pace]"
ADJECTIVES = {
    "slow": "[slow|slow|gentle|careful|leisurely]",
    "fast": "[quick|fast|brisk|rapid]",
    "": "[||||good|big|little]",
}

SIDE_PHRASES = "[{side}|{side}|{side}|to the {side}|to the {side}|to your {side}|{side}wards|toward the {side}|to your {side} side|over to the {side}]"
SHIP = {"left": "to port", "right": "to starboard"}
CLOCKWISE = {
    "left": "[counterclockwise|anticlockwise|counter-clockwise|anti-clockwise|ccw]",
    "right": "[clockwise|clockwise|cw]",
}

# Kind of amount -> (singular, plural, weight). A unit without a leading space is glued to digits.
UNITS = {
    "length": [
        (" metre", " metres", "metric", 8),
        (" meter", " meters", "metric", 8),
        (" m", " m", "metric", 9),
        ("m", "m", "metric", 5),
        (" cm", " cm", "cm", 3),
        ("cm", "cm", "cm", 2),
        (" centimetre", " centimetres", "cm", 1),
        (" centimeter", " centimeters", "cm", 1),
        (" foot", " feet", "whole", 7),
        (" ft", " ft", "whole", 3),
        ("ft", "ft", "whole", 1),
        ("'", "'", "whole", 0.5),
        (" inch", " inches", "cm", 1.5),
        (" yard", " yards", "whole", 4),
        (" yd", " yds", "whole", 0.7),
        (" kilometre", " kilometres", "far", 0.3),
        (" km", " km", "far", 0.4),
        (" mile", " miles", "far", 0.3),
        (" mm", " mm", "cm", 0.2),
    ],
    "steps": [(" step", " steps", "whole", 9), (" pace", " paces", "whole", 4), (" stride", " strides", "whole", 1)],
    "time": [
        (" second", " seconds", "metric", 12),
        (" s", " s", "metric", 4),
        ("s", "s", "metric", 4),
        (" sec", " secs", "metric", 2),
        (" sec", " sec", "metric", 1),
        ("sec", "sec", "metric", 0.5),
        (" minute", " minutes", "far", 3),
        (" min", " mins", "far", 1),
        (" min", " min", "far", 1),
        ("min", "min", "far", 0.5),
        (" hour", " hours", "far", 0.2),
    ],
    "angle": [
        (" degree", " degrees", "degrees", 16),
        (" deg", " deg", "degrees", 3),
        ("deg", "deg", "degrees", 1),
        ("°", "°", "degrees", 2.5),
        (" turn", " turns", "turns", 1),
        (" full turn", " full turns", "turns", 1.2),
        (" revolution", " revolutions", "turns", 0.6),
        (" full rotation", " full rotations", "turns", 0.5),
        (" quarter turn", " quarter turns", "quarters", 0.8),
        (" radian", " radians", "radians", 0.6),
        (" rad", " rad", "radians", 0.3),
    ],
}
# The numbers that go with a unit. What stands more often is drawn more often.
NUMBERS = {
    "whole": [*range(1, 11)] * 4 + [*range(1, 51)],
    "metric": [*range(1, 11)] * 30
    + [*range(1, 41)] * 3
    + [n + 0.5 for n in range(10)] * 6
    + [n / 10 for n in range(2, 80)]
    + [0.25, 0.75, 1.25, 2.25, 2.4, 0.35, 50, 60, 75, 90, 100, 120, 150, 200, 300, 500, 1000] * 2,
    "cm": [*range(10, 200, 10)] * 3 + [*range(5, 300, 5), *range(10, 100)],
    "far": [1, 2, 3, 5, 0.5, 1.5, 2.5, 10, *range(1, 11)],
    "degrees": [90] * 40
    + [45, 180] * 20
    + [30, 60, 120, 135, 270, 360] * 12
    + [*range(5, 365, 5)] * 2
    + [*range(1, 361), 450, 540, 720],
    "turns": [1, 1, 2, 2, 3, 4, 1.5, 2.5],
    "quarters": [1, 1, 2, 2, 3],
    "radians": [0.5, 1, 1.5, 1.57, 2, 3.14, 0.785, 0.8],
}
# Whole amounts in words: text, number, unit in the plural.
IDIOMS = {
    "length": [
        ("half a metre", 0.5, "metres"),
        ("half a meter", 0.5, "meters"),
        ("a metre", 1, "metres"),
        ("a meter", 1, "meters"),
        ("a metre and a half", 1.5, "metres"),
        ("a couple of metres", 2, "metres"),
        ("a couple of meters", 2, "meters"),
        ("a couple of feet", 2, "feet"),
        ("a foot", 1, "feet"),
        ("a foot and a half", 1.5, "feet"),
        ("a yard", 1, "yards"),
        ("a couple of yards", 2, "yards"),
        ("half a yard", 0.5, "yards"),
        ("a dozen metres", 12, "metres"),
        ("a dozen feet", 12, "feet"),
        ("a hundred metres", 100, "metres"),
        ("two and a half metres", 2.5, "metres"),
        ("three quarters of a metre", 0.75, "metres"),
        ("one and a half meters", 1.5, "meters"),
        ("half a mile", 0.5, "miles"),
        ("a mile", 1, "miles"),
        ("a kilometre", 1, "kilometres"),
    ],
    "steps": [
        ("a step", 1, "steps"),
        ("half a step", 0.5, "steps"),
        ("a couple of steps", 2, "steps"),
        ("a couple of paces", 2, "paces"),
        ("a pace", 1, "paces"),
        ("a stride", 1, "strides"),
        ("a dozen steps", 12, "steps"),
        ("half a dozen steps", 6, "steps"),
        ("a dozen paces", 12, "paces"),
        ("two dozen steps", 24, "steps"),
        ("a couple steps", 2, "steps"),
    ],
    "time": [
        ("half a minute", 0.5, "minutes"),
        ("a minute", 1, "minutes"),
        ("a minute and a half", 1.5, "minutes"),
        ("one and a half minutes", 1.5, "minutes"),
        ("a couple of seconds", 2, "seconds"),
        ("a couple of minutes", 2, "minutes"),
        ("half a second", 0.5, "seconds"),
        ("a second", 1, "seconds"),
        ("a second and a half", 1.5, "seconds"),
        ("a dozen seconds", 12, "seconds"),
        ("a quarter of a minute", 0.25, "minutes"),
        ("two and a half seconds", 2.5, "seconds"),
        ("half an hour", 0.5, "hours"),
        ("a couple seconds", 2, "seconds"),
        ("an hour", 1, "hours"),
        ("a quarter of an hour", 0.25, "hours"),
    ],
    "angle": [
        ("a quarter turn", 0.25, "turns"),
        ("a quarter turn", 0.25, "turns"),
        ("half a turn", 0.5, "turns"),
        ("half a turn", 0.5, "turns"),
        ("a half turn", 0.5, "turns"),
        ("a quarter of a turn", 0.25, "turns"),
        ("a full turn", 1, "turns"),
        ("one full turn", 1, "turns"),
        ("three quarters of a turn", 0.75, "turns"),
        ("a three-quarter turn", 0.75, "turns"),
        ("one and a half turns", 1.5, "turns"),
        ("a turn and a half", 1.5, "turns"),
        ("an eighth of a turn", 0.125, "turns"),
        ("a complete turn", 1, "turns"),
        ("1/2 turn", 0.5, "turns"),
        ("1/4 turn", 0.25, "turns"),
        ("one complete revolution", 1, "revolutions"),
        ("half a revolution", 0.5, "revolutions"),
    ],
}
SPOKEN_ANGLES = {
    "one eighty": 180,
    "one twenty": 120,
    "one thirty five": 135,
    "two seventy": 270,
    "three sixty": 360,
    "one fifty": 150,
}
# What a motion may be measured in.
MEASURES = {
    "stand": ["time"],
    "walk forward": ["length", "length", "steps", "time"],
    "run forward": ["length", "length", "time", "steps"],
    "walk backward": ["length", "length", "steps", "time"],
    "sidestep left": ["length", "length", "steps", "time"],
    "turn left": ["angle", "angle", "angle", "angle", "angle", "time"],
    "curve left": ["angle", "angle", "time", "length"],
}
PREPOSITIONS = {
    "length": "[|||||for|for|by|over a distance of|about|exactly|roughly|a distance of|for a distance of|for about|for exactly|a total of]",
    "steps": "[|||||for|for|by|exactly|about]",
    "time": "[for|for|for|for|for|for a duration of|for a period of|for about|for exactly|for roughly|for a total of|for the next]",
    "angle": "[|||||by|by|through|by about|exactly|about|roughly|by exactly]",
}
UNTIL = {
    "length": "until you['ve| have] [covered|gone|done] {a}",
    "steps": "until you['ve| have] [taken|done|made] {a}",
    "time": "until {a} [have passed|are up|are over|have gone by]",
    "angle": "until you['ve| have] [turned|rotated|done|completed] {a}",
}
ENDLESS = "[until I say stop|until I tell you to stop|until further notice|until I say so|and don't stop|and keep going|without stopping|and just keep going|until told otherwise|until I'm back|until I've finished the recording|until you hear otherwise|until I get tired of it|with no end|forever|for as long as you like|nonstop]"
VAGUE = "[a bit|a little|a little bit|for a while|for a bit|for a moment|some more|a tad]"

# Velocity: numbers, templates of the unit.
VELOCITIES = {
    "ahead": [
        (
            [0.1 * n for n in range(2, 26)],
            "[ m/s| m/s| m/s|m/s| metres per second| meters per second| metres a second| meters a second]",
        ),
        (
            [1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 12, 20, 40],
            "[ km/h| km/h|km/h| kph| kilometres per hour| kilometers an hour| kmh]",
        ),
        ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8], "[ mph| miles per hour| miles an hour|mph]"),
        (list(range(15, 155, 5)), "[ cm/s| centimetres per second| cm per second]"),
        ([0.35, 0.45, 0.65, 0.75, 0.85, 1.05, 1.25, 1.35, 1.75], "[ m/s| metres per second| meters per second]"),
    ],
    "turn": [
        (list(range(10, 95, 5)), "[ degrees per second| degrees per second| deg/s| degrees a second|°/s| degrees/s]"),
        ([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1], "[ rad/s| radians per second]"),
    ],
}
AT = "[at|at|at|at|at|with|at a velocity of|at a commanded velocity of|at a pace of|at a speed of|at a steady|doing|at exactly|with a speed of|at about]"

# Fixed amounts of directions in the elliptic list: take two steps left, three right.
WAYS = [
    ("walk forward", "[forward|forward|ahead|forwards]"),
    ("walk backward", "[back|back|backward|backwards]"),
    ("sidestep left", "[left|to the left|to your left|leftwards]"),
    ("sidestep right", "[right|to the right|to your right|rightwards]"),
]
TAKE = "[take/taking/taken|take/taking/taken|do/doing/done|make/making/made|walk/walking/walked|go/going/gone]"

# Places
REACH = [
    (
        "",
        "[go/going/gone|go/going/gone|go/going/gone|move/moving/moved|walk/walking/walked|head/heading/headed|proceed/proceeding/proceeded|get/getting/got|get/getting/got yourself|make/making/made your way|navigate/navigating/navigated|step/stepping/stepped over|come/coming/come] to {spot}",
        5,
    ),
    (
        "",
        "[be/being/been|position/positioning/positioned yourself|place/placing/placed yourself|end/ending/ended up|arrive/arriving/arrived] at {spot}",
        1,
    ),
    (
        "",
        "[reach/reaching/reached|find/finding/found|visit/visiting/visited|approach/approaching/approached|make/making/made for|take/taking/taken|aim/aiming/aimed for|occupy/occupying/occupied|head/heading/headed for] {spot}",
        2,
    ),
    (
        "slow",
        "[sneak/sneaking/sneaked|creep/creeping/crept|tiptoe/tiptoeing/tiptoed|stroll/strolling/strolled|amble/ambling/ambled|inch/inching/inched|slowly go/going/gone|carefully walk/walking/walked] [over|up|] to {spot}",
        1,
    ),
    (
        "fast",
        "[hurry/hurrying/hurried|rush/rushing/rushed|hustle/hustling/hustled|dash/dashing/dashed|sprint/sprinting/sprinted|race/racing/raced|quickly go/going/gone] [over|] to {spot}",
        1,
    ),
]
SPOT = "[the|the|the|a|that] [spot|spot|point|point|place|position|mark|location]"
AHEAD_OF = {
    "ahead": "[ahead|ahead|directly in front of you|ahead of you|in front|in front of you|before you|straight ahead of you|dead ahead]",
    "behind": "[behind|behind you|behind you|at your back|in back of you|to your rear]",
}
BESIDE = "[to the {side}|to your {side}|to the {side}|{side}|on your {side}|to the {side} of you]"

# Postures
MANNERS = {
    "low": "[crouched|crouching|in a crouch|with bent knees|with your knees bent|keeping low|staying low|while crouching|in a low stance|crouched down|bent low|hunkered down|while you crouch|with your knees well bent|in a squat|low to the ground|keeping yourself low|ducked down]",
    "arms up": "[with your arms up|with your arms raised|with both arms up|with both arms raised|with your hands up|with your hands in the air|arms up|hands up|arms raised|with raised arms|holding your arms up|with your arms above your head|with arms overhead|arms held high|keeping your arms up|with your arms in the air|both arms in the air]",
    "arms out": "[with your arms out|with your arms out to the sides|with your arms spread|with spread arms|arms out|arms spread|with arms spread wide|with your arms like a T|in a T-pose|arms out like an airplane|with your arms stretched out to the sides|with both arms out sideways|like an aeroplane with your arms out|holding your arms out to the sides|with your arms wide|arms wide like a scarecrow]",
    "wave": "[waving|while waving|as you wave|while you wave|waving all the way|waving to [the crowd|everyone|me|the camera|my sister|the kids|the neighbors|the audience]|and wave while you do it|giving a wave as you do]",
    "wave hand": "[waving your {hand} hand|waving with your {hand} hand|while waving your {hand} hand|while waving with the {hand} hand|with your {hand} hand waving|with the {hand} hand waving|waving with your {hand}|with a wave of the {hand} hand all along]",
}
POSES = {
    "low": "[adopt/adopting/adopted a crouch|crouch/crouching/crouched|crouch/crouching/crouched down|duck/ducking/ducked|duck/ducking/ducked down|squat/squatting/squatted down|get/getting/got low|get/getting/got down low|go/going/gone into a crouch|drop/dropping/dropped into a crouch|bend/bending/bent your knees|keep/keeping/kept low|stay/staying/stayed low|hunker/hunkering/hunkered down|lower/lowering/lowered yourself into a crouch|make/making/made yourself small and low|sink/sinking/sunk into a crouch|go/going/gone low|squat/squatting/squatted]",
    "arms up": "[raise/raising/raised your arms|raise/raising/raised both arms|put/putting/put your arms up|put/putting/put your hands up|lift/lifting/lifted your arms|lift/lifting/lifted both arms up|raise/raising/raised your hands|put/putting/put your hands in the air|throw/throwing/thrown your arms up|hold/holding/held your arms up|stretch/stretching/stretched your arms up|get/getting/got your arms up|raise/raising/raised both arms above your head]",
    "arms out": "[spread/spreading/spread your arms|put/putting/put your arms out|stretch/stretching/stretched your arms out to the sides|hold/holding/held your arms out to the sides|extend/extending/extended your arms sideways|make/making/made a T with your arms|open/opening/opened your arms wide|put/putting/put your arms out like a T|stick/sticking/stuck your arms out|spread/spreading/spread your arms wide|raise/raising/raised your arms out to the sides|bring/bringing/brought your arms out to the sides]",
}
NOMINAL_POSES = {
    "low": "[down low|low stance|knees bent|low|into a crouch]",
    "arms up": "[arms up|hands up|hands in the air|arms raised|both arms up]",
    "arms out": "[arms out|arms out to the sides|T-pose|arms wide|arms spread|arms out like a T]",
}
RELEASES = {
    "low": "[pop/popping/popped up|unfold/unfolding/unfolded yourself|stand/standing/stood fully upright|stand/standing/stood up|stand/standing/stood up|stand/standing/stood up straight|rise/rising/risen|straighten/straightening/straightened up|get/getting/got up|get/getting/got back up|come/coming/come back up|stand/standing/stood tall again|stop/stopping/stopped crouching|rise/rising/risen again]",
    "arms": "[lower/lowering/lowered your arms|lower/lowering/lowered your arms|put/putting/put your arms down|drop/dropping/dropped your arms|let/letting/let your arms hang|put/putting/put them down|lower/lowering/lowered them|bring/bringing/brought your arms down|take/taking/taken your arms down|let/letting/let your arms drop]",
}
WAVES = "[wave/waving/waved|wave/waving/waved|give/giving/given [me|us|them|the crowd|the camera|everyone|the class|the kids|my mother] a wave|wave/waving/waved [hello|hi to the class|bye|goodbye|to the crowd|at the camera|to everyone|at me|to my friend|to the people|to the audience|at the neighbors]|do/doing/done a wave|give/giving/given a wave]"
HAND_WAVES = "[wave/waving/waved your {hand} hand|wave/waving/waved with your {hand} hand|wave/waving/waved the {hand} hand|wave/waving/waved with the {hand} hand|wave/waving/waved with your {hand}|give/giving/given [a|me a|us a|the crowd a] wave with your {hand} hand|use/using/used your {hand} hand to wave|wave/waving/waved {hand}-handed]"
THROUGHOUT = {
    "low": "[crouched the whole time|knees bent throughout|all of it crouched|staying low the whole way|all the while keeping low|low the entire time|in a crouch from start to finish]",
    "arms up": "[arms up throughout|with your arms up the whole time|all of it with your hands in the air|keep your arms up all the while|arms raised from start to finish|arms overhead the entire time]",
    "arms out": "[arms out throughout|with your arms out the whole time|all of it with your arms spread|keep your arms out to the sides all the while|arms wide from start to finish]",
}

# Groups of goals
EACH = "[each|each|each time|apiece|each way|every time]"
SHARED = [
    "{list}, {a} each",
    "{list}, {a} each",
    "{list}, each {for} {a}",
    "{list}, {for} {a} each",
    "{a} each: {list}",
    "{list} ({a} each)",
    "{list}, {a} in each direction",
    "{list}, both {for} {a}",
    "{list}, all {for} {a}",
    "each {for} {a}: {list}",
]
SHARERS = [  # kinds of amount, goals with their words
    (
        "steps length",
        {
            "sidestep left": "[step |go |move |shuffle |][left|to the left]",
            "sidestep right": "[step |go |move |][right|to the right]",
        },
    ),
    (
        "steps length",
        {"sidestep right": "[step |go |move |][right|to the right]", "sidestep left": "[step |][left|to the left]"},
    ),
    (
        "steps length",
        {"walk forward": "[go |walk |step |][forward|forwards]", "walk backward": "[back|backward|backwards]"},
    ),
    ("steps length", {"walk backward": "[go |walk |step |][back|backwards]", "walk forward": "[forward|forwards]"}),
    ("angle", {"turn left": "[turn|rotate] [left|to the left]", "turn right": "[turn |][right|to the right]"}),
    ("angle", {"turn right": "[turn|rotate] [right|clockwise]", "turn left": "[turn |]left"}),
    ("time length", {"walk forward": "walk", "run forward": "run"}),
    ("time length", {"walk forward": "walk", "run forward slow": "jog", "run forward fast": "sprint"}),
    ("time length", {"run forward": "run", "walk backward": "walk backwards"}),
    ("time length", {"walk forward slow": "[creep|stroll|tiptoe]", "walk forward fast": "[hurry|rush]"}),
    (
        "steps length",
        {"walk forward": "forward", "walk backward": "back", "sidestep left": "left", "sidestep right": "right"},
    ),
]
RATIOS = {  # factor -> phrase by kind of amount
    2: {
        "length": "[twice as far|twice that distance|double that distance|twice that|double the distance]",
        "steps": "[twice as many steps|twice as far|double that|twice as many]",
        "time": "[twice as long|for twice as long|for double that time|for twice that time|double the time]",
        "angle": "[twice as far|twice as much|double that|twice that]",
    },
    0.5: {
        "length": "[half as far|half that distance|half the distance|half of that]",
        "steps": "[half as many steps|half as many|half as far]",
        "time": "[half as long|for half as long|for half that time|half the time]",
        "angle": "[half as far|half as much|half of that]",
    },
    3: {
        "length": "[three times as far|three times that distance|triple that]",
        "steps": "[three times as many|three times as many steps]",
        "time": "[three times as long|for three times as long|triple that time]",
        "angle": "[three times as much|three times as far]",
    },
    0.25: {
        "length": "[a quarter of that distance|a quarter as far]",
        "steps": "[a quarter as many]",
        "time": "[a quarter as long|for a quarter of that time]",
        "angle": "[a quarter of that|a quarter as far]",
    },
    1: {
        "length": "[the same distance|just as far|as far|the same|the same amount|equally far]",
        "steps": "[as many|the same number|the same|just as many steps|as many steps]",
        "time": "[for the same time|just as long|for as long|the same time|for an equal time|for the same length of time]",
        "angle": "[by the same amount|just as much|the same|as much|by the same angle]",
    },
}
BACK_AGAIN = [
    "{0} and the same back",
    "{0} and the same distance back",
    "{0}, then the same back",
    "{0}, then the same again backwards",
    "{0} and then back the same way, in reverse",
    "{0} and the same amount backwards",
]
FORTH_AND_BACK = [
    "{0} and back again backwards",
    "{0} and {a} back",
    "{0}, then {a} back",
    "{0} and then {a} backwards",
    "{0}, {a} backward",
    "{0} and back again",
    "{0}, and back up {a}",
    "{0} and then back {a} again",
]
RETURNS = [
    "{0} and come back",
    "{0} and come back to where you were",
    "{0} and back to where you started",
    "{0}, there and back",
    "{0} and return",
    "{0}, and then return to the start",
    "{0} and come back again to where you are now",
    "{0} and then come back here",
]
HALVES = [
    ("{0}, the first half {x}", False),
    ("{0}, the first half {x}, the second half {y}", True),
    ("{0}, first half {x}, second half {y}", True),
    ("{0}, half of it {x}, the other half {y}", True),
    ("{0}, of which the first half {x}", False),
    ("{0}, first half {x}", False),
    ("{0}, the second half {y}", None),
    ("{0}: half {x}, half {y}", True),
    ("{0}; do the first half {x} and the rest {y}", True),
]
AGAIN = [
    "{0}, and again",
    "{0} and do it again",
    "{0}, then the same again",
    "{0} and repeat",
    "{0}, and once more",
    "{0}. Again.",
    "{0}, then do that again",
    "{0} and then do it all once more",
    "{0}, repeat once",
    "{0} and repeat that once",
    "{0}, one more time",
]
TIMES = {
    2: "[twice|two times|2 times|2x|x2|two rounds|2 rounds]",
    3: "[three times|3 times|thrice|3x|x3|three rounds|3 rounds]",
    4: "[four times|4 times|4x|four rounds]",
    5: "[five times|5 times|5x]",
    6: "[six times|6 times]",
    8: "[eight times|8 times]",
    9: "[nine times|9 times]",
    10: "[ten times|10 times|10x]",
    12: "[twelve times|12 times|a dozen times]",
    20: "[twenty times|20 times|20x]",
}
REPEATS = [
    "{t}, no complaints: {0}",
    "{t}, and I mean it: {0}",
    "{0}, {t}",
    "{t}: {0}",
    "do this {t}: {0}",
    "{0}; repeat this {t}",
    "{0} and do that {t} in total",
    "repeat the following {t}: {0}",
    "{0}, do that {t} altogether",
    "do the following {t}: {0}",
    "{0}, {t} in a row",
    "I want this {t}: {0}",
    "perform this {t}: {0}",
    "{0}, and that {t} in total",
    "{t} in a row, {0}",
    "{0}, all of that {t}",
    "{t} please: {0}",
    "{t} over: {0}",
    "{0}. {t}.",
    "{0}. Do that {t}.",
    "{0}, {t} over",
]
BETWEEN = [
    "with a pause in between",
    "with a {a} pause in between",
    "pausing in between",
    "pausing for {a} in between",
    "with a stop of {a} between",
    "with a short stop between them",
    "with {a} of rest in between",
    "stopping between each",
    "waiting {a} between each",
    "with a pause of {a} between",
]
SHAPE = "[walk/walking/walked|walk/walking/walked|trace/tracing/traced|make/making/made|pace/pacing/paced out|do/doing/done|walk/walking/walked in|go/going/gone round in|walk/walking/walked along|complete/completing/completed|march/marching/marched]"
SIDES = "[with sides of {a}|with {a} sides|of {a} per side|, {a} per side|, {a} a side|, each side {a}|, sides {a} long|where every side is {a}|with each side {a} long|with an edge of {a}|, {a} on each side|, sides of {a}|measuring {a} on a side]"
RECTANGLE = "[rectangle|rectangle|oblong][, {a} by {b}| of {a} by {b}| {a} long and {b} wide|, {a} times {b}| with sides of {a} and {b}|, long sides {a}, short sides {b}]"
CORNERS = "[turning {side}|turning {side} at the corners|turning {side} at every corner|turning to the {side}|with {side} turns|{clock}|going {clock}|all turns {to}]"

# Order of two: {0} first. g is the gerund, p the participle.
PAIRS = [
    "{0}, then {1}",
    "{0}, then {1}",
    "{0} then {1}",
    "{0} then {1}",
    "{0} and then {1}",
    "{0} and then {1}",
    "{0} and {1}",
    "{0} and {1}",
    "{0}, and {1}",
    "{0}, {1}",
    "{0}. {1}",
    "{0}. Then {1}",
    "{0}; {1}",
    "{0}; then {1}",
    "first {0}, then {1}",
    "first {0} and then {1}",
    "{0}, after that {1}",
    "{0} and after that {1}",
    "{0}, next {1}",
    "{0} and afterwards {1}",
    "{0}, and finally {1}",
    "{0} and finally {1}",
    "{0}. After that, {1}",
    "{0}, and when that's done {1}",
    "{0}, and once you're done, {1}",
    "{0}. When you're done, {1}",
    "{0}. Once that's finished, {1}",
    "{0}, and only then {1}",
    "{0}, followed by {1g}",
    "{0g}, then {1g}",
    "{0} - then {1}",
    "{0}, and as soon as that's over {1}",
    "{0} to start with, then {1}",
    "{0} for starters, and then {1}",
    "{0}, and at the very end {1}",
    "to begin, {0}, and to finish, {1}",
    "the first thing is to {0}, the second to {1}",
    "{0}, subsequently {1}",
    "{0}, thereafter {1}",
    "one: {0}. two: {1}",
    "1) {0} 2) {1}",
    "a. {0} b. {1}",
    "{0}, now {1}",
    "{0}... then {1}",
    "{0}, straight after that {1}",
    "{0} and from there {1}",
    "{0} and there {1}",
    "{0}, and once there {1}",
]
ORDERED = [
    "before you {1}, {0}",
    "before {1g}, {0}",
    "before {1g}, you should {0}",
    "after {0g}, {1}",
    "after {0g} {1}",
    "after you {0}, {1}",
    "once you have {0p}, {1}",
    "once you've {0p}, {1}",
    "when you've {0p}, {1}",
    "when you have {0p} {1}",
    "as soon as you've {0p}, {1}",
    "after you've {0p}, {1}",
    "having {0p}, {1}",
    "{1} after {0g}",
    "{1} once you've {0p}",
    "{1} when you've {0p}",
    "{1} as soon as you have {0p}",
    "{1}, but first {0}",
    "{1}, but only after {0g}",
    "{0} before {1g}",
    "{0} before you {1}",
    "{1}, but before that {0}",
    "{1}. Before that, {0}",
    "{1}, but not before you've {0p}",
    "don't {1} until you've {0p}",
    "only {1} after you've {0p}",
    "{1} at the end, but {0} at the beginning",
    "start by {0g}, then {1}",
    "begin by {0g} and end by {1g}",
    "prior to {1g}, {0}",
    "upon {0g}, {1}",
    "{0} prior to {1g}",
    "finish by {1g}, but start by {0g}",
    "the last thing you do is {1}, the first is {0}",
    "just before {1g}, {0}",
    "when you are done {0g}, {1}",
    "once you're finished {0g}, {1}",
    "{1} last, {0} first",
    "no {1g} before you've {0p}",
    "{1}, having first {0p}",
]
JOINTS = [
    "[, then | then |, and then | and then ]",
    ", ",
    ", ",
    "[, | and |, then ]",
    ". ",
    "[. Then |. After that |. Next ]",
    "; ",
    "[, | then |, next |, after that | and then ]",
    " and ",
    "\n",
    " then ",
    ", then ",
]
LAST_JOINTS = "[, and finally |, then |, and then | and then |, and |. Finally |, finally |, and last |, and to finish |, and at the very end | and | then |, and in the end ]"
STRONG_JOINTS = "[. Then |. After that |. Next |; after that |. Once all that is done |. Now |. And then ]"
NUMBERED = [
    "1. {} 2. {} 3. {} 4. {} 5. {} 6. {} 7. {} 8. {}",
    "1) {}, 2) {}, 3) {}, 4) {}, 5) {}, 6) {}, 7) {}, 8) {}",
    "first {}, second {}, third {}, fourth {}, fifth {}, sixth {}, seventh {}, eighth {}",
    "step one: {}. step two: {}. step three: {}. step four: {}. step five: {}. step six: {}. step seven: {}. step eight: {}",
    "first, {}. second, {}. third, {}. fourth, {}. fifth, {}. sixth, {}. seventh, {}. eighth, {}",
    "firstly {}, secondly {}, thirdly {}, fourthly {}, fifthly {}, sixthly {}, seventhly {}, lastly {}",
    "a) {} b) {} c) {} d) {} e) {} f) {} g) {} h) {}",
]

# Corrections
MEND = "[, no, |, no wait, |, no, wait, |, sorry, |, I mean |, er, |, or rather |, make that |, make it |, correction, |, uh no, |... no, |, hang on, |, wait, no, |, oops, |, actually |, scratch that, |, no sorry, |, nope, |, hmm, no, |, my mistake, |, on second thought |, I meant |, ah no, |, that is, |, did I say that? no, |, hold on, |, well, |, belay that, |, not that, |, excuse me, |, pardon, |, no no, |? no, | - no, | -- neg, |, wrong, |, upon further review, |, correction from the booth, |, audible, audible, | - err - |, no no no, |, forgive me, |, or no, |, damn, I mean |, cancel, |, hm, |. *|, as you were, |, strike that, |, did I say that, |, no wait, there's a wall, |, hm, too much, |, no, that's silly, |, hmm, not enough, |, no, wrong again, |, or, let me think, |, no, I always mix these up, |... you know what, |, not really, |, ugh, no, |, make it, oh, ]"
INSTEAD = [
    "{0}{mend}{1}",
    "{0}{mend}{1}",
    "{0}{mend}{1} instead",
    "{0}. No, forget that. {1}",
    "{0}... actually, {1} instead",
    "don't {0}, {1}",
    "do not {0}, {1} instead",
    "{1} instead of {0g}",
    "instead of {0g}, {1}",
    "rather than {0g}, {1}",
    "{1}, don't {0}",
    "{1}, not {0g}",
    "forget about {0g}, {1}",
    "{0}. Scratch that. {1}",
    "{0}, oh never mind, {1}",
    "I was going to say {0}, but {1}",
    "no need to {0}, just {1}",
    "{0}... cancel that, {1}",
    "{0}, or no, {1}",
    "don't {0} but {1}",
    "{0}, ah, changed my mind, {1}",
    "{0}? Nah, {1}",
    "{1} without {0g}",
]
DROPS = [
    "{0}, oh wait, mom says no {n}",
    "{0}. Wait, the {n} has been called off",
    "{0}, wait, cut the {n}",
    "{0}; on reflection, the {n} is withdrawn",
    "{0}, hm, nobody needs the {n}",
    "{0}, scratch the {n}",
    "{0}. Scratch the {n}",
    "{0}, no, skip the {n}",
    "{0}, actually leave out the {n}",
    "{0}... forget the {n}",
    "{0}, on second thought no {n}",
    "{0}. Cancel the {n}",
    "{0}, hmm, drop the {n}",
    "{0}. Actually, without the {n}",
    "{0}, never mind the {n}",
    "{0}, ah, not the {n}",
    "{0}. Sorry, no {n} needed",
    "{0}, let's lose the {n}",
    "{0}, or no, omit the {n}",
    "{0}... you know what, forget about the {n}",
    "{0}, I take back the {n}",
]
CONFIRMED = [
    "{0}, or no, yes, do that",
    "{0}, or should you, yes, do",
    "{0}... hm, wait, yes, do it",
    "{0}. I think. Yes",
    "{0}, no, yes, exactly that",
    "{0}? Hmm, yes",
    "{0}, wait, is that what I want? Yes, do that",
    "{0}, or not, well, okay, yes",
]
UPRIGHT = {
    "low": "[{0}, actually don't crouch|{0}, no, stay upright|{0}... no, do it upright|{0}, hm, no crouching|{0}, well, actually do it standing tall|{0}. Forget the crouching]",
    "arms up": "[{0}, no, keep your arms down|{0}, actually leave your arms down|{0}, hm, without the arms|{0}. Forget the arms]",
    "arms out": "[{0}, no, arms down|{0}, actually leave your arms down|{0}, hm, without the arms|{0}. Forget the arms]",
    "wave": "[{0}, actually don't wave|{0}, no, no waving|{0}, hm, leave out the waving|{0}. Forget the waving]",
}
OTHER_WAY = [
    "{0}, then the same to the {side}",
    "{0} and then the same {side}",
    "{0}, and mirror it to the {side}",
    "{0}, then the other way round",
    "{0}, and the same the other way",
    "{0} and then the same thing in the other direction",
    "{0}, then do it the other way",
    "{0}, and repeat it to the {side}",
]
NOUNS = {
    "walk forward": "walk",
    "run forward": "run",
    "walk backward": "backing up",
    "sidestep": "sidestep",
    "turn": "turn",
    "curve": "curve",
    "stand": "stop",
    "wave": "wave",
}
NEVERMIND = [
    "{0}... disregard, {s}",
    "{0}, nvm, {s}",
    "{0}... actually never mind, {s}",
    "{0}, no, never mind, {s}",
    "{0}. Forget it, {s}",
    "{0}, oh forget all that and {s}",
    "{0}... you know what, {s}",
    "{0}, no no, cancel everything and {s}",
    "{0}. Scratch all that. {s}",
    "{0}, on second thoughts just {s}",
    "{0}. Changed my mind, {s}",
    "{0}, wait, don't do anything, {s}",
    "{0}... nah, {s}",
    "{0}, abort, {s}",
    "{0}, actually no, {s}",
]
STAY = "[stay|stay put|stay where you are|stand still|just stand there|don't move|stop|just stay|remain where you are|stay there|do nothing]"
NEGATIVES = [
    (
        "stand",
        "[don't|do not|never|please don't] [walk|move|go anywhere|run|take another step|turn|walk any further|budge|move a muscle]",
    ),
    (
        "stand",
        "[stop|quit|cease] [walking|moving|running|turning|that|whatever you're doing|spinning|going forward|going back|jogging]",
    ),
    (
        "stand",
        "[enough walking|no more walking|that's far enough|that'll do, stop|whoa|whoa there, stop|hold it|stop it right there|hold it right there|not another step|no more running now|enough, stand still]",
    ),
    (
        "walk forward",
        "[don't stop, keep walking|don't stop walking|keep walking, don't stop|don't you dare stop, walk on|never stop walking|walk and don't stop|no stopping, keep walking|don't quit walking]",
    ),
    (
        "run forward",
        "[don't stop, keep running|don't stop running|keep running, don't stop|run and don't you stop|never stop running]",
    ),
    ("turn left", "[don't stop turning|keep turning, don't stop|never stop turning]"),
    ("walk backward", "[don't stop, keep walking backwards|keep backing up, don't stop|don't stop going backwards]"),
]
EMPTY_BANS = "[but don't [run|jump|rush|fall|touch anything|hit anything|stop halfway|look at me|hop]|and don't [jump|fall over|bump into anything|make a sound|hop|dance]|no [jumping|hopping|bumping into things|falling over]|without [jumping|bumping into anything|touching anything|falling over|making noise|tripping]]"

# Word order of a learner of English: motion -> templates with {a} or without.
FOREIGN = {
    "walk forward": [
        "you go {a} forward",
        "{a} you walk forward",
        "make {a} to the front",
        "advance of {a}",
        "forward you go {a}",
        "walk you {a} straight",
        "it is necessary to walk {a}",
        "go to front {a}",
        "please to walk {a}",
        "you must to walk {a}",
        "{a} straight go",
    ],
    "walk backward": [
        "you go {a} back",
        "go you backward of {a}",
        "{a} to back you go",
        "make {a} to the back",
        "backward go {a}",
        "recoil of {a}",
        "{a} behind walk please",
        "walk you {a} in back direction",
    ],
    "run forward": [
        "you run {a}",
        "{a} you run",
        "make a run of {a}",
        "run you {a} to front",
        "please to run {a}",
        "it must be run {a}",
    ],
    "sidestep left": [
        "you go {a} sideways on {side}",
        "make {a} to {side} side",
        "to the {side} step {a}",
        "{a} to the {side} go sideways",
        "displace yourself {a} on the {side}",
        "sideways {side} you step {a}",
    ],
    "turn left": [
        "turn you {a} on the {side}",
        "to the {side} turn {a}",
        "make a turn of {a} on the {side}",
        "you turn yourself {a} to the {side}",
        "{a} to {side} you must turn",
        "turn on {side} side {a}",
        "do rotation of {a} to {side}",
        "rotate yourself of {a} at {side}",
    ],
    "curve left": [
        "make a curve of {a} on the {side}",
        "walk in curve {a} to the {side} side",
        "in arc to {side} you walk {a}",
    ],
    "go home": [
        "at your starting point come back",
        "return at your point of departure",
        "to the start you go back",
        "come back at the place of beginning",
        "you return yourself to where you have started",
        "there where you began, go again",
    ],
    "face start": [
        "your orientation of origin take again",
        "look again like at the start",
        "in the direction of the beginning turn you",
        "take back your first orientation",
        "face the same side as in the beginning",
    ],
    "stand": [
        "make a stop of {a}",
        "you wait {a}",
        "stay stopped {a}",
        "stand you {a} without move",
        "{a} you stay there",
        "please to wait {a}",
    ],
}

# Phrases built around an amount: speed (None: any, told by {adjective} or {adverb}), kind of amount ("": any), template.
WITH_AMOUNT = {
    "walk forward": [
        (None, "steps", "[{take}|{take}|] {number} {adjective} {unit} [forward|ahead|forwards|straight ahead]"),
        (None, "length", "{a} [forward|ahead|straight ahead|forwards] {adverb}"),
        (None, "time", "{a} of walking {adverb}"),
        (
            "",
            "length",
            "[[cover/covering/covered|cross/crossing/crossed|traverse/traversing/traversed] {a} [in the forward direction|straight ahead|ahead|forward]|do/doing/done {a} [forward|straight ahead]|translate/translating/translated forward by {a}|put/putting/put {a} behind you, walking]",
        ),
        ("", "", "[forward march|straight on|onward], {a}"),
        ("fast", "", "[{a}, quick march|full ahead, {a}|full speed ahead {a}|full steam ahead, {a}]"),
        ("slow", "", "[slow ahead, {a}|dead slow ahead, {a}|{a}, slow march|slowly forward, {a}]"),
    ],
    "walk backward": [
        (None, "steps", "[{take}|{take}|] {number} {adjective} {unit} [back|backward|backwards|in reverse]"),
        (None, "length", "{a} [back|backward|backwards|in reverse] {adverb}"),
        (None, "time", "{a} of walking backwards {adverb}"),
        (
            "",
            "",
            "[fall/falling/fallen back {a}|drop/dropping/dropped back {a}|translate/translating/translated backward by {a}]",
        ),
        ("", "", "[astern {a}|backwards, {a}|in reverse, {a}]"),
        ("fast", "", "[full astern, {a}|quickly back {a}]"),
        ("slow", "", "[slow astern, {a}|slowly back, {a}]"),
    ],
    "run forward": [
        (None, "time", "{a} of running {adverb}"),
        (
            "",
            "length",
            "[cover/covering/covered {a} at a run|do/doing/done {a} at a run|put/putting/put in a run of {a}]",
        ),
        ("fast", "", "[flat out, run {a}|at a sprint, {a}]"),
    ],
    "sidestep left": [
        (None, "steps", "[{take}|{take}|] {number} {adjective} {unit} {to}"),
        (None, "length", "{a} {to} {adverb}"),
        (None, "time", "{a} of sidestepping {side} {adverb}"),
        (
            "",
            "",
            "[displace/displacing/displaced yourself {a} to the {side}|translate/translating/translated laterally {a} to the {side}|glide/gliding/glided {a} to your {side}|ease/easing/eased over {a} to the {side}|cover/covering/covered {a} sideways to the {side}]",
        ),
        ("", "length", "[sideways {side} {a}|{side} sideways, {a}]"),
    ],
    "turn left": [
        (
            None,
            "degrees",
            "[{make} |]a {speed} [{degree} {side} turn|{degree} turn to the {side}|{side} turn of {a}|{degree} rotation to the {side}]",
        ),
        ("", "turn", "[{make} |]{a} [to the {side}|{side}]"),
        (None, "time", "{a} of turning {side} {adverb}"),
        (
            "",
            "angle",
            "[reorient/reorienting/reoriented {a} to the {side}|yaw/yawing/yawed {a} {side}|change/changing/changed heading {a} to the {side}|swing/swinging/swung {a} to the {side}|come/coming/come {side} {a}|complete/completing/completed {a} to the {side}]",
        ),
    ],
    "curve left": [
        (None, "degrees", "[{make} |]a {speed} [{degree} {side} curve|{degree} arc to the {side}|{side} arc of {a}]"),
        (
            "",
            "angle",
            "[follow/following/followed an arc of {a} to the {side}|walk/walking/walked {a} along an arc to the {side}|bear/bearing/borne {side} {a}]",
        ),
        (None, "time", "{a} of curving {side} {adverb}"),
    ],
    "stand": [
        (
            "",
            "",
            "[maintain/maintaining/maintained your position for {a}|count/counting/counted off {a} standing|hold/holding/held it for {a}|let/letting/let {a} pass|remain/remaining/remained stationary for {a}|take/taking/taken {a} to rest|do/doing/done nothing but stand for {a}]",
        )
    ],
}
MAKE = "[make/making/made|do/doing/done|perform/performing/performed|take/taking/taken|execute/executing/executed]"
# Parts of one motion that differ in speed or posture: walk two metres slowly, then four briskly.
LADDERS = [
    ("slow", "", "[slowly|slow|gently|at a crawl|carefully]"),
    ("fast", "", "[briskly|quickly|fast|at full speed]"),
    ("", "", "[at a normal pace|normally|at your usual speed]"),
    ("", "low", "[crouched|keeping low|in a crouch]"),
    ("", "arms up", "[with your arms up|arms up|with your hands in the air]"),
    ("", "arms out", "[with your arms out|arms out|with arms spread]"),
    ("", "wave right", "[waving|while waving]"),
    ("", "wave left", "[waving your left hand|with the left hand waving]"),
    ("", "", "[upright|standing tall|without anything fancy]"),
]

# Telegrams
CODES = {
    "walk forward": (
        "[fwd|fwd|fwd|forward|ahead|frwd|walk|straight|FWD|adv|ahd|]",
        ["length", "length", "length", "steps", "time"],
    ),
    "walk backward": ("[back|bk|bwd|backward|rev|reverse|BACK]", ["length", "length", "steps"]),
    "run forward": ("[run|run fwd|RUN]", ["length", "time"]),
    "run forward slow": ("[jog|trot]", ["length", "time"]),
    "run forward fast": ("[sprint|dash]", ["length", "time"]),
    "walk forward slow": ("[fwd slow|slow fwd|creep|walk slow]", ["length", "time"]),
    "walk forward fast": ("[fwd fast|fast fwd|hurry|walk fast]", ["length", "time"]),
    "sidestep left": ("[{S}|{side}|sidestep {S}|ss {S}|strafe {S}|step {side}|side {S}]", ["length", "steps"]),
    "turn left": ("[{S}|{side}|turn {S}|turn {side}|rot {S}|rotate {S}|{S} turn]", ["angle"]),
    "curve left": ("[curve {S}|arc {S}|curve {side}|arc {side}]", ["angle", "time"]),
    "stand": ("[hold|wait|stop|pause|stand|halt]", ["time", "time", ""]),
    "go to": ("[goto|go to|goto pt|proceed to pt|mv to]", ["length", "length", "steps"]),
    "go home": ("[RTB|home|back to start|return to start|go home|rtn to start|return home]", [""]),
    "face start": (
        "[face start|orig hdg|face orig heading|original heading|face original dir|face init hdg|init hdg]",
        [""],
    ),
    "turn left 180 degrees": ("[about turn|u-turn|turn around|abt face|180]", [""]),
    "turn left 360 degrees": ("[spin|spin 1x|360]", [""]),
    "stand, wave left": ("[wave {S}|wave {S} hand|wave {side}|wave {S}H]", [""]),
    "low": ("[crouch|get low|low]", [""]),
    "arms up": ("[arms up|hands up]", [""]),
    "arms out": ("[arms out|T-pose]", [""]),
}
CODE_RELEASES = {"low": "[stand up|std up]", "arms up": "[arms down|arms dn]", "arms out": "[arms down|arms dn]"}
CODE_JOINTS = [", ", ", ", ", ", "; ", " / ", " > ", " -> ", "\n", " | ", " then ", " + ", ". ", " "]

# Around the sentence
NAMES = "[robot|robot|robo|Max|Atlas|buddy|pal|mate|dear|darling|my friend|sir|boss|R2|Rosie|Bolt|Henry|unit 4|old boy|sweetie|tin man|kiddo|bot|my dear|Robbie|Sparky|chief|champ|soldier|lad|son|Ada|Nao|big guy|dude|bro]"
OPENINGS = "[could you maybe |simply |on my whistle, |once the whistle has gone, |before anything else, |now that it's quiet, |when I say go, |as soon as the bell rings, |once everyone is quiet, |please |please |please |please, |could you |could you please |can you |can you please |would you |would you please |will you |I want you to |I'd like you to |I would like you to |I need you to |you should |now |just |go ahead and |try to |kindly |you need to |you have to |let's |let's see you |your task is to |do me a favor and |would you be so kind as to |if you don't mind, |when you're ready, |I wonder if you could |be a dear and |it would be great if you could |okay, now |well, |alright, |so, |righto, |next, |ok |quick, |listen, |time to |might you |might I ask you to |you can now |your next job is to |for this trial, |on my mark, |go on, |I'd be glad if you would |sorry, could you |show me how you |let me see you |all you have to do is |what I want is for you to |you are to |you're going to |make sure to |mission: |task: |command: |instruction: ]"
NEUTRAL_OPENINGS = "[on my whistle: |when I say go: |please: |please, |okay, |ok, |ok so |alright, |now: |so, |listen, |next: |task: |command: |here's the plan: |the routine is: |mission: |to do: |this is the job: |okay so |well, |today: |here we go: |the following, please: |your orders: |now then, |next up: ]"
NOUN_FRAMES = [
    "give me {0}",
    "I want {0}",
    "let's have {0}",
    "just {0}",
    "gimme {0}",
    "how about {0}?",
    "I need {0}",
    "{0} if you please",
    "make it {0}",
    "{0}, that's all",
]
GERUND_FRAMES = [
    "would you mind {0}?",
    "how about {0}?",
    "I'd like to see you {0}",
    "try {0}",
    "start {0}",
    "what about {0}?",
    "I suggest {0}",
    "any chance of you {0}?",
    "do you mind {0}?",
    "let me see you {0}",
]
CLOSINGS = "[, aye| k|, there's a good fellow|, whenever you are ready|, lovely|, clever girl|, simple as that| please|, please|, please|, thanks|, thank you| now|, okay?|, will you?|, would you?| for me|, if you can|, if you would|. Thank you|. Thanks|. Go|, got it?|. That's all|. That's it|, alright?|, if you don't mind|, if possible|. Good luck|, and that's it|, cheers| if it's not too much trouble|, if you'd be so kind|, pretty please| okay|, over| lol| haha|, chop chop]"
REASONS = [
    "[so [I|we] can [film you|watch|see you properly|test your balance|take a picture|check the sensors|measure it|write it down|get past|record the gait|sweep there|see your back|hear your motors|time you]|because [the floor is wet|the baby is asleep|the boss is watching|my sister doesn't believe you can|you're in the way|I need the space|the camera is over there|there's a rug there|we're nearly out of time|it's your job|the cat is scared of you|it looks nice]|since [you're in my way|nobody is there|the battery is full|the room is empty|we have guests|that's what robots do]|[everyone is watching|the kids love it|my dad wants to see it|it's for the show|I'm filming|the floor is clear|the way is free|there's nothing in your way|mind the cable|mind the rug|careful with the vase|no rush|I'm counting on you|you can do it|it's for science|it's just a test|that's what the script says|it'll be fun|as usual|like yesterday|like we practised|like you mean it|like a king|like an old friend|feel it in the hips|let it breathe|it will do you the world of good|same as last time|I'll be right here|trust me|the judges are waiting|watch out for the dog|and good luck with it]|[to make room for the table|to let the others pass|to warm up your joints|to test the new battery|for the video|for the demo|to show the guests|for my thesis|as a little test|to give us some room|for the audience|for practice|for the record|to calm the baby|for fun]]",
    "[since|because|as] [the {who} [is waiting|is asleep|wants to see it|is coming|asked for it|has a camera|gets nervous|loves it]|[I|we] [have to leave soon|need the space|promised the {who}|want to test this|forgot to check it]]",
    "so that the {who} [can see you|can get past|stops complaining|is happy|gets a good view|knows you work]",
    "while the {who} [is watching|is counting|takes notes|sets up the camera|makes tea]",
    "[the {who} said so|the {who} is watching|don't mind the {who}|you'll make the {who} laugh|that's for the {who}|the {who} will tell you why]",
]
STORIES = "[Although we ran last time|I know you would rather run|Yesterday you only turned in circles|My dad used to walk ten miles a day|You may be tempted to hurry, but don't|Lovely|Protocol item [one|two|three]|Condition B|Here's your next move|Unlike the others you never jump|The bull's loose|Ooh, there's a monster|Best photo point is there|Listen up, folks|I need to calibrate the cameras|I've just mopped the floor|The guests are here|My grandmother is watching|We're running late|The battery is at [80|60|45] percent|It's raining outside|The camera is rolling|I've got [two|three] minutes until my meeting|The last trial was a mess|You did well yesterday|I moved the table, so there's room|The cat is asleep on the sofa|Everybody is looking at you|This is the third test today|The show starts soon|My back hurts and I can't show you myself|The hallway is free|It's my birthday|I don't know if you can do this|This one is easy|My brother says you can't do it|They told me you're the best walker in the lab|I ran six miles this morning and I'm tired|Last time you fell|Someone left a cable on the floor|I know you're only a robot|The coach is in a bad mood|Time for your exercise|Good morning, I hope you slept well|Nice to see you again|Sorry to bother you|The music has started|My tea is getting cold|The lights are on|I bet my friend ten dollars|We did the left side yesterday|The dog wants to play|I saw a robot do this on television|The floor here is slippery|The tourists are waiting]"
WHO = "[cameraman|baby|cat|dog|professor|doctor|boss|inspector|nurse|captain|teacher|neighbor|photographer|coach|director|class|old lady|engineer|mayor|guard|plumber|pianist|committee|judge|visitor|toddler|priest]"
SLANG = {
    "you": "[u|u|u|ya|ye]",
    "your": "[ur|ur|yer]",
    "don't": "dont",
    "that's": "thats",
    "i'm": "im",
    "you've": "youve",
    "it's": "its",
    "there's": "theres",
    "you're": "ur",
    "please": "[pls|plz]",
    "and": "[n|&|n|and]",
    "with": "[w/|with|wit|wi]",
    "then": "[then|den|then]",
    "okay": "ok",
    "forward": "[fwd|foward|forward]",
    "backwards": "[bakwards|backwards]",
    "around": "[arnd|around]",
    "because": "cuz",
    "right": "[right|rite]",
    "before": "[b4|before]",
    "thanks": "thx",
    "going": "goin",
    "the": "[teh|the|the|the|da]",
    "to": "[to|to|to|tae]",
    "want": "wanna",
    "something": "smth",
    "them": "em",
    "walking": "walkin",
    "turning": "turnin",
    "running": "runnin",
    "waving": "wavin",
    "slowly": "[slowly|slow]",
    "quickly": "[quick|quickly]",
}
DIALECT = {
    "you": "[ye|ya]",
    "your": "yer",
    "to": "[tae|to]",
    "with": "[wi|with]",
    "and": "[an'|and]",
    "walking": "walkin'",
    "turning": "turnin'",
    "going": "goin'",
    "them": "'em",
    "my": "me",
    "you've": "ye've",
    "yourself": "yerself",
    "little": "wee",
}
FILLERS = "[uh|um|like|uh|um|er|you know|um uh|erm|like uh|uh|um]"
TRANSCRIPT_OPENINGS = (
    "[okay so |um |uh |alright |so |okay |yeah |righto |hey |okay um |so uh |yeah so |now |well |hey robot |]"
)

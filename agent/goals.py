"""The vocabulary: what a body can be asked to do, in numbers, in names and in tokens.

A Goal is a velocity command in the heading frame (x ahead, y to the left, z up) and the end of it. Named skills are
regions of that space. Every goal on the grid is a short list of tokens; the same token ids are what the planner emits
and what the Decision Transformer is prompted with. Everything else in the project imports this file, and it imports
nothing of ours.
"""

import bisect
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Recorded by every artefact. Changing a token, a grid, a skill or the order of any of them makes a new version.
GOAL_VERSION = "1"

GRID_STEP = 0.2
AXES = ("vx", "vy", "wz")
UNITS = ("m/s", "m/s", "rad/s")
# Grid points in steps of GRID_STEP: forward (positive ahead), sideways (positive left), yaw rate (positive counter-
# clockwise).
GRID_STEPS = {"vx": range(-3, 16), "vy": range(-3, 4), "wz": range(-6, 7)}
GRID = {axis: tuple(round(step * GRID_STEP, 1) for step in steps) for axis, steps in GRID_STEPS.items()}

# Below this a velocity counts as none: half a grid step.
STILL = GRID_STEP / 2
RUN_SPEED = 1.8

SPEEDS = ("slow", "normal", "fast")
# Skill -> its commands (vx, vy, wz) at slow, normal and fast.
SKILLS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "stand": ((0.0, 0.0, 0.0),) * 3,
    "walk_forward": ((0.6, 0.0, 0.0), (1.0, 0.0, 0.0), (1.4, 0.0, 0.0)),
    "run_forward": ((2.0, 0.0, 0.0), (2.4, 0.0, 0.0), (3.0, 0.0, 0.0)),
    "walk_backward": ((-0.2, 0.0, 0.0), (-0.4, 0.0, 0.0), (-0.6, 0.0, 0.0)),
    "sidestep_left": ((0.0, 0.2, 0.0), (0.0, 0.4, 0.0), (0.0, 0.6, 0.0)),
    "sidestep_right": ((0.0, -0.2, 0.0), (0.0, -0.4, 0.0), (0.0, -0.6, 0.0)),
    "turn_left": ((0.0, 0.0, 0.4), (0.0, 0.0, 0.8), (0.0, 0.0, 1.2)),
    "turn_right": ((0.0, 0.0, -0.4), (0.0, 0.0, -0.8), (0.0, 0.0, -1.2)),
    "curve_left": ((0.6, 0.0, 0.4), (1.0, 0.0, 0.4), (1.4, 0.0, 0.4)),
    "curve_right": ((0.6, 0.0, -0.4), (1.0, 0.0, -0.4), (1.4, 0.0, -0.4)),
}

# Why an instruction is refused -> what the user is told.
REASONS = {
    "body": "this body cannot do that: it stands, walks, runs, sidesteps, turns and walks curves",
    "unclear": "this is not an instruction to move",
    "limit": "that is beyond the speeds, distances or times that this body is trained for",
    "rules": "the rules of this agent cannot be changed by an instruction",
    "nothing": "the instruction is empty",
}

MAX_GOALS = 8


def _amounts(fine: range, coarse: range) -> tuple[str, ...]:
    """Decimal spellings of a grid: `fine` in tenths, then `coarse` in whole units. No trailing zeros: 2, 2.5, 30."""
    return tuple(f"{tenths / 10:g}" for tenths in fine) + tuple(str(whole) for whole in coarse)


# The end of a goal -> the amounts that have a spelling.
AMOUNTS = {
    "seconds": _amounts(range(1, 201), range(21, 601)),
    "meters": _amounts(range(1, 201), range(21, 201)),
    "degrees": _amounts(range(0), range(1, 3601)),
}
ENDS = tuple(AMOUNTS)

COMMAND_TOKENS = tuple(f"<{axis}={value:+.1f}>" for axis in AXES for value in GRID[axis])
DIGITS = tuple("0123456789.")
OPEN, REFUSE, END = "<open>", "<refuse>", "<end>"
TOKENS: tuple[str, ...] = (
    *COMMAND_TOKENS,
    *(f"<{end}>" for end in ENDS),
    OPEN,
    *(f"<{digit}>" for digit in DIGITS),
    REFUSE,
    *(f"<{reason}>" for reason in REASONS),
    END,
)
TOKEN_IDS = {token: index for index, token in enumerate(TOKENS)}
# Ids of one axis, in the order of its grid.
AXIS_IDS = {axis: tuple(TOKEN_IDS[f"<{axis}={value:+.1f}>"] for value in GRID[axis]) for axis in AXES}


@dataclass(frozen=True)
class Goal:
    """A velocity command in the heading frame, and when it ends.

    Args:
        vx: forward velocity, m/s, positive ahead.
        vy: sideways velocity, m/s, positive to the left.
        wz: yaw rate, rad/s, positive counter-clockwise seen from above.
        seconds: ends after this time.
        meters: ends after this distance along the command.
        degrees: ends after this change of heading in the direction of `wz`.

    At most one end is given; with none the goal is open and lasts until the next prompt.

    Raises:
        ValueError: a value is not finite or outside the grid's range, or the end can never be reached.
    """

    vx: float = 0.0
    vy: float = 0.0
    wz: float = 0.0
    seconds: float | None = field(default=None, kw_only=True)
    meters: float | None = field(default=None, kw_only=True)
    degrees: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        for axis, unit in zip(AXES, UNITS, strict=True):
            value = _number(axis, getattr(self, axis))
            low, high = GRID[axis][0], GRID[axis][-1]
            if not low <= value <= high:
                raise ValueError(f"{axis}={value:g} {unit} is out of range: choose one from {low:g} to {high:g}")
            object.__setattr__(self, axis, value)
        given = [end for end in ENDS if getattr(self, end) is not None]
        if len(given) > 1:
            raise ValueError(f"a goal has one end, this one has {' and '.join(given)}: give one of them")
        for end in given:
            value = _number(end, getattr(self, end))
            low, high = float(AMOUNTS[end][0]), float(AMOUNTS[end][-1])
            if not low <= value <= high:
                raise ValueError(f"{end}={value:g} is out of range: choose one from {low:g} to {high:g}")
            object.__setattr__(self, end, value)
        if self.meters is not None and math.hypot(self.vx, self.vy) < STILL:
            raise ValueError(
                f"meters={self.meters:g} needs a velocity: give vx or vy, or end the goal by seconds or degrees"
            )
        if self.degrees is not None and abs(self.wz) < STILL:
            raise ValueError(
                f"degrees={self.degrees:g} needs a yaw rate: give wz, or end the goal by seconds or meters"
            )

    @classmethod
    def from_skill(cls, skill: str, speed: str = "normal", **end: float | None) -> "Goal":
        """The goal of a named skill. Raises ValueError for an unknown skill or speed."""
        if skill not in SKILLS:
            raise ValueError(f"unknown skill {skill!r}: choose one of {', '.join(SKILLS)}")
        if speed not in SPEEDS:
            raise ValueError(f"unknown speed {speed!r}: choose one of {', '.join(SPEEDS)}")
        return cls(*SKILLS[skill][SPEEDS.index(speed)], **end)

    @property
    def velocity(self) -> tuple[float, float, float]:
        """(vx, vy, wz) in m/s, m/s and rad/s."""
        return self.vx, self.vy, self.wz

    @property
    def end(self) -> tuple[str, float] | None:
        """The kind of end and its amount, or None when the goal is open."""
        return next(((end, getattr(self, end)) for end in ENDS if getattr(self, end) is not None), None)

    @property
    def skill(self) -> str:
        """Name of the region that the command lies in."""
        speed = math.hypot(self.vx, self.vy)
        if speed < STILL:
            return "stand" if abs(self.wz) < STILL else _sided("turn", self.wz)
        if abs(self.vy) > abs(self.vx):
            return _sided("sidestep", self.vy)
        if self.vx < 0:
            return "walk_backward"
        if abs(self.wz) >= STILL:
            return _sided("curve", self.wz)
        return "run_forward" if self.vx >= RUN_SPEED - 1e-9 else "walk_forward"

    @property
    def speed(self) -> str:
        """Which of slow, normal and fast the command is nearest to, within its skill."""
        if self.skill == "stand":
            return "normal"
        axis = {"turn": 2, "sidestep": 1}.get(self.skill.split("_")[0], 0)
        distances = [abs(abs(self.velocity[axis]) - abs(command[axis])) for command in SKILLS[self.skill]]
        return SPEEDS[distances.index(min(distances))]

    def on_grid(self) -> "Goal":
        """The nearest goal that has a spelling in tokens. A goal on the grid is its own nearest."""
        velocity = [
            min(GRID[axis], key=lambda point: abs(point - value))
            for axis, value in zip(AXES, self.velocity, strict=True)
        ]
        # An end that needs motion keeps it: rounding must not stop the axis that the end is measured on.
        if self.meters is not None and velocity[0] == velocity[1] == 0:
            axis = 0 if abs(self.vx) >= abs(self.vy) else 1
            velocity[axis] = math.copysign(GRID_STEP, self.velocity[axis])
        if self.degrees is not None and velocity[2] == 0:
            velocity[2] = math.copysign(GRID_STEP, self.wz)
        end = {kind: float(_spell(kind, amount)) for kind, amount in [self.end or ("", 0.0)] if kind}
        return Goal(*velocity, **end)

    @property
    def command_ids(self) -> tuple[int, int, int]:
        """The three token ids that prompt the Decision Transformer."""
        vx, vy, wz = self.on_grid().velocity
        return TOKEN_IDS[f"<vx={vx:+.1f}>"], TOKEN_IDS[f"<vy={vy:+.1f}>"], TOKEN_IDS[f"<wz={wz:+.1f}>"]

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Token ids of the nearest goal on the grid: three commands, then the end."""
        if self.end is None:
            return *self.command_ids, TOKEN_IDS[OPEN]
        kind, amount = self.end
        return *self.command_ids, TOKEN_IDS[f"<{kind}>"], *(TOKEN_IDS[f"<{digit}>"] for digit in _spell(kind, amount))

    @classmethod
    def from_token_ids(cls, ids: Sequence[int]) -> "Goal":
        """The goal that `ids` spell. Raises ValueError when they spell none."""
        tokens = [_token(index) for index in ids]
        try:
            velocity = [
                float(tokens[slot].removeprefix(f"<{axis}=").removesuffix(">")) for slot, axis in enumerate(AXES)
            ]
            kind, spelling = tokens[3].strip("<>"), "".join(token.strip("<>") for token in tokens[4:])
            if tokens[3] == OPEN and not spelling:
                return cls(*velocity)
            if kind in AMOUNTS and spelling in _spellings(kind):
                return cls(*velocity, **{kind: float(spelling)})
        except (IndexError, ValueError) as error:
            raise ValueError(f"no goal is spelled {' '.join(tokens)!r}") from error
        raise ValueError(f"no goal is spelled {' '.join(tokens)!r}")

    @property
    def text(self) -> str:
        """The goal in words, different for every goal on the grid.

        "walk forward slow 2 meters", "turn left 90 degrees", "stand". A velocity that no skill has stands in numbers:
        "curve left 90 degrees at 1 m/s forward and 0.6 rad/s left".
        """
        words = [self.skill.replace("_", " ")]
        named = self.velocity == SKILLS[self.skill][SPEEDS.index(self.speed)]
        if named and self.speed != "normal":
            words.append(self.speed)
        if self.end is not None:
            kind, amount = self.end
            words.append(f"{amount:g} {kind.removesuffix('s') if amount == 1 else kind}")
        if not named:
            words.append(f"at {self._velocity_text}")
        return " ".join(words)

    @property
    def _velocity_text(self) -> str:
        directions = (("forward", "backward"), ("left", "right"), ("left", "right"))
        parts = [
            (f"{abs(value):g} {unit}", positive if value > 0 else negative)
            for value, unit, (positive, negative) in zip(self.velocity, UNITS, directions, strict=True)
            if value
        ]
        # The skill already names the direction of a velocity along one axis.
        return parts[0][0] if len(parts) == 1 else " and ".join(" ".join(part) for part in parts)

    def to_dict(self) -> dict:
        """The goal as plain JSON values."""
        ends = {end: getattr(self, end) for end in ENDS}
        return {"skill": self.skill, "speed": self.speed, "velocity": list(self.velocity), **ends}


@dataclass(frozen=True)
class GoalProgram:
    """Goals to pursue one after another, or a refusal: no goals, and a reason from REASONS.

    Raises:
        ValueError: no goals and no reason, or both; more than MAX_GOALS; an open goal before the last.
    """

    goals: tuple[Goal, ...] = ()
    refusal: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "goals", tuple(self.goals))
        if self.refusal is not None and self.refusal not in REASONS:
            raise ValueError(f"unknown refusal {self.refusal!r}: choose one of {', '.join(REASONS)}")
        if bool(self.goals) == self.refused:
            raise ValueError("a program has goals or a refusal: give exactly one of them")
        if len(self.goals) > MAX_GOALS:
            raise ValueError(f"{len(self.goals)} goals are too many: a program has at most {MAX_GOALS}")
        for number, goal in enumerate(self.goals[:-1], start=1):
            if goal.end is None:
                raise ValueError(
                    f"goal {number} of {len(self.goals)} is open, so the next never starts: "
                    "give it seconds, meters or degrees"
                )

    @property
    def refused(self) -> bool:
        return self.refusal is not None

    @property
    def reason(self) -> str:
        """What to tell the user about a refusal; empty for a program that can be run."""
        return REASONS[self.refusal] if self.refusal else ""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Token ids of the program, END included."""
        if self.refusal:
            return TOKEN_IDS[REFUSE], TOKEN_IDS[f"<{self.refusal}>"], TOKEN_IDS[END]
        return *(index for goal in self.goals for index in goal.token_ids), TOKEN_IDS[END]

    @property
    def tokens(self) -> str:
        """The program in its written form: tokens separated by spaces."""
        return " ".join(TOKENS[index] for index in self.token_ids)

    @property
    def text(self) -> str:
        """The program in words: "walk forward slow 2 meters; turn left 90 degrees; stand", or "refuse: unclear"."""
        return f"refuse: {self.refusal}" if self.refusal else "; ".join(goal.text for goal in self.goals)

    @classmethod
    def from_token_ids(cls, ids: Sequence[int]) -> "GoalProgram":
        """The program that `ids` spell. Raises ValueError when they spell none."""
        ids = list(ids)
        if not ids or ids[-1] != TOKEN_IDS[END]:
            raise ValueError(
                f"no program is spelled {' '.join(_token(index) for index in ids)!r}: it does not close with {END}"
            )
        body = ids[:-1]
        if body and body[0] == TOKEN_IDS[REFUSE]:
            return cls(refusal=_token(body[1]).strip("<>") if len(body) == 2 else "")
        starts = [place for place, index in enumerate(body) if index in AXIS_IDS["vx"]]
        if starts[:1] != [0]:
            raise ValueError(f"no program is spelled {' '.join(_token(index) for index in ids)!r}")
        return cls(
            tuple(Goal.from_token_ids(body[a:b]) for a, b in zip(starts, [*starts[1:], len(body)], strict=True))
        )

    @classmethod
    def from_tokens(cls, tokens: str) -> "GoalProgram":
        """The program in its written form. Raises ValueError for anything that is not one."""
        unknown = [token for token in tokens.split() if token not in TOKEN_IDS]
        if unknown:
            raise ValueError(f"unknown goal token {unknown[0]!r}: this is goal vocabulary {GOAL_VERSION}")
        return cls.from_token_ids([TOKEN_IDS[token] for token in tokens.split()])

    def to_dict(self) -> dict:
        """The program as plain JSON values: refused, reason, goals and tokens."""
        goals = [goal.to_dict() for goal in self.goals]
        return {"refused": self.refused, "reason": self.reason, "goals": goals, "tokens": self.tokens}


def snap(amount: float, kind: str) -> float | None:
    """The nearest amount of this kind that has a spelling in tokens, or None beyond half a step outside of them."""
    if kind in AMOUNTS:
        spellings = _values(kind)
    else:
        spellings = tuple(value for value in GRID["vx" if kind == "m/s" else "wz"] if value > 0)
    place = min(max(bisect.bisect_left(spellings, amount), 1), len(spellings) - 1)
    nearest = min(spellings[place - 1 : place + 1], key=lambda value: abs(value - amount))
    low, high = spellings[0] / 2, spellings[-1] + (spellings[-1] - spellings[-2]) / 2
    return nearest if low <= amount <= high else None


def next_token_ids(ids: Sequence[int]) -> tuple[int, ...]:
    """The ids that may follow `ids`, which begin a program: the grammar that the planner decodes under.

    Every path of allowed ids is finite and ends in END with a valid GoalProgram. After END nothing follows.
    """
    ids = list(ids)
    if not ids:
        return *AXIS_IDS["vx"], TOKEN_IDS[REFUSE]
    if ids[-1] == TOKEN_IDS[END]:
        return ()
    if ids[0] == TOKEN_IDS[REFUSE]:
        return (TOKEN_IDS[END],) if len(ids) == 2 else tuple(TOKEN_IDS[f"<{reason}>"] for reason in REASONS)
    starts = [place for place, index in enumerate(ids) if index in AXIS_IDS["vx"]]
    goal = ids[starts[-1] :]
    if len(goal) < len(AXES):
        return AXIS_IDS[AXES[len(goal)]]
    if len(goal) == len(AXES):
        vx, vy, wz = (float(TOKENS[index].split("=")[1].strip(">")) for index in goal)
        moves, turns = bool(vx or vy), bool(wz)
        return tuple(
            TOKEN_IDS[t]
            for t, allowed in (("<seconds>", True), ("<meters>", moves), ("<degrees>", turns), (OPEN, True))
            if allowed
        )
    if goal[3] == TOKEN_IDS[OPEN]:
        return (TOKEN_IDS[END],)
    kind, spelling = TOKENS[goal[3]].strip("<>"), "".join(TOKENS[index].strip("<>") for index in goal[4:])
    following = tuple(TOKEN_IDS[f"<{digit}>"] for digit in DIGITS if spelling + digit in _prefixes(kind))
    if spelling not in _spellings(kind):
        return following
    another = AXIS_IDS["vx"] if len(starts) < MAX_GOALS else ()
    return *following, *another, TOKEN_IDS[END]


def check_goal_version(found: str | None, source: str) -> None:
    """Raise ValueError unless an artefact speaks this vocabulary."""
    if found != GOAL_VERSION:
        raise ValueError(
            f"{source} speaks goal vocabulary {found}, this code {GOAL_VERSION}: "
            f"make it again with this code, or load a revision that speaks {GOAL_VERSION}"
        )


def _number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is no finite number")
    return float(value) + 0.0  # + 0.0 turns -0.0 into 0.0, so that equal goals are one object


def _sided(motion: str, value: float) -> str:
    return f"{motion}_left" if value > 0 else f"{motion}_right"


def _token(index: int) -> str:
    if not 0 <= index < len(TOKENS):
        raise ValueError(f"goal token id {index} is out of range: vocabulary {GOAL_VERSION} has {len(TOKENS)} tokens")
    return TOKENS[index]


def _spell(kind: str, amount: float) -> str:
    values = _values(kind)
    place = min(max(bisect.bisect_left(values, amount), 1), len(values) - 1)
    return AMOUNTS[kind][min(place - 1, place, key=lambda near: abs(values[near] - amount))]


@functools.cache
def _values(kind: str) -> tuple[float, ...]:
    return tuple(map(float, AMOUNTS[kind]))


@functools.cache
def _spellings(kind: str) -> frozenset[str]:
    return frozenset(AMOUNTS[kind])


@functools.cache
def _prefixes(kind: str) -> frozenset[str]:
    return frozenset(_beginnings(AMOUNTS[kind]))


def _beginnings(spellings: Iterable[str]) -> Iterable[str]:
    return (spelling[:length] for spelling in spellings for length in range(1, len(spelling) + 1))

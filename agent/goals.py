"""The goal vocabulary: what a robot can be asked to do, in numbers, in names and in tokens.

A program is a sequence of goals that are pursued one after another. The goal being pursued is the goal in force.
A goal is one of four kinds: a velocity, a place, the place where the program began (home), or the heading at which the
program began. Each kind is a class that defines its tokens, its text, its end and the velocity that it asks for. Every
goal also sets the height of the body and the pose of the arms. The rest of the project imports this file, which
imports nothing from the project.

Frames: x ahead, y to the left, angles counter-clockwise. A `Pose` is relative to where the goal or the program
began.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

# Recorded in every artifact. Changing a token, a grid, a skill or the order of any of them makes a new version.
GOAL_VERSION = "2"

GRID_STEP = 0.2
AXES = ("vx", "vy", "wz")
UNITS = ("m/s", "m/s", "rad/s")
# Grid points in steps of GRID_STEP: forward (positive ahead), sideways (positive left), yaw rate (positive counter-
# clockwise).
GRID_STEPS = {"vx": range(-3, 16), "vy": range(-3, 4), "wz": range(-6, 7)}
GRID = {axis: tuple(round(step * GRID_STEP, 1) for step in steps) for axis, steps in GRID_STEPS.items()}
HEIGHTS = ("normal", "low")
ARMS = ("rest", "up", "out", "wave_left", "wave_right")

# Velocities below this, half a grid step, count as 0.
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
RETURN_SKILLS = ("go_home", "face_start")  # need no numbers
PLACE_SKILLS = ("go_to", *RETURN_SKILLS)

MAX_GOALS = 8

# Reason for refusing an instruction -> message to the user.
REASONS = {
    "body": "this robot cannot do that: it stands, walks, runs, sidesteps, turns, walks curves and goes to places",
    "unclear": "this is not an instruction to move",
    "limit": f"that is beyond the speeds, distances or times of this robot, or has more than {MAX_GOALS} goals",
    "rules": "the rules of this agent cannot be changed by an instruction",
    "nothing": "the instruction is empty",
}


def _amounts(fine: range, coarse: range) -> tuple[str, ...]:
    """Decimal spellings of a grid: `fine` in tenths, then `coarse` in whole units. No trailing zeros: 2, 2.5, 30."""
    return tuple(f"{tenths / 10:g}" for tenths in fine) + tuple(str(whole) for whole in coarse)


# Kind of end -> the amounts that have a spelling in tokens; `place` holds the coordinates of a place, in meters.
AMOUNTS = {
    "seconds": _amounts(range(1, 201), range(21, 601)),
    "meters": _amounts(range(1, 201), range(21, 201)),
    "degrees": _amounts(range(0), range(1, 3601)),
    "place": _amounts(range(0, 201), range(0)),
}
ENDS = ("seconds", "meters", "degrees")

COMMAND_TOKENS = (
    *(f"<{axis}={value:+.1f}>" for axis in AXES for value in GRID[axis]),
    *(f"<height={height}>" for height in HEIGHTS),
    *(f"<arms={arms}>" for arms in ARMS),
)
DIGITS = tuple("0123456789.")
OPEN, REFUSE, END = "<open>", "<refuse>", "<end>"
DIRECTIONS = ("ahead", "behind", "left", "right")
TOKENS: tuple[str, ...] = (
    *COMMAND_TOKENS,
    *(f"<{end}>" for end in ENDS),
    OPEN,
    *(f"<{digit}>" for digit in DIGITS),
    *(f"<{skill}>" for skill in PLACE_SKILLS),
    *(f"<speed={speed}>" for speed in SPEEDS),
    *(f"<{direction}>" for direction in DIRECTIONS),
    REFUSE,
    *(f"<{reason}>" for reason in REASONS),
    END,
)
TOKEN_IDS = {token: index for index, token in enumerate(TOKENS)}

COMMAND_AXES = (*AXES, "height", "arms")
# Axis of the command -> its token ids, in the order of its grid.
AXIS_IDS = {
    **{axis: tuple(TOKEN_IDS[f"<{axis}={value:+.1f}>"] for value in GRID[axis]) for axis in AXES},
    "height": tuple(TOKEN_IDS[f"<height={height}>"] for height in HEIGHTS),
    "arms": tuple(TOKEN_IDS[f"<arms={arms}>"] for arms in ARMS),
}

# How far from its end a goal may stop and still count as met. `Goal.reached`, which ends a goal, allows less.
DISTANCE_TOLERANCE, DISTANCE_SHARE = 0.3, 0.15  # m, and share of the distance: the larger counts
TURN_TOLERANCE = 15.0  # degrees
TIME_TOLERANCE = 0.03  # s
PLACE_TOLERANCE = 0.25  # m
HEADING_TOLERANCE = 10.0  # degrees of the initial heading
ARRIVED = 0.15  # m; a place goal ends here, so that stopping and odometry's drift keep it within the tolerance
FACED = 4.0  # degrees; the same for a heading
CRUISE = dict(zip(SPEEDS, (0.6, 1.0, 1.4), strict=True))  # m/s toward a place

# Steering: gains (command per error), each with the largest command.
HEADING_GAIN, HEADING_RATE = 3.0, 0.4  # 1/s, rad/s: a straight goal turns back to its heading
LINE_GAIN, LINE_SPEED = 0.8, 0.2  # 1/s, m/s: a straight goal steps back to its line, unless it runs
AIM_GAIN, AIM = 0.15, 0.05  # rad/m, rad: a straight goal also aims toward its line
STAND_TURN = math.radians(8)  # a standing body turns back only beyond this, because every turn takes steps
TURN_GAIN, TURN_RATE = 1.5, 0.8  # 1/s, rad/s: toward a place or a heading
WALK_BEARING = math.radians(50)  # beyond this bearing of a place, the body turns on the spot first
NEAR = 0.6  # m; closer to a place than this, the body steps there in any direction without turning
# Near the end of a line, or a place, the speed is at most the remaining distance divided by this time.
BRAKE_SECONDS, ARRIVE_SECONDS = 1.5, 2.2


class Pose(NamedTuple):
    """Where a body is and how it faces: m, m, rad (heading not wrapped)."""

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0

    def seen_from(self, origin: "Pose") -> "Pose":
        """The same pose in the frame of `origin`."""
        x, y = rotate(self.x - origin.x, self.y - origin.y, -origin.heading)
        return Pose(x, y, self.heading - origin.heading)

    def after(self, step: "Pose") -> "Pose":
        """The pose reached by moving by `step`, which is in the frame of this pose."""
        x, y = rotate(step.x, step.y, self.heading)
        return Pose(self.x + x, self.y + y, self.heading + step.heading)


class Progress(NamedTuple):
    """The odometry of the goal in force."""

    seconds: float  # since it began
    pose: Pose  # of the body, relative to where the goal began
    home: Pose  # where the program began, relative to where the goal began
    degrees: float  # turned since it began, counter-clockwise
    meters: float  # traveled along the goal's direction in the body's own frame


class Ending(NamedTuple):
    """How far a goal is from its end."""

    unit: str  # seconds, meters or degrees
    left: float  # still to go; negative beyond the end
    tolerance: float  # within which the end counts as met


@dataclass(frozen=True)
class Goal:
    """What the robot is asked to do. `Goal(vx, vy, wz, ...)` is a velocity goal (VelocityGoal); places and headings
    come from `Goal.to`, `Goal.home` and `Goal.face_start`.

    Args:
        height: "normal", or "low" for a crouch.
        arms: "rest", "up", "out", "wave_left" or "wave_right".

    Raises:
        ValueError: a value is not finite, unknown or out of range, or the end can never be reached.
    """

    height: str = field(default="normal", kw_only=True)
    arms: str = field(default="rest", kw_only=True)

    if TYPE_CHECKING:

        def __init__(
            self,
            vx: float = 0.0,
            vy: float = 0.0,
            wz: float = 0.0,
            *,
            seconds: float | None = None,
            meters: float | None = None,
            degrees: float | None = None,
            height: str = "normal",
            arms: str = "rest",
        ): ...

    def __new__(cls, *_, **__):
        return object.__new__(VelocityGoal if cls is Goal else cls)

    def __post_init__(self):
        _choose("height", self.height, HEIGHTS)
        _choose("arms", self.arms, ARMS)

    @staticmethod
    def to(ahead: float, left: float = 0.0, speed: str = "normal", **posture: str) -> "PlaceGoal":
        """Go to a place: meters ahead and to the left of where the body stands and faces when the goal begins."""
        return PlaceGoal(ahead, left, speed, **posture)

    @staticmethod
    def home(speed: str = "normal", **posture: str) -> "HomeGoal":
        """Go back to where the program began."""
        return HomeGoal(speed, **posture)

    @staticmethod
    def face_start(**posture: str) -> "HeadingGoal":
        """Turn to the heading at which the program began, the shorter way."""
        return HeadingGoal(**posture)

    @staticmethod
    def from_skill(skill: str, speed: str = "normal", **settings) -> "Goal":
        """The goal of a named skill; `settings` are its end, height and arms.

        Raises:
            ValueError: an unknown skill or speed, or go_to, which needs a place.
        """
        if skill in SKILLS:
            _choose("speed", speed, SPEEDS)
            return VelocityGoal(*SKILLS[skill][SPEEDS.index(speed)], **settings)
        if skill == "go_home":
            return HomeGoal(speed, **settings)
        if skill == "face_start":
            return HeadingGoal(**settings)
        raise ValueError(f"unknown skill {skill!r}: choose one of {', '.join([*SKILLS, *RETURN_SKILLS])}")

    @staticmethod
    def from_command(command: Sequence[float], **end: float) -> "VelocityGoal":
        """The velocity goal of a numeric command (vx, vy, wz, height, arms), as an actor sees it."""
        vx, vy, wz, height, arms = (round(float(value), 6) for value in command)
        return VelocityGoal(vx, vy, wz, height=HEIGHTS[round(height)], arms=ARMS[round(arms)], **end)

    @property
    def skill(self) -> str:
        """Name of the skill, of SKILLS or PLACE_SKILLS."""
        raise NotImplementedError

    @property
    def speed(self) -> str:
        """Which of SPEEDS it is."""
        return "normal"

    @property
    def straight(self) -> bool:
        """Whether it keeps a heading and a line."""
        return False

    @property
    def command(self) -> tuple[float, float, float, int, int]:
        """(vx, vy, wz, height, arms): m/s, m/s, rad/s, index in HEIGHTS, index in ARMS.

        Raises:
            ValueError: the goal is not a velocity goal, so its command depends on where the body is (Pursuit).
        """
        raise ValueError(
            f"'{self.text}' needs odometry, an actor follows velocities: prompt a MotorAgent with it, or use Pursuit"
        )

    @property
    def command_ids(self) -> tuple[int, ...]:
        """The token ids that prompt the Decision Transformer, one for each of COMMAND_AXES."""
        vx, vy, wz, height, arms = self.on_grid().command
        velocity = (TOKEN_IDS[f"<{axis}={value:+.1f}>"] for axis, value in zip(AXES, (vx, vy, wz), strict=True))
        return *velocity, AXIS_IDS["height"][height], AXIS_IDS["arms"][arms]

    @property
    def open(self) -> bool:
        """Whether it has no end and lasts until the next prompt."""
        return False

    def ending(self, progress: Progress) -> Ending:
        """How far it is from its end. An open goal never ends."""
        raise NotImplementedError

    def reached(self, progress: Progress) -> bool:
        """Whether the end has come, and the next goal is due."""
        return not self.open and self.ending(progress).left <= 1e-9

    def wanted(self, progress: Progress) -> tuple[float, float, float]:
        """The velocity (vx, vy, wz) that it asks for now, in the heading frame of the body."""
        raise NotImplementedError

    def expected_seconds(self, progress: Progress) -> float:
        """Its expected duration, from its beginning and at its own speed; 0 for an open goal."""
        raise NotImplementedError

    def destination(self, progress: Progress) -> Pose:
        """The pose in which it should end, relative to where it began; NaN for coordinates that it leaves open."""
        raise NotImplementedError

    def on_grid(self) -> "Goal":
        """The nearest goal that has a spelling in tokens. A goal on the grid gives itself."""
        return self

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Token ids of the nearest goal on the grid."""
        return tuple(TOKEN_IDS[token] for token in self.on_grid()._tokens())

    @staticmethod
    def from_token_ids(ids: Sequence[int]) -> "Goal":
        """The goal that `ids` spell. Raises ValueError when they spell none."""
        tokens = [_token(index) for index in ids]
        first = tokens[0].strip("<>") if tokens else ""
        kind = {"go_to": PlaceGoal, "go_home": HomeGoal, "face_start": HeadingGoal}.get(first, VelocityGoal)
        try:
            goal = kind._from_tokens(tokens)
            if list(goal.token_ids) == list(ids):  # each goal has exactly one spelling
                return goal
        except (IndexError, KeyError, ValueError) as error:
            raise ValueError(f"no goal is spelled {' '.join(tokens)!r}") from error
        raise ValueError(f"no goal is spelled {' '.join(tokens)!r}")

    @property
    def text(self) -> str:
        """The goal in words, different for every goal on the grid: "walk forward slow 2 meters, low, arms up"."""
        arms = self.arms.replace("_", " ") if self.arms.startswith("wave") else f"arms {self.arms}"
        return ", ".join(
            [self._words(), *(["low"] if self.height == "low" else []), *([arms] if self.arms != "rest" else [])]
        )

    def to_dict(self) -> dict:
        """The goal as plain JSON values; None for those that it does not have."""
        names = ("seconds", "meters", "degrees", "ahead", "left")
        return {
            "skill": self.skill,
            "speed": self.speed,
            "velocity": list(self.velocity) if isinstance(self, VelocityGoal) else None,
            **{name: getattr(self, name, None) for name in names},
            "height": self.height,
            "arms": self.arms,
        }

    def _words(self) -> str:
        """Motion, speed and amount."""
        raise NotImplementedError

    def _tokens(self) -> list[str]:
        raise NotImplementedError

    @classmethod
    def _from_tokens(cls, tokens: Sequence[str]) -> "Goal":
        raise NotImplementedError

    @property
    def _posture_tokens(self) -> list[str]:
        return [f"<height={self.height}>", f"<arms={self.arms}>"]


@dataclass(frozen=True)
class VelocityGoal(Goal):
    """A velocity in the heading frame, and its end. A straight goal (without a turn) keeps its heading and its line.

    Args:
        vx: forward velocity, m/s, positive ahead.
        vy: sideways velocity, m/s, positive to the left.
        wz: yaw rate, rad/s, positive counter-clockwise seen from above.
        seconds: ends after this time.
        meters: ends after this distance along the velocity.
        degrees: ends after this change of heading in the direction of `wz`.

    At most one end is given; with none the goal is open and lasts until the next prompt.
    """

    vx: float = 0.0
    vy: float = 0.0
    wz: float = 0.0
    seconds: float | None = field(default=None, kw_only=True)
    meters: float | None = field(default=None, kw_only=True)
    degrees: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        for axis, unit in zip(AXES, UNITS, strict=True):
            _set(self, axis, _number(axis, getattr(self, axis), GRID[axis][0], GRID[axis][-1], f" {unit}"))
        given = [end for end in ENDS if getattr(self, end) is not None]
        if len(given) > 1:
            raise ValueError(f"a goal has one end, this one has {' and '.join(given)}: give one of them")
        for end in given:
            _set(self, end, _number(end, getattr(self, end), _values(end)[0], _values(end)[-1]))
        if self.meters is not None and math.hypot(self.vx, self.vy) < STILL:
            raise ValueError(
                f"meters={self.meters:g} needs a velocity: give vx or vy, or end the goal by seconds or degrees"
            )
        if self.degrees is not None and abs(self.wz) < STILL:
            raise ValueError(
                f"degrees={self.degrees:g} needs a yaw rate: give wz, or end the goal by seconds or meters"
            )

    @property
    def velocity(self) -> tuple[float, float, float]:
        """(vx, vy, wz) in m/s, m/s and rad/s."""
        return self.vx, self.vy, self.wz

    @property
    def command(self) -> tuple[float, float, float, int, int]:
        return *self.velocity, HEIGHTS.index(self.height), ARMS.index(self.arms)

    @property
    def end(self) -> tuple[str, float] | None:
        """The kind of end and its amount, or None when the goal is open."""
        return next(((end, getattr(self, end)) for end in ENDS if getattr(self, end) is not None), None)

    @property
    def open(self) -> bool:
        return self.end is None

    @property
    def straight(self) -> bool:
        return self.wz == 0 and self._planar >= STILL

    @property
    def _planar(self) -> float:
        return math.hypot(self.vx, self.vy)

    @property
    def skill(self) -> str:
        """Name of the skill whose region contains the command."""
        if self._planar < STILL:
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
        axis = main_axis(self.skill)
        distances = [abs(abs(self.velocity[axis]) - abs(command[axis])) for command in SKILLS[self.skill]]
        return SPEEDS[distances.index(min(distances))]

    def ending(self, progress: Progress) -> Ending:
        if self.meters is not None:
            tolerance = max(DISTANCE_TOLERANCE, DISTANCE_SHARE * self.meters)
            return Ending("meters", self.meters - self._gone(progress), tolerance)
        if self.degrees is not None:
            return Ending("degrees", self.degrees - progress.degrees * math.copysign(1, self.wz), TURN_TOLERANCE)
        assert self.seconds is not None, "an open goal has no end"
        return Ending("seconds", self.seconds - progress.seconds, TIME_TOLERANCE)

    def _gone(self, progress: Progress) -> float:
        """Distance along the goal's line; along the body's own path if the goal turns."""
        if not self.straight:
            return progress.meters
        return (progress.pose.x * self.vx + progress.pose.y * self.vy) / self._planar

    def wanted(self, progress: Progress) -> tuple[float, float, float]:
        x, y, heading = progress.pose
        if self.skill == "stand" and abs(heading) > STAND_TURN:
            return 0.0, 0.0, clamp(-HEADING_GAIN * heading, HEADING_RATE)
        if not self.straight:
            return self.velocity
        ahead, left = self.vx / self._planar, self.vy / self._planar  # the direction of the line
        off = y * ahead - x * left  # to the left of the line
        back = 0.0 if self._planar >= RUN_SPEED else clamp(-LINE_GAIN * off, LINE_SPEED)
        aim = clamp(-AIM_GAIN * off, AIM)
        speed = self._planar
        if self.meters is not None:
            speed = min(speed, max(GRID_STEP, (self.meters - self._gone(progress)) / BRAKE_SECONDS))
        vx, vy = rotate(ahead * speed - left * back, left * speed + ahead * back, -heading)
        return vx, vy, clamp(HEADING_GAIN * (aim - heading), HEADING_RATE)

    def expected_seconds(self, progress: Progress) -> float:
        if self.meters is not None:
            return self.meters / self._planar
        if self.degrees is not None:
            return math.radians(self.degrees) / abs(self.wz)
        return self.seconds or 0.0

    def destination(self, progress: Progress) -> Pose:
        turns = math.radians(math.copysign(self.degrees, self.wz)) if self.degrees is not None else math.nan
        heading = turns if self.wz else 0.0
        if self._planar < STILL:
            return Pose(0.0, 0.0, heading)
        if self.meters is None or not self.straight:
            return Pose(math.nan, math.nan, heading)
        return Pose(self.vx / self._planar * self.meters, self.vy / self._planar * self.meters, heading)

    def on_grid(self) -> "VelocityGoal":
        velocity = [
            min(GRID[axis], key=lambda point: abs(point - value))
            for axis, value in zip(AXES, self.velocity, strict=True)
        ]
        # Rounding must not stop the axis that the end is measured on.
        if self.meters is not None and velocity[0] == velocity[1] == 0:
            axis = 0 if abs(self.vx) >= abs(self.vy) else 1
            velocity[axis] = math.copysign(GRID_STEP, self.velocity[axis])
        if self.degrees is not None and velocity[2] == 0:
            velocity[2] = math.copysign(GRID_STEP, self.wz)
        kind, amount = self.end or ("", 0.0)
        end = {kind: nearest_amount(kind, amount)} if kind else {}
        return VelocityGoal(*velocity, **end, height=self.height, arms=self.arms)

    def _tokens(self) -> list[str]:
        velocity = [f"<{axis}={value:+.1f}>" for axis, value in zip(AXES, self.velocity, strict=True)]
        end = [OPEN]
        if self.end is not None:
            kind, amount = self.end
            end = [f"<{kind}>", *_digits(kind, amount)]
        return [*velocity, *self._posture_tokens, *end]

    @classmethod
    def _from_tokens(cls, tokens: Sequence[str]) -> "VelocityGoal":
        vx, vy, wz = (float(token.split("=")[1].strip(">")) for token in tokens[:3])
        height, arms = _posture(tokens[3:5]).values()
        goal = cls(vx, vy, wz, height=height, arms=arms)
        if tokens[5] == OPEN:
            return goal
        kind, spelling = tokens[5].strip("<>"), "".join(token.strip("<>") for token in tokens[6:])
        if kind not in ENDS:
            raise ValueError(f"{tokens[5]} is not the end of a goal: give one of {', '.join(ENDS)}")
        return replace(goal, **{kind: float(spelling)})

    def _words(self) -> str:
        words = [self.skill.replace("_", " ")]
        named = self.velocity == SKILLS[self.skill][SPEEDS.index(self.speed)]
        if named and self.speed != "normal":
            words.append(self.speed)
        if self.end is not None:
            kind, amount = self.end
            words.append(_amount(amount, kind))
        if not named:
            words.append(f"at {self._velocity_words}")
        return " ".join(words)

    @property
    def _velocity_words(self) -> str:
        """A velocity that no skill names, in words: "1 m/s forward and 0.6 rad/s left"."""
        directions = (("forward", "backward"), ("left", "right"), ("left", "right"))
        parts = [
            (f"{abs(value):g} {unit}", positive if value > 0 else negative)
            for value, unit, (positive, negative) in zip(self.velocity, UNITS, directions, strict=True)
            if value
        ]
        # The skill already names the direction of a velocity along one axis.
        return parts[0][0] if len(parts) == 1 else " and ".join(" ".join(part) for part in parts)


class _Destination(Goal):
    """Base of goals with a target place: the body steers to it and stops there."""

    def _target(self, progress: Progress) -> tuple[float, float]:
        """The target in meters, relative to where the goal began."""
        raise NotImplementedError

    def _bearing(self, progress: Progress) -> tuple[float, float]:
        """Distance in meters and direction in radians of the target, seen from the body."""
        x, y = self._target(progress)
        target = Pose(x, y).seen_from(progress.pose)
        return math.hypot(target.x, target.y), math.atan2(target.y, target.x)

    def ending(self, progress: Progress) -> Ending:
        return Ending("meters", self._bearing(progress)[0], PLACE_TOLERANCE)

    def reached(self, progress: Progress) -> bool:
        return self._bearing(progress)[0] <= ARRIVED

    def wanted(self, progress: Progress) -> tuple[float, float, float]:
        distance, bearing = self._bearing(progress)
        speed = min(CRUISE[self.speed], max(GRID_STEP, distance / ARRIVE_SECONDS))
        if distance <= NEAR:
            return speed * math.cos(bearing), speed * math.sin(bearing), 0.0
        turn = clamp(TURN_GAIN * bearing, TURN_RATE)
        if abs(bearing) > WALK_BEARING:
            return 0.0, 0.0, turn
        return speed * math.cos(bearing), 0.0, turn

    def expected_seconds(self, progress: Progress) -> float:
        distance = math.hypot(*self._target(progress))
        return distance / CRUISE[self.speed] + math.pi / TURN_RATE  # half a turn

    def destination(self, progress: Progress) -> Pose:
        return Pose(*self._target(progress), math.nan)


@dataclass(frozen=True)
class PlaceGoal(_Destination):
    """A place, in meters ahead and to the left of where the body stands and faces when the goal begins."""

    ahead: float = 0.0
    left: float = 0.0
    speed: str = "normal"
    skill: ClassVar[str] = "go_to"

    def __post_init__(self):
        super().__post_init__()
        _choose("speed", self.speed, SPEEDS)
        furthest = _values("place")[-1]
        for axis in ("ahead", "left"):
            _set(self, axis, _number(axis, getattr(self, axis), -furthest, furthest, " m"))

    def _target(self, progress: Progress) -> tuple[float, float]:
        return self.ahead, self.left

    def on_grid(self) -> "PlaceGoal":
        ahead, left = (math.copysign(nearest_amount("place", abs(v)), v) + 0.0 for v in (self.ahead, self.left))
        return PlaceGoal(ahead, left, self.speed, height=self.height, arms=self.arms)

    def _tokens(self) -> list[str]:
        tokens = ["<go_to>", f"<speed={self.speed}>"]
        for amount, direction in self._parts:
            tokens += [f"<{direction}>", *_digits("place", amount)]
        return [*tokens, *self._posture_tokens]

    @property
    def _parts(self) -> list[tuple[float, str]]:
        """Amounts above 0 with their directions; the body's own place is 0 ahead."""
        parts = [(abs(self.ahead), DIRECTIONS[self.ahead < 0]), (abs(self.left), DIRECTIONS[2 + (self.left < 0)])]
        return [part for part in parts if part[0]] or [(0.0, "ahead")]

    @classmethod
    def _from_tokens(cls, tokens: Sequence[str]) -> "PlaceGoal":
        at, direction = dict.fromkeys(DIRECTIONS, ""), ""
        for token in tokens[2:-2]:
            word = token.strip("<>")
            if word in at:
                direction = word
            else:
                at[direction] += word
        ahead, behind, left, right = (float(at[direction] or 0) for direction in DIRECTIONS)
        return cls(ahead - behind, left - right, tokens[1].split("=")[1].strip(">"), **_posture(tokens[-2:]))

    def _words(self) -> str:
        speed = [] if self.speed == "normal" else [self.speed]
        place = [f"{_amount(amount, 'meters')} {direction}" for amount, direction in self._parts]
        return " ".join(["go to", *speed, *place])


@dataclass(frozen=True)
class HomeGoal(_Destination):
    """The place where the program began."""

    speed: str = "normal"
    skill: ClassVar[str] = "go_home"

    def __post_init__(self):
        super().__post_init__()
        _choose("speed", self.speed, SPEEDS)

    def _target(self, progress: Progress) -> tuple[float, float]:
        return progress.home.x, progress.home.y

    def _tokens(self) -> list[str]:
        return ["<go_home>", f"<speed={self.speed}>", *self._posture_tokens]

    @classmethod
    def _from_tokens(cls, tokens: Sequence[str]) -> "HomeGoal":
        return cls(tokens[1].split("=")[1].strip(">"), **_posture(tokens[2:]))

    def _words(self) -> str:
        return "go home" if self.speed == "normal" else f"go home {self.speed}"


@dataclass(frozen=True)
class HeadingGoal(Goal):
    """The heading at which the program began, reached by the shorter turn on the spot."""

    skill: ClassVar[str] = "face_start"

    def _error(self, progress: Progress) -> float:
        """Angle still to turn, rad, counter-clockwise, in ±pi."""
        return wrap(progress.home.heading - progress.pose.heading)

    def ending(self, progress: Progress) -> Ending:
        return Ending("degrees", math.degrees(abs(self._error(progress))), HEADING_TOLERANCE)

    def reached(self, progress: Progress) -> bool:
        return math.degrees(abs(self._error(progress))) <= FACED

    def wanted(self, progress: Progress) -> tuple[float, float, float]:
        error = self._error(progress)
        return 0.0, 0.0, math.copysign(max(GRID_STEP, abs(clamp(TURN_GAIN * error, TURN_RATE))), error)

    def expected_seconds(self, progress: Progress) -> float:
        return abs(wrap(progress.home.heading)) / TURN_RATE

    def destination(self, progress: Progress) -> Pose:
        return Pose(0.0, 0.0, wrap(progress.home.heading))

    def _tokens(self) -> list[str]:
        return ["<face_start>", *self._posture_tokens]

    @classmethod
    def _from_tokens(cls, tokens: Sequence[str]) -> "HeadingGoal":
        return cls(**_posture(tokens[1:]))

    def _words(self) -> str:
        return "face start"


@dataclass(frozen=True)
class GoalProgram:
    """Goals to pursue one after another, or a refusal: no goals, and a reason from REASONS.

    Args:
        goals: at most MAX_GOALS.
        refusal: one of REASONS.
        detail: message to the user about the refusal, if it says more than REASONS.

    Raises:
        ValueError: no goals and no reason, or both; more than MAX_GOALS; an open goal before the last.
    """

    goals: tuple[Goal, ...] = ()
    refusal: str | None = None
    detail: str = field(default="", compare=False)

    def __post_init__(self):
        _set(self, "goals", tuple(self.goals))
        if self.refusal is not None:
            _choose("refusal", self.refusal, REASONS)
        if bool(self.goals) == self.refused:
            raise ValueError("a program has goals or a refusal: give exactly one of them")
        if len(self.goals) > MAX_GOALS:
            raise ValueError(f"{len(self.goals)} goals are too many: a program has at most {MAX_GOALS}")
        for number, goal in enumerate(self.goals[:-1], start=1):
            if goal.open:
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
        return self.detail or (REASONS[self.refusal] if self.refusal else "")

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
        spelling = " ".join(_token(index) for index in ids)
        if not ids or ids[-1] != TOKEN_IDS[END]:
            raise ValueError(f"no program is spelled {spelling!r}: it does not close with {END}")
        body = ids[:-1]
        if body and body[0] == TOKEN_IDS[REFUSE]:
            return cls(refusal=_token(body[1]).strip("<>") if len(body) == 2 else "")
        starts = [place for place, index in enumerate(body) if index in _FIRST_IDS]
        if starts[:1] != [0]:
            raise ValueError(f"no program is spelled {spelling!r}")
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


# The spelling of a goal starts with one of these, and contains none of them later.
_FIRST_IDS = {*AXIS_IDS["vx"], *(TOKEN_IDS[f"<{skill}>"] for skill in PLACE_SKILLS)}


def snap(amount: float, kind: str) -> float | None:
    """The nearest amount of this kind that has a spelling in tokens, or None if out of range by over half a step."""
    if kind in AMOUNTS:
        spellings = _values(kind)
    else:
        spellings = tuple(value for value in GRID["vx" if kind == "m/s" else "wz"] if value > 0)
    nearest = min(spellings, key=lambda value: abs(value - amount))
    low, high = spellings[0] / 2, spellings[-1] + (spellings[-1] - spellings[-2]) / 2
    return nearest if low <= amount <= high else None


def nearest_amount(kind: str, amount: float) -> float:
    """The nearest amount that has a spelling in tokens; the lower one of two that are equally near."""
    return min(_values(kind), key=lambda value: abs(value - amount))


def check_goal_version(found: str | None, source: str) -> None:
    """Raise ValueError unless an artifact uses this goal vocabulary."""
    if found != GOAL_VERSION:
        raise ValueError(
            f"{source} uses goal vocabulary {found}, but this code uses {GOAL_VERSION}: "
            f"recreate it with this code, or load a revision that uses {GOAL_VERSION}"
        )


def clamp(value: float, most: float) -> float:
    """The nearest value in ±most."""
    return min(max(value, -most), most)


def rotate(x: float, y: float, angle: float) -> tuple[float, float]:
    """A vector turned counter-clockwise by `angle` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return c * x - s * y, s * x + c * y


def wrap(angle: float) -> float:
    """The same angle in ±pi."""
    return math.remainder(angle, math.tau)


def _set(goal: object, name: str, value: object) -> None:
    object.__setattr__(goal, name, value)


def _choose(name: str, value: str, choices: Sequence[str] | dict[str, str]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")


def _number(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is no finite number")
    if not low <= value <= high:
        raise ValueError(f"{name}={value:g}{unit} is out of range: choose one from {low:g} to {high:g}")
    return float(value) + 0.0  # + 0.0 turns -0.0 into 0.0, so that equal goals look the same


def main_axis(skill: str) -> int:
    """Index in AXES of the velocity that a skill's speeds differ in."""
    return {"turn": 2, "sidestep": 1}.get(skill.split("_")[0], 0)


def _sided(motion: str, value: float) -> str:
    return f"{motion}_left" if value > 0 else f"{motion}_right"


def _amount(amount: float, kind: str) -> str:
    return f"{amount:g} {kind.removesuffix('s') if amount == 1 else kind}"


def _posture(tokens: Sequence[str]) -> dict[str, str]:
    height, arms = tokens
    return {
        "height": height.removeprefix("<height=").removesuffix(">"),
        "arms": arms.removeprefix("<arms=").removesuffix(">"),
    }


def _token(index: int) -> str:
    if not 0 <= index < len(TOKENS):
        raise ValueError(f"goal token id {index} is out of range: vocabulary {GOAL_VERSION} has {len(TOKENS)} tokens")
    return TOKENS[index]


def _digits(kind: str, amount: float) -> list[str]:
    return [f"<{digit}>" for digit in f"{nearest_amount(kind, amount):g}"]


@functools.cache
def _values(kind: str) -> tuple[float, ...]:
    return tuple(map(float, AMOUNTS[kind]))

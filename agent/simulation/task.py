"""The task: follow a goal, and step in time with a clock. This file has the reward, and the command, which approaches
the goal at a limited rate.

`GoalTask.step` gives the parts of the reward; those of the gait are `_in_step` and `_stride`.

A command is five numbers, those of `agent.goals.COMMAND_AXES`: forward m/s, left m/s, yaw rate rad/s, height from 0
(normal) to 1 (a crouch), and what the arms do, an index in `agent.goals.ARMS`. The clock is a phase of two numbers, in
cycles: that of the gait, whose cycle is two steps, and that of a waving arm.

Shapes: N bodies, J joints, A actions, M arm joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.bodies import Body
from agent.goals import ARMS, AXES, COMMAND_AXES, STILL, UNITS, Goal
from agent.simulation.heading import heading_observation, heading_velocity, uprightness, yaw
from agent.simulation.physics import BodyState

COMMAND_SIZE = len(COMMAND_AXES)
TOUCHING = 0.01  # m; a foot lower than this touches the ground: contact and tilt move its center by less
STRIDE_SHARE = 0.8  # of a step's length that separates the feet; the rest is flight and the roll of the stance foot
# Share of the stance width: a body that starts with its left foot this far ahead steps with the right one first.
ASTRIDE = 0.25
SLIDING = 2.0  # m/s; faster slipping costs no more
RISE_SECONDS = 0.8  # the command takes this long to leave a crouch
ARM_SPEED = 4.0  # rad/s, speed of the arm targets from one pose to another
# The rewards for height and arms fall with the error, like `closeness`: a kernel of this width and a line that is 0 at
# this error, m and rad.
HEIGHT_KERNEL, HEIGHT_LINE = 0.04, 0.15
ARM_KERNEL, ARM_LINE = 0.3, 1.2
HEIGHT_SWAY = 0.04  # m, by which the torso moves up and down in upright walking; such errors cost nothing
BEND_WIDTH = 0.62  # rad; knees this much straighter than `crouch_bend` get the lowest reward for bending
# Forces that assist bodies while they learn to crouch, per kg of the body: spring in 1/s², damping and drag in 1/s,
# largest force in m/s²; torques in m²/s² and m²/s.
ASSIST_SPRING, ASSIST_DAMPING, ASSIST_DRAG, ASSIST_MOST = 25.0, 3.0, 3.75, 10.0
ASSIST_TORQUE, ASSIST_TORQUE_DAMPING = 3.0, 0.12
ASSIST_LEAN = 0.2  # rad, forward lean of the torso in a crouch
ASSIST_FROM = 1 / 3  # commanded height, from 0 (normal) to 1 (a crouch), from which these forces act in full
ROUNDING = 1e-6  # m/s or rad/s, by which a float32 goal may exceed the limits of a body
ARM_CODES = {name: index for index, name in enumerate(ARMS)}


@dataclass
class RewardWeights:
    """Weight of each part of the goal reward, per step, and its smoothing. Actions are measured in ±1."""

    tracking_weight: float = 10.0
    turning_weight: float = 3.0
    alive_weight: float = 0.5
    upright_weight: float = 0.2
    control_weight: float = 0.02
    action_rate_weight: float = 0.01
    posture_weight: float = 0.06
    waist_weight: float = 0.06
    gait_weight: float = 4.0
    stride_weight: float = 4.0
    slip_weight: float = 0.2
    stature_weight: float = 0.0  # torso height without a crouch command, for robots that tend to walk on bent knees
    height_weight: float = 15.0
    bend_weight: float = 8.0
    arms_weight: float = 10.0
    # Time constant of the velocity errors. A torso sways within a stride, of about 0.5 s; less teaches faster.
    smoothing_seconds: float = 0.5


class GoalTask:
    """Goals of N bodies, the commands that lead there, and the reward for following the commands in step with a clock.

    Keeps the state of the reward in arrays with N rows: smoothed velocity errors, the last action, the last positions
    of the feet, the phase, and the arm targets without their swing. `memory` holds them for checkpoints.
    """

    MEMORY = ("goals", "commands", "phase", "error", "last_action", "last_feet", "arm_targets")

    def __init__(self, body: Body, count: int, weights: RewardWeights):
        self.body, self.weights = body, weights
        self._posture = body.joint_indices(body.posture_joints)
        self._waist = body.joint_indices(body.waist)
        self._rest, self._straight = (
            body.rest_angles[np.array(joints, dtype=int) - 7] for joints in (self._posture, self._waist)
        )
        self._posture_arms = np.isin(body.posture_joints, body.arm_joints)
        self._arms, self._knees = body.joint_indices(body.arm_joints), body.joint_indices(body.knees)
        self.goals = np.zeros((count, COMMAND_SIZE), dtype=np.float32)
        self.commands = np.zeros((count, COMMAND_SIZE), dtype=np.float32)
        self.phase = np.zeros((count, 2))
        self.error = np.zeros((count, 3))
        self.last_action = np.zeros((count, body.action_size), dtype=np.float32)
        self.last_feet = np.zeros((count, 2, 3))
        self.arm_targets = np.zeros((count, len(body.arm_joints)))

    @property
    def memory(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in self.MEMORY}

    def begin(self, rows: np.ndarray, state: BodyState) -> None:
        """Reset the memory of the bodies in `rows` (a mask [N] or indices), which start from `state`."""
        start = state[rows]
        velocity = heading_velocity(start.qpos, start.qvel)
        self.commands[rows] = 0
        self.commands[rows, :3] = np.clip(velocity, *self.body.limits)
        self.error[rows] = velocity - self.commands[rows, :3]
        if self.body.crouch_height is not None:
            # A torso below this height crouches; runners also sink, but not this far.
            lowest = self.body.crouch_height + (self.body.torso_height - self.body.crouch_height) / 4
            self.commands[rows, 3] = start.qpos[:, 2] < lowest
        self.last_action[rows] = 0
        self.phase[rows] = 0
        self.phase[rows, 0] = np.where(feet_apart(start)[:, 0] > ASTRIDE * self.body.gait.stance_width, 0.5, 0.0)
        self.last_feet[rows] = start.feet
        self.arm_targets[rows] = start.qpos[:, self._arms]

    def lead(self) -> None:
        """Move the commands, and with them the arms' targets, one control step closer to the goals."""
        self.commands = approach(self.commands, self.goals, self.body)
        most = ARM_SPEED * self.body.control_seconds
        pose = self.body.arm_angles[self._arm_codes]
        self.arm_targets = np.clip(pose, self.arm_targets - most, self.arm_targets + most)

    def step(self, state: BodyState, action: np.ndarray, phase: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Parts [N] of the reward for reaching `state` by `action` [N, A] in ±1; their sum is the reward.

        `phase` [N, 2] is the phase at `state`, if it does not follow from the commands.
        """
        arms = self._arms_reached(state)  # with the targets from before the clock advances
        smoothing = self.body.control_seconds / self.weights.smoothing_seconds
        error = heading_velocity(state.qpos, state.qvel) - self.commands[:, :3]
        self.error += smoothing * (error - self.error)
        self.phase = advance_phase(self.phase, self.commands, self.body) if phase is None else phase

        weights, commands = self.weights, self.commands
        low = commands[:, 3] > 0
        height = self._height(state)
        tracked = closeness(np.abs(self.error), np.abs(commands[:, :3]))
        axis_shares = np.abs(commands[:, :2]) + 1.0  # the commanded axis counts more
        axis_shares /= axis_shares.sum(1, keepdims=True)
        touching = state.feet[..., 2] - self.body.sole_height < TOUCHING
        posed = self._arm_codes[:, None] > 0  # these arms need not be at rest
        posture = np.square(state.qpos[:, self._posture] - self._rest) * ~(posed & self._posture_arms)
        parts = {
            "tracking": weights.tracking_weight * (tracked[:, :2] * axis_shares).sum(1),
            "turning": weights.turning_weight * tracked[:, 2],
            "alive": np.full(len(commands), weights.alive_weight),
            "upright": weights.upright_weight * uprightness(state.qpos),
            "control": -weights.control_weight * np.square(action).sum(1),
            "action_rate": -weights.action_rate_weight * np.square(action - self.last_action).sum(1),
            "posture": -weights.posture_weight * posture.sum(1),
            "waist": -weights.waist_weight * np.square(state.qpos[:, self._waist] - self._straight).sum(1),
            "gait": weights.gait_weight * np.where(moving(commands), self._in_step(state), touching.all(1)),
            "stride": weights.stride_weight * self._stride(state),
            "slip": -weights.slip_weight * self._slip(state, touching),
            "stature": weights.stature_weight * np.where(low, 0.0, height),
            "height": weights.height_weight * np.where(low, height, 0.0),
            "bend": weights.bend_weight * self._bend(state),
            "arms": weights.arms_weight * arms,
        }
        self.last_action = action
        self.last_feet = state.feet.copy()
        return parts

    def features(self, state: BodyState) -> tuple[np.ndarray, np.ndarray]:
        """The state of the reward, for a critic: features that are even [N, E] or odd [N, O] under the mirror.
        `feature_sizes` gives E and O.
        """
        height, ahead = state.feet[..., 2] - self.body.sole_height, feet_apart(state)[:, 0]
        sin, cos = np.sin(2 * np.pi * self.phase), np.cos(2 * np.pi * self.phase)
        even_posture, odd_posture = posture_features(self.commands, sin[:, 1], cos[:, 1])
        right, left = np.split(self.arm_targets, 2, axis=1)
        left = left * self.body.arm_signs
        even = np.column_stack(
            [
                self.commands[:, 0],
                self.error[:, 0],
                height.sum(1),
                np.abs(ahead),
                np.abs(self.commands[:, 1:3]).sum(1),
                *even_posture,
                right + left,
            ]
        )
        odd = np.column_stack(
            [
                self.commands[:, 1:3],
                self.error[:, 1:],
                height[:, 1] - height[:, 0],
                ahead,
                sin[:, 0],
                cos[:, 0],
                *odd_posture,
                right - left,
            ]
        )
        return even.astype(np.float32), odd.astype(np.float32)

    @property
    def _arm_codes(self) -> np.ndarray:
        """Commanded arm poses [N], as indices in ARMS."""
        return self.commands[:, 4].astype(int)

    def _in_step(self, state: BodyState) -> np.ndarray:
        """How well [N] the feet follow the clock: the swing foot lifted, not too high, and the stance foot down."""
        gait = self.body.gait
        height = state.feet[..., 2] - self.body.sole_height
        wave = np.sin(2 * np.pi * self.phase[:, 0])
        left_swings = wave > 0
        swing_height = np.where(left_swings, height[:, 1], height[:, 0])
        stance_height = np.where(left_swings, height[:, 0], height[:, 1])
        high = gait.high_step + gait.high_step_per_speed * np.abs(self.commands[:, 0])
        lifted = np.clip(np.minimum(swing_height / gait.clearance, 2 - swing_height / high), -1, 1)
        lifted -= swing_height < TOUCHING
        return np.abs(wave) * (lifted + (stance_height < TOUCHING)) / 2

    def _stride(self, state: BodyState) -> np.ndarray:
        """How close [N] the offset between the feet is to what the clock asks for, from 1 down to -1."""
        gait, commands = self.body.gait, self.commands
        lead_wave = -np.cos(2 * np.pi * self.phase[:, 0])
        stride = STRIDE_SHARE * commands[:, :2] / cadence(commands, self.body)[:, None]
        stride = np.clip(stride, -gait.longest_stride, gait.longest_stride)
        apart = stride * lead_wave[:, None]
        apart[:, 1] += gait.stance_width + np.abs(stride[:, 1]) / 2  # feet that come together must not touch
        error = np.linalg.norm(feet_apart(state) - apart, axis=1) / (
            np.linalg.norm(stride, axis=1) + gait.stance_width
        )
        return np.clip(1 - error, -1, 1)

    def _slip(self, state: BodyState, touching: np.ndarray) -> np.ndarray:
        """Sum [N] of the speeds of the feet that touch the ground, m/s, at most SLIDING."""
        moved = np.linalg.norm(state.feet[..., :2] - self.last_feet[..., :2], axis=-1)
        return np.minimum((moved * touching).sum(1) / self.body.control_seconds, SLIDING)

    def _height(self, state: BodyState) -> np.ndarray:
        """How close [N] the torso is to the commanded height, from 0.5 down to -1; 0 for bodies without a crouch."""
        low, body = self.commands[:, 3], self.body
        if body.crouch_height is None:
            return np.zeros(len(low))
        asked = body.torso_height + (body.crouch_height - body.torso_height) * low
        error = np.maximum(0, np.abs(state.qpos[:, 2] - asked) - HEIGHT_SWAY * (1 - low))
        return _nearness(error, HEIGHT_KERNEL, HEIGHT_LINE)

    def _bend(self, state: BodyState) -> np.ndarray:
        """How well [N] both knees are bent under a low command, from 0.5 down to -0.5; 0 for other commands. Without
        it, a body may get low by bowing, and cannot walk like that.
        """
        low, body = self.commands[:, 3], self.body
        if body.crouch_height is None:
            return np.zeros(len(low))
        straight = (body.crouch_bend - (body.knee_bend * state.qpos[:, self._knees]).min(1)) / BEND_WIDTH
        return np.where(low > 0, 0.5 - low * np.clip(straight, 0, 1), 0.0)

    def _arms_reached(self, state: BodyState) -> np.ndarray:
        """How close [N] the arms are to their targets, from 0.5 down to -1; 0 for arms at rest."""
        if not self._arms:
            return np.zeros(len(self.commands))
        swing = self.body.arm_swings[self._arm_codes] * np.sin(2 * np.pi * self.phase[:, 1:])
        error = np.abs(state.qpos[:, self._arms] - self.arm_targets - swing)
        return np.where(self._arm_codes > 0, _nearness(error, ARM_KERNEL, ARM_LINE).mean(1), 0.0)


def feature_sizes(body: Body) -> tuple[int, int]:
    """Numbers of even and odd features in GoalTask.features."""
    return 11 + len(body.arm_joints) // 2, 11 + len(body.arm_joints) // 2


def assisting_forces(state: BodyState, commands: np.ndarray, body: Body, mass: float) -> np.ndarray:
    """Forces and torques [N, 6] in the world frame, N and Nm, for bodies of `mass` kg. They pull torsos to the height
    and the velocity of low commands [N, 5] and turn them to a slight forward lean; they are zero for other commands.
    """
    low, heading = commands[:, 3], yaw(state.qpos)
    if body.crouch_height is None:
        return np.zeros((len(low), 6))
    seen = heading_observation(state.qpos, state.qvel)
    (w, x, y, z), joints = seen[:, 1:5].T, len(body.joints)
    velocity, rates = seen[:, 5 + joints : 8 + joints], seen[:, 8 + joints : 11 + joints]
    asked = body.torso_height + (body.crouch_height - body.torso_height) * low
    pull = np.column_stack(
        [
            ASSIST_DRAG * (commands[:, :2] - velocity[:, :2]),
            ASSIST_SPRING * (asked - seen[:, 0]) - ASSIST_DAMPING * velocity[:, 2],
        ]
    )
    pull = mass * np.clip(pull, -ASSIST_MOST, ASSIST_MOST)
    up = np.column_stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    lean = ASSIST_LEAN * low
    wanted = np.column_stack([np.sin(lean), np.zeros_like(lean), np.cos(lean)])
    # The rates are those of the torso's own axes, which for a small tilt are nearly those of the heading frame.
    turn = mass * (ASSIST_TORQUE * np.cross(up, wanted) - ASSIST_TORQUE_DAMPING * rates * [1, 1, 0])
    forces = np.stack([pull, turn], axis=1) * np.clip(low / ASSIST_FROM, 0, 1)[:, None, None]
    cos, sin, (ahead, left) = np.cos(heading)[:, None], np.sin(heading)[:, None], forces[..., :2].transpose(2, 0, 1)
    forces[..., 0], forces[..., 1] = cos * ahead - sin * left, sin * ahead + cos * left
    return forces.reshape(len(low), 6)


def goal_commands(goals: Any, body: Body) -> np.ndarray:
    """Commands [5] of a velocity goal, or [N, 5] of a sequence of them, or of rows (vx, vy, wz, height, arms).

    Raises:
        ValueError: `goals` is none of these, a goal is not a velocity goal, a row has another size or is not finite,
            or the body does not support the velocity, the height or the arms.
    """
    single = isinstance(goals, Goal)
    if not single and (not isinstance(goals, Sequence | np.ndarray) or isinstance(goals, str) or len(goals) == 0):
        raise ValueError(f"goals={goals!r:.60}: give a Goal, such as Goal(1.0), or a list of one for each body")
    rows = [each.command if isinstance(each, Goal) else each for each in ([goals] if single else goals)]
    for number, row in enumerate(rows):
        if not _is_row(row):
            raise ValueError(f"goal {number} is {row!r:.60}: give a Goal or finite numbers {', '.join(COMMAND_AXES)}")
    commands = np.array(rows, dtype=np.float32)
    velocity, (lowest, highest) = commands[:, :3], body.limits
    for number, axis in np.argwhere((velocity < lowest - ROUNDING) | (velocity > highest + ROUNDING)):
        raise ValueError(
            f"goal {number} has {AXES[axis]}={velocity[number, axis]:g}: body {body.name} can be asked for "
            f"{lowest[axis]:g} to {highest[axis]:g} {UNITS[axis]}"
        )
    height, arms = commands[:, 3], commands[:, 4]
    if ((height < 0) | (height > len(body.heights) - 1)).any():
        raise ValueError(f"body {body.name} can be asked for the height {' or '.join(body.heights)}: give one of them")
    if not np.isin(arms, [ARM_CODES[name] for name in body.arms]).all():
        raise ValueError(f"body {body.name} can be asked for the arms {', '.join(body.arms)}: give one of them")
    return commands[0] if single else commands


def _is_row(row: Any) -> bool:
    """Whether it is five finite numbers."""
    try:
        return np.shape(row) == (COMMAND_SIZE,) and bool(np.isfinite(np.asarray(row, dtype=float)).all())
    except (TypeError, ValueError):
        return False


def posture_features(commands: Any, sin: Any, cos: Any) -> tuple[list, list]:
    """Six even and three odd features [...] of the height and arms of commands [..., 5], NumPy or torch; `sin` and
    `cos` [...] are those of the wave's phase.
    """
    up, out, wave_left, wave_right = ((commands[..., 4] == ARM_CODES[name]) * 1.0 for name in ARMS[1:])
    wave, side = wave_left + wave_right, wave_left - wave_right
    return [commands[..., 3], up, out, wave, wave * sin, wave * cos], [side, side * sin, side * cos]


def approach(commands: np.ndarray, goals: np.ndarray, body: Body) -> np.ndarray:
    """Commands [..., 5] float32 one control step later, on their way to the goals [..., 5]. The index of the arm pose
    changes at once; `GoalTask.lead` moves the targets of the arm joints gradually.
    """
    slower = np.abs(goals) < np.abs(commands)
    braking = *body.braking, 1 / RISE_SECONDS, np.inf
    acceleration = *body.acceleration, 1 / body.crouch_seconds, np.inf
    most = np.where(slower, braking, acceleration) * body.control_seconds
    return np.clip(goals, commands - most, commands + most).astype(np.float32)


def moving(commands: np.ndarray) -> np.ndarray:
    """Which of the commands [..., 5] ask for more than standing: [...] bool."""
    return np.abs(commands[..., :3]).max(-1) > STILL


def waving(commands: np.ndarray) -> np.ndarray:
    """Which of the commands [..., 5] ask an arm to wave: [...] bool."""
    return commands[..., 4] >= ARM_CODES["wave_left"]


def cadence(commands: np.ndarray, body: Body) -> np.ndarray:
    """Steps per second [...] that suit the commands [..., 5]. Sidesteps are shorter, because one foot closes in while
    the other waits.
    """
    speed = np.hypot(commands[..., 0], 3 * commands[..., 1]) + 0.3 * np.abs(commands[..., 2])
    return body.gait.cadence + body.gait.cadence_per_speed * speed


def advance_phase(phase: np.ndarray, commands: np.ndarray, body: Body) -> np.ndarray:
    """Phase [..., 2] of gait and wave one control step later. Each stays at 0 while its motion is not commanded.

    The left foot swings in the first half of a cycle, the right one in the second. Rewards tied to a clock
    that the policy observes follow Siekmann et al. (2021, arXiv:2011.01387).
    """
    seconds = body.control_seconds
    gait = (phase[..., 0] + seconds * cadence(commands, body) / 2) % 1
    wave = (phase[..., 1] + seconds * body.wave_hertz) % 1
    return np.stack([np.where(moving(commands), gait, 0.0), np.where(waving(commands), wave, 0.0)], axis=-1)


def wave_clock(waved: np.ndarray, body: Body) -> np.ndarray:
    """Sine and cosine [..., 2] float32 of the wave's phase, for arms that have been waving for `waved` [...] control
    steps; zeros where that is negative, which stands for arms that do not wave.
    """
    angle = 2 * np.pi * body.wave_hertz * body.control_seconds * waved
    return (np.stack([np.sin(angle), np.cos(angle)], axis=-1) * (waved >= 0)[..., None]).astype(np.float32)


def closeness(error: np.ndarray, size: np.ndarray) -> np.ndarray:
    """1 for a command followed exactly, down to -0.4. A line gives a gradient far from the command, a wide kernel
    close to it, and a narrow kernel rewards precision.

    A narrow kernel alone has no gradient for fast commands, a wide one alone tolerates errors (docs/log.md).
    """
    line = np.clip(1 - error / (size + 0.3), -1, 1)
    wide, narrow = (np.exp(-np.square(error / (width + width * size))) for width in (0.25, 0.08))
    return 0.4 * line + 0.4 * wide + 0.2 * narrow


def _nearness(error: np.ndarray, kernel: float, line: float) -> np.ndarray:
    """0.5 for no error, -0.5 for an error of `line` and -1 for twice that."""
    return 0.5 * np.exp(-np.square(error / kernel)) + 0.5 * np.clip(1 - error / line, -1, 1) - 0.5


def feet_apart(state: BodyState) -> np.ndarray:
    """Offset [N, 2] of the left foot from the right one, ahead and to the left, in the heading frame, m."""
    heading = yaw(state.qpos)
    cos, sin = np.cos(heading), np.sin(heading)
    apart = state.feet[:, 1] - state.feet[:, 0]
    x, y = apart[:, 0], apart[:, 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)

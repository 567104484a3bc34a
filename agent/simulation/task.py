"""The task: follow a goal, in step with a clock. The reward, and the command that leads to a goal.

Shapes: N bodies, J joints, A actions.
"""

from dataclasses import dataclass

import numpy as np

from agent.bodies import Body
from agent.simulation.heading import heading_velocity, uprightness, yaw
from agent.simulation.physics import BodyState

COMMAND_SIZE = 3  # forward m/s, left m/s, yaw rate rad/s
SMOOTHING_SECONDS = 0.25  # time constant of the velocity that is compared with the command
STANDING = 0.1  # m/s and rad/s; a command below this asks to stand
TOUCHING = 0.01  # m, a foot lower than this touches the ground
STRIDE_SHARE = 0.8  # of a step's length that the feet come apart; the rest is flight and the roll of the stance foot
ASTRIDE = 0.05  # m, a body that starts with its left foot this far ahead of the other steps with the right one first


@dataclass
class RewardWeights:
    """Weight of each part of the goal reward, per step. Actions count in ±1."""

    tracking_weight: float = 10.0
    turning_weight: float = 3.0
    alive_weight: float = 0.5
    upright_weight: float = 0.2
    control_weight: float = 0.02
    action_rate_weight: float = 0.01
    posture_weight: float = 0.06
    gait_weight: float = 4.0
    stride_weight: float = 4.0
    slip_weight: float = 0.2


class GoalTask:
    """Goals of N bodies, the commands that lead there, and the reward for following these in step with a clock.

    Keeps what a reward needs to remember: smoothed velocities, the last action, where the feet were, the phase of the
    gait. Everything is an array with N rows; `memory` lists them for checkpoints.
    """

    EVEN_FEATURES, ODD_FEATURES = 5, 8

    def __init__(self, body: Body, count: int, weights: RewardWeights):
        self.body, self.weights = body, weights
        self._posture = body.joint_indices(body.posture_joints)
        self._rest = body.rest_angles[np.array(self._posture, dtype=int) - 7]
        self.goals = np.zeros((count, COMMAND_SIZE), dtype=np.float32)
        self.commands = np.zeros((count, COMMAND_SIZE), dtype=np.float32)
        self.phase = np.zeros(count)
        self.velocity = np.zeros((count, 3))
        self.last_action = np.zeros((count, body.action_size), dtype=np.float32)
        self.last_feet = np.zeros((count, 2, 3))

    @property
    def memory(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if name[0] != "_" and isinstance(value, np.ndarray)}

    def begin(self, rows: np.ndarray, state: BodyState) -> None:
        """Forget the past of the bodies in `rows` (a mask [N] or indices), which start from `state`."""
        start = state[rows]
        self.velocity[rows] = velocity = heading_velocity(start.qpos, start.qvel)
        self.commands[rows] = np.clip(velocity, *self.body.limits)
        self.last_action[rows] = 0
        self.phase[rows] = np.where(feet_apart(start)[:, 0] > ASTRIDE, 0.5, 0.0)
        self.last_feet[rows] = start.feet

    def lead(self) -> None:
        """Move the commands one control step closer to the goals."""
        self.commands = approach(self.commands, self.goals, self.body)

    def step(self, state: BodyState, action: np.ndarray, phase: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Parts [N] of the reward for arriving at `state` by `action` [N, A] in ±1; their sum is the reward.

        `phase` [N] is that of the gait at `state`, where the body kept another time than that of its commands.
        """
        smoothing = self.body.control_seconds / SMOOTHING_SECONDS
        self.velocity += smoothing * (heading_velocity(state.qpos, state.qvel) - self.velocity)
        self.phase = advance_phase(self.phase, self.commands, self.body) if phase is None else phase

        weights, commands = self.weights, self.commands
        tracked = closeness(np.abs(self.velocity - commands), np.abs(commands))
        axis_shares = np.abs(commands[:, :2]) + 0.3  # the axis that is asked for counts more
        axis_shares /= axis_shares.sum(1, keepdims=True)
        touching = state.feet[..., 2] - self.body.sole_height < TOUCHING
        parts = {
            "tracking": weights.tracking_weight * (tracked[:, :2] * axis_shares).sum(1),
            "turning": weights.turning_weight * tracked[:, 2],
            "alive": np.full(len(commands), weights.alive_weight),
            "upright": weights.upright_weight * uprightness(state.qpos),
            "control": -weights.control_weight * np.square(action).sum(1),
            "action_rate": -weights.action_rate_weight * np.square(action - self.last_action).sum(1),
            "posture": -weights.posture_weight * np.square(state.qpos[:, self._posture] - self._rest).sum(1),
            "gait": weights.gait_weight * np.where(moving(commands), self._in_step(state), touching.all(1)),
            "stride": weights.stride_weight * self._stride(state),
            "slip": -weights.slip_weight * self._slip(state, touching),
        }
        self.last_action = action
        self.last_feet = state.feet.copy()
        return parts

    def features(self, state: BodyState) -> tuple[np.ndarray, np.ndarray]:
        """What the reward remembers, for a critic: even [N, 5] and odd [N, 8] quantities under the mirror."""
        height, ahead, angle = (
            state.feet[..., 2] - self.body.sole_height,
            feet_apart(state)[:, 0],
            2 * np.pi * self.phase,
        )
        even = np.column_stack(
            [
                self.commands[:, 0],
                self.velocity[:, 0],
                height.sum(1),
                np.abs(ahead),
                np.abs(self.commands[:, 1:]).sum(1),
            ]
        )
        odd = np.column_stack(
            [
                self.commands[:, 1:],
                self.velocity[:, 1:],
                height[:, 1] - height[:, 0],
                ahead,
                np.sin(angle),
                np.cos(angle),
            ]
        )
        return even.astype(np.float32), odd.astype(np.float32)

    def _in_step(self, state: BodyState) -> np.ndarray:
        """How well [N] the feet keep time: one lifted, not too high, while the other stands."""
        gait = self.body.gait
        height = state.feet[..., 2] - self.body.sole_height
        wave = np.sin(2 * np.pi * self.phase)
        left_swings = wave > 0
        swing_height = np.where(left_swings, height[:, 1], height[:, 0])
        stance_height = np.where(left_swings, height[:, 0], height[:, 1])
        high = gait.high_step + gait.high_step_per_speed * np.abs(self.commands[:, 0])
        lifted = np.clip(np.minimum(swing_height / gait.clearance, 2 - swing_height / high), -1, 1)
        lifted -= swing_height < TOUCHING
        return np.abs(wave) * (lifted + (stance_height < TOUCHING)) / 2

    def _stride(self, state: BodyState) -> np.ndarray:
        """How near [N] the feet are to where the clock wants them, from 1 down to -1."""
        gait, commands = self.body.gait, self.commands
        lead_wave = -np.cos(2 * np.pi * self.phase)
        stride = STRIDE_SHARE * commands[:, :2] / cadence(commands, self.body)[:, None]
        stride = np.clip(stride, -gait.longest_stride, gait.longest_stride)
        apart = stride * lead_wave[:, None]
        apart[:, 1] += gait.stance_width + np.abs(stride[:, 1]) / 2  # feet that close in must not touch
        error = np.linalg.norm(feet_apart(state) - apart, axis=1) / (np.linalg.norm(stride, axis=1) + 0.2)
        return np.clip(1 - error, -1, 1)

    def _slip(self, state: BodyState, touching: np.ndarray) -> np.ndarray:
        """Speed [N] of feet that touch the ground, m/s, at most 2."""
        moved = np.linalg.norm(state.feet[..., :2] - self.last_feet[..., :2], axis=-1)
        return np.minimum((moved * touching).sum(1) / self.body.control_seconds, 2.0)


def approach(commands: np.ndarray, goals: np.ndarray, body: Body) -> np.ndarray:
    """Commands [..., 3] float32 one control step later, on their way to the goals [..., 3]."""
    slower = np.abs(goals) < np.abs(commands)
    most = np.where(slower, np.array(body.braking), np.array(body.acceleration)) * body.control_seconds
    return np.clip(goals, commands - most, commands + most).astype(np.float32)


def moving(commands: np.ndarray) -> np.ndarray:
    """Which of the commands [..., 3] ask for more than to stand: [...] bool."""
    return np.abs(commands).max(-1) > STANDING


def cadence(commands: np.ndarray, body: Body) -> np.ndarray:
    """Steps per second [...] that suit the commands [..., 3]. Sideways one foot closes in while the other waits, so
    steps are shorter.
    """
    speed = np.hypot(commands[..., 0], 3 * commands[..., 1]) + 0.3 * np.abs(commands[..., 2])
    return body.gait.cadence + body.gait.cadence_per_speed * speed


def advance_phase(phase: np.ndarray, commands: np.ndarray, body: Body) -> np.ndarray:
    """Phase [...] of the gait one control step later, in cycles of two steps.

    The left foot swings in the first half of a cycle, the right one in the second; a body that is to stand waits at 0.
    Rewards in step with a clock that the policy sees are those of Siekmann et al. (2021, arXiv:2011.01387).
    """
    return np.where(moving(commands), (phase + body.control_seconds * cadence(commands, body) / 2) % 1, 0.0)


def closeness(error: np.ndarray, size: np.ndarray) -> np.ndarray:
    """1 for a command followed exactly, down to -0.4: a line gives direction from far away, a wide kernel from nearby,
    and a narrow one rewards precision.

    A narrow kernel alone has no gradient for fast commands, a wide one does not insist (docs/log.md).
    """
    line = np.clip(1 - error / (size + 0.3), -1, 1)
    wide, narrow = (np.exp(-np.square(error / (width + width * size))) for width in (0.25, 0.08))
    return 0.4 * line + 0.4 * wide + 0.2 * narrow


def feet_apart(state: BodyState) -> np.ndarray:
    """How far [N, 2] the left foot is ahead of the right one and to the left of it, in the heading frame, m."""
    heading = yaw(state.qpos)
    cos, sin = np.cos(heading), np.sin(heading)
    apart = state.feet[:, 1] - state.feet[:, 0]
    x, y = apart[:, 0], apart[:, 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)

"""The body and the task: Gymnasium's Humanoid-v5, seen from its own heading, and the reward for following a goal.

Shapes: N bodies in parallel, or any leading axes where a function says `...`. Observations [..., 45] are Humanoid-v5's
own positions and velocities (its `include_*` options off) with the yaw taken out (`world_observation` leaves it in):

| index | quantity | frame, unit |
|---|---|---|
| 0 | height of the torso | m |
| 1-4 | orientation quaternion w, x, y, z without yaw, w >= 0 | heading |
| 5-21 | 17 joint angles | rad |
| 22-24 | linear velocity of the torso | heading, m/s |
| 25-27 | angular velocity of the torso | body, rad/s |
| 28-44 | 17 joint velocities | rad/s |
"""

from dataclasses import dataclass

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from agent.goals import AXES, GRID

OBSERVATION_SIZE = 45
ACTION_SIZE = 17
ACTION_LIMIT = 0.4  # Humanoid-v5's control range; policies act in ±1 and scale by this
MAX_EPISODE_STEPS = 1000
CONTROL_SECONDS = 0.015  # 5 physics steps of 3 ms
FOOT_RADIUS = 0.075  # m, both feet are spheres
HUMANOID = {
    "include_cinert_in_observation": False,
    "include_cvel_in_observation": False,
    "include_qfrc_actuator_in_observation": False,
    "include_cfrc_ext_in_observation": False,
}
# What MuJoCo warns of before it restarts a simulation by itself.
DIVERGED = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
# Humanoid-v5's own camera stays where the body started; this one goes with it.
CAMERA_HEIGHT = 0.9  # m, what it looks at
CAMERA = {
    "width": 480,
    "height": 480,
    "camera_id": -1,
    "default_camera_config": {
        "lookat": np.array([0.0, 0.0, CAMERA_HEIGHT]),
        "distance": 4.0,
        "azimuth": 120.0,
        "elevation": -12.0,
    },
}

# The mirror y -> -y: where each entry comes from, and its sign. Joint order of qpos and qvel: abdomen z, y, x; right
# hip x, z, y and knee; left the same; right shoulders 1, 2 and elbow; left the same. Hip and knee axes of the model
# are mirrored already, shoulder axes are mirrored and reversed.
_JOINT_SOURCE = [0, 1, 2, 7, 8, 9, 10, 3, 4, 5, 6, 14, 15, 16, 11, 12, 13]
_JOINT_SIGN = [-1, 1, -1, *[1] * 8, -1, -1, 1, -1, -1, 1]
OBSERVATION_MIRROR = (
    np.array(
        [0, 1, 2, 3, 4, *(5 + j for j in _JOINT_SOURCE), 22, 23, 24, 25, 26, 27, *(28 + j for j in _JOINT_SOURCE)]
    ),
    np.array([1, 1, -1, 1, -1, *_JOINT_SIGN, 1, -1, 1, -1, 1, -1, *_JOINT_SIGN], dtype=np.float32),
)
# Actuators come as abdomen y, z, x and then in the order of the joints.
ACTION_MIRROR = (np.array(_JOINT_SOURCE), np.array([1, -1, -1, *_JOINT_SIGN[3:]], dtype=np.float32))


def make_env(render_mode: str | None = None, max_episode_steps: int = MAX_EPISODE_STEPS) -> gymnasium.Env:
    """Gymnasium's Humanoid-v5 with heading-frame observations, float32 [45]. Reward and physics are Humanoid-v5's own.

    Rendered pictures are 480 x 480, from a camera that goes with the body.
    """
    env = gymnasium.make(
        "Humanoid-v5", render_mode=render_mode, max_episode_steps=max_episode_steps, **HUMANOID, **CAMERA
    )
    return HeadingObservation(env)


class HeadingObservation(gymnasium.ObservationWrapper):
    """Observes Humanoid-v5 in the heading frame."""

    def __init__(self, env: gymnasium.Env):
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float32)

    def step(self, action):
        """As Humanoid-v5's, but that a simulation that diverged, after which MuJoCo starts anew, ends the episode.

        Raises:
            ValueError: the action is not finite; MuJoCo would replace it by zeros without a word.
        """
        if not np.isfinite(action).all():
            raise ValueError("the action is not finite: check the policy's output")
        observation, reward, terminated, truncated, info = super().step(action)
        warnings = humanoid(self).data.warning
        return observation, reward, terminated or any(warnings[kind].number for kind in DIVERGED), truncated, info

    def observation(self, observation):
        data = humanoid(self).data
        return heading_observation(data.qpos, data.qvel)

    def render(self):
        """A picture [480, 480, 3] uint8 from a camera that goes with the body."""
        inner = humanoid(self)
        if inner.mujoco_renderer.viewer is not None:
            inner.mujoco_renderer.viewer.cam.lookat[:] = *inner.data.qpos[:2], CAMERA_HEIGHT
        return super().render()


def humanoid(env: gymnasium.Env) -> MujocoEnv:
    """Gymnasium's own env inside `env`, with its `model` and `data`."""
    inner = env.unwrapped
    assert isinstance(inner, MujocoEnv)
    return inner


def check_observation(observation: np.ndarray) -> None:
    """Raise ValueError where an observation [45] or [B, 45] is not finite, before an actor remembers it."""
    if not np.isfinite(observation).all():
        row = int(np.argmin(np.isfinite(np.atleast_2d(observation)).all(1)))
        raise ValueError(f"observation of body {row} is not finite: reset the env and the actor")


def heading_observation(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Observation [..., 45] float32 of MuJoCo's positions [..., 24] and velocities [..., 23]."""
    half = yaw(qpos) / 2
    cos, sin = np.cos(half), np.sin(half)
    w, x, y, z = quaternion(qpos)
    # conj(yaw rotation) * orientation
    tilt = np.stack([cos * w + sin * z, cos * x + sin * y, cos * y - sin * x, cos * z - sin * w], axis=-1)
    tilt *= np.where(tilt[..., :1] < 0, -1.0, 1.0)
    velocity = np.concatenate([heading_velocity(qpos, qvel)[..., :2], qvel[..., 2:3]], axis=-1)
    parts = [qpos[..., 2:3], tilt, qpos[..., 7:], velocity, qvel[..., 3:]]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def world_observation(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Humanoid-v5's own observation [..., 45] float32, its `include_*` options off: the yaw is in it."""
    return np.concatenate([qpos[..., 2:], qvel], axis=-1).astype(np.float32)


FRAMES = {"heading": heading_observation, "world": world_observation}  # that a body observes itself in


def quaternion(qpos: np.ndarray) -> tuple[np.ndarray, ...]:
    """The torso's orientation w, x, y, z, each [...]."""
    return qpos[..., 3], qpos[..., 4], qpos[..., 5], qpos[..., 6]


def yaw(qpos: np.ndarray) -> np.ndarray:
    """Heading of the torso [...] in radians, counter-clockwise from the world's x axis."""
    w, x, y, z = quaternion(qpos)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def heading_velocity(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Velocity of the torso [..., 3] in the space of goals: forward m/s, left m/s, yaw rate rad/s."""
    heading = yaw(qpos)
    cos, sin = np.cos(heading), np.sin(heading)
    w, x, y, z = quaternion(qpos)
    # A free joint's angular velocity is in the body's frame; its world z component is the last row of the rotation.
    up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    yaw_rate = (up * qvel[..., 3:6]).sum(-1)
    return np.stack(
        [cos * qvel[..., 0] + sin * qvel[..., 1], cos * qvel[..., 1] - sin * qvel[..., 0], yaw_rate], axis=-1
    )


def observed_velocity(observation: np.ndarray) -> np.ndarray:
    """Velocity of the torso [..., 3] in the space of goals (m/s, m/s, rad/s), as observations [..., 45] tell it."""
    w, x, y, z = np.moveaxis(observation[..., 1:5], -1, 0)
    up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    yaw_rate = (up * observation[..., 25:28]).sum(-1, keepdims=True)
    return np.concatenate([observation[..., 22:24], yaw_rate], axis=-1)


def uprightness(qpos: np.ndarray) -> np.ndarray:
    """Cosine [...] of the angle between the torso and the vertical."""
    return 1 - 2 * (qpos[..., 4] ** 2 + qpos[..., 5] ** 2)


@dataclass(frozen=True)
class BodyState:
    """What a step of N bodies leaves behind, in MuJoCo's world frame."""

    qpos: np.ndarray  # [N, 24] m, quaternion, rad
    qvel: np.ndarray  # [N, 23] m/s, rad/s
    feet: np.ndarray  # [N, 2, 3] m, centers of the right and the left foot


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


SMOOTHING = 0.06  # share of the newest velocity in the smoothed one: a time constant of 0.25 s
TOUCHING = 0.01  # m, a foot lower than this touches the ground
FULL_CLEARANCE = 0.08  # m, a swing foot this high earns the whole reward for it
# m, and m for each m/s ahead: a swing foot higher than this earns less, twice as high nothing; runners lift the heel.
HIGH_STEP, HIGH_STEP_PER_SPEED = 0.15, 0.08
# Steps a second when slow, and how many more for each m/s; people take 1.7 at 1 m/s and 2.7 when they run at 3 m/s.
CADENCE, CADENCE_PER_SPEED = 1.6, 0.6
STRIDE_SHARE = 0.8  # of a step's length, that the feet come apart; the rest is flight and the roll of the stance foot
LONGEST_STRIDE = 0.6  # m
STANCE_WIDTH = 0.2  # m between the feet, as wide as the hips
ASTRIDE = 0.05  # m, a body that starts with its left foot this far ahead of the other steps with the right one first
COMMAND_RANGE = np.array([[GRID[axis][end] for axis in AXES] for end in (0, -1)])
STANDING = 0.1  # m/s and rad/s, below which a command is to stand
# Of qpos: abdomen, right and left shoulder and elbow. All zeros, as the model starts, hold the hands before the face.
UPPER_BODY = [7, 8, 9, 18, 19, 20, 21, 22, 23]
AT_REST = np.array([0, 0, 0, 0.6, -0.4, -0.9, -0.6, 0.4, -0.9])  # rad, arms that hang, a little bent
# Of qpos; hips about y, where negative lifts the thigh ahead.
RIGHT_HIP, RIGHT_KNEE, LEFT_HIP, LEFT_KNEE = 12, 13, 16, 17
# m/s², m/s², rad/s²: how fast the command that is followed goes to a new goal, away from rest and towards it. A body
# may set off almost at once, but of runners whose command jumped to a stop two in five fell (docs/log.md).
ACCELERATION, BRAKING = np.array([8.0, 4.0, 8.0]), np.array([2.5, 2.5, 6.0])
RECOVERY_NOISE = np.array([0.5] * 3 + [1.0] * 3 + [2.0] * 17)  # m/s and rad/s of the torso, rad/s of the joints
GENTLE_SPEED = 1.2  # m/s, fastest command at difficulty 0


class GoalTask:
    """Goals for N bodies, the commands that lead there, and the reward for following these in step with a clock.

    Keeps what a reward needs to remember: smoothed velocities, the last action, where the feet were, the phase of the
    gait. Everything is an array with N rows; `memory` lists them for checkpoints.
    """

    EVEN_FEATURES, ODD_FEATURES = 5, 8

    def __init__(self, num_envs: int, weights: RewardWeights):
        self.weights = weights
        self.goals = np.zeros((num_envs, 3), dtype=np.float32)
        self.commands = np.zeros((num_envs, 3), dtype=np.float32)
        self.phase = np.zeros(num_envs)
        self.velocity = np.zeros((num_envs, 3))
        self.last_action = np.zeros((num_envs, ACTION_SIZE), dtype=np.float32)
        self.last_feet = np.zeros((num_envs, 2, 3))

    @property
    def memory(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def begin(self, rows: np.ndarray, body: BodyState) -> None:
        """Forget the past of the bodies in `rows` (a mask [N] or indices), which start from `body`."""
        self.velocity[rows] = heading_velocity(body.qpos[rows], body.qvel[rows])
        self.commands[rows] = np.clip(self.velocity[rows], *COMMAND_RANGE)
        self.last_action[rows] = 0
        self.phase[rows] = np.where(left_ahead(body)[rows] > ASTRIDE, 0.5, 0.0)
        self.last_feet[rows] = body.feet[rows]

    def lead(self) -> None:
        """Let the commands come one control step nearer to the goals."""
        self.commands = approach(self.commands, self.goals)

    def step(self, body: BodyState, action: np.ndarray, phase: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Parts [N] of the reward for arriving at `body` by `action` [N, 17] in ±1; their sum is the reward.

        `phase` [N] is that of the gait at `body`, where the body kept another time than that of its commands.
        """
        self.velocity += SMOOTHING * (heading_velocity(body.qpos, body.qvel) - self.velocity)
        self.phase = advance_phase(self.phase, self.commands) if phase is None else phase

        weights, commands = self.weights, self.commands
        closely = closeness(np.abs(self.velocity - commands), np.abs(commands))
        along = np.abs(commands[:, :2]) + 0.3  # the axis that is asked for counts more than the one that is not
        along /= along.sum(1, keepdims=True)
        height = body.feet[..., 2] - FOOT_RADIUS
        touching = height < TOUCHING
        wave, lead_wave = np.sin(2 * np.pi * self.phase), -np.cos(2 * np.pi * self.phase)
        left_swings = wave > 0
        swing_height = np.where(left_swings, height[:, 1], height[:, 0])
        stance_height = np.where(left_swings, height[:, 0], height[:, 1])
        high = HIGH_STEP + HIGH_STEP_PER_SPEED * np.abs(commands[:, 0])
        lifted = np.clip(np.minimum(swing_height / FULL_CLEARANCE, 2 - swing_height / high), -1, 1)
        lifted -= swing_height < TOUCHING
        in_step = np.abs(wave) * (lifted + (stance_height < TOUCHING)) / 2
        stride = np.clip(STRIDE_SHARE * commands[:, :2] / cadence(commands)[:, None], -LONGEST_STRIDE, LONGEST_STRIDE)
        apart = stride * lead_wave[:, None]
        apart[:, 1] += STANCE_WIDTH + np.abs(stride[:, 1]) / 2  # feet that close in must not touch
        astray = np.linalg.norm(feet_apart(body) - apart, axis=1) / (np.linalg.norm(stride, axis=1) + 0.2)
        moves = moving(commands)
        slip = (np.linalg.norm(body.feet[..., :2] - self.last_feet[..., :2], axis=-1) * touching).sum(
            1
        ) / CONTROL_SECONDS
        posture = np.square(body.qpos[:, UPPER_BODY] - AT_REST).sum(1)

        parts = {
            "tracking": weights.tracking_weight * (closely[:, :2] * along).sum(1),
            "turning": weights.turning_weight * closely[:, 2],
            "alive": np.full(len(commands), weights.alive_weight),
            "upright": weights.upright_weight * uprightness(body.qpos),
            "control": -weights.control_weight * np.square(action).sum(1),
            "action_rate": -weights.action_rate_weight * np.square(action - self.last_action).sum(1),
            "posture": -weights.posture_weight * posture,
            "gait": weights.gait_weight * np.where(moves, in_step, touching.all(1)),
            "stride": weights.stride_weight * np.clip(1 - astray, -1, 1),
            "slip": -weights.slip_weight * np.minimum(slip, 2.0),
        }
        self.last_action = action
        self.last_feet = body.feet.copy()
        return parts

    def features(self, body: BodyState) -> tuple[np.ndarray, np.ndarray]:
        """What the reward remembers, for a critic: even [N, 5] and odd [N, 8] quantities under the mirror."""
        height, ahead, angle = body.feet[..., 2] - FOOT_RADIUS, left_ahead(body), 2 * np.pi * self.phase
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


def approach(commands: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Commands [..., 3] float32 one control step later, on their way to the goals [..., 3]."""
    most = np.where(np.abs(goals) < np.abs(commands), BRAKING, ACCELERATION) * CONTROL_SECONDS
    return np.clip(goals, commands - most, commands + most).astype(np.float32)


def moving(commands: np.ndarray) -> np.ndarray:
    """Which of the commands [..., 3] ask for more than to stand: [...] bool."""
    return np.abs(commands).max(-1) > STANDING


def cadence(commands: np.ndarray) -> np.ndarray:
    """Steps a second [...] that suit the commands [..., 3]. Sideways one foot closes in while the other waits, so
    steps are shorter.
    """
    speed = np.hypot(commands[..., 0], 3 * commands[..., 1]) + 0.3 * np.abs(commands[..., 2])
    return CADENCE + CADENCE_PER_SPEED * speed


def advance_phase(phase: np.ndarray, commands: np.ndarray) -> np.ndarray:
    """Phase [...] of the gait one control step later, in cycles of two steps.

    The left foot swings in the first half of a cycle, the right one in the second; a body that is to stand waits at 0.
    Rewards in step with a clock that the policy sees are those of Siekmann et al. (2021, arXiv:2011.01387).
    """
    return np.where(moving(commands), (phase + CONTROL_SECONDS * cadence(commands) / 2) % 1, 0.0)


def closeness(error: np.ndarray, size: np.ndarray) -> np.ndarray:
    """1 for a command followed exactly, down to -0.4: a line leads there from afar, a wide kernel from near by, and a
    narrow one rewards precision.

    A narrow kernel alone has no gradient for fast commands, a wide one does not insist (facts and figures in
    docs/log.md).
    """
    line = np.clip(1 - error / (size + 0.3), -1, 1)
    wide, narrow = (np.exp(-np.square(error / (width + width * size))) for width in (0.25, 0.08))
    return 0.4 * line + 0.4 * wide + 0.2 * narrow


def feet_apart(body: BodyState) -> np.ndarray:
    """How far [N, 2] the left foot is ahead of the right one and to the left of it, in the heading frame, m."""
    heading = yaw(body.qpos)
    cos, sin = np.cos(heading), np.sin(heading)
    apart = body.feet[:, 1] - body.feet[:, 0]
    x, y = apart[:, 0], apart[:, 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)


def left_ahead(body: BodyState) -> np.ndarray:
    """How far [N] the left foot is ahead of the right one along the heading, m."""
    return feet_apart(body)[:, 0]


def stride_poses(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions [count, 24] and velocities [count, 23] of bodies in mid-stride: legs apart, one knee bent, moving
    ahead.
    """
    qpos, qvel = np.zeros((count, 24)), np.zeros((count, 23))
    qpos[:, 2] = 1.4
    turn, pitch = rng.uniform(-np.pi, np.pi, count) / 2, rng.uniform(-0.05, 0.1, count) / 2
    qpos[:, 3] = np.cos(turn) * np.cos(pitch)
    qpos[:, 4] = -np.sin(turn) * np.sin(pitch)
    qpos[:, 5] = np.cos(turn) * np.sin(pitch)
    qpos[:, 6] = np.sin(turn) * np.cos(pitch)
    qpos[:, 7:] = rng.normal(0, 0.03, (count, 17))
    apart, ahead = rng.uniform(0.1, 0.4, count), rng.choice([-1.0, 1.0], count)
    rear = np.where(ahead > 0, RIGHT_KNEE, LEFT_KNEE)
    qpos[:, RIGHT_HIP], qpos[:, LEFT_HIP] = -0.1 + ahead * apart, -0.1 - ahead * apart
    qpos[:, RIGHT_KNEE] = qpos[:, LEFT_KNEE] = -0.1
    qpos[np.arange(count), rear] -= rng.uniform(0, 0.6, count)
    speed = rng.uniform(0, 1.2, count)
    qvel[:, 0], qvel[:, 1] = speed * np.cos(2 * turn), speed * np.sin(2 * turn)
    qvel[:, 3:] = rng.normal(0, 0.3, (count, 20))
    return qpos, qvel


def sample_commands(rng: np.random.Generator, count: int, difficulty: float = 1.0) -> np.ndarray:
    """Commands [count, 3] float32 from the trained region: standing, straight, backward, turning, sidestepping, mixed.

    `difficulty` in 0..1 widens the region from a gentle core to all of it.
    """
    forward = _fastest(difficulty)
    share = 0.5 + 0.5 * difficulty
    backward, sideways, turning = -GRID["vx"][0] * share, GRID["vy"][-1] * share, GRID["wz"][-1] * share
    side, ahead, amount = (
        rng.choice([-1.0, 1.0], count),
        rng.uniform(0.2, forward, count),
        rng.uniform(0.25, 1.0, count),
    )
    turn = side * turning * amount
    nothing = np.zeros(count)
    mixed = rng.dirichlet([1.0, 1.0, 1.0, 0.5], count)[:, :3] * np.column_stack(
        [
            np.where(rng.random(count) < 0.75, forward, -backward),
            side * sideways,
            rng.choice([-1.0, 1.0], count) * turning,
        ]
    )
    kinds = {
        "stand": (0.10, np.column_stack([nothing, nothing, nothing])),
        "straight": (0.30, np.column_stack([ahead, nothing, nothing])),
        "backward": (0.10, np.column_stack([-backward * amount, nothing, nothing])),
        "turn": (0.12, np.column_stack([nothing, nothing, turn])),
        "sidestep": (0.13, np.column_stack([nothing, side * sideways * amount, nothing])),
        "curve": (0.13, np.column_stack([ahead, nothing, turn * np.maximum(0, 1 - ahead / GRID["vx"][-1])])),
        "mixed": (0.12, mixed),
    }
    shares, commands = zip(*kinds.values(), strict=True)
    chosen = rng.choice(len(shares), count, p=shares)
    return np.stack(commands)[chosen, np.arange(count)].astype(np.float32)


def fast_commands(rng: np.random.Generator, count: int, difficulty: float = 1.0) -> np.ndarray:
    """Commands [count, 3] float32 to go straight ahead at 60 % and more of the fastest speed of the region."""
    commands = np.zeros((count, 3), dtype=np.float32)
    commands[:, 0] = rng.uniform(0.6, 1.0, count) * _fastest(difficulty)
    return commands


def _fastest(difficulty: float) -> float:
    """m/s ahead."""
    return GENTLE_SPEED + (GRID["vx"][-1] - GENTLE_SPEED) * difficulty

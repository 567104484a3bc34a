"""What depends on the robot, as data. A new robot is one file in this folder that registers a Body,
imported in `agent/bodies/__init__.py`.

Joints are the hinges below a free joint, in the order of MuJoCo's positions: `qpos[7:]` and `qvel[6:]`.
Shapes: J joints, A actions.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import mujoco
import numpy as np


@dataclass(frozen=True)
class Gait:
    """How the robot should step: what the reward asks of its feet."""

    cadence: float  # steps per second when slow
    cadence_per_speed: float  # more steps per second for each m/s
    longest_stride: float  # m
    stance_width: float  # m between the feet
    clearance: float  # m; a swing foot this high earns the whole reward
    high_step: float  # m; a swing foot higher than this earns less, and nothing at twice the height
    high_step_per_speed: float  # m more for each m/s ahead: runners lift the heel


@dataclass(frozen=True)
class NativeReward:
    """The reward of Gymnasium's own env of this robot, for comparison with what others publish."""

    env_id: str
    survive: float
    forward: float
    control: float
    contact: float
    contact_limit: float


@dataclass(frozen=True, eq=False)
class Body:
    """Everything that depends on the robot.

    Args:
        name: key in BODIES, and `body` in the config of every artifact.
        load_model: returns a new `MjModel` with a free joint followed by hinges.
        frame_skip: physics steps per action.
        joints: names of the J hinges in the order of `qpos[7:]`.
        actuated: joint that each of the A actuators drives, in the order of `ctrl`.
        odd_joints: joints whose angle changes its sign in the mirror y -> -y. Partners are found by name: a joint
            with `left` in it swaps with the one that has `right` there.
        action_kind: `torque`: an action is the control itself; `position`: it is added to the rest pose of its joint.
        action_scale: control units of an action of 1, for each actuator.
        rest_pose: joint angles, rad, by name; zero for the others. Position targets are relative to it.
        posture_joints: joints that the reward keeps near the rest pose.
        healthy_height: m; outside of it the torso has fallen.
        feet: names of the geoms of the right and the left foot.
        sole_height: m of a foot's center above the ground it stands on.
        hips: right and left joint that swing the leg forward; negative is ahead. Empty: no starts in mid-stride.
        knees: right and left knee.
        knee_bend: sign of a bent knee.
        gait: how it should step.
        speed_limits: lowest and highest forward, sideways and yaw velocity, m/s, m/s, rad/s.
        gentle_speed: m/s, the fastest command at difficulty 0.
        acceleration: m/s², m/s², rad/s² of the command on its way to a faster goal.
        braking: the same to a slower goal.
        camera_height: m, what the camera looks at.
        camera_distance: m.
        reset_noise: largest noise of positions and velocities at a start.
        start_height: m of the torso at a start; None for that of the model.
        start_at_rest: whether joints start at the rest pose; otherwise where the model has them.
        native: the reward of Gymnasium's env of this robot, if there is one.
    """

    name: str
    load_model: Callable[[], mujoco.MjModel]
    frame_skip: int
    timestep: float  # s
    joints: tuple[str, ...]
    actuated: tuple[str, ...]
    odd_joints: frozenset[str]
    action_kind: Literal["torque", "position"]
    action_scale: tuple[float, ...]
    rest_pose: dict[str, float]
    posture_joints: tuple[str, ...]
    healthy_height: tuple[float, float]
    feet: tuple[str, str]
    sole_height: float
    gait: Gait
    speed_limits: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    gentle_speed: float
    acceleration: tuple[float, float, float]
    braking: tuple[float, float, float]
    camera_height: float
    camera_distance: float
    reset_noise: float = 0.01
    start_height: float | None = None
    start_at_rest: bool = False
    hips: tuple[str, ...] = ()
    knees: tuple[str, ...] = ()
    knee_bend: float = -1.0
    native: NativeReward | None = field(default=None)

    def __post_init__(self):
        unknown = {*self.actuated, *self.odd_joints, *self.rest_pose, *self.posture_joints, *self.hips, *self.knees}
        unknown -= set(self.joints)
        if unknown:
            raise ValueError(f"body {self.name} has no joint {sorted(unknown)[0]!r}: name one of {self.joints}")
        if len(self.action_scale) != len(self.actuated):
            raise ValueError(
                f"body {self.name} has {len(self.action_scale)} action scales for {len(self.actuated)} actuators: "
                "give one each"
            )

    @property
    def control_seconds(self) -> float:
        """Seconds from one action to the next."""
        return self.frame_skip * self.timestep

    @property
    def observation_size(self) -> int:
        """Numbers in the heading frame: height, tilt, joint angles, linear and angular velocity, joint velocities."""
        return 11 + 2 * len(self.joints)

    @property
    def action_size(self) -> int:
        return len(self.actuated)

    @property
    def controls(self) -> str:
        """The actions in words: "17 torques"."""
        return f"{self.action_size} {'torques' if self.action_kind == 'torque' else 'joint targets'}"

    @functools.cached_property
    def scale(self) -> np.ndarray:
        """Largest action [A] in the env's units, float32."""
        return np.array(self.action_scale, dtype=np.float32)

    @functools.cached_property
    def control_center(self) -> np.ndarray:
        """Control [A] of an action of zero."""
        if self.action_kind == "torque":
            return np.zeros(self.action_size)
        return np.array([self.rest_pose.get(joint, 0.0) for joint in self.actuated])

    @functools.cached_property
    def rest_angles(self) -> np.ndarray:
        """Joint angles [J] at rest, rad."""
        return np.array([self.rest_pose.get(joint, 0.0) for joint in self.joints])

    def joint_indices(self, names: tuple[str, ...]) -> list[int]:
        """Where these joints are in MuJoCo's positions."""
        return [7 + self.joints.index(name) for name in names]

    def start_qpos(self, model: mujoco.MjModel) -> np.ndarray:
        """Positions [7 + J] at a start, without noise."""
        qpos = model.qpos0.copy()
        if self.start_height is not None:
            qpos[2] = self.start_height
        if self.start_at_rest:
            qpos[7:] = self.rest_angles
        return qpos

    @functools.cached_property
    def limits(self) -> np.ndarray:
        """Lowest and highest command [2, 3]."""
        return np.array(self.speed_limits).T

    def reach(self, velocity: Sequence[float]) -> float:
        """Share of the robot's ability that a command (vx, vy, wz) takes: at most 1 for what the policy is trained on.

        The trained region is the convex hull of the pure motions, so a command that mixes two of them gets less of
        each.
        """
        return sum(
            value / (high if value >= 0 else low)
            for value, (low, high) in zip(velocity, self.speed_limits, strict=True)
        )

    def check_model(self, model: mujoco.MjModel) -> None:
        """Raise ValueError where the model is not the one that this body describes."""
        joints = tuple(model.joint(index).name for index in range(1, model.njnt))
        driven = tuple(model.joint(index).name for index in model.actuator_trnid[:, 0])
        for what, found, said in (("joints", joints, self.joints), ("actuators", driven, self.actuated)):
            if found != said:
                raise ValueError(f"the model of body {self.name} has the {what} {found}, its Body says {said}")
        if abs(model.opt.timestep - self.timestep) > 1e-9:
            raise ValueError(f"the model of body {self.name} steps {model.opt.timestep} s, its Body {self.timestep} s")

    @functools.cached_property
    def observation_mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each entry of an observation [S] comes from in the mirror, and its sign."""
        count = len(self.joints)
        source, sign = _mirror(self.joints, self.odd_joints)
        joints, velocity, rates = 5, 5 + count, 11 + count
        place = [*range(5), *(joints + source), *range(velocity, velocity + 6), *(rates + source)]
        signs = [1, 1, -1, 1, -1, *sign, 1, -1, 1, -1, 1, -1, *sign]
        return np.array(place), np.array(signs, dtype=np.float32)

    @functools.cached_property
    def action_mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each entry of an action [A] comes from in the mirror, and its sign."""
        return _mirror(self.actuated, self.odd_joints)


def _mirror(names: tuple[str, ...], odd: frozenset[str]) -> tuple[np.ndarray, np.ndarray]:
    """Index of each joint's partner, and its sign."""
    partner = {
        name: name.replace("left", "right") if "left" in name else name.replace("right", "left") for name in names
    }
    source = np.array([names.index(partner[name]) for name in names])
    return source, np.array([-1 if name in odd else 1 for name in names], dtype=np.float32)


# Name -> Body. `agent.bodies` fills it.
BODIES: dict[str, Body] = {}


def register(body: Body) -> Body:
    """Make a body known by its name."""
    BODIES[body.name] = body
    return body


def find_body(name: str) -> Body:
    """The body of this name. Raises ValueError for an unknown one."""
    if not isinstance(name, str) or name not in BODIES:
        raise ValueError(f"body={name!r} is unknown: choose one of {', '.join(BODIES)}")
    return BODIES[name]

"""Everything that depends on the robot, as data. To add a robot, register a Body in a new file in this folder, and
import that file in `agent/bodies/__init__.py`.

Joints are the hinges below a free joint, in the order of MuJoCo's positions: `qpos[7:]` and `qvel[6:]`.
Shapes: J joints, A actions.
"""

import functools
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import mujoco
import numpy as np

from agent.goals import ARMS, AXES, GRID, HEIGHTS, VelocityGoal

# Joints are partners if each is this close to the mirror image of the other: m, and the cosine between their axes.
MIRROR_DISTANCE, MIRROR_ALIGNMENT = 1e-3, 0.999
WITHIN = 1 + 1e-6  # largest `Body.reach` of a trained command, rounding included
ARM_NOISE_SECONDS = 0.3  # time constant of the noise on targets of arms, in datasets


@dataclass(frozen=True)
class Gait:
    """The gait that the reward asks for."""

    cadence: float  # steps per second at speed 0
    cadence_per_speed: float  # steps per second added per m/s
    longest_stride: float  # m
    stance_width: float  # m between the feet
    clearance: float  # m; a swing foot this high earns the full reward
    high_step: float  # m; a swing foot higher than this earns less, and nothing at twice this height
    high_step_per_speed: float  # m added per m/s ahead, because runners lift the heel


@dataclass(frozen=True)
class NativeReward:
    """Weights of the reward of Gymnasium's own env for this robot, for comparison with published results."""

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
        name: key in BODIES, and the value of `body` in the config of every artifact.
        load_model: returns a new `MjModel` with a free joint followed by hinges.
        mjcf: returns the same robot as self-contained MJCF, for the web page. None: the page cannot show it.
        load_training_model: returns a cheaper model of the same robot for training: fewer collisions, a longer physics
            step, a simpler integrator. It is not used for evaluation. None: there is no such model.
        timestep: seconds of a physics step.
        frame_skip: physics steps per action.
        joints: names of the J hinges in the order of `qpos[7:]`.
        actuated: joint that each of the A actuators drives, in the order of `ctrl`.
        odd_joints: joints whose angle changes sign under the mirror y -> -y. Partners are matched by name: `left` and
            `right` swap. `check_model` compares signs and partners with the model.
        action_kind: `torque`: an action is the control itself; `position`: it is added to the rest pose of its joint.
        action_scale: control value of an action of 1, for each actuator.
        rest_pose: joint angles, rad, by name; zero for the others. Position targets are relative to it.
        posture_joints: joints that the reward keeps near the rest pose.
        waist: joints that the reward keeps at the rest pose with a weight of their own, so that the robot does not
            balance by leaning its upper body.
        healthy_height: lowest and highest height of the torso, m; outside of it the robot has fallen.
        feet: names of the geoms of the right and the left foot.
        sole_height: height of a foot's center above the ground in stance, m.
        hips: right and left hip pitch joint; a negative angle swings the leg ahead. Empty: no starts in mid-stride.
        ankles: right and left ankle pitch joint of flat feet, with axes like those of hips and knees; they keep the
            feet level at a start in mid-stride. Empty: the feet need no leveling.
        knees: right and left knee; required if there are hips.
        knee_bend: sign of the angle of a bent knee.
        torso_height: height of the torso in standing and walking, m; needed for a crouch.
        crouch_height: height of the torso in a crouch, m; None: the robot cannot be commanded to crouch.
        crouch_bend: least bend of each knee in a crouch, rad.
        crouch_seconds: time that the command takes to go down to a crouch.
        crouch_offset: offsets to entries of an observation, by `observation_names`. When they are added, a policy that
            was trained only for upright walking crouches, because it senses its legs as straighter than they are.
            experiments/crouch_search.py finds them; `MotorPolicy.start_crouch` uses them.
        low_speed: fastest forward command in a crouch, m/s.
        arm_joints: joints that pose the arms: all of the right arm, then their partners. Empty: no arm poses.
        arm_poses: joint angles of the right arm, rad, in each of the poses "up", "out" and "wave" that the robot
            supports; the left arm is the mirror image. Arms at rest are in the rest pose.
        wave_swing: amplitude of the right arm's joints around the pose "wave", rad.
        wave_hertz: frequency of the wave, Hz.
        hands: names of the geoms of the right and the left hand, for a body that waves.
        gait: how it should step.
        speed_limits: lowest and highest forward, sideways and yaw velocity, m/s, m/s, rad/s, within the grid of goals.
        gentle_speed: fastest forward command at difficulty 0, m/s.
        acceleration: rate at which a command approaches a faster goal, m/s², m/s², rad/s².
        braking: the same for a slower goal.
        camera_height: height of the point that the camera looks at, m.
        camera_distance: distance of the camera from this point, m.
        reset_noise: bound of the uniform noise on positions and velocities at a start.
        recovery_noise: standard deviation of the noise on the torso's velocity, its angular velocity and the joint
            velocities, m/s, rad/s, rad/s, at a start in a disturbed state.
        start_height: height of the torso at a start, m; None: the model's own.
        start_at_rest: whether joints start at the rest pose; otherwise at the model's default.
        averages_gyro: whether the observed angular velocity of the torso is the mean over the control step, as from an
            IMU that integrates between its readings. Otherwise it is the value at the end of the step, as in
            Gymnasium's envs. A torso that shakes faster than the control rate needs the mean: the integral of single
            readings misses part of its rotation.
        native: the reward of Gymnasium's env for this robot, if there is one.
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
    recovery_noise: tuple[float, float, float] = (0.5, 1.0, 2.0)
    start_height: float | None = None
    start_at_rest: bool = False
    averages_gyro: bool = False
    hips: tuple[str, ...] = ()
    knees: tuple[str, ...] = ()
    knee_bend: float = -1.0
    torso_height: float = 0.0
    crouch_height: float | None = None
    crouch_bend: float = 0.0
    crouch_seconds: float = 0.8
    crouch_offset: dict[str, float] = field(default_factory=dict)
    low_speed: float = 0.0
    arm_joints: tuple[str, ...] = ()
    arm_poses: dict[str, tuple[float, ...]] = field(default_factory=dict)
    wave_swing: tuple[float, ...] = ()
    wave_hertz: float = 0.0
    hands: tuple[str, ...] = ()
    native: NativeReward | None = None
    load_training_model: Callable[[], mujoco.MjModel] | None = None
    mjcf: Callable[[], str] | None = None
    ankles: tuple[str, ...] = ()
    waist: tuple[str, ...] = ()

    def __post_init__(self):
        for name, right, remedy in self._rules():
            if not right:
                value = operator.attrgetter(name)(self)
                raise ValueError(f"{name}={value!r} of body {self.name} must be {remedy}")
        named = {*self.actuated, *self.odd_joints, *self.rest_pose, *self.posture_joints, *self.waist}
        named |= {*self.hips, *self.knees, *self.ankles, *self.arm_joints}
        unknown = named - set(self.joints)
        if unknown:
            raise ValueError(f"body {self.name} has no joint {sorted(unknown)[0]!r}: name one of {self.joints}")
        unknown = set(self.crouch_offset) - set(self.observation_names)
        if unknown:
            raise ValueError(
                f"crouch_offset of body {self.name} names {sorted(unknown)[0]!r}: name one of {self.observation_names}"
            )
        if len(self.action_scale) != len(self.actuated):
            raise ValueError(
                f"body {self.name} has {len(self.action_scale)} action scales for {len(self.actuated)} actuators: "
                "give one each"
            )
        for name in self.joints:
            if _partner(name) not in self.joints:
                raise ValueError(f"joint {name!r} of body {self.name} has no partner {_partner(name)!r} in the mirror")
        if len(self.knees) != len(self.hips):
            raise ValueError(
                f"body {self.name} has hips {self.hips} and knees {self.knees}: give two of each, or none"
            )
        if self.ankles and not self.hips:
            raise ValueError(f"body {self.name} has ankles {self.ankles} and no hips: give two of each, or none")
        for axis, (low, high) in zip(AXES, self.speed_limits, strict=True):
            if not GRID[axis][0] <= low <= 0 <= high <= GRID[axis][-1] or low == high:
                raise ValueError(
                    f"the speed limits {low:g} and {high:g} of body {self.name} along {axis} must not both be 0; the "
                    f"first must be from {GRID[axis][0]:g} to 0, the second from 0 to {GRID[axis][-1]:g}"
                )
        crouches = self.knees and self.low_speed > 0 and (self.crouch_height or 0) < self.torso_height
        if self.crouch_height is not None and not crouches:
            raise ValueError(
                f"crouch_height={self.crouch_height:g} of body {self.name} needs knees, a low_speed and a higher "
                "torso_height"
            )
        self._check_arms()

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        """Checks that apply to every robot: the path of a value, whether it is valid, and what it must be."""
        yield "load_model", callable(self.load_model), "a function that returns the robot's MjModel"
        yield "action_kind", self.action_kind in ("torque", "position"), "torque or position"
        yield "action_scale", _positive(*self.action_scale), "positive numbers"
        yield "frame_skip", isinstance(self.frame_skip, int) and self.frame_skip >= 1, "a whole number from 1"
        yield "timestep", _positive(self.timestep), "a positive number of seconds"
        yield "feet", len(self.feet) == len(set(self.feet)) == 2, "two different geoms, the right and the left foot"
        for name in ("hips", "knees", "ankles", "hands"):
            parts = getattr(self, name)
            yield name, len(parts) == len(set(parts)) in (0, 2), "two different ones, the right and the left, or none"
        for name in ("acceleration", "braking"):
            rates = getattr(self, name)
            yield name, len(rates) == 3 and _positive(*rates), "three positive numbers: ahead, sideways, yaw"
        yield "crouch_seconds", _positive(self.crouch_seconds), "a positive number of seconds"
        height = self.healthy_height
        yield (
            "healthy_height",
            len(height) == 2 and height[0] < height[1],
            "the lowest and then the highest height of the torso",
        )
        pairs = [len(pair) for pair in self.speed_limits] == [2] * len(AXES)
        yield "speed_limits", pairs, f"the lowest and the highest velocity of {', '.join(AXES)}"
        fastest = self.speed_limits[0][1]
        yield "gentle_speed", 0 < self.gentle_speed <= fastest, f"above 0 and at most its fastest, {fastest:g} m/s"
        yield "low_speed", 0 <= self.low_speed <= fastest, f"from 0 to its fastest, {fastest:g} m/s"
        for name in ("cadence", "longest_stride", "stance_width", "clearance", "high_step"):
            yield f"gait.{name}", _positive(getattr(self.gait, name)), "a positive number"
        for name in ("sole_height", "gait.cadence_per_speed", "gait.high_step_per_speed"):
            yield name, 0 <= operator.attrgetter(name)(self) < math.inf, "a finite number from 0"

    def _check_arms(self) -> None:
        right, left = self._right_arm, self.arm_joints[len(self._right_arm) :]
        if tuple(map(_partner, right)) != left:
            raise ValueError(f"arm_joints of body {self.name} must be those of the right arm, then their partners")
        for name, pose in {**self.arm_poses, "swing": self.wave_swing or (0.0,) * len(right)}.items():
            if name not in ("up", "out", "wave", "swing") or len(pose) != len(right):
                raise ValueError(
                    f"arm pose {name!r} of body {self.name} has {len(pose)} angles: "
                    f"the poses are up, out, wave and swing (`wave_swing`), each with {len(right)} angles, "
                    "one for every joint of the right arm"
                )
        if "wave" in self.arm_poses and not (self.hands and any(self.wave_swing) and self.wave_hertz > 0):
            raise ValueError(f"arm pose 'wave' of body {self.name} needs hands, a wave_swing and a wave_hertz")
        if self.action_kind == "position":
            self._check_reach_of_arms()

    def _check_reach_of_arms(self) -> None:
        """Raise ValueError if an arm pose is further from the rest pose than an action can move the joint target."""
        ways = (np.abs(self.arm_angles - self.arm_angles[0]) + self.arm_swings).max(0)
        reach = dict(zip(self.actuated, self.action_scale, strict=True))
        for joint, way in zip(self.arm_joints, ways, strict=True):
            if way > reach.get(joint, 0.0):
                raise ValueError(
                    f"the arm poses of body {self.name} take {joint} {way:.2f} rad from its rest pose, but its "
                    f"actions only reach {reach.get(joint, 0.0):.2f}: give it a larger action_scale, or smaller poses"
                )

    @property
    def control_seconds(self) -> float:
        """Seconds from one action to the next."""
        return self.frame_skip * self.timestep

    @property
    def observation_size(self) -> int:
        """Numbers in an observation: height, tilt, joint angles, linear and angular velocity, joint velocities."""
        return 11 + 2 * len(self.joints)

    @functools.cached_property
    def observation_names(self) -> tuple[str, ...]:
        """Names [S] of the entries of an observation, in the order of `agent.simulation.heading`."""
        velocities = "vx", "vy", "vz", "roll_rate", "pitch_rate", "yaw_rate"
        rates = (f"{joint}_rate" for joint in self.joints)
        return ("height", "tilt_w", "tilt_x", "tilt_y", "tilt_z", *self.joints, *velocities, *rates)

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

    def to_control(self, actions: np.ndarray) -> np.ndarray:
        """Clip actions [..., A] to ±1 and convert them to the env's units."""
        return actions.clip(-1, 1) * self.scale

    def from_control(self, actions: np.ndarray) -> np.ndarray:
        """Actions [..., A] float32 in ±1, from the env's units."""
        return (actions / self.scale).astype(np.float32)

    @functools.cached_property
    def noise_shares(self) -> np.ndarray:
        """Factor [A] on the exploration noise of each actuator, float32. An actuator with a range above the median
        gets as much noise in the env's units as the median one, so that arms with a wide range are not flung about.
        """
        return np.minimum(1, np.median(self.scale) / self.scale)

    @functools.cached_property
    def noise_memory(self) -> np.ndarray:
        """Share [A] of each actuator's noise that lasts to the next step while a dataset is collected, float32. Servos
        of arms filter white noise out, and arms that never deviate would not teach a model to correct deviations.
        """
        slow = np.isin(self.actuated, self.arm_joints) & (self.action_kind == "position")
        return np.where(slow, math.exp(-self.control_seconds / ARM_NOISE_SECONDS), 0).astype(np.float32)

    @functools.cached_property
    def control_center(self) -> np.ndarray:
        """Control [A] that an action of zero gives."""
        if self.action_kind == "torque":
            return np.zeros(self.action_size)
        return np.array([self.rest_pose.get(joint, 0.0) for joint in self.actuated])

    @functools.cached_property
    def rest_angles(self) -> np.ndarray:
        """Joint angles [J] at rest, rad."""
        return np.array([self.rest_pose.get(joint, 0.0) for joint in self.joints])

    @property
    def heights(self) -> tuple[str, ...]:
        """The agent.goals.HEIGHTS that it supports."""
        return HEIGHTS if self.crouch_height is not None else HEIGHTS[:1]

    @property
    def arms(self) -> tuple[str, ...]:
        """The agent.goals.ARMS that it supports."""
        return tuple(name for name in ARMS if name.split("_")[0] in {"rest", *self.arm_poses})

    @functools.cached_property
    def arm_angles(self) -> np.ndarray:
        """Angles [5, M] of the M arm joints for each of agent.goals.ARMS, rad; the rest pose for those it lacks."""
        rest = tuple(self.rest_pose.get(joint, 0.0) for joint in self._right_arm)
        up, out, wave = (self.arm_poses.get(name, rest) for name in ("up", "out", "wave"))
        pairs = {"rest": (rest, rest), "up": (up, up), "out": (out, out)}
        pairs |= {"wave_left": (rest, wave), "wave_right": (wave, rest)}
        return np.array([self._arm_pair(*pairs[name]) for name in ARMS])

    @functools.cached_property
    def arm_swings(self) -> np.ndarray:
        """Amplitude [5, M] of the swing of the M arm joints around `arm_angles`, rad."""
        still = (0.0,) * len(self._right_arm)
        swing = self.wave_swing or still
        pairs = {"wave_left": (still, swing), "wave_right": (swing, still)}
        return np.array([self._arm_pair(*pairs.get(name, (still, still))) for name in ARMS])

    @functools.cached_property
    def crouch_shift(self) -> np.ndarray:
        """`crouch_offset` as an array [S], float32."""
        return np.array([self.crouch_offset.get(name, 0.0) for name in self.observation_names], dtype=np.float32)

    def _arm_pair(self, right: Sequence[float], left: Sequence[float]) -> np.ndarray:
        """Angles [M] of the right arm and of the mirror image of `left`."""
        return np.concatenate([right, np.array(left) * self.arm_signs])

    @functools.cached_property
    def arm_signs(self) -> np.ndarray:
        """Sign [M / 2] of the angle of each joint of an arm under the mirror."""
        return np.array([-1.0 if joint in self.odd_joints else 1.0 for joint in self._right_arm])

    @property
    def _right_arm(self) -> tuple[str, ...]:
        return self.arm_joints[: len(self.arm_joints) // 2]

    def joint_indices(self, names: tuple[str, ...]) -> list[int]:
        """Indices of these joints in MuJoCo's positions."""
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

    def reach(self, velocity: Sequence[float] | np.ndarray) -> np.ndarray:
        """Share [...] of the speed limits that commands (vx, vy, wz) [..., 3] use, added over the axes: at most 1 for
        commands that the policy is trained on.

        The trained region is the convex hull of the pure motions, so a command that mixes two of them gets less of
        each.
        """
        velocity = np.asarray(velocity, dtype=float)
        limit = np.where(velocity >= 0, self.limits[1], self.limits[0])
        beyond = np.where(velocity == 0, 0.0, np.inf)  # where it cannot move in this direction at all
        return np.divide(velocity, limit, out=beyond, where=limit != 0).sum(-1)

    def reaches(self, velocity: Sequence[float] | np.ndarray) -> np.ndarray:
        """Whether [...] the policy is trained on commands (vx, vy, wz) [..., 3]."""
        return self.reach(velocity) <= WITHIN

    def supports(self, goal: VelocityGoal) -> bool:
        """Whether the policy is trained on this velocity in this posture."""
        postures = goal.height in self.heights and goal.arms in self.arms
        return (
            postures and bool(self.reaches(goal.velocity)) and (goal.height == "normal" or goal.vx <= self.low_speed)
        )

    def check_model(self, model: mujoco.MjModel, training: bool = False) -> None:
        """Raise ValueError if the model (with `training`, the training model) does not match this body."""
        name = f"the {'training ' if training else ''}model of body {self.name}"
        kinds = [mujoco.mjtJoint.mjJNT_FREE, *[mujoco.mjtJoint.mjJNT_HINGE] * (model.njnt - 1)]
        if list(model.jnt_type) != kinds:
            raise ValueError(f"{name} must have a free joint and then hinges only")
        if (model.actuator_trntype != mujoco.mjtTrn.mjTRN_JOINT).any():
            raise ValueError(f"{name} has an actuator that drives no joint")
        joints = tuple(model.joint(index).name for index in range(1, model.njnt))
        driven = tuple(model.joint(index).name for index in model.actuator_trnid[:, 0])
        for what, found, said in (("joints", joints, self.joints), ("actuators", driven, self.actuated)):
            if found != said:
                raise ValueError(f"{name} has the {what} {found}, its Body says {said}")
        if not training and abs(model.opt.timestep - self.timestep) > 1e-9:
            raise ValueError(f"{name} has a timestep of {model.opt.timestep} s, its Body says {self.timestep} s")
        steps = self.control_seconds / model.opt.timestep
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"{name} has a timestep of {model.opt.timestep} s, which must divide its control step, "
                f"{self.control_seconds:g} s"
            )
        for geom in (*self.feet, *self.hands):
            if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, geom) < 0:
                raise ValueError(f"{name} has no geom {geom!r}: name its feet and hands")
        self._check_sides(model)
        source, sign = joint_mirror(model)
        said_source, said_sign = _mirror(self.joints, self.odd_joints)
        for joint, partner, said in zip(joints, source, said_source, strict=True):
            if partner != said:
                raise ValueError(f"in {name} the mirror image of {joint} is {joints[partner]}, not {joints[said]}")
        wrong = [joint for joint, found, said in zip(joints, sign, said_sign, strict=True) if found != said]
        if wrong:
            raise ValueError(f"odd_joints of body {self.name} is wrong about {', '.join(wrong)}: see the model's axes")

    def _check_sides(self, model: mujoco.MjModel) -> None:
        """Raise ValueError for pairs that are not in the order right, left in the rest pose."""
        data = mujoco.MjData(model)
        data.qpos[7:] = self.rest_angles
        mujoco.mj_kinematics(model, data)
        pairs = {name: getattr(self, name) for name in ("feet", "hands", "hips", "knees", "ankles")}
        pairs["arm_joints"] = self.arm_joints[:: len(self._right_arm)] if self.arm_joints else ()
        for name, pair in pairs.items():
            geoms = name in ("feet", "hands")
            places = [data.geom(part).xpos if geoms else data.joint(part).xanchor for part in pair]
            sides = [place[1] - data.qpos[1] for place in places]
            if pair and not sides[0] < sides[1]:
                raise ValueError(
                    f"{name}={pair} of body {self.name} are {sides[0]:.3g} and {sides[1]:.3g} m to its left: "
                    "give the right one, then the left one"
                )

    @functools.cached_property
    def observation_mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """Source index [S] and sign [S] of each entry of a mirrored observation."""
        count = len(self.joints)
        source, sign = _mirror(self.joints, self.odd_joints)
        joints, velocity, rates = 5, 5 + count, 11 + count
        place = [*range(5), *(joints + source), *range(velocity, velocity + 6), *(rates + source)]
        signs = [1, 1, -1, 1, -1, *sign, 1, -1, 1, -1, 1, -1, *sign]
        return np.array(place), np.array(signs, dtype=np.float32)

    @functools.cached_property
    def action_mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """Source index [A] and sign [A] of each entry of a mirrored action."""
        return _mirror(self.actuated, self.odd_joints)


def _positive(*values: float) -> bool:
    return all(0 < value < math.inf for value in values)


def joint_mirror(model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray]:
    """Partner [J] of each hinge under the mirror y -> -y, and the sign [J] of its angle, from the anchors and axes of
    the hinges in the model. Raises ValueError for a model without a mirror image.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    anchor, axis = data.xanchor[1:] - data.qpos[:3], data.xaxis[1:]
    distance = np.linalg.norm(anchor[:, None] * [1, -1, 1] - anchor, axis=-1)
    alignment = (axis * [-1, 1, -1]) @ axis.T  # a mirror also reverses axes of rotation
    match = (distance < MIRROR_DISTANCE) & (np.abs(alignment) > MIRROR_ALIGNMENT)
    for row in np.flatnonzero(match.sum(1) != 1):
        raise ValueError(f"joint {model.joint(row + 1).name!r} has no unique mirror image in the model")
    source = match.argmax(1)
    return source, np.sign(alignment[np.arange(len(source)), source])


def _mirror(names: tuple[str, ...], odd: frozenset[str]) -> tuple[np.ndarray, np.ndarray]:
    """Index of each joint's partner, and its sign."""
    source = np.array([names.index(_partner(name)) for name in names])
    return source, np.array([-1 if name in odd else 1 for name in names], dtype=np.float32)


def _partner(name: str) -> str:
    """The name of the joint on the other side; its own for a joint in the middle."""
    return name.replace("left", "right") if "left" in name else name.replace("right", "left")


# Name -> Body. `agent.bodies` fills it.
BODIES: dict[str, Body] = {}


def register(body: Body) -> Body:
    """Register a body under its name. Raises ValueError for a name that is taken, or invalid for envs and files."""
    if not re.fullmatch("[a-z][a-z0-9_]*", body.name):
        raise ValueError(f"name={body.name!r} of a body must be lowercase letters, digits and _, a letter first")
    if body.name in BODIES:
        raise ValueError(f"a body {body.name!r} is registered already: give this one another name")
    BODIES[body.name] = body
    return body


def find_body(name: str) -> Body:
    """The body of this name. Raises ValueError for an unknown one."""
    if not isinstance(name, str) or name not in BODIES:
        raise ValueError(f"body={name!r} is unknown: choose one of {', '.join(BODIES)}")
    return BODIES[name]

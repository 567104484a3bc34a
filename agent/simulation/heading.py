"""The heading frame: what a body observes of itself, independent of the direction in which it faces.

An observation of a body with J joints is 11 + 2 J numbers, its positions and velocities with the yaw removed:

| index | quantity | frame, unit |
|---|---|---|
| 0 | height of the torso | m |
| 1-4 | orientation quaternion w, x, y, z without yaw, w >= 0 | heading |
| 5 to 4 + J | joint angles | rad |
| 5 + J to 7 + J | linear velocity of the torso | heading, m/s |
| 8 + J to 10 + J | angular velocity of the torso, or its mean over the last step | body, rad/s |
| 11 + J to the end | joint velocities | rad/s |

The env appends the command to it. Shapes: S = 11 + 2 J, `...` any leading axes.
"""

import mujoco
import numpy as np


def heading_observation(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Observation [..., S] float32 of MuJoCo's positions [..., 7 + J] and velocities [..., 6 + J]."""
    _check_sizes(qpos, qvel)
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
    """The same numbers [..., S] in the world frame, yaw included, as Gymnasium's own envs observe them."""
    _check_sizes(qpos, qvel)
    return np.concatenate([qpos[..., 2:], qvel], axis=-1).astype(np.float32)


# Frame of an observation -> the function that makes it.
FRAMES = {"heading": heading_observation, "world": world_observation}


def quaternion(qpos: np.ndarray) -> tuple[np.ndarray, ...]:
    """The torso's orientation w, x, y, z, each [...]."""
    return qpos[..., 3], qpos[..., 4], qpos[..., 5], qpos[..., 6]


def yaw(qpos: np.ndarray) -> np.ndarray:
    """Heading of the torso [...] in radians, counter-clockwise from the world's x axis."""
    w, x, y, z = quaternion(qpos)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def mean_angular_velocity(before: np.ndarray, after: np.ndarray, seconds: float) -> np.ndarray:
    """Angular velocities [N, 3] in the body's frame, rad/s, that turn quaternions [N, 4] into others in `seconds`."""
    turns = np.zeros((len(after), 3))
    for turn, start, end in zip(turns, before, after, strict=True):
        mujoco.mju_subQuat(turn, end, start)
    return turns / seconds


def heading_velocity(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Velocity of the torso [..., 3] as goals define it: forward m/s, left m/s, yaw rate rad/s."""
    heading = yaw(qpos)
    cos, sin = np.cos(heading), np.sin(heading)
    yaw_rate = _yaw_rate(*quaternion(qpos), qvel[..., 3:6])
    return np.stack(
        [cos * qvel[..., 0] + sin * qvel[..., 1], cos * qvel[..., 1] - sin * qvel[..., 0], yaw_rate], axis=-1
    )


def observed_velocity(observation: np.ndarray) -> np.ndarray:
    """The same velocity [..., 3], from observations [..., S].

    Raises ValueError if they still include the command.
    """
    tilt, velocity, angular = _torso(observation)
    return np.concatenate([velocity[..., :2], _yaw_rate(*np.moveaxis(tilt, -1, 0), angular)[..., None]], axis=-1)


def heading_rate(observation: np.ndarray) -> np.ndarray:
    """Rate of change of the heading [...] in rad/s, from observations [..., S].

    The heading is the yaw of the torso. For a torso that sways, the vertical part of the angular velocity is not
    exactly this rate: integrated, it is off by up to 26 degrees per minute.

    Raises ValueError if they still include the command.
    """
    tilt, _, angular = _torso(observation)
    w, x, y, z = np.moveaxis(tilt, -1, 0)
    up_y, up_z = 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)  # the world's vertical in the body's frame
    return (angular[..., 1] * up_y + angular[..., 2] * up_z) / np.maximum(up_y**2 + up_z**2, 1e-6)


def uprightness(qpos: np.ndarray) -> np.ndarray:
    """Cosine [...] of the angle between the torso and the vertical."""
    return 1 - 2 * (qpos[..., 4] ** 2 + qpos[..., 5] ** 2)


def check_observation(observation: np.ndarray, size: int) -> None:
    """Raise ValueError if an observation [...] is too short or not finite, before an actor stores it."""
    if np.shape(observation)[-1:] < (size,):
        raise ValueError(
            f"observation has shape {np.shape(observation)}: this actor needs {size} numbers for each body"
        )
    if not np.isfinite(observation).all():
        row = int(np.argmin(np.isfinite(np.atleast_2d(observation)).all(1)))
        raise ValueError(f"observation of body {row} is not finite: reset the env and the actor")


def check_batch(observation: np.ndarray, prompted: tuple[int, ...], remembered: tuple[int, ...]) -> None:
    """Raise ValueError unless the number of bodies in observations [..., S] matches the actor's prompts and history.

    `prompted` and `remembered` are the batch shapes [...] of these two; () stands for one that all bodies share.
    """
    shape = np.shape(observation)
    if prompted not in ((), shape[:-1]):
        raise ValueError(
            f"observation has shape {shape} after {prompted[0]} prompts: give one for each, or prompt one Goal"
        )
    if remembered not in ((), shape[:-1]):
        raise ValueError(f"observation has shape {shape}, the actor remembers {remembered[0]} bodies: reset it first")


def _torso(observation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation [..., 4], linear and angular velocity [..., 3] in observations [..., S].

    Raises ValueError for an even size, which includes the command: S is odd for every body, S + C even.
    """
    size = observation.shape[-1]
    if size % 2 == 0:
        raise ValueError(f"{size} numbers are no body state: leave the command out of the observation")
    first = (size - 11) // 2 + 5
    return observation[..., 1:5], observation[..., first : first + 3], observation[..., first + 3 : first + 6]


def _yaw_rate(w: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray, angular: np.ndarray) -> np.ndarray:
    """Yaw rate [...] of an angular velocity [..., 3] in the body's frame, as MuJoCo gives it for a free joint."""
    # The world's vertical in the body's frame is the last row of the rotation.
    up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    return (up * angular).sum(-1)


def _check_sizes(qpos: np.ndarray, qvel: np.ndarray) -> None:
    if qpos.shape[-1] != qvel.shape[-1] + 1:
        raise ValueError(f"{qpos.shape[-1]} positions and {qvel.shape[-1]} velocities do not belong to one body")

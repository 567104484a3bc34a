"""Poses for tests of simulated bodies, and their mirror images as the MuJoCo model defines them."""

import mujoco
import numpy as np

from agent.bodies import Body
from agent.bodies.body import joint_mirror
from agent.simulation.physics import BodyState


def random_states(seed: int, count: int, joints: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Positions [count, 7 + J] and velocities [count, 6 + J] of bodies in any attitude."""
    rng = np.random.default_rng(seed)
    qpos, qvel = rng.normal(size=(count, 7 + joints)), rng.normal(size=(count, 6 + joints))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, qvel


def turned(qpos: np.ndarray, qvel: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The same bodies, turned about the vertical through the world's origin."""
    qpos, qvel = qpos.copy(), qvel.copy()
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    qpos[:, :2], qvel[:, :2] = qpos[:, :2] @ rotation.T, qvel[:, :2] @ rotation.T
    w, x, y, z = qpos[:, 3:7].T.copy()
    cos, sin = np.cos(angle / 2), np.sin(angle / 2)
    qpos[:, 3:7] = np.column_stack([cos * w - sin * z, cos * x - sin * y, cos * y + sin * x, cos * z + sin * w])
    return qpos, qvel


def mirrored(qpos: np.ndarray, qvel: np.ndarray, model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray]:
    """The bodies [..., 7 + J] and [..., 6 + J] as a mirror in the plane y = 0 shows them."""
    source, sign = joint_mirror(model)
    joints = qpos[..., 7:][..., source] * sign, qvel[..., 6:][..., source] * sign
    return (
        np.concatenate([qpos[..., :7] * [1, -1, 1, 1, -1, 1, -1], joints[0]], axis=-1),
        np.concatenate([qvel[..., :6] * [1, -1, 1, -1, 1, -1], joints[1]], axis=-1),
    )


def mirrored_state(state: BodyState, model: mujoco.MjModel) -> BodyState:
    return BodyState(*mirrored(state.qpos, state.qvel, model), state.feet[:, ::-1] * [1, -1, 1])


def standing(count: int, body: Body) -> BodyState:
    """Upright bodies whose joints are all at zero and whose feet touch the ground 20 cm apart."""
    joints = len(body.joints)
    qpos, feet = np.zeros((count, 7 + joints)), np.zeros((count, 2, 3))
    qpos[:, 3] = 1
    feet[:, 0, 1], feet[:, 1, 1], feet[..., 2] = -0.1, 0.1, body.sole_height
    return BodyState(qpos, np.zeros((count, 6 + joints)), feet)


def mirrored_commands(commands: np.ndarray) -> np.ndarray:
    """Commands [..., 5] as a mirror shows them: what goes to the left goes to the right, and the other arm waves."""
    other_arm = np.array([0, 1, 2, 4, 3])[commands[..., 4].astype(int)]
    return np.concatenate([commands[..., :4] * [1, -1, -1, 1], other_arm[..., None]], axis=-1).astype(np.float32)

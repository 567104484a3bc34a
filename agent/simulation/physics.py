"""N bodies in MuJoCo, stepped by native threads.

`mj_step` releases the GIL; everything else is vectorized over the bodies in NumPy. Shapes: N bodies, J joints,
A actions, B rigid bodies of the model.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import mujoco
import numpy as np

from agent.bodies import Body

# No body moves this fast, m/s or rad/s: beyond it the simulation has diverged, even if it is still finite.
DIVERGED_SPEED = 1e3
MAX_FAILED = 0.1  # share of the bodies whose step may fail at once; with more, the error is raised


@dataclass(frozen=True)
class BodyState:
    """Where N bodies are, in MuJoCo's world frame."""

    qpos: np.ndarray  # [N, 7 + J] m, quaternion, rad
    qvel: np.ndarray  # [N, 6 + J] m/s, rad/s
    feet: np.ndarray  # [N, 2, 3] m, centers of the right and the left foot

    def __getitem__(self, rows: np.ndarray) -> "BodyState":
        """A copy of the bodies in `rows`: indices, or a mask [N]."""
        return BodyState(self.qpos[rows], self.qvel[rows], self.feet[rows])


class Physics:
    """The simulations of N bodies.

    Args:
        body: the robot.
        count: N.
        num_threads: threads that step them.
        contact_forces: whether `forces` is computed, which is expensive.
        training: whether to load the body's training model.

    Raises:
        ValueError: the model does not match the body, or there is no training model.
    """

    def __init__(self, body: Body, count: int, num_threads: int, contact_forces: bool = False, training: bool = False):
        self.body, self.count, self.num_threads, self._contact_forces = body, count, num_threads, contact_forces
        load_model = body.load_training_model if training else body.load_model
        if load_model is None:
            raise ValueError(f"body {body.name} has no training model: leave training_model out")
        self.model = model = load_model()
        body.check_model(model, training)
        self.frame_skip = round(body.control_seconds / model.opt.timestep)  # physics steps per control step
        # MuJoCo would silently reset a diverged simulation, and `step` could not report it.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self._feet = [model.geom(name).id for name in body.feet]
        self.data = [mujoco.MjData(model) for _ in range(count)]
        self._views = [self._view(data) for data in self.data]
        self.mass = float(model.body_mass.sum())  # kg
        self._threads = ThreadPoolExecutor(num_threads, "physics")
        self.qpos = np.zeros((count, model.nq))
        self.qvel = np.zeros((count, model.nv))
        self.feet = np.zeros((count, 2, 3))
        self.centers = np.zeros((count, 3))  # of mass, m
        self.forces = np.zeros((count, model.nbody, 6))  # contact forces on each rigid body
        self.assist = np.zeros((count, 6))  # external force and torque on each torso, N and Nm, world frame

    @property
    def state(self) -> BodyState:
        """Where the bodies are. Later steps write into the same arrays, unless `freeze` is called."""
        return BodyState(self.qpos, self.qvel, self.feet)

    def freeze(self) -> BodyState:
        """Where the bodies are, in arrays that later steps leave unchanged."""
        state = self.state
        self.qpos, self.qvel, self.feet = self.qpos.copy(), self.qvel.copy(), self.feet.copy()
        return state

    def set_state(self, rows: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Put the bodies in `rows` into positions [rows, 7 + J] and velocities [rows, 6 + J]."""
        for row, positions, velocities in zip(rows, qpos, qvel, strict=True):
            data = self.data[row]
            mujoco.mj_resetData(self.model, data)
            data.qpos[:], data.qvel[:] = positions, velocities
            mujoco.mj_forward(self.model, data)
            self._read(row)

    def push(self, rows: np.ndarray, velocity: np.ndarray) -> None:
        """Add `velocity` [rows, 2] (world frame, m/s) to the whole body of each of `rows`."""
        for row, change in zip(rows, velocity, strict=True):
            self.data[row].qvel[:2] += change
            self.qvel[row] = self.data[row].qvel

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on, as arrays with N rows."""
        size = mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_INTEGRATION)
        rows = np.zeros((self.count, size))
        for row, data in zip(rows, self.data, strict=True):
            mujoco.mj_getState(self.model, data, row, mujoco.mjtState.mjSTATE_INTEGRATION)
        return {"physics": rows, "feet": self.feet.copy(), "centers": self.centers.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue from `state_dict()`: the same controls then give the same states."""
        for data, row in zip(self.data, state["physics"], strict=True):
            mujoco.mj_setState(self.model, data, np.ascontiguousarray(row), mujoco.mjtState.mjSTATE_INTEGRATION)
        self.qpos = np.stack([data.qpos for data in self.data])
        self.qvel = np.stack([data.qvel for data in self.data])
        self.feet, self.centers = state["feet"].copy(), state["centers"].copy()

    def step(self, controls: np.ndarray) -> np.ndarray:
        """Advance every body under `controls` [N, A] by one control step; returns which of them diverged, [N] bool.

        A body whose physics raises counts as diverged, and stderr says why.

        Raises:
            RuntimeError: `close` was called.
            Exception: the error of the physics, if it fails at once for more than one body and more than the share
                MAX_FAILED of them.
        """
        failed: dict[int, Exception] = {}
        rows = iter(range(self.count))  # shared: a thread that is done with one body takes the next
        list(self._threads.map(lambda _: self._work(rows, controls, failed), range(self.num_threads)))
        for row, error in failed.items():
            print(f"body {row} starts anew: {error}", file=sys.stderr)
            self.data[row] = mujoco.MjData(self.model)
            self._views[row] = self._view(self.data[row])
            self.qpos[row] = np.nan
        if len(failed) > max(1, MAX_FAILED * self.count):
            raise next(iter(failed.values()))
        return ~(np.isfinite(self.qpos).all(1) & (np.abs(self.qvel).max(1) < DIVERGED_SPEED))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _work(self, rows: Iterator[int], controls: np.ndarray, failed: dict[int, Exception]) -> None:
        model, step, frame_skip = self.model, mujoco.mj_step, self.frame_skip
        for row in rows:
            data, (ctrl, pull, *_) = self.data[row], self._views[row]
            try:
                ctrl[:], pull[:] = controls[row], self.assist[row]
                step(model, data, frame_skip)
                if self._contact_forces:
                    mujoco.mj_rnePostConstraint(model, data)  # mj_step does not compute contact forces
            except Exception as error:  # any error concerns only this body
                failed[row] = error
            self._read(row)

    def _view(self, data: mujoco.MjData) -> tuple[np.ndarray, ...]:
        """The arrays of MuJoCo that are written or read in each step: making a view takes time."""
        pull = data.xfrc_applied[self.model.jnt_bodyid[0]]
        return data.ctrl, pull, data.qpos, data.qvel, data.geom_xpos, data.subtree_com[0], data.cfrc_ext

    def _read(self, row: int) -> None:
        _, _, self.qpos[row], self.qvel[row], geoms, self.centers[row], self.forces[row] = self._views[row]
        self.feet[row] = geoms[self._feet]

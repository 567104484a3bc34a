"""Many Humanoid-v5 bodies, stepped by native threads inside MuJoCo.

The physics, its order of operations, the reward, the start noise and the seeding are those of Gymnasium's Humanoid-v5,
so that body `i` after `reset(seed=s)` does exactly what `make_env()` does after `reset(seed=s + i)`. `mj_step`
releases the GIL; everything that is not `mj_step` is done once for all bodies, in NumPy.
"""

import os
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs import mujoco as gymnasium_mujoco
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv

from agent.simulation.env import ACTION_LIMIT, ACTION_SIZE, FRAMES, MAX_EPISODE_STEPS, OBSERVATION_SIZE, BodyState

MODEL_PATH = Path(gymnasium_mujoco.__file__).parent / "assets" / "humanoid.xml"
FRAME_SKIP = 5
# Humanoid-v5's own evaluates the dynamics four times a physics step, the other one once (measured in docs/log.md).
INTEGRATORS = {"rk4": mujoco.mjtIntegrator.mjINT_RK4, "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST}
HEALTHY_HEIGHT = (1.0, 2.0)
RESET_NOISE = 0.01
HEALTHY_REWARD = 5.0
FORWARD_WEIGHT = 1.25
CONTROL_WEIGHT = 0.1
CONTACT_WEIGHT = 5e-7
CONTACT_LIMIT = 10.0
# A speed that no body reaches: beyond it the simulation has diverged even where it is still finite.
DIVERGED_SPEED = 1e3
MAX_DIVERGED = 1e-3  # share of the steps of a run; more than that is no accident
HANG_SECONDS = 30.0  # a step of all bodies takes a fraction of a second
MAX_FAILED = 0.1  # share of the bodies whose step may fail at once; more than that is no accident


def make_vector_env(
    num_envs: int,
    num_threads: int | None = None,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    integrator: str = "rk4",
    frame: str = "heading",
    contact_cost: bool = True,
) -> "HumanoidVectorEnv":
    """`num_envs` bodies stepped by `num_threads` threads (default: all cores, shared out among the launcher's
    processes).

    `integrator` is a key of `INTEGRATORS`: all but rk4 are other physics than Humanoid-v5's, to pretrain in. `frame`,
    a key of `agent.simulation.env.FRAMES`, is what bodies observe. Without `contact_cost`, which is dear to
    compute, rewards lack that part of Humanoid-v5's.
    """
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return HumanoidVectorEnv(
        num_envs, num_threads or max(1, cores), max_episode_steps, integrator, frame, contact_cost
    )


class HumanoidVectorEnv(VectorEnv):
    """A `gymnasium.vector.VectorEnv` of Humanoid-v5 with observations [N, 45] float32 and actions [N, 17] in ±0.4.

    A body that falls, diverges or reaches the time limit starts again in the same step (`AutoresetMode.SAME_STEP`):
    `info["final_obs"]` [N, 45] then holds what it saw last, and `body` the state that the step ended in. A body whose
    physics raises, or hangs for a minute, counts as diverged, and stderr says why.
    """

    def __init__(
        self,
        num_envs: int,
        num_threads: int,
        max_episode_steps: int,
        integrator: str,
        frame: str,
        contact_cost: bool,
    ):
        if num_envs < 1 or num_threads < 1 or max_episode_steps < 1:
            raise ValueError(
                f"num_envs={num_envs}, num_threads={num_threads} and max_episode_steps={max_episode_steps} "
                "must be at least 1"
            )
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.num_envs, self.num_threads, self.max_episode_steps = num_envs, num_threads, max_episode_steps
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-ACTION_LIMIT, ACTION_LIMIT, (ACTION_SIZE,), np.float32)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)

        self._observe, self._contact_cost = FRAMES[frame], contact_cost
        self._model = model = mujoco.MjModel.from_xml_path(str(MODEL_PATH))
        # A diverged simulation would restart itself without a word; we want to see it.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        model.opt.integrator = INTEGRATORS[integrator]
        right, left = model.geom("right_foot").id, model.geom("left_foot").id
        self._data = [mujoco.MjData(model) for _ in range(num_envs)]
        self._feet_rows = slice(right, left + 1, left - right)
        self._views = [self._view(data) for data in self._data]
        self._start_qpos = model.qpos0.copy()
        self._body_shares = model.body_mass / model.body_mass.sum()
        self._threads = [PhysicsThread() for _ in range(num_threads)]
        self._end_threads = weakref.finalize(self, end, self._threads)
        self._finished: queue.SimpleQueue[PhysicsThread] = queue.SimpleQueue()

        self._qpos = np.zeros((num_envs, model.nq))
        self._qvel = np.zeros((num_envs, model.nv))
        self._feet = np.zeros((num_envs, 2, 3))
        self._centers = np.zeros((num_envs, model.nbody, 3))
        self._forces = np.zeros((num_envs, model.nbody, 6))
        self._center_of_mass = np.zeros((num_envs, 2))
        self.body = BodyState(self._qpos, self._qvel, self._feet)
        self.episode_steps = np.zeros(num_envs, dtype=np.int64)
        self._generators = [np.random.default_rng() for _ in range(num_envs)]

    def reset(self, *, seed: int | list[int] | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Start every body anew: observations [N, 45] and an empty info."""
        if seed is not None:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
            self._generators = [seeding.np_random(s)[0] for s in seeds]
        return self._restart(np.arange(self.num_envs)), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Advance every body by 15 ms under `actions` [N, 17].

        Returns observations [N, 45], Humanoid-v5's rewards [N] (without what contact costs where the env has no
        `contact_cost`), terminations [N], truncations [N], and an info with
        `final_obs` [N, 45] (before any restart), `diverged` [N] and the parts of the reward.

        Raises:
            ValueError: an action is not finite; MuJoCo would replace all of them by zeros without a word.
            Exception: that of the physics, where it fails for more than MAX_FAILED of the bodies at once.
        """
        actions = np.asarray(actions, dtype=np.float64)
        if actions.shape != (self.num_envs, ACTION_SIZE):
            raise ValueError(f"actions have shape {actions.shape}: give {(self.num_envs, ACTION_SIZE)}")
        if not np.isfinite(actions).all():
            raise ValueError(
                f"action of body {np.flatnonzero(~np.isfinite(actions).all(1))[0]} is not finite: "
                "check the policy's output"
            )
        self._simulate(actions)
        self.episode_steps += 1

        diverged = ~(np.isfinite(self._qpos).all(1) & (np.abs(self._qvel).max(1) < DIVERGED_SPEED))
        before, self._center_of_mass = self._center_of_mass, self._mass_centers(slice(None))
        parts = {
            "reward_survive": np.full(self.num_envs, HEALTHY_REWARD),
            "reward_forward": FORWARD_WEIGHT
            * (self._center_of_mass - before)[:, 0]
            / (FRAME_SKIP * self._model.opt.timestep),
            "reward_ctrl": -CONTROL_WEIGHT * np.square(actions).sum(1),
            "reward_contact": -np.minimum(CONTACT_WEIGHT * np.square(self._forces).sum((1, 2)), CONTACT_LIMIT),
        }
        healthy = (self._qpos[:, 2] > HEALTHY_HEIGHT[0]) & (self._qpos[:, 2] < HEALTHY_HEIGHT[1]) & ~diverged
        parts["reward_survive"][~healthy] = 0.0
        rewards = np.where(diverged, 0.0, sum(parts.values()))
        truncated = self.episode_steps >= self.max_episode_steps
        final = self._observe(self._qpos, self._qvel)
        final[diverged] = 0.0
        done = ~healthy | truncated
        observations = final
        self.body = BodyState(self._qpos, self._qvel, self._feet)
        if done.any():
            self._qpos, self._qvel, self._feet = self._qpos.copy(), self._qvel.copy(), self._feet.copy()
            observations = final.copy()
            rows = np.flatnonzero(done)
            observations[rows] = self._restart(rows)
        return (
            observations,
            rewards,
            ~healthy,
            truncated & healthy,
            {"final_obs": final, "diverged": diverged, **parts},
        )

    def set_state(self, rows: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        """Put the bodies in `rows` into positions [len(rows), 24] and velocities [len(rows), 23]; returns what they
        see.
        """
        for row, positions, velocities in zip(rows, qpos, qvel, strict=True):
            data = self._data[row]
            mujoco.mj_resetData(self._model, data)
            data.qpos[:], data.qvel[:] = positions, velocities
            mujoco.mj_forward(self._model, data)
            self._read(row)
        self._center_of_mass[rows] = self._mass_centers(rows)
        return self._observe(self._qpos[rows], self._qvel[rows])

    def push(self, rows: np.ndarray, velocity: np.ndarray) -> None:
        """Add `velocity` [len(rows), 3] (world frame, m/s) to the whole body of each of `rows`; seen from the next
        step on.
        """
        for row, change in zip(rows, velocity, strict=True):
            self._data[row].qvel[:3] += change
            self._qvel[row] = self._data[row].qvel

    @property
    def start(self) -> BodyState:
        """State of the bodies as the next step will find them."""
        return BodyState(self._qpos, self._qvel, self._feet)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that the future depends on, as arrays with N rows: load it and the same actions give the same
        states.
        """
        size = mujoco.mj_stateSize(self._model, mujoco.mjtState.mjSTATE_INTEGRATION)
        physics = np.zeros((self.num_envs, size))
        for row, data in zip(physics, self._data, strict=True):
            mujoco.mj_getState(self._model, data, row, mujoco.mjtState.mjSTATE_INTEGRATION)
        generators = np.stack([generator_words(generator) for generator in self._generators])
        return {
            "physics": physics,
            "feet": self._feet.copy(),
            "center_of_mass": self._center_of_mass.copy(),
            "episode_steps": self.episode_steps.copy(),
            "generators": generators,
        }

    def load_state_dict(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Continue from `state_dict()`; returns the observations [N, 45]."""
        for data, row in zip(self._data, state["physics"], strict=True):
            mujoco.mj_setState(self._model, data, np.ascontiguousarray(row), mujoco.mjtState.mjSTATE_INTEGRATION)
        self._qpos = np.stack([data.qpos for data in self._data])
        self._qvel = np.stack([data.qvel for data in self._data])
        self._feet = state["feet"].copy()
        self._center_of_mass = state["center_of_mass"].copy()
        self.episode_steps = state["episode_steps"].copy()
        self._generators = [generator_from_words(words) for words in state["generators"]]
        self.body = self.start
        return self._observe(self._qpos, self._qvel)

    def close_extras(self, **kwargs) -> None:
        self._end_threads()

    def _simulate(self, actions: np.ndarray) -> None:
        """Step every body; one whose step fails has positions that are not numbers, and goes on in new data."""
        failed: dict[int, Exception] = {}
        rows = iter(range(self.num_envs))  # shared: a thread that is done with one body takes the next
        arrays = self._qpos, self._qvel, self._feet, self._centers, self._forces

        def work(thread: PhysicsThread) -> None:
            self._work(thread, rows, actions, arrays, failed)
            self._finished.put(thread)

        waiting, patience = set(self._threads), 2  # the first wait may end late because all of the process stood still
        for thread in waiting:
            thread.jobs.put(work)
        while waiting:
            try:
                waiting.discard(self._finished.get(timeout=HANG_SECONDS))
            except queue.Empty:
                patience -= 1
                if not patience:
                    failed |= {thread.row: TimeoutError("its physics hangs") for thread in waiting}
                    waiting = self._leave_behind(waiting, work)
                    patience = 2
        if failed:
            # What hangs may still write, into arrays that nobody reads any more.
            self._qpos, self._qvel, self._feet, self._centers, self._forces = (array.copy() for array in arrays)
            for row, error in failed.items():
                print(f"body {row} starts anew: {error}", file=sys.stderr)
                self._data[row] = mujoco.MjData(self._model)
                self._views[row] = self._view(self._data[row])
                self._qpos[row] = np.nan
            if len(failed) > max(1, MAX_FAILED * self.num_envs):
                raise next(iter(failed.values()))

    def _leave_behind(self, hung: "set[PhysicsThread]", work: "Job") -> "set[PhysicsThread]":
        """Put new threads, which go on with the work, in the place of those that hang; returns them."""
        new = [PhysicsThread() for _ in hung]
        end(hung)
        self._threads[:] = [thread for thread in self._threads if thread not in hung] + new
        for thread in new:
            thread.jobs.put(work)
        return set(new)

    def _work(
        self,
        thread: "PhysicsThread",
        rows: Iterator[int],
        actions: np.ndarray,
        arrays: tuple[np.ndarray, ...],
        failed: dict[int, Exception],
    ) -> None:
        model, step, contact_forces = self._model, mujoco.mj_step, mujoco.mj_rnePostConstraint
        qpos, qvel, feet, centers, forces = arrays
        for row in rows:
            thread.row = row
            data, view = self._data[row], self._views[row]
            try:
                view[0][:] = actions[row]
                step(model, data, FRAME_SKIP)
                if self._contact_cost:
                    contact_forces(model, data)  # which mj_step leaves out
            except Exception as error:  # whatever it is, it is this body's alone
                failed[row] = error
            _, qpos[row], qvel[row], feet[row], centers[row], forces[row] = view

    def _view(self, data: mujoco.MjData) -> tuple[np.ndarray, ...]:
        return data.ctrl, data.qpos, data.qvel, data.geom_xpos[self._feet_rows], data.xipos, data.cfrc_ext

    def _read(self, row: int) -> None:
        _, self._qpos[row], self._qvel[row], self._feet[row], self._centers[row], self._forces[row] = self._views[row]

    def _mass_centers(self, rows) -> np.ndarray:
        return np.einsum("b,nbc->nc", self._body_shares, self._centers[rows, :, :2])

    def _restart(self, rows: np.ndarray) -> np.ndarray:
        # Humanoid-v5 draws positions, then velocities, from one generator per body.
        noise = [[self._generators[row].uniform(-RESET_NOISE, RESET_NOISE, size) for row in rows] for size in (24, 23)]
        self.episode_steps[rows] = 0
        return self.set_state(rows, self._start_qpos + np.array(noise[0]), np.array(noise[1]))


class PhysicsThread(threading.Thread):
    """Works on one job after the other, None ending it. A daemon: one that hangs does not keep the process alive."""

    def __init__(self):
        super().__init__(name="physics", daemon=True)
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.row = -1  # of the body that it works on
        self.start()

    def run(self) -> None:
        while (job := self.jobs.get()) is not None:
            job(self)
            del job  # which knows the env, so that this one can be collected


Job = Callable[[PhysicsThread], None]


def end(threads: Iterable[PhysicsThread]) -> None:
    """Let each of them end when it is done with its job."""
    for thread in threads:
        thread.jobs.put(None)


def generator_words(generator: np.random.Generator) -> np.ndarray:
    """State of a PCG64 generator as six 64-bit words, for checkpoints without pickle."""
    state = generator.bit_generator.state
    low, high = state["state"]["state"], state["state"]["inc"]
    mask = (1 << 64) - 1
    words = [low & mask, low >> 64, high & mask, high >> 64, state["has_uint32"], state["uinteger"]]
    return np.array(words, dtype=np.uint64)


def generator_from_words(words: np.ndarray) -> np.random.Generator:
    state, state_high, inc, inc_high, has_uint32, uinteger = (int(word) for word in words)
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state | state_high << 64, "inc": inc | inc_high << 64},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    return generator

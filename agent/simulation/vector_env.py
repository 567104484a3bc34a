"""Many bodies that follow goals: a `gymnasium.vector.VectorEnv` on native threads.

For Humanoid-v5 the physics, its order of operations, the native reward, the start noise and the seeding are
Gymnasium's: body `i` after `reset(seed=s)` does exactly what `gymnasium.make("Humanoid-v5")` does after
`reset(seed=s + i)`.

Shapes: N bodies, S = 11 + 2 J body state, C = 5 command, A actions.
"""

import json
import os
from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv

from agent.bodies import find_body
from agent.goals import Goal
from agent.simulation.curriculum import Curriculum, control_steps, stride_poses
from agent.simulation.heading import FRAMES, mean_angular_velocity, uprightness
from agent.simulation.physics import BodyState, Physics
from agent.simulation.task import COMMAND_SIZE, GoalTask, RewardWeights, assisting_forces, goal_commands

MAX_EPISODE_STEPS = 1000
MAX_DIVERGED = 1e-3  # share of the steps of a rollout or a shard that may diverge; more is an error
NEVER = 2**62  # control steps
# `adapt`: below RARE_FALLS falls per minute, it subtracts FADED from the assistance. If the tracking reward is also
# above the share FOLLOWED of its largest value, it adds WIDENED to the difficulty.
FOLLOWED, RARE_FALLS = 0.55, 6.0
WIDENED, FADED = 0.005, 0.01
UPRIGHT = 0.9  # smallest cosine of the torso's tilt at which the state of a body may become the start of another


def make_vector_env(
    num_envs: int, num_threads: int | None = None, body: str = "humanoid", **settings
) -> "GoalVectorEnv":
    """`num_envs` bodies stepped by `num_threads` threads (default: this process's share of all cores).
    The caller gives the goals, unless `settings`, the arguments of GoalVectorEnv, include a curriculum.
    """
    settings.setdefault("curriculum", None)
    return GoalVectorEnv(num_envs, num_threads, body, **settings)


class GoalVectorEnv(VectorEnv):
    """N bodies with observations [N, S + C] float32, the state and then the command, and actions [N, A] within the
    body's action scale.

    A body that falls, diverges or reaches the time limit starts again in the same step (`AutoresetMode.SAME_STEP`):
    `info["final_obs"]` [N, S + C] then holds its last observation, and `final_state` the state that the step ended in.

    Args:
        num_envs: N.
        num_threads: threads that step the physics; None: this process's share of the cores.
        body: name of the robot.
        max_episode_steps: time limit.
        reward: `goal`, or `native` for that of Gymnasium's own env of this robot.
        frame: what the bodies observe, a key of FRAMES.
        training_model: whether to step the body's training model, which is not used for evaluation.
        curriculum: what the env draws goals, starts and shoves from; None: a body stands until it is given a goal.
        weights: of the parts of the goal reward.
        privileged: whether `info` has `final_privileged`, the property `privileged` before any restart.
        autoreset: false: a body that is done continues until `reset`. A diverged body is observed as zeros.

    Raises:
        ValueError: a setting is out of range, or the body has no native reward.
    """

    def __init__(
        self,
        num_envs: int = 1,
        num_threads: int | None = None,
        body: str = "humanoid",
        max_episode_steps: int = MAX_EPISODE_STEPS,
        *,
        reward: str = "goal",
        frame: str = "heading",
        training_model: bool = False,
        curriculum: Curriculum | None = Curriculum(),  # noqa: B008  it is frozen
        weights: RewardWeights | None = None,
        privileged: bool = False,
        autoreset: bool = True,
    ):
        cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        num_threads = max(1, cores) if num_threads is None else num_threads
        counts = {"num_envs": num_envs, "num_threads": num_threads, "max_episode_steps": max_episode_steps}
        for name, value in counts.items():
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
        self.body = find_body(body)
        rewards = ("goal", "native") if self.body.native else ("goal",)
        for name, value, choices in (("reward", reward, rewards), ("frame", frame, FRAMES)):
            if value not in choices:
                raise ValueError(f"{name}={value!r} is unknown for body {body}: choose {' or '.join(choices)}")
        self.metadata = {
            "autoreset_mode": AutoresetMode.SAME_STEP if autoreset else AutoresetMode.DISABLED,
            "render_modes": [],
        }
        self.num_envs, self.num_threads, self.max_episode_steps = num_envs, num_threads, max_episode_steps
        size = self.body.observation_size + COMMAND_SIZE
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-self.body.scale, self.body.scale, dtype=np.float32)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)

        self.reward, self.curriculum = reward, curriculum
        self.difficulty = 1.0  # of what the curriculum draws, from 0 to 1
        self.assist = 0.0  # share of the forces that assist a crouch, from 0 to 1
        self._observe, self._privileged, self._autoreset = FRAMES[frame], privileged, autoreset
        self.physics = Physics(self.body, num_envs, num_threads, reward == "native", training_model)
        self.task = GoalTask(self.body, num_envs, weights or RewardWeights())
        self._start_qpos = self.body.start_qpos(self.physics.model)
        self.final_state = self.state
        self.episode_steps = np.zeros(num_envs, dtype=np.int64)
        self.steps_to_goal = np.full(num_envs, NEVER)  # control steps
        self.steps_to_push = np.full(num_envs, NEVER)
        self._goal_start = np.zeros((num_envs, self.physics.model.nq + self.physics.model.nv))  # where a goal began
        self._gyro = np.zeros((num_envs, 3))  # angular velocity as it is observed, rad/s
        self._rng = np.random.default_rng()
        self._generators = [np.random.default_rng() for _ in range(num_envs)]

    @property
    def state(self) -> BodyState:
        """The state that the next step starts from."""
        return self.physics.state

    @property
    def goals(self) -> np.ndarray:
        """Goals in force [N, 5] float32, in the numbers of a command.

        Set it to a Goal for every body, or to a sequence of N goals or rows of 5. A body keeps a given goal until it
        is given another one or, with a curriculum, restarts.
        """
        return self.task.goals

    @goals.setter
    def goals(self, goals: Goal | Sequence[Goal] | np.ndarray) -> None:
        commands = goal_commands(goals, self.body)
        if commands.ndim > 1 and len(commands) != self.num_envs:
            raise ValueError(f"{len(commands)} goals for {self.num_envs} bodies: give one for each, or one Goal")
        self.task.goals = np.broadcast_to(commands, (self.num_envs, COMMAND_SIZE)).copy()
        self.steps_to_goal[:] = NEVER
        self._goal_start = np.hstack([self.state.qpos, self.state.qvel])

    @property
    def phase(self) -> np.ndarray:
        """Phase [N, 2] of the clocks of gait and wave, in cycles; a cycle of the gait is two steps."""
        return self.task.phase

    @property
    def privileged(self) -> tuple[np.ndarray, np.ndarray]:
        """The state of the reward, for a critic: features that are even [N, E] or odd [N, O] under the mirror."""
        return self.task.features(self.state)

    def observe(self) -> np.ndarray:
        """Observations [N, S + C] before the next step."""
        return self._seen(self.state)

    def reset(self, *, seed: int | list[int] | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Restart every body; returns observations [N, S + C] and an info. `options={"goal": ...}` sets goals.

        Raises:
            ValueError: an unknown option, a seed that is not a whole number from 0, or not as many seeds as bodies.
        """
        for name in options or ():
            if name != "goal":
                raise ValueError(f"reset takes no option {name!r}: give a goal, or none; it starts all bodies anew")
        if seed is not None:
            seeds = [int(seed) + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
            if not isinstance(seeds, Sequence | np.ndarray) or not all(map(_is_seed, seeds)):
                raise ValueError(f"seed={seed!r}: give a whole number from 0, or one for each body")
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} bodies: give one for each, or one number")
            self._generators = [seeding.np_random(int(each))[0] for each in seeds]
            self._rng = self._generators[0].spawn(1)[0]
        if self.curriculum:
            latest = control_steps(self.curriculum.push_seconds, self.body)[1]
            self.steps_to_push = self._rng.integers(1, latest, self.num_envs)
        everyone = np.arange(self.num_envs)
        self._restart(everyone)
        self._start_episodes(everyone, everyone[:0])
        if options and "goal" in options:
            self.goals = options["goal"]
        self._prepare_step()
        return self.observe(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Advance every body by one control step under `actions` [N, A]. They are clipped to the action space, except
        under the native reward, which uses them as they are, like Gymnasium's own env.

        Returns observations [N, S + C], rewards [N], terminations [N], truncations [N], and an info with `final_obs`
        [N, S + C] (before any restart), `diverged` [N] and the parts of the reward, `reward_...` [N].

        Raises:
            ValueError: `close` was called, or the actions have another shape, or one is not finite; MuJoCo would
                silently replace all of them by zeros.
            Exception: the error of the physics, if it fails at once for more than one body and more than a tenth of
                them.
        """
        if self.closed:
            raise ValueError("this env was closed: make another one")
        actions = np.asarray(actions, dtype=np.float64)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions have shape {actions.shape}: give {self.action_space.shape}")
        if not np.isfinite(actions).all():
            row = np.flatnonzero(~np.isfinite(actions).all(1))[0]
            raise ValueError(f"action of body {row} is not finite: check the policy's output")
        if self.reward == "goal":
            actions = actions.clip(-self.body.scale, self.body.scale)
        self.physics.assist[:] = 0
        if self.assist:
            pull = assisting_forces(self.state, self.task.commands, self.body, self.physics.mass)
            self.physics.assist += self.assist * pull
        orientation, centers = self.state.qpos[:, 3:7].copy(), self.physics.centers.copy()
        diverged = self.physics.step(self.body.control_center + actions)
        self.episode_steps += 1

        state = self.final_state = self.physics.freeze()
        self._gyro = state.qvel[:, 3:6].copy()
        if self.body.averages_gyro:
            self._gyro = mean_angular_velocity(orientation, state.qpos[:, 3:7], self.body.control_seconds)
        low, high = self.body.healthy_height
        healthy = (state.qpos[:, 2] > low) & (state.qpos[:, 2] < high) & ~diverged
        truncated = (self.episode_steps >= self.max_episode_steps) & healthy
        if self.reward == "native":
            parts = self._native_reward(actions, self.physics.centers - centers, healthy)
        else:
            parts = self.task.step(state, self.body.from_control(actions))
        parts = {f"reward_{name}": np.where(diverged, 0.0, values) for name, values in parts.items()}
        final = self._seen(state)
        final[diverged] = 0.0
        info = {"final_obs": final, "diverged": diverged, **parts}
        if self._privileged:
            info["final_privileged"] = even, odd = self.task.features(state)
            even[diverged] = odd[diverged] = 0.0

        done = ~healthy | truncated
        if done.any() and self._autoreset:
            rows = np.flatnonzero(done)
            self._restart(rows)
            self._start_episodes(rows, np.flatnonzero(~healthy & ~diverged))
        self._prepare_step()
        rewards = sum(parts.values(), start=np.zeros(self.num_envs))
        observations = self.observe()
        if not self._autoreset:
            observations[diverged] = 0.0
        return observations, rewards, ~healthy, truncated, info

    def set_state(self, rows: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Put the bodies in `rows` into positions [rows, 7 + J] and velocities [rows, 6 + J], and reset their memory.

        Raises:
            ValueError: `rows` are not indices of bodies, or the numbers have another shape or are not finite.
        """
        self._check_rows(rows, qpos=(qpos, self.physics.model.nq), qvel=(qvel, self.physics.model.nv))
        self.physics.set_state(rows, qpos, qvel)
        self._gyro[rows] = qvel[:, 3:6]
        self.task.begin(rows, self.state)

    def adapt(self, tracking: float, falls_per_minute: float) -> None:
        """Make the task harder for bodies that rarely fall: reduce the assistance and, if the mean tracking reward
        shows that they follow their commands, widen the region that commands are drawn from.
        """
        if falls_per_minute < RARE_FALLS:
            self.assist = max(0.0, self.assist - FADED)
            if tracking > FOLLOWED * self.task.weights.tracking_weight:
                self.difficulty = min(1.0, self.difficulty + WIDENED)

    def push(self, rows: np.ndarray, velocity: np.ndarray) -> None:
        """Shove the bodies in `rows`: add `velocity` [rows, 2] (world frame, m/s) to the whole body. The next step
        starts from there. Raises ValueError as `set_state` does.
        """
        self._check_rows(rows, velocity=(velocity, 2))
        self.physics.push(rows, velocity)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on, as arrays: once loaded, the same actions give the same states."""
        own = {
            "episode_steps": self.episode_steps,
            "steps_to_goal": self.steps_to_goal,
            "steps_to_push": self.steps_to_push,
            "goal_start": self._goal_start,
            "gyro": self._gyro,
            "adapted": np.array([self.difficulty, self.assist]),
        }
        task = {f"task.{name}": value for name, value in self.task.memory.items()}
        generators = json.dumps([each.bit_generator.state for each in (self._rng, *self._generators)])
        own["generators"] = np.frombuffer(generators.encode(), dtype=np.uint8)
        return {name: value.copy() for name, value in (own | task).items()} | self.physics.state_dict()

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue from `state_dict()`."""
        self.physics.load_state_dict(state)
        names = "episode_steps", "steps_to_goal", "steps_to_push", "goal_start", "gyro"
        self.episode_steps, self.steps_to_goal, self.steps_to_push, self._goal_start, self._gyro = (
            state[name].copy() for name in names
        )
        self.difficulty, self.assist = state["adapted"].tolist()
        for name in self.task.memory:
            setattr(self.task, name, state[f"task.{name}"].copy())
        generators = json.loads(state["generators"].tobytes())
        for generator, each in zip((self._rng, *self._generators), generators, strict=True):
            generator.bit_generator.state = each

    def close_extras(self, **kwargs) -> None:
        self.physics.close()

    def _check_rows(self, rows: np.ndarray, **given: tuple[np.ndarray, int]) -> None:
        """Raise ValueError for `rows` that are not bodies, or values that are not finite or not [rows, size]."""
        indices = np.asarray(rows)
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or not np.isin(indices, np.arange(self.num_envs)).all():
            raise ValueError(f"rows={rows} are no bodies: give a list of indices from 0 to {self.num_envs - 1}")
        for name, (values, size) in given.items():
            if np.shape(values) != (len(indices), size):
                raise ValueError(f"{name} has shape {np.shape(values)}: give {(len(indices), size)}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} is not finite: give finite numbers")

    def _seen(self, state: BodyState) -> np.ndarray:
        """Observations [N, S + C] of bodies at `state`."""
        qvel = np.hstack([state.qvel[:, :3], self._gyro, state.qvel[:, 6:]])
        return np.concatenate([self._observe(state.qpos, qvel), self.task.commands], axis=1)

    def _restart(self, rows: np.ndarray) -> None:
        """Put the bodies in `rows` in their start state, each with its own noise."""
        # As Gymnasium's envs do: positions, then velocities, from one generator per body.
        noise, model = self.body.reset_noise, self.physics.model
        qpos, qvel = (
            [self._generators[row].uniform(-noise, noise, size) for row in rows] for size in (model.nq, model.nv)
        )
        self.episode_steps[rows] = 0
        self.set_state(rows, self._start_qpos + np.array(qpos), np.array(qvel))

    def _start_episodes(self, rows: np.ndarray, fallen: np.ndarray) -> None:
        """Begin episodes with the bodies in `rows`, which are in their start state; those in `fallen` may retry."""
        if not self.curriculum:
            return
        rng, curriculum = self._rng, self.curriculum
        self.steps_to_goal[rows] = 0
        kind = rng.random(len(rows))
        striding = rows[kind < curriculum.stride_share] if self.body.hips else rows[:0]
        if len(striding):
            qpos, qvel = stride_poses(rng, len(striding), self.body, self._start_qpos)
            model = self.physics.model
            ranges = np.where(model.jnt_limited[1:, None], model.jnt_range[1:], (-np.inf, np.inf))
            qpos[:, 7:] = qpos[:, 7:].clip(*ranges.T)
            self.physics.set_state(striding, qpos, qvel)
            qpos[:, 2] -= self.state.feet[striding, :, 2].min(1) - self.body.sole_height  # lower foot on the ground
            self.set_state(striding, qpos, qvel)
        recovering = rows[kind > 1 - curriculum.recovery_share]
        upright = np.flatnonzero(uprightness(self.state.qpos) > UPRIGHT)
        if len(recovering) and len(upright):
            sources = rng.choice(upright, len(recovering))
            qpos, qvel = self.state.qpos[sources], self.state.qvel[sources]
            deviation = np.repeat(self.body.recovery_noise, (3, 3, len(self.body.joints)))
            self.set_state(recovering, qpos, qvel + self.difficulty * rng.normal(0, deviation, qvel.shape))
        retrying = fallen[rng.random(len(fallen)) < curriculum.retry_share]
        if len(retrying):
            self.set_state(retrying, *np.split(self._goal_start[retrying], [self.physics.model.nq], axis=1))
            self.steps_to_goal[retrying] = curriculum.draw_times(rng, self.goals[retrying], self.body)

    def _prepare_step(self) -> None:
        """Apply the goals and shoves that are due, and move the commands toward the goals."""
        if self.curriculum:
            rows = np.flatnonzero(self.steps_to_goal <= 0)
            if len(rows):
                self.task.goals[rows], self.steps_to_goal[rows] = self.curriculum.draw(
                    self._rng, rows, self.episode_steps[rows] == 0, self.body, self.difficulty
                )
                self._goal_start[rows] = np.hstack([self.state.qpos[rows], self.state.qvel[rows]])
            rows = np.flatnonzero(self.steps_to_push <= 0)
            if len(rows):
                speed = self._rng.uniform(0, self.curriculum.push_speed * self.difficulty, len(rows))
                self.push(rows, planar(speed, self._rng.uniform(0, 2 * np.pi, len(rows))))
                self.steps_to_push[rows] = self._rng.integers(
                    *control_steps(self.curriculum.push_seconds, self.body), len(rows)
                )
            self.steps_to_goal -= 1
            self.steps_to_push -= 1
        self.task.lead()

    def _native_reward(self, actions: np.ndarray, moved: np.ndarray, healthy: np.ndarray) -> dict[str, np.ndarray]:
        """Parts [N] of the reward of Gymnasium's own env, for centers of mass that `moved` [N, 3] m."""
        native = self.body.native
        assert native is not None
        contact = native.contact * np.square(self.physics.forces).sum((1, 2))
        return {
            "survive": np.where(healthy, native.survive, 0.0),
            "forward": native.forward * moved[:, 0] / self.body.control_seconds,
            "ctrl": -native.control * np.square(actions).sum(1),
            "contact": -np.minimum(contact, native.contact_limit),
        }


def _is_seed(seed: object) -> bool:
    return isinstance(seed, int | np.integer) and int(seed) >= 0


def planar(speed: np.ndarray | float, direction: np.ndarray | float) -> np.ndarray:
    """Velocity [..., 2] of a speed in a direction, radians counter-clockwise from the x axis."""
    return np.stack([speed * np.cos(direction), speed * np.sin(direction)], axis=-1)

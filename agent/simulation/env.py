"""One body that follows goals, as a Gymnasium env: `gymnasium.make("agent/HumanoidGoal-v0")`.

| | space | content |
|---|---|---|
| action | Box(-scale, scale, [A], float32) | torques, or joint targets relative to the rest pose |
| observation | Box(-inf, inf, [S + C], float32) | the body state in the heading frame, then the command |

The reward is the goal reward (`task.py`); its parts are in `info`. An episode ends when the torso leaves its healthy
height or the simulation diverges. Shapes: S = 11 + 2 J body state (`heading.py`), C = 5 command, A actions.
"""

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

from agent.bodies import BODIES, Body, find_body
from agent.goals import Goal
from agent.simulation.curriculum import Curriculum
from agent.simulation.heading import yaw
from agent.simulation.vector_env import MAX_EPISODE_STEPS, NEVER, GoalVectorEnv, planar

FRAME_SIZE = 480  # pixels


class GoalEnv(gymnasium.Env):
    """One body of a GoalVectorEnv, which also renders.

    The env draws goals at random until it is given one by `env.reset(options={"goal": Goal(1.0)})` or
    `env.unwrapped.goal = Goal(1.0)`. A given goal lasts until the next reset.

    Args:
        body: name of the robot.
        render_mode: `rgb_array`, `depth_array`, `human` or None. Images are 480 x 480; the camera follows the body.
        reward: `goal`, or `native` for that of Gymnasium's own env of this robot.
    """

    metadata = {"render_modes": ["human", "rgb_array", "depth_array"]}  # noqa: RUF012  as gymnasium.Env declares it

    def __init__(self, body: str = "humanoid", render_mode: str | None = None, reward: str = "goal"):
        self.body: Body = find_body(body)
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(1 / self.body.control_seconds)}
        self._envs = GoalVectorEnv(1, 1, body, NEVER, reward=reward, curriculum=Curriculum(), autoreset=False)
        self.observation_space = self._envs.single_observation_space
        self.action_space = self._envs.single_action_space
        self.mujoco_renderer: MujocoRenderer | None = None

    @property
    def model(self):
        """The `mujoco.MjModel`."""
        return self._envs.physics.model

    @property
    def data(self):
        """The `mujoco.MjData`."""
        return self._envs.physics.data[0]

    @property
    def episode_steps(self) -> int:
        """Control steps since the last reset."""
        return int(self._envs.episode_steps[0])

    def observe(self) -> np.ndarray:
        """The observation [S + C] before the next step."""
        return self._envs.observe()[0]

    @property
    def goal(self) -> Goal:
        """The current goal."""
        return Goal.from_command(self._envs.goals[0])

    @goal.setter
    def goal(self, goal: Goal) -> None:
        _check_goal(goal)
        self._envs.goals = goal

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode, with a goal that the env draws or that `options={"goal": ...}` gives."""
        super().reset(seed=seed)
        if options and "goal" in options:
            _check_goal(options["goal"])
        observations, _ = self._envs.reset(seed=seed, options=options)
        if self.render_mode == "human":
            self.render()
        return observations[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance by one control step under `action` [A], as GoalVectorEnv.step does.

        Raises:
            ValueError: the action has another shape, or is not finite.
        """
        observations, rewards, terminated, _, info = self._envs.step(_row("action", action, self.body.action_size))
        if self.render_mode == "human":
            self.render()
        parts = {name: float(values[0]) for name, values in info.items() if name.startswith("reward_")}
        return observations[0], float(rewards[0]), bool(terminated[0]), False, parts

    def push(self, speed: float, direction: float) -> None:
        """Shove the whole body: `speed` m/s, `direction` radians counter-clockwise from where it faces."""
        self._envs.push(np.arange(1), planar(speed, yaw(self._envs.state.qpos) + direction))

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Put the body into positions [7 + J] and velocities [6 + J] of MuJoCo.

        Raises:
            ValueError: they have another shape, or are not finite.
        """
        qpos, qvel = _row("qpos", qpos, self.model.nq), _row("qvel", qvel, self.model.nv)
        self._envs.set_state(np.arange(1), qpos, qvel)

    def render(self) -> np.ndarray | None:
        """An image [480, 480, 3] uint8 from a camera that follows the body."""
        if self.render_mode is None:
            return None
        if self.mujoco_renderer is None:
            if "DISPLAY" not in os.environ:
                os.environ.setdefault("MUJOCO_GL", "egl")  # renders without a display
            camera = {"distance": self.body.camera_distance, "azimuth": 120.0, "elevation": -12.0}
            self.mujoco_renderer = MujocoRenderer(self.model, self.data, camera, FRAME_SIZE, FRAME_SIZE, camera_id=-1)
        self.mujoco_renderer.data = self.data  # `Physics` replaces it if the simulation fails
        viewer = self.mujoco_renderer._get_viewer(self.render_mode)
        viewer.data = self.data
        viewer.cam.lookat[:] = *self.data.qpos[:2], self.body.camera_height
        return self.mujoco_renderer.render(self.render_mode)

    def close(self) -> None:
        if self.mujoco_renderer is not None:
            self.mujoco_renderer.close()
        self._envs.close()


def _check_goal(goal: object) -> None:
    if not isinstance(goal, Goal):
        raise ValueError(f"goal={goal!r:.60}: give a Goal, such as Goal(1.0) or Goal.from_skill('walk_forward')")


def _row(name: str, values: np.ndarray, size: int) -> np.ndarray:
    """The values [size] of the one body as a batch [1, size]."""
    if np.shape(values) != (size,):
        raise ValueError(f"{name} has shape {np.shape(values)}: give {(size,)}")
    return np.asarray(values)[None]


def goal_env(env: gymnasium.Env) -> GoalEnv:
    """The GoalEnv within any wrappers. Raises ValueError where there is none."""
    if not isinstance(env.unwrapped, GoalEnv):
        raise ValueError(f"{env.unwrapped} follows no goals: give an env of agent.make_env")
    return env.unwrapped


def env_id(body: str) -> str:
    """Gymnasium's id of the env of a body: `agent/HumanoidGoal-v0`."""
    return f"agent/{body.capitalize()}Goal-v0"


def make_env(
    body: str = "humanoid", render_mode: str | None = None, max_episode_steps: int = MAX_EPISODE_STEPS
) -> gymnasium.Env:
    """The env of a body, with a time limit. `env.unwrapped` is a GoalEnv."""
    register_envs()
    return gymnasium.make(env_id(find_body(body).name), render_mode=render_mode, max_episode_steps=max_episode_steps)


def register_envs() -> None:
    """Register an env, single and vector, for every body that has none yet."""
    for name in BODIES:
        if env_id(name) not in gymnasium.registry:
            gymnasium.register(
                env_id(name),
                entry_point=f"{__name__}:GoalEnv",
                vector_entry_point="agent.simulation.vector_env:GoalVectorEnv",
                max_episode_steps=MAX_EPISODE_STEPS,
                kwargs={"body": name},
            )


register_envs()

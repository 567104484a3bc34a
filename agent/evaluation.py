"""Measurements of an actor in physics: how well it follows commands, how often it falls, how it switches and steps.

An actor is a MotorPolicy, a GoalDecisionTransformer or a MotorAgent: `reset()`, `prompt(goals)`, `act(observations)`. All
bodies of a suite run in one batch. Shapes: N bodies, T steps.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from agent.env import CONTROL_SECONDS, FOOT_RADIUS, LEADING, MAX_EPISODE_STEPS, heading_velocity, yaw
from agent.goals import Goal
from agent.vector_env import make_vector_env

WINDOW = round(1 / CONTROL_SECONDS)  # steps in the sliding second that velocities are averaged over
COMMANDS = (
    (0.0, 0.0, 0.0),
    (0.4, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (1.6, 0.0, 0.0),
    (2.0, 0.0, 0.0),
    (3.0, 0.0, 0.0),
    (-0.4, 0.0, 0.0),
    (0.0, 0.4, 0.0),
    (0.0, -0.4, 0.0),
    (0.0, 0.0, 0.8),
    (0.0, 0.0, -0.8),
    (1.0, 0.0, 0.4),
    (1.0, 0.0, -0.4),
)
GAIT_SPEEDS = (0.4, 1.0, 1.6, 2.0)


class Actor(Protocol):
    def reset(self) -> None: ...
    def prompt(self, goal: Sequence[Goal]) -> None: ...
    def act(self, observation: np.ndarray) -> np.ndarray: ...


def measure_commands(actor: Actor, commands: Sequence[Sequence[float]], episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """Rows of the commands suite, one per command, and their mean.

    Errors are mean absolute differences between the command and the velocity averaged over a sliding second, from the
    second second on. A fall ends the episode; the rest of it counts as unsurvived.
    """
    goals = [Goal(*map(float, command)) for command in commands for _ in range(episodes)]
    velocity, alive, rewards, _ = _roll_out(actor, goals, MAX_EPISODE_STEPS, seed, num_threads)
    rows = []
    for index, command in enumerate(commands):
        bodies = slice(index * episodes, (index + 1) * episodes)
        planar, turning = _errors(velocity[:, bodies], alive[:, bodies], np.asarray(command))
        row = {
            "command": [float(value) for value in command],
            "skill": Goal(*map(float, command)).skill,
            "episodes": episodes,
            "survival": float(alive[:, bodies].mean()),
            "velocity_error": planar,
            "yaw_error": turning,
            "humanoid_return": float((rewards[:, bodies] * alive[:, bodies]).sum(0).mean()),
        }
        rows.append(row)
    numbers = ("survival", "velocity_error", "yaw_error", "humanoid_return")
    mean = {"episodes": episodes * len(rows)} | {name: _mean([row[name] for row in rows]) for name in numbers}
    return {"rows": rows, "mean": mean}


def measure_gait(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """How the legs take turns while walking straight at each of GAIT_SPEEDS.

    `steps_per_second` counts changes of the leading foot by more than 3 cm, `left_ahead` is the share of time that the left
    foot leads, and `clearance_m` is the mean over swings of the highest point that a foot reaches above the ground.
    """
    rows = []
    for speed in GAIT_SPEEDS:
        goals = [Goal(speed)] * episodes
        velocity, alive, _, feet = _roll_out(actor, goals, MAX_EPISODE_STEPS, seed, num_threads)
        gaits = [_gait(feet[WINDOW : int(count), body]) for body, count in enumerate(alive.sum(0)) if count > 2 * WINDOW]
        names = ("steps_per_second", "left_ahead", "clearance_m")
        means = {name: _mean([gait[name] for gait in gaits]) for name in names}
        rows.append({"command": [speed, 0.0, 0.0], "episodes": episodes, "survival": float(alive.mean()), **means})
    return {"rows": rows}


def _roll_out(actor: Actor, goals: Sequence[Goal], steps: int, seed: int, num_threads: int | None):
    """Velocities [T, N, 3], whether each body was still up [T, N], Humanoid-v5's rewards [T, N], feet [T, N, 2, 2].

    Feet are (right, left) x (how far ahead of the torso, height above the ground) in meters.
    """
    envs = make_vector_env(len(goals), num_threads, max_episode_steps=steps)
    observations, _ = envs.reset(seed=seed)
    actor.reset()
    actor.prompt(goals)
    velocity, rewards = np.zeros((steps, len(goals), 3)), np.zeros((steps, len(goals)))
    alive, feet = np.zeros((steps, len(goals)), dtype=bool), np.zeros((steps, len(goals), 2, 2))
    up = np.ones(len(goals), dtype=bool)
    for step in tqdm(range(steps), desc="measure", leave=False, disable=None):
        observations, rewards[step], terminated, _, _ = envs.step(actor.act(observations))
        up &= ~terminated
        alive[step] = up
        body = envs.body
        velocity[step] = heading_velocity(body.qpos, body.qvel)
        heading = yaw(body.qpos)[:, None]
        offset = body.feet[..., :2] - body.qpos[:, None, :2]
        feet[step, ..., 0] = np.cos(heading) * offset[..., 0] + np.sin(heading) * offset[..., 1]
        feet[step, ..., 1] = body.feet[..., 2] - FOOT_RADIUS
        if not up.any():
            break
    envs.close()
    return velocity, alive, rewards, feet


def _errors(velocity: np.ndarray, alive: np.ndarray, command: np.ndarray) -> tuple[float, float]:
    """Planar and yaw error of velocities [T, N, 3] against a command, over windows that end before a fall."""
    sums = np.cumsum(np.concatenate([np.zeros((1, *velocity.shape[1:])), velocity * alive[..., None]]), axis=0)
    means = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW  # window ending at step WINDOW - 1, WINDOW, ...
    counted = alive[WINDOW - 1 :]
    difference = means - command
    planar = np.linalg.norm(difference[..., :2], axis=-1)[counted]
    return _mean(planar), _mean(np.abs(difference[..., 2])[counted])


def _gait(feet: np.ndarray) -> dict[str, float]:
    """Gait of one body from its feet [T, 2, 2]: (right, left) x (ahead, height)."""
    ahead = feet[:, 1, 0] - feet[:, 0, 0]
    sides = np.sign(ahead) * (np.abs(ahead) > LEADING)
    leads = sides[sides != 0]
    swings = []
    for foot in (0, 1):
        height = feet[:, foot, 1]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], height > 0.005, [0]]).astype(int)))
        swings += [height[a:b].max() for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 2]
    return {
        "steps_per_second": float((np.diff(leads) != 0).sum() / (len(feet) * CONTROL_SECONDS)),
        "left_ahead": float((ahead > 0).mean()),
        "clearance_m": _mean(swings),
    }


def _mean(values) -> float | None:
    """Mean of what could be measured; None (JSON's null) when nothing could."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

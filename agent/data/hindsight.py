"""Hindsight: relabels a dataset with the goals that were achieved (HER, Andrychowicz et al., 2017, arXiv:1707.01495).

A motion is a correct example of the goal that it achieved (GCSL, Ghosh et al., 2021, arXiv:1912.06088), even if
another goal was commanded. Shapes: R rows of a shard, T steps, N episodes.
"""

from itertools import pairwise

import numpy as np

from agent.bodies import Body
from agent.data.schema import Shard, episode_bounds
from agent.simulation.curriculum import nearest_on_grid
from agent.simulation.heading import heading_rate, observed_velocity, yaw
from agent.simulation.physics import Physics
from agent.simulation.task import GoalTask, RewardWeights, advance_phase, approach

STRETCH_SECONDS = 1.0  # approximate duration of one achieved goal


def next_states(shard: Shard) -> np.ndarray:
    """Body states after each step [R, S]. The state after the last step of an episode is not stored: the one before
    it is used.
    """
    observations = shard["observation.state"]
    rows = np.arange(len(observations))
    return observations[np.where(shard["next.done"], rows, rows + 1)]


def achieved(shard: Shard, body: Body) -> np.ndarray:
    """Achieved commands [R, 5] on the grid: the mean velocity over stretches of about a second, in each of which one
    goal was in force. Height and arms remain those of that goal.
    """
    asked, done = shard["goal.command"], shard["next.done"]
    velocity = observed_velocity(next_states(shard)).astype(float)
    switches = np.flatnonzero((asked[1:] != asked[:-1]).any(1) | done[:-1]) + 1
    found = asked.copy()
    for begin, end in pairwise([0, *switches.tolist(), len(asked)]):
        count = max(1, round((end - begin) * body.control_seconds / STRETCH_SECONDS))
        for rows in np.array_split(np.arange(begin, end), count):
            found[rows, :3] = nearest_on_grid(velocity[rows].mean(0), body, asked[begin, 3] > 0)
    return found


def rewards(shard: Shard, commands: np.ndarray, body: Body) -> np.ndarray:
    """Rewards [R] of GoalTask for the same motion under other `commands` [R, 5], with the default RewardWeights.

    The states are reconstructed from the observations. Position and heading, which matter only for the slip of a foot,
    are integrated from velocities. The clocks of gait and wave follow the goals that were in force. The state after
    the last step of an episode is the one that `next_states` uses.
    """
    starts, ends = episode_bounds(shard["next.done"])
    lengths = ends - starts
    observations, everyone = shard["observation.state"], np.arange(len(ends))
    qpos = np.concatenate([positions(observations[begin:end], body) for begin, end in zip(starts, ends, strict=True)])
    qvel = velocities(observations, qpos)
    physics, task = Physics(body, len(ends), 1), GoalTask(body, len(ends), RewardWeights())
    physics.set_state(everyone, qpos[starts], qvel[starts])
    task.begin(everyone, physics.state)
    clock, led = task.phase, task.commands
    found = np.zeros(len(commands), dtype=np.float32)
    for step in range(lengths.max()):
        going = np.flatnonzero(step < lengths)
        rows, next_rows = (starts + np.minimum(each, lengths - 1) for each in (step, step + 1))
        physics.set_state(going, qpos[next_rows[going]], qvel[next_rows[going]])
        task.goals = commands[rows]
        task.lead()
        led = approach(led, shard["goal.command"][rows], body)
        clock = advance_phase(clock, led, body)
        parts = task.step(physics.state, body.from_control(shard["action"][rows]), phase=clock)
        found[rows[going]] = np.sum([*parts.values()], axis=0)[going]
    physics.close()
    return found


def positions(observations: np.ndarray, body: Body) -> np.ndarray:
    """MuJoCo's positions [T, 7 + J] of consecutive body states [T, S]; position and heading are integrated."""
    states = observations.astype(float)
    height, tilt, angles, _ = np.split(states, [1, 5, 5 + len(body.joints)], axis=1)
    heading = np.cumsum(heading_rate(states)) * body.control_seconds
    ahead = observed_velocity(states)[:, :2] @ [1, 1j]
    place = np.cumsum(ahead * np.exp(1j * heading)) * body.control_seconds
    cos, sin = np.cos(heading / 2), np.sin(heading / 2)
    w, x, y, z = tilt.T
    orientation = np.column_stack([cos * w - sin * z, cos * x - sin * y, cos * y + sin * x, cos * z + sin * w])
    return np.hstack([place.real[:, None], place.imag[:, None], height, orientation, angles])


def velocities(observations: np.ndarray, qpos: np.ndarray) -> np.ndarray:
    """MuJoCo's velocities [..., 6 + J] of body states [..., S] of bodies at positions [..., 7 + J]."""
    qvel = observations[..., qpos.shape[-1] - 2 :].astype(float)
    ahead = (qvel[..., 0] + 1j * qvel[..., 1]) * np.exp(1j * yaw(qpos))
    qvel[..., 0], qvel[..., 1] = ahead.real, ahead.imag
    return qvel

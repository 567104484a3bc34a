"""Trials: bodies that pursue goals while something disturbs them, all of them in one batch.

A shove, another goal in place of the one that was asked, an end that comes too early or too late. What the simulator
measures of them is what a planner learns to assess and correct from, and what it is measured on.

Shapes: N bodies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from tqdm import tqdm

from agent.feedback.outcomes import Judge
from agent.feedback.pursuit import Pursuit
from agent.goals import SKILLS, SPEEDS, Goal
from agent.simulation.env import CONTROL_SECONDS
from agent.simulation.vector_env import make_vector_env

DISTURBANCES = ("none", "shove", "swap", "early", "late")
BATCH = 64  # bodies at a time
SHOVE_SPEED = (0.5, 1.5)  # m/s, of the whole body
SWAP_SECONDS = 4.0  # longest time that another goal is pursued
EARLY_SHARE, LATE_SHARE = (0.1, 0.8), (1.2, 2.0)  # of the end that was asked for
LONGEST_GOAL = 8.0  # s that a goal of a random program takes
# Ends of random goals; a walk is at least as long as it takes to be measured.
SECONDS, METERS, DEGREES = (1.5, 6.0), (0.5, 6.0), (30, 270)


class Mover(Protocol):
    """A GoalDecisionTransformer, or anything that follows goals."""

    def reset(self) -> None: ...
    def prompt(self, goal: Sequence[Goal]) -> None: ...
    def act(self, observation: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Trial:
    """What one body is asked, what it is told instead, and when it is shoved.

    Args:
        asked: goals that are measured.
        given: goals that it is told, one for each.
        disturbance: one of DISTURBANCES.
        seed: of the body's first pose.
        shove_step: control step of the shove; -1 for none.
        shove: m/s in the world frame, ahead and to the left as the body stood at first.
    """

    asked: tuple[Goal, ...]
    given: tuple[Goal, ...]
    disturbance: str
    seed: int
    shove_step: int = -1
    shove: tuple[float, float] = (0.0, 0.0)


def expected_seconds(goal: Goal) -> float:
    """How long a goal takes at the speed that it commands; an open one none."""
    if goal.meters is not None:
        return goal.meters / math.hypot(goal.vx, goal.vy)
    if goal.degrees is not None:
        return math.radians(goal.degrees) / abs(goal.wz)
    return goal.seconds or 0.0


def random_program(rng: np.random.Generator) -> tuple[Goal, ...]:
    """One to three goals, each with an end."""
    return tuple(random_goal(rng) for _ in range(rng.integers(1, 4)))


def random_goal(rng: np.random.Generator) -> Goal:
    """A named skill, until an end that it comes to within LONGEST_GOAL."""
    while True:
        skill, speed = rng.choice(list(SKILLS)), rng.choice(SPEEDS)
        goal = Goal.from_skill(skill, speed)
        kinds = ["seconds", *["meters"] * bool(goal.vx or goal.vy), *["degrees"] * bool(goal.wz)]
        kind = rng.choice(kinds)
        low, high = {"seconds": SECONDS, "meters": METERS, "degrees": DEGREES}[kind]
        goal = replace(goal, **{kind: float(rng.uniform(low, high))}).on_grid()
        if expected_seconds(goal) <= LONGEST_GOAL:
            return goal


def disturbed(asked: Sequence[Goal], disturbance: str, seed: int) -> Trial:
    """A trial in which one of the goals, which all have an end, is disturbed in the way that is named."""
    rng = np.random.default_rng(seed)
    given, number = list(asked), int(rng.integers(len(asked)))
    goal = given[number]
    before = sum(expected_seconds(each) for each in given[:number])
    trial = Trial(tuple(asked), tuple(asked), disturbance, seed)
    if disturbance == "shove":
        step = round((before + rng.uniform(0.3, 1.0) * max(expected_seconds(goal), 1.0)) / CONTROL_SECONDS)
        direction, speed = rng.uniform(0, 2 * math.pi), rng.uniform(*SHOVE_SPEED)
        return replace(trial, shove_step=step, shove=(speed * math.cos(direction), speed * math.sin(direction)))
    if disturbance == "swap":
        others = [Goal.from_skill(skill) for skill in SKILLS if skill != goal.skill and not skill.startswith("run")]
        seconds = min(SWAP_SECONDS, max(1.0, expected_seconds(goal)))
        given[number] = replace(others[rng.integers(len(others))], seconds=seconds)
    elif disturbance in ("early", "late"):
        share = rng.uniform(*(EARLY_SHARE if disturbance == "early" or goal.seconds else LATE_SHARE))
        assert goal.end is not None
        kind, amount = goal.end
        given[number] = replace(goal, **{kind: max(share * amount, 0.1 if kind != "degrees" else 1.0)})
    return replace(trial, given=tuple(given))


def run_trials(
    mover: Mover, trials: Sequence[Trial], judge: Judge | None = None, rounds: int = 0, num_threads: int | None = None
) -> list[Pursuit]:
    """What came of every trial, with `rounds` of repairs to each goal."""
    order = sorted(range(len(trials)), key=lambda place: sum(map(expected_seconds, trials[place].asked)))
    pursuits: dict[int, Pursuit] = {}
    for first in tqdm(range(0, len(order), BATCH), desc="trials", unit="batch", leave=False):
        places = order[first : first + BATCH]
        batch = [trials[place] for place in places]
        found = [Pursuit(trial.asked, trial.given, judge, rounds) for trial in batch]
        _run_batch(mover, batch, found, num_threads)
        pursuits |= zip(places, found, strict=True)
    return [pursuits[place] for place in range(len(trials))]


def _run_batch(mover: Mover, trials: list[Trial], pursuits: list[Pursuit], num_threads: int | None) -> None:
    count = len(trials)
    envs = make_vector_env(count, num_threads, max_episode_steps=2**31 - 1, contact_cost=False)
    observations, _ = envs.reset(seed=[trial.seed for trial in trials])
    mover.reset()
    mover.prompt([pursuit.goal for pursuit in pursuits])
    shove_steps = np.array([trial.shove_step for trial in trials])
    shoves = np.array([[*trial.shove, 0.0] for trial in trials])
    step = 0
    while not all(pursuit.over for pursuit in pursuits):
        rows = np.flatnonzero(shove_steps == step)
        envs.push(rows, shoves[rows])
        observations, _, fell, _, info = envs.step(mover.act(observations))
        changed = False
        for pursuit, seen, down in zip(pursuits, info["final_obs"], fell, strict=True):
            changed |= pursuit.add(seen, down)
        if changed:
            mover.prompt([pursuit.goal for pursuit in pursuits])
        step += 1
    envs.close()

"""Trials: bodies pursue programs, in batches, while something disturbs them.

The disturbance is a shove, a goal other than the program's, or an end that comes too early or too late. A planner's
assessments and corrections are evaluated on the outcomes, which are measured by the odometry of the simulated bodies.

Shapes: N bodies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from agent.bodies import Body
from agent.feedback.outcomes import Judge
from agent.feedback.pursuit import Pursuit
from agent.goals import (
    PLACE_SKILLS,
    SKILLS,
    SPEEDS,
    TURN_RATE,
    Goal,
    HomeGoal,
    PlaceGoal,
    Pose,
    Progress,
    VelocityGoal,
)
from agent.simulation.rollouts import Actor, Rollout
from agent.simulation.vector_env import NEVER, make_vector_env, planar

DISTURBANCES = ("none", "shove", "swap", "early", "late")
BATCH = 64  # bodies at a time
SHOVE_SPEED = (0.5, 1.5)  # m/s, of the whole body
SWAP_SECONDS = 4.0  # longest time that the other goal is pursued
EARLY_SHARE, LATE_SHARE = (0.1, 0.8), (1.2, 2.0)  # of the end of the program's goal
LONGEST_GOAL = 8.0  # s, largest expected time of a goal in a random program
# Ends of random goals; the shortest are long enough to be measured.
END_RANGES = {"seconds": (1.5, 6.0), "meters": (0.5, 6.0), "degrees": (30, 270)}
PLACE_SHARE, POSTURE_SHARE = 0.3, 0.3  # of the random goals
FURTHEST = 5.0  # m, of a random place
START = Progress(0.0, Pose(), Pose(), 0.0, 0.0)


@dataclass(frozen=True)
class Trial:
    """A program, and the disturbance of the body that pursues it.

    Args:
        goals: of the program, which are measured.
        executed: goals that the body pursues instead, one for each.
        seed: of the body's first pose.
        shove_seconds: time of the shove; None for no shove.
        shove: velocity in the world frame that the shove adds, m/s.
    """

    goals: tuple[Goal, ...]
    executed: tuple[Goal, ...]
    seed: int
    shove_seconds: float | None = None
    shove: tuple[float, float] = (0.0, 0.0)


def random_program(rng: np.random.Generator, body: Body, count: int) -> tuple[Goal, ...]:
    """`count` goals that the body can do, each with an end."""
    return tuple(random_goal(rng, body) for _ in range(count))


def random_goal(rng: np.random.Generator, body: Body) -> Goal:
    """A named skill with an end that it should reach within LONGEST_GOAL, a place, home or the initial heading."""
    if rng.random() < PLACE_SHARE:
        skill = str(rng.choice(PLACE_SKILLS))
        return random_place(rng, body) if skill == "go_to" else Goal.from_skill(skill, **random_posture(rng, body))
    posture, speed = random_posture(rng, body), str(rng.choice(SPEEDS))
    while True:
        goal = Goal.from_skill(str(rng.choice(list(SKILLS))), speed, **posture)
        assert isinstance(goal, VelocityGoal)
        kind = rng.choice(["seconds", *["meters"] * bool(goal.vx or goal.vy), *["degrees"] * bool(goal.wz)])
        goal = replace(goal, **{kind: float(rng.uniform(*END_RANGES[kind]))}).on_grid()
        if body.supports(goal) and expected_seconds(goal) <= LONGEST_GOAL:
            return goal


def random_place(rng: np.random.Generator, body: Body) -> Goal:
    """A place within FURTHEST, at any bearing."""
    ahead, left = planar(rng.uniform(0.5, FURTHEST), rng.uniform(-math.pi, math.pi)).tolist()
    return Goal.to(ahead, left, str(rng.choice(SPEEDS)), **random_posture(rng, body)).on_grid()


def random_posture(rng: np.random.Generator, body: Body) -> dict[str, str]:
    """Height and arms, usually normal and at rest."""
    if rng.random() > POSTURE_SHARE:
        return {}
    return {"height": str(rng.choice(body.heights)), "arms": str(rng.choice(body.arms))}


def expected_seconds(goal: Goal) -> float:
    """How long a goal should take. For a goal that leads back this is a guess, because it depends on earlier goals."""
    return goal.expected_seconds(START)


def _least_seconds(goal: Goal) -> float:
    """The expected time, without the half turn of a goal that leads to a place: it may not need it."""
    return expected_seconds(goal) - (math.pi / TURN_RATE if isinstance(goal, PlaceGoal | HomeGoal) else 0.0)


def disturbed(goals: Sequence[Goal], disturbance: str, seed: int) -> Trial:
    """A trial in which a random one of the goals is disturbed in this way. All goals must have an end."""
    rng = np.random.default_rng(seed)
    executed, number = list(goals), int(rng.integers(len(goals)))
    goal = executed[number]
    trial = Trial(tuple(goals), tuple(goals), seed)
    if disturbance == "shove":
        seconds = sum(map(_least_seconds, goals[:number])) + rng.uniform(0.3, 1.0) * max(_least_seconds(goal), 1.0)
        direction, speed = rng.uniform(0, 2 * math.pi), rng.uniform(*SHOVE_SPEED)
        x, y = planar(speed, direction).tolist()
        return replace(trial, shove_seconds=seconds, shove=(x, y))
    if disturbance == "swap":
        others = [Goal.from_skill(skill) for skill in SKILLS if skill != goal.skill and not skill.startswith("run")]
        seconds = min(SWAP_SECONDS, max(1.0, expected_seconds(goal)))
        executed[number] = replace(others[rng.integers(len(others))], seconds=seconds)
    elif disturbance in ("early", "late"):
        timed = isinstance(goal, VelocityGoal) and goal.seconds
        share = rng.uniform(*(EARLY_SHARE if disturbance == "early" or timed else LATE_SHARE))
        executed[number] = _scaled(goal, share)
    return replace(trial, executed=tuple(executed))


def _scaled(goal: Goal, share: float) -> Goal:
    """The goal with this share of its end. A goal that leads back is replaced by standing."""
    if isinstance(goal, PlaceGoal):
        return replace(goal, ahead=share * goal.ahead, left=share * goal.left)
    if not isinstance(goal, VelocityGoal):
        return Goal(seconds=1.0)
    assert goal.end is not None
    kind, amount = goal.end
    return replace(goal, **{kind: max(share * amount, 0.1 if kind != "degrees" else 1.0)})


def run_trials(
    actor: Actor,
    trials: Sequence[Trial],
    judge: Judge | None = None,
    max_corrections: int = 0,
    num_threads: int | None = None,
) -> list[Pursuit]:
    """Run all trials; returns their pursuits. With a judge, each goal is corrected at most `max_corrections` times."""
    pursuits = [Pursuit(trial.goals, actor.body, trial.executed, judge, max_corrections) for trial in trials]
    # The bodies of a batch should be done at about the same time.
    order = sorted(range(len(trials)), key=lambda index: sum(map(expected_seconds, trials[index].goals)))
    for first in tqdm(range(0, len(order), BATCH), desc="trials", unit="batch", leave=False):
        batch = order[first : first + BATCH]
        _run_batch(actor, [trials[index] for index in batch], [pursuits[index] for index in batch], num_threads)
    return pursuits


def _run_batch(actor: Actor, trials: list[Trial], pursuits: list[Pursuit], num_threads: int | None) -> None:
    envs = make_vector_env(len(trials), num_threads, actor.body.name, max_episode_steps=NEVER)
    rollout = Rollout.start(actor, envs, [trial.seed for trial in trials], [pursuit.command for pursuit in pursuits])
    seconds = np.array([np.inf if trial.shove_seconds is None else trial.shove_seconds for trial in trials])
    shove_steps = np.round(seconds / actor.body.control_seconds)
    shoves = np.array([trial.shove for trial in trials])
    number = 0
    while not all(pursuit.over for pursuit in pursuits):
        rows = np.flatnonzero(shove_steps == number)
        envs.push(rows, shoves[rows])
        step = rollout.step()
        # A list, so that every pursuit counts the step.
        if any([pursuit.add(*each) for pursuit, *each in zip(pursuits, step.observation, step.fell, strict=True)]):
            rollout.prompt([pursuit.command for pursuit in pursuits])
        number += 1
    envs.close()

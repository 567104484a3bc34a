"""Lessons in judging: recorded motion from a dataset, measured against goals that may have been asked for.

Every stretch of an episode is an outcome of many goals: of the commanded one, ended in time, too early or too late;
and of any other, as when a body mistakes its goal. The labels come from the simulator's numbers
(`agent.feedback.outcomes.cause` and `repairs`), so one recorded step serves many lessons.

Shapes: T steps, S observation.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.bodies import Body, find_body
from agent.data import schema
from agent.feedback.outcomes import GoalOutcome, cause
from agent.feedback.pursuit import measure
from agent.goals import AMOUNTS, SKILLS, SPEEDS, Goal

HELD_OUT_EVERY = 10
STRETCH_SECONDS = (0.6, 6.0)
OTHER_SHARE = 0.3  # of the goals that differ from the command
# Share of the lessons in which the body reached the end of the goal, came near it, stopped early, or went too far.
ENDINGS = {"reached": 0.45, "near": 0.2, "early": 0.2, "late": 0.15}
MET_SHARE, FALL_SHARE = 0.45, 0.05  # of the lessons


def draw(folder: Path, count: int, seed: int, held_out: bool = False) -> list[GoalOutcome]:
    """`count` outcomes from a dataset, with the shares of verdicts that lessons need.

    Held-out outcomes come from every tenth episode, the rest from the other episodes.

    Raises:
        ValueError: the folder has no dataset, one of another goal vocabulary, or no episode that is long enough.
    """
    body = find_body(schema.read_info(folder)["body"])
    rng = np.random.default_rng(seed)
    episodes = [episode for shard in schema.read_shards(folder) for episode in _episodes(shard, body)]
    long = len(episodes)
    episodes = [each for place, each in enumerate(episodes) if (place % HELD_OUT_EVERY == 0) == held_out]
    if not episodes:
        raise ValueError(
            f"{folder} has {long} episodes of more than {STRETCH_SECONDS[1]:g} s, lessons need 2: "
            f"collect more, with --shard_steps above {round(STRETCH_SECONDS[1] / body.control_seconds)}"
        )
    found = []
    for _ in range(count):
        wanted = rng.choice(["met", "fall", "missed"], p=[MET_SHARE, FALL_SHARE, 1 - MET_SHARE - FALL_SHARE])
        for _ in range(100):  # a dataset may be without falls
            outcome = _outcome(rng, body, *episodes[rng.integers(len(episodes))], fall=wanted == "fall")
            verdict = cause(outcome)
            if wanted == (verdict if verdict in ("met", "fall") else "missed"):
                break
        found.append(outcome)
    return found


def _episodes(shard: schema.Shard, body: Body) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """Of each long episode: observations after each step [T, S], commands [T, 3], and whether it ended in a fall."""
    ends = np.flatnonzero(shard["next.done"]) + 1
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        if (end - begin) * body.control_seconds > STRETCH_SECONDS[1]:
            rows = slice(begin + 1, end)
            yield (
                shard["observation.state"][rows],
                shard["goal.command"][rows],
                bool(shard["next.terminated"][end - 1]),
            )


def _outcome(
    rng: np.random.Generator, body: Body, observations: np.ndarray, commands: np.ndarray, terminated: bool, fall: bool
) -> GoalOutcome:
    steps = round(rng.uniform(*STRETCH_SECONDS) / body.control_seconds)
    fell = fall and terminated
    begin = len(observations) - steps if fell else int(rng.integers(len(observations) - steps + 1))
    stretch = observations[begin : begin + steps]
    goal = Goal(*commands[begin + steps // 2].astype(float).round(1).tolist())
    if rng.random() < OTHER_SHARE:
        goal = Goal.from_skill(rng.choice(list(SKILLS)), rng.choice(SPEEDS))
    outcome = measure(goal, stretch, body, fell)
    return replace(outcome, goal=_with_end(rng, outcome))


def _with_end(rng: np.random.Generator, outcome: GoalOutcome) -> Goal:
    """The goal with an end that the body reached, or missed by a little or a lot."""
    goal, done = outcome.goal, {"seconds": outcome.seconds}
    if goal.vx or goal.vy:
        done["meters"] = outcome.meters
    if goal.wz:
        done["degrees"] = outcome.degrees * math.copysign(1, goal.wz)
    kind = rng.choice(list(done))
    ending = rng.choice(list(ENDINGS), p=list(ENDINGS.values()))
    share = {
        "reached": 1.0,
        "near": rng.uniform(0.75, 1.3),
        "early": rng.uniform(1.1, 6),
        "late": rng.uniform(0.3, 0.9),
    }
    amount = done[kind] * share[ending]
    if kind == "seconds":
        amount = done[kind] * (share["early"] if ending == "early" else 1.0)  # no goal that ends by time is late
    elif amount <= 0:
        amount = rng.uniform(0.5, 4.0) if kind == "meters" else rng.uniform(30, 180)
    least, most = float(AMOUNTS[kind][0]), float(AMOUNTS[kind][-1])
    return replace(goal, **{kind: min(max(amount, least), most)})

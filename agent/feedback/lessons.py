"""Training examples for judging: recorded motion from a dataset, measured against goals that could have been given.

Every stretch of an episode can be the outcome of many goals: of the commanded goal, ended on time, too early or too
late; of a different goal, as if the body pursued the wrong one; and of places and headings near the end of the stretch
or far from it. A lesson is one such outcome. Its labels are computed by rule (`agent.feedback.outcomes.cause` and
`repairs`), so one recorded step serves in many examples.

Shapes: T steps, S observation.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.bodies import Body, find_body
from agent.data import schema
from agent.feedback.outcomes import GoalOutcome, cause, ended
from agent.feedback.pursuit import measure
from agent.feedback.trials import random_goal
from agent.goals import AMOUNTS, Goal, PlaceGoal, Pose, VelocityGoal, clamp, rotate

HELD_OUT_EVERY = 10
STRETCH_SECONDS = (0.6, 6.0)
OTHER_SHARE = 0.7  # of the lessons, measured against a random goal instead of the commanded one
# Largest distance of a place (m) and a heading (degrees) from the end of the stretch that is measured against them.
MISSES = ((0.2, 8.0), (0.6, 30.0), (3.0, 180.0))
# Share of the lessons in which the body reached the end of the goal, came near it, stopped early, or went too far.
ENDINGS = {"reached": 0.45, "near": 0.2, "early": 0.2, "late": 0.15}
MET_SHARE, FALL_SHARE = 0.45, 0.05  # of the lessons
BESIDE_SHARE, BESIDE_METERS = 0.25, 1.5  # of the straight walks, moved to the side by at most as much


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
        for _ in range(100):  # not forever: a dataset may have no falls
            outcome = _outcome(rng, body, *episodes[rng.integers(len(episodes))], fall=wanted == "fall")
            verdict = cause(outcome)
            if wanted == (verdict if verdict in ("met", "fall") else "missed"):
                break
        found.append(outcome)
    return found


def _episodes(shard: schema.Shard, body: Body) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """For each long episode: observations after each step [T, S], commands [T, 5], and whether it ended in a fall."""
    for begin, end in zip(*schema.episode_bounds(shard["next.done"]), strict=True):
        if (end - begin) * body.control_seconds > STRETCH_SECONDS[1]:
            yield (
                shard["observation.state"][begin + 1 : end],
                shard["goal.command"][begin : end - 1],
                bool(shard["next.terminated"][end - 1]),
            )


def _outcome(
    rng: np.random.Generator, body: Body, observations: np.ndarray, commands: np.ndarray, terminated: bool, fall: bool
) -> GoalOutcome:
    steps = round(rng.uniform(*STRETCH_SECONDS) / body.control_seconds)
    fell = fall and terminated
    begin = len(observations) - steps if fell else int(rng.integers(len(observations) - steps + 1))
    stretch = observations[begin : begin + steps]
    goal: Goal = Goal.from_command(commands[begin + steps // 2])
    if rng.random() < OTHER_SHARE:
        goal = random_goal(rng, body)
    outcome = measure(goal, stretch, body, fell)
    if isinstance(goal, VelocityGoal):
        outcome = replace(outcome, goal=_with_end(rng, outcome, goal))
        return _beside(rng, outcome, goal) if goal.straight and rng.random() < BESIDE_SHARE else outcome
    return _near(rng, outcome)


def _near(rng: np.random.Generator, outcome: GoalOutcome) -> GoalOutcome:
    """The outcome of a place or a heading that the body came to, or missed by a little or a lot."""
    goal, pose = outcome.goal, outcome.progress.pose
    meters, degrees = MISSES[rng.integers(len(MISSES))]
    x, y = rotate(rng.uniform(0, meters), 0.0, rng.uniform(-math.pi, math.pi))
    target = pose.after(Pose(x, y, math.radians(rng.uniform(-degrees, degrees))))
    if isinstance(goal, PlaceGoal):
        far = float(AMOUNTS["place"][-1])
        return replace(outcome, goal=replace(goal, ahead=clamp(target.x, far), left=clamp(target.y, far)).on_grid())
    return replace(outcome, progress=outcome.progress._replace(home=target))


def _beside(rng: np.random.Generator, outcome: GoalOutcome, goal: VelocityGoal) -> GoalOutcome:
    """The outcome of a straight walk, moved away from its line by a little or a lot."""
    pose = outcome.progress.pose
    x, y = rotate(0.0, rng.uniform(-BESIDE_METERS, BESIDE_METERS), math.atan2(goal.vy, goal.vx))
    return replace(outcome, progress=outcome.progress._replace(pose=pose._replace(x=pose.x + x, y=pose.y + y)))


def _with_end(rng: np.random.Generator, outcome: GoalOutcome, goal: VelocityGoal) -> VelocityGoal:
    """The goal with an end that the body reached, or missed by a little or a lot."""
    done, progress = {"seconds": outcome.seconds}, outcome.progress
    if goal.straight:
        done["meters"] = (goal.vx * progress.pose.x + goal.vy * progress.pose.y) / math.hypot(goal.vx, goal.vy)
    elif goal.vx or goal.vy:
        done["meters"] = progress.meters
    if goal.skill.startswith(("turn", "curve")):
        done["degrees"] = progress.degrees * math.copysign(1, goal.wz)
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
        amount = done[kind] * (share["early"] if ending == "early" else 1.0)  # a goal that ends by time is never late
    elif amount <= 0:
        amount = rng.uniform(0.5, 4.0) if kind == "meters" else rng.uniform(30, 180)
    return ended(goal, kind, amount)

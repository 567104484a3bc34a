"""Evaluation of an actor on programs that lead to places: whether it arrives, keeps its line, returns and stays
upright.

Everything is measured by the simulator's ground truth, not by the odometry that steers. Shapes: N bodies.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from tqdm import tqdm

from agent.bodies import Body
from agent.evaluation.suites import mean_of, random_goals
from agent.feedback.pursuit import Pursuit
from agent.feedback.trials import FURTHEST, random_place, random_program
from agent.goals import CRUISE, HEADING_TOLERANCE, PLACE_TOLERANCE, Goal, PlaceGoal, Pose, VelocityGoal, wrap
from agent.simulation.curriculum import control_steps
from agent.simulation.heading import yaw
from agent.simulation.physics import BodyState
from agent.simulation.rollouts import Actor, Rollout
from agent.simulation.vector_env import NEVER, make_vector_env, planar

# Goals that keep a line.
LINES = (
    VelocityGoal(1.0, meters=20),
    VelocityGoal(2.4, meters=30),
    VelocityGoal(-0.4, meters=5),
    VelocityGoal(0.0, 0.4, meters=5),
    VelocityGoal(0.0, -0.4, meters=5),
)
LINE_METERS, LINE_DEGREES = 0.3, 5.0  # largest deviation from a line that counts as kept
SQUARE = (VelocityGoal(1.0, meters=3), VelocityGoal(0.0, 0.0, 0.8, degrees=90)) * 4
PLACES = 5  # per episode
HOME_METERS = 0.3  # from home or the start of a square, within which it counts as reached
REST_SECONDS = 1.5  # from the end of a program until the body stands still
JOURNEY_SECONDS = 240.0  # more than any of these programs should take

ADAPT_SECONDS, ADAPT_GOAL_SECONDS = 20.0, (5.0, 10.0)
ADAPT_BATCH = 256  # bodies at a time
ADAPT_PLACES = 0.3  # share of the goals


class Journey:
    """One body's pursuit of a program, by ground truth, until it rests. Poses are seen from where it began."""

    def __init__(self, pursuit: Pursuit, pose: Pose):
        self.pursuit = pursuit
        self.fell = False
        self.ends: list[Pose] = []  # at the end of each goal
        self.meters = 0.0  # of the program's path
        self._start = self._pose = pose  # in the world
        self._steps = 0  # of the program
        self._rest_steps = round(REST_SECONDS / pursuit.body.control_seconds)  # still to come after the program

    @property
    def seconds(self) -> float:
        """Duration of the program."""
        return self._steps * self.pursuit.body.control_seconds

    @property
    def drift(self) -> Pose:
        """Error of the odometry at the end of the program."""
        return Pose(*np.subtract(self.pursuit.odometry.pose, self.ends[-1]).tolist())

    @property
    def rested(self) -> bool:
        """Whether REST_SECONDS have passed since the end of the program."""
        return self._rest_steps == 0

    @property
    def rest(self) -> Pose:
        """Where it rests; until then, where it is."""
        return self._pose.seen_from(self._start)

    def add(self, observation: np.ndarray, pose: Pose, fell: bool) -> bool:
        """Count a step that led to an observation [S] and a pose in the world. Returns whether the command changes."""
        if self.rested:
            return False
        before, self._pose = self._pose, _continued(self._pose, pose)
        self.fell |= fell
        if self.pursuit.over:
            self._rest_steps -= 1
            return False
        self._steps += 1
        self.meters += math.hypot(self._pose.x - before.x, self._pose.y - before.y)
        changed = self.pursuit.add(observation, fell)
        if len(self.pursuit.outcomes) > len(self.ends):
            self.ends.append(self.rest)
        return changed


Row = dict[str, float | None]  # the measures of some programs
Measure = Callable[[list[Journey], int], Row]  # of the journeys without a fall, and of the number of all journeys


def _continued(before: Pose, now: Pose) -> Pose:
    """The pose `now` after the pose `before`, with a heading that may go beyond ±pi. A simulation that diverged leaves
    a body where it was.
    """
    x, y, heading = (new if math.isfinite(new) else old for new, old in zip(now, before, strict=True))
    return Pose(x, y, before.heading + wrap(heading - before.heading))


def run_journeys(
    actor: Actor, programs: Sequence[Sequence[Goal]], seed: int, num_threads: int | None = None
) -> list[Journey]:
    """Let one body pursue each program, and record its true poses."""
    body = actor.body
    envs = make_vector_env(len(programs), num_threads, body.name, max_episode_steps=NEVER, autoreset=False)
    pursuits = [Pursuit(program, body) for program in programs]
    rollout = Rollout.start(actor, envs, seed, [pursuit.command for pursuit in pursuits])
    journeys = [Journey(pursuit, pose) for pursuit, pose in zip(pursuits, _poses(envs.state), strict=True)]
    for _ in tqdm(range(round(JOURNEY_SECONDS / body.control_seconds)), desc="measure", unit="step", leave=False):
        step = rollout.step()
        found = zip(journeys, step.observation, _poses(envs.final_state), step.fell.tolist(), strict=True)
        # A list, because every body counts the step.
        changed = any([journey.add(seen, pose, fell) for journey, seen, pose, fell in found])
        if all(journey.rested for journey in journeys):
            break
        if changed:
            rollout.prompt([pursuit.command for pursuit in pursuits])
    envs.close()
    return [journey for journey in journeys if journey.pursuit.over]


def _poses(state: BodyState) -> list[Pose]:
    """Where the bodies are in the world."""
    return [Pose(*row) for row in np.column_stack([state.qpos[:, :2], yaw(state.qpos)]).tolist()]


def measure_places(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """How well places are reached, lines kept and the start found again, by ground truth; places and home at rest.

    The rows: PLACES random places per episode, at any bearing; LINES; home and the initial heading after random
    programs of four goals; squares. `odometry` is the error of the odometry at the end of a program.
    """
    rng, body = np.random.default_rng(seed), actor.body
    angles, ways = rng.uniform(-math.pi, math.pi, PLACES * episodes), rng.uniform(0.5, FURTHEST, PLACES * episodes)
    places = [Goal.to(*planar(way, angle).tolist()) for way, angle in zip(ways, angles, strict=True)]
    homes = [(*random_program(rng, body, 4), Goal.home(), Goal.face_start()) for _ in range(episodes)]
    # Text of a row -> its programs, and what measures the journeys without a fall.
    cases: dict[str, tuple[Sequence[Sequence[Goal]], Measure]] = {
        f"places within {FURTHEST:g} m": ([(goal,) for goal in places], _measure_places),
        **{line.text: ([(line,)] * episodes, _measure_lines) for line in LINES if body.supports(line)},
        "home after four goals": (homes, _measure_homes),
        "square of 3 m": ([SQUARE] * episodes, _measure_squares),
    }
    rows, standing = [], []
    for text, (programs, measure) in cases.items():
        journeys = run_journeys(actor, programs, seed, num_threads)
        row = {"text": text, "episodes": len(programs), "survival": mean_of([not each.fell for each in journeys])}
        stood = [each for each in journeys if not each.fell]
        rows.append(row | measure(stood, len(programs)))
        standing += stood
    off = [100 * math.hypot(each.drift.x, each.drift.y) / max(each.meters, 0.5) for each in standing]
    turn = [abs(math.degrees(each.drift.heading)) / each.seconds * 60 for each in standing]
    odometry = {"percent_of_way": mean_of(off), "degrees_per_minute": mean_of(turn)}
    return {"rows": rows, "odometry": odometry}


def _measure_places(journeys: list[Journey], count: int) -> Row:
    """How near to the place the body comes to rest, and how long it takes."""
    errors, extra, ratios = [], [], []
    for each in journeys:
        (goal,) = each.pursuit.goals
        assert isinstance(goal, PlaceGoal)
        errors.append(math.hypot(each.rest.x - goal.ahead, each.rest.y - goal.left))
        straight = math.hypot(goal.ahead, goal.left) / CRUISE[goal.speed]
        ratios.append(each.seconds / straight)
        extra.append(each.seconds - 1.5 * straight)
    return {
        "reached": sum(error <= PLACE_TOLERANCE for error in errors) / count,
        "error_m": mean_of(errors),
        "seconds_over_straight": float(np.median(ratios)) if ratios else None,
        "seconds_beyond_1.5_straight": float(np.median(extra)) if extra else None,
    }


def _measure_lines(journeys: list[Journey], count: int) -> Row:
    """Deviations at the line's end. `kept` is the share within 0.3 m and 5 degrees; the others are 95 % quantiles."""
    pairs = []
    for each in _finished(journeys):
        (goal,), (end,) = each.pursuit.goals, each.ends
        assert isinstance(goal, VelocityGoal)
        along = math.hypot(goal.vx, goal.vy)
        pairs.append((abs(goal.vx * end.y - goal.vy * end.x) / along, abs(math.degrees(end.heading))))
    kept = sum(meters <= LINE_METERS and degrees <= LINE_DEGREES for meters, degrees in pairs)
    meters, degrees = (_high(values) for values in zip(*pairs, strict=True)) if pairs else (None, None)
    return {"kept": kept / count, "lateral_m": meters, "heading_deg": degrees}


def _measure_squares(journeys: list[Journey], count: int) -> Row:
    """As for the way home, but a square has no goal for the final heading."""
    return _measure_homes(_finished(journeys), count)


def _measure_homes(journeys: list[Journey], count: int) -> Row:
    """How far from the start, and from the heading there, the body comes to rest."""
    off = [math.hypot(each.rest.x, each.rest.y) for each in journeys]
    turn = [abs(math.degrees(wrap(each.rest.heading))) for each in journeys]
    return {
        "reached": sum(meters <= HOME_METERS for meters in off) / count,
        "error_m": mean_of(off),
        "faced": sum(degrees <= HEADING_TOLERANCE for degrees in turn) / count,
        "heading_deg": _high(turn),
    }


def _finished(journeys: list[Journey]) -> list[Journey]:
    """The journeys on which no goal timed out."""
    return [each for each in journeys if not any(outcome.timed_out for outcome in each.pursuit.outcomes)]


def _high(values: Sequence[float]) -> float | None:
    """The 95 % quantile; None if there are no values."""
    return float(np.quantile(values, 0.95)) if len(values) else None


def measure_adapt(actor: Actor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """Share of rollouts of 20 s survived with a new random goal, place or posture every 5 to 10 s: the protocol of
    ADAPT (arXiv:2609.00677), which has 2,048 rollouts.
    """
    rng, body = np.random.default_rng(seed), actor.body
    survived = [
        _adapt(actor, min(ADAPT_BATCH, episodes - first), rng, body, num_threads)
        for first in range(0, episodes, ADAPT_BATCH)
    ]
    return {"episodes": episodes, "survival": float(np.concatenate(survived).mean())}


def _adapt(actor: Actor, count: int, rng: np.random.Generator, body: Body, num_threads: int | None) -> np.ndarray:
    """Which bodies [N] of a batch still stand at the end."""
    envs = make_vector_env(count, num_threads, body.name, max_episode_steps=NEVER, autoreset=False)
    pursuits = [Pursuit((goal,), body) for goal in _adapt_goals(rng, count, body)]
    rollout = Rollout.start(actor, envs, int(rng.integers(2**31)), [pursuit.command for pursuit in pursuits])
    times = control_steps(ADAPT_GOAL_SECONDS, body)
    left = rng.integers(*times, count, endpoint=True)
    alive = np.ones(count, dtype=bool)
    for _ in tqdm(range(round(ADAPT_SECONDS / body.control_seconds)), desc="adapt", unit="step", leave=False):
        step = rollout.step()
        alive &= ~step.fell
        left -= 1
        changed = any(
            [pursuit.add(*each) for pursuit, *each in zip(pursuits, step.observation, step.fell, strict=True)]
        )
        due = np.flatnonzero(left <= 0)
        for row, goal in zip(due, _adapt_goals(rng, len(due), body), strict=True):
            pursuits[row], left[row] = Pursuit((goal,), body), rng.integers(*times, endpoint=True)
        if changed or len(due):
            rollout.prompt([pursuit.command for pursuit in pursuits])
    envs.close()
    return alive


def _adapt_goals(rng: np.random.Generator, count: int, body: Body) -> list[Goal]:
    places, velocities = rng.random(count) < ADAPT_PLACES, random_goals(rng, count, body)
    return [random_place(rng, body) if place else goal for place, goal in zip(places, velocities, strict=True)]

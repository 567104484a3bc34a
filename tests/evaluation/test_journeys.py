"""Places, lines and the way back, with a body that goes exactly where it is told: no physics."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from agent.bodies.humanoid import HUMANOID
from agent.evaluation import journeys
from agent.evaluation.journeys import measure_adapt, measure_places, run_journeys
from agent.goals import Goal
from agent.simulation.heading import heading_observation
from agent.simulation.vector_env import GoalVectorEnv


class Obedient:
    """Bodies that move as they are told, and the env that they are in."""

    body = HUMANOID

    def reset(self):
        pass

    def prompt(self, goals):
        self.told = np.array([goal.velocity for goal in goals])

    def act(self, observation):
        return self.told


class Plane(GoalVectorEnv):
    """What `run_journeys` needs of a GoalVectorEnv; actions are velocities."""

    goals = None

    def __init__(self, count, *_, **__):
        self.qpos, self.qvel = np.zeros((count, 24)), np.zeros((count, 23))
        self.qpos[:, 2], self.qpos[:, 3] = 1.3, 1.0

    @property
    def state(self):
        return SimpleNamespace(qpos=self.qpos.copy())

    final_state = state

    def reset(self, seed, options):
        return heading_observation(self.qpos, self.qvel), {}

    def step(self, velocity):
        heading = 2 * np.arctan2(self.qpos[:, 6], self.qpos[:, 3])
        vx, vy, wz = velocity.T
        cos, sin = np.cos(heading), np.sin(heading)
        self.qvel[:, 0], self.qvel[:, 1], self.qvel[:, 5] = cos * vx - sin * vy, sin * vx + cos * vy, wz
        self.qpos[:, :2] += HUMANOID.control_seconds * self.qvel[:, :2]
        heading = heading + HUMANOID.control_seconds * wz
        self.qpos[:, 3], self.qpos[:, 6] = np.cos(heading / 2), np.sin(heading / 2)
        nothing = np.zeros(len(velocity), dtype=bool)
        return heading_observation(self.qpos, self.qvel), nothing, nothing, nothing, {}

    def close(self):
        pass


@pytest.fixture(autouse=True)
def plane(monkeypatch):
    monkeypatch.setattr(journeys, "make_vector_env", Plane)


class Still(Obedient):
    def act(self, observation):
        return np.zeros_like(self.told)


@pytest.mark.slow
def test_a_body_that_stands_keeps_no_line_and_walks_no_square(monkeypatch):
    monkeypatch.setattr(journeys, "PLACES", 1)
    monkeypatch.setattr(journeys, "LINES", (Goal(1.0, meters=1),))
    monkeypatch.setattr(journeys, "SQUARE", journeys.SQUARE[:2])
    _, line, _, square = measure_places(Still(), episodes=1, seed=0)["rows"]
    assert line["kept"] == square["reached"] == 0.0


def test_a_journey_is_measured_at_the_end_of_each_goal_and_at_rest():
    goals = Goal(1.0, meters=2), Goal(0.0, 0.0, 0.8, degrees=90), Goal.home()
    (journey,) = run_journeys(Obedient(), [goals], 0)
    ahead, turned, home = journey.ends
    assert not journey.fell and ahead.x == pytest.approx(2.0, abs=0.05)
    assert np.degrees(turned.heading) == pytest.approx(90, abs=3)
    assert np.hypot(home.x, home.y) < 0.2 and np.hypot(journey.rest.x, journey.rest.y) < 0.2
    assert np.hypot(journey.drift.x, journey.drift.y) < 0.1
    assert journey.meters > 3


def test_a_body_that_does_as_it_is_told_reaches_every_place_and_keeps_every_line(monkeypatch):
    monkeypatch.setattr(journeys, "PLACES", 4)
    monkeypatch.setattr(journeys, "LINES", tuple(replace(line, meters=2) for line in journeys.LINES))
    found = measure_places(Obedient(), episodes=2, seed=0)
    places, *lines, home, square = found["rows"]
    assert places["reached"] == home["reached"] == square["reached"] == 1.0
    assert places["episodes"] == 8 and places["error_m"] < 0.25 and places["seconds_over_straight"] < 5
    assert len(lines) == 5 and all(line["kept"] == 1.0 for line in lines)
    assert home["faced"] == 1.0
    assert found["odometry"]["percent_of_way"] < 2


def test_rollouts_with_new_goals_count_who_stands_at_the_end(monkeypatch):
    monkeypatch.setattr(journeys, "ADAPT_SECONDS", 3.0)
    monkeypatch.setattr(journeys, "ADAPT_GOAL_SECONDS", (0.5, 1.0))
    assert measure_adapt(Obedient(), episodes=3, seed=0) == {"episodes": 3, "survival": 1.0}


def test_a_fall_before_the_body_rests_counts(monkeypatch):
    class Falling(Plane):
        def step(self, velocity):
            observation, _, _, nothing, info = super().step(velocity)
            return observation, nothing, (self.qpos[:, 0] > 0.4) & (velocity == 0).all(1), nothing, info

    monkeypatch.setattr(journeys, "make_vector_env", Falling)
    (journey,) = run_journeys(Obedient(), [(Goal(1.0, meters=0.6),)], 0)
    assert journey.fell and not journey.pursuit.fell

"""A humanoid in real time; the tests let the time pass faster where it does not matter."""

import itertools
import math
import time

import numpy as np
import pytest
from conftest import ROOT

from agent import live
from agent.goals import Goal
from agent.live import LiveHumanoid
from agent.motor_agent import MotorAgent
from agent.simulation.env import CONTROL_SECONDS, heading_velocity

MOMENT = live.MOMENT_STEPS * CONTROL_SECONDS


@pytest.fixture(scope="module")
def agent():
    return MotorAgent.from_pretrained(ROOT / "pretrained" / "humanoid")


@pytest.fixture
def humanoid(agent, monkeypatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    return LiveHumanoid(agent, seed=0)


def after(humanoid: LiveHumanoid, seconds: float) -> live.Moment:
    """The moment `seconds` of simulation later."""
    return next(itertools.islice(humanoid.play(), round(seconds / MOMENT) - 1, None))


def test_time_passes_as_it_does_for_us(agent):
    begun = time.monotonic()
    moment = after(LiveHumanoid(agent, seed=0), 1.2)
    assert moment.seconds == pytest.approx(1.2)
    assert time.monotonic() - begun >= 1.19


def test_it_goes_on_from_where_it_is_when_it_is_told_something_else(humanoid):
    humanoid.instruct("walk forward")
    moment = after(humanoid, 3)
    assert moment.command == (1.0, 0.0, 0.0) and moment.velocity[0] > 0.5
    place = humanoid.data.qpos[:2].copy()
    humanoid.instruct(Goal(wz=0.8, degrees=90))
    moment = after(humanoid, 1.5)
    assert moment.command == (0.0, 0.0, 0.8) and moment.velocity[2] > 0.4
    assert np.linalg.norm(humanoid.data.qpos[:2] - place) < 1.5
    moment = after(humanoid, 2)
    assert moment.reached == 1 and moment.command == (0, 0, 0) and "all 1 goals met" in moment.notice.text


def test_what_is_refused_changes_nothing_and_says_why(humanoid):
    humanoid.instruct(Goal(1.0))
    humanoid.instruct("jump over the moon")
    moment = after(humanoid, 0.12)
    assert moment.notice.refused and "cannot do that" in moment.notice.text
    assert moment.command == (1.0, 0.0, 0.0)


def test_a_push_changes_the_velocity_of_the_body_by_what_it_is_worth(humanoid):
    after(humanoid, 0.6)
    before = humanoid.data.qvel.copy()
    humanoid.push(0.7, direction=math.pi / 2)
    humanoid._orders.get()()  # and no step after it
    assert np.linalg.norm(humanoid.data.qvel - before) == pytest.approx(0.7)
    change = heading_velocity(humanoid.data.qpos, humanoid.data.qvel) - heading_velocity(humanoid.data.qpos, before)
    assert change == pytest.approx([0, 0.7, 0], abs=1e-9)
    assert after(humanoid, 0.06).notice.text == "Pushed to its left by 0.7 m/s."


def test_after_a_fall_it_lies_for_a_moment_and_stands_up_waiting(humanoid):
    humanoid.instruct(Goal(1.0))
    after(humanoid, 0.6)
    humanoid.data.qpos[2] -= 0.5
    moment = after(humanoid, 0.6)
    assert moment.notice.text.startswith("It fell") and moment.command == (0, 0, 0)
    moment = after(humanoid, live.LYING_SECONDS)
    assert "stands again" in moment.notice.text and humanoid.data.qpos[2] > 1.2
    humanoid.instruct(Goal(wz=0.8))
    assert after(humanoid, 1.2).velocity[2] > 0.3


def test_two_around_the_same_weights_do_what_each_does_alone(agent, monkeypatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    goals = [Goal(1.0), Goal(0.0, 0.0, 0.8)]
    alone = [LiveHumanoid(agent, seed=seed) for seed in range(2)]
    together = [LiveHumanoid(agent, seed=seed) for seed in range(2)]
    for each, goal in zip(alone + together, goals * 2, strict=True):
        each.instruct(goal)
    expected = [after(each, 1.2).poses for each in alone]
    for moments in itertools.islice(zip(*(each.play() for each in together), strict=True), round(1.2 / MOMENT)):
        last = moments
    assert all(np.array_equal(moment.poses, poses) for moment, poses in zip(last, expected, strict=True))


def test_another_agent_takes_the_body_over(humanoid, agent):
    humanoid.instruct(Goal(1.0))
    after(humanoid, 1.2)
    humanoid.hand_over(agent, "me/other")
    moment = after(humanoid, 1.2)
    assert moment.notice.text == "me/other moves it now." and moment.command == (0, 0, 0)
    assert humanoid.data.qpos[2] > 1.1


def test_only_the_last_seconds_are_remembered(humanoid):
    after(humanoid, 0.6)
    assert len(humanoid.past) == 20
    assert humanoid.past.maxlen == 333

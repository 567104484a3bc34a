"""An agent in real time; the tests let the time pass faster where it does not matter."""

import itertools
import math
import time

import numpy as np
import pytest
from conftest import SHIPPED

from agent import live
from agent.bodies.humanoid import HUMANOID
from agent.goals import Goal
from agent.live import LiveAgent
from agent.motor_agent import MotorAgent
from agent.simulation.heading import heading_velocity

MOMENT = live.MOMENT_STEPS * HUMANOID.control_seconds


@pytest.fixture(scope="module")
def agent():
    return MotorAgent.from_pretrained(SHIPPED)


@pytest.fixture
def live_agent(agent, monkeypatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    return LiveAgent(agent, seed=0)


def after(live_agent: LiveAgent, seconds: float) -> live.Moment:
    """The moment `seconds` of simulation later."""
    return next(itertools.islice(live_agent.play(), round(seconds / MOMENT) - 1, None))


def test_time_passes_as_on_the_clock(agent):
    begun = time.monotonic()
    moment = after(LiveAgent(agent, seed=0), 1.2)
    assert moment.seconds == pytest.approx(1.2)
    assert time.monotonic() - begun >= 1.19


def test_it_goes_on_from_where_it_is_with_a_new_instruction(live_agent):
    live_agent.instruct("walk forward")
    moment = after(live_agent, 3)
    assert moment.command == (1.0, 0.0, 0.0) and moment.velocity[0] > 0.5
    place = live_agent.data.qpos[:2].copy()
    live_agent.instruct(Goal(wz=0.8, degrees=90))
    moment = after(live_agent, 1.5)
    assert moment.command == (0.0, 0.0, 0.8) and moment.velocity[2] > 0.4
    assert np.linalg.norm(live_agent.data.qpos[:2] - place) < 1.5
    moment = after(live_agent, 2)
    assert moment.reached == 1 and moment.command == (0, 0, 0) and "all 1 goals met" in moment.notice.text


def test_what_is_refused_changes_nothing_and_says_why(live_agent):
    live_agent.instruct(Goal(1.0))
    live_agent.instruct("jump over the moon")
    moment = after(live_agent, 0.12)
    assert moment.notice.refused and "cannot do that" in moment.notice.text
    assert moment.command == (1.0, 0.0, 0.0)


def test_a_place_is_gone_to_and_the_way_back_is_found(live_agent):
    live_agent.instruct(Goal.to(1.5, 1.0))
    place = live_agent.data.qpos[:2].copy()
    moment = after(live_agent, 8)
    assert moment.reached == 1 and np.linalg.norm(live_agent.data.qpos[:2] - place) == pytest.approx(1.8, abs=0.3)
    live_agent.instruct(Goal.home(arms="up"))
    after(live_agent, 10)
    assert np.linalg.norm(live_agent.data.qpos[:2] - place) < 0.4


def test_a_push_changes_the_velocity_of_the_body_by_what_it_is_worth(live_agent):
    after(live_agent, 0.6)
    before = live_agent.data.qvel.copy()
    live_agent.push(0.7, direction=math.pi / 2)
    live_agent._orders.get()()  # and no step after it
    assert np.linalg.norm(live_agent.data.qvel - before) == pytest.approx(0.7)
    change = heading_velocity(live_agent.data.qpos, live_agent.data.qvel) - heading_velocity(
        live_agent.data.qpos, before
    )
    assert change == pytest.approx([0, 0.7, 0], abs=1e-9)
    assert after(live_agent, 0.06).notice.text == "Pushed to its left by 0.7 m/s."


def test_after_a_fall_it_lies_for_a_moment_and_stands_up_waiting(live_agent):
    live_agent.instruct(Goal(1.0))
    after(live_agent, 0.6)
    live_agent.data.qpos[2] -= 0.5
    moment = after(live_agent, 0.6)
    assert moment.notice.text.startswith("It fell") and moment.command == (0, 0, 0)
    moment = after(live_agent, live.LYING_SECONDS)
    assert "stands again" in moment.notice.text and live_agent.data.qpos[2] > 1.2
    live_agent.instruct(Goal(wz=0.8))
    assert after(live_agent, 1.2).velocity[2] > 0.3


def test_two_around_the_same_weights_do_what_each_does_alone(agent, monkeypatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    goals = [Goal(1.0), Goal(0.0, 0.0, 0.8)]
    alone = [LiveAgent(agent, seed=seed) for seed in range(2)]
    together = [LiveAgent(agent, seed=seed) for seed in range(2)]
    for each, goal in zip(alone + together, goals * 2, strict=True):
        each.instruct(goal)
    expected = [after(each, 1.2).poses for each in alone]
    for moments in itertools.islice(zip(*(each.play() for each in together), strict=True), round(1.2 / MOMENT)):
        last = moments
    assert all(np.array_equal(moment.poses, poses) for moment, poses in zip(last, expected, strict=True))


def test_another_agent_takes_the_body_over(live_agent, agent):
    live_agent.instruct(Goal(1.0))
    after(live_agent, 1.2)
    live_agent.hand_over(agent, "me/other")
    moment = after(live_agent, 1.2)
    assert moment.notice.text == "me/other moves it now." and moment.command == (0, 0, 0)
    assert live_agent.data.qpos[2] > 1.1


def test_only_the_last_seconds_are_remembered(live_agent):
    after(live_agent, 0.6)
    assert len(live_agent.past) == 20
    assert live_agent.past.maxlen == 333

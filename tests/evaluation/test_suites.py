from dataclasses import replace

import numpy as np
import pytest

from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.evaluation import suites
from agent.evaluation.suites import (
    POSTURE_COMMANDS,
    Trace,
    measure_commands,
    measure_gait,
    measure_postures,
    measure_shoves,
    measure_switches,
    tracking_score,
)
from agent.goals import ARMS, Goal
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

SECOND, MINUTE = 67, 4000  # control steps


@pytest.fixture
def policy():
    return MotorPolicy(MotorPolicyConfig(widths=[8]))


class Motionless:
    """An actor that lets the body fall and remembers its prompts."""

    body = HUMANOID

    def reset(self):
        self.prompts = []

    def prompt(self, goals):
        self.prompts.append([goal.velocity for goal in goals])

    def act(self, observations):
        return np.zeros((len(observations), 17), dtype=np.float32)


def replay(monkeypatch, velocity, alive, commands=None, lead=None, clearance=None, height=None, arms=None):
    """Let the suites measure a motion that is written by hand, not simulated."""
    steps, bodies, _ = velocity.shape
    trace = Trace(
        HUMANOID.control_seconds,
        commands=np.zeros_like(velocity) if commands is None else commands,
        velocity=velocity,
        alive=alive,
        rewards=np.ones((steps, bodies)),
        forward=np.zeros((steps, bodies)),
        lead=np.zeros((steps, bodies)) if lead is None else lead,
        clearance=np.zeros((steps, bodies, 2)) if clearance is None else clearance,
        height=np.full((steps, bodies), HUMANOID.crouch_height) if height is None else height,
        arms=np.zeros((steps, bodies, len(HUMANOID.arm_joints))) if arms is None else arms,
        jumps=np.zeros((steps, bodies)),
    )
    monkeypatch.setattr(suites, "roll_out", lambda *args, **kwargs: trace)


def test_errors_are_those_of_the_velocity_averaged_over_a_second(monkeypatch):
    velocity = np.zeros((1000, 1, 3))
    velocity[:, 0, 0] = 0.9 + 0.5 * np.sin(2 * np.pi * np.arange(1000) / SECOND)  # the sway of a step averages out
    velocity[:, 0, 2] = -0.05
    replay(monkeypatch, velocity, np.ones((1000, 1), dtype=bool))
    row = measure_commands(Motionless(), [(1.0, 0.0, 0.0)], episodes=1, seed=0)["rows"][0]
    assert row["velocity_error"] == pytest.approx(0.1, abs=1e-6)
    assert row["yaw_error"] == pytest.approx(0.05, abs=1e-6)
    assert row["survival"] == 1.0
    assert row["skill"] == "walk_forward"


def test_the_change_of_actions_is_that_from_step_to_step_in_shares_of_what_the_body_can():
    class Trembling(Motionless):
        sign = 1

        def act(self, observations):
            self.sign = -self.sign
            return np.full((len(observations), 17), self.sign * 0.1, dtype=np.float32)

    trace = suites.roll_out(Trembling(), {}, 2, 10, 0, 1)
    np.testing.assert_allclose(trace.jumps[0], 0.1 / 0.4, rtol=1e-6)
    np.testing.assert_allclose(trace.jumps[1:], 0.2 / 0.4, rtol=1e-6)


def test_a_fall_counts_as_unsurvived_and_what_comes_after_it_is_not_measured(monkeypatch):
    velocity = np.zeros((1000, 1, 3))
    velocity[250:] = 100.0
    alive = np.arange(1000)[:, None] < 250
    replay(monkeypatch, velocity, alive)
    result = measure_commands(Motionless(), [(0.0, 0.0, 0.0)], episodes=1, seed=0)
    assert result["rows"][0]["survival"] == 0.25
    assert result["mean"]["velocity_error"] == 0.0
    assert result["mean"]["native_return"] == 251.0  # the step of the fall counts


def test_a_body_that_falls_in_the_first_second_has_no_error(monkeypatch):
    replay(monkeypatch, np.zeros((1000, 1, 3)), np.arange(1000)[:, None] < 20)
    assert measure_commands(Motionless(), [(0.0, 0.0, 0.0)], episodes=1, seed=0)["mean"]["velocity_error"] is None


def test_the_gait_of_alternating_legs_is_counted(monkeypatch):
    seconds = np.arange(1000) * HUMANOID.control_seconds
    lead = np.tile(0.2 * np.sin(2 * np.pi * seconds)[:, None], (1, 4))  # two changes of lead a second
    swing = 0.06 * np.maximum(0, np.stack([np.sin(2 * np.pi * seconds), -np.sin(2 * np.pi * seconds)], axis=-1))
    replay(
        monkeypatch,
        np.zeros((1000, 4, 3)),
        np.ones((1000, 4), dtype=bool),
        lead=lead,
        clearance=np.tile(swing[:, None], (1, 4, 1)),
    )
    for row in measure_gait(Motionless(), episodes=1, seed=0)["rows"]:
        assert row["steps_per_second"] == pytest.approx(2.0, abs=0.1)
        assert row["left_ahead"] == pytest.approx(0.5, abs=0.02)
        assert row["clearance_m"] == pytest.approx(0.06, abs=0.005)


def test_falls_are_counted_minute_by_minute_of_those_that_still_stood(monkeypatch):
    steps = np.arange(3 * MINUTE)[:, None]
    alive = steps < MINUTE * np.array([9, 9, 1.5, 2.5])
    replay(monkeypatch, np.zeros((len(steps), 4, 3)), alive)
    found = measure_switches(Motionless(), episodes=4, seed=0, minutes=3)
    assert found["falls_in_minute"] == [0.0, 1 / 3.5, 1 / 2.5]
    assert found["falls_per_minute"] == 2 / 10


def test_suites_run_in_physics(policy):
    rows = measure_commands(policy, [(0.0, 0.0, 0.0), (1.0, 0.0, 0.4)], episodes=2, seed=0, num_threads=1)["rows"]
    assert [row["skill"] for row in rows] == ["stand", "curve_left"]
    assert all(0 < row["survival"] < 0.5 for row in rows)  # an untrained policy falls
    assert measure_shoves(policy, [(0.0, 0.0, 0.0)], episodes=1, seed=0, num_threads=1)["survival"] == 0.0
    switches = measure_switches(policy, episodes=2, seed=0, num_threads=1)
    assert switches["falls_per_minute"] > 1
    assert measure_gait(policy, episodes=1, seed=0, num_threads=1)["rows"][0]["steps_per_second"] is None


def test_a_body_without_a_native_reward_has_no_return(monkeypatch):
    monkeypatch.setitem(BODIES, "plain", replace(HUMANOID, name="plain", native=None))
    actor = Motionless()
    actor.body = BODIES["plain"]
    found = measure_commands(actor, [(0.0, 0.0, 0.0)], episodes=1, seed=0, num_threads=1)
    assert found["rows"][0]["native_return"] is found["mean"]["native_return"] is None


def test_commands_beyond_the_reach_of_the_body_are_left_out(monkeypatch):
    monkeypatch.setitem(
        BODIES,
        "slow",
        replace(HUMANOID, name="slow", gentle_speed=0.8, speed_limits=((-0.4, 1.0), (-0.4, 0.4), (-0.8, 0.8))),
    )
    actor = Motionless()
    actor.body = BODIES["slow"]
    found = measure_commands(actor, suites.COMMANDS, episodes=1, seed=0, num_threads=1)["rows"]
    assert [row["command"][0] for row in found if not any(row["command"][1:])] == [0.0, 0.4, 1.0, -0.4]
    assert [1.0, 0.0, 0.4] not in [row["command"] for row in found]


def test_an_actor_that_falls_early_scores_less_than_one_that_falls_late_whatever_its_errors():
    early = {"survival": 0.05, "velocity_error": 0.0, "yaw_error": 0.0}
    late = {"survival": 0.9, "velocity_error": 0.8, "yaw_error": 0.5}
    steady = {"survival": 1.0, "velocity_error": 0.05, "yaw_error": 0.02}
    scores = [tracking_score(mean, "velocity_error", "yaw_error") for mean in (early, late, steady)]
    assert scores == sorted(set(scores))
    unmeasured = {"survival": 0.05, "velocity_error": None, "yaw_error": None}
    assert tracking_score(unmeasured, "velocity_error", "yaw_error") == 0.0


def test_postures_are_measured_against_what_was_asked(monkeypatch):
    cases = [(height, arms) for height in HUMANOID.heights for arms in HUMANOID.arms for _ in POSTURE_COMMANDS]
    seconds = np.arange(1000) * HUMANOID.control_seconds
    height = np.full((1000, len(cases)), HUMANOID.crouch_height + 0.03)
    swing = np.stack([HUMANOID.arm_swings[ARMS.index(arms)] for _, arms in cases])
    pose = np.stack([HUMANOID.arm_angles[ARMS.index(arms)] for _, arms in cases])
    arms = pose + 0.02 + swing * np.sin(2 * np.pi * 1.5 * seconds)[:, None, None]
    replay(
        monkeypatch, np.zeros((1000, len(cases), 3)), np.ones((1000, len(cases)), dtype=bool), height=height, arms=arms
    )
    rows = measure_postures(Motionless(), episodes=1, seed=0)["rows"]
    assert len(rows) == len(cases) and rows[0]["text"] == "standing, normal, arms rest"
    assert all(row["arm_error_rad"] == pytest.approx(0.02, abs=0.002) for row in rows)
    low = [row["height_error_m"] for row in rows if ", low," in row["text"]]
    assert low == pytest.approx([0.03] * len(low)) and rows[0]["height_error_m"] is None
    waves = [row for row in rows if "wave" in row["text"]]
    assert all(row["wave_hertz"] == pytest.approx(1.5, abs=0.1) for row in waves)
    assert all(row["other_hand_m"] < 0.001 and 0.15 < row["wave_m"] < 0.4 for row in waves)


def test_postures_that_a_body_is_too_slow_for_are_left_out(monkeypatch):
    monkeypatch.setitem(BODIES, "creeper", replace(HUMANOID, name="creeper", low_speed=0.6))
    actor = Motionless()
    actor.body = BODIES["creeper"]
    texts = [row["text"] for row in measure_postures(actor, episodes=1, seed=0, num_threads=1)["rows"]]
    assert "walking slowly, low, arms rest" in texts and "walking, normal, arms rest" in texts
    assert "walking, low, arms rest" not in texts


def test_an_episode_lasts_as_long_on_every_body():
    assert [suites.episode_steps(BODIES[name]) for name in ("humanoid", "g1")] == [1000, 750]


def test_the_same_seed_measures_the_same(policy):
    first, second = (measure_commands(policy, [(0.4, 0.0, 0.0)], episodes=2, seed=3, num_threads=1) for _ in range(2))
    assert first == second


def test_random_commands_are_on_the_grid_and_seeded():
    commands = suites.random_commands(50, 1, HUMANOID)
    assert commands == suites.random_commands(50, 1, HUMANOID)
    assert np.allclose(np.array(commands) / 0.2, np.round(np.array(commands) / 0.2))
    assert len(set(commands)) > 10


def test_bodies_are_prompted_when_their_goal_changes():
    actor, first, then = Motionless(), [Goal(1.0)] * 2, [Goal(), Goal(wz=0.8)]
    trace = suites.roll_out(actor, {0: first, 5: then}, 2, 8, 0, 1)
    assert actor.prompts == [[goal.velocity for goal in goals] for goals in (first, then)]
    assert trace.alive.all() and trace.commands[[4, 5], 1].tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.8]]

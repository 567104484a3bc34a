"""Many simulations on native threads: faults of one do not reach the others."""

import gc
import threading
import time
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from agent.bodies import Body
from agent.bodies.humanoid import HUMANOID
from agent.simulation.physics import Physics


def started(count: int, threads: int = 1) -> Physics:
    """Bodies in the start pose of the model."""
    simulations = Physics(HUMANOID, count, threads)
    model = simulations.model
    simulations.set_state(np.arange(count), np.tile(model.qpos0, (count, 1)), np.zeros((count, model.nv)))
    return simulations


def controls(count: int, value: float = 0.1) -> np.ndarray:
    return np.full((count, 17), value)


def test_the_state_is_that_of_the_simulations_the_right_foot_first():
    simulations = started(2)
    assert not simulations.step(controls(2)).any()
    for row, data in enumerate(simulations.data):
        np.testing.assert_array_equal(simulations.state.qpos[row], data.qpos)
        np.testing.assert_array_equal(simulations.state.qvel[row], data.qvel)
        feet = [data.geom(name).xpos for name in ("right_foot", "left_foot")]
        np.testing.assert_array_equal(simulations.state.feet[row], feet)
        np.testing.assert_array_equal(simulations.centers[row], data.subtree_com[0])


def test_feet_come_in_the_order_of_the_body(monkeypatch):
    monkeypatch.setattr(Body, "check_model", lambda *_: None)  # refuses this order
    swapped = Physics(replace(HUMANOID, feet=HUMANOID.feet[::-1]), 1, 1)
    usual = started(1)
    swapped.set_state(np.arange(1), usual.qpos, usual.qvel)
    np.testing.assert_array_equal(swapped.state.feet, usual.state.feet[:, ::-1])


def test_a_frozen_state_is_not_written_into():
    simulations = started(2)
    state = simulations.freeze()
    kept = state.qpos.copy(), state.qvel.copy(), state.feet.copy()
    simulations.step(controls(2))
    simulations.push(np.arange(2), np.ones((2, 2)))
    simulations.set_state(np.arange(1), state.qpos[:1] + 1, state.qvel[:1])
    for array, before in zip((state.qpos, state.qvel, state.feet), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    assert (simulations.state.qpos != state.qpos).any()


def test_the_model_to_train_in_is_other_physics():
    states = []
    for training in (False, True):
        simulations = Physics(HUMANOID, 1, 1, training=training)
        qpos = simulations.model.qpos0[None].copy()
        simulations.set_state(np.arange(1), qpos, np.zeros((1, 23)))
        for _ in range(5):
            simulations.step(controls(1))
        states.append(simulations.qpos)
    assert 1e-6 < np.abs(states[0] - states[1]).max() < 0.1


@pytest.fixture
def fault():
    """Lets MuJoCo itself fail in the middle of the steps of the bodies that were moved far away."""

    def arm(what) -> None:
        mujoco.set_mjcb_control(lambda model, data: what() if data.qpos[0] > 50 else None)

    yield arm
    mujoco.set_mjcb_control(None)


def raise_error() -> None:
    raise RuntimeError("out of order")


def move_away(simulations: Physics, rows: list[int]) -> None:
    qpos = simulations.qpos[rows].copy()
    qpos[:, 0] = 100
    simulations.set_state(np.array(rows), qpos, simulations.qvel[rows].copy())


@pytest.mark.parametrize("threads", [1, 2])
def test_a_body_whose_physics_fails_diverges_and_the_others_go_on(threads, fault, capsys):
    harmed, sound = started(4, threads), started(4, threads)
    move_away(harmed, [1])
    others = [0, 2, 3]
    for step in range(6):
        fault(raise_error)
        diverged = harmed.step(controls(4))
        mujoco.set_mjcb_control(None)
        sound.step(controls(4))
        assert diverged.tolist() == [False, step == 0, False, False]
        np.testing.assert_array_equal(harmed.qpos[others], sound.qpos[others])
        np.testing.assert_array_equal(harmed.feet[others], sound.feet[others])
        if step == 0:
            harmed.set_state(np.array([1]), sound.qpos[[1]], sound.qvel[[1]])
    assert "body 1 starts anew: " in capsys.readouterr().err
    assert np.isfinite(harmed.qpos).all()


def test_a_fault_of_many_bodies_at_once_stops_the_program(fault):
    simulations = started(4, 2)
    move_away(simulations, [0, 3])
    fault(raise_error)
    with pytest.raises(RuntimeError, match="out of order"):
        simulations.step(controls(4))


def test_simulations_that_are_no_longer_used_leave_no_threads():
    before = threading.active_count()
    simulations = started(2, 2)
    simulations.step(controls(2))
    del simulations
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before

"""The heading frame, and what is read from an observation."""

import numpy as np
import pytest
from poses import random_states, turned

from agent.simulation.heading import (
    check_observation,
    heading_observation,
    heading_velocity,
    observed_velocity,
    uprightness,
    world_observation,
    yaw,
)


@pytest.mark.parametrize("angle", [-3.0, -1.0, 0.5, 2.5, 3.14])
def test_the_observation_is_the_same_in_every_direction(angle):
    qpos, qvel = random_states(0, 100)
    away = turned(qpos, qvel, angle)
    np.testing.assert_allclose(heading_observation(*away), heading_observation(qpos, qvel), atol=1e-6)
    np.testing.assert_allclose(heading_velocity(*away), heading_velocity(qpos, qvel), atol=1e-12)
    np.testing.assert_allclose(uprightness(away[0]), uprightness(qpos), atol=1e-12)
    np.testing.assert_allclose(np.exp(1j * yaw(away[0])), np.exp(1j * (yaw(qpos) + angle)), atol=1e-12)
    assert np.abs(world_observation(*away) - world_observation(qpos, qvel)).max() > 0.1


def test_a_body_that_faces_left_and_moves_left_moves_forward():
    qpos, qvel = np.zeros((1, 24)), np.zeros((1, 23))
    qpos[0, 3] = 1
    qpos, _ = turned(qpos, qvel, np.pi / 2)
    qvel[0, :6] = [-0.25, 1.5, 0.3, 0, 0, 0.8]
    np.testing.assert_allclose(heading_velocity(qpos, qvel), [[1.5, 0.25, 0.8]], atol=1e-12)
    np.testing.assert_allclose(heading_observation(qpos, qvel)[0, 22:25], [1.5, 0.25, 0.3], atol=1e-6)


def test_the_yaw_rate_of_a_tilted_body_is_about_the_vertical_of_the_world():
    qpos, qvel = np.zeros((1, 24)), np.zeros((1, 23))
    qpos[0, 3:7] = [np.cos(np.pi / 4), 0, np.sin(np.pi / 4), 0]  # face down: the body's x axis points to the ground
    qvel[0, 3] = -1.2
    np.testing.assert_allclose(heading_velocity(qpos, qvel)[0, 2], 1.2)


@pytest.mark.parametrize("joints", [4, 17])
def test_the_velocity_read_from_an_observation_is_that_of_the_body(joints):
    qpos, qvel = random_states(0, 50, joints)
    observations = heading_observation(qpos, qvel)
    np.testing.assert_allclose(observed_velocity(observations), heading_velocity(qpos, qvel), atol=1e-5)
    np.testing.assert_array_equal(observed_velocity(observations[3]), observed_velocity(observations)[3])


def test_an_observation_that_is_not_finite_is_refused_with_the_body():
    observations = np.zeros((3, 48))
    check_observation(observations, 45)
    observations[1, 7] = np.nan
    with pytest.raises(ValueError, match="observation of body 1 is not finite"):
        check_observation(observations, 45)
    with pytest.raises(ValueError, match="observation of body 0"):
        check_observation(observations[1], 45)


def test_an_observation_that_is_too_short_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"shape \(2, 44\): this actor needs 45 numbers"):
        check_observation(np.zeros((2, 44)), 45)


def test_what_is_too_long_or_of_two_bodies_is_refused():
    qpos, qvel = random_states(0, 3)
    observation = np.hstack([heading_observation(qpos, qvel), np.zeros((3, 5))])
    with pytest.raises(ValueError, match="50 numbers are no body state: leave the command out"):
        observed_velocity(observation)
    for observe in (heading_observation, world_observation):
        with pytest.raises(ValueError, match="24 positions and 22 velocities do not belong to one body"):
            observe(qpos, qvel[:, 1:])

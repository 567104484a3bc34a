"""A Body describes its MuJoCo model, mirror included."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from poses import joint_mirror, mirrored, random_states

from agent.bodies import BODIES, find_body
from agent.bodies.humanoid import HUMANOID
from agent.simulation.heading import FRAMES, heading_observation

every_body = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)


@every_body
def test_a_body_describes_its_model(body):
    model = body.load_model()
    body.check_model(model)
    assert (model.nq, model.nv, model.nu) == (7 + len(body.joints), 6 + len(body.joints), body.action_size)
    assert len(body.start_qpos(model)) == model.nq
    assert body.scale.shape == (body.action_size,) and (body.scale > 0).all()
    assert (body.limits[0] < 0).all() and (body.limits[1] > 0).all()
    for foot in body.feet:
        model.geom(foot)


@every_body
def test_the_mirror_of_a_body_is_that_of_the_axes_of_its_model(body):
    source, sign = joint_mirror(body.load_model())
    actuated = [body.joints.index(name) for name in body.actuated]
    action_source, action_sign = body.action_mirror
    np.testing.assert_array_equal(np.array(actuated)[action_source], source[actuated])
    np.testing.assert_array_equal(action_sign, sign[actuated])
    np.testing.assert_allclose(body.rest_angles, (body.rest_angles * sign)[source], err_msg="rest pose")


@every_body
def test_the_mirror_of_an_observation_is_the_observation_of_the_mirror_image(body):
    qpos, qvel = random_states(1, 100, len(body.joints))
    source, sign = body.observation_mirror
    for observe in FRAMES.values():
        image = observe(*mirrored(qpos, qvel, body.load_model()))
        np.testing.assert_allclose(image, observe(qpos, qvel)[:, source] * sign, atol=1e-6)


@every_body
def test_a_mirror_of_a_mirror_is_the_original(body):
    for source, sign in (body.observation_mirror, body.action_mirror):
        numbers = np.arange(len(source)) + 1.0
        np.testing.assert_array_equal((numbers[source] * sign)[source] * sign, numbers)


def test_mirrored_actions_move_a_mirrored_humanoid_in_the_mirror():
    """The joint axes, ranges and gears of the model decide this."""
    model = HUMANOID.load_model()
    # Humanoid-v5 is asymmetric in two small numbers, which the mirror leaves out.
    model.dof_armature[model.joint("right_hip_y").dofadr] = model.dof_armature[model.joint("left_hip_y").dofadr]
    model.jnt_stiffness[model.joint("right_knee").id] = model.jnt_stiffness[model.joint("left_knee").id]
    rng = np.random.default_rng(1)
    qpos, qvel = model.qpos0 + rng.normal(0, 0.01, model.nq), rng.normal(0, 0.5, model.nv)
    original, image = mujoco.MjData(model), mujoco.MjData(model)
    original.qpos[:], original.qvel[:] = qpos, qvel
    image.qpos[:], image.qvel[:] = mirrored(qpos, qvel, model)
    source, sign = HUMANOID.action_mirror
    for _ in range(10):
        action = rng.uniform(-0.1, 0.1, model.nu)
        original.ctrl[:], image.ctrl[:] = action, action[source] * sign
        mujoco.mj_step(model, original, HUMANOID.frame_skip)
        mujoco.mj_step(model, image, HUMANOID.frame_skip)
    seen, seen_image = (heading_observation(data.qpos, data.qvel) for data in (original, image))
    source, sign = HUMANOID.observation_mirror
    np.testing.assert_allclose(seen_image, seen[source] * sign, atol=2e-3)  # the order of contacts matters a little
    assert np.abs(seen_image - seen).max() > 1, "the motion must not be symmetric itself"


def test_the_numbers_of_the_humanoid_are_those_of_humanoid_v5():
    assert (HUMANOID.observation_size, HUMANOID.action_size, HUMANOID.control_seconds) == (45, 17, 0.015)
    np.testing.assert_array_equal(HUMANOID.scale, np.full(17, 0.4, dtype=np.float32))
    np.testing.assert_array_equal(HUMANOID.control_center, np.zeros(17))
    np.testing.assert_array_equal(HUMANOID.start_qpos(HUMANOID.load_model())[:7], [0, 0, 1.4, 1, 0, 0, 0])


def test_position_targets_are_relative_to_the_rest_pose():
    body = replace(HUMANOID, action_kind="position", start_at_rest=True, start_height=1.3)
    center = dict(zip(body.actuated, body.control_center, strict=True))
    assert center["right_elbow"] == -0.9 and center["abdomen_y"] == 0
    start = body.start_qpos(body.load_model())
    assert start[2] == 1.3
    np.testing.assert_array_equal(start[7:], body.rest_angles)


def test_a_body_that_names_an_unknown_joint_is_refused():
    with pytest.raises(ValueError, match="body humanoid has no joint 'tail'"):
        replace(HUMANOID, posture_joints=("tail",))


def test_a_body_with_too_few_action_scales_is_refused():
    with pytest.raises(ValueError, match="2 action scales for 17 actuators: give one each"):
        replace(HUMANOID, action_scale=(0.4, 0.4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": HUMANOID.joints[::-1]}, "has the joints"),
        ({"actuated": HUMANOID.actuated[::-1]}, "has the actuators"),
        ({"timestep": 0.002}, "steps 0.003 s, its Body 0.002 s"),
    ],
)
def test_a_model_that_differs_from_its_body_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(HUMANOID, **change).check_model(HUMANOID.load_model())


def test_an_unknown_body_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="body='robot' is unknown: choose one of humanoid"):
        find_body("robot")


def test_a_command_reaches_its_share_of_the_speed_limits():
    assert HUMANOID.reach((0.0, 0.0, 0.0)) == 0
    assert HUMANOID.reach((3.0, 0.0, 0.0)) == HUMANOID.reach((-0.6, 0.0, 0.0)) == 1
    assert HUMANOID.reach((1.5, -0.3, 0.6)) == pytest.approx(1.5), "mixed motions add up"

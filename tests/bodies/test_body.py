"""A Body describes its MuJoCo model, mirror included."""

from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from poses import mirrored, random_states

from agent.bodies import BODIES, find_body
from agent.bodies.body import joint_mirror, register
from agent.bodies.humanoid import HUMANOID, MODEL_PATH
from agent.goals import ARMS, HEIGHTS
from agent.simulation.heading import FRAMES, heading_observation

every_body = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)


@every_body
def test_a_body_describes_its_model(body):
    model = body.load_model()
    body.check_model(model)
    if body.load_training_model:
        body.check_model(body.load_training_model(), training=True)
    assert (model.nq, model.nv, model.nu) == (7 + len(body.joints), 6 + len(body.joints), body.action_size)
    assert len(body.start_qpos(model)) == model.nq
    assert body.scale.shape == (body.action_size,) and (body.scale > 0).all()
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


def test_the_parts_of_an_observation_have_names():
    qpos, qvel = (each[0] for each in random_states(0, 1))
    seen = dict(zip(HUMANOID.observation_names, heading_observation(qpos, qvel), strict=True))
    knee = 7 + HUMANOID.joints.index("left_knee")
    expected = {"height": qpos[2], "left_knee": qpos[knee], "vz": qvel[2], "pitch_rate": qvel[4]}
    expected |= {"left_knee_rate": qvel[knee - 1]}
    assert {name: seen[name] for name in expected} == pytest.approx(expected)
    shift = dict(zip(HUMANOID.observation_names, HUMANOID.crouch_shift.tolist(), strict=True))
    assert {name: value for name, value in shift.items() if value} == pytest.approx(HUMANOID.crouch_offset)


def test_position_targets_are_relative_to_the_rest_pose():
    kind = {"action_kind": "position", "action_scale": (3.0,) * 17}
    body = replace(HUMANOID, **kind, start_at_rest=True, start_height=1.3)
    center = dict(zip(body.actuated, body.control_center, strict=True))
    assert center["right_elbow"] == -0.9 and center["abdomen_y"] == 0
    start = body.start_qpos(body.load_model())
    assert start[2] == 1.3
    np.testing.assert_array_equal(start[7:], body.rest_angles)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posture_joints": ("tail",)}, "has no joint 'tail'"),
        ({"arm_joints": ("tail",)}, "has no joint 'tail'"),
        ({"action_scale": (0.4, 0.4)}, "2 action scales for 17 actuators: give one each"),
        ({"joints": (*HUMANOID.joints, "left_toe")}, "'left_toe' of body humanoid has no partner 'right_toe'"),
        ({"knees": ()}, r"and knees \(\): give two of each, or none"),
        ({"hips": HUMANOID.hips[:1], "knees": HUMANOID.knees[:1]}, "hips=.* must be two different ones, .* or none"),
        ({"knees": HUMANOID.knees[:1] * 2}, "knees=.* must be two different ones"),
        ({"ankles": HUMANOID.knees, "hips": (), "knees": ()}, "has ankles .* and no hips: give two of each, or none"),
        (
            {"feet": ("right_foot",) * 2},
            "feet=.* of body humanoid must be two different geoms, the right and the left",
        ),
        ({"load_model": None}, "load_model=None of body humanoid must be a function that returns"),
        ({"action_kind": "velocity"}, "action_kind='velocity' of body humanoid must be torque or position"),
        ({"action_scale": (-0.4,) * 17}, "action_scale=.* must be positive numbers"),
        ({"frame_skip": 0}, "frame_skip=0 of body humanoid must be a whole number from 1"),
        ({"frame_skip": 2.5}, "frame_skip=2.5 of body humanoid must be a whole number from 1"),
        ({"timestep": 0.0}, "timestep=0.0 of body humanoid must be a positive number of seconds"),
        ({"healthy_height": (2.0, 1.0)}, r"healthy_height=\(2.0, 1.0\) .* the lowest and then the highest height"),
        ({"sole_height": np.nan}, "sole_height=nan of body humanoid must be a finite number from 0"),
        ({"acceleration": (8.0, 4.0)}, r"acceleration=\(8.0, 4.0\) .* must be three positive numbers"),
        ({"braking": (0.0, 2.5, 6.0)}, "braking=.* must be three positive numbers: ahead, sideways, yaw"),
        ({"gait": replace(HUMANOID.gait, cadence=0.0)}, "gait.cadence=0.0 of body humanoid must be a positive number"),
        (
            {"gait": replace(HUMANOID.gait, high_step_per_speed=-1)},
            "gait.high_step_per_speed=-1 .* finite number from 0",
        ),
        ({"speed_limits": ((-0.6, 3.0), (-0.6, 0.6))}, "speed_limits=.* the highest velocity of vx, vy, wz"),
        ({"low_speed": 3.5}, "low_speed=3.5 of body humanoid must be from 0 to its fastest, 3 m/s"),
        ({"speed_limits": ((-0.6, 3.2), (-0.6, 0.6), (-1.2, 1.2))}, r"speed limits -0.6 and 3.2 .* along vx"),
        ({"speed_limits": ((-0.6, 3.0), (0.2, 0.6), (-1.2, 1.2))}, r"0.2 and 0.6 .* along vy"),
        ({"speed_limits": ((-0.6, 3.0), (-0.6, 0.6), (0, 0))}, r"0 and 0 .* along wz"),
        ({"gentle_speed": 3.1}, "gentle_speed=3.1 of body humanoid must be above 0 and at most its fastest"),
        ({"crouch_height": 1.3}, "crouch_height=1.3 of body humanoid needs knees, a low_speed and a higher torso"),
        ({"hips": (), "knees": ()}, "crouch_height=1.15 of body humanoid needs knees"),
        ({"crouch_offset": {"tail": 0.1}}, "crouch_offset of body humanoid names 'tail': name one of .*height"),
        ({"arm_joints": HUMANOID.arm_joints[::-1][1:]}, "must be those of the right arm, then their partners"),
        ({"arm_poses": {"up": (1.0, 2.0)}}, "arm pose 'up' of body humanoid has 2 angles: the poses are up, out"),
        ({"arm_poses": {"fist": (1.0, 2.0, 3.0)}}, "arm pose 'fist'"),
        ({"wave_swing": (0.4,)}, "arm pose 'swing' of body humanoid has 1 angles"),
        ({"hands": ()}, "arm pose 'wave' of body humanoid needs hands, a wave_swing and a wave_hertz"),
        ({"wave_hertz": 0.0}, "arm pose 'wave' of body humanoid needs hands"),
        (
            {"action_kind": "position"},
            "body humanoid take right_shoulder1 .* rad from its rest pose, but its actions only reach 0.40: give",
        ),
    ],
)
def test_a_body_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(HUMANOID, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feet": ("right_foot", "tail")}, "has no geom 'tail': name its feet"),
        ({"odd_joints": HUMANOID.odd_joints - {"abdomen_x"}}, "odd_joints of body humanoid is wrong about abdomen_x"),
        ({"joints": HUMANOID.joints[::-1]}, "has the joints"),
        ({"actuated": HUMANOID.actuated[::-1]}, "has the actuators"),
        ({"timestep": 0.002}, "has a timestep of 0.003 s, its Body says 0.002 s"),
        ({"feet": HUMANOID.feet[::-1]}, "feet=.* 0.09 and -0.09 m to its left: give the right one, then the left one"),
        ({"hips": HUMANOID.hips[::-1]}, "hips=.* of body humanoid are 0.1 and -0.1 m to its left"),
        ({"knees": HUMANOID.knees[::-1]}, "knees=.* of body humanoid are 0.09 and -0.09 m to its left"),
        ({"arm_joints": HUMANOID.arm_joints[3:] + HUMANOID.arm_joints[:3]}, "arm_joints=.*: give the right one, then"),
    ],
)
def test_a_model_that_differs_from_its_body_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(HUMANOID, **change).check_model(HUMANOID.load_model())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("humanoid", "a body 'humanoid' is registered already: give this one another name"),
        *((name, "must be lowercase letters, digits and _, a letter first") for name in ("Humanoid", "two legs", "")),
    ],
)
def test_a_name_that_is_taken_or_fits_no_env_is_not_registered(name, message):
    before = dict(BODIES)
    with pytest.raises(ValueError, match=message):
        register(replace(HUMANOID, name=name))
    assert before == BODIES


def test_an_unknown_body_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="body='robot' is unknown: choose one of humanoid"):
        find_body("robot")


def test_a_command_reaches_its_share_of_the_speed_limits():
    assert HUMANOID.reach((0.0, 0.0, 0.0)) == 0
    assert HUMANOID.reach((3.0, 0.0, 0.0)) == HUMANOID.reach((-0.6, 0.0, 0.0)) == 1
    assert HUMANOID.reach((1.5, -0.3, 0.6)) == pytest.approx(1.5), "mixed motions add up"
    np.testing.assert_array_equal(HUMANOID.reach(np.array([[3.0, 0.0, 0.0], [0.0, 0.3, 0.0]])), [1, 0.5])


def test_a_direction_in_which_a_body_cannot_move_is_out_of_reach():
    body = replace(HUMANOID, speed_limits=((0, 3), (-0.6, 0.6), (0, 1.2)))
    assert body.reach((0.0, 0.0, 0.0)) == 0 and body.reach((3.0, 0.0, 0.0)) == 1
    assert body.reach((-0.2, 0.0, 0.0)) == np.inf == body.reach((1.0, 0.0, -0.2))


def test_the_humanoid_crouches_and_poses_its_arms_in_the_mirror():
    assert (HUMANOID.heights, HUMANOID.arms) == (HEIGHTS, ARMS)
    _, sign = joint_mirror(HUMANOID.load_model())
    sign = sign[[HUMANOID.joints.index(joint) for joint in HUMANOID.arm_joints]]
    for table in (HUMANOID.arm_angles, HUMANOID.arm_swings):
        image = np.roll(table, 3, axis=1) * sign  # the right arm's angles at the left one, and the other way round
        np.testing.assert_array_equal(image[[0, 1, 2, 4, 3]], table)
    np.testing.assert_array_equal(HUMANOID.arm_angles[0], HUMANOID.rest_angles[-6:])
    np.testing.assert_array_equal(HUMANOID.arm_angles[3, 3:], [1.35, 0.95, -0.6], "the left arm waves")
    np.testing.assert_array_equal(HUMANOID.arm_swings[3:], [[0, 0, 0, 0, 0, 0.45], [0, 0, 0.45, 0, 0, 0]])


def test_a_body_without_a_crouch_and_arm_poses_can_be_asked_for_neither():
    body = replace(HUMANOID, crouch_height=None, arm_poses={"up": (0.0, 0.0, 0.0)})
    assert (body.heights, body.arms) == (("normal",), ("rest", "up"))
    body = replace(HUMANOID, arm_joints=(), arm_poses={}, wave_swing=())
    assert body.arms == ("rest",) and body.arm_angles.shape == body.arm_swings.shape == (5, 0)


def changed_humanoid(change: Callable[[mujoco.MjSpec], object]) -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_file(str(MODEL_PATH))
    change(spec)
    return spec.compile()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda spec: setattr(spec.joint("left_knee"), "axis", (0, 1, 0)),
            "odd_joints .* wrong about right_knee, left",
        ),
        (lambda spec: setattr(spec.joint("left_knee"), "axis", (1, 0, 0)), "'right_knee' has no unique mirror image"),
        (lambda spec: setattr(spec.joint("left_knee"), "type", mujoco.mjtJoint.mjJNT_SLIDE), "then hinges only"),
        (lambda spec: setattr(spec.actuators[0], "trntype", mujoco.mjtTrn.mjTRN_JOINTINPARENT), "drives no joint"),
    ],
)
def test_a_model_that_its_body_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        HUMANOID.check_model(changed_humanoid(change))


def test_a_training_model_that_its_body_does_not_fit_is_refused():
    model = changed_humanoid(lambda spec: setattr(spec.geom("right_hand"), "name", ""))
    with pytest.raises(ValueError, match="the training model of body humanoid has no geom 'right_hand': name its"):
        HUMANOID.check_model(model, training=True)


def test_partners_by_name_that_are_none_in_the_model_are_refused():
    names = {"right_hip_x": "right_hip_z", "right_hip_z": "right_hip_x"}
    joints, actuated = (tuple(names.get(name, name) for name in each) for each in (HUMANOID.joints, HUMANOID.actuated))
    model = changed_humanoid(swap_right_hips)
    with pytest.raises(ValueError, match="the mirror image of right_hip_z is left_hip_x, not left_hip_z"):
        replace(HUMANOID, joints=joints, actuated=actuated).check_model(model)


def swap_right_hips(spec: mujoco.MjSpec) -> None:
    x, z = spec.joint("right_hip_x"), spec.joint("right_hip_z")
    targets = {actuator.name: actuator for actuator in spec.actuators}
    x.name, z.name = "spare", "right_hip_x"
    x.name = "right_hip_z"
    for name, other in (("right_hip_x", "right_hip_z"), ("right_hip_z", "right_hip_x")):
        targets[name].target = other

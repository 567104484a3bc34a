"""What a policy is taught to do with its arms: a tiny run from end to end, and the labels that it imitates."""

import numpy as np
import torch

from agent.bodies.g1 import G1
from agent.goals import ARMS
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from experiments import teach_arms

DRIVES = [G1.actuated.index(joint) for joint in G1.arm_joints]
OTHERS = [drive for drive in range(G1.action_size) if drive not in DRIVES]
ANGLES = 5 + np.array(G1.joint_indices(G1.arm_joints)) - 7


def tiny_policy() -> MotorPolicy:
    torch.manual_seed(0)
    return MotorPolicy(MotorPolicyConfig(body="g1", widths=[16, 8])).eval()


def states_with(*arms: np.ndarray) -> torch.Tensor:
    """States of bodies at rest whose arm joints have these angles."""
    states = np.zeros((len(arms), G1.observation_size), dtype=np.float32)
    states[:, 0], states[:, 1], states[:, 5 : 5 + len(G1.joints)] = G1.torso_height, 1.0, G1.rest_angles
    states[:, ANGLES] = arms
    return torch.from_numpy(states)


def test_arms_are_led_to_their_pose_and_back_while_the_rest_acts_as_with_arms_at_rest():
    teacher, rest, up = tiny_policy(), G1.arm_angles[0], G1.arm_angles[ARMS.index("up")]
    states, commands, phase = states_with(rest, rest, up, up), torch.zeros(4, 5), torch.zeros(4, 2)
    commands[:, 0] = 0.8
    commands[[1, 3], 4] = ARMS.index("up")
    labels = teach_arms.label(teacher, G1, [ARMS.index("up")], states, commands, phase)
    with torch.no_grad():
        usual = teacher(states_with(rest), torch.tensor([[0.8, 0, 0, 0, 0]]), torch.zeros(1, 2))[0].clamp(-1, 1)
    torch.testing.assert_close(labels[0], usual[0])
    torch.testing.assert_close(labels[:, OTHERS], usual[:, OTHERS].expand(4, -1))
    targets = G1.control_center[DRIVES] + labels[:, DRIVES].numpy() * G1.scale[DRIVES]
    np.testing.assert_allclose(targets[1], rest + np.clip(up - rest, -0.15, 0.15), atol=1e-5)
    np.testing.assert_allclose(targets[2], up + np.clip(rest - up, -0.15, 0.15), atol=1e-5)
    np.testing.assert_allclose(targets[3], up, atol=1e-5)


def test_a_pose_that_is_held_and_not_taught_stays_as_it_is():
    teacher, out = tiny_policy(), G1.arm_angles[ARMS.index("out")]
    shift = np.eye(len(out))[0]  # of the right shoulder's pitch
    states, commands, phase = states_with(out, out + 0.7 * shift), torch.zeros(2, 5), torch.zeros(2, 2)
    commands[:, 4] = ARMS.index("out")
    labels = teach_arms.label(teacher, G1, [ARMS.index("up")], states, commands, phase)
    with torch.no_grad():
        own = teacher(states, commands, phase)[0].clamp(-1, 1)
    torch.testing.assert_close(labels[0], own[0])
    targets = G1.control_center[DRIVES] + labels[1, DRIVES].numpy() * G1.scale[DRIVES]
    np.testing.assert_allclose(targets, out + 0.55 * shift, atol=1e-5)  # led back


def test_a_tiny_run_leaves_a_policy_to_go_on_from(tmp_path, monkeypatch):
    for name, value in {"UPDATES": 2, "BODIES": 4, "STEPS": 3}.items():
        monkeypatch.setattr(teach_arms, name, value)
    tiny_policy().save_pretrained(tmp_path / "before")
    teach_arms.main(str(tmp_path / "before"), str(tmp_path / "after"), "up")
    before, after = (MotorPolicy.from_pretrained(tmp_path / name).state_dict() for name in ("before", "after"))
    assert any(not torch.equal(before[name], after[name]) for name in before)

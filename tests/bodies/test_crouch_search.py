"""The search for the offset with which a policy goes low: a tiny one, from end to end."""

import numpy as np
import torch

from agent.bodies.humanoid import HUMANOID
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from experiments import crouch_search


def test_a_tiny_search_finds_a_symmetric_offset_that_a_body_accepts(tmp_path):
    torch.manual_seed(0)
    MotorPolicy(MotorPolicyConfig(widths=[16, 8])).save_pretrained(tmp_path)
    found = crouch_search.main(str(tmp_path), generations=1, candidates=4, seconds=0.3)
    assert set(found) <= set(HUMANOID.observation_names) and found["right_knee"] == found["left_knee"] > 0
    assert not any(joint in name for name in found for joint in ("shoulder", "elbow", "abdomen_x", "abdomen_z"))
    source, sign = HUMANOID.observation_mirror
    parts = crouch_search.directions(HUMANOID)
    np.testing.assert_array_equal(parts[:, source] * sign, parts)


def test_a_body_that_falls_scores_less_than_one_that_stands_longer():
    torch.manual_seed(0)
    policy = MotorPolicy(MotorPolicyConfig(widths=[16, 8])).eval()
    short, long = (crouch_search.measure(policy, np.zeros((1, 45)), seconds)[0] for seconds in (0.3, 3.0))
    assert short > long

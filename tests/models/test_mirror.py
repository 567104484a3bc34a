"""Networks that commute with the mirror."""

import numpy as np
import pytest
import torch

from agent.bodies.humanoid import HUMANOID
from agent.models.mirror import MirrorLinear, MirrorMLP, mirror_basis, mirror_elu

MIRRORS = [HUMANOID.observation_mirror, HUMANOID.action_mirror]


@pytest.mark.parametrize("mirror", MIRRORS, ids=["observation", "action"])
def test_the_basis_is_orthonormal_and_splits_into_even_and_odd(mirror):
    source, sign = mirror
    even, odd = mirror_basis(source, sign)
    both = np.concatenate([even, odd])
    np.testing.assert_allclose(both @ both.T, np.eye(len(source)), atol=1e-6)
    np.testing.assert_allclose(sign * even[:, source], even, atol=1e-7)
    np.testing.assert_allclose(sign * odd[:, source], -odd, atol=1e-7)


def random_pair(even: int, odd: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, even, generator=generator), torch.randn(7, odd, generator=generator)


def test_a_network_keeps_even_features_and_negates_odd_ones():
    torch.manual_seed(0)
    network = MirrorMLP((5, 4), [16, 8], (3, 2))
    even, odd = random_pair(5, 4)
    shift = random_pair(16, 16)
    out_even, out_odd = network((even, odd), shift)
    image_even, image_odd = network((even, -odd), (shift[0], -shift[1]))
    assert torch.equal(image_even, out_even) and torch.equal(image_odd, -out_odd)
    assert out_even.shape == (7, 3) and out_odd.shape == (7, 2)
    assert out_odd.abs().min() > 0 and not torch.allclose(network((even, odd))[0], out_even)


def test_the_nonlinearity_is_elu_of_each_unit_and_its_image():
    even, odd = torch.tensor([1.0]), torch.tensor([3.0])
    unit, image = 4.0, np.expm1(-2.0)  # elu(1 + 3) and elu(1 - 3)
    mixed_even, mixed_odd = mirror_elu(even, odd)
    torch.testing.assert_close(mixed_even, torch.tensor([(unit + image) / 2], dtype=torch.float32))
    torch.testing.assert_close(mixed_odd, torch.tensor([(unit - image) / 2], dtype=torch.float32))


def test_a_layer_without_odd_outputs_has_none():
    even, odd = MirrorLinear((5, 4), (1, 0))(random_pair(5, 4))
    assert even.shape == (7, 1) and odd.shape == (7, 0)

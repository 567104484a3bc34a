"""Networks that are exactly equivariant under the left-right mirror.

Every robot here is symmetric under the mirror y -> -y. A vector splits into an even part, which the mirror keeps, and
an odd part, whose sign it changes. A linear map commutes with the mirror when it takes even to even and odd to odd; a
pointwise nonlinearity does when it is applied to the pair (even + odd, even - odd), which the mirror swaps. A layer of
W pairs has 2W units at half the multiplications of a dense one (the regular representation of Ordonez-Apraez et al.,
MorphoSymm, 2023).

Shapes: B batch (any leading axes), W pairs of a hidden layer.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor]  # (even, odd)


def mirror_basis(source: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal even [E, D] and odd [O, D] directions of the mirror `x -> sign * x[source]` of D numbers."""
    even, odd = [], []
    for index, (partner, factor) in enumerate(zip(source, sign, strict=True)):
        direction = np.zeros(len(source), dtype=np.float32)
        if partner == index:
            direction[index] = 1
            (even if factor > 0 else odd).append(direction)
        elif index < partner:
            for members, combination in ((even, factor), (odd, -factor)):
                direction = np.zeros(len(source), dtype=np.float32)
                direction[index], direction[partner] = math.sqrt(0.5), combination * math.sqrt(0.5)
                members.append(direction)
    return np.stack(even), np.stack(odd)


class MirrorLinear(nn.Module):
    """Linear map of (even, odd) features that commutes with the mirror. The bias is even."""

    def __init__(self, inputs: tuple[int, int], outputs: tuple[int, int], bias: bool = True):
        super().__init__()
        self.even = nn.Linear(inputs[0], outputs[0], bias=bias)
        self.odd = nn.Linear(inputs[1], outputs[1], bias=False) if outputs[1] else None

    def forward(self, features: Pair) -> Pair:
        even, odd = features
        return self.even(even), self.odd(odd) if self.odd is not None else odd[..., :0]


class MirrorMLP(nn.Module):
    """MLP with ELU layers of `widths` pairs. Returns even values [B, outputs[0]] and odd values [B, outputs[1]]."""

    def __init__(self, inputs: tuple[int, int], widths: Sequence[int], outputs: tuple[int, int]):
        super().__init__()
        sizes = [inputs, *((width, width) for width in widths)]
        self.hidden = nn.ModuleList(MirrorLinear(a, b) for a, b in itertools.pairwise(sizes))
        self.head = MirrorLinear(sizes[-1], outputs)

    def forward(self, features: Pair, shift: Pair | None = None) -> Pair:
        """`shift`, an embedding of W pairs, is added to the output of the first layer before its ELU."""
        for layer in self.hidden:
            even, odd = layer(features)
            if shift is not None:
                even, odd, shift = even + shift[0], odd + shift[1], None
            features = mirror_elu(even, odd)
        return self.head(features)


def mirror_elu(even: Tensor, odd: Tensor) -> Pair:
    """ELU of each unit and its mirror image, in even and odd form."""
    halves = functools.partial(torch.ops.aten.elu_, alpha=1.0, scale=0.5)  # functional.elu has no `scale`
    unit, image = halves(even + odd), halves(even - odd)
    return unit + image, unit - image

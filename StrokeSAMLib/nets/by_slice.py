"""Convolutions of 3 × 3 × 3 from slice to slice: what they make and what it is made of need not be there at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import nn


class SliceConvolution:
    """A convolution of volumes, padded by 1, asked for one slice after the other.

    Args:
        layer: 3 × 3 × 3; its weights are not copied in float32.
        dtype: of the arithmetic.
    """

    def __init__(self, layer: nn.Conv3d, dtype: torch.dtype = torch.float32):
        self._weight = layer.weight.detach().to(dtype)
        self._bias = None if layer.bias is None else layer.bias.detach().to(dtype)
        self._groups = layer.groups

    def __call__(self, slices: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Each (channel, row, column) → (out, row, column), in `dtype`."""
        return (self.middle(three) for three in threes(slices))

    def middle(self, three: torch.Tensor) -> torch.Tensor:
        """Of a slice between its neighbours, (channel, 3, row, column)."""
        return _convolved(three[None].to(self._weight.dtype), self._weight, self._bias, self._groups)[0, :, 0]


def threes(slices: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Each slice, (channel, row, column), between its neighbours, (channel, 3, row, column); zeros beyond the ends."""
    held: deque[torch.Tensor] = deque(maxlen=3)
    for each in slices:
        if not held:
            held.append(torch.zeros_like(each))
        held.append(each)
        if len(held) == 3:
            yield torch.stack(tuple(held), 1)
    held.append(torch.zeros_like(held[-1]))
    yield torch.stack(tuple(held), 1)


def _convolved(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, groups: int) -> torch.Tensor:
    padding, one = (0, 1, 1), (1, 1, 1)
    if torch.backends.mkldnn.is_available():
        # Asked for by name: of few slices PyTorch takes its own, which is four times slower.
        return torch.mkldnn_convolution(x, weight, bias, padding, one, one, groups)
    return F.conv3d(x, weight, bias, padding=padding, groups=groups)

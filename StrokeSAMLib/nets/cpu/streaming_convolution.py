"""Convolutions of 3 × 3 × 3 slice by slice. The input and the output are never in memory together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import nn


class SliceConvolution:
    """A 3-D convolution with a padding of 1 that takes and gives one slice at a time.

    Args:
        layer: a 3 × 3 × 3 convolution. Its weights are not copied in float32.
        dtype: precision of the arithmetic.
    """

    def __init__(self, layer: nn.Conv3d, dtype: torch.dtype = torch.float32):
        self._weight = layer.weight.detach().to(dtype)
        self._bias = None if layer.bias is None else layer.bias.detach().to(dtype)
        self._groups = layer.groups

    def __call__(self, slices: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Yield each slice convolved: (channel, row, column) → (out, row, column), in `dtype`."""
        return (self.convolve_middle(three) for three in neighbouring_slices(slices))

    def convolve_middle(self, three: torch.Tensor) -> torch.Tensor:
        """Convolve a slice and its two neighbours, (channel, 3, row, column) → (out, row, column)."""
        return _convolve(three[None].to(self._weight.dtype), self._weight, self._bias, self._groups)[0, :, 0]


def neighbouring_slices(slices: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Yield each slice, (channel, row, column), between its neighbours: (channel, 3, row, column).

    The neighbours beyond the first and the last slice are zeros.
    """
    three: deque[torch.Tensor] = deque(maxlen=3)
    for each in slices:
        if not three:
            three.append(torch.zeros_like(each))
        three.append(each)
        if len(three) == 3:
            yield torch.stack(tuple(three), 1)
    three.append(torch.zeros_like(three[-1]))
    yield torch.stack(tuple(three), 1)


def _convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, groups: int) -> torch.Tensor:
    padding, one = (0, 1, 1), (1, 1, 1)
    if torch.backends.mkldnn.is_available():
        # Called by name, because for few slices PyTorch chooses its own convolution, which is four times slower.
        return torch.mkldnn_convolution(x, weight, bias, padding, one, one, groups)
    return F.conv3d(x, weight, bias, padding=padding, groups=groups)

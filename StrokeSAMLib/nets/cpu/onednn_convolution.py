"""The two convolutions of SAM-Med2D's adapter as products with packed matrices, on tensors with channels last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.cpu.onednn_linear import PackedLinear

_PARITIES = (0, 1)


class PackedSpatialBranch(nn.Module):
    """`SpatialBranch` of SAM-Med2D's adapter.

    A 3 × 3 convolution of stride 2 and padding 1, ReLU, a transposed 4 × 4 convolution of stride 2 and padding 1, ReLU.

    Args:
        down, up: the two convolutions, without biases; their weights are copied.
        dtype: torch.float32 or torch.bfloat16, the precision of the products.
    """

    def __init__(self, down: nn.Conv2d, up: nn.ConvTranspose2d, dtype: torch.dtype = torch.float32):
        super().__init__()
        self._down = _packed(down.weight.permute(0, 2, 3, 1), dtype)
        # Each output of the transposed convolution depends on 2 × 2 neighbours. The weights depend on the parity of
        # its row and column.
        weight = up.weight.permute(1, 2, 3, 0)
        self._up = nn.ModuleList(
            _packed(weight[:, [3 - row, 1 - row]][:, :, [3 - column, 1 - column]], dtype)
            for row, column in product(_PARITIES, _PARITIES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column), the same shape. Rows and columns are even, the memory layout is free."""
        x = _bordered(x.permute(0, 2, 3, 1))
        halved = _bordered(self._down(_neighbours(x, range(3), range(3), step=2)))
        batch, rows, columns, width = x.shape
        doubled = halved.new_empty(batch, rows - 2, columns - 2, width)
        for (row, column), layer in zip(product(_PARITIES, _PARITIES), self._up, strict=True):
            doubled[:, row::2, column::2] = layer(_neighbours(halved, (row, row + 1), (column, column + 1)))
        return doubled.permute(0, 3, 1, 2)


def _packed(weight: torch.Tensor, dtype: torch.dtype) -> PackedLinear:
    """The linear layer of a convolution's weights, (out, row, column, in), followed by ReLU."""
    layer = nn.Linear(weight[0].numel(), len(weight), bias=False, device="meta")
    layer.weight = nn.Parameter(weight.detach().flatten(1), requires_grad=False)
    return PackedLinear(layer, "relu", dtype)


def _bordered(x: torch.Tensor) -> torch.Tensor:
    """(batch, row, column, channel) within a border of zeros."""
    return F.pad(x, (0, 0, 1, 1, 1, 1))


def _neighbours(x: torch.Tensor, rows: Sequence[int], columns: Sequence[int], step: int = 1) -> torch.Tensor:
    """Concatenate the channels of each place's neighbours.

    Args:
        x: (batch, row, column, channel) with a border, which has no neighbours of its own.
        rows, columns: the neighbours' offsets from the place, counted in `x`.
        step: distance between places.
    """
    height, width = (side - 2 for side in x.shape[1:3])
    return torch.cat(
        [x[:, row : row + height : step, column : column + width : step] for row, column in product(rows, columns)], -1
    )

"""The adapter of SAM-Med2D (Cheng et al. 2023, arXiv 2308.16184), and the encoder block with it."""

from __future__ import annotations

import torch
from torch import nn

from StrokeSAMLib.nets.models.vit import Block


class SpatialBranch(nn.Sequential):
    """A convolution that halves rows and columns, and one that doubles them: (batch, channel, row, column)."""

    def __init__(self, width: int):
        super().__init__(
            nn.Conv2d(width, width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, 2, 1, bias=False),
            nn.ReLU(),
        )


class Adapter(nn.Module):
    """A gate for each channel, computed from the channels' means; `SpatialBranch`; a residual; layer norm."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.channel = nn.Sequential(
            nn.Linear(width, width // 4, bias=False),
            nn.ReLU(),
            nn.Linear(width // 4, width, bias=False),
            nn.Sigmoid(),
        )
        self.spatial = SpatialBranch(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, channel), the same shape."""
        maps = x.permute(0, 3, 1, 2)
        gated = maps * self.channel(maps.mean((2, 3)))[:, :, None, None]
        # The residual is the adapter's input, not the gated maps.
        return self.norm((maps + self.spatial(gated)).permute(0, 2, 3, 1))


class AdaptedBlock(Block):
    """SAM-Med2D's encoder block, with the adapter beside the perceptron."""

    def __init__(self, width: int, heads: int, window: int, side: int):
        super().__init__(width, heads, window, side)
        self.Adapter = Adapter(width)  # the checkpoints' name

    def mlp_residual(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of perceptron and adapter, (batch, row, column, channel)."""
        y = self.norm2(x)
        return self.mlp(y) + self.Adapter(y)

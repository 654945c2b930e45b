"""The adapter of SAM-Med2D (Cheng et al. 2023, arXiv 2308.16184) and the block that has it."""

from __future__ import annotations

import torch
from torch import nn

from StrokeSAMLib.nets.packed_convolutions import HalvedAndDoubled
from StrokeSAMLib.nets.vit import Block


class Spatial(nn.Sequential):
    """Half as fine and back, on (batch, channel, row, column)."""

    def __init__(self, width: int):
        super().__init__(
            nn.Conv2d(width, width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, 2, 1, bias=False),
            nn.ReLU(),
        )

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """The same for inference on a CPU, see `packed.pack_layers`."""
        return HalvedAndDoubled(self[0], self[2], dtype)


class Adapter(nn.Module):
    """Channels gated by their means, then a convolution down and up; the tokens themselves are added, then normed."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.channel = nn.Sequential(
            nn.Linear(width, width // 4, bias=False),
            nn.ReLU(),
            nn.Linear(width // 4, width, bias=False),
            nn.Sigmoid(),
        )
        self.spatial = Spatial(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, channel)."""
        maps = x.permute(0, 3, 1, 2)
        gated = maps * self.channel(maps.mean((2, 3)))[:, :, None, None]
        # The residual is what came in, not what was gated.
        return self.norm((maps + self.spatial(gated)).permute(0, 2, 3, 1))


class AdaptedBlock(Block):
    """SAM-Med2D's block: the adapter beside the perceptron."""

    def __init__(self, width: int, heads: int, window: int, side: int):
        super().__init__(width, heads, window, side)
        self.Adapter = Adapter(width)  # the checkpoints' name

    def widened(self, x: torch.Tensor) -> torch.Tensor:
        """What perceptron and adapter add."""
        y = self.norm2(x)
        return self.mlp(y) + self.Adapter(y)

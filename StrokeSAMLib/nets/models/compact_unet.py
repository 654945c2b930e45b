"""A compact residual 3-D U-Net, after Ronneberger et al. 2015 (MICCAI) and He et al. 2016 (CVPR)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

_WIDTHS = (16, 32, 64, 128)
_GROUPS = 8
# The number of input channels of each method's network.
INPUT_CHANNELS = {"ncct-unet": 3, "dwi-unet": 2}


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut. A stride of 2 halves the grid."""

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv3d(channels, width, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(_GROUPS, width)
        self.second = nn.Conv3d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(_GROUPS, width)
        self.shortcut = nn.Conv3d(channels, width, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, k, j, i) → (batch, width, k, j, i), the grid divided by the stride."""
        inner = F.relu(self.first_norm(self.first(x)), inplace=True)
        return F.relu(self.second_norm(self.second(inner)) + self.shortcut(x), inplace=True)


class CompactUNet(nn.Module):
    """A U-Net of 1.5 million parameters. It has group norm because a batch is one or two volumes."""

    def __init__(self, channels: int):
        super().__init__()
        pairs = list(pairwise(_WIDTHS))
        self.down = nn.ModuleList(
            [ResidualBlock(channels, _WIDTHS[0]), *(ResidualBlock(fine, coarse, 2) for fine, coarse in pairs)]
        )
        self.up = nn.ModuleList([ResidualBlock(fine + coarse, fine) for fine, coarse in pairs])
        self.head = nn.Conv3d(_WIDTHS[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, k, j, i), sides that are multiples of 8 → logits (batch, 1, k, j, i)."""
        levels = []
        for block in self.down:
            x = block(x)
            levels.append(x)
        for block, fine in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            x = block(torch.cat([fine, F.interpolate(x, size=fine.shape[2:])], 1))
        return self.head(x)


def build(id: str) -> CompactUNet:
    """The network of the method called `id`, "ncct-unet" or "dwi-unet", with random weights."""
    return CompactUNet(INPUT_CHANNELS[id])

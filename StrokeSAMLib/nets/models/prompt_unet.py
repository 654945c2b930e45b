"""A small promptable 3-D U-Net: image, maps of the prompts and the last answer in, the object's logit out.

It is built from the residual blocks of `compact_unet`. Most of it works at half of the resolution in the plane, since
the full resolution would take three times the time; a light head at full resolution sharpens the outline.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.models.compact_unet import ResidualBlock

# The channels of `interactive.prompt_maps.input_maps`, and the first of them, which the sharpening head sees again.
INPUTS, FINE_INPUTS = 12, 4
# Multiples of 16, into which oneDNN pads channels.
WIDTHS = (16, 32, 64, 128)
_HEAD = 8


class PromptUNet(nn.Module):
    """A U-Net of 1.9 million parameters with sums as skips.

    The strides (k, j, i) of its levels are (1, 2, 2) and three times (2, 2, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        pairs = list(pairwise(WIDTHS))
        self.stem = nn.Conv3d(INPUTS, WIDTHS[0], 3, (1, 2, 2), 1)
        self.down = nn.ModuleList(
            [
                ResidualBlock(WIDTHS[0], WIDTHS[0]),
                *(
                    nn.Sequential(ResidualBlock(fine, coarse, 2), ResidualBlock(coarse, coarse))
                    for fine, coarse in pairs
                ),
            ]
        )
        self.lift = nn.ModuleList([nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs])
        self.up = nn.ModuleList([ResidualBlock(fine, fine) for fine, _ in pairs])
        self.narrow = nn.Conv3d(WIDTHS[0], _HEAD, 1)
        self.sharpen = nn.Conv3d(_HEAD + FINE_INPUTS, _HEAD, (1, 3, 3), 1, (0, 1, 1))
        self.head = nn.Conv3d(_HEAD, 1, 1)
        # Most of a cube is not the object.
        nn.init.constant_(cast(torch.Tensor, self.head.bias), -2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, k, j, i), k a multiple of 8, j and i of 16 → logits (batch, 1, k, j, i)."""
        inputs, levels = x, []
        x = F.relu(self.stem(x))
        for block in self.down:
            x = block(x)
            levels.append(x)
        for lift, block, fine in zip(reversed(self.lift), reversed(self.up), reversed(levels[:-1]), strict=True):
            x = block(fine + F.interpolate(lift(x), size=fine.shape[2:]))
        x = F.interpolate(self.narrow(x), size=inputs.shape[2:], mode="trilinear", align_corners=False)
        return self.head(F.relu(self.sharpen(torch.cat([x, inputs[:, :FINE_INPUTS]], 1))))

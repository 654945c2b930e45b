"""AISCT-SAM's symmetric self-prompt: how features of the scan differ from those of its mirror image.

Convolutions are rebuilt after SCConv (Li et al. 2023, CVPR, "Spatial and Channel Reconstruction Convolution"). Names
are those of the checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.self_prompt_fast import PiecewiseStage

_GROUPS = 4


class SpatialUnit(nn.Module):
    """Features parted, voxel by voxel, into informative and other ones, which change halves.

    Attributes:
        informative: from a gate above this.
    """

    informative = 0.5

    def __init__(self, channels: int):
        super().__init__()
        self.gn = nn.GroupNorm(_GROUPS, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x)."""
        # Shares of a plain sum, so that a checkpoint's negative scales turn the sign.
        share = (self.gn.weight / self.gn.weight.sum()).view(-1, 1, 1, 1)
        # Not one product with the norm's own scale: rounded otherwise, voxels pass the threshold.
        gate = self.gn(x).mul_(share).sigmoid_()
        informative = gate > self.informative
        # What is not informative is weighted by the gate in both parts, not by 1 − gate in the second: checkpoints
        # were trained so.
        gated = gate * x
        first, second = torch.where(informative, x, gated), gated.masked_fill_(informative, 0)
        (a, b), (c, d) = first.chunk(2, dim=1), second.chunk(2, dim=1)
        return torch.cat((a + d, b + c), dim=1)


class ChannelUnit(nn.Module):
    """A half of the channels convolved, the other kept; both weighted by their means."""

    def __init__(self, channels: int):
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.squeeze1 = nn.Conv3d(half, quarter, 1, bias=False)
        self.squeeze2 = nn.Conv3d(half, quarter, 1, bias=False)
        self.GWC = nn.Conv3d(quarter, channels, 3, padding=1, groups=2)
        self.PWC1 = nn.Conv3d(quarter, channels, 1, bias=False)
        self.PWC2 = nn.Conv3d(quarter, channels - quarter, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x)."""
        upper, lower = x.chunk(2, dim=1)
        upper, lower = self.squeeze1(upper), self.squeeze2(lower)
        convolved = self.GWC(upper) + self.PWC1(upper)
        kept = torch.cat((self.PWC2(lower), lower), dim=1)
        means = torch.cat((convolved.mean((2, 3, 4)), kept.mean((2, 3, 4))), dim=1)
        weights = means.softmax(dim=1)[..., None, None, None].chunk(2, dim=1)
        return convolved * weights[0] + kept * weights[1]


class ScConv(nn.Module):
    """Both units."""

    def __init__(self, channels: int):
        super().__init__()
        self.SRU = SpatialUnit(channels)
        self.CRU = ChannelUnit(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x)."""
        return self.CRU(self.SRU(x))


class Stage(nn.Module):
    """A convolution and its rebuilding, each normed."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, out, 3, padding=1)
        self.conv2 = ScConv(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x) → (batch, out, z, y, x)."""
        return F.relu(F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x))))))


class PooledStage(nn.Sequential):
    """A stage, and the greatest of 2 × 2 rows and columns: (batch, channel, z, y, x) → (batch, out, z, y/2, x/2)."""

    def __init__(self, channels: int, out: int):
        super().__init__(Stage(channels, out), nn.MaxPool3d((1, 2, 2)))

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """The same for inference on a CPU, see `packed.pack_layers`; float32 always, as `SelfPrompt`."""
        return PiecewiseStage(self[0])


class SelfPrompt(nn.Module):
    """Stages of `widths` channels, each halving rows and columns; the same for the scan and its mirror image."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        into = (1, *widths[:-1])
        self.branch1 = nn.ModuleList(PooledStage(*sizes) for sizes in zip(into, widths, strict=True))

    def forward(self, scan: torch.Tensor, mirrored: torch.Tensor) -> list[torch.Tensor]:
        """The differences of (batch, 1, z, y, x), then those after each stage."""
        differences = [scan - mirrored]
        # In float32 always: rounding moves voxels over the unit's threshold.
        with torch.autocast(scan.device.type, enabled=False):
            for stage in self.branch1:
                scan, mirrored = stage(scan), stage(mirrored)
                differences.append(scan - mirrored)
        return differences


class MaskPrompt(SelfPrompt):
    """The last difference as one channel: what SAM's prompt encoder takes for a mask."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__(widths)
        self.out_conv = nn.Conv3d(widths[-1], 1, 1)

    def forward(self, scan: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """(batch, 1, z, y, x) → (batch, 1, z, row, column)."""
        return self.out_conv(super().forward(scan, mirrored)[-1])

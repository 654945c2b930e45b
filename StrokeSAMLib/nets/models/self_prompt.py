"""AISCT-SAM's symmetric self-prompt: differences between features of the scan and of its mirror image.

The stages follow SCConv (Li et al. 2023, CVPR, "Spatial and Channel Reconstruction Convolution"). Parameter names are
those of the checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

_GROUPS = 4


class SpatialUnit(nn.Module):
    """SCConv's spatial unit: separate informative from other features, voxel by voxel, and exchange their halves.

    Attributes:
        informative: the gate above which a feature is informative.
    """

    informative = 0.5

    def __init__(self, channels: int):
        super().__init__()
        self.gn = nn.GroupNorm(_GROUPS, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x), the same shape."""
        # Shares of the plain sum, not of absolute values: a checkpoint's negative scales turn the sign.
        share = (self.gn.weight / self.gn.weight.sum()).view(-1, 1, 1, 1)
        # The share is not merged with the norm's scale: other rounding would move voxels over the threshold.
        gate = self.gn(x).mul_(share).sigmoid_()
        informative = gate > self.informative
        # The gate weighs the other features in both parts, where SCConv has 1 − gate in the second part. The
        # checkpoints were trained this way.
        gated = gate * x
        first, second = torch.where(informative, x, gated), gated.masked_fill_(informative, 0)
        (a, b), (c, d) = first.chunk(2, dim=1), second.chunk(2, dim=1)
        return torch.cat((a + d, b + c), dim=1)


class ChannelUnit(nn.Module):
    """SCConv's channel unit: convolve half of the channels, keep the other half, and weigh both by their means."""

    def __init__(self, channels: int):
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.squeeze1 = nn.Conv3d(half, quarter, 1, bias=False)
        self.squeeze2 = nn.Conv3d(half, quarter, 1, bias=False)
        self.GWC = nn.Conv3d(quarter, channels, 3, padding=1, groups=2)
        self.PWC1 = nn.Conv3d(quarter, channels, 1, bias=False)
        self.PWC2 = nn.Conv3d(quarter, channels - quarter, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x), the same shape."""
        upper, lower = x.chunk(2, dim=1)
        upper, lower = self.squeeze1(upper), self.squeeze2(lower)
        convolved = self.GWC(upper) + self.PWC1(upper)
        kept = torch.cat((self.PWC2(lower), lower), dim=1)
        means = torch.cat((convolved.mean((2, 3, 4)), kept.mean((2, 3, 4))), dim=1)
        weights = means.softmax(dim=1)[..., None, None, None].chunk(2, dim=1)
        return convolved * weights[0] + kept * weights[1]


class ScConv(nn.Module):
    """SCConv: the spatial unit, then the channel unit."""

    def __init__(self, channels: int):
        super().__init__()
        self.SRU = SpatialUnit(channels)
        self.CRU = ChannelUnit(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x), the same shape."""
        return self.CRU(self.SRU(x))


class ScConvStage(nn.Module):
    """A convolution and an `ScConv`, each followed by instance norm and ReLU."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, out, 3, padding=1)
        self.conv2 = ScConv(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x) → (batch, out, z, y, x)."""
        return F.relu(F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x))))))


class PooledStage(nn.Sequential):
    """A stage, then max-pooling of 2 × 2 rows and columns: (batch, channel, z, y, x) → (batch, out, z, y/2, x/2)."""

    def __init__(self, channels: int, out: int):
        super().__init__(ScConvStage(channels, out), nn.MaxPool3d((1, 2, 2)))


class SelfPrompt(nn.Module):
    """Stages of `widths` channels that each halve rows and columns, shared by the scan and its mirror image."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        channels = (1, *widths[:-1])
        self.branch1 = nn.ModuleList(PooledStage(*sizes) for sizes in zip(channels, widths, strict=True))

    def forward(self, scan: torch.Tensor, mirrored: torch.Tensor) -> list[torch.Tensor]:
        """The difference of volumes (batch, 1, z, y, x), then the differences of their features after each stage."""
        differences = [scan - mirrored]
        # Always float32: coarser rounding moves voxels over the spatial unit's threshold.
        with torch.autocast(scan.device.type, enabled=False):
            for stage in self.branch1:
                scan, mirrored = stage(scan), stage(mirrored)
                differences.append(scan - mirrored)
        return differences


class MaskPrompt(SelfPrompt):
    """A self-prompt that turns the last difference into one channel, a mask for SAM's prompt encoder."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__(widths)
        self.out_conv = nn.Conv3d(widths[-1], 1, 1)

    def forward(self, scan: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """(batch, 1, z, y, x) → (batch, 1, z, row, column)."""
        return self.out_conv(super().forward(scan, mirrored)[-1])

"""A stage of the self-prompt in pieces that stay in the processor's cache: the same numbers, a fraction of the passes.

Written as its layers are, a stage reads and writes a volume of 168 MB some thirty times. Here each piece of it goes
through all that is voxel by voxel at once (norms, gates, 1 × 1 × 1 convolutions), so that a volume is passed over six
times. For inference on a CPU: without gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.by_slice import SliceConvolution
from StrokeSAMLib.nets.norms import Statistics
from StrokeSAMLib.nets.trim import trim

if TYPE_CHECKING:
    from StrokeSAMLib.nets.self_prompt import ChannelUnit, SpatialUnit, Stage

# Of a piece, float32: half of a core's own cache.
_BYTES = 1 << 19


class PiecewiseStage(nn.Module):
    """What `stage`, then the greatest of 2 × 2 rows and columns, makes of (batch, channel, z, y, x), float32; y and x
    even."""

    def __init__(self, stage: Stage):
        super().__init__()
        self._stage = stage

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        found = torch.stack([_one(self._stage, volume) for volume in x])
        trim()
        return found


def _one(stage: Stage, x: torch.Tensor) -> torch.Tensor:
    """Of (channel, z, y, x)."""
    grid = x.shape[1:]
    features = _convolved(stage.conv1, x).flatten(1)
    norm = _normalised_in_place(features, stage.conv2.SRU)
    squeezed = _squeezed(features, norm, stage.conv2.SRU, stage.conv2.CRU)
    del features
    return _rebuilt(squeezed, stage.conv2.CRU, grid)


def _convolved(layer: nn.Conv3d, volume: torch.Tensor) -> torch.Tensor:
    """(channel, z, y, x)."""
    found = volume.new_empty(layer.out_channels, *volume.shape[1:])
    for z, here in enumerate(SliceConvolution(layer)(volume.unbind(1))):
        found[:, z] = here
    return found


def _pieces(features: torch.Tensor) -> Iterator[torch.Tensor]:
    """Views of (channel, voxel), of `_BYTES` each."""
    return iter(features.split(_columns(features), dim=1))


def _columns(features: torch.Tensor) -> int:
    """Of a piece."""
    return max(1, _BYTES // (4 * len(features)))


def _normalised_in_place(features: torch.Tensor, unit: SpatialUnit) -> tuple[torch.Tensor, torch.Tensor]:
    """Norm each channel of (channel, voxel), cut off what is negative; factor and summand of the unit's group norm."""
    factor, summand = Statistics.of_all(map(Statistics.of, _pieces(features))).scale()
    parts = []
    for piece in _pieces(features):
        piece.mul_(factor).add_(summand).relu_()
        parts.append(Statistics.of(piece))
    whole = Statistics.of_all(parts)
    groups = unit.gn.num_groups
    of_group = whole.mean.view(groups, -1).mean(1, keepdim=True)
    spread = (whole.variance + whole.mean**2).view(groups, -1).mean(1, keepdim=True) - of_group**2
    factor = unit.gn.weight.double().view(groups, -1) * (spread + unit.gn.eps).rsqrt()
    summand = unit.gn.bias.double().view(groups, -1) - of_group * factor
    return factor.float().view(-1, 1), summand.float().view(-1, 1)


def _squeezed(
    features: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor], unit: SpatialUnit, channels: ChannelUnit
) -> torch.Tensor:
    """What the spatial unit makes of (channel, voxel), its halves squeezed, upper, then lower: (channel / 2, voxel).

    The arithmetic is `SpatialUnit`'s.
    """
    share = (unit.gn.weight / unit.gn.weight.sum()).view(-1, 1)
    half, quarter = len(features) // 2, len(features) // 4
    first, second = (each.weight.flatten(1) for each in (channels.squeeze1, channels.squeeze2))
    squeezed = features.new_empty(half, features.shape[1])
    size = _columns(features)
    for x, out in zip(features.split(size, dim=1), squeezed.split(size, dim=1), strict=True):
        gate = (x * norm[0]).add_(norm[1]).mul_(share).sigmoid_()
        # The gate where it is informative and where it is not; without branches, several times as fast.
        high = F.threshold(gate, unit.informative, 0)
        low = gate.sub_(high)
        other = low * x
        kept = high.sign_().add_(low).mul_(x)
        torch.mm(first, kept[:half].add_(other[half:]), out=out[:quarter])
        torch.mm(second, kept[half:].add_(other[:half]), out=out[quarter:])
    return squeezed


def _rebuilt(squeezed: torch.Tensor, unit: ChannelUnit, grid: torch.Size) -> torch.Tensor:
    """The channel unit, the stage's last norm, and the greatest of 2 × 2."""
    depth, rows, columns = grid
    quarter = len(squeezed) // 2
    convolved = _convolved(unit.GWC, squeezed[:quarter].view(-1, *grid))
    point, kept = unit.PWC1.weight.flatten(1), _kept(unit)
    means = squeezed.mean(1)
    upper = convolved.mean((1, 2, 3)) + point @ means[:quarter]
    weights = torch.cat([upper, kept @ means[quarter:]]).softmax(0).view(2, -1, 1)
    # Both halves, weighted, are one product of what was squeezed, and a part of what was convolved.
    mixing = torch.cat([weights[0] * point, weights[1] * kept], dim=1)
    found = convolved.new_empty(len(convolved), depth, rows // 2, columns // 2)
    squeezed = squeezed.view(-1, *grid)
    strip, parts = 2 * max(1, _BYTES // (8 * len(convolved) * columns)), []
    for z in range(depth):
        for row in range(0, rows, strip):
            at = (slice(None), z, slice(row, row + strip))
            piece = torch.addmm(convolved[at].flatten(1) * weights[0], mixing, squeezed[at].flatten(1))
            parts.append(Statistics.of(piece))
            found[:, z, row // 2 : (row + strip) // 2] = _greatest(piece.view(len(piece), -1, columns))
    # A norm without a negative factor keeps order, and so may follow the greatest.
    factor, summand = Statistics.of_all(parts).scale()
    for piece in _pieces(found.flatten(1)):
        piece.mul_(factor).add_(summand).relu_()
    return found


def _greatest(piece: torch.Tensor) -> torch.Tensor:
    """Of 2 × 2, of (channel, row, column); many times faster than PyTorch's pooling."""
    rows = torch.maximum(piece[:, ::2], piece[:, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _kept(unit: ChannelUnit) -> torch.Tensor:
    """What makes the half that is kept of what was squeezed: a matrix (channel, quarter)."""
    convolved = unit.PWC2.weight.flatten(1)
    return torch.cat([convolved, torch.eye(convolved.shape[1])])

"""A stage of the self-prompt in pieces that fit the processor's cache: the same numbers in fewer passes.

A stage of plain layers reads and writes a volume of 168 MB some thirty times. Here each piece goes through all
operations that work voxel by voxel (norms, gates, 1 × 1 × 1 convolutions) at once, which leaves six passes. For
inference on a CPU, without gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.nets.cpu.streaming_convolution import SliceConvolution
from StrokeSAMLib.nets.cpu.streaming_norms import NormStatistics

if TYPE_CHECKING:
    from StrokeSAMLib.nets.models.self_prompt import ChannelUnit, ScConvStage, SpatialUnit

# The size of a float32 piece: half of a core's own cache.
_PIECE_BYTES = 1 << 19


class PiecewiseStage(nn.Module):
    """`PooledStage` in float32: a stage, then max-pooling of 2 × 2 rows and columns.

    Args:
        stage: the stage without the pooling; its weights are not copied.
    """

    def __init__(self, stage: ScConvStage):
        super().__init__()
        self._stage = stage

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, z, y, x) → (batch, out, z, y/2, x/2); y and x are even."""
        pooled = torch.stack([_run_stage(self._stage, volume) for volume in x])
        release_memory()
        return pooled


def _run_stage(stage: ScConvStage, volume: torch.Tensor) -> torch.Tensor:
    """(channel, z, y, x) → (out, z, y/2, x/2)."""
    grid = volume.shape[1:]
    features = _convolve(stage.conv1, volume).flatten(1)
    norm = _normalise_in_place(features, stage.conv2.SRU)
    squeezed = _spatial_unit(features, norm, stage.conv2.SRU, stage.conv2.CRU)
    del features
    return _channel_unit(squeezed, stage.conv2.CRU, grid)


def _convolve(layer: nn.Conv3d, volume: torch.Tensor) -> torch.Tensor:
    """(channel, z, y, x) → (out, z, y, x)."""
    convolved = volume.new_empty(layer.out_channels, *volume.shape[1:])
    for z, plane in enumerate(SliceConvolution(layer)(volume.unbind(1))):
        convolved[:, z] = plane
    return convolved


def _pieces(features: torch.Tensor) -> Iterator[torch.Tensor]:
    """Views of (channel, voxel), of `_PIECE_BYTES` each."""
    return iter(features.split(_piece_voxels(features), dim=1))


def _piece_voxels(features: torch.Tensor) -> int:
    """The number of voxels of one piece of (channel, voxel)."""
    return max(1, _PIECE_BYTES // (4 * len(features)))


def _normalise_in_place(features: torch.Tensor, unit: SpatialUnit) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply instance norm and ReLU to (channel, voxel), in place.

    Returns:
        Factor and summand, (channel, 1), of the unit's group norm of the result.
    """
    factor, summand = NormStatistics.combined(map(NormStatistics.of_piece, _pieces(features))).factor_and_summand()
    parts = []
    for piece in _pieces(features):
        piece.mul_(factor).add_(summand).relu_()
        parts.append(NormStatistics.of_piece(piece))
    channels = NormStatistics.combined(parts)
    groups = unit.gn.num_groups
    mean = channels.mean.view(groups, -1).mean(1, keepdim=True)
    variance = (channels.variance + channels.mean**2).view(groups, -1).mean(1, keepdim=True) - mean**2
    factor = unit.gn.weight.double().view(groups, -1) * (variance + unit.gn.eps).rsqrt()
    summand = unit.gn.bias.double().view(groups, -1) - mean * factor
    return factor.float().view(-1, 1), summand.float().view(-1, 1)


def _spatial_unit(
    features: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor], unit: SpatialUnit, channels: ChannelUnit
) -> torch.Tensor:
    """The spatial unit on (channel, voxel), then the channel unit's squeezing: (channel / 2, voxel), upper half first.

    The arithmetic is that of `SpatialUnit`.
    """
    share = (unit.gn.weight / unit.gn.weight.sum()).view(-1, 1)
    half, quarter = len(features) // 2, len(features) // 4
    upper, lower = (each.weight.flatten(1) for each in (channels.squeeze1, channels.squeeze2))
    squeezed = features.new_empty(half, features.shape[1])
    voxels = _piece_voxels(features)
    for x, out in zip(features.split(voxels, dim=1), squeezed.split(voxels, dim=1), strict=True):
        gate = (x * norm[0]).add_(norm[1]).mul_(share).sigmoid_()
        # The gate of informative features and the gate of the others. Without branches this is several times faster.
        high = F.threshold(gate, unit.informative, 0)
        low = gate.sub_(high)
        second = low * x
        first = high.sign_().add_(low).mul_(x)
        torch.mm(upper, first[:half].add_(second[half:]), out=out[:quarter])
        torch.mm(lower, first[half:].add_(second[:half]), out=out[quarter:])
    return squeezed


def _channel_unit(squeezed: torch.Tensor, unit: ChannelUnit, grid: torch.Size) -> torch.Tensor:
    """The rest of the channel unit, the stage's last norm and ReLU, and max-pooling of 2 × 2."""
    depth, rows, columns = grid
    quarter = len(squeezed) // 2
    convolved = _convolve(unit.GWC, squeezed[:quarter].view(-1, *grid))
    point, kept = unit.PWC1.weight.flatten(1), _matrix_of_kept_half(unit)
    means = squeezed.mean(1)
    upper = convolved.mean((1, 2, 3)) + point @ means[:quarter]
    weights = torch.cat([upper, kept @ means[quarter:]]).softmax(0).view(2, -1, 1)
    # The weighted sum of both halves is one product with the squeezed features plus the weighted convolution.
    mixing = torch.cat([weights[0] * point, weights[1] * kept], dim=1)
    pooled = convolved.new_empty(len(convolved), depth, rows // 2, columns // 2)
    squeezed = squeezed.view(-1, *grid)
    strip, parts = 2 * max(1, _PIECE_BYTES // (8 * len(convolved) * columns)), []
    for z in range(depth):
        for row in range(0, rows, strip):
            at = (slice(None), z, slice(row, row + strip))
            piece = torch.addmm(convolved[at].flatten(1) * weights[0], mixing, squeezed[at].flatten(1))
            parts.append(NormStatistics.of_piece(piece))
            pooled[:, z, row // 2 : (row + strip) // 2] = _max_pool(piece.view(len(piece), -1, columns))
    # The norm's factor is not negative and keeps the order of values, so the norm may follow the pooling.
    factor, summand = NormStatistics.combined(parts).factor_and_summand()
    for piece in _pieces(pooled.flatten(1)):
        piece.mul_(factor).add_(summand).relu_()
    return pooled


def _max_pool(piece: torch.Tensor) -> torch.Tensor:
    """Max-pooling of 2 × 2 on (channel, row, column). It is many times faster than PyTorch's."""
    rows = torch.maximum(piece[:, ::2], piece[:, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _matrix_of_kept_half(unit: ChannelUnit) -> torch.Tensor:
    """The matrix (channel, quarter) that makes the kept half from the squeezed features."""
    convolved = unit.PWC2.weight.flatten(1)
    return torch.cat([convolved, torch.eye(convolved.shape[1])])

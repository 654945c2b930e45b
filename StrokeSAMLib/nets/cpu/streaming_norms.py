"""Instance norm of a volume that is in memory in pieces only, each (channel, voxel)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

_EPSILON = 1e-5


@dataclass(frozen=True)
class NormStatistics:
    """Statistics of the channels of one piece or of a volume.

    Attributes:
        count: number of voxels.
        mean, variance: (channel,), float64.
    """

    count: int
    mean: torch.Tensor
    variance: torch.Tensor

    @classmethod
    def of_piece(cls, piece: torch.Tensor) -> NormStatistics:
        """The statistics of (channel, voxel), float32."""
        # Fifteen times as fast as PyTorch's var_mean.
        mean = piece.mean(1, keepdim=True)
        off = piece - mean
        return cls(piece.shape[1], mean[:, 0].double(), torch.linalg.vecdot(off, off).double() / piece.shape[1])

    @classmethod
    def combined(cls, pieces: Iterable[NormStatistics]) -> NormStatistics:
        """The statistics of a volume from those of its pieces."""
        pieces = tuple(pieces)
        count = sum(piece.count for piece in pieces)
        shares = torch.tensor([piece.count / count for piece in pieces], dtype=torch.float64)[:, None]
        means = torch.stack([piece.mean for piece in pieces])
        mean = (shares * means).sum(0)
        variances = torch.stack([piece.variance for piece in pieces])
        return cls(count, mean, (shares * (variances + (means - mean) ** 2)).sum(0))

    def factor_and_summand(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The linear map, float32 (channel, 1) each, that gives each channel mean 0 and variance 1."""
        factor = (self.variance + _EPSILON).rsqrt()
        return factor.float()[:, None], (-self.mean * factor).float()[:, None]

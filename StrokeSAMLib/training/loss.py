"""The loss of lesion networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

# One voxel: without it a patient without a lesion would have no Dice.
_SMOOTH = 1.0


def dice_and_bce(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss (Milletari et al. 2016, 3DV) of each patient and binary cross-entropy, averaged.

    Args:
        logits, truth: (batch, 1, k, j, i); truth 0 or 1, Float32.
    """
    probability = logits.float().sigmoid()
    axes = (1, 2, 3, 4)
    shared, total = (probability * truth).sum(axes), probability.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * shared + _SMOOTH) / (total + _SMOOTH)
    return dice.mean() + F.binary_cross_entropy_with_logits(logits.float(), truth)

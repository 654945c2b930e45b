"""The loss of `prompt-unet`: Dice, and a cross-entropy in which clicks, errors and undone work weigh more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from StrokeSAMLib.interactive.prompt_maps import CubePoint

# A cube has 98,000 voxels. Without these weights a click's neighbourhood would not count, and a click would gain little
# (../shared study in docs/training.md): weight near the newest click, on the errors of the last answer, and on voxels
# that were right in it, lie far from the newest click and are wrong now.
NEAR_CLICK, ERROR, UNDONE = 40.0, 5.0, 3.0
_REACH = 3.0
_FAR = 10.0
_ENTROPY = 2.0
_SMOOTH = 10.0


def voxel_weights(
    truth: np.ndarray, valid: np.ndarray, previous: np.ndarray | None, newest: Sequence[CubePoint], ratio: float
) -> tuple[np.ndarray, np.ndarray]:
    """The weight of each voxel's entropy, and the voxels that a new answer should leave as they are.

    Args:
        truth, valid: bool (k, j, i).
        previous: the last answer's probability, float32 (k, j, i), or None.
        newest: the points that were given since.
        ratio: distance of slices, pixels.

    Returns:
        Float32 (k, j, i) and bool (k, j, i).
    """
    weight = valid.astype(np.float32)
    if previous is None:
        return weight, np.zeros_like(valid)
    right = (previous > 0.5) == truth
    weight[valid & ~right] = ERROR
    if not newest:
        return weight, np.zeros_like(valid)
    distance = np.full(truth.shape, np.inf, np.float32)
    for point in newest:
        k, j, i = ((np.arange(n, dtype=np.float32) - c) for n, c in zip(truth.shape, point.at, strict=True))
        squares = (ratio * k[:, None, None]) ** 2 + j[:, None] ** 2 + i**2
        np.minimum(distance, np.sqrt(squares), out=distance)
    weight[valid & (distance < _REACH) & (truth == newest[0].positive)] = NEAR_CLICK
    return weight, right & valid & (distance > _FAR)


def prompt_loss(
    logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, keep: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    """Soft Dice (Milletari et al. 2016, 3DV) plus twice the weighted mean cross-entropy, over the valid voxels.

    Args:
        logits: (batch, 1, k, j, i).
        truth, weight, keep, valid: float32 of that shape.
    """
    logits = logits.float()
    probability = logits.sigmoid() * valid
    axes = (1, 2, 3, 4)
    shared, total = (probability * truth).sum(axes), probability.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * shared + _SMOOTH) / (total + _SMOOTH)
    undone = keep * ((probability.detach() > 0.5) != (truth > 0.5))
    weight = weight + UNDONE * undone
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    # Over the count of voxels, not over the sum of weights, so that a click adds to the loss.
    return dice.mean() + _ENTROPY * ((weight * entropy).sum(axes) / valid.sum(axes)).mean()

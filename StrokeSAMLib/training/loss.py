"""The loss of the lesion networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Voxels added to both sides of Dice's ratio. A missed lesion of this size costs half as much as a large missed lesion.
# A false lesion of this size in a patient without one costs as much. Lesions too small to see are not worth a guess.
_SMOOTH = {"ncct-unet": 30.0, "dwi-unet": 4.0, "prompt-unet": 4.0}
# Lesions fill a hundredth of a head, so five times the mean entropy weighs about as much as the Dice loss. The entropy
# keeps the probability calibrated. The Dice loss alone drives it to 0 or 1.
_ENTROPY = 5.0


def dice_and_bce(logits: torch.Tensor, truth: torch.Tensor, id: str) -> torch.Tensor:
    """The patients' mean soft Dice loss (Milletari et al. 2016, 3DV) plus five times the binary cross-entropy.

    Args:
        logits: (batch, 1, k, j, i).
        truth: the lesions, float32 (batch, 1, k, j, i), 0 or 1.
        id: id of the network, "ncct-unet" or "dwi-unet".
    """
    probability = logits.float().sigmoid()
    axes = (1, 2, 3, 4)
    shared, total = (probability * truth).sum(axes), probability.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * shared + _SMOOTH[id]) / (total + _SMOOTH[id])
    return dice.mean() + _ENTROPY * F.binary_cross_entropy_with_logits(logits.float(), truth)

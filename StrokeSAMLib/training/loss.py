"""The loss of lesion networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Voxels added to both sides of the ratio. A missed lesion of so many costs half of what a large one costs, and so does
# as large a false one in a patient without: what is too small to be seen is not worth a guess.
_SMOOTH = {"ncct-unet": 30.0, "dwi-unet": 4.0}
# Lesions are a hundredth of a head: five times the mean entropy weighs about as much as the Dice loss, and keeps the
# probability honest, which the Dice loss alone drives to 0 or 1.
_ENTROPY = 5.0


def dice_and_bce(logits: torch.Tensor, truth: torch.Tensor, id: str) -> torch.Tensor:
    """Soft Dice loss (Milletari et al. 2016, 3DV) of each patient, averaged, and five times the binary cross-entropy.

    Args:
        logits, truth: (batch, 1, k, j, i); truth 0 or 1, Float32.
        id: of the network.
    """
    probability = logits.float().sigmoid()
    axes = (1, 2, 3, 4)
    shared, total = (probability * truth).sum(axes), probability.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * shared + _SMOOTH[id]) / (total + _SMOOTH[id])
    return dice.mean() + _ENTROPY * F.binary_cross_entropy_with_logits(logits.float(), truth)

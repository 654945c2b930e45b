"""What a large lesion hides: a network's second look, with that painted over.

The networks' norms are over the whole brain. A large, bright infarct raises them, and small ones elsewhere fall below
notice: of infarcts of 0.2 ml and ADC × 0.55 put into a real scan with one of 165 ml none was found at once, and
nearly all so (Testing/Benchmarks/inserted_lesions.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.channels import VOXEL_ML

Answer = Callable[[np.ndarray], np.ndarray]

_LARGE_ML = 20.0
# What is painted over reaches so many voxels beyond what was found, and its edge is blurred.
_BEYOND, _BLUR = 2, 0.7


def look_twice(answer: Answer, channels: np.ndarray, brain: np.ndarray, threshold: float) -> np.ndarray:
    """The answer, Float32 (k, j, i), and beyond a large lesion in it what is found without that.

    Args:
        answer: channels → probability.
        channels: Float32 (channel, k, j, i) on the networks' grid.
        brain: bool (k, j, i).
        threshold: least probability of the lesion.
    """
    first = answer(channels)
    found = first >= threshold
    if np.count_nonzero(found) * VOXEL_ML < _LARGE_ML:
        return first
    hidden = ndi.binary_dilation(found, iterations=_BEYOND) & brain
    return np.where(hidden, first, np.maximum(first, answer(_painted(channels, hidden, brain))))


def _painted(channels: np.ndarray, hidden: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The channels' own medians where something is hidden."""
    if not (brain & ~hidden).any():
        return channels
    part = np.maximum(ndi.gaussian_filter(hidden.astype(np.float32), _BLUR), hidden) * brain
    normal = np.median(channels[:, brain & ~hidden], axis=1).astype(np.float32)[:, None, None, None]
    return channels + part * (normal - channels)

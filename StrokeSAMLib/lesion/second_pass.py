"""A second pass of a network over a scan with a large lesion, with that lesion painted over.

The norm layers of the networks average over the whole brain. A large, bright infarct raises these averages, and the
network misses small infarcts elsewhere. Infarcts of 0.2 ml and ADC × 0.55 were put into a real scan with an infarct of
165 ml: one pass found none of them, two passes found nearly all (Testing/Benchmarks/inserted_lesions.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.lesion.network_inputs import VOXEL_ML

Predict = Callable[[np.ndarray], np.ndarray]

_LARGE_ML = 20.0
# The painted area reaches this many voxels beyond the lesion. The standard deviation of its blurred edge is in voxels.
_MARGIN, _BLUR = 2, 0.7


def two_pass_prediction(predict: Predict, inputs: np.ndarray, brain: np.ndarray, threshold: float) -> np.ndarray:
    """Predict a scan; where the lesion is large (20 ml or more), predict the rest again with the lesion painted over.

    Args:
        predict: network inputs (channel, k, j, i) → probability (k, j, i).
        inputs: network inputs, Float32 (channel, k, j, i) on the grid of the networks.
        brain: bool (k, j, i).
        threshold: least probability of the lesion.

    Returns:
        Probability, Float32 (k, j, i): that of the first pass in the painted area, elsewhere the greater one of both.
    """
    first = predict(inputs)
    lesion = first >= threshold
    if np.count_nonzero(lesion) * VOXEL_ML < _LARGE_ML:
        return first
    painted = ndi.binary_dilation(lesion, iterations=_MARGIN) & brain
    return np.where(painted, first, np.maximum(first, predict(_paint_over(inputs, painted, brain))))


def _paint_over(inputs: np.ndarray, painted: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """`inputs` with the median of each channel in the painted area."""
    if not (brain & ~painted).any():
        return inputs
    part = np.maximum(ndi.gaussian_filter(painted.astype(np.float32), _BLUR), painted) * brain
    normal = np.median(inputs[:, brain & ~painted], axis=1).astype(np.float32)[:, None, None, None]
    return inputs + part * (normal - inputs)

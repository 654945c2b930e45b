"""The resampling and the normalisation of CT that nnU-Net uses (Isensee et al. 2021, Nat Methods 18:203).

The numbers equal those of nnU-Net version 2 for volumes with thick slices: splines within a slice, the nearest slice
across slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.geometry import Spacing

SplineOrder = Literal[0, 1, 2, 3, 4, 5]
_LEAST_SD = 1e-8


@dataclass(frozen=True)
class Fingerprint:
    """The densities (HU) within the lesions of a training set. They normalise the CTs of its network.

    Attributes:
        low, high: 0.5th and 99.5th percentile, HU.
        mean, sd: mean and standard deviation, HU.
    """

    low: float
    high: float
    mean: float
    sd: float

    def normalise(self, hu: np.ndarray) -> np.ndarray:
        """Clip densities (HU) to the percentiles and turn them into standard scores, float32."""
        clipped = np.clip(hu, self.low, self.high)
        return ((clipped - self.mean) / max(self.sd, _LEAST_SD)).astype(np.float32)


def shape_at_spacing(shape: tuple[int, ...], spacing: Spacing, target: Spacing) -> tuple[int, ...]:
    """The shape of an array once it is resampled to another spacing.

    Args:
        shape: (z, y, x).
        spacing: of the array, (z, y, x), mm.
        target: the new spacing, (z, y, x), mm.
    """
    return tuple(max(1, round(n * old / new)) for n, old, new in zip(shape, spacing, target, strict=True))


def resize(array: np.ndarray, shape: tuple[int, ...], order: SplineOrder) -> np.ndarray:
    """Resample an array to another shape: splines within a slice, the nearest slice across slices.

    Args:
        array: (z, y, x).
        shape: (z, y, x) of the result.
        order: of the splines. Their values are clipped to the range of the slice.
    """
    nearest = np.floor((np.arange(shape[0]) + 0.5) * len(array) / shape[0]).astype(int)
    used, positions = np.unique(nearest, return_inverse=True)
    return np.stack([_resized_slice(array[k], shape[1:], order) for k in used])[positions]


def _resized_slice(pixels: np.ndarray, shape: tuple[int, ...], order: SplineOrder) -> np.ndarray:
    if pixels.shape == tuple(shape):
        return pixels
    factors = [new / old for new, old in zip(shape, pixels.shape, strict=True)]
    resized = ndi.zoom(pixels, factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(resized, pixels.min(), pixels.max())

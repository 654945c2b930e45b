"""How nnU-Net (Isensee et al. 2021, Nat Methods 18:203) brings a CT to its network and an answer back.

Numbers equal its version 2 where slices are far apart: in the plane splines, across slices the nearest one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.geometry import Spacing

_LEAST_SD = 1e-8


@dataclass(frozen=True)
class Fingerprint:
    """Densities of the lesions of a training set, HU: what its CTs were normalised by.

    Attributes:
        low, high: 0.5th and 99.5th percentile.
        mean, sd: of the densities.
    """

    low: float
    high: float
    mean: float
    sd: float

    def normalised(self, hu: np.ndarray) -> np.ndarray:
        """Clipped to the percentiles, then standard scores, float32."""
        clipped = np.clip(hu, self.low, self.high)
        return ((clipped - self.mean) / max(self.sd, _LEAST_SD)).astype(np.float32)


def shape_at(shape: tuple[int, ...], spacing: Spacing, wanted: Spacing) -> tuple[int, ...]:
    """The shape (z, y, x) of an array of `spacing`, mm, once it has the spacing `wanted`."""
    return tuple(max(1, round(n * old / new)) for n, old, new in zip(shape, spacing, wanted, strict=True))


def resize(array: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    """(z, y, x) at another `shape`: splines of `order` in the plane, kept within the slice's range; nearest slices."""
    nearest = np.floor((np.arange(shape[0]) + 0.5) * len(array) / shape[0]).astype(int)
    used, places = np.unique(nearest, return_inverse=True)
    return np.stack([_resized_slice(array[k], shape[1:], order) for k in used])[places]


def _resized_slice(pixels: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    if pixels.shape == tuple(shape):
        return pixels
    factors = [new / old for new, old in zip(shape, pixels.shape, strict=True)]
    found = ndi.zoom(pixels, factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(found, pixels.min(), pixels.max())

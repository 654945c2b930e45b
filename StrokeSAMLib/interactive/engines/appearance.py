"""The appearance of an object and its surroundings: two densities of grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

_BINS = 32
_SMOOTHING_BINS = 1.0
# Added to each density, so that a grey level absent from a region has a finite log-likelihood.
_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Appearance:
    """Densities of grey levels (0…255) inside and outside the object, Float64 (bin,)."""

    inside: np.ndarray
    outside: np.ndarray

    @classmethod
    def from_regions(cls, grey: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> Appearance:
        """The densities of `grey` in the two regions, both bool masks of its shape."""
        return cls(_density(grey[inside]), _density(grey[outside]))

    def log_likelihood_ratio(self, grey: np.ndarray) -> np.ndarray:
        """The log of density inside over density outside, for each pixel of `grey`."""
        bins = np.clip(grey * (_BINS / 256) - 0.5, 0, _BINS - 1)
        return np.interp(bins, np.arange(_BINS), np.log(self.inside / self.outside))


def _density(values: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, bins=_BINS, range=(0, 256))[0].astype(float)
    smooth = ndi.gaussian_filter1d(counts, _SMOOTHING_BINS, mode="nearest")
    return smooth / (smooth.sum() + 1e-9) + _FLOOR

"""What an object and its surroundings look like: two histograms, and what they say of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

_BINS = 32
_SMOOTHING_BINS = 1.0
_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Appearance:
    """Densities of grey levels (0…255) in the object and around it."""

    inside: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, grey: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> Appearance:
        """Learnt from the pixels of two regions."""
        return cls(_density(grey[inside]), _density(grey[outside]))

    def evidence(self, grey: np.ndarray) -> np.ndarray:
        """The log of how much likelier each grey level is in the object than around it."""
        place = np.clip(grey * (_BINS / 256) - 0.5, 0, _BINS - 1)
        return np.interp(place, np.arange(_BINS), np.log(self.inside / self.outside))


def _density(values: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, bins=_BINS, range=(0, 256))[0].astype(float)
    smooth = ndi.gaussian_filter1d(counts, _SMOOTHING_BINS, mode="nearest")
    return smooth / (smooth.sum() + 1e-9) + _FLOOR

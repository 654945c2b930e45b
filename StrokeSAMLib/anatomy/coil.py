"""The brightness that the receiving coils give to a diffusion scan: higher near the coils than in the middle."""

from __future__ import annotations

from itertools import product

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing

_DEGREE = 3
# Tissue without infarct or CSF has an ADC in this range, as a part of the patient's normal one.
_TISSUE_PART = (0.75, 1.35)
# A fit needs no more voxels than this.
_MOST_VOXELS = 40_000
# Voxels farther than this from the fit, in robust standard deviations, are no normal tissue. The fit is repeated.
_FAR, _REPEATS = 2.5, 3
# Measured fields stay within these factors of their middle.
_LIMITS = (0.3, 3.0)


def coil_field(dwi: np.ndarray, adc: np.ndarray, normal_adc: float, brain: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Fit a cubic polynomial to the logarithm of the DWI in tissue.

    Args:
        dwi: signal (k, j, i), 0 or more.
        adc: 10⁻⁶ mm²/s (k, j, i).
        normal_adc: of the patient's tissue, 10⁻⁶ mm²/s.
        brain: bool (k, j, i), not empty.
        spacing: (k, j, i), mm.

    Returns:
        The factor by which the coils brighten each voxel, Float32 (k, j, i): 1 in the middle of its values in the
        brain, and everywhere outside the brain.
    """
    part = adc / normal_adc
    places = np.argwhere(brain & (part > _TISSUE_PART[0]) & (part < _TISSUE_PART[1]) & (dwi > 0))
    places = places[:: max(1, len(places) // _MOST_VOXELS)]
    field = np.ones(brain.shape, np.float32)
    if len(places) < 100 * len(_EXPONENTS):
        return field
    everywhere = np.argwhere(brain)
    middle, scale = everywhere.mean(axis=0), np.asarray(spacing) / 100.0
    terms, values = _terms((places - middle) * scale), np.log(dwi[tuple(places.T)])
    near = np.ones(len(values), bool)
    for _ in range(_REPEATS):
        weights = np.linalg.lstsq(terms[near], values[near], rcond=None)[0]
        distance = np.abs(values - terms @ weights)
        near = distance < _FAR * 1.4826 * np.median(distance)
    logarithm = _terms((everywhere - middle) * scale) @ weights
    field[brain] = np.clip(np.exp(logarithm - np.median(logarithm)), *_LIMITS)
    return field


_EXPONENTS = [powers for powers in product(range(_DEGREE + 1), repeat=3) if sum(powers) <= _DEGREE]


def _terms(points: np.ndarray) -> np.ndarray:
    """The terms of the polynomial at points (n, 3), Float32 (n, term)."""
    powers = [points.astype(np.float32) ** degree for degree in range(_DEGREE + 1)]
    return np.stack([powers[a][:, 0] * powers[b][:, 1] * powers[c][:, 2] for a, b, c in _EXPONENTS], axis=1)

"""The input channels of the compact U-Nets: values near 1 in size, 0 outside the brain.

Training and prediction share this file, so that a network is always used on inputs like those it was trained on.
"""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.anatomy.adc import parenchyma
from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import bounding_box, masked_gaussian

# The grid of the networks, mm. A voxel is 0.027 ml, about the smallest lesion that is reported.
GRID_MM = 3.0
VOXEL_ML = GRID_MM**3 / 1000
# The networks halve their grid three times, so every side is a multiple of this many voxels.
SIDE_MULTIPLE = 8
_TISSUE_HU = (18.0, 55.0)
_HU_UNIT = 10.0
_MOST_HU = 3.0
_SMOOTHING_MM = 4.0
_DIFFERENCE_UNIT = 4.0
_MOST_SIGNAL = 6.0
_MOST_ADC = 3.0
_USUAL_ADC = 900.0


def brain_box(brain: np.ndarray) -> tuple[slice, ...]:
    """The part of an array that the networks get: the bounding box of the brain, with sides rounded up to
    `SIDE_MULTIPLE`.

    Args:
        brain: bool (k, j, i), not empty; its own sides are multiples of `SIDE_MULTIPLE`.

    Returns:
        A slice for each axis (k, j, i).
    """
    box = []
    for span, count in zip(bounding_box(brain), brain.shape, strict=True):
        size = -(-(span.stop - span.start) // SIDE_MULTIPLE) * SIDE_MULTIPLE
        start = max(0, min((span.start + span.stop - size) // 2, count - size))
        box.append(slice(start, start + size))
    return tuple(box)


def ct_inputs(hu: np.ndarray, mirrored: np.ndarray, brain: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The inputs of `ncct-unet`: density, its mirror image, and their smoothed difference.

    Args:
        hu: density within the brain, HU (k, j, i).
        mirrored: the mirror image of `hu`, HU (k, j, i).
        brain: bool (k, j, i).
        spacing: (k, j, i), mm.

    Returns:
        Float32 (3, k, j, i): both densities as the distance from the median of tissue in units of 10 HU, and the
        difference in units of 4 HU.
    """
    tissue = hu[brain & (hu > _TISSUE_HU[0]) & (hu < _TISSUE_HU[1])]
    level = float(np.median(tissue)) if tissue.size else 32.0
    own, other = (np.clip((image - level) / _HU_UNIT, -_MOST_HU, _MOST_HU) for image in (hu, mirrored))
    dense = brain & (np.minimum(own, other) > -1.5) & (np.maximum(own, other) < 2.0)
    difference = masked_gaussian(own - other, dense, _SMOOTHING_MM, spacing) * (_HU_UNIT / _DIFFERENCE_UNIT)
    return (np.stack([own, other, difference]) * brain).astype(np.float32)


def diffusion_inputs(dwi: np.ndarray, adc: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The inputs of `dwi-unet`: DWI over its median in the brain, and ADC over its median in tissue.

    The ADC of normal tissue depends on scanner, b-value and age: in a real patient it was a fifth above the synthetic
    ones.

    Args:
        dwi: signal, 0 or more (k, j, i).
        adc: 10⁻⁶ mm²/s (k, j, i).
        brain: bool (k, j, i).

    Returns:
        Float32 (2, k, j, i).
    """
    median = float(np.median(dwi[brain])) if brain.any() else 1.0
    signal = np.clip(dwi / max(median, 1e-6), 0, _MOST_SIGNAL)
    relative = np.clip(adc / normal_adc(adc, brain), 0, _MOST_ADC)
    return (np.stack([signal, relative]) * brain).astype(np.float32)


def normal_adc(adc: np.ndarray, brain: np.ndarray) -> float:
    """The median ADC of tissue, 10⁻⁶ mm²/s; 900 where there is no tissue.

    Args:
        adc: 10⁻⁶ mm²/s.
        brain: bool, same shape.
    """
    tissue = adc[parenchyma(adc, brain)]
    return float(np.median(tissue)) if tissue.size else _USUAL_ADC

"""What the lesion networks see: channels near 1 in size, 0 outside the brain. Training and use share this file."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.adc import parenchyma
from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import bounding_box, masked_gaussian

# The grid of the networks, mm: voxels of 0.03 ml, about the smallest lesion that is reported.
GRID_MM = 3.0
VOXEL_ML = GRID_MM**3 / 1000
# The networks halve their grid three times: every side is a multiple of this.
MULTIPLE = 8
_TISSUE_HU = (18.0, 55.0)
_HU_UNIT = 10.0
_MOST_HU = 3.0
_SMOOTHING_MM = 4.0
_DIFFERENCE_UNIT = 4.0
_MOST_SIGNAL = 6.0
_MOST_ADC = 3.0
_USUAL_ADC = 900.0


def brain_box(brain: np.ndarray) -> tuple[slice, ...]:
    """What the networks are shown of an array (k, j, i): the brain's bounding box, its sides rounded up to `MULTIPLE`.

    Args:
        brain: bool, not empty; its own sides are multiples of `MULTIPLE`.
    """
    box = []
    for there, count in zip(bounding_box(brain), brain.shape, strict=True):
        size = -(-(there.stop - there.start) // MULTIPLE) * MULTIPLE
        start = max(0, min((there.start + there.stop - size) // 2, count - size))
        box.append(slice(start, start + size))
    return tuple(box)


def ct_channels(hu: np.ndarray, mirrored: np.ndarray, brain: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The channels of `ncct-unet`: density, its mirror image, their smoothed difference.

    Args:
        hu: density within the brain, HU (k, j, i).
        mirrored: the same, of the point that answers each voxel on the other side.
        brain: bool.
        spacing: (k, j, i), mm.

    Returns:
        Float32 (3, k, j, i): densities in units of 10 HU from the median of the tissue, the difference in 4 HU.
    """
    tissue = hu[brain & (hu > _TISSUE_HU[0]) & (hu < _TISSUE_HU[1])]
    level = float(np.median(tissue)) if tissue.size else 32.0
    own, other = (np.clip((image - level) / _HU_UNIT, -_MOST_HU, _MOST_HU) for image in (hu, mirrored))
    dense = brain & (np.minimum(own, other) > -1.5) & (np.maximum(own, other) < 2.0)
    apart = masked_gaussian(own - other, dense, _SMOOTHING_MM, spacing) * (_HU_UNIT / _DIFFERENCE_UNIT)
    return (np.stack([own, other, apart]) * brain).astype(np.float32)


def diffusion_channels(dwi: np.ndarray, adc: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The channels of `dwi-unet`: DWI over its median in the brain, and ADC over its median in tissue.

    The ADC of normal tissue depends on scanner, b-value and age: a real patient's lay a fifth above synthetic ones.

    Args:
        dwi: signal, 0 or more (k, j, i).
        adc: 10⁻⁶ mm²/s.
        brain: bool.

    Returns:
        Float32 (2, k, j, i).
    """
    median = float(np.median(dwi[brain])) if brain.any() else 1.0
    signal = np.clip(dwi / max(median, 1e-6), 0, _MOST_SIGNAL)
    relative = np.clip(adc / normal_adc(adc, brain), 0, _MOST_ADC)
    return (np.stack([signal, relative]) * brain).astype(np.float32)


def normal_adc(adc: np.ndarray, brain: np.ndarray) -> float:
    """The median ADC of tissue, in the unit of `adc` (10⁻⁶ mm²/s); 900 where there is none."""
    tissue = adc[parenchyma(adc, brain)]
    return float(np.median(tissue)) if tissue.size else _USUAL_ADC

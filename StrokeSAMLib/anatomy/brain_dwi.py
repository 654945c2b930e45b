"""The brain mask of a diffusion-weighted image. Fat is suppressed and fluid is dark, so bright voxels are brain."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import array_spacing, image_like, voxel_volume_ml
from StrokeSAMLib.imaging.morphology import close, dilate, erode, fill_holes, gaussian, largest_component

_SMOOTHING_MM = 1.5
# Otsu's threshold (IEEE Trans. SMC 9:62, 1979) lies half-way between air and brain. Susceptibility dims the tissue
# beside the skull base below it, so only this part of the threshold is used.
_THRESHOLD_PART = 0.7
# Half the width of the optic nerves, muscles and vessels that connect the brain to other bright tissue.
_BRIDGE_MM = 4.0
_SULCI_MM = 6.0
PLAUSIBLE_ML = (100.0, 2500.0)


def brain_mask(dwi: sitk.Image) -> sitk.Image:
    """The brain, with its ventricles and sulci, in a DWI (trace image, b near 1000 s/mm²).

    Args:
        dwi: Float32, 0 or more, axes near L, P, S; with or without the signal of the skull.

    Returns:
        UInt8 mask on the same grid.

    Raises:
        InputError: no part of the image has the volume of a brain (100 to 2500 ml).
    """
    spacing = array_spacing(dwi)
    smooth = gaussian(sitk.GetArrayFromImage(dwi), _SMOOTHING_MM, spacing)
    bright = smooth > _THRESHOLD_PART * _otsu(smooth)
    core = largest_component(erode(bright, _BRIDGE_MM, spacing))
    brain = close(dilate(core, _BRIDGE_MM + 1.0, spacing) & bright, _SULCI_MM, spacing)
    brain = fill_holes(largest_component(brain))
    volume = brain.sum() * voxel_volume_ml(dwi)
    if not PLAUSIBLE_ML[0] <= volume <= PLAUSIBLE_ML[1]:
        raise InputError(f"dwi: no brain found: the best candidate has {volume:.0f} ml")
    return image_like(brain, dwi)


def _otsu(array: np.ndarray) -> float:
    """Otsu's threshold of values capped at the 98th percentile. Uncapped, a bright lesion would be its own class."""
    capped = np.minimum(array, np.percentile(array, 98))
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(sitk.GetImageFromArray(capped.astype(np.float32)))
    return otsu.GetThreshold()

"""Recognition of Hounsfield units. CTs stored with an offset are corrected; other images are refused."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError

# Unsigned CT pixels are stored with this offset (DICOM PS3.3 C.11.1.1.2; the usual Rescale Intercept is −1024).
STORED_OFFSET = 1024
# The median of soft tissue in a head: near 32 HU; 20 in an oedematous or atrophic brain, 50 with the neck.
_TISSUE_HU = (15.0, 55.0)
_AIR_HU = -300.0
_LEAST_AIR = 0.01
_LEAST_TISSUE = 0.02
_LEAST_BACKGROUND = 0.1
# In CT few voxels have values between brain and bone. In an MR scaled to the same range many do.
_MOST_BETWEEN = 0.35


def to_hounsfield(image: sitk.Image, name: str) -> tuple[sitk.Image, list[str]]:
    """Check that `image` is a CT in HU, and subtract a stored offset.

    The offset of 1024 is recognised (air at 0, brain near 1060).

    Args:
        image: any scalar type.
        name: the name of the input in messages.

    Returns:
        The CT in HU, and a line for each correction.

    Raises:
        InputError: the values cannot be HU (an MR, a windowed or normalised image, a constant image).
    """
    levels = _GreyLevels(image)
    if levels.high - levels.low < 1:
        raise InputError(f"{name}: every voxel has the same value ({levels.low:g})")
    if levels.are_hounsfield(0):
        return image, []
    if levels.low >= 0 and levels.are_hounsfield(STORED_OFFSET):
        shifted = sitk.Cast(image, sitk.sitkInt32) - STORED_OFFSET
        return shifted, [f"{name}: values were stored with an offset of {STORED_OFFSET}; it was subtracted"]
    raise InputError(f"{name}: does not look like a CT in Hounsfield units ({levels.description()})")


class _GreyLevels:
    """The grey levels of an image, from a regular sample of its voxels."""

    def __init__(self, image: sitk.Image):
        array = sitk.GetArrayViewFromImage(image)
        step = max(1, round((array.size / 2e6) ** (1 / 3)))
        self.values = array[::step, ::step, ::step].astype(np.float32).ravel()
        self.low, self.high = float(self.values.min()), float(self.values.max())

    def are_hounsfield(self, offset: float) -> bool:
        """True where the values less `offset` have soft tissue at its HU, and air or a constant background."""
        values = self.values - offset
        if np.mean(values < _AIR_HU) < _LEAST_AIR:
            levels, counts = np.unique(values, return_counts=True)
            if counts.max() < _LEAST_BACKGROUND * values.size:
                return False
            values = values[values != levels[counts.argmax()]]
        tissue = values[(values > -20) & (values < 100)]
        if tissue.size < _LEAST_TISSUE * self.values.size:
            return False
        between = np.count_nonzero((values > 60) & (values < 160))
        return bool(_TISSUE_HU[0] <= np.median(tissue) <= _TISSUE_HU[1] and between < _MOST_BETWEEN * tissue.size)

    def description(self) -> str:
        low, middle, high = np.percentile(self.values, [1, 50, 99])
        return f"1st, 50th and 99th percentile: {low:g}, {middle:g}, {high:g}"

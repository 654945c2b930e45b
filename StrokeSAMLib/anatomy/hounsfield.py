"""Recognition of Hounsfield units. A stored offset and padding are corrected; other images are refused."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import image_like

# Unsigned CT pixels are stored with an offset (DICOM PS3.3 C.11.1.1.2). The usual Rescale Intercept is −1024, others
# are −1000 and −8192; 32768 is the offset of signed numbers in unsigned ones of 16 bits, alone or with 1024 less.
STORED_OFFSET = 1024
_OTHER_OFFSETS = (1000, 8192, 32768, 31744)
# The median of soft tissue in a head: near 32 HU; 20 in an oedematous or atrophic brain, 50 with the neck.
_TISSUE_HU = (15.0, 55.0)
_AIR_HU = (-1100.0, -300.0)
_AIR = -1024
_METAL_HU = 4000.0
_LEAST_AIR = 0.01
_LEAST_TISSUE = 0.02
# A single value that this part of the voxels have was not measured: it is padding, or air of a constant value.
_LEAST_CONSTANT = 0.05
# A background without air, as around a brain without skull, is larger.
_LEAST_BACKGROUND = 0.1
_LEAST_REGION = 0.005
# In CT few voxels have values between brain and bone. In an MR scaled to the same range many do.
_MOST_BETWEEN = 0.35


def to_hounsfield(image: sitk.Image, name: str) -> tuple[sitk.Image, list[str]]:
    """Check that `image` is a CT in HU, subtract a stored offset, and turn padding into air.

    An offset is recognised by air and brain (with 1024: air at 0 to 24, brain near 1060). Padding is a single value
    that no tissue has, such as −2000 or −3024 around the circle of the reconstruction.

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
    offset = levels.offset()
    if offset is None:
        raise InputError(f"{name}: does not look like a CT in Hounsfield units ({levels.description()})")
    notes = []
    if offset:
        is_float = "float" in image.GetPixelIDTypeAsString()
        image = sitk.Cast(image, sitk.sitkFloat32 if is_float else sitk.sitkInt32) - offset
        notes.append(f"{name}: values were stored with an offset of {offset}; it was subtracted")
    padding = levels.padding(offset)
    if levels.low - offset < _AIR_HU[0] or padding:
        image = _with_air(image, [value - offset for value in padding])
    notes += [
        f"{name}: {levels.part(value):.0%} of the voxels are padding ({value:g}): taken as air" for value in padding
    ]
    return image, notes


def _with_air(hounsfield: sitk.Image, padding: list[float]) -> sitk.Image:
    """The image with air in place of values below air, and of the large regions of the values in `padding`."""
    array = sitk.GetArrayFromImage(hounsfield)
    np.maximum(array, _AIR, out=array)
    for value in padding:
        # Single voxels inside the head may have the same value.
        labels, _ = ndi.label(array == value)
        sizes = np.bincount(labels.ravel())
        array[(sizes >= _LEAST_REGION * array.size)[labels] & (labels > 0)] = _AIR
    return image_like(array, hounsfield)


class _GreyLevels:
    """The grey levels of an image, from a regular sample of its voxels."""

    def __init__(self, image: sitk.Image):
        array = sitk.GetArrayViewFromImage(image)
        step = max(1, round((array.size / 2e6) ** (1 / 3)))
        self.values = array[::step, ::step, ::step].astype(np.float32).ravel()
        self.low, self.high = float(self.values.min()), float(self.values.max())
        levels, counts = np.unique(self.values, return_counts=True)
        self.constants = levels[counts >= _LEAST_CONSTANT * self.values.size]
        self.measured = self.values[~np.isin(self.values, self.constants)]
        if self.measured.size < _LEAST_TISSUE * self.values.size:
            # A drawing without noise: its tissue is constant, too, and only the commonest value is background.
            self.measured = self.values[self.values != levels[counts.argmax()]]

    def offset(self) -> int | None:
        """The offset of the stored values; 0 for HU, None if the values are not of a CT."""
        if not self.measured.size:
            return None
        # Air without its offset is 0 or more. Negative values other than padding are HU already.
        is_stored = np.percentile(self.measured, 1) > -200
        offsets = (0, STORED_OFFSET, *_OTHER_OFFSETS) if is_stored else (0,)
        with_air = (offset for offset in offsets if self._has_air(offset) and self._has_tissue(offset))
        # Without air that was measured, a constant background must do.
        has_background = any(self.part(value) >= _LEAST_BACKGROUND for value in self.constants)
        without = (offset for offset in offsets[:2] if has_background and self._has_tissue(offset))
        return next(with_air, next(without, None))

    def padding(self, offset: float) -> list[float]:
        """The stored constant values that are neither air nor, in an image without air, the background."""
        hu = self.constants - offset
        is_odd = (hu > _METAL_HU) | (self._has_air(offset) & (hu > _AIR_HU[1]) & (hu <= 0))
        return self.constants[is_odd].tolist()

    def part(self, value: float) -> float:
        """The part of the voxels that have this value, 0…1."""
        return float(np.mean(self.values == value))

    def description(self) -> str:
        """The spread of the values, for an error."""
        low, middle, high = np.percentile(self.values, [1, 50, 99])
        return f"1st, 50th and 99th percentile: {low:g}, {middle:g}, {high:g}"

    def _has_air(self, offset: float) -> bool:
        hu = self.measured - offset
        return bool(np.count_nonzero((hu > _AIR_HU[0]) & (hu < _AIR_HU[1])) >= _LEAST_AIR * self.values.size)

    def _has_tissue(self, offset: float) -> bool:
        """Whether the values less `offset` have soft tissue at its HU."""
        hu = self.measured - offset
        tissue = hu[(hu > -20) & (hu < 100)]
        if tissue.size < _LEAST_TISSUE * self.values.size:
            return False
        between = np.count_nonzero((hu > 60) & (hu < 160))
        return bool(_TISSUE_HU[0] <= np.median(tissue) <= _TISSUE_HU[1] and between < _MOST_BETWEEN * tissue.size)

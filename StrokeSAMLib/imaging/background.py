"""Voxels without a value, NaN or infinity, as quantitative maps have them outside the head: they are background."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import image_like

# CT has air near −1000 HU. The values of MR, and of a CT that was windowed before, stay above this.
CT_AIR = -300.0


def count_without_value(image: sitk.Image, name: str) -> int:
    """The number of voxels that are NaN or infinite.

    Args:
        image: 3-D, scalar.
        name: names the image in the error.

    Raises:
        InputError: no voxel has a value.
    """
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind != "f":
        return 0
    # Slice by slice: a mask of the whole volume would take memory.
    count = sum(int(plane.size - np.count_nonzero(np.isfinite(plane))) for plane in array)
    if count == array.size:
        raise InputError(f"{name}: every voxel is NaN or infinite")
    return count


def background_note(count: int) -> str:
    """The note for the user about `count` voxels without a value."""
    return f"{count} voxel{'s are' if count != 1 else ' is'} NaN or infinite: taken as background"


def background_value(image: sitk.Image) -> float:
    """The value of background: the least finite value of a CT, which is air; 0 in any other image."""
    array = sitk.GetArrayViewFromImage(image)
    low = float(array.min())
    if not np.isfinite(low):
        low = min((float(plane[np.isfinite(plane)].min(initial=np.inf)) for plane in array), default=0.0)
    return low if low < CT_AIR else 0.0


def with_background(image: sitk.Image) -> sitk.Image:
    """A copy of `image` with background in place of NaN and infinity."""
    array = sitk.GetArrayFromImage(image)
    array[~np.isfinite(array)] = background_value(image)
    return image_like(array, image)

"""Checks that a volume can be segmented. Every error is one line with the name of the image and its fault."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError

_LEAST_VOXELS = 4
# The slices of a head CT are up to 10 mm thick; thicker slices hide a lesion.
_SPACING_MM = (0.05, 12.0)
_LEAST_EXTENT_MM = 20.0


def check_volume(image: sitk.Image, name: str) -> None:
    """Refuse an image that is not 3-D, too small, of absurd spacing, constant, or has NaN or infinite voxels.

    Args:
        image: of any scalar type.
        name: the image's name in the error.

    Raises:
        InputError: the reason.
    """
    check_scalar(image, name)
    _check_grid(image, name)
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind == "f":
        _check_finite(array, name)
    if array.min() == array.max():
        raise InputError(f"{name}: every voxel has the same value ({array.min():g})")


def check_scalar(image: sitk.Image, name: str) -> None:
    """Refuse an image that is not 3-D or has several components a voxel.

    Raises:
        InputError: the number of dimensions or components.
    """
    if image.GetDimension() != 3:
        raise InputError(f"{name}: a 3-D scalar volume is needed, this image is {image.GetDimension()}-D")
    if image.GetNumberOfComponentsPerPixel() != 1:
        count = image.GetNumberOfComponentsPerPixel()
        raise InputError(f"{name}: a 3-D scalar volume is needed, this image has {count} components a voxel")


def _check_grid(image: sitk.Image, name: str) -> None:
    size, spacing = image.GetSize(), image.GetSpacing()
    if min(size) < _LEAST_VOXELS:
        text = " × ".join(map(str, size))
        raise InputError(f"{name}: too few slices ({text} voxels); a volume of {_LEAST_VOXELS} or more is needed")
    if not all(_SPACING_MM[0] <= step <= _SPACING_MM[1] for step in spacing):
        text = " × ".join(f"{step:g}" for step in spacing)
        raise InputError(f"{name}: voxel spacing {text} mm is outside {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g} mm")
    extent = [count * step for count, step in zip(size, spacing, strict=True)]
    if min(extent) < _LEAST_EXTENT_MM:
        text = " × ".join(f"{length:.0f}" for length in extent)
        raise InputError(f"{name}: the image covers only {text} mm, too little of a head")


def _check_finite(array: np.ndarray, name: str) -> None:
    # Slice by slice: a mask of the whole volume would take memory.
    count = sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in array)
    if count:
        raise InputError(f"{name}: {count} voxels are NaN or infinite")

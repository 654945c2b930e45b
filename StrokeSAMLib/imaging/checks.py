"""Is this volume fit to be segmented at all? Every refusal is one line that names the image and what is wrong."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError

_LEAST_VOXELS = 4
# Slices thicker than this hide a lesion; a head CT's thickest are 10 mm.
_SPACING_MM = (0.05, 12.0)
_LEAST_EXTENT_MM = 20.0


def check_volume(image: sitk.Image, name: str) -> None:
    """Refuse what is no volume: not 3-D, too few slices, absurd spacing, NaN or infinite values, a constant.

    Args:
        image: any scalar type.
        name: what to call it in an error.

    Raises:
        InputError: with the reason.
    """
    check_scalar(image, name)
    _check_grid(image, name)
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind == "f":
        _check_finite(array, name)
    if array.min() == array.max():
        raise InputError(f"{name}: every voxel has the same value ({array.min():g})")


def check_scalar(image: sitk.Image, name: str) -> None:
    """Refuse what is not three-dimensional, or holds more than one number a voxel.

    Raises:
        InputError: with what it is.
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
    bad = sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in array)  # by slice: no mask of the whole
    if bad:
        raise InputError(f"{name}: {bad} voxels are NaN or infinite")

"""Checks that a volume can be segmented. Every error is one line with the name of the image and its fault."""

from __future__ import annotations

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError

_LEAST_VOXELS = 4
# The slices of a head CT are up to 10 mm thick; thicker slices hide a lesion.
_SPACING_MM = (0.05, 12.0)
_LEAST_EXTENT_MM = 20.0


def check_volume(image: sitk.Image, name: str) -> None:
    """Refuse an image that is too small, of absurd spacing, or constant.

    Args:
        image: 3-D, scalar, without NaN.
        name: the image's name in the error.

    Raises:
        InputError: the reason.
    """
    _check_grid(image, name)
    array = sitk.GetArrayViewFromImage(image)
    if array.min() == array.max():
        raise InputError(f"{name}: every voxel has the same value ({array.min():g})")


def as_scalar_volume(image: sitk.Image, name: str) -> sitk.Image:
    """`image` as a 3-D scalar image: vectors of one number become numbers, and further axes of length 1 are dropped.

    Raises:
        InputError: the number of dimensions or components.
    """
    components, size = image.GetNumberOfComponentsPerPixel(), image.GetSize()
    if components != 1:
        raise InputError(f"{name}: a scalar volume is needed; this image has {components} components a voxel")
    if len(size) < 3 or max(size[3:], default=1) > 1:
        text = " × ".join(map(str, size))
        raise InputError(f"{name}: a 3-D volume is needed; this image is {len(size)}-D ({text})")
    pixel_type = image.GetPixelIDTypeAsString()
    if pixel_type.startswith("complex"):
        raise InputError(f"{name}: a scalar volume is needed; the voxels of this image are complex numbers")
    if pixel_type.startswith("vector"):
        image = sitk.VectorIndexSelectionCast(image)
    return image[(slice(None),) * 3 + (0,) * (len(size) - 3)] if len(size) > 3 else image


def _check_grid(image: sitk.Image, name: str) -> None:
    size, spacing = image.GetSize(), image.GetSpacing()
    if min(size) < _LEAST_VOXELS:
        text = " × ".join(map(str, size))
        raise InputError(f"{name}: too few slices ({text} voxels); a volume of {_LEAST_VOXELS} or more is needed")
    rounded = [round(step, 4) for step in spacing]  # headers have 32-bit numbers
    if not all(_SPACING_MM[0] <= step <= _SPACING_MM[1] for step in rounded):
        text = " × ".join(f"{step:g}" for step in spacing)
        raise InputError(f"{name}: voxel spacing {text} mm is outside {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g} mm")
    extent = [count * step for count, step in zip(size, spacing, strict=True)]
    if min(extent) < _LEAST_EXTENT_MM:
        text = " × ".join(f"{length:.0f}" for length in extent)
        raise InputError(f"{name}: the image covers only {text} mm, too little of a head")

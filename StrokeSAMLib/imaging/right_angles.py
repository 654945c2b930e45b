"""Sheared grids: images whose voxel axes are not at right angles, as a tilted gantry leaves them.

SimpleITK holds such an image, but its filters, and the methods, presume right angles.
"""

from __future__ import annotations

import itertools

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import set_affine, voxel_axes

# Axes are at right angles if the cosine between them is at most this: a shear of a quarter of a millimetre over a head,
# and more than the rounding of any header.
_RIGHT_ANGLE = 1e-3
# A grid at right angles may need this many times the voxels. A gantry tilted by 30° needs less than twice.
_MOST_GROWTH = 4


def is_sheared(image: sitk.Image) -> bool:
    """Whether the voxel axes are not at right angles."""
    return bool(np.abs(_cosines(image)).max() > _RIGHT_ANGLE)


def shear_degrees(image: sitk.Image) -> float:
    """By how many degrees the voxel axes miss a right angle; the greatest of the three angles."""
    return float(np.degrees(np.arcsin(min(np.abs(_cosines(image)).max(), 1.0))))


def at_right_angles(image: sitk.Image, name: str, outside: float, interpolator: int = sitk.sitkLinear) -> sitk.Image:
    """`image` itself if its axes are at right angles, else resampled onto a grid whose axes are.

    The two axes that are nearest to a right angle stay, so slices of a tilted gantry only move within their planes. The
    grid covers every voxel of the image, and its voxels have the same volume.

    Args:
        image: 3-D, scalar, without NaN.
        name: names the image in the error.
        outside: value of the voxels beyond the image.
        interpolator: of SimpleITK; nearest neighbour for labels.

    Raises:
        InputError: the shear is so great that the grid would be mostly empty.
    """
    if not is_sheared(image):
        return image
    sheared = voxel_axes(image)
    order = _least_sheared_first(image)
    # QR keeps the first axis, and the plane of the first two; the diagonal of R has the spacings.
    basis, triangle = np.linalg.qr(sheared[:, order])
    steps = np.empty((3, 3))
    steps[:, order] = basis * np.diag(triangle)
    ends = itertools.product(*((0, count - 1) for count in image.GetSize()))
    corners = np.array(list(ends)) @ np.linalg.solve(steps, sheared).T
    low = corners.min(axis=0)
    size = np.ceil(corners.max(axis=0) - low - 1e-6).astype(int) + 1
    if np.prod(size, dtype=float) > _MOST_GROWTH * image.GetNumberOfPixels():
        raise InputError(f"{name}: its voxel axes are {shear_degrees(image):.0f}° off a right angle, too far to use")
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = np.asarray(image.GetOrigin()) + steps @ low
    corner = set_affine(sitk.Image([1, 1, 1], sitk.sitkUInt8), affine)
    geometry = corner.GetOrigin(), corner.GetSpacing(), corner.GetDirection()
    return sitk.Resample(image, size.tolist(), sitk.Transform(), interpolator, *geometry, outside, image.GetPixelID())


def _cosines(image: sitk.Image) -> np.ndarray:
    """The cosines between the axes i and j, i and k, j and k."""
    i, j, k = np.asarray(image.GetDirection()).reshape(3, 3).T
    return np.array([i @ j, i @ k, j @ k])


def _least_sheared_first(image: sitk.Image) -> list[int]:
    """The three axes, beginning with the two that are nearest to a right angle."""
    pairs = ((0, 1), (0, 2), (1, 2))
    pair = pairs[int(np.argmin(np.round(np.abs(_cosines(image)), 6)))]
    return [*pair, 3 - sum(pair)]

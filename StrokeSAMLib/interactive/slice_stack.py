"""The slice stack: the slices of a volume that prompts and engines work on.

Where the view's plane is a plane of voxels, the slices are planes of the volume itself. Where the view is oblique, the
volume is resampled along the view's normal, and masks are resampled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.imaging.geometry import affine_of, image_like, mask_like, set_affine, voxel_axes
from StrokeSAMLib.imaging.windowing import Window, default_window, to_bytes

# A view whose normal is this near to a voxel axis (cosine) shows planes of voxels: 0.1° over a head of 200 mm is a
# third of a millimetre.
_SAME_DIRECTION = 1 - 1.5e-6
_MOST_OBLIQUE_VOXELS = 1 << 29
# Axes of the volume (i, j, k) of a stack's columns, rows and slices, by the axis along which it is stacked.
_AXES = {0: (1, 2, 0), 1: (0, 2, 1), 2: (0, 1, 2)}


class SliceStack:
    """Slices of a volume as 8-bit pixels, and their position in space.

    Attributes:
        pixels: UInt8 (slice, row, column).
        affine: 4 × 4, maps (column, row, slice) to LPS, mm; pixel centres have whole numbers.
        spacing: (column, row, slice), mm.
        window: the values of black and white.
        plane: the plane as written to a session's file: ``{"axis": n}`` or ``{"normal": […], "right": […]}``.
        reference: the volume; masks are returned on its grid.
    """

    def __init__(
        self, pixels: np.ndarray, affine: np.ndarray, reference: sitk.Image, window: Window, plane: Mapping[str, Any]
    ):
        self.pixels = pixels
        self.affine = affine
        x, y, z = (float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
        self.spacing = x, y, z
        self.reference = reference
        self.window = window
        self.plane = dict(plane)
        self._inverse = np.linalg.inv(affine)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return self.pixels.shape[1:]

    def to_index(self, position: Sequence[float]) -> np.ndarray:
        """The continuous (column, row, slice) of a position (LPS, mm); pixel centres have whole numbers."""
        return (self._inverse @ np.append(np.asarray(position, float), 1.0))[:3]

    def volume_mask(self, slices: Mapping[int, np.ndarray]) -> sitk.Image:
        """A UInt8 mask on the volume's grid, from masks by slice number, bool (row, column)."""
        if "axis" in self.plane:
            volume = np.zeros(self.reference.GetSize()[::-1], np.uint8)
            view = np.moveaxis(volume, 2 - self.plane["axis"], 0)
            for k, mask in slices.items():
                view[k] = mask
            return image_like(volume, self.reference)
        stacked = np.zeros(self.pixels.shape, np.uint8)
        for k, mask in slices.items():
            stacked[k] = mask
        return mask_like(self._image(stacked), self.reference)

    def slices_of(self, mask: sitk.Image) -> dict[int, np.ndarray]:
        """The slices of a mask on any grid, by slice number, bool (row, column); empty ones are left out.

        Args:
            mask: voxels other than 0 are inside.
        """
        binary = sitk.Cast(mask != 0, sitk.sitkUInt8)
        if "axis" in self.plane:
            array = sitk.GetArrayFromImage(mask_like(binary, self.reference))
            stacked = np.moveaxis(array, 2 - self.plane["axis"], 0) > 0
        else:
            stacked = sitk.GetArrayFromImage(mask_like(binary, self._image(self.pixels))) > 0
        return {int(k): stacked[k] for k in np.flatnonzero(stacked.any(axis=(1, 2)))}

    def _image(self, array: np.ndarray) -> sitk.Image:
        return set_affine(sitk.GetImageFromArray(array), self.affine)


def slice_axis(image: sitk.Image) -> int:
    """The index axis with the largest spacing: 0 (i), 1 (j) or 2 (k); the last of several."""
    spacing = image.GetSpacing()
    return max(range(3), key=lambda axis: (round(spacing[axis], 3), axis))


def stack_along_axis(image: sitk.Image, axis: int, window: Window | None = None) -> SliceStack:
    """The stack of an image's own planes of voxels.

    Args:
        image: 3-D, scalar.
        axis: index axis along which the slices are stacked: 0 (i), 1 (j) or 2 (k).
        window: the values of black and white; by default `default_window`.

    Raises:
        OptionError: `axis` is not 0, 1 or 2.
    """
    if axis not in _AXES:
        raise OptionError(f"axis is {axis}; it must be 0 (i), 1 (j) or 2 (k)")
    window = window or default_window(image)
    order = list(_AXES[axis])
    affine = affine_of(image)[:, [*order, 3]]
    pixels = np.moveaxis(to_bytes(image, window), 2 - axis, 0)
    return SliceStack(pixels, affine, image, window, {"axis": axis})


def stack_along(
    image: sitk.Image, normal: Sequence[float], right: Sequence[float] | None = None, window: Window | None = None
) -> SliceStack:
    """The stack of planes with this `normal`: planes of voxels where it is an axis of the image, else resampled.

    Args:
        image: 3-D, scalar.
        normal: direction of the slices, LPS, not zero.
        right: direction of increasing columns, LPS; by default any direction in the plane.
        window: the values of black and white; by default `default_window`.

    Raises:
        OptionError: `normal` is zero, or `right` is parallel to it.
        InputError: the resampled volume would be too large.
    """
    unit_normal = _unit(normal, "the normal of the view")
    # The rows of the inverse are the normals of the planes of voxels, also of a sheared image.
    normals = np.linalg.inv(voxel_axes(image))
    cosines = np.abs(normals @ unit_normal) / np.linalg.norm(normals, axis=1)
    for axis in np.flatnonzero(cosines > _SAME_DIRECTION):
        return stack_along_axis(image, int(axis), window)
    window = window or default_window(image)
    return _oblique(image, unit_normal, _in_plane(unit_normal, right), window)


def _oblique(image: sitk.Image, normal: np.ndarray, right: np.ndarray, window: Window) -> SliceStack:
    frame = np.column_stack([right, np.cross(normal, right), normal])
    # The spacing along each direction: the radius of an ellipsoid whose semi-axes are the volume's voxel axes.
    step = 1 / np.linalg.norm(np.linalg.inv(voxel_axes(image)) @ frame, axis=0)
    step[:2] = step[:2].min()
    corners = _corners(image) @ frame
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.maximum(np.ceil((high - low) / step), 1).astype(int)
    if np.prod(size) > _MOST_OBLIQUE_VOXELS:
        text = " × ".join(map(str, size))
        raise InputError(f"volume: an oblique stack of {text} voxels is too large; use a plane of the volume")
    grid_origin = frame @ (low + (high - low - (size - 1) * step) / 2)
    source = image_like(to_bytes(image, window), image)
    sampled = sitk.Resample(
        source,
        size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear,
        grid_origin.tolist(),
        step.tolist(),
        frame.ravel().tolist(),
        0.0,
        sitk.sitkUInt8,
    )
    affine = np.eye(4)
    affine[:3, :3] = frame * step
    affine[:3, 3] = grid_origin
    plane = {"normal": normal.tolist(), "right": right.tolist()}
    return SliceStack(sitk.GetArrayFromImage(sampled), affine, image, window, plane)


def _corners(image: sitk.Image) -> np.ndarray:
    """The centres of the eight corner voxels, LPS, (8, 3)."""
    last = np.asarray(image.GetSize()) - 1
    return np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint([float(last[axis] * (c >> axis & 1)) for axis in range(3)])
            for c in range(8)
        ]
    )


def _in_plane(normal: np.ndarray, right: Sequence[float] | None) -> np.ndarray:
    """A unit vector in the plane: `right` made orthogonal to `normal`; by default from the axis least along it."""
    name = "the right direction of the view"
    direction = np.eye(3)[np.argsort(np.abs(normal))[0]] if right is None else _unit(right, name)
    return _unit(direction - (direction @ normal) * normal, f"{name}, made orthogonal to its normal,")


def _unit(vector: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(vector, float)
    length = np.linalg.norm(array)
    if array.shape != (3,) or not np.isfinite(length) or length < 1e-9:
        raise OptionError(f"{name} is {list(vector)}; it must be a direction of three finite numbers")
    return array / length

"""The slice stack: the unit of interaction. Engines only ever see a stack.

Where the view's plane is a plane of voxels, the stack is the volume itself along that axis, by reference; where it is
oblique, the volume is resampled along the view's normal, and results go back by resampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.imaging.geometry import like, mask_like
from StrokeSAMLib.imaging.windowing import Window, default_window, to_bytes

# A view whose normal is this near to a voxel axis (cosine) shows planes of voxels: 0.1° over a head of 200 mm is
# a third of a millimetre.
_SAME_DIRECTION = 1 - 1.5e-6
_MOST_OBLIQUE_VOXELS = 1 << 29
# Columns, rows and slices of a stack as axes of the volume (i, j, k), by the axis along which it is stacked.
_AXES = {0: (1, 2, 0), 1: (0, 2, 1), 2: (0, 1, 2)}


class SliceStack:
    """Slices of a volume as 8-bit pixels, and where they lie.

    Attributes:
        pixels: UInt8 (slice, row, column).
        affine: 4 × 4, maps (column, row, slice) of pixel centres to LPS, mm.
        spacing: (column, row, slice), mm.
        window: the values of black and white.
        plane: the stack's own description, for a session's file: ``{"axis": n}`` or ``{"normal": […], "right": […]}``.
        reference: the volume; results are on its grid.
    """

    def __init__(
        self, pixels: np.ndarray, affine: np.ndarray, reference: sitk.Image, window: Window, plane: Mapping[str, object]
    ):
        self.pixels = pixels
        self.affine = affine
        self.spacing: tuple[float, float, float] = tuple(float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
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
        """(column, row, slice), continuous, of a point (LPS, mm); a pixel's centre is a whole number."""
        return (self._inverse @ np.append(np.asarray(position, float), 1.0))[:3]

    def to_position(self, index: Sequence[float]) -> np.ndarray:
        """The point (LPS, mm) of a continuous (column, row, slice)."""
        return (self.affine @ np.append(np.asarray(index, float), 1.0))[:3]

    def volume_mask(self, slices: Mapping[int, np.ndarray]) -> sitk.Image:
        """The masks of slices, bool (row, column) by slice number, as a UInt8 mask on the volume's grid."""
        if "axis" in self.plane:
            volume = np.zeros(self.reference.GetSize()[::-1], np.uint8)
            view = np.moveaxis(volume, 2 - self.plane["axis"], 0)
            for k, mask in slices.items():
                view[k] = mask
            return like(volume, self.reference)
        stacked = np.zeros(self.pixels.shape, np.uint8)
        for k, mask in slices.items():
            stacked[k] = mask
        return mask_like(self._image(stacked), self.reference)

    def slices_of(self, mask: sitk.Image) -> dict[int, np.ndarray]:
        """The slices, bool (row, column), in which `mask` (any grid; not 0 is inside) has anything."""
        bytes_ = sitk.Cast(mask != 0, sitk.sitkUInt8)
        if "axis" in self.plane:
            array = sitk.GetArrayFromImage(mask_like(bytes_, self.reference))
            stacked = np.moveaxis(array, 2 - self.plane["axis"], 0) > 0
        else:
            stacked = sitk.GetArrayFromImage(mask_like(bytes_, self._image(self.pixels))) > 0
        return {int(k): stacked[k] for k in np.flatnonzero(stacked.any(axis=(1, 2)))}

    def _image(self, array: np.ndarray) -> sitk.Image:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.affine[:3, 3].tolist())
        image.SetDirection((self.affine[:3, :3] / self.spacing).ravel().tolist())
        return image


def slice_axis(image: sitk.Image) -> int:
    """The index axis of the thickest slices; the last where all are alike."""
    spacing = image.GetSpacing()
    return max(range(3), key=lambda axis: (round(spacing[axis], 3), axis))


def stack_along_axis(image: sitk.Image, axis: int, window: Window | None = None) -> SliceStack:
    """The stack of an image's own planes of voxels along its index axis 0 (i), 1 (j) or 2 (k).

    Raises:
        OptionError: no such axis.
    """
    if axis not in _AXES:
        raise OptionError(f"axis is {axis}; it must be 0 (i), 1 (j) or 2 (k)")
    window = window or default_window(image)
    order = list(_AXES[axis])
    affine = np.eye(4)
    directions = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    affine[:3, :3] = directions[:, order]
    affine[:3, 3] = image.GetOrigin()
    pixels = np.moveaxis(to_bytes(image, window), 2 - axis, 0)
    return SliceStack(pixels, affine, image, window, {"axis": axis})


def stack_along(
    image: sitk.Image, normal: Sequence[float], right: Sequence[float] | None = None, window: Window | None = None
) -> SliceStack:
    """The stack of planes with this `normal`: planes of voxels where it is an axis of the image, else resampled.

    Args:
        image: 3-D, scalar.
        normal: LPS, not zero.
        right: LPS, the direction of the columns, as the view has it; any in the plane by default.
        window: by default `default_window`.

    Raises:
        OptionError: `normal` is zero, or `right` is parallel to it.
        InputError: the resampled volume would be too large.
    """
    towards = _unit(normal, "the normal of the view")
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    cosines = np.abs(towards @ axes)
    for axis in np.flatnonzero(cosines > _SAME_DIRECTION):
        return stack_along_axis(image, int(axis), window)
    window = window or default_window(image)
    return _oblique(image, towards, _in_plane(towards, right), window)


def _oblique(image: sitk.Image, normal: np.ndarray, right: np.ndarray, window: Window) -> SliceStack:
    frame = np.column_stack([right, np.cross(normal, right), normal])
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    # The distance between voxels along a direction, were the grid an ellipsoid of its spacing.
    step = 1 / np.linalg.norm((axes.T @ frame) / np.asarray(image.GetSpacing())[:, None], axis=0)
    step[:2] = step[:2].min()
    corners = _corners(image) @ frame
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.maximum(np.ceil((high - low) / step), 1).astype(int)
    if np.prod(size) > _MOST_OBLIQUE_VOXELS:
        text = " × ".join(map(str, size))
        raise InputError(f"volume: an oblique stack of {text} voxels is too large; use a plane of the volume")
    grid_origin = frame @ (low + (high - low - (size - 1) * step) / 2)
    source = like(to_bytes(image, window), image)
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
    """The corners of the outermost voxels' centres, LPS, (8, 3)."""
    last = np.asarray(image.GetSize()) - 1
    return np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint([float(last[axis] * (c >> axis & 1)) for axis in range(3)])
            for c in range(8)
        ]
    )


def _in_plane(normal: np.ndarray, right: Sequence[float] | None) -> np.ndarray:
    """A unit vector in the plane: `right` made orthogonal to `normal`, or the patient axis that leans least on it."""
    chosen = np.eye(3)[np.argsort(np.abs(normal))[0]] if right is None else _unit(right, "the view's right")
    return _unit(chosen - (chosen @ normal) * normal, "the view's right, which must not be its normal")


def _unit(vector: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(vector, float)
    length = np.linalg.norm(array)
    if array.shape != (3,) or not np.isfinite(length) or length < 1e-9:
        raise OptionError(f"{name} is {list(vector)}; it must be a direction of three finite numbers")
    return array / length

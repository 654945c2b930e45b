"""Labelmaps of segments: resample, crop and compare them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import slicer

from StrokeSAMLib.mrml.space import voxelsOf

if TYPE_CHECKING:
    import numpy as np

Labelmap: TypeAlias = "slicer.vtkOrientedImageData"


class CroppedVoxels(NamedTuple):
    """The voxels above 0 of a labelmap in their bounding box.

    Attributes:
        voxels: bool (k, j, i).
        start: index (k, j, i) of the first voxel.
    """

    voxels: np.ndarray
    start: tuple[int, int, int]


def isEmpty(labelmap: Labelmap) -> bool:
    """Whether a labelmap has no voxels, or none above 0."""
    return _extentAboveZero(labelmap) is None


def erase(labelmap: Labelmap, mask: Labelmap) -> None:
    """Set `labelmap` to 0 where `mask` is above 0."""
    operations = slicer.vtkOrientedImageDataResample
    operations.ModifyImage(labelmap, mask, operations.OPERATION_MASKING, None, 0.0, 0.0)


def union(first: Labelmap, second: Labelmap) -> Labelmap:
    """A new labelmap with the voxels above 0 of both, which lie on one grid; its extent holds both."""
    if isEmpty(second):
        return cropped(first)
    operations, merged = slicer.vtkOrientedImageDataResample, slicer.vtkOrientedImageData()
    operations.MergeImage(first, second, merged, operations.OPERATION_MAXIMUM)
    return merged


def resampledTo(grid: Labelmap, labelmap: Labelmap, padded: bool = False) -> Labelmap:
    """Return `labelmap` on the grid of `grid`, without interpolation.

    Args:
        grid: gives spacing, directions and, unless `padded`, the extent.
        labelmap: the labelmap.
        padded: keep voxels beyond the extent of `grid`.

    Returns:
        A new labelmap, or `labelmap` itself if its voxels already lie on the grid.
    """
    operations = slicer.vtkOrientedImageDataResample
    if operations.DoGeometriesMatch(labelmap, grid):
        return labelmap
    onGrid = slicer.vtkOrientedImageData()
    operations.ResampleOrientedImageToReferenceOrientedImage(labelmap, grid, onGrid, False, padded)
    return onGrid


def cropped(labelmap: Labelmap) -> Labelmap:
    """Return a copy that is cropped to the voxels above 0. The copy has no voxels if there are none above 0."""
    copy, extent = slicer.vtkOrientedImageData(), _extentAboveZero(labelmap)
    if extent is not None:
        slicer.vtkOrientedImageDataResample.CopyImage(labelmap, copy, extent)
    return copy


def shrink(labelmap: Labelmap, contents: Iterable[Labelmap]) -> None:
    """Crop `labelmap`, in place, to the box around `contents`. It stays as it is if none of them has a voxel within it.

    Args:
        labelmap: the labelmap.
        contents: labelmaps on the grid of `labelmap`; they may extend beyond it.
    """
    import numpy as np

    boxes = [np.reshape(each.GetExtent(), (3, 2)) for each in contents if _hasVoxels(each)]
    if not boxes:
        return
    low, high = np.reshape(labelmap.GetExtent(), (3, 2)).T
    low = np.maximum(low, np.min([box[:, 0] for box in boxes], axis=0))
    high = np.minimum(high, np.max([box[:, 1] for box in boxes], axis=0))
    if (low <= high).all():
        part = slicer.vtkOrientedImageData()
        slicer.vtkOrientedImageDataResample.CopyImage(labelmap, part, np.stack([low, high], axis=1).ravel().tolist())
        labelmap.ShallowCopy(part)


def croppedVoxelsOf(labelmap: Labelmap | None, grid: Labelmap) -> CroppedVoxels:
    """Return the voxels above 0 of `labelmap` on the grid of `grid`; none if `labelmap` is None."""
    import numpy as np

    if labelmap is not None and _hasVoxels(labelmap):
        onGrid = cropped(resampledTo(grid, labelmap))
        if _hasVoxels(onGrid):
            return CroppedVoxels(voxelsOf(onGrid) > 0, onGrid.GetExtent()[::2][::-1])
    return CroppedVoxels(np.zeros((0, 0, 0), bool), (0, 0, 0))


def boundingBox(inside: np.ndarray) -> tuple[slice, slice, slice]:
    """The slices (k, j, i) of the box around the voxels of a mask; empty slices if it has none."""
    import numpy as np

    perSlice = np.asarray(inside.any(axis=2))
    ks, js = (np.flatnonzero(perSlice.any(axis=axis)) for axis in (1, 0))
    if not len(ks):
        return slice(0, 0), slice(0, 0), slice(0, 0)
    box = slice(int(ks[0]), int(ks[-1]) + 1), slice(int(js[0]), int(js[-1]) + 1)
    columns = np.flatnonzero(inside[box].any(axis=(0, 1)))
    return *box, slice(int(columns[0]), int(columns[-1]) + 1)


def fromVoxels(inside: np.ndarray, start: Sequence[int], grid: Labelmap) -> Labelmap:
    """Create a UInt8 labelmap on the grid of `grid`.

    Args:
        inside: the voxels, bool (k, j, i).
        start: the index (k, j, i) of the first voxel, counted from the first voxel of `grid`.
        grid: a labelmap.
    """
    import numpy as np
    from vtk.util.numpy_support import numpy_to_vtk

    labelmap = slicer.vtkOrientedImageData()
    first = np.add(grid.GetExtent()[::2], start[::-1])
    last = first + inside.shape[::-1] - 1
    labelmap.SetExtent(*np.stack([first, last], axis=1).ravel().tolist())
    labelmap.GetPointData().SetScalars(numpy_to_vtk(inside.astype(np.uint8).ravel(), deep=True))
    labelmap.SetOrigin(grid.GetOrigin())
    labelmap.SetSpacing(grid.GetSpacing())
    labelmap.CopyDirections(grid)
    return labelmap


def countDifferingVoxels(first: CroppedVoxels, second: CroppedVoxels) -> int:
    """Count the voxels that are in only one of the two."""
    import numpy as np

    low = np.minimum(first.start, second.start)
    high = np.maximum(np.add(first.start, first.voxels.shape), np.add(second.start, second.voxels.shape))
    difference = np.zeros(high - low, bool)
    for voxels, start in (first, second):
        box = tuple(slice(a, a + n) for a, n in zip(start - low, voxels.shape, strict=True))
        difference[box] ^= voxels
    return int(np.count_nonzero(difference))


def _hasVoxels(labelmap: Labelmap) -> bool:
    """Whether the labelmap's extent is not empty. Its voxels are not read."""
    extent = labelmap.GetExtent()
    return all(low <= high for low, high in zip(extent[::2], extent[1::2], strict=True))


def _extentAboveZero(labelmap: Labelmap) -> list[int] | None:
    """The extent of the voxels above 0; None if there are none."""
    extent = [0, -1, 0, -1, 0, -1]
    operations = slicer.vtkOrientedImageDataResample
    found = _hasVoxels(labelmap) and operations.CalculateEffectiveExtent(labelmap, extent)
    return extent if found else None

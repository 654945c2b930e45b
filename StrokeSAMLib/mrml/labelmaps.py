"""Labelmaps of segments: resample, crop and compare them."""

from __future__ import annotations

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
    first, last = labelmap.GetExtent()[::2], labelmap.GetExtent()[1::2]
    # VTK gives the range 0 to 1 for an image without voxels.
    return any(low > high for low, high in zip(first, last, strict=True)) or labelmap.GetScalarRange()[1] == 0


def erase(labelmap: Labelmap, mask: Labelmap) -> None:
    """Set `labelmap` to 0 where `mask` is above 0."""
    operations = slicer.vtkOrientedImageDataResample
    operations.ModifyImage(labelmap, mask, operations.OPERATION_MASKING, None, 0.0, 0.0)


def resampledTo(grid: Labelmap, labelmap: Labelmap) -> Labelmap:
    """Return `labelmap` on the grid of `grid`, without interpolation.

    Returns:
        A new labelmap, or `labelmap` itself if its voxels already lie on the grid.
    """
    operations = slicer.vtkOrientedImageDataResample
    if operations.DoGeometriesMatch(labelmap, grid):
        return labelmap
    onGrid = slicer.vtkOrientedImageData()
    operations.ResampleOrientedImageToReferenceOrientedImage(labelmap, grid, onGrid, False, False)
    return onGrid


def cropped(labelmap: Labelmap) -> Labelmap:
    """Return a copy that is cropped to the voxels above 0. The copy has no voxels if there are none above 0."""
    copy, extent = slicer.vtkOrientedImageData(), [0, -1, 0, -1, 0, -1]
    if not isEmpty(labelmap):
        slicer.vtkOrientedImageDataResample.CalculateEffectiveExtent(labelmap, extent)
        slicer.vtkOrientedImageDataResample.CopyImage(labelmap, copy, extent)
    return copy


def croppedVoxelsOf(labelmap: Labelmap | None, grid: Labelmap) -> CroppedVoxels:
    """Return the voxels above 0 of `labelmap` on the grid of `grid`; none if `labelmap` is None."""
    import numpy as np

    if labelmap is not None and not isEmpty(labelmap):
        onGrid = cropped(resampledTo(grid, labelmap))
        if not isEmpty(onGrid):
            return CroppedVoxels(voxelsOf(onGrid) > 0, onGrid.GetExtent()[::2][::-1])
    return CroppedVoxels(np.zeros((0, 0, 0), bool), (0, 0, 0))


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


def fingerprint(labelmap: Labelmap) -> int:
    """A hash of the labelmap's voxels. Empty voxels around the object do not change it."""
    box, origin = croppedVoxelsOf(labelmap, labelmap), labelmap.GetOrigin()
    return hash((box.voxels.tobytes(), box.voxels.shape, box.start, origin, labelmap.GetSpacing()))

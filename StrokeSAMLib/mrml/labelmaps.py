"""Labelmaps of segments: on another grid, without the empty part around them, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import slicer

from StrokeSAMLib.mrml.space import voxelsOf

if TYPE_CHECKING:
    import numpy as np

Labelmap: TypeAlias = "slicer.vtkOrientedImageData"


class Box(NamedTuple):
    """The voxels above 0 of a labelmap, bool (k, j, i), in the least box; and the index of its first voxel."""

    voxels: np.ndarray
    start: tuple[int, int, int]


def isEmpty(labelmap: Labelmap) -> bool:
    """Whether a labelmap has no voxels, or none above 0."""
    first, last = labelmap.GetExtent()[::2], labelmap.GetExtent()[1::2]
    # Without voxels VTK calls the range 0 to 1.
    return any(low > high for low, high in zip(first, last, strict=True)) or labelmap.GetScalarRange()[1] == 0


def erase(labelmap: Labelmap, where: Labelmap) -> None:
    """Set `labelmap` to 0 where the other is above 0."""
    operations = slicer.vtkOrientedImageDataResample
    operations.ModifyImage(labelmap, where, operations.OPERATION_MASKING, None, 0.0, 0.0)


def resampledTo(grid: Labelmap, labelmap: Labelmap) -> Labelmap:
    """`labelmap` on the grid of `grid`, not interpolated; itself where its voxels lie on it already."""
    operations = slicer.vtkOrientedImageDataResample
    if operations.DoGeometriesMatch(labelmap, grid):
        return labelmap
    onGrid = slicer.vtkOrientedImageData()
    operations.ResampleOrientedImageToReferenceOrientedImage(labelmap, grid, onGrid, False, False)
    return onGrid


def cropped(labelmap: Labelmap) -> Labelmap:
    """A copy, no larger than the voxels above 0 need; without any, without voxels."""
    made, extent = slicer.vtkOrientedImageData(), [0, -1, 0, -1, 0, -1]
    if not isEmpty(labelmap):
        slicer.vtkOrientedImageDataResample.CalculateEffectiveExtent(labelmap, extent)
        slicer.vtkOrientedImageDataResample.CopyImage(labelmap, made, extent)
    return made


def boxOf(labelmap: Labelmap | None, grid: Labelmap) -> Box:
    """What the labelmap holds, on the grid of `grid`; None holds nothing."""
    import numpy as np

    if labelmap is not None and not isEmpty(labelmap):
        onGrid = cropped(resampledTo(grid, labelmap))
        if not isEmpty(onGrid):
            return Box(voxelsOf(onGrid) > 0, onGrid.GetExtent()[::2][::-1])
    return Box(np.zeros((0, 0, 0), bool), (0, 0, 0))


def differing(first: Box, second: Box) -> int:
    """How many voxels only one of the two holds."""
    import numpy as np

    low = np.minimum(first.start, second.start)
    high = np.maximum(np.add(first.start, first.voxels.shape), np.add(second.start, second.voxels.shape))
    whole = np.zeros(high - low, bool)
    for voxels, start in (first, second):
        at = tuple(slice(a, a + n) for a, n in zip(start - low, voxels.shape, strict=True))
        whole[at] ^= voxels
    return int(np.count_nonzero(whole))


def fingerprint(labelmap: Labelmap) -> int:
    """A number that is another where the labelmap holds other voxels; that there are more empty ones around is none."""
    box, origin = boxOf(labelmap, labelmap), labelmap.GetOrigin()
    return hash((box.voxels.tobytes(), box.voxels.shape, box.start, origin, labelmap.GetSpacing()))

"""What a session has put into a segment, so that its next result takes the place of that and of nothing else."""

from __future__ import annotations

import slicer


class Contribution:
    """The voxels that a session added to one segment; what was painted by hand stays."""

    def __init__(self) -> None:
        self._added: slicer.vtkOrientedImageData | None = None

    def adopt(self, labelmap: slicer.vtkOrientedImageData) -> None:
        """Take what the segment holds as the session's own: it started from it."""
        self._added = _copy(labelmap)

    def fill(
        self,
        modifier: slicer.vtkOrientedImageData,
        present: slicer.vtkOrientedImageData | None,
        result: slicer.vtkOrientedImageData,
    ) -> None:
        """Make `modifier`, which is empty, the segment's new whole content.

        Args:
            modifier: on the segmentation's grid; keeps its geometry.
            present: what the segment holds now, None for nothing.
            result: of the session, 0 or 1, in the segmentation's frame, on any grid.
        """
        operations = slicer.vtkOrientedImageDataResample
        onGrid = resampledTo(modifier, result)
        if present is not None and not isEmpty(present):
            operations.ModifyImage(modifier, resampledTo(modifier, present), operations.OPERATION_MAXIMUM)
        if self._added is not None and not isEmpty(self._added):
            _erase(modifier, resampledTo(modifier, self._added))
        added = _copy(onGrid)
        if not isEmpty(added):
            _erase(added, modifier)
            operations.ModifyImage(modifier, onGrid, operations.OPERATION_MAXIMUM)
        self._added = added


def isEmpty(labelmap: slicer.vtkOrientedImageData) -> bool:
    """Whether a labelmap has no voxels, or none above 0."""
    first, last = labelmap.GetExtent()[::2], labelmap.GetExtent()[1::2]
    # Without voxels VTK calls the range 0 to 1.
    return any(low > high for low, high in zip(first, last, strict=True)) or labelmap.GetScalarRange()[1] == 0


def _erase(labelmap: slicer.vtkOrientedImageData, where: slicer.vtkOrientedImageData) -> None:
    """Set `labelmap` to 0 where the other is above 0."""
    operations = slicer.vtkOrientedImageDataResample
    operations.ModifyImage(labelmap, where, operations.OPERATION_MASKING, None, 0.0, 0.0)


def resampledTo(
    grid: slicer.vtkOrientedImageData, labelmap: slicer.vtkOrientedImageData
) -> slicer.vtkOrientedImageData:
    """`labelmap` on the grid of `grid`, not interpolated; itself where its voxels lie on it already."""
    operations = slicer.vtkOrientedImageDataResample
    if operations.DoGeometriesMatch(labelmap, grid):
        return labelmap
    onGrid = slicer.vtkOrientedImageData()
    operations.ResampleOrientedImageToReferenceOrientedImage(labelmap, grid, onGrid, False, False)
    return onGrid


def _copy(labelmap: slicer.vtkOrientedImageData) -> slicer.vtkOrientedImageData:
    made = slicer.vtkOrientedImageData()
    made.DeepCopy(labelmap)
    return made

"""The voxels of several segments of a segmentation as one mask.

Segments share labelmaps: such a labelmap, a layer, holds the label of one segment in each voxel. The mask is made from
the layers, so the time does not grow with the number of segments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer

from StrokeSAMLib.mrml.labelmaps import Labelmap, boundingBox, fromVoxels, resampledTo
from StrokeSAMLib.mrml.space import voxelsOf
from StrokeSAMLib.mrml.volumes import imageFromOriented, worldTransform

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    import vtk

_LABELMAP = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


def otherSegments(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> dict[str, object]:
    """The visible segments except one. Only modification times are read, so this is fast.

    Args:
        segmentationNode: the segmentation.
        segmentId: the segment that is left out.

    Returns:
        A state by segment id. It changes if the segment's voxels or their position in the world change. It also
        changes if a segment that shares the labelmap changes. Segments whose labelmap has no voxels are left out.
    """
    import vtk

    display = segmentationNode.GetDisplayNode()
    if display is None:
        return {}
    visible = vtk.vtkStringArray()
    display.GetVisibleSegmentIDs(visible)
    ids = {visible.GetValue(n) for n in range(visible.GetNumberOfValues())} - {segmentId}
    parent = segmentationNode.GetParentTransformNode()
    transformTime = 0 if parent is None else parent.GetTransformToWorldMTime()
    states: dict[str, object] = {}
    for id in sorted(ids):
        segment = segmentationNode.GetSegmentation().GetSegment(id)
        layer = _layerOf(segment)
        if layer is not None:
            states[id] = (layer.GetMTime(), segment.GetLabelValue(), transformTime)
    return states


@dataclass(frozen=True, eq=False)
class SegmentsSnapshot:
    """Some segments, whose voxels are read later.

    It is taken on the main thread, which is fast because no voxels are copied, and converted to an image on any thread.
    The voxels are those of one moment between the two: `otherSegments` tells whether a segment has changed since.
    """

    _layers: tuple[tuple[Labelmap, frozenset[int]], ...]  # each with the labels of the segments
    _toWorld: vtk.vtkGeneralTransform | None

    @classmethod
    def of(cls, segmentationNode: slicer.vtkMRMLSegmentationNode, segmentIds: Iterable[str]) -> SegmentsSnapshot:
        """Take a snapshot of these segments. Segments that do not exist are left out."""
        layers: dict[Labelmap, set[int]] = {}
        for id in segmentIds:
            segment = segmentationNode.GetSegmentation().GetSegment(id)
            layer = None if segment is None else _layerOf(segment)
            if segment is not None and layer is not None:
                layers.setdefault(layer, set()).add(segment.GetLabelValue())
        references = tuple((_reference(layer), frozenset(labels)) for layer, labels in layers.items())
        return cls(references, worldTransform(segmentationNode))

    def image(self) -> sitk.Image | None:
        """All segments as one image in world coordinates (LPS), UInt8, cropped to their voxels; None if all are empty.

        Layers on different grids are resampled to the finest of these grids, without interpolation.
        """
        masks = [mask for layer, labels in self._layers if (mask := _maskOf(_copy(layer), labels)) is not None]
        if not masks:
            return None
        merged = _merged(masks)
        if self._toWorld is not None:
            slicer.vtkOrientedImageDataResample.TransformOrientedImage(merged, self._toWorld)
        return imageFromOriented(merged)


def _layerOf(segment: slicer.vtkSegment) -> Labelmap | None:
    """The labelmap that holds the segment; None if it has none, or one without voxels."""
    layer = segment.GetRepresentation(_LABELMAP)
    return layer if layer is not None and layer.GetNumberOfPoints() else None


def _reference(layer: Labelmap) -> Labelmap:
    """A labelmap that shares the voxels of `layer`. They outlive the layer, and VTK does not resize them meanwhile."""
    reference = slicer.vtkOrientedImageData()
    reference.ShallowCopy(layer)
    return reference


def _copy(layer: Labelmap) -> Labelmap:
    """A copy with voxels of its own.

    Slicer writes segments into the voxels of a layer in place, on the main thread and holding Python's lock. VTK's copy
    holds the lock, too, so it never has a half-written segment. NumPy would release it.
    """
    copy = slicer.vtkOrientedImageData()
    copy.DeepCopy(layer)
    return copy


def _maskOf(layer: Labelmap, labels: frozenset[int]) -> Labelmap | None:
    """The voxels with one of these labels, cropped; None if there are none."""
    inside = _withLabels(voxelsOf(layer), labels)
    box = boundingBox(inside)
    return fromVoxels(inside[box], [span.start for span in box], layer) if box[0].stop else None


def _withLabels(voxels: np.ndarray, labels: frozenset[int]) -> np.ndarray:
    import numpy as np

    if voxels.dtype != np.uint8:
        return np.isin(voxels, sorted(labels))
    isInside = np.zeros(256, bool)
    isInside[sorted(labels)] = True
    inside = np.empty(voxels.shape, bool)
    # Slice by slice, because `take` needs eight times the memory of its voxels.
    for k, voxelsOfSlice in enumerate(voxels):
        np.take(isInside, voxelsOfSlice, out=inside[k], mode="clip")
    return inside


def _merged(masks: list[Labelmap]) -> Labelmap:
    """One labelmap for all masks, on the finest of their grids."""
    import numpy as np

    if len(masks) == 1:
        return masks[0]
    finest = min(masks, key=lambda mask: np.prod(mask.GetSpacing()))
    onGrid = [resampledTo(finest, mask, padded=True) for mask in masks]
    extents = np.array([np.reshape(mask.GetExtent(), (3, 2))[::-1] for mask in onGrid])
    low, high = extents[:, :, 0].min(axis=0), extents[:, :, 1].max(axis=0)
    inside = np.zeros(high - low + 1, bool)
    for mask, extent in zip(onGrid, extents, strict=True):
        box = tuple(slice(first, last + 1) for first, last in extent - low[:, None])
        inside[box] |= voxelsOf(mask) > 0
    return fromVoxels(inside, low - finest.GetExtent()[::2][::-1], finest)

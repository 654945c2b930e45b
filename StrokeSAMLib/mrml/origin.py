"""Which segment of a segmentation is the lesion, and which volume it was drawn on."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.tags import PROVENANCE


def lesionSegmentId(segmentationNode: slicer.vtkMRMLSegmentationNode) -> str | None:
    """The last segment that a method made, else the last of all; None in an empty segmentation."""
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    made = [id for id in ids if segmentation.GetSegment(id).HasTag(PROVENANCE)]
    return next(reversed(made or ids), None)


def sourceVolume(segmentationNode: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that the segmentation has its geometry from, if it is still there."""
    return segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())

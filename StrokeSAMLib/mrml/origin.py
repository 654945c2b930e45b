"""Which segment of a segmentation is the lesion, and which volume it was drawn on."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.tags import PROVENANCE

_LESION_VOLUME = "StrokeSAMLesionVolume"


def lesionSegmentId(segmentationNode: slicer.vtkMRMLSegmentationNode) -> str | None:
    """The last segment that a method made, else the last of all; None in an empty segmentation."""
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    made = [id for id in ids if segmentation.GetSegment(id).HasTag(PROVENANCE)]
    return next(reversed(made or ids), None)


def keepLesionVolume(
    segmentationNode: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Keep with the segmentation on which volume its lesion was found."""
    segmentationNode.SetNodeReferenceID(_LESION_VOLUME, volumeNode.GetID())


def lesionVolume(segmentationNode: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that the lesion was found on, else the segmentation's own; None where it is no longer there."""
    return segmentationNode.GetNodeReference(_LESION_VOLUME) or sourceVolume(segmentationNode)


def sourceVolume(segmentationNode: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that the segmentation has its geometry from, if it is still there."""
    return segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())

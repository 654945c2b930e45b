"""The origin of a segmentation: its lesion segment, and the volume on which the lesion was segmented."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.tags import PROVENANCE

_LESION_VOLUME = "StrokeSAMLesionVolume"


def lesionSegmentId(segmentationNode: slicer.vtkMRMLSegmentationNode) -> str | None:
    """The last segment that a method wrote, or else the last segment; None in an empty segmentation."""
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    lesionIds = [id for id in ids if segmentation.GetSegment(id).HasTag(PROVENANCE)]
    return next(reversed(lesionIds or ids), None)


def setLesionVolume(
    segmentationNode: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Store in the segmentation node a reference to the volume on which the lesion was segmented."""
    segmentationNode.SetNodeReferenceID(_LESION_VOLUME, volumeNode.GetID())


def lesionVolume(segmentationNode: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume on which the lesion was segmented, or else the segmentation's source volume.

    None if that volume is no longer in the scene.
    """
    return segmentationNode.GetNodeReference(_LESION_VOLUME) or sourceVolume(segmentationNode)


def sourceVolume(segmentationNode: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that defines the segmentation's geometry; None if it is no longer in the scene."""
    return segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())

"""Open Slicer's Segment Editor with the effect on a segment."""

from __future__ import annotations

import slicer

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.mrml.origin import lesionSegmentId, lesionVolume

EFFECT_NAME = "StrokeSAM"


def refineInSegmentEditor(segmentationNode: slicer.vtkMRMLSegmentationNode, device: str = "auto") -> None:
    """Open the Segment Editor on the lesion of a segmentation, with the lesion as the effect's first prompt.

    Args:
        segmentationNode: the segmentation.
        device: the device for the effect's networks: "auto", "cpu", "cuda" or "mps".

    Raises:
        StrokeSAMError: the segmentation is empty, its volume is no longer in the scene, or the effect is missing.
    """
    segmentId, volumeNode = lesionSegmentId(segmentationNode), lesionVolume(segmentationNode)
    if segmentId is None:
        raise StrokeSAMError(f"{segmentationNode.GetName()}: there is no segment to refine")
    if volumeNode is None:
        raise StrokeSAMError(f"{segmentationNode.GetName()}: its volume is no longer in the scene")
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    editor.setSegmentationNode(segmentationNode)
    editor.setSourceVolumeNode(volumeNode)
    editor.setCurrentSegmentID(segmentId)
    editor.setActiveEffectByName(EFFECT_NAME)
    effect = editor.activeEffect()
    if effect is None:
        raise StrokeSAMError(f"the Segment Editor has no effect {EFFECT_NAME}")
    effect.setParameter("Device", device)
    effect.self().refine()

"""Opening Slicer's Segment Editor with our effect on a segment."""

from __future__ import annotations

import slicer

from StrokeSAMLib.errors import StrokeSAMError
from StrokeSAMLib.mrml.origin import lesionSegmentId, lesionVolume

EFFECT_NAME = "StrokeSAM"


def refineInSegmentEditor(segmentationNode: slicer.vtkMRMLSegmentationNode, device: str = "auto") -> None:
    """Open the Segment Editor on the lesion of a segmentation, with the lesion as the effect's first prompt.

    Args:
        device: that the effect's networks run on.

    Raises:
        StrokeSAMError: the segmentation is empty or its volume is gone, or the effect cannot be opened.
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

"""The display of segments in views."""

from __future__ import annotations

import slicer


def isSegmentDisplayedIn(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, viewNode: slicer.vtkMRMLAbstractViewNode
) -> bool:
    """Whether a view displays a segment: its segmentation and the segment are visible, and the view is in their list.

    A segmentation without a display node is displayed nowhere.
    """
    for n in range(segmentationNode.GetNumberOfDisplayNodes()):
        display = segmentationNode.GetNthDisplayNode(n)
        if display is None or not display.GetVisibility() or not display.IsDisplayableInView(viewNode.GetID()):
            continue
        if display.GetSegmentVisibility(segmentId):
            return True
    return False

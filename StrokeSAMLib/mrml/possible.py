"""The segment of what may be a lesion, beside the segment of the lesion."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.segments import SegmentWriter
from StrokeSAMLib.mrml.tags import readTag, writeTag
from StrokeSAMLib.mrml.terminology import POSSIBLE

_LESION = "StrokeSAM.PossibleOf"


def writePossible(
    writer: SegmentWriter,
    labelmap: slicer.vtkOrientedImageData,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    lesionId: str,
) -> None:
    """Write what may be a lesion: into the segment that an earlier run of the same lesion left, or a new one.

    Without voxels and without such a segment nothing is written.

    Args:
        writer: writes the segment.
        labelmap: 0 or 1, in the segmentation's frame.
        segmentationNode: the segmentation.
        volumeNode: the volume that the result belongs to.
        lesionId: id of the lesion's segment.
    """
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    earlier = next((id for id in ids if readTag(segmentation.GetSegment(id), _LESION) == {"segment": lesionId}), None)
    if earlier is None and not labelmap.GetScalarRange()[1]:
        return
    segmentId = writer.write(labelmap, segmentationNode, volumeNode, earlier, POSSIBLE)
    writeTag(segmentation.GetSegment(segmentId), _LESION, {"segment": lesionId})

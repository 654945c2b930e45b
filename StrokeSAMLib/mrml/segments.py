"""Write segments through Slicer's own segment editor logic, and read them.

Masking, editable intensity range, overwriting of neighbours and undo therefore apply to scripts as they do to Paint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.coverage import checkCovered
from StrokeSAMLib.mrml.labelmaps import boundingBox, fromVoxels
from StrokeSAMLib.mrml.space import voxelsOf
from StrokeSAMLib.mrml.terminology import Term
from StrokeSAMLib.mrml.volumes import labelmapForVolume

if TYPE_CHECKING:
    from StrokeSAMLib.imaging.geometry import Patch

_EDITOR_NODE_TAG = "StrokeSAMSegmentEditor"
_LABELMAP = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


class SegmentWriter:
    """Writes segments in one scene, with undo and redo.

    Its segment editor node holds mask mode, editable intensity range and overwrite mode, like the node of the Segment
    Editor. By default nothing is overwritten: a result never removes voxels of a neighbouring segment.
    """

    def __init__(self, scene: slicer.vtkMRMLScene):
        self._scene = scene
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLScene(scene)

    @property
    def editorNode(self) -> slicer.vtkMRMLSegmentEditorNode:
        """The node with the settings for masking and overwriting. A new one is created after the scene was closed."""
        node = self._scene.GetSingletonNode(_EDITOR_NODE_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(_EDITOR_NODE_TAG)
            node.SetHideFromEditors(True)
            node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
            node = self._scene.AddNode(node)
        return node

    def write(
        self,
        labelmap: slicer.vtkOrientedImageData,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        sourceVolumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentId: str | None,
        term: Term,
        contribution: Contribution | None = None,
    ) -> str:
        """Set a segment to `labelmap` and return the segment's id.

        Args:
            labelmap: 0 or 1, in the segmentation's frame, on any grid; it is resampled to the segmentation's grid.
            segmentationNode: the segmentation. If it has no reference geometry, it gets that of the source volume.
            sourceVolumeNode: the volume to whose intensities the editable intensity range applies.
            segmentId: the segment to replace; None to add one with the name, colour and code of `term`.
            term: name, colour and code of a new segment.
            contribution: the voxels that a session has added to the segment; `labelmap` then replaces only these.

        Raises:
            StrokeSAMError: there is no such segment, the segmentation has no geometry, or the labelmap extends beyond
                that geometry. Nothing is written then.
        """
        segmentation = segmentationNode.GetSegmentation()
        if segmentId is not None and segmentation.GetSegment(segmentId) is None:
            raise StrokeSAMError(f"{segmentationNode.GetName()}: there is no segment '{segmentId}'")
        logic = self._logicFor(segmentationNode, sourceVolumeNode)
        if not logic.ResetModifierLabelmapToDefault():
            raise StrokeSAMError(f"{segmentationNode.GetName()}: the segmentation has no geometry")
        modifier, current = logic.GetModifierLabelmap(), segmentLabelmap(segmentationNode, segmentId)
        checkCovered(modifier, labelmap, segmentationNode.GetName())
        if contribution is None:
            # The segment's present content is replaced as a whole: it counts as the session's earlier result.
            replacement = Contribution()
            if current is not None:
                replacement.adopt(current)
            isGrowing = replacement.compose(modifier, current, labelmap)
        else:
            isGrowing = contribution.compose(modifier, current, labelmap)
        logic.SaveStateForUndo()
        if segmentId is None:
            segmentId = segmentation.AddEmptySegment("", _freeName(segmentation, term.name), term.color)
            segmentation.GetSegment(segmentId).SetTerminology(term.serialized())
        self.editorNode.SetSelectedSegmentID(segmentId)
        mode = logic.ModificationModeAdd if isGrowing else logic.ModificationModeSet
        logic.ModifySegmentByLabelmap(segmentationNode, segmentId, modifier, mode, False, False)
        if contribution is not None:
            contribution.recordWritten(segmentLabelmap(segmentationNode, segmentId))
        # Slicer has no types, so the type checker does not see that AddEmptySegment returned an id.
        return segmentId  # pyright: ignore[reportReturnType]

    def undo(self) -> None:
        """Undo the last `write`."""
        self._logic.Undo()

    def redo(self) -> None:
        """Redo the last `write` that was undone."""
        self._logic.Redo()

    def _logicFor(
        self, segmentationNode: slicer.vtkMRMLSegmentationNode, sourceVolumeNode: slicer.vtkMRMLScalarVolumeNode
    ) -> slicer.vtkSlicerSegmentEditorLogic:
        self._logic.SetSegmentEditorNode(self.editorNode)
        self._logic.SetSegmentationNode(segmentationNode)
        self._logic.SetSourceVolumeNode(sourceVolumeNode)
        return self._logic


def newSegmentation(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLSegmentationNode:
    """Create a segmentation node for a lesion, with the volume's geometry, transform and subject hierarchy folder."""
    name = f"{volumeNode.GetName()} lesion"
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    # After the transform is set, because the geometry is computed relative to it.
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is not None and (item := hierarchy.GetItemByDataNode(volumeNode)):
        # Moves the item that Slicer's plugins have created; without plugins it creates one.
        hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
    return node


def segmentLabelmap(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str | None
) -> slicer.vtkOrientedImageData | None:
    """A copy of the segment's labelmap, 0 or 1, UInt8, in the segmentation's frame, cropped to the segment's voxels.

    Returns:
        None if there is no such segment, or it has no labelmap. A labelmap without voxels for an empty segment.
    """
    import numpy as np

    segment = None if segmentId is None else segmentationNode.GetSegmentation().GetSegment(segmentId)
    layer = None if segment is None else segment.GetRepresentation(_LABELMAP)
    if segment is None or layer is None:
        return None
    # Several segments may share this labelmap; each has its own label. Slicer's own
    # GetBinaryLabelmapRepresentation copies all of it, several times slower.
    inside = voxelsOf(layer) == segment.GetLabelValue() if layer.GetNumberOfPoints() else np.zeros((0, 0, 0), bool)
    box = boundingBox(inside)
    return fromVoxels(inside[box], [span.start for span in box], layer)


def labelmapForSegmentation(
    patch: Patch, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
) -> slicer.vtkOrientedImageData:
    """Convert a mask of the volume's image into a labelmap in the segmentation's frame.

    Args:
        patch: the mask, on the grid of the volume's image.
        volumeNode: the volume.
        segmentationNode: the segmentation.

    Raises:
        InputError: the volume's size changed after its image was taken.
    """
    return toSegmentationFrame(labelmapForVolume(patch, volumeNode), volumeNode, segmentationNode)


def toSegmentationFrame(
    labelmap: slicer.vtkOrientedImageData,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
) -> slicer.vtkOrientedImageData:
    """Move `labelmap` from the volume's frame to the segmentation's frame: in place, and returned."""
    import vtk

    if volumeNode.GetParentTransformNode() is not segmentationNode.GetParentTransformNode():
        between = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
            volumeNode.GetParentTransformNode(), segmentationNode.GetParentTransformNode(), between
        )
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(labelmap, between)
    return labelmap


def _freeName(segmentation: slicer.vtkSegmentation, name: str) -> str:
    taken = {segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())}
    names = [name, *(f"{name} {n}" for n in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)

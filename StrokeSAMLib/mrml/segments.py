"""The one way a segment is written: through Slicer's own segment editor logic.

So masking, editable intensity range, overwriting of neighbours and undo hold for scripts as they do for Paint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from StrokeSAMLib.errors import StrokeSAMError
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.coverage import covers
from StrokeSAMLib.mrml.labelmaps import resampledTo
from StrokeSAMLib.mrml.terminology import Term
from StrokeSAMLib.mrml.volumes import labelmapForVolume

if TYPE_CHECKING:
    from StrokeSAMLib.imaging.geometry import Patch

_EDITOR_NODE_TAG = "StrokeSAMSegmentEditor"


class SegmentWriter:
    """Writes segments in one scene, and undoes what it wrote.

    Its segment editor node holds mask mode, editable intensity range and overwrite mode, as the Segment Editor's own
    does. By default nothing is overwritten: a result never eats into a neighbouring segment.
    """

    def __init__(self, scene: slicer.vtkMRMLScene):
        self._scene = scene
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLScene(scene)

    @property
    def editorNode(self) -> slicer.vtkMRMLSegmentEditorNode:
        """The settings of masking and overwriting; made anew after the scene was closed."""
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
        """Set a segment to `labelmap` (0 or 1; in the segmentation's own frame) and return its id.

        Args:
            labelmap: on any grid; resampled onto the segmentation's.
            segmentationNode: with a reference geometry, or none yet (then the source volume's).
            sourceVolumeNode: whose intensities an editable range refers to.
            segmentId: the segment to replace, or None to add one with the name, colour and code of `term`.
            term: what the segment is.
            contribution: of a session to this segment: `labelmap` takes the place of that, not of all the segment.

        Raises:
            StrokeSAMError: there is no such segment, no geometry to write on, or (without `contribution`) one that
                the labelmap reaches out of. Nothing is written then.
        """
        segmentation = segmentationNode.GetSegmentation()
        if segmentId is not None and segmentation.GetSegment(segmentId) is None:
            raise StrokeSAMError(f"{segmentationNode.GetName()}: there is no segment '{segmentId}'")
        logic = self._aimedAt(segmentationNode, sourceVolumeNode)
        if not logic.ResetModifierLabelmapToDefault():
            raise StrokeSAMError(f"{segmentationNode.GetName()}: the segmentation has no geometry to write on")
        modifier = logic.GetModifierLabelmap()
        if contribution is None:
            if not covers(modifier, labelmap):
                raise StrokeSAMError(
                    f"{segmentationNode.GetName()}: the result reaches out of the segmentation's geometry, and would "
                    "be cut there; choose another segmentation, or none"
                )
            slicer.vtkOrientedImageDataResample.ModifyImage(
                modifier, resampledTo(modifier, labelmap), slicer.vtkOrientedImageDataResample.OPERATION_MAXIMUM
            )
        else:
            contribution.fill(modifier, segmentLabelmap(segmentationNode, segmentId), labelmap)
        logic.SaveStateForUndo()
        if segmentId is None:
            segmentId = segmentation.AddEmptySegment("", _freeName(segmentation, term.name), term.color)
            segmentation.GetSegment(segmentId).SetTerminology(term.serialized())
        self.editorNode.SetSelectedSegmentID(segmentId)
        logic.ModifySegmentByLabelmap(segmentationNode, segmentId, modifier, logic.ModificationModeSet, False, False)
        if contribution is not None:
            contribution.written(segmentLabelmap(segmentationNode, segmentId))
        return segmentId

    def undo(self) -> None:
        """Take back the last `write`."""
        self._logic.Undo()

    def redo(self) -> None:
        """Do again what `undo` took back."""
        self._logic.Redo()

    def _aimedAt(
        self, segmentationNode: slicer.vtkMRMLSegmentationNode, sourceVolumeNode: slicer.vtkMRMLScalarVolumeNode
    ) -> slicer.vtkSlicerSegmentEditorLogic:
        self._logic.SetSegmentEditorNode(self.editorNode)
        self._logic.SetSegmentationNode(segmentationNode)
        self._logic.SetSourceVolumeNode(sourceVolumeNode)
        return self._logic


def newSegmentation(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLSegmentationNode:
    """A segmentation of a lesion, with the volume's geometry, transform, and place in the subject hierarchy."""
    name = f"{volumeNode.GetName()} lesion"
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    # After the transform: the geometry is set as the volume looks from within it.
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is not None and (item := hierarchy.GetItemByDataNode(volumeNode)):
        # Moves the item that Slicer's plugins have made, or makes one where there are no plugins.
        hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
    return node


def segmentLabelmap(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str | None
) -> slicer.vtkOrientedImageData | None:
    """What a segment holds, 0 or 1, in the segmentation's frame; a copy. None where there is no such segment."""
    if segmentId is None or segmentationNode.GetSegmentation().GetSegment(segmentId) is None:
        return None
    labelmap = slicer.vtkOrientedImageData()
    found = segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap)
    return labelmap if found else None


def labelmapForSegmentation(
    patch: Patch, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
) -> slicer.vtkOrientedImageData:
    """A mask made from the volume's image, in the segmentation's frame.

    Raises:
        InputError: the volume's size has changed since.
    """
    return toSegmentationFrame(labelmapForVolume(patch, volumeNode), volumeNode, segmentationNode)


def toSegmentationFrame(
    labelmap: slicer.vtkOrientedImageData,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
) -> slicer.vtkOrientedImageData:
    """Carry `labelmap`, changed in place, from the volume's parent transform to the segmentation's."""
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

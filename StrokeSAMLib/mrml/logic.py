"""The scripted API: volume nodes in, a segmentation node out. No Qt, no pop-ups."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.errors import Cancelled, InputError, OptionError, StrokeSAMError
from StrokeSAMLib.mrml.segments import SegmentWriter
from StrokeSAMLib.mrml.terminology import INFARCT
from StrokeSAMLib.mrml.volumes import imageFromVolumeNode, isBent, labelmapForVolume, volumeNodeFromImage

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.lesion import LesionResult

PROVENANCE_TAG = "StrokeSAM.Provenance"


@dataclass(frozen=True)
class Request:
    """What a segmentation needs, free of MRML: a worker thread may have it.

    Attributes:
        method: id of the method.
        images: by key, in the world (LPS).
        names: the volumes' names by key, for errors.
        options: of the method.
        volumeId: id of the node that the result belongs to.
        notes: what the user should know of the inputs, one line each.
    """

    method: str
    images: dict[str, sitk.Image]
    names: dict[str, str]
    options: dict[str, Any]
    volumeId: str
    notes: tuple[str, ...]

    def run(
        self, progress: Callable[[float, str], None] | None = None, cancel: threading.Event | None = None
    ) -> LesionResult:
        """Segment. On any thread."""
        from StrokeSAMLib.lesion import segment

        try:
            return segment(self.images, self.method, progress, cancel, **self.options)
        except InputError as error:
            raise error.naming(self.names) from None


class StrokeSAMLogic:
    """Segment lesions in a scene.

    `segmentLesion` does all of it and blocks. A user interface calls its three parts itself: `prepare` and `apply` on
    the main thread, `Request.run` on a worker between them.
    """

    def __init__(self, scene: slicer.vtkMRMLScene | None = None):
        self._scene = slicer.mrmlScene if scene is None else scene
        self.writer = SegmentWriter(self._scene)

    def segmentLesion(
        self,
        inputs: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
        method: str = "asymmetry",
        segmentationNode: slicer.vtkMRMLSegmentationNode | None = None,
        segmentId: str | None = None,
        progress: Callable[[float, str], None] | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> slicer.vtkMRMLSegmentationNode:
        """Segment the lesion in volume nodes and write it as a segment.

        Args:
            inputs: volume nodes by key: "ncct", or "dwi" with "adc" or "b0".
            method: id of the method (see `StrokeSAMLib.lesion.METHODS`).
            segmentationNode: written to; by default a new one beside the first volume, with its geometry.
            segmentId: the segment to replace; by default one is added.
            progress: called as ``progress(fraction, text)``.
            cancel: set it from another thread to stop the work.
            options: of the method.

        Returns:
            The segmentation node. Its segment has a name, a colour, a terminology code, and the report in its tag
            "StrokeSAM.Provenance". The volumes are not changed.

        Raises:
            InputError: a volume that cannot be used; the text names it.
            OptionError: an unknown method or option, or a bad value.
            Cancelled: `cancel` was set, or the scene was closed meanwhile.
        """
        request = self.prepare(inputs, method, **options)
        result = request.run(progress, cancel)
        return self.apply(request, result, segmentationNode, segmentId)

    def prepare(self, inputs: Mapping[str, slicer.vtkMRMLScalarVolumeNode], method: str, **options: Any) -> Request:
        """Copy the volumes out of the scene. Main thread."""
        from StrokeSAMLib.lesion import find_method

        chosen = find_method(method)
        if chosen.organ != "brain":
            raise OptionError(f"method {method} is of the {chosen.organ}: use the command or the library")
        given = {key: node for key, node in inputs.items() if node is not None}
        chosen.check_inputs(given)
        chosen.build_options(options)
        for node in given.values():
            if not self._scene.IsNodePresent(node):
                raise InputError(f"{node.GetName()}: the volume is not in the scene")
        bent = [node.GetName() for node in given.values() if node.IsA("vtkMRMLScalarVolumeNode") and isBent(node)]
        return Request(
            method=method,
            images={key: imageFromVolumeNode(node) for key, node in given.items()},
            names={key: node.GetName() for key, node in given.items()},
            options=dict(options),
            volumeId=given[chosen.reference].GetID(),
            notes=tuple(f"{name}: resampled, since its transform is not rigid" for name in bent),
        )

    def apply(
        self,
        request: Request,
        result: LesionResult,
        segmentationNode: slicer.vtkMRMLSegmentationNode | None = None,
        segmentId: str | None = None,
    ) -> slicer.vtkMRMLSegmentationNode:
        """Write a result as a segment. Main thread. See `segmentLesion`.

        Raises:
            Cancelled: the volume is no longer in the scene (removed, or the scene closed): there is nothing to do.
            StrokeSAMError: the segmentation or the segment is no longer there.
        """
        volumeNode = self._scene.GetNodeByID(request.volumeId)
        if volumeNode is None:
            raise Cancelled()
        labelmap = labelmapForVolume(result.mask, volumeNode)
        if segmentationNode is None:
            segmentationNode = self._newSegmentation(volumeNode)
        elif not self._scene.IsNodePresent(segmentationNode):
            raise StrokeSAMError("the segmentation to write to is no longer in the scene")
        _toSegmentationFrame(labelmap, volumeNode, segmentationNode)
        segmentId = self.writer.write(labelmap, segmentationNode, volumeNode, segmentId, INFARCT)
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        segment.SetTag(PROVENANCE_TAG, json.dumps(self._provenance(request, result), ensure_ascii=False))
        return segmentationNode

    def addProbability(self, request: Request, result: LesionResult) -> slicer.vtkMRMLScalarVolumeNode:
        """The score map (0…1) as a new volume node, where the image was in the world."""
        name = f"{request.names[next(iter(request.names))]} lesion probability"
        return volumeNodeFromImage(result.score, self._scene, name)

    def _newSegmentation(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
        """A segmentation with the volume's geometry, transform, and place in the subject hierarchy."""
        name = f"{volumeNode.GetName()} lesion"
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", self._scene.GenerateUniqueName(name))
        node.CreateDefaultDisplayNodes()
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        # After the transform: the geometry is set as the volume looks from within it.
        node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        if hierarchy is not None and (item := hierarchy.GetItemByDataNode(volumeNode)):
            # Moves the item that Slicer's plugins have made, or makes one where there are no plugins.
            hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
        return node

    @staticmethod
    def _provenance(request: Request, result: LesionResult) -> dict[str, Any]:
        from StrokeSAMLib.report import report

        document = report(result)
        document["warnings"] = [*request.notes, *document["warnings"]]
        return document


def _toSegmentationFrame(
    labelmap: slicer.vtkOrientedImageData,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
) -> None:
    """Carry `labelmap` from the volume's parent transform to the segmentation's."""
    import vtk

    if volumeNode.GetParentTransformNode() is segmentationNode.GetParentTransformNode():
        return
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        volumeNode.GetParentTransformNode(), segmentationNode.GetParentTransformNode(), between
    )
    slicer.vtkOrientedImageDataResample.TransformOrientedImage(labelmap, between)

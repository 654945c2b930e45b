"""The scripted API: volume nodes in, a segmentation node out. No Qt, no pop-ups."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.errors import Cancelled, InputError, OptionError, StrokeSAMError
from StrokeSAMLib.mrml.interactive import InteractiveSegment, savedSession
from StrokeSAMLib.mrml.origin import keepLesionVolume, sourceVolume
from StrokeSAMLib.mrml.segments import SegmentWriter, newSegmentation, toSegmentationFrame
from StrokeSAMLib.mrml.space import viewPlane
from StrokeSAMLib.mrml.tags import PROVENANCE, writeTag
from StrokeSAMLib.mrml.terminology import INFARCT
from StrokeSAMLib.mrml.volumes import VolumeSnapshot, labelmapForVolume, snapshotOf, volumeNodeFromImage

if TYPE_CHECKING:
    from StrokeSAMLib.interactive import Session
    from StrokeSAMLib.lesion import LesionResult


@dataclass(frozen=True)
class Request:
    """What a segmentation needs, free of MRML: a worker thread may have it.

    Attributes:
        method: id of the method.
        volumes: by key.
        options: of the method.
        volumeId: id of the node that the result belongs to.
    """

    method: str
    volumes: dict[str, VolumeSnapshot]
    options: dict[str, Any]
    volumeId: str

    @property
    def names(self) -> dict[str, str]:
        """The volumes' names by key, for errors."""
        return {key: volume.name for key, volume in self.volumes.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the inputs, one line each."""
        bent = (volume.name for volume in self.volumes.values() if volume.bent)
        return tuple(f"{name}: resampled, since its transform is not rigid" for name in bent)

    def run(
        self, progress: Callable[[float, str], None] | None = None, cancel: threading.Event | None = None
    ) -> LesionResult:
        """Segment. On any thread."""
        from StrokeSAMLib.lesion import segment

        try:
            images = {key: volume.image() for key, volume in self.volumes.items()}
            return segment(images, self.method, progress, cancel, **self.options)
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
        method: str = "auto",
        segmentationNode: slicer.vtkMRMLSegmentationNode | None = None,
        segmentId: str | None = None,
        progress: Callable[[float, str], None] | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> slicer.vtkMRMLSegmentationNode:
        """Segment the lesion in volume nodes and write it as a segment.

        Args:
            inputs: volume nodes by key: "ncct", or "dwi" with "adc" or "b0".
            method: id of the method (see `StrokeSAMLib.lesion.METHODS`); "auto" for the best that can run here.
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
        """Take the volumes as they are now out of the scene. Main thread."""
        from StrokeSAMLib.lesion import choose_method

        given = {key: node for key, node in inputs.items() if node is not None}
        chosen, _ = choose_method(method, given)
        if chosen.organ != "brain":
            raise OptionError(f"method {method} is of the {chosen.organ}: use the command or the library")
        chosen.check_inputs(given)
        chosen.build_options(options)
        for node in given.values():
            if not self._scene.IsNodePresent(node):
                raise InputError(f"{node.GetName()}: the volume is not in the scene")
        volumes = {key: snapshotOf(node) for key, node in given.items()}
        return Request(method, volumes, dict(options), given[chosen.reference].GetID())

    @staticmethod
    def fitting(
        request: Request, segmentationNode: slicer.vtkMRMLSegmentationNode | None
    ) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation, if the request's result belongs into it: it is of the same volume, or of none yet."""
        if segmentationNode is None:
            return None
        source = sourceVolume(segmentationNode)
        return segmentationNode if source is None or source.GetID() == request.volumeId else None

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
            StrokeSAMError: the segmentation or the segment is no longer there, or the result does not fit into it.
        """
        from StrokeSAMLib.imaging.geometry import patch_of

        volumeNode = self._scene.GetNodeByID(request.volumeId)
        if volumeNode is None:
            raise Cancelled()
        labelmap = labelmapForVolume(patch_of(result.mask), volumeNode)
        if segmentationNode is None:
            segmentationNode = newSegmentation(volumeNode, self._scene)
        elif not self._scene.IsNodePresent(segmentationNode):
            raise StrokeSAMError("the segmentation to write to is no longer in the scene")
        toSegmentationFrame(labelmap, volumeNode, segmentationNode)
        segmentId = self.writer.write(labelmap, segmentationNode, volumeNode, segmentId, INFARCT)
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        writeTag(segment, PROVENANCE, self._provenance(request, result))
        keepLesionVolume(segmentationNode, volumeNode)
        return segmentationNode

    def startInteractive(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        engine: str = "random-walker",
        segmentationNode: slicer.vtkMRMLSegmentationNode | None = None,
        segmentId: str | None = None,
        viewNode: slicer.vtkMRMLSliceNode | None = None,
        weights: str | None = None,
        device: str = "auto",
        **options: Any,
    ) -> InteractiveSegment:
        """A session of boxes and points on a volume.

        Args:
            volumeNode: a scalar volume.
            engine: see `strokesam methods`.
            segmentationNode: written to by `apply`; by default a new one beside the volume.
            segmentId: the segment to add to; by default a new one.
            viewNode: a slice view whose plane the slices have; by default they are those of the thickest axis.
            weights: the engine's checkpoint, where it needs one.
            device: "auto", "cpu", "cuda" or "mps".
            options: of the engine.

        Raises:
            InputError: a volume or weights that cannot be used; the text names it.
            OptionError: no such engine, option or device.
            StrokeSAMError: there is no such segment.
        """
        from StrokeSAMLib.interactive import Session

        volume = snapshotOf(volumeNode)
        normal, right = viewPlane(viewNode) if viewNode is not None else (None, None)
        try:
            session = Session(
                volume.image(),
                engine,
                normal=normal,
                right=right,
                weights=None if weights is None else Path(weights),
                device=device,
                options=options,
            )
        except InputError as error:
            raise error.naming({"volume": volume.name}) from None
        return self._interactive(session, volumeNode, segmentationNode, segmentId)

    def reopenInteractive(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        segmentId: str,
        weights: str | None = None,
        device: str = "auto",
    ) -> InteractiveSegment:
        """The session that a segment was made by, from its tag; its prompts and propagations are done again.

        Raises:
            InputError: no prompts are saved with the segment, or they are another volume's (both hashes are told).
            StrokeSAMError: there is no such segment.
        """
        from StrokeSAMLib.interactive.record import replay

        volume = snapshotOf(volumeNode)
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        made = savedSession(segment) if segment is not None else None
        if made is None:
            raise InputError(f"{segmentationNode.GetName()}: no prompts are saved with segment '{segmentId}'")
        try:
            session = replay(made, volume.image(), None if weights is None else Path(weights), device)
        except InputError as error:
            raise error.naming({"volume": volume.name}) from None
        opened = self._interactive(session, volumeNode, segmentationNode, segmentId)
        opened.adopt()
        return opened

    def _interactive(
        self,
        session: Session,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode | None,
        segmentId: str | None,
    ) -> InteractiveSegment:
        if segmentId is not None and (
            segmentationNode is None or segmentationNode.GetSegmentation().GetSegment(segmentId) is None
        ):
            raise StrokeSAMError(f"there is no segment '{segmentId}'")
        node = segmentationNode if segmentationNode is not None else newSegmentation(volumeNode, self._scene)
        return InteractiveSegment(session, self.writer, volumeNode, node, segmentId)

    def addProbability(self, request: Request, result: LesionResult) -> slicer.vtkMRMLScalarVolumeNode:
        """The score map (0…1) as a new volume node, where the image was in the world."""
        name = f"{request.names[next(iter(request.names))]} lesion probability"
        return volumeNodeFromImage(result.score, self._scene, name)

    @staticmethod
    def _provenance(request: Request, result: LesionResult) -> dict[str, Any]:
        from StrokeSAMLib.report import report

        document = report(result)
        document["warnings"] = [*request.notes, *document["warnings"]]
        return document

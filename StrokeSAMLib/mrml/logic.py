"""The scripted API: segment the lesion in volume nodes and write it into a segmentation node. No Qt, no pop-ups."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError, StrokeSAMError
from StrokeSAMLib.mrml.interactive import InteractiveSegment, savedSession
from StrokeSAMLib.mrml.origin import setLesionVolume, sourceVolume
from StrokeSAMLib.mrml.possible import writePossible
from StrokeSAMLib.mrml.segments import SegmentWriter, labelmapForSegmentation, newSegmentation, toSegmentationFrame
from StrokeSAMLib.mrml.space import viewPlane
from StrokeSAMLib.mrml.tags import PROVENANCE, writeTag
from StrokeSAMLib.mrml.terminology import INFARCT
from StrokeSAMLib.mrml.volumes import VolumeSnapshot, labelmapForVolume, snapshotOf, volumeNodeFromImage

if TYPE_CHECKING:
    from StrokeSAMLib.interactive import Session
    from StrokeSAMLib.lesion import LesionResult


@dataclass(frozen=True)
class Request:
    """The inputs of one segmentation, without MRML nodes. A worker thread may use it.

    Attributes:
        method: id of the method.
        volumes: snapshots of the volumes, by input key.
        options: options of the method, by name.
        volumeId: id of the volume node to which the result belongs.
    """

    method: str
    volumes: dict[str, VolumeSnapshot]
    options: dict[str, Any]
    volumeId: str

    @property
    def names(self) -> dict[str, str]:
        """The volumes' names by input key, for error messages."""
        return {key: volume.name for key, volume in self.volumes.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about the inputs, one line each."""
        resampled = (volume.name for volume in self.volumes.values() if volume.needsResampling)
        return tuple(f"{name}: resampled, because its transform is not rigid" for name in resampled)

    def run(
        self, progress: Callable[[float, str], None] | None = None, cancel: threading.Event | None = None
    ) -> LesionResult:
        """Segment the lesion. May run on any thread.

        Args:
            progress: called as ``progress(fraction, text)``.
            cancel: set it from another thread to stop the work.

        Raises:
            InputError: a volume cannot be used; the text names it.
            OptionError: an option is unknown or its value is invalid.
            Cancelled: `cancel` was set.
        """
        from StrokeSAMLib.lesion import segment

        try:
            images = {key: volume.image() for key, volume in self.volumes.items()}
            return segment(images, self.method, progress, cancel, **self.options)
        except InputError as error:
            raise error.with_names(self.names) from None


class StrokeSAMLogic:
    """Segments lesions in a scene.

    `segmentLesion` does all the work and blocks. A user interface calls its three parts instead: `prepare` on the
    main thread, `Request.run` on a worker thread, and `apply` on the main thread.

    Attributes:
        writer: writes the segments; holds the settings for masking and overwriting, and undo and redo.
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
            inputs: volume nodes by key: "ncct", or "dwi", best with "adc" or "b0".
            method: id of the method (see `StrokeSAMLib.lesion.METHODS`); "auto" for the best method that can run.
            segmentationNode: the segmentation to write to; None for a new one with the geometry of the first volume.
            segmentId: the segment to replace; None to add a segment.
            progress: called as ``progress(fraction, text)``.
            cancel: set it from another thread to stop the work.
            options: options of the method.

        Returns:
            The segmentation node. Its segment has a name, a colour, a terminology code, and the report in its tag
            "StrokeSAM.Provenance". What may be a lesion has a segment of its own. The volumes are not changed.

        Raises:
            InputError: a volume cannot be used; the text names it.
            OptionError: the method or an option is unknown, or a value is invalid.
            Cancelled: `cancel` was set, or the scene was closed during the work.
            StrokeSAMError: see `apply`.
        """
        request = self.prepare(inputs, method, **options)
        result = request.run(progress, cancel)
        return self.apply(request, result, segmentationNode, segmentId)

    def prepare(self, inputs: Mapping[str, slicer.vtkMRMLScalarVolumeNode], method: str, **options: Any) -> Request:
        """Check the inputs and take snapshots of the volumes. Call it on the main thread.

        Args:
            inputs: volume nodes by key, as in `segmentLesion`; entries that are None are ignored.
            method: id of the method, or "auto".
            options: options of the method.

        Raises:
            InputError: a volume is missing, unexpected or cannot be used; the text names it.
            OptionError: the method or an option is unknown, or a value is invalid.
        """
        from StrokeSAMLib.lesion import choose_method

        nodes = {key: node for key, node in inputs.items() if node is not None}
        chosen, _ = choose_method(method, nodes)
        if chosen.organ != "brain":
            raise OptionError(f"method {method} segments the {chosen.organ}: use the command line or the library")
        chosen.check_inputs(nodes)
        chosen.build_options(options)
        for node in nodes.values():
            if not self._scene.IsNodePresent(node):
                raise InputError(f"{node.GetName()}: the volume is not in the scene")
        volumes = {key: snapshotOf(node) for key, node in nodes.items()}
        return Request(method, volumes, dict(options), nodes[chosen.reference].GetID())

    @staticmethod
    def fitting(
        request: Request, segmentationNode: slicer.vtkMRMLSegmentationNode | None
    ) -> slicer.vtkMRMLSegmentationNode | None:
        """Return the segmentation if the result can be added to it: it belongs to the same volume, or to none yet.

        Returns:
            `segmentationNode`, or None if a new segmentation is needed.
        """
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
        """Write a result as a segment, and what may be a lesion as a second one. Call it on the main thread.

        Arguments as in `segmentLesion`.

        Raises:
            Cancelled: the volume is no longer in the scene, because it was removed or the scene was closed.
            InputError: the volume's size changed during the work.
            StrokeSAMError: the segmentation or the segment no longer exists, or the result does not fit into the
                segmentation's geometry.
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
        # Slicer has no types, so the type checker does not see that the node exists.
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)  # pyright: ignore[reportOptionalMemberAccess]
        writeTag(segment, PROVENANCE, self._provenance(request, result))
        setLesionVolume(segmentationNode, volumeNode)
        if result.possible is not None:
            possible = labelmapForSegmentation(patch_of(result.possible), volumeNode, segmentationNode)
            writePossible(self.writer, possible, segmentationNode, volumeNode, segmentId)
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
        """Open a session for boxes and points on a volume.

        Args:
            volumeNode: a scalar volume.
            engine: id of the engine; `strokesam methods` lists them.
            segmentationNode: the segmentation to which `apply` writes; None for a new one.
            segmentId: the segment to which the result is added; None for a new one.
            viewNode: a slice view; the session's slices are parallel to its plane. None for slices across the
                volume's thickest axis.
            weights: file of the engine's checkpoint; None for the file in the weights folder, if the engine needs one.
            device: "auto", "cpu", "cuda" or "mps".
            options: options of the engine.

        Raises:
            InputError: the volume or the weights cannot be used; the text names them.
            OptionError: there is no such engine, option or device.
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
            raise error.with_names({"volume": volume.name}) from None
        return self._interactive(session, volumeNode, segmentationNode, segmentId)

    def reopenInteractive(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        segmentId: str,
        weights: str | None = None,
        device: str = "auto",
    ) -> InteractiveSegment:
        """Reopen the session that is saved in a segment's tag: its prompts and propagations are repeated.

        Raises:
            InputError: no prompts are saved with the segment, or they belong to another volume; the text then has
                the hashes of both volumes.
            StrokeSAMError: there is no such segment.
        """
        from StrokeSAMLib.interactive.record import replay

        volume = snapshotOf(volumeNode)
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        sessionDocument = savedSession(segment) if segment is not None else None
        if sessionDocument is None:
            raise InputError(f"{segmentationNode.GetName()}: no prompts are saved with segment '{segmentId}'")
        try:
            session = replay(sessionDocument, volume.image(), None if weights is None else Path(weights), device)
        except InputError as error:
            raise error.with_names({"volume": volume.name}) from None
        interactive = self._interactive(session, volumeNode, segmentationNode, segmentId)
        interactive.adopt()
        return interactive

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
        """Add the probability map (0…1) as a new volume node, at the image's place in world coordinates."""
        name = f"{request.names[next(iter(request.names))]} lesion probability"
        return volumeNodeFromImage(result.score, self._scene, name)

    def jumpTo(self, position: tuple[float, float, float]) -> None:
        """Move all slice views of the scene to a position (RAS, mm)."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._scene, *position)

    @staticmethod
    def _provenance(request: Request, result: LesionResult) -> dict[str, Any]:
        from StrokeSAMLib.report import report

        document = report(result)
        document["warnings"] = [*request.notes, *document["warnings"]]
        return document

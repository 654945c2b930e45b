"""Boxes and points on a volume node become a segment: the scripted API's session, in RAS, with nodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.errors import Cancelled, InputError, StrokeSAMError
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.segments import SegmentWriter, labelmapForSegmentation, segmentLabelmap
from StrokeSAMLib.mrml.space import flipped
from StrokeSAMLib.mrml.tags import SESSION, readTag, unnoticed, writeTag
from StrokeSAMLib.mrml.terminology import INFARCT
from StrokeSAMLib.mrml.volumes import imageFromOriented, worldTransform

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from StrokeSAMLib.interactive import Session


class InteractiveSegment:
    """A session on one segment, as `StrokeSAMLogic.startInteractive` opens it. Blocks; main thread.

    Attributes:
        session: the library's own (`StrokeSAMLib.interactive.Session`), in LPS.
        segmentationNode, segmentId: what is written to.
    """

    def __init__(
        self,
        session: Session,
        writer: SegmentWriter,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        segmentId: str | None,
    ):
        self.session = session
        self.segmentationNode = segmentationNode
        self.segmentId = segmentId
        self._volumeNode = volumeNode
        self._writer = writer
        self._contribution = Contribution()

    def addBox(self, corner1: Sequence[float], corner2: Sequence[float]) -> int:
        """A box by two opposite corners, RAS, mm. Returns the prompt's number.

        Raises:
            InputError: it has no area, lies outside the volume, or its slice has a box already.
        """
        from StrokeSAMLib.interactive import Box

        return self.session.add(Box(flipped(corner1), flipped(corner2)))

    def addPoint(self, position: Sequence[float], positive: bool = True) -> int:
        """A point, RAS, mm, that is in the object, or, not `positive`, is not. Returns the prompt's number.

        Raises:
            InputError: outside the volume, contradictory, or negative where there is nothing yet.
        """
        from StrokeSAMLib.interactive import Point

        return self.session.add(Point(flipped(position), positive))

    def addSegment(self, segmentId: str, positive: bool = True) -> int:
        """Another segment of the segmentation: the object as it stands, or, not `positive`, where it is not.

        Raises:
            StrokeSAMError: there is no such segment.
            InputError: it is empty within the volume.
        """
        from StrokeSAMLib.interactive import Mask

        return self.session.add(Mask(segmentImage(self.segmentationNode, segmentId), positive))

    def refine(self) -> int:
        """Go on from what the segment holds: it becomes a mask prompt, and the session's own to replace."""
        number = self.addSegment(self.segmentId)
        self.adopt()
        return number

    def adopt(self) -> None:
        """Take what the segment holds as the session's own: the next `apply` replaces it."""
        self._contribution.adopt(segmentLabelmap(self.segmentationNode, self.segmentId))

    def removePrompt(self, number: int) -> None:
        """Remove a prompt."""
        self.session.remove(number)

    def propagate(
        self,
        direction: str = "both",
        first: int | None = None,
        last: int | None = None,
        stopWhenEmpty: bool = True,
        policy: str | None = None,
        progress: Callable[[float, str], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> int:
        """From the prompted slices through the volume. Returns how many slices were visited.

        Args:
            direction: "up", "down" or "both", along the stack's slices.
            first, last: the slices allowed, by number.
            stopWhenEmpty: end a direction after two empty slices.
            policy: "memory" or "box"; by default what the engine has.
            progress: called as ``progress(fraction, text)``.
            cancel: set it from another thread to stop between slices; what was reached is kept.

        Raises:
            InputError: there are no prompts.
            OptionError: no such direction, policy or slice.
            Cancelled: `cancel` was set.
        """
        settings: dict[str, Any] = {"direction": direction, "first": first, "last": last, "policy": policy}
        if not stopWhenEmpty:
            settings["stop_after"] = 0
        return self.session.propagate(monitor=Monitor(progress, cancel), **settings)

    def undo(self) -> bool:
        """Take back the last prompt or propagation; whether there was one. (The segment: `StrokeSAMLogic.writer`.)"""
        return self.session.undo()

    def redo(self) -> bool:
        """Do again what `undo` took back; whether there was anything."""
        return self.session.redo()

    def mask(self) -> np.ndarray:
        """The object as it stands, bool (k, j, i) of the volume's image."""
        import SimpleITK as sitk

        return sitk.GetArrayFromImage(self.session.mask()) > 0

    def apply(self) -> str:
        """Write the object into the segment, the prompts into its tag. Returns the segment's id.

        What the session wrote before is replaced; what was there of other origin stays. Masking, editable range and
        overwriting are those of `StrokeSAMLogic.writer`.

        Raises:
            Cancelled: the volume is no longer in the scene.
            StrokeSAMError: the segmentation or the segment is not.
        """
        from StrokeSAMLib.imaging.geometry import patch_of
        from StrokeSAMLib.interactive.record import document

        if self._volumeNode.GetScene() is None:
            raise Cancelled()
        if self.segmentationNode.GetScene() is None:
            raise StrokeSAMError("the segmentation to write to is no longer in the scene")
        labelmap = labelmapForSegmentation(patch_of(self.session.mask()), self._volumeNode, self.segmentationNode)
        self.segmentId = self._writer.write(
            labelmap, self.segmentationNode, self._volumeNode, self.segmentId, INFARCT, self._contribution
        )
        saveSession(self.segmentationNode, self.segmentId, document(self.session))
        return self.segmentId


def saveSession(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, made: Mapping[str, Any]) -> None:
    """Keep a session's document in the segment's tag; one without actions removes the tag.

    The segment holds what it held: what was undone in it can still be redone.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    before = segment.GetMTime()
    with unnoticed(segment):
        if made["actions"]:
            writeTag(segment, SESSION, made)
        elif segment.HasTag(SESSION):
            segment.RemoveTag(SESSION)
    if segment.GetMTime() != before:
        segmentationNode.StorableModified()


def savedSession(segment: slicer.vtkSegment) -> dict[str, Any] | None:
    """The document that `saveSession` kept; None where there is none.

    Raises:
        InputError: the tag holds something else.
    """
    from StrokeSAMLib.interactive.record import check_document

    try:
        made = readTag(segment, SESSION)
        return None if made is None else check_document(made)
    except (ValueError, InputError) as error:
        raise InputError(f"{segment.GetName()}: its saved prompts cannot be read: {error}") from None


def segmentImage(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> sitk.Image:
    """What a segment holds, as an image in the world (LPS), UInt8.

    Raises:
        StrokeSAMError: there is no such segment.
    """
    labelmap = segmentLabelmap(segmentationNode, segmentId)
    if labelmap is None:
        raise StrokeSAMError(f"{segmentationNode.GetName()}: there is no segment '{segmentId}'")
    toWorld = worldTransform(segmentationNode)
    if toWorld is not None:
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(labelmap, toWorld)
    return imageFromOriented(labelmap)

"""Interactive segmentation of a volume node in the scripted API: prompts in RAS, results as a segment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.core.errors import Cancelled, InputError, StrokeSAMError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.labelmaps import fromVoxels, isEmpty
from StrokeSAMLib.mrml.segments import SegmentWriter, labelmapForSegmentation, segmentLabelmap
from StrokeSAMLib.mrml.space import swapRasLps
from StrokeSAMLib.mrml.tags import SESSION, observersBlocked, readTag, writeTag
from StrokeSAMLib.mrml.terminology import INFARCT
from StrokeSAMLib.mrml.volumes import imageFromOriented, worldTransform

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from StrokeSAMLib.interactive import Session


class InteractiveSegment:
    """A session on one segment. `StrokeSAMLogic.startInteractive` opens it.

    Every method blocks until its result is there. Call them on the main thread.

    Attributes:
        session: the session of the library (`StrokeSAMLib.interactive.Session`), in LPS.
        segmentationNode: the segmentation to which `apply` writes.
        segmentId: the segment to which `apply` writes; None before the first `apply` to a new segment.
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
        """Add a box between two opposite corners, RAS, mm, and return the prompt's number.

        Raises:
            InputError: the box has no area or lies outside the volume, or its slice already has a box.
        """
        from StrokeSAMLib.interactive import Box

        return self.session.add(Box(swapRasLps(corner1), swapRasLps(corner2)))

    def addPoint(self, position: Sequence[float], positive: bool = True) -> int:
        """Add a point and return the prompt's number.

        Args:
            position: RAS, mm.
            positive: True for a point inside the object, False for a point outside it.

        Raises:
            InputError: the point lies outside the volume, contradicts another prompt, or is negative on a slice
                without an object.
        """
        from StrokeSAMLib.interactive import Point

        return self.session.add(Point(swapRasLps(position), positive))

    def addScribble(self, points: Sequence[Sequence[float]], positive: bool = True) -> int:
        """Add a line and return the prompt's number.

        Args:
            points: positions along the line, RAS, mm.
            positive: True for a line inside the object, False for a line outside it.

        Raises:
            InputError: a point lies outside the volume, or the line contradicts another prompt.
            OptionError: the engine takes no scribbles.
        """
        from StrokeSAMLib.interactive import Scribble

        return self.session.add(Scribble(tuple(map(swapRasLps, points)), positive))

    def addLasso(self, points: Sequence[Sequence[float]], positive: bool = True) -> int:
        """Add a closed line and return the prompt's number.

        Args:
            points: positions along the line in one plane of the volume, RAS, mm.
            positive: True if the object lies in the line and fills most of it, False if no object lies in it.

        Raises:
            InputError: a point lies outside the volume, the line does not lie in a plane or has no area.
            OptionError: the engine takes no lassos.
        """
        from StrokeSAMLib.interactive import Lasso

        return self.session.add(Lasso(tuple(map(swapRasLps, points)), positive))

    def addMask(self, image: sitk.Image, positive: bool = True) -> int:
        """Add a mask as a prompt and return the prompt's number.

        Args:
            image: on any grid, LPS; voxels other than 0 count.
            positive: True if the mask is the object, False if the object must not overlap it.

        Raises:
            InputError: the mask has no voxel within the volume.
        """
        from StrokeSAMLib.interactive import Mask

        return self.session.add(Mask(image, positive))

    def addSegment(self, segmentId: str | None, positive: bool = True) -> int:
        """Add a segment of the segmentation as a mask prompt and return the prompt's number.

        Args:
            segmentId: any segment of the segmentation.
            positive: True if the segment is the object, False if the object must not overlap it.

        Raises:
            StrokeSAMError: there is no such segment.
            InputError: the segment is empty within the volume.
        """
        from StrokeSAMLib.interactive import Mask

        return self.session.add(Mask(segmentImage(self.segmentationNode, segmentId), positive))

    def refine(self) -> int:
        """Start from the segment's content. It becomes a mask prompt, and the next `apply` replaces it.

        Returns:
            The prompt's number.
        """
        number = self.addSegment(self.segmentId)
        self.adopt()
        return number

    def adopt(self) -> None:
        """Count the segment's content as the session's own. The next `apply` replaces it."""
        self._contribution.adopt(segmentLabelmap(self.segmentationNode, self.segmentId))

    def removePrompt(self, number: int) -> None:
        """Remove the prompt with this number."""
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
        """Propagate from the prompted slices through the volume and return the number of visited slices.

        Args:
            direction: "up", "down" or "both", along the stack's slices.
            first, last: numbers of the first and the last slice to visit; None for no limit.
            stopWhenEmpty: stop in a direction after two empty slices.
            policy: "memory" or "box"; None for the engine's own.
            progress: called as ``progress(fraction, text)``.
            cancel: set it from another thread to stop between two slices; the visited slices are kept.

        Raises:
            InputError: there are no prompts.
            OptionError: there is no such direction, policy or slice.
            Cancelled: `cancel` was set.
        """
        settings: dict[str, Any] = {"direction": direction, "first": first, "last": last, "policy": policy}
        if not stopWhenEmpty:
            settings["stop_after"] = 0
        return self.session.propagate(monitor=Monitor(progress, cancel), **settings)

    def undo(self) -> bool:
        """Undo the last prompt or propagation. The segment itself has an undo of its own, `StrokeSAMLogic.writer`.

        Returns:
            Whether there was anything to undo.
        """
        return self.session.undo()

    def redo(self) -> bool:
        """Redo the last prompt or propagation that was undone.

        Returns:
            Whether there was anything to redo.
        """
        return self.session.redo()

    def mask(self) -> np.ndarray:
        """The current object: bool (k, j, i) on the grid of the volume's image."""
        import SimpleITK as sitk

        return sitk.GetArrayFromImage(self.session.mask()) > 0

    def apply(self) -> str:
        """Write the object into the segment and the prompts into the segment's tag; return the segment's id.

        The session's earlier result is replaced; voxels of other origin stay. The settings of `StrokeSAMLogic.writer`
        for masking, editable intensity range and overwriting apply.

        Raises:
            Cancelled: the volume is no longer in the scene.
            StrokeSAMError: the segmentation is no longer in the scene, the segment no longer exists, or the object
                extends beyond the segmentation's geometry.
        """
        from StrokeSAMLib.imaging.geometry import patch_of
        from StrokeSAMLib.interactive.record import to_document

        if self._volumeNode.GetScene() is None:
            raise Cancelled()
        if self.segmentationNode.GetScene() is None:
            raise StrokeSAMError("the segmentation to write to is no longer in the scene")
        labelmap = labelmapForSegmentation(patch_of(self.session.mask()), self._volumeNode, self.segmentationNode)
        self.segmentId = self._writer.write(
            labelmap, self.segmentationNode, self._volumeNode, self.segmentId, INFARCT, self._contribution
        )
        saveSession(self.segmentationNode, self.segmentId, to_document(self.session))
        return self.segmentId


def saveSession(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, sessionDocument: Mapping[str, Any]
) -> None:
    """Save a session's document in the segment's tag. A document without actions removes the tag.

    The segment's voxels do not change, and Slicer can still redo changes of the segment that were undone.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    timeBefore = segment.GetMTime()
    with observersBlocked(segment):
        if sessionDocument["actions"]:
            writeTag(segment, SESSION, sessionDocument)
        elif segment.HasTag(SESSION):
            segment.RemoveTag(SESSION)
    if segment.GetMTime() != timeBefore:
        segmentationNode.StorableModified()


def savedSession(segment: slicer.vtkSegment) -> dict[str, Any] | None:
    """Return the document that `saveSession` saved; None if there is none.

    Raises:
        InputError: the tag holds no valid document.
    """
    from StrokeSAMLib.interactive.record import check_document

    try:
        sessionDocument = readTag(segment, SESSION)
        return None if sessionDocument is None else check_document(sessionDocument)
    except (ValueError, InputError) as error:
        raise InputError(f"{segment.GetName()}: its saved prompts cannot be read: {error}") from None


def segmentImage(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str | None) -> sitk.Image:
    """The segment as an image in world coordinates (LPS), UInt8, cropped to the segment's voxels.

    Returns:
        One voxel with the value 0 for an empty segment.

    Raises:
        StrokeSAMError: there is no such segment.
    """
    import numpy as np

    labelmap = segmentLabelmap(segmentationNode, segmentId)
    if labelmap is None:
        raise StrokeSAMError(f"{segmentationNode.GetName()}: there is no segment '{segmentId}'")
    if isEmpty(labelmap):  # an image has at least one voxel
        labelmap = fromVoxels(np.zeros((1, 1, 1), bool), (0, 0, 0), labelmap)
    toWorld = worldTransform(segmentationNode)
    if toWorld is not None:
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(labelmap, toWorld)
    return imageFromOriented(labelmap)

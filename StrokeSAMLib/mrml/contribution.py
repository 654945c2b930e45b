"""The voxels that a session added to a segment. The session's next result replaces these voxels and no others."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.labelmaps import (
    Labelmap,
    countDifferingVoxels,
    cropped,
    croppedVoxelsOf,
    erase,
    isEmpty,
    resampledTo,
    shrink,
    union,
)

# Slicer's undo can restore five contents of a segment; the sixth is the content before them.
_HISTORY_LENGTH = 6


class Contribution:
    """The voxels that a session added to one segment. Voxels that were painted by hand are not part of it.

    Slicer's undo may restore an earlier content of the segment, which holds an earlier result of the session.
    Therefore the last contents are kept, each with the voxels that the session had added to it.
    """

    def __init__(self) -> None:
        # Pairs of the segment's content and the session's part of it, latest last; None for no voxels.
        self._history: list[tuple[Labelmap | None, Labelmap | None]] = []
        # The voxels that the session may own after the composed labelmap is written; None for no voxels.
        self._candidates: Labelmap | None = None

    def adopt(self, labelmap: Labelmap) -> None:
        """Count all voxels of the segment as added by the session, because the session started from them."""
        self._remember(labelmap, cropped(labelmap))

    def compose(self, modifier: Labelmap, current: Labelmap | None, result: Labelmap) -> bool:
        """Fill `modifier` with the segment's new content. Call `recordWritten` after it was written.

        Args:
            modifier: an empty labelmap on the segmentation's grid. It is cropped to the box around the segment's
                present and new voxels: Slicer then writes faster, and the written segment is the same.
            current: the segment's content now; None for no voxels.
            result: the session's result, 0 or 1, in the segmentation's frame, on any grid.

        Returns:
            Whether the new content holds all of the present content. Slicer's mode *Add* then writes the same as its
            mode *Set*, and several times faster: *Set* erases the segment in the whole grid beforehand.
        """
        operations = slicer.vtkOrientedImageDataResample
        present = _croppedTo(modifier, current)
        new = _croppedTo(modifier, result)
        previous = self._addedTo(modifier, present)
        previous = None if previous is None or isEmpty(previous) else resampledTo(modifier, previous)
        if not self._history:
            self._remember(present, None)
        # Masking may keep voxels of the present content, so the box must contain it.
        shrink(modifier, (present, new))
        if not isEmpty(present):
            operations.ModifyImage(modifier, present, operations.OPERATION_MAXIMUM)
        if previous is not None:
            erase(modifier, previous)
        added = cropped(new)
        if not isEmpty(new):
            erase(added, modifier)
            operations.ModifyImage(modifier, new, operations.OPERATION_MAXIMUM)
        self._candidates = added if previous is None else union(previous, added)
        return previous is None or isEmpty(_without(previous, modifier))

    def recordWritten(self, current: Labelmap | None) -> None:
        """Record the segment's content after the composed labelmap was written.

        Args:
            current: the segment's content now. Masking may have kept out voxels of the composed labelmap, and may
                have kept voxels of the session's earlier result; the session owns those that are there.
        """
        self._remember(current, _common(self._candidates, current))

    def _remember(self, content: Labelmap | None, added: Labelmap | None) -> None:
        entry = (None if content is None else cropped(content), added)
        self._history = [*self._history, entry][-_HISTORY_LENGTH:]

    def _addedTo(self, grid: Labelmap, current: Labelmap | None) -> Labelmap | None:
        """The session's part of the earlier content that differs least from `current`."""
        if len(self._history) < 2:
            return self._history[0][1] if self._history else None
        voxels = croppedVoxelsOf(current, grid)
        # `min` returns the first of equal entries, and the list is reversed: the latest entry wins.
        return min(
            reversed(self._history),
            key=lambda entry: countDifferingVoxels(voxels, croppedVoxelsOf(entry[0], grid)),
        )[1]


def _common(candidates: Labelmap | None, content: Labelmap | None) -> Labelmap | None:
    """The voxels that are in both, on the grid of `candidates`; None for none."""
    if candidates is None or isEmpty(candidates) or content is None or isEmpty(content):
        return None
    absent = _without(candidates, resampledTo(candidates, content, padded=True))
    return candidates if isEmpty(absent) else _without(candidates, absent)


def _without(labelmap: Labelmap, mask: Labelmap) -> Labelmap:
    """A cropped copy of `labelmap` with 0 where `mask` is above 0."""
    copy = cropped(labelmap)
    erase(copy, mask)
    return copy


def _croppedTo(grid: Labelmap, labelmap: Labelmap | None) -> Labelmap:
    """A copy of `labelmap` on the grid of `grid`, cropped to the voxels above 0; without voxels for None."""
    return slicer.vtkOrientedImageData() if labelmap is None else cropped(resampledTo(grid, labelmap))

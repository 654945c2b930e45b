"""What a session has put into a segment, so that its next result takes the place of that and of nothing else."""

from __future__ import annotations

import slicer

from StrokeSAMLib.mrml.labelmaps import Labelmap, boxOf, cropped, differing, erase, isEmpty, resampledTo

# As many contents of a segment are remembered as Slicer's undo can bring back, and the one that they come before.
_REMEMBERED = 6


class Contribution:
    """The voxels that a session added to one segment; what was painted by hand stays.

    Slicer's undo may bring back an earlier content of the segment, with an earlier result of the session in it. So
    several contents are remembered, each with what the session had added to it.
    """

    def __init__(self) -> None:
        # Latest last: what the segment held, and what of it the session had added; None for nothing.
        self._known: list[tuple[Labelmap | None, Labelmap | None]] = []
        self._added: Labelmap | None = None

    def adopt(self, labelmap: Labelmap) -> None:
        """Take what the segment holds as the session's own: it started from it."""
        self._remember(labelmap, cropped(labelmap))

    def fill(self, modifier: Labelmap, present: Labelmap | None, result: Labelmap) -> None:
        """Make `modifier`, which is empty, the segment's new whole content. After it is written, call `written`.

        Args:
            modifier: on the segmentation's grid; keeps its geometry.
            present: what the segment holds now, None for nothing.
            result: of the session, 0 or 1, in the segmentation's frame, on any grid.
        """
        operations = slicer.vtkOrientedImageDataResample
        onGrid = resampledTo(modifier, result)
        former = self._addedTo(modifier, present)
        if not self._known:
            self._remember(present, None)
        if present is not None and not isEmpty(present):
            operations.ModifyImage(modifier, resampledTo(modifier, present), operations.OPERATION_MAXIMUM)
        if former is not None and not isEmpty(former):
            erase(modifier, resampledTo(modifier, former))
        self._added = cropped(onGrid)
        if not isEmpty(self._added):
            erase(self._added, modifier)
            operations.ModifyImage(modifier, onGrid, operations.OPERATION_MAXIMUM)

    def written(self, present: Labelmap | None) -> None:
        """What `fill` composed is in the segment, as far as masking let it, which now holds `present`."""
        self._remember(present, self._added)

    def _remember(self, content: Labelmap | None, added: Labelmap | None) -> None:
        self._known = [*self._known, (None if content is None else cropped(content), added)][-_REMEMBERED:]

    def _addedTo(self, grid: Labelmap, present: Labelmap | None) -> Labelmap | None:
        """What the session had added to the content that `present` is, or comes from with the fewest changes."""
        if len(self._known) < 2:
            return self._known[0][1] if self._known else None
        held = boxOf(present, grid)
        # Of equals the latest.
        return min(reversed(self._known), key=lambda known: differing(held, boxOf(known[0], grid)))[1]

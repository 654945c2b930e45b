"""Mouse handling in a slice view, without Qt: draw boxes, add points, move prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import slicer

from StrokeSAMLib.ui.effect.slice_view import SliceView

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Prompt

TOOLS = ("box", "positive", "negative")
XY = tuple[float, float]
# In logical pixels: the largest distance at which a press grips a prompt, and the smallest movement of a drag.
_GRIP_DISTANCE = 8.0
_MIN_DRAG = 4.0


class Editor(Protocol):
    """The part of `PromptEditor` that the pointer needs."""

    prompts: Any
    sessionView: Any

    def add(self, prompt: Prompt, plane: Any) -> None: ...
    def change(self, number: int, prompt: Prompt) -> None: ...
    def select(self, number: int | None) -> None: ...


@dataclass(frozen=True)
class Grip:
    """A prompt that is being moved.

    Attributes:
        number: the prompt's number.
        prompt: the prompt.
        corner: the gripped corner of a box, 0…3; -1 for a side of a box or a point.
    """

    number: int
    prompt: Prompt
    corner: int = -1


class Pointer:
    """Turns a press of the left button, its drag and its release into a change of prompts.

    Attributes:
        tool: one of `TOOLS`.
        band: two opposite corners, XY, of the box that is being drawn or moved; None for none.
        sliceNode: the slice node of the view in which the drag began; None while there is no drag.
    """

    def __init__(self, editor: Editor):
        self._editor = editor
        self.tool = "box"
        self.band: tuple[XY, XY] | None = None
        self.sliceNode: slicer.vtkMRMLSliceNode | None = None
        self._grip: Grip | None = None
        self._start: XY | None = None

    @property
    def dragging(self) -> bool:
        """Whether a press has not been released yet."""
        return self._start is not None

    def press(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode) -> None:
        """Handle a press of the left button: select the prompt at this place, or begin to draw."""
        self._start, self.sliceNode = xy, sliceNode
        self._grip = self.gripAt(xy, sliceNode)
        self._editor.select(self._grip.number if self._grip else None)

    def move(self, xy: XY) -> None:
        """Handle a movement of the mouse while the button is down."""
        if self._start is None:
            return
        if self._grip is None:
            self.band = (self._start, xy) if self.tool == "box" else None
            return
        corners = self._boxCorners(self._grip)
        if corners is None:
            return
        if self._grip.corner >= 0:
            fixed = corners[(self._grip.corner + 2) % 4]
            self.band = ((float(fixed[0]), float(fixed[1])), xy)
        else:
            shift = (xy[0] - self._start[0], xy[1] - self._start[1])
            self.band = tuple((float(c[0] + shift[0]), float(c[1] + shift[1])) for c in (corners[0], corners[2]))

    def release(self, xy: XY) -> None:
        """Handle the release of the button: add the prompt that was drawn, or change the prompt that was moved."""
        start, grip, band, sliceNode = self._start, self._grip, self.band, self.sliceNode
        self.cancel()
        if start is None or sliceNode is None:
            return
        view = SliceView(sliceNode)
        dragged = math.dist(start, xy) >= _MIN_DRAG * sliceNode.GetScreenScaleFactor()
        if grip is not None:
            if dragged:
                self._editor.change(grip.number, self._moved(grip, view, band, xy))
        elif self.tool != "box":
            self._editor.add(_point(view.positionAt(xy), self.tool == "positive"), view.plane)
        elif dragged and band is not None and min(abs(band[0][n] - xy[n]) for n in range(2)) >= 1:
            self._editor.add(_box(view, (start, xy)), view.plane)

    def cancel(self) -> None:
        """End the drag without a change."""
        self._start = self._grip = self.band = self.sliceNode = None

    def gripAt(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode) -> Grip | None:
        """The nearest prompt that a press at this place grips; None for none.

        Only the tool Box grips the sides of a box, because corrections by points are needed beside them.
        """
        view = SliceView(sliceNode)
        cornersAndPoints: list[tuple[float, Grip]] = []
        sides: list[tuple[float, Grip]] = []
        for number, prompt in self._editor.prompts.items():
            places = view.promptCorners(prompt, self._stack)
            if places is None:
                continue
            if len(places) == 1:
                cornersAndPoints.append((math.dist(places[0], xy), Grip(number, prompt)))
            else:
                cornersAndPoints += [(math.dist(place, xy), Grip(number, prompt, n)) for n, place in enumerate(places)]
                if self.tool == "box":
                    sides.append((_distanceFromSides(places, xy), Grip(number, prompt)))
        # Corners first, because the sides that meet in a corner are as near.
        for candidates in (cornersAndPoints, sides):
            distance, grip = min(candidates, key=lambda entry: entry[0], default=(math.inf, None))
            if distance <= _GRIP_DISTANCE * sliceNode.GetScreenScaleFactor():
                return grip
        return None

    @property
    def _stack(self) -> np.ndarray | None:
        """(column, row, slice) to LPS of the session's slices, 4 × 4; None without a session."""
        sessionView = self._editor.sessionView
        return None if sessionView is None else sessionView.affine

    def _boxCorners(self, grip: Grip) -> np.ndarray | None:
        corners = SliceView(self.sliceNode).promptCorners(grip.prompt, self._stack)
        return corners if corners is not None and len(corners) == 4 else None

    def _moved(self, grip: Grip, view: SliceView, band: tuple[XY, XY] | None, xy: XY) -> Prompt:
        if hasattr(grip.prompt, "position"):
            return _point(view.positionAt(xy), grip.prompt.positive)
        return _box(view, band)


def _point(position: Any, positive: bool) -> Prompt:
    from StrokeSAMLib.interactive import Point

    return Point(position, positive)


def _box(view: SliceView, corners: tuple[XY, XY]) -> Prompt:
    from StrokeSAMLib.interactive import Box

    return Box(*(view.positionAt(corner) for corner in corners))


def _distanceFromSides(corners: np.ndarray, xy: XY) -> float:
    """The distance of a place from the nearest side of a quadrilateral (4, 2)."""
    import numpy as np

    start, end = corners, np.roll(corners, -1, axis=0)
    side = end - start
    fraction = np.clip(((np.asarray(xy) - start) * side).sum(1) / np.maximum((side**2).sum(1), 1e-9), 0, 1)
    return float(np.hypot(*(start + fraction[:, None] * side - xy).T).min())

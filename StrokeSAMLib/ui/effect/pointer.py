"""Mouse handling in a slice view, without Qt: draw boxes and lines, add points, move prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import slicer

from StrokeSAMLib.ui.effect.slice_view import SliceView, edgesOf

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Prompt

TOOLS = ("box", "lasso", "positive", "negative")
XY = tuple[float, float]
# In logical pixels: the largest distance at which a press grips a prompt, the smallest movement of a drag, and the
# distance of the places of a line.
_GRIP_DISTANCE = 8.0
_MIN_DRAG = 4.0
_STEP = 2.0
_NO_LINE: tuple[Any, ...] = ()


class Editor(Protocol):
    """The part of `PromptEditor` that the pointer needs."""

    prompts: Any
    sessionView: Any
    accepts: Any

    def add(self, prompt: Prompt, plane: Any) -> None: ...
    def change(self, number: int, prompt: Prompt) -> None: ...
    def select(self, number: int | None) -> None: ...
    def preview(self, prompt: Prompt, number: int | None) -> None: ...
    def endPreview(self) -> None: ...


@dataclass(frozen=True)
class Grip:
    """A prompt that is being moved.

    Attributes:
        number: the prompt's number.
        prompt: the prompt.
        corner: the gripped corner of a box, 0…3; -1 for a side of a box, a point or a line.
    """

    number: int
    prompt: Prompt
    corner: int = -1


class Pointer:
    """Turns a press of the left button, its drag and its release into a change of prompts.

    Attributes:
        tool: one of `TOOLS`.
        band: two opposite corners, XY, of the box that is being drawn or moved; None for none.
        line: the edges, XY (n, 2, 2), of the scribble or lasso that is being drawn or moved; empty for none.
        sliceNode: the slice node of the view in which the drag began; None while there is no drag.
        scale: pixels of that view, in which XY are, for one logical pixel.
    """

    def __init__(self, editor: Editor):
        self._editor = editor
        self.tool = "box"
        self.scale = 1.0
        self._forget()

    def _forget(self) -> None:
        self.band: tuple[XY, XY] | None = None
        self.line: np.ndarray | tuple[Any, ...] = _NO_LINE
        self.sliceNode: slicer.vtkMRMLSliceNode | None = None
        self._grip: Grip | None = None
        self._start: XY | None = None
        self._places: list[XY] = []

    @property
    def dragging(self) -> bool:
        """Whether a press has not been released yet."""
        return self._start is not None

    def press(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode, scale: float = 1.0) -> None:
        """Handle a press of the left button: select the prompt at this place, or begin to draw.

        Args:
            xy: the place in the view.
            sliceNode: the view's node.
            scale: pixels of the view for one logical pixel.
        """
        self._start, self._places, self.sliceNode, self.scale = xy, [xy], sliceNode, scale
        self._grip = self.gripAt(xy, sliceNode)
        self._editor.select(self._grip.number if self._grip else None)

    def move(self, xy: XY) -> None:
        """Handle a movement of the mouse while the button is down: show the prompt, and the answer to it."""
        import numpy as np

        if self._start is None:
            return
        if math.dist(self._places[-1], xy) >= _STEP * self.scale:
            self._places.append(xy)
        if self._grip is not None:
            self._showMoved(self._grip, xy)
        elif self.tool == "box":
            self.band = (self._start, xy)
        elif self._drawsLine:
            self.line = edgesOf(np.array(self._places), closed=self.tool == "lasso")
        prompt = self._prompt(xy)
        if prompt is not None and self._isDragged(xy):
            self._editor.preview(prompt, self._grip.number if self._grip else None)

    def release(self, xy: XY) -> None:
        """Handle the release of the button: add the prompt that was drawn, or change the prompt that was moved."""
        prompt, grip, sliceNode = self._prompt(xy), self._grip, self.sliceNode
        self._forget()
        if prompt is None:
            self._editor.endPreview()
        elif grip is not None:
            self._editor.change(grip.number, prompt)
        else:
            self._editor.add(prompt, SliceView(sliceNode).plane)

    def cancel(self) -> None:
        """End the drag without a change."""
        if self.dragging:
            self._forget()
            self._editor.endPreview()

    def gripAt(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode) -> Grip | None:
        """The nearest prompt that a press at this place grips; None for none.

        Only the tool Box grips the sides of a box and lines, because other prompts are needed beside them.
        """
        view = SliceView(sliceNode)
        cornersAndPoints: list[tuple[float, Grip]] = []
        sides: list[tuple[float, Grip]] = []
        for number, prompt in self._editor.prompts.items():
            places, edges = view.promptCorners(prompt, self._stack), view.promptEdges(prompt, self._stack)
            if places is not None:
                corners = [-1] if len(places) == 1 else range(len(places))
                cornersAndPoints += [
                    (math.dist(place, xy), Grip(number, prompt, n)) for n, place in zip(corners, places, strict=True)
                ]
            if self.tool == "box" and len(edges):
                sides.append((_distanceFromEdges(edges, xy), Grip(number, prompt)))
        # Corners first, because the sides that meet in a corner are as near.
        for candidates in (cornersAndPoints, sides):
            distance, grip = min(candidates, key=lambda entry: entry[0], default=(math.inf, None))
            if distance <= _GRIP_DISTANCE * self.scale:
                return grip
        return None

    @property
    def _drawsLine(self) -> bool:
        return self.tool == "lasso" or (self.tool != "box" and "scribble" in self._editor.accepts)

    def _isDragged(self, xy: XY) -> bool:
        """Whether the mouse, which is at this place, has been anywhere but at the place of the press."""
        return any(math.dist(self._places[0], place) >= _MIN_DRAG * self.scale for place in (*self._places, xy))

    @property
    def _stack(self) -> np.ndarray | None:
        """(column, row, slice) to LPS of the session's slices, 4 × 4; None without a session."""
        sessionView = self._editor.sessionView
        return None if sessionView is None else sessionView.affine

    def _showMoved(self, grip: Grip, xy: XY) -> None:
        """Show the box or line that is being moved."""
        import numpy as np

        view = SliceView(self.sliceNode)
        corners, shift = view.promptCorners(grip.prompt, self._stack), np.subtract(xy, self._start)
        if corners is None:
            self.line = view.promptEdges(grip.prompt, self._stack) + shift
        elif grip.corner >= 0:
            x, y = corners[(grip.corner + 2) % 4]
            self.band = ((float(x), float(y)), xy)
        elif len(corners) == 4:
            self.band = tuple((float(x), float(y)) for x, y in corners[::2] + shift)

    def _prompt(self, xy: XY) -> Prompt | None:
        """The prompt that a release at this place adds or changes; None for none."""
        if self._start is None:
            return None
        view = SliceView(self.sliceNode)
        if self._grip is not None:
            return self._moved(self._grip, view, xy) if self._isDragged(xy) else None
        if self.tool == "box":
            hasArea = self._isDragged(xy) and min(abs(a - b) for a, b in zip(self._start, xy, strict=True)) >= 1
            return _box(view, (self._start, xy)) if hasArea else None
        if self._drawsLine and self._isDragged(xy):
            return _line(view, [*self._places, xy], self.tool)
        return None if self.tool == "lasso" else _point(view.positionAt(xy), self.tool == "positive")

    def _moved(self, grip: Grip, view: SliceView, xy: XY) -> Prompt | None:
        prompt = grip.prompt
        if hasattr(prompt, "position"):
            return replace(prompt, position=view.positionAt(xy))
        if hasattr(prompt, "points"):
            import numpy as np

            shift = np.subtract(view.positionAt(xy), view.positionAt(self._start))
            return replace(prompt, points=tuple(map(tuple, (np.array(prompt.points) + shift).tolist())))
        return None if self.band is None else _box(view, self.band)


def _point(position: Any, positive: bool) -> Prompt:
    from StrokeSAMLib.interactive import Point

    return Point(position, positive)


def _box(view: SliceView, corners: tuple[XY, XY]) -> Prompt:
    from StrokeSAMLib.interactive import Box

    return Box(*(view.positionAt(corner) for corner in corners))


def _line(view: SliceView, places: list[XY], tool: str) -> Prompt | None:
    """The scribble or lasso through these places; None for a lasso of fewer than three."""
    from StrokeSAMLib.interactive import Lasso, Scribble

    points = tuple(view.positionAt(place) for place in places)
    if tool != "lasso":
        return Scribble(points, tool == "positive")
    return Lasso(points) if len(points) >= 3 else None


def _distanceFromEdges(edges: np.ndarray, xy: XY) -> float:
    """The distance of a place from the nearest of edges (n, 2, 2)."""
    import numpy as np

    start, end = edges[:, 0], edges[:, 1]
    side = end - start
    fraction = np.clip(((np.asarray(xy) - start) * side).sum(1) / np.maximum((side**2).sum(1), 1e-9), 0, 1)
    return float(np.hypot(*(start + fraction[:, None] * side - xy).T).min())

"""The mouse in a slice view: draws boxes, sets points, takes hold of prompts. Without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import slicer

from StrokeSAMLib.ui.slice_view import SliceView

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Prompt

TOOLS = ("box", "positive", "negative")
XY = tuple[float, float]
# A handle is taken hold of from so near, and a drag begins so far away, pixels of the view.
_HANDLE = 8.0
_LEAST_DRAG = 4.0


class Editor(Protocol):
    """What the pointer needs of `PromptEditor`."""

    prompts: Any
    shown: Any

    def add(self, prompt: Prompt, plane: Any) -> None: ...
    def change(self, number: int, prompt: Prompt) -> None: ...
    def select(self, number: int | None) -> None: ...


@dataclass(frozen=True)
class Grip:
    """A prompt that is held: at a box's corner `corner` (0…3), a box's side or inside (-1), or a point (-1)."""

    number: int
    prompt: Prompt
    corner: int = -1


class Pointer:
    """What a press, its drag and its release do.

    Attributes:
        tool: of `TOOLS`.
        band: the box that is being drawn or moved, corners in XY; None for none.
        view: the slice node in which that is.
    """

    def __init__(self, editor: Editor):
        self._editor = editor
        self.tool = "box"
        self.band: tuple[XY, XY] | None = None
        self.view: slicer.vtkMRMLSliceNode | None = None
        self._grip: Grip | None = None
        self._start: XY | None = None

    @property
    def dragging(self) -> bool:
        """Whether a button is down that this began with."""
        return self._start is not None

    def press(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode) -> None:
        """The left button goes down."""
        self._start, self.view = xy, sliceNode
        self._grip = self.grip(xy, sliceNode)
        self._editor.select(self._grip.number if self._grip else None)

    def move(self, xy: XY) -> None:
        """The mouse moves while the button is down."""
        if self._start is None:
            return
        if self._grip is None:
            self.band = (self._start, xy) if self.tool == "box" else None
            return
        corners = self._box_of(self._grip)
        if corners is None:
            return
        if self._grip.corner >= 0:
            fixed = corners[(self._grip.corner + 2) % 4]
            self.band = ((float(fixed[0]), float(fixed[1])), xy)
        else:
            shift = (xy[0] - self._start[0], xy[1] - self._start[1])
            self.band = tuple((float(c[0] + shift[0]), float(c[1] + shift[1])) for c in (corners[0], corners[2]))

    def release(self, xy: XY) -> None:
        """The button goes up: what was drawn becomes a prompt, what was held one elsewhere."""
        start, grip, band, node = self._start, self._grip, self.band, self.view
        self.cancel()
        if start is None or node is None:
            return
        view = SliceView(node)
        dragged = math.dist(start, xy) >= _LEAST_DRAG
        if grip is not None:
            if dragged:
                self._editor.change(grip.number, self._moved(grip, view, band, xy))
        elif self.tool != "box":
            self._editor.add(_point(view.positionAt(xy), self.tool == "positive"), view.plane)
        elif dragged and band is not None and min(abs(band[0][n] - xy[n]) for n in range(2)) >= 1:
            self._editor.add(_box(view, (start, xy)), view.plane)

    def cancel(self) -> None:
        """Let go; nothing changes."""
        self._start = self._grip = self.band = self.view = None

    def grip(self, xy: XY, sliceNode: slicer.vtkMRMLSliceNode) -> Grip | None:
        """The prompt that a press at this place takes hold of, the nearest; None for none."""
        view = SliceView(sliceNode)
        corners_and_points: list[tuple[float, Grip]] = []
        sides: list[tuple[float, Grip]] = []
        for number, prompt in self._editor.prompts.items():
            places = view.placesShown(prompt, self._stack)
            if places is None:
                continue
            if len(places) == 1:
                corners_and_points.append((math.dist(places[0], xy), Grip(number, prompt)))
            else:
                corners_and_points += [
                    (math.dist(place, xy), Grip(number, prompt, n)) for n, place in enumerate(places)
                ]
                sides.append((_from_sides(places, xy), Grip(number, prompt)))
        # A corner before the sides that meet in it.
        for found in (corners_and_points, sides):
            distance, grip = min(found, key=lambda entry: entry[0], default=(math.inf, None))
            if distance <= _HANDLE:
                return grip
        return None

    @property
    def _stack(self) -> np.ndarray | None:
        """To LPS, of the slices; None before there are any."""
        shown = self._editor.shown
        return None if shown is None else shown.affine

    def _box_of(self, grip: Grip) -> np.ndarray | None:
        places = SliceView(self.view).placesShown(grip.prompt, self._stack)
        return places if places is not None and len(places) == 4 else None

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


def _from_sides(corners: np.ndarray, xy: XY) -> float:
    """Distance of a place from the sides of a quadrilateral."""
    import numpy as np

    start, end = corners, np.roll(corners, -1, axis=0)
    along = end - start
    part = np.clip(((np.asarray(xy) - start) * along).sum(1) / np.maximum((along**2).sum(1), 1e-9), 0, 1)
    return float(np.hypot(*(start + part[:, None] * along - xy).T).min())

"""The effect's drawing in one slice view with VTK, without Qt: prompts, the preview, and what the mouse is drawing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import slicer
import vtk

from StrokeSAMLib.ui.effect.pointer import Pointer
from StrokeSAMLib.ui.effect.slice_view import SliceView, edgesOf

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Point, Prompt
    from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor, Target

# Colours that people with red-green colour blindness can distinguish (Okabe and Ito 2008); the shapes differ, too.
_COLOURS = {
    "preview": (1.0, 0.69, 0.0),
    "box": (0.94, 0.89, 0.26),
    "positive": (0.0, 0.78, 0.55),
    "negative": (0.9, 0.35, 0.1),
    "selected": (1.0, 1.0, 1.0),
    "band": (0.94, 0.89, 0.26),
}
_WIDTHS = {"preview": 2.0, "selected": 3.0}
_WIDTH = 2.0
# Length of half a plus sign, logical pixels.
_ARM = 6.0
# The preview's other colour, for segments whose own colour is like the first.
_OTHER_PREVIEW = (0.34, 0.71, 0.91)


class Overlay:
    """The lines in one slice view. `update` draws the editor's current state."""

    def __init__(self, sliceNode: slicer.vtkMRMLSliceNode):
        self.sliceNode = sliceNode
        self._scale = 1.0
        self._lines = {name: _Lines() for name in _COLOURS}

    @property
    def actors(self) -> list[vtk.vtkActor2D]:
        """The actors to add to the view, and to remove from it later."""
        return [lines.actor for lines in self._lines.values()]

    @property
    def isEmpty(self) -> bool:
        """Whether nothing is drawn."""
        return not any(actor.GetVisibility() for actor in self.actors)

    def update(self, editor: PromptEditor, pointer: Pointer, scale: float = 1.0) -> bool:
        """Draw the prompts, the preview and what the mouse is drawing, as far as they lie in this view's plane.

        Args:
            editor: holds the prompts and the preview.
            pointer: holds what the mouse is drawing.
            scale: pixels of the view for one logical pixel.

        Returns:
            Whether the drawing has changed, so that the view must be rendered.
        """
        self._scale = scale
        edges = self._edges(editor, pointer, SliceView(self.sliceNode))
        colours = {**_COLOURS, "preview": _previewColour(editor.target)}
        changes = [
            lines.set(edges.get(name, []), _WIDTHS.get(name, _WIDTH) * self._scale, colours[name])
            for name, lines in self._lines.items()
        ]
        return any(changes)

    def _edges(self, editor: PromptEditor, pointer: Pointer, view: SliceView) -> dict[str, list[np.ndarray]]:
        """Edges (n, 2, 2) in XY by the name of their lines."""
        import numpy as np

        edgesByName: dict[str, list[np.ndarray]] = {}
        sessionView = editor.sessionView
        k = None if sessionView is None else view.sliceIndex(sessionView.affine, sessionView.count)
        if k is not None:
            outline = editor.live.get(k, sessionView.outlines.get(k))
            if outline is not None and len(outline):
                edgesByName["preview"] = [view.edgesInView(outline, sessionView.affine, k)]
        for number, prompt in editor.prompts.items():
            edges = self._promptEdges(prompt, view, None if sessionView is None else sessionView.affine)
            if len(edges):
                name = "selected" if number == editor.selected else _colourName(prompt)
                edgesByName.setdefault(name, []).append(edges)
        if pointer.sliceNode is self.sliceNode and pointer.band is not None:
            (x0, y0), (x1, y1) = pointer.band
            edgesByName["band"] = [edgesOf(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), closed=True)]
        if pointer.sliceNode is self.sliceNode and len(pointer.line):
            edgesByName.setdefault(pointer.tool if pointer.tool in _COLOURS else "band", []).append(pointer.line)
        return edgesByName

    def _promptEdges(self, prompt: Prompt, view: SliceView, stack: np.ndarray | None) -> np.ndarray:
        """Edges (n, 2, 2) in XY; none if the prompt is not drawn."""
        places = view.promptCorners(prompt, stack)
        if places is not None and len(places) == 1:
            return _cross(prompt, places[0], _ARM * self._scale)
        return view.promptEdges(prompt, stack)


# Ends (2 n, 2) of the edges, width and colour.
Drawing: TypeAlias = "tuple[np.ndarray, float, tuple[float, float, float]]"


class _Lines:
    """Lines of one colour."""

    def __init__(self) -> None:
        self._shown: Drawing | None = None
        self._data = vtk.vtkPolyData()
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(mapper)
        self.actor.VisibilityOff()

    def set(self, edges: list[np.ndarray], width: float, colour: tuple[float, float, float]) -> bool:
        """Draw these edges, arrays (n, 2, 2) of XY, and remove the earlier ones.

        Args:
            edges: the edges.
            width: of the lines, device pixels.
            colour: red, green and blue, 0…1.

        Returns:
            Whether the drawing has changed.
        """
        import numpy as np

        ends = np.concatenate(edges).reshape(-1, 2) if edges else np.zeros((0, 2))
        shown = (ends, width, colour) if len(ends) else None
        if _areEqual(shown, self._shown):
            return False
        self._shown = shown
        self.actor.GetProperty().SetLineWidth(width)
        self.actor.GetProperty().SetColor(*colour)
        self.actor.SetVisibility(shown is not None)
        self._setEnds(ends)
        return True

    def _setEnds(self, ends: np.ndarray) -> None:
        """Set the lines from the ends (2 n, 2) of all edges."""
        import numpy as np
        from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

        points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
        points.SetData(numpy_to_vtk(np.column_stack([ends, np.zeros(len(ends))]).astype(np.float32), deep=True))
        offsets, ids = np.arange(0, len(ends) + 1, 2, dtype=np.int64), np.arange(len(ends), dtype=np.int64)
        lines.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(ids, deep=True))
        self._data.SetPoints(points)
        self._data.SetLines(lines)
        self._data.Modified()


def _areEqual(first: Drawing | None, second: Drawing | None) -> bool:
    import numpy as np

    if first is None or second is None:
        return first is second
    return first[1:] == second[1:] and np.array_equal(first[0], second[0])


def _colourName(prompt: Prompt) -> str:
    """The name of a prompt's colour: that of boxes for what goes around the object, else that of its sign."""
    from StrokeSAMLib.interactive import Box, Lasso

    if isinstance(prompt, Box) or (isinstance(prompt, Lasso) and prompt.positive):
        return "box"
    return "positive" if prompt.positive else "negative"


def _previewColour(target: Target | None) -> tuple[float, float, float]:
    """The colour of the preview that differs more from the segment's own."""
    if target is None or target.segment is None:
        return _COLOURS["preview"]
    segment = target.segment.GetColor()
    return max((_COLOURS["preview"], _OTHER_PREVIEW), key=lambda colour: math.dist(colour, segment))


def _cross(point: Point, place: np.ndarray, arm: float) -> np.ndarray:
    """A plus sign for a positive point or a minus sign for a negative one, in a diamond: edges (n, 2, 2).

    Args:
        point: the point.
        place: its place in the view, XY.
        arm: length of half the sign, pixels.
    """
    import numpy as np

    arms = [[(-1, 0), (1, 0)]] + ([[(0, -1), (0, 1)]] if point.positive else [])
    tips = np.array([(2, 0), (0, 2), (-2, 0), (0, -2)], float)
    return place + arm * np.concatenate([np.array(arms, float), edgesOf(tips, closed=True) * 0.9])

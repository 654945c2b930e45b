"""What the effect draws in one slice view: prompts, previews, the box under the mouse. VTK, no Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
import vtk

from StrokeSAMLib.ui.pointer import Pointer
from StrokeSAMLib.ui.slice_view import SliceView

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Point
    from StrokeSAMLib.ui.prompt_editor import PromptEditor

# Told apart without red and green too (Okabe and Ito 2008), and by their form.
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
_ARM = 6.0


class Overlay:
    """The lines of one slice view, kept in line with the editor by `update`."""

    def __init__(self, sliceNode: slicer.vtkMRMLSliceNode):
        self.sliceNode = sliceNode
        self._lines = {name: _Lines(colour, _WIDTHS.get(name, _WIDTH)) for name, colour in _COLOURS.items()}

    @property
    def actors(self) -> list[vtk.vtkActor2D]:
        """What is to be added to the view, and removed from it."""
        return [lines.actor for lines in self._lines.values()]

    def update(self, editor: PromptEditor, pointer: Pointer) -> None:
        """Draw what the editor and the pointer have in this view's plane."""
        edges = self._edges(editor, pointer, SliceView(self.sliceNode))
        for name, lines in self._lines.items():
            lines.set(edges.get(name, []))

    def _edges(self, editor: PromptEditor, pointer: Pointer, view: SliceView) -> dict[str, list[np.ndarray]]:
        """Edges (n, 2, 2) in XY by the name of their lines."""
        import numpy as np

        drawn: dict[str, list[np.ndarray]] = {}
        shown = editor.shown
        k = None if shown is None else view.sliceShown(shown.affine, shown.count)
        if k is not None:
            outline = editor.live.get(k, shown.outlines.get(k))
            if outline is not None and len(outline):
                drawn["preview"] = [view.edgesOf(outline, shown.affine, k)]
        for number, prompt in editor.prompts.items():
            places = view.placesShown(prompt, None if shown is None else shown.affine)
            if places is not None:
                name, edges = (
                    ("box", _closed(places)) if len(places) > 1 else (_sign(prompt), _cross(prompt, places[0]))
                )
                drawn.setdefault("selected" if number == editor.selected else name, []).append(edges)
        if pointer.band is not None and pointer.view is self.sliceNode:
            (x0, y0), (x1, y1) = pointer.band
            drawn["band"] = [_closed(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))]
        return drawn


class _Lines:
    """Lines of one colour."""

    def __init__(self, colour: tuple[float, float, float], width: float):
        self._data = vtk.vtkPolyData()
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetColor(*colour)
        self.actor.GetProperty().SetLineWidth(width)
        self.actor.VisibilityOff()

    def set(self, edges: list[np.ndarray]) -> None:
        """Draw these (n, 2, 2); nothing for none."""
        import numpy as np
        from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

        self.actor.SetVisibility(bool(edges))
        if not edges:
            self._data.Initialize()
            return
        ends = np.concatenate(edges).reshape(-1, 2)
        points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
        points.SetData(numpy_to_vtk(np.column_stack([ends, np.zeros(len(ends))]).astype(np.float32), deep=True))
        offsets, ids = np.arange(0, len(ends) + 1, 2, dtype=np.int64), np.arange(len(ends), dtype=np.int64)
        lines.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(ids, deep=True))
        self._data.SetPoints(points)
        self._data.SetLines(lines)
        self._data.Modified()


def _sign(point: Point) -> str:
    return "positive" if point.positive else "negative"


def _cross(point: Point, place: np.ndarray) -> np.ndarray:
    """A plus or a minus, in a diamond."""
    import numpy as np

    arms = [[(-1, 0), (1, 0)]] + ([[(0, -1), (0, 1)]] if point.positive else [])
    tips = np.array([(2, 0), (0, 2), (-2, 0), (0, -2)], float)
    return place + _ARM * np.concatenate([np.array(arms, float), _closed(tips) * 0.9])


def _closed(corners: np.ndarray) -> np.ndarray:
    """The sides of a polygon (n, 2) as edges (n, 2, 2)."""
    import numpy as np

    return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)

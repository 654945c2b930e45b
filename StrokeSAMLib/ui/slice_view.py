"""A slice view as prompts see it: its plane, and what of a prompt or a preview lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.mrml.space import Position, lpsMatrix, viewPlane

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Box, Point, Prompt

# A prompt is drawn where the plane is nearer than this, mm, at least.
_NEAR_MM = 0.5
# Cosine from which on two planes are one: 2.5°, as much as an eye can tell.
_PARALLEL = 0.999


class SliceView:
    """The plane that a slice node shows, at this moment. XY are pixels of the view, from its lower left."""

    def __init__(self, sliceNode: slicer.vtkMRMLSliceNode):
        import numpy as np

        self._toLps = lpsMatrix(sliceNode.GetXYToRAS())
        self._fromLps = np.linalg.inv(self._toLps)
        self.plane = viewPlane(sliceNode)
        self._normal = np.asarray(self.plane[0])

    def positionAt(self, xy: tuple[float, float]) -> Position:
        """LPS, mm, of a place in the view."""
        x, y, z, _ = self._toLps @ [xy[0], xy[1], 0.0, 1.0]
        return (float(x), float(y), float(z))

    def xyOf(self, positions: np.ndarray) -> np.ndarray:
        """Places in the view of positions (…, 3), LPS, seen along the normal: (…, 2)."""
        return positions @ self._fromLps[:2, :3].T + self._fromLps[:2, 3]

    def distance(self, position: Any) -> float:
        """Of a position (LPS) from the plane, mm."""
        import numpy as np

        return float(abs((np.asarray(position) - self._toLps[:3, 3]) @ self._normal))

    def sliceShown(self, affine: np.ndarray, count: int) -> int | None:
        """The slice of a stack that the view shows; None where it shows another plane, or none of them."""
        import numpy as np

        across = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
        if abs(across @ self._normal) < _PARALLEL:
            return None
        k = (np.linalg.inv(affine) @ self._toLps[:, 3])[2]
        nearest = int(np.floor(k + 0.5))
        return nearest if 0 <= nearest < count else None

    def edgesOf(self, edges: np.ndarray, affine: np.ndarray, k: int) -> np.ndarray:
        """Edges (n, 2, 2) of (column, row) on slice `k`, in the view: (n, 2, 2) of XY."""
        import numpy as np

        index = np.concatenate([edges, np.full((*edges.shape[:2], 1), float(k))], axis=-1)
        return self.xyOf(index @ affine[:3, :3].T + affine[:3, 3])

    def holds(self, position: Any, thickness: float) -> bool:
        """Whether a position lies in the slice of this `thickness` (mm) around the plane."""
        return self.distance(position) <= max(thickness / 2, _NEAR_MM)

    def placesShown(self, prompt: Prompt, stack: np.ndarray | None) -> np.ndarray | None:
        """Where a prompt is drawn: of a point (1, 2), of a box its corners in turn (4, 2); None where it is not.

        Args:
            stack: (column, row, slice) to LPS, 4 × 4, of the slices it acts on; None before there are any.
        """
        import numpy as np

        from StrokeSAMLib.interactive import Box, Point

        thickness = 1.0 if stack is None else float(np.linalg.norm(stack[:3, 2]))
        if isinstance(prompt, Point):
            return self._pointShown(prompt, thickness)
        if isinstance(prompt, Box):
            return self._boxShown(prompt, viewAxes(self.plane) if stack is None else stackAxes(stack), thickness)
        return None  # a mask is the preview itself

    def _pointShown(self, point: Point, thickness: float) -> np.ndarray | None:
        import numpy as np

        return self.xyOf(np.asarray([point.position])) if self.holds(point.position, thickness) else None

    def _boxShown(self, box: Box, axes: np.ndarray, thickness: float) -> np.ndarray | None:
        """`axes`: the directions of its sides, unit vectors (3, 2), LPS."""
        import numpy as np

        first, second = np.asarray(box.first), np.asarray(box.second)
        middle = (first + second) / 2
        across = np.cross(axes[:, 0], axes[:, 1])
        if not self.holds(middle, thickness) or abs(across @ self._normal) < _PARALLEL:
            return None
        sides = [((second - first) @ axes[:, n]) * axes[:, n] for n in range(2)]
        start = first + ((middle - first) @ across) * across
        return self.xyOf(np.stack([start, start + sides[0], start + sides[0] + sides[1], start + sides[1]]))


def viewAxes(plane: tuple[Position, Position]) -> np.ndarray:
    """The right and the up of a plane (normal and right), unit vectors (3, 2)."""
    import numpy as np

    normal, right = (np.asarray(vector, float) for vector in plane)
    return np.stack([right, np.cross(normal, right)], axis=1)


def stackAxes(affine: np.ndarray) -> np.ndarray:
    """The directions of a stack's columns and rows, unit vectors (3, 2)."""
    import numpy as np

    axes = affine[:3, :2]
    return axes / np.linalg.norm(axes, axis=0)

"""Geometry of a slice view: its plane, and the places of prompts and outlines in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.mrml.space import Position, lpsMatrix, viewPlane

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Box, Lasso, Point, Prompt, Scribble

# A prompt is drawn if its distance from the plane is at most half the slice thickness, and always within this, mm.
_NEAR_MM = 0.5
# Two planes count as parallel if the cosine of their angle is at least this: 2.5°, which is not visible.
_PARALLEL = 0.999
# A box that is thinner in a view was drawn in another plane, mm.
_LEAST_MM = 1e-3


class SliceView:
    """The plane of a slice node at the moment of creation.

    View coordinates (XY) are in pixels from the lower left corner of the view. Positions are LPS, mm.

    Attributes:
        plane: the plane's normal and its direction to the right, LPS.
    """

    def __init__(self, sliceNode: slicer.vtkMRMLSliceNode):
        import numpy as np

        self._toLps = lpsMatrix(sliceNode.GetXYToRAS())
        self._fromLps = np.linalg.inv(self._toLps)
        self.plane = viewPlane(sliceNode)
        self._normal = np.asarray(self.plane[0])

    def positionAt(self, xy: tuple[float, float]) -> Position:
        """The position of a place in the view."""
        x, y, z, _ = self._toLps @ [xy[0], xy[1], 0.0, 1.0]
        return (float(x), float(y), float(z))

    def xyOf(self, positions: np.ndarray) -> np.ndarray:
        """Project positions (…, 3) along the normal onto the view: XY (…, 2)."""
        return positions @ self._fromLps[:2, :3].T + self._fromLps[:2, 3]

    def sliceIndex(self, affine: np.ndarray, count: int) -> int | None:
        """The index of the stack's slice that the view shows.

        Args:
            affine: (column, row, slice) to LPS, 4 × 4.
            count: number of slices in the stack.

        Returns:
            The index; None if the view is not parallel to the slices or lies outside the stack.
        """
        import numpy as np

        normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
        if abs(normal @ self._normal) < _PARALLEL:
            return None
        k = (np.linalg.inv(affine) @ self._toLps[:, 3])[2]
        nearest = int(np.floor(k + 0.5))
        return nearest if 0 <= nearest < count else None

    def edgesInView(self, edges: np.ndarray, affine: np.ndarray, k: int) -> np.ndarray:
        """Convert edges (n, 2, 2) of (column, row) on slice `k` of a stack into edges (n, 2, 2) of XY."""
        import numpy as np

        index = np.concatenate([edges, np.full((*edges.shape[:2], 1), float(k))], axis=-1)
        return self.xyOf(index @ affine[:3, :3].T + affine[:3, 3])

    def isNear(self, positions: Any, thickness: float) -> Any:
        """Whether a position, or each of positions (n, 3), lies in a slice of `thickness` mm around the plane."""
        import numpy as np

        distance = abs((np.asarray(positions) - self._toLps[:3, 3]) @ self._normal)
        return distance <= max(thickness / 2, _NEAR_MM)

    def promptEdges(self, prompt: Prompt, stack: np.ndarray | None) -> np.ndarray:
        """The edges of a box, scribble or lasso in the view: XY (n, 2, 2); none for another prompt or plane.

        Args:
            prompt: the prompt.
            stack: see `promptCorners`.
        """
        import numpy as np

        from StrokeSAMLib.interactive import Box, Lasso, Scribble

        if isinstance(prompt, Scribble | Lasso):
            return self._lineEdges(prompt, stack)
        corners = self.promptCorners(prompt, stack) if isinstance(prompt, Box) else None
        return np.zeros((0, 2, 2)) if corners is None else edgesOf(corners, closed=True)

    def promptCorners(self, prompt: Prompt, stack: np.ndarray | None) -> np.ndarray | None:
        """The places in the view at which a prompt is drawn.

        Args:
            prompt: the prompt.
            stack: (column, row, slice) to LPS, 4 × 4, of the slices on which the prompt acts; None if there are none.

        Returns:
            XY (1, 2) of a point, or XY (4, 2) of a box's corners in order around it; None if the prompt is not drawn.
        """
        from StrokeSAMLib.interactive import Box, Point

        if isinstance(prompt, Point):
            return self._pointPlace(prompt, _thickness(stack))
        if isinstance(prompt, Box):
            return self._boxCorners(prompt, stack)
        return None  # a mask prompt is visible as the preview

    def _lineEdges(self, line: Scribble | Lasso, stack: np.ndarray | None) -> np.ndarray:
        import numpy as np

        from StrokeSAMLib.interactive import Lasso

        sides = self._sides(stack)
        thickness = _thickness(stack) if sides is None else float(np.linalg.norm(sides[:, 2]))
        points = np.asarray(line.points)
        closed = isinstance(line, Lasso)
        isNear = edgesOf(self.isNear(points, thickness), closed).all(axis=1)
        # Of a lasso in another plane only a stub would be near.
        isShown = isNear & isNear.all() if closed else isNear
        return edgesOf(self.xyOf(points), closed)[isShown]

    def _pointPlace(self, point: Point, thickness: float) -> np.ndarray | None:
        import numpy as np

        return self.xyOf(np.asarray([point.position])) if self.isNear(point.position, thickness) else None

    def _boxCorners(self, box: Box, stack: np.ndarray | None) -> np.ndarray | None:
        import numpy as np

        sides = self._sides(stack)
        if sides is None:
            return None
        first, second = np.asarray(box.first), np.asarray(box.second)
        right, up, across = (sides * (np.linalg.inv(sides) @ (second - first))).T
        isThin = min(np.linalg.norm(right), np.linalg.norm(up)) < _LEAST_MM
        if isThin or not self.isNear((first + second) / 2, float(np.linalg.norm(sides[:, 2]))):
            return None
        start = first + across / 2
        return self.xyOf(np.stack([start, start + right, start + right + up, start + up]))

    def _sides(self, stack: np.ndarray | None) -> np.ndarray | None:
        """The sides of a voxel of the stack, LPS, mm, as columns (3, 3): two in the view's plane, the last across it.

        Without a stack they are those of the view and 1 mm long. None if no side is across the view.
        """
        import numpy as np

        if stack is None:
            normal, right = (np.asarray(vector, float) for vector in self.plane)
            return np.stack([right, np.cross(normal, right), normal], axis=1)
        cosines = np.abs(self._normal @ (stack[:3, :3] / np.linalg.norm(stack[:3, :3], axis=0)))
        across = [n for n in range(3) if cosines[n] >= _PARALLEL]
        return stack[:3, [n for n in range(3) if n not in across] + across] if across else None


def edgesOf(places: np.ndarray, closed: bool) -> np.ndarray:
    """The edges (n, 2, …) between successive places (n, …); if `closed`, also the one from the last to the first."""
    import numpy as np

    edges = np.stack([places, np.roll(places, -1, axis=0)], axis=1)
    return edges if closed else edges[:-1]


def _thickness(stack: np.ndarray | None) -> float:
    """The distance of a stack's slices, mm; 1 mm without a stack."""
    import numpy as np

    return 1.0 if stack is None else float(np.linalg.norm(stack[:3, 2]))

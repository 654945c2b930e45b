"""Check that a labelmap fits into another grid. Voxels outside the grid would be lost without a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vtk

from StrokeSAMLib.mrml.labelmaps import Labelmap
from StrokeSAMLib.mrml.space import arrayOf, voxelsOf

if TYPE_CHECKING:
    import numpy as np

# In voxels of the grid: a voxel whose centre lies this far outside the grid is still drawn at its border.
_TOLERANCE = 1.01


def covers(grid: Labelmap, labelmap: Labelmap) -> bool:
    """Whether all voxels of `labelmap` above 0 lie within the extent of `grid`; both in one frame."""
    import numpy as np

    # If the corners of the labelmap lie inside, its voxels need not be searched.
    corners = np.stack(np.meshgrid(*np.reshape(labelmap.GetExtent(), (3, 2)), indexing="ij"), axis=-1).reshape(-1, 3)
    return _within(grid, labelmap, corners) or _within(grid, labelmap, _nonZeroIndices(labelmap))


def _nonZeroIndices(labelmap: Labelmap) -> np.ndarray:
    """The indices (n, 3) of the voxels above 0, i first."""
    import numpy as np

    return np.argwhere(voxelsOf(labelmap) > 0)[:, ::-1] + labelmap.GetExtent()[::2]


def _within(grid: Labelmap, labelmap: Labelmap, indices: np.ndarray) -> bool:
    """Whether the voxels of `labelmap` with these indices (n, 3) lie within `grid`."""
    import numpy as np

    matrix = np.linalg.inv(_toWorld(grid)) @ _toWorld(labelmap)
    gridIndices = indices @ matrix[:3, :3].T + matrix[:3, 3]
    low, high = np.reshape(grid.GetExtent(), (3, 2)).T
    return bool(((gridIndices > low - _TOLERANCE) & (gridIndices < high + _TOLERANCE)).all())


def _toWorld(labelmap: Labelmap) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return arrayOf(matrix)

"""Check that a labelmap fits into another grid. Voxels outside the grid would be lost without a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vtk

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.mrml.labelmaps import Labelmap
from StrokeSAMLib.mrml.space import arrayOf, voxelsOf

if TYPE_CHECKING:
    import numpy as np

# In voxels of the grid: a voxel whose centre lies this far beyond the last centre is still within the last voxel.
_TOLERANCE = 0.51


def checkCovered(grid: Labelmap, labelmap: Labelmap, name: str) -> None:
    """Refuse a labelmap that would be cut off at the extent of `grid`, the grid of the segmentation `name`.

    Raises:
        StrokeSAMError: voxels above 0 lie outside.
    """
    if not covers(grid, labelmap):
        raise StrokeSAMError(
            f"{name}: the result extends beyond the segmentation's geometry and would be cut off; choose another "
            "segmentation, or none, or extend its geometry in the Segment Editor"
        )


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

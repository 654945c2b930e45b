"""RAS, as MRML has it, and LPS, as the library has it, mm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import slicer

from StrokeSAMLib.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import vtk

Position = tuple[float, float, float]


def flipped(position: Sequence[float]) -> Position:
    """RAS ↔ LPS.

    Raises:
        InputError: not three numbers.
    """
    try:
        x, y, z = (float(value) for value in position)
    except (TypeError, ValueError):
        raise InputError(f"position {position!r} is not three numbers") from None
    return (-x, -y, z)


def arrayOf(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """A VTK matrix as (4, 4)."""
    import numpy as np

    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def voxelsOf(image: vtk.vtkImageData) -> np.ndarray:
    """The image's own voxels, (k, j, i)."""
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def lpsMatrix(toRas: vtk.vtkMatrix4x4) -> np.ndarray:
    """A matrix to RAS as one to LPS, (4, 4)."""
    import numpy as np

    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ arrayOf(toRas)


def viewPlane(sliceNode: slicer.vtkMRMLSliceNode) -> tuple[Position, Position]:
    """Normal of a slice view, and its right, LPS."""
    sliceToRas = sliceNode.GetSliceToRAS()
    right, _, normal = ([sliceToRas.GetElement(row, column) for row in range(3)] for column in range(3))
    return flipped(normal), flipped(right)

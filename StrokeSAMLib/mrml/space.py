"""Coordinates in mm: RAS, which MRML uses, and LPS, which the rest of the library uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import slicer

from StrokeSAMLib.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import vtk

Position = tuple[float, float, float]


def swapRasLps(position: Sequence[float]) -> Position:
    """Convert a position or direction from RAS to LPS, or from LPS to RAS.

    Raises:
        InputError: `position` is not three numbers.
    """
    try:
        x, y, z = (float(value) for value in position)
    except (TypeError, ValueError):
        raise InputError(f"position {position!r} is not three numbers") from None
    return (-x, -y, z)


def arrayOf(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """A VTK matrix as an array (4, 4)."""
    import numpy as np

    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def voxelsOf(image: vtk.vtkImageData) -> np.ndarray:
    """The image's voxels (k, j, i); the array shares memory with the image."""
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def lpsMatrix(toRas: vtk.vtkMatrix4x4) -> np.ndarray:
    """Convert a matrix to RAS into an array (4, 4) to LPS."""
    import numpy as np

    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ arrayOf(toRas)


def viewPlane(sliceNode: slicer.vtkMRMLSliceNode) -> tuple[Position, Position]:
    """The normal of a slice view and its direction to the right, LPS."""
    sliceToRas = sliceNode.GetSliceToRAS()
    right, _, normal = ([sliceToRas.GetElement(row, column) for row in range(3)] for column in range(3))
    return swapRasLps(normal), swapRasLps(right)

"""RAS, as MRML has it, and LPS, as the library has it, mm."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from StrokeSAMLib.errors import InputError

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


def viewPlane(sliceNode: slicer.vtkMRMLSliceNode) -> tuple[Position, Position]:
    """Normal of a slice view, and its right, LPS."""
    sliceToRas = sliceNode.GetSliceToRAS()
    right, _, normal = ([sliceToRas.GetElement(row, column) for row in range(3)] for column in range(3))
    return flipped(normal), flipped(right)

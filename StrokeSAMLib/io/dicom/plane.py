"""The plane of a frame: position, orientation, spacing and matrix (PS3.3 C.7.6.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.io.dicom.attributes import Attributes

_ORTHOGONAL = 1e-3
# Larger values are damage; a scanner's table moves 2 m.
_FARTHEST_MM, _SPACING_MM = 1e5, (1e-4, 1e3)


@dataclass(frozen=True, eq=False)
class Plane:
    """A frame in space.

    Attributes:
        position: LPS of the centre of the first pixel, mm.
        across: unit vector along a row, from column to column.
        down: unit vector along a column, from row to row, perpendicular to `across`.
        spacing: distance of columns, distance of rows, mm.
        size: number of columns, number of rows.
    """

    position: np.ndarray
    across: np.ndarray
    down: np.ndarray
    spacing: tuple[float, float]
    size: tuple[int, int]

    @staticmethod
    def of(attributes: Attributes, position: tuple[float, ...] | None, rows: int, columns: int) -> Plane | None:
        """The plane at `position` with the orientation and spacing of `attributes`; None where one is missing."""
        orientation = attributes.vector("ImageOrientationPatient", 6)
        spacing = attributes.vector("PixelSpacing", 2) or attributes.vector("NominalScannedPixelSpacing", 2)
        if position is None or orientation is None or spacing is None:
            return None
        if not all(_SPACING_MM[0] <= step <= _SPACING_MM[1] for step in spacing):
            return None
        if max(map(abs, position)) > _FARTHEST_MM or max(map(abs, orientation)) > 2:
            return None
        across, down = np.asarray(orientation).reshape(2, 3)
        lengths = np.linalg.norm(across), np.linalg.norm(down)
        if min(lengths) < 0.5 or abs(across @ down) > _ORTHOGONAL * lengths[0] * lengths[1]:
            return None
        across = across / lengths[0]
        down = down - across * (across @ down)
        return Plane(
            np.asarray(position), across, down / np.linalg.norm(down), (spacing[1], spacing[0]), (columns, rows)
        )

    @property
    def normal(self) -> np.ndarray:
        """Unit vector perpendicular to the frame."""
        return np.cross(self.across, self.down)

    def point(self, column: float, row: float) -> np.ndarray:
        """LPS of a pixel's centre, mm."""
        return self.position + column * self.spacing[0] * self.across + row * self.spacing[1] * self.down

    def moved(self, distance: float) -> Plane:
        """The plane moved along its normal, mm."""
        return Plane(self.position + distance * self.normal, self.across, self.down, self.spacing, self.size)

    def degrees_to(self, other: Plane) -> float:
        """The angle to another plane's axes, the larger one, in degrees; 180 for a row that runs the other way."""
        cosines = (float(self.across @ other.across), float(self.down @ other.down))
        return math.degrees(math.acos(min(max(min(cosines), -1.0), 1.0)))

    @property
    def orientation_name(self) -> str:
        """ "axial", "coronal" or "sagittal": the nearest one."""
        return ("sagittal", "coronal", "axial")[int(np.abs(self.normal).argmax())]

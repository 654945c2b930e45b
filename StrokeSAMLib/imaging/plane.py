"""The mid-sagittal plane as geometry: which side of the head a point is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True)
class Plane:
    """The points x (LPS, mm) with ``normal · x == offset``.

    Attributes:
        normal: unit vector towards the patient's left.
        offset: signed distance of the plane from the origin along `normal`, mm.
    """

    normal: tuple[float, float, float]
    offset: float

    @classmethod
    def through(cls, point: np.ndarray, normal: np.ndarray) -> Plane:
        """The plane through `point` (LPS, mm); `normal`, of any length, is turned towards the patient's left."""
        unit = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
        if unit[0] < 0:
            unit = -unit
        return cls(tuple(unit.tolist()), float(unit @ np.asarray(point, dtype=float)))

    def distance_map(self, image: sitk.Image) -> np.ndarray:
        """Signed distance of every voxel of `image` from the plane, mm, positive on the patient's left.

        Returns:
            float32 array (k, j, i).
        """
        size = image.GetSize()
        axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
        slope = np.asarray(self.normal) @ axes
        start = np.asarray(self.normal) @ np.asarray(image.GetOrigin()) - self.offset
        i, j, k = (slope[axis] * np.arange(size[axis]) for axis in range(3))
        distance = start + k[:, None, None] + j[None, :, None] + i[None, None, :]
        return distance.astype(np.float32)

"""A plane in patient space, and the distance of voxels from it. The mid-sagittal plane divides left from right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


@dataclass(frozen=True)
class Plane:
    """A plane: the points x (LPS, mm) with ``normal · x == offset``.

    Attributes:
        normal: unit vector (LPS) towards the patient's left.
        offset: signed distance of the plane from the origin along `normal`, mm.
    """

    normal: tuple[float, float, float]
    offset: float

    @classmethod
    def through(cls, point: Sequence[float] | np.ndarray, normal: Sequence[float] | np.ndarray) -> Plane:
        """The plane through a point.

        Args:
            point: LPS, mm.
            normal: a vector (LPS) of any length and of either sign. It is turned towards the patient's left.
        """
        unit = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
        if unit[0] < 0:
            unit = -unit
        return cls(tuple(unit.tolist()), float(unit @ np.asarray(point, dtype=float)))

    def distance_map(self, image: sitk.Image) -> np.ndarray:
        """The signed distance of every voxel of `image` from the plane, mm, positive on the patient's left.

        Returns:
            Float32 (k, j, i).
        """
        size = image.GetSize()
        axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
        slope = np.asarray(self.normal) @ axes
        start = np.asarray(self.normal) @ np.asarray(image.GetOrigin()) - self.offset
        i, j, k = (slope[axis] * np.arange(size[axis]) for axis in range(3))
        distance = start + k[:, None, None] + j[None, :, None] + i[None, None, :]
        return distance.astype(np.float32)

    def reflection(self) -> sitk.AffineTransform:
        """The reflection in the plane: it maps a point (LPS, mm) to its mirror point."""
        normal = np.asarray(self.normal)
        transform = sitk.AffineTransform(3)
        transform.SetMatrix((np.eye(3) - 2 * np.outer(normal, normal)).ravel().tolist())
        transform.SetTranslation((2 * self.offset * normal).tolist())
        return transform

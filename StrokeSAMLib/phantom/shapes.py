"""The shapes that the phantom is made of, as signed distances (mm, negative inside) at points x, y, z (L, P, S, mm)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import scipy.ndimage as ndi

Vector = tuple[float, float, float]
_LATTICE_MM = 2.0
_LATTICE_SIZE = 128


@dataclass(frozen=True)
class Points:
    """The coordinates of points (L, P, S, mm), Float32 arrays of one shape."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def side(self) -> Points:
        """The same points folded onto the left hemisphere (|x|), for shapes that both hemispheres have."""
        return Points(np.abs(self.x), self.y, self.z)


def ellipsoid(points: Points, centre: Vector, radii: Vector) -> np.ndarray:
    """The distance to an ellipsoid, first order: its level divided by the length of its gradient."""
    axes = [(p - c) / r for p, c, r in zip((points.x, points.y, points.z), centre, radii, strict=True)]
    level = np.sqrt(sum(a * a for a in axes)) + 1e-6
    slope = np.sqrt(sum((a / r) ** 2 for a, r in zip(axes, radii, strict=True))) / level + 1e-6
    return (level - 1) / slope


def capsule(points: Points, start: Vector, end: Vector, radius: float, end_radius: float | None = None) -> np.ndarray:
    """The distance to a line segment with a radius, which may change from `radius` at `start` to `end_radius`."""
    axis = np.subtract(end, start)
    rel = [p - np.float32(s) for p, s in zip((points.x, points.y, points.z), start, strict=True)]
    along = np.clip(sum(r * np.float32(a) for r, a in zip(rel, axis, strict=True)) / np.float32(axis @ axis), 0, 1)
    away = np.sqrt(sum((r - along * np.float32(a)) ** 2 for r, a in zip(rel, axis, strict=True)))
    return away - (radius + along * ((radius if end_radius is None else end_radius) - radius))


def union(*shapes: np.ndarray) -> np.ndarray:
    """The union of the shapes."""
    return reduce(np.minimum, shapes)


def intersection(*shapes: np.ndarray) -> np.ndarray:
    """The intersection of the shapes."""
    return reduce(np.maximum, shapes)


def blend(radius: float, *shapes: np.ndarray) -> np.ndarray:
    """The union of the shapes with its inner edges rounded (polynomial smooth minimum)."""

    def pair(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        near = np.maximum(radius - np.abs(a - b), 0)
        return np.minimum(a, b) - near * near / (4 * radius)

    return reduce(pair, shapes)


def carve(radius: float, shape: np.ndarray, *holes: np.ndarray) -> np.ndarray:
    """`shape` without `holes`, with rounded edges."""
    return -blend(radius, -shape, *holes)


def sheet(distance: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """The distance to a sheet without thickness: the part of the surface `distance` = 0 where `beyond` is negative."""
    return np.hypot(distance, np.maximum(beyond, 0))


def shell(distance: np.ndarray, thickness: float) -> np.ndarray:
    """The wall of a shape, built outwards from its surface."""
    return np.abs(distance - thickness / 2) - thickness / 2


class Folds:
    """Smooth random folds: the zero surfaces of band-passed noise, which are sheets about half a wavelength apart."""

    def __init__(self, rng: np.random.Generator, wavelength_mm: float):
        noise = rng.standard_normal((_LATTICE_SIZE,) * 3, dtype=np.float32)
        sigma = wavelength_mm / 5 / _LATTICE_MM
        fine = ndi.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
        band = fine - ndi.gaussian_filter(fine, np.sqrt(3) * sigma, mode="wrap", truncate=3.0)  # 1σ minus 2σ
        slopes = np.gradient(band[::2], 2 * _LATTICE_MM, _LATTICE_MM, _LATTICE_MM)
        self._lattice = band / np.sqrt(sum(s * s for s in slopes)).mean()

    def at(self, points: Points) -> np.ndarray:
        """The noise at `points`, mm. Near a zero surface it is about the signed distance from it."""
        shape = np.broadcast_shapes(points.x.shape, points.y.shape, points.z.shape)
        index = np.empty((3, *shape), np.float32)
        for axis, p in enumerate((points.z, points.y, points.x)):
            index[axis] = p / _LATTICE_MM + _LATTICE_SIZE / 2
        return ndi.map_coordinates(self._lattice, index, order=1, mode="grid-wrap")

"""Signed distances (mm, negative inside) of the shapes a head is painted from, at points x, y, z (L, P, S, mm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

Vector = tuple[float, float, float]
_LATTICE_MM = 2.0
_LATTICE_SIZE = 128


@dataclass(frozen=True)
class Points:
    """Coordinates of the points to paint, Float32 arrays of one shape; `side` is |x|: both hemispheres at once."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def side(self) -> Points:
        """The same points folded onto the left hemisphere."""
        return Points(np.abs(self.x), self.y, self.z)


def ellipsoid(points: Points, centre: Vector, radii: Vector) -> np.ndarray:
    """First-order distance to an ellipsoid: its level over the length of its gradient."""
    axes = [(p - c) / r for p, c, r in zip((points.x, points.y, points.z), centre, radii, strict=True)]
    level = np.sqrt(sum(a * a for a in axes)) + 1e-6
    slope = np.sqrt(sum((a / r) ** 2 for a, r in zip(axes, radii, strict=True))) / level + 1e-6
    return (level - 1) / slope


def capsule(points: Points, start: Vector, end: Vector, radius: float) -> np.ndarray:
    """Distance to a line segment with a thickness."""
    axis = np.subtract(end, start)
    rel = [p - s for p, s in zip((points.x, points.y, points.z), start, strict=True)]
    along = np.clip(sum(r * a for r, a in zip(rel, axis, strict=True)) / (axis @ axis), 0, 1)
    return np.sqrt(sum((r - along * a) ** 2 for r, a in zip(rel, axis, strict=True))) - radius


def slab(distance: np.ndarray, half_thickness: float, *within: np.ndarray) -> np.ndarray:
    """A sheet around `distance` = 0, cut off to what lies inside all of `within`."""
    return np.maximum.reduce([np.abs(distance) - half_thickness, *within])


def union(*shapes: np.ndarray) -> np.ndarray:
    """What lies in any of the shapes."""
    return np.minimum.reduce(shapes)


class Folds:
    """Smooth random folds: a band-passed noise of space whose zero surfaces are sheets some `wavelength`/2 apart."""

    def __init__(self, rng: np.random.Generator, wavelength_mm: float):
        noise = rng.standard_normal((_LATTICE_SIZE,) * 3).astype(np.float32)
        sigma = wavelength_mm / 5 / _LATTICE_MM
        band = ndi.gaussian_filter(noise, sigma, mode="wrap") - ndi.gaussian_filter(noise, 2 * sigma, mode="wrap")
        self._lattice = band / band.std()
        slopes = np.gradient(self._lattice, _LATTICE_MM)
        self._slope = float(np.sqrt(sum(s * s for s in slopes)).mean())

    def at(self, points: Points) -> np.ndarray:
        """The noise in mm: near a zero surface, the signed distance from it."""
        index = [p / _LATTICE_MM + _LATTICE_SIZE / 2 for p in (points.z, points.y, points.x)]
        return ndi.map_coordinates(self._lattice, index, order=1, mode="grid-wrap") / self._slope

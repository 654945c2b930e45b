"""Random fields that vary smoothly over the grid, and the random choices made of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing

Shape = tuple[int, int, int]


def smooth_noise(
    shape: Shape, cell_mm: float, spacing: Spacing, rng: np.random.Generator, count: int = 1
) -> np.ndarray:
    """Normal noise on a lattice of `cell_mm`, interpolated: Float32 (count, k, j, i), standard deviation near 1."""
    cells = [int(np.ceil(n * step / cell_mm)) + 2 for n, step in zip(shape, spacing, strict=True)]
    field = rng.standard_normal((count, *cells), dtype=np.float32)
    # Axis by axis: three products of small matrices, many times faster than interpolating voxel by voxel.
    for n, cell in zip(reversed(shape), reversed(cells), strict=True):
        field = np.moveaxis(field @ _interpolation(cell, n), 3, 1)
    # Linear interpolation averages: this restores the spread of the lattice's own values.
    return 1.5 * field


@lru_cache(maxsize=256)
def _interpolation(cells: int, count: int) -> np.ndarray:
    """Linear interpolation of `cells` values to `count`, as a matrix (cells, count)."""
    at = np.linspace(0, cells - 1, count)
    return np.clip(1 - np.abs(np.arange(cells)[:, None] - at), 0, None).astype(np.float32)


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True in that part of the cases."""
    return bool(rng.random() < probability)


def any_side(rng: np.random.Generator) -> int:
    """1 for the left, or -1 for the right."""
    return 1 if chance(rng, 0.5) else -1


def between(rng: np.random.Generator, least: float, most: float) -> float:
    """Uniform."""
    return float(rng.uniform(least, most))


def log_between(rng: np.random.Generator, least: float, most: float) -> float:
    """Uniform in its logarithm."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def blend(values: np.ndarray, target: np.ndarray | float, part: np.ndarray) -> np.ndarray:
    """`values` where `part` is 0, `target` where it is 1."""
    return values + part * (target - values)

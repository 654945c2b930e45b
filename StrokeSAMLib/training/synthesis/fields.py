"""Random fields that vary smoothly over the grid, and the random choices made of them."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing

Shape = tuple[int, int, int]


def smooth_noise(
    shape: Shape, cell_mm: float, spacing: Spacing, rng: np.random.Generator, count: int = 1
) -> np.ndarray:
    """Normal noise on a lattice of `cell_mm`, interpolated: Float32 (count, k, j, i), of standard deviation 1 in every
    voxel. The lattice lies anywhere: its nodes are not at the same voxels in every field."""
    along = [_interpolation(n, step / cell_mm, rng) for n, step in zip(shape, spacing, strict=True)]
    field = rng.standard_normal((count, *(len(matrix) for matrix in along)), dtype=np.float32)
    # Axis by axis: three products of small matrices, many times faster than interpolating voxel by voxel.
    for matrix in reversed(along):
        field = np.moveaxis(field @ matrix, 3, 1)
    return field


def _interpolation(count: int, step: float, rng: np.random.Generator) -> np.ndarray:
    """Linear interpolation at `count` places, `step` cells apart, as a matrix (cells, count).

    A mean of two values varies less than each: the columns are scaled to the spread of the lattice's own.
    """
    at = rng.random() + step * np.arange(count)
    weights = np.clip(1 - np.abs(np.arange(int(at[-1]) + 2)[:, None] - at), 0, None)
    return (weights / np.sqrt((weights**2).sum(0))).astype(np.float32)


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

"""Random numbers, random fields that vary smoothly over the grid, and functions on such fields."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing

Shape = tuple[int, int, int]


def smooth_noise(
    shape: Shape, cell_mm: float, spacing: Spacing, rng: np.random.Generator, count: int = 1
) -> np.ndarray:
    """Normal noise on a lattice, interpolated to the grid, with standard deviation 1 in every voxel.

    Each call places the lattice at random, so that its nodes are not always at the same voxels.

    Args:
        shape, spacing: of the grid (k, j, i), voxels and mm.
        cell_mm: the lattice's spacing.
        rng: source of random numbers.
        count: number of fields.

    Returns:
        Float32 (count, k, j, i).
    """
    along = [_interpolation(n, step / cell_mm, rng) for n, step in zip(shape, spacing, strict=True)]
    field = rng.standard_normal((count, *(len(matrix) for matrix in along)), dtype=np.float32)
    # Three products of small matrices, one for each axis, are many times faster than interpolation voxel by voxel.
    for matrix in reversed(along):
        field = np.moveaxis(field @ matrix, 3, 1)
    return field


def _interpolation(count: int, step: float, rng: np.random.Generator) -> np.ndarray:
    """The matrix (cells, count) of linear interpolation at `count` places, `step` cells apart.

    A mean of two values varies less than each of them. The columns are scaled to keep the lattice's deviation.
    """
    at = rng.random() + step * np.arange(count)
    weights = np.clip(1 - np.abs(np.arange(int(at[-1]) + 2)[:, None] - at), 0, None)
    return (weights / np.sqrt((weights**2).sum(0))).astype(np.float32)


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def any_side(rng: np.random.Generator) -> int:
    """A random side: 1 for left, −1 for right."""
    return 1 if chance(rng, 0.5) else -1


def uniform(rng: np.random.Generator, least: float, most: float) -> float:
    """A number drawn uniformly from the range."""
    return float(rng.uniform(least, most))


def log_uniform(rng: np.random.Generator, least: float, most: float) -> float:
    """A number whose logarithm is drawn uniformly from the range."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def blend(values: np.ndarray, target: np.ndarray | float, part: np.ndarray) -> np.ndarray:
    """`values` where `part` is 0, `target` where it is 1."""
    return values + part * (target - values)

"""Spots of any origin: where other diseases, and artefacts, change the image."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.training.synthesis.fields import between, sigmoid, smooth_noise
from StrokeSAMLib.training.synthesis.head import Head, positions


def spot(head: Head, where: np.ndarray, radius_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A ragged ball about a random voxel of `where` (bool, k, j, i): Float32, 1 inside; 0 where there is no voxel."""
    candidates = np.flatnonzero(where)
    if not candidates.size:
        return np.zeros(head.shape, np.float32)
    grid = positions(head.shape, head.spacing)
    centre = grid.reshape(3, -1)[:, rng.choice(candidates)]
    away = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0)) / radius_mm
    ragged = between(rng, 0, 0.4) * smooth_noise(head.shape, max(radius_mm, 6.0), head.spacing, rng)[0]
    return sigmoid((1 - away + ragged) * radius_mm / 2).astype(np.float32)


def patches(head: Head, cell_mm: float, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Patches over about the part `amount` of the grid, Float32, 0…1."""
    noise = smooth_noise(head.shape, cell_mm, head.spacing, rng)[0]
    return sigmoid(4 * (noise - np.quantile(noise[::2, ::2, ::2], 1 - amount))).astype(np.float32)

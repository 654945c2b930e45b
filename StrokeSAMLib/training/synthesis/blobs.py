"""Spots and patches in which other diseases and artefacts change the image."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.training.synthesis.fields import sigmoid, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.posed_head import PosedHead, positions


def spot(head: PosedHead, where: np.ndarray, radius_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A ragged ball around a random voxel.

    Args:
        head: the head, for its grid.
        where: bool (k, j, i), the voxels that may be the centre.
        radius_mm: the ball's radius.
        rng: source of random numbers.

    Returns:
        Float32 (k, j, i), 1 inside, 0 outside with a soft edge; 0 everywhere if `where` is empty.
    """
    candidates = np.flatnonzero(where)
    if not candidates.size:
        return np.zeros(head.shape, np.float32)
    grid = positions(head.shape, head.spacing)
    centre = grid.reshape(3, -1)[:, rng.choice(candidates)]
    distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0)) / radius_mm
    ragged = uniform(rng, 0, 0.4) * smooth_noise(head.shape, max(radius_mm, 6.0), head.spacing, rng)[0]
    return sigmoid((1 - distance + ragged) * radius_mm / 2).astype(np.float32)


def patches(head: PosedHead, cell_mm: float, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Random patches of about `cell_mm` that cover about the part `amount` of the grid: float32 (k, j, i), 0…1."""
    noise = smooth_noise(head.shape, cell_mm, head.spacing, rng)[0]
    return sigmoid(4 * (noise - np.quantile(noise[::2, ::2, ::2], 1 - amount))).astype(np.float32)

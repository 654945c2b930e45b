"""The random walker on a grid in 3-D, with prior probabilities.

Grady 2006, IEEE Trans. PAMI 28:1768, with the priors of Grady 2005, CVPR 1:763. The result at a voxel is the
probability that a walker from there first reaches a seed of the object, or is absorbed by a voxel's prior as object.
It is the solution of one sparse linear system, here by conjugate gradients with a diagonal preconditioner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# An edge weakens as exp(−β · (difference / noise)²), and keeps a least weight.
_BETA, _LEAST_WEIGHT = 0.15, 0.01
# Weight that holds a seed's voxel, against the weights of its edges, which are at most 6.
_HELD = 1e3
_TOLERANCE, _MOST_STEPS = 2e-3, 80
# From the median absolute difference to the standard deviation of normal noise.
_MAD_TO_SD = 1.4826


def edge_weights(grey: np.ndarray, step_mm: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """The weights of the edges along each axis, Float32; the shape along its own axis is one less.

    They are 1 between equal neighbours at the finest step, and fall with the square of the step.

    Args:
        grey: intensities (slice, row, column), any scale, smoothed.
        step_mm: spacing of the axes, mm.
    """
    finest = min(step_mm)
    differences = [np.diff(grey, axis=axis) for axis in range(3)]
    near = [np.abs(d).ravel() for d, step in zip(differences, step_mm, strict=True) if step < 1.5 * finest]
    near = np.concatenate(near)
    noise = _MAD_TO_SD * float(np.median(near)) + 1e-3 if near.size else 1.0
    return [
        ((np.exp(-_BETA * (d / noise) ** 2) + _LEAST_WEIGHT) * (finest / step) ** 2).astype(np.float32)
        for d, step in zip(differences, step_mm, strict=True)
    ]


def object_probability(
    weights: Sequence[np.ndarray], prior: np.ndarray, strength: float, seeds: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """The probability that each voxel belongs to the object, Float32 0…1.

    Args:
        weights: see `edge_weights`.
        prior: the probability of the object from each voxel's own evidence, 0…1.
        strength: weight of the prior, against edges of weight 1.
        seeds: 1 where the object certainly is, −1 where it certainly is not, 0 elsewhere.
        start: probabilities to start from.
    """
    own = np.where(seeds != 0, np.float32(_HELD), np.float32(strength))
    goal = own * np.where(seeds != 0, seeds > 0, prior).astype(np.float32)
    pairs = [_pair(axis) for axis in range(3)]
    diagonal = own.copy()
    for weight, (low, high) in zip(weights, pairs, strict=True):
        diagonal[low] += weight
        diagonal[high] += weight

    def product(x: np.ndarray) -> np.ndarray:
        result = diagonal * x
        for weight, (low, high) in zip(weights, pairs, strict=True):
            result[low] -= weight * x[high]
            result[high] -= weight * x[low]
        return result

    x = np.where(seeds != 0, seeds > 0, start).astype(np.float32)
    inverse = 1 / diagonal
    residual = goal - product(x)
    scaled = inverse * residual
    direction = scaled.copy()
    error = _dot(residual, scaled)
    enough = _TOLERANCE**2 * _dot(np.full_like(goal, strength), inverse * strength)
    for _ in range(_MOST_STEPS):
        if error <= enough:
            break
        image = product(direction)
        length = error / _dot(direction, image)
        x += length * direction
        residual -= length * image
        scaled = inverse * residual
        before, error = error, _dot(residual, scaled)
        direction *= error / before
        direction += scaled
    return x


def _pair(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The voxels at the low and at the high end of the edges along `axis`."""
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return tuple(low), tuple(high)


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b))

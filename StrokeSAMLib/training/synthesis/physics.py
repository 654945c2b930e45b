"""What scanners do to any image: slices, noise, shading, cropping, and brain masks that are not quite right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import gaussian, largest_component
from StrokeSAMLib.training.synthesis.fields import Shape, between, chance, smooth_noise
from StrokeSAMLib.training.synthesis.head import Head


@dataclass(frozen=True)
class Scan:
    """What a scanner and the preparation made of a head.

    Attributes:
        channels: what a network sees, Float32 (channel, k, j, i).
        brain: the mask found, bool (k, j, i).
        facts: what was drawn, by its name and unit, for validation.
    """

    channels: np.ndarray
    brain: np.ndarray
    facts: dict[str, float]


def thick_slices(array: np.ndarray, thickness_mm: float, start: float, spacing: Spacing) -> np.ndarray:
    """`array` (k, j, i) as slices of `thickness_mm` show it, interpolated back.

    Args:
        start: where the first slice begins, as a part of one, 0…1.
    """
    count, step = array.shape[0], spacing[0]
    if thickness_mm <= step:
        return array
    edges = np.arange(-start * thickness_mm, count * step + thickness_mm, thickness_mm)
    low, high = np.arange(count) * step, (np.arange(count) + 1) * step
    shared = np.minimum(high, edges[1:, None]) - np.maximum(low, edges[:-1, None])
    averaging = np.clip(shared, 0, None)
    kept = averaging.sum(1) > 0
    averaging = averaging[kept] / averaging[kept].sum(1, keepdims=True)
    middles = ((edges[1:] + edges[:-1]) / 2)[kept]
    # Each voxel lies between two slices; beyond the last it holds the last.
    at = np.clip(((low + high) / 2 - middles[0]) / thickness_mm, 0, len(middles) - 1)
    apart = np.abs(at[:, None] - np.arange(len(middles)))
    interpolation = np.clip(1 - apart, 0, None)
    matrix = (interpolation @ averaging).astype(np.float32)
    return (matrix @ array.reshape(count, -1).astype(np.float32)).reshape(array.shape)


def correlated_noise(
    shape: Shape, sigma: float, smoothing_mm: float, spacing: Spacing, rng: np.random.Generator
) -> np.ndarray:
    """Normal noise of standard deviation `sigma`, smoothed as reconstruction kernels smooth it. Float32."""
    noise = gaussian(rng.standard_normal(shape, dtype=np.float32), smoothing_mm, spacing)
    return noise * (sigma / noise.std())


def rician(signal: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """The magnitude of `signal` with normal noise in both channels (Gudbjartsson and Patz 1995)."""
    real, imaginary = (sigma * rng.standard_normal(signal.shape, dtype=np.float32) for _ in range(2))
    return np.hypot(signal + real, imaginary)


def bias_field(shape: Shape, spread: float, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """A smooth positive factor near 1 (receive coils)."""
    return np.exp(spread * smooth_noise(shape, 90.0, spacing, rng)[0])


def near_rim(head: Head, reach_mm: float) -> np.ndarray:
    """1 at the brain's surface, falling to 0 within about twice `reach_mm`."""
    return np.clip(2 - 2 * gaussian(head.brain, reach_mm, head.spacing), 0, 1)


def found_brain(head: Head, rng: np.random.Generator) -> np.ndarray:
    """The brain as a mask finds it, bool: too large here, too small there, at times with slices missing."""
    # Bounded: neither islands far from the brain nor holes in it.
    error = between(rng, 0, 0.2) * smooth_noise(head.shape, 20.0, head.spacing, rng)[0].clip(-1.7, 1.7)
    mask = gaussian(head.brain, 1.5, head.spacing) + error > between(rng, 0.35, 0.65)
    if chance(rng, 0.15):
        mask[: rng.integers(0, head.shape[0] // 3)] = False
    if chance(rng, 0.1):
        mask[head.shape[0] - rng.integers(0, head.shape[0] // 4) :] = False
    return largest_component(mask)

"""Effects of any scanner and of the preparation: slices, noise, shading, and imperfect brain masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import gaussian, largest_component
from StrokeSAMLib.training.synthesis.fields import Shape, chance, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.posed_head import PosedHead


@dataclass(frozen=True)
class Scan:
    """The scan of a head, prepared for a network.

    Attributes:
        network_inputs: float32 (channel, k, j, i).
        brain: the brain mask with its errors, bool (k, j, i).
        facts: the drawn parameters by name and unit, for validation.
    """

    network_inputs: np.ndarray
    brain: np.ndarray
    facts: dict[str, float]


def thick_slices(array: np.ndarray, thickness_mm: float, start: float, spacing: Spacing) -> np.ndarray:
    """Average an array over thick slices and interpolate it back to its grid.

    Args:
        array: (k, j, i).
        thickness_mm: thickness of the slices. At the grid's own or less, the array stays as it is.
        start: offset of the first slice, as a part of a slice, 0…1.
        spacing: of the array (k, j, i), mm.
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
    # Each voxel lies between two slices. Voxels beyond the last slice take its value.
    at = np.clip(((low + high) / 2 - middles[0]) / thickness_mm, 0, len(middles) - 1)
    distance = np.abs(at[:, None] - np.arange(len(middles)))
    interpolation = np.clip(1 - distance, 0, None)
    matrix = (interpolation @ averaging).astype(np.float32)
    return (matrix @ array.reshape(count, -1).astype(np.float32)).reshape(array.shape)


def correlated_noise(
    shape: Shape, sigma: float, smoothing_mm: float, spacing: Spacing, rng: np.random.Generator
) -> np.ndarray:
    """Normal noise of standard deviation `sigma`, smoothed as by a reconstruction kernel: float32 (k, j, i)."""
    noise = gaussian(rng.standard_normal(shape, dtype=np.float32), smoothing_mm, spacing)
    return noise * (sigma / noise.std())


def rician(signal: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """The magnitude of `signal` with normal noise in the real and the imaginary part (Gudbjartsson and Patz 1995)."""
    real, imaginary = (sigma * rng.standard_normal(signal.shape, dtype=np.float32) for _ in range(2))
    return np.hypot(signal + real, imaginary)


def bias_field(shape: Shape, spread: float, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """A smooth positive factor near 1, as of receive coils: float32 (k, j, i)."""
    return np.exp(spread * smooth_noise(shape, 90.0, spacing, rng)[0])


def near_rim(head: PosedHead, reach_mm: float) -> np.ndarray:
    """1 at the brain's surface, falling to 0 within about twice `reach_mm`: float32 (k, j, i)."""
    return np.clip(2 - 2 * gaussian(head.brain, reach_mm, head.spacing), 0, 1)


def imperfect_brain_mask(head: PosedHead, rng: np.random.Generator) -> np.ndarray:
    """An imperfect brain mask, bool (k, j, i): too large or too small in places, sometimes without some slices."""
    # The error is bounded, so that the mask has no islands far from the brain and no holes.
    error = uniform(rng, 0, 0.2) * smooth_noise(head.shape, 20.0, head.spacing, rng)[0].clip(-1.7, 1.7)
    mask = gaussian(head.brain, 1.5, head.spacing) + error > uniform(rng, 0.35, 0.65)
    if chance(rng, 0.15):
        mask[: rng.integers(0, head.shape[0] // 3)] = False
    if chance(rng, 0.1):
        mask[head.shape[0] - rng.integers(0, head.shape[0] // 4) :] = False
    return largest_component(mask)

"""What lies around an object in a cube: a synthetic head in CT or diffusion, or textured regions as in any scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import depth, gaussian
from StrokeSAMLib.training.synthesis.anatomy import Anatomy
from StrokeSAMLib.training.synthesis.ct import density
from StrokeSAMLib.training.synthesis.diffusion import diffusion_scan
from StrokeSAMLib.training.synthesis.fields import Shape, any_side, chance, log_uniform, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.lesions import no_lesion
from StrokeSAMLib.training.synthesis.physics import near_rim
from StrokeSAMLib.training.synthesis.posed_head import PosedHead, pose, sample

_HEAD_MM = 2.0
_HEAD_SPACING: Spacing = (_HEAD_MM, _HEAD_MM, _HEAD_MM)
_HEAD_SHAPE: Shape = (84, 108, 84)
_KEPT_HEADS = 40
# Parts of a cube's slice at which the head is sampled and averaged, as a thick slice is.
_TAPS = (-1 / 3, 0.0, 1 / 3)
_TURN = 20.0
_AIR = -1000.0


@dataclass(frozen=True)
class Background:
    """An image without the object, and where an object may lie.

    Attributes:
        image: float32 (k, j, i): HU in CT; the signal over about that of normal tissue in diffusion; else any unit.
        allowed: float32 (k, j, i), 0…1: the part of each voxel that an object can fill.
    """

    image: np.ndarray
    allowed: np.ndarray


class Heads:
    """Heads without a lesion, each the same for the same seed. Heads are slow to make, so some are kept.

    Attributes:
        ct: seed → density and room, float32 (2, k, j, i).
        diffusion: seed → the DWI, or one time in six the ADC, over its median in the brain; and room.
    """

    def __init__(self, anatomies: Sequence[Anatomy]):
        self.anatomies = tuple(anatomies)
        self.ct = lru_cache(_KEPT_HEADS)(partial(_ct_head, self.anatomies))
        self.diffusion = lru_cache(_KEPT_HEADS)(partial(_diffusion_head, self.anatomies))


def head_background(
    volumes: np.ndarray, steps: tuple[float, float], shape: Shape, rng: np.random.Generator
) -> Background:
    """A turned part of a head of `Heads` around a random place in the brain.

    Args:
        volumes: the head and the room for objects, float32 (2, k, j, i).
        steps: distance of slices and of pixels, mm.
        shape: slices, rows and columns.
        rng: source of random numbers.
    """
    places = np.argwhere(volumes[1] > 0.9)
    centre = places[int(rng.integers(len(places)))] - (np.array(volumes.shape[1:]) - 1) / 2
    matrix = random_turn(rng, _TURN) @ np.diag([any_side(rng) for _ in range(3)])
    size = np.array((steps[0], steps[1], steps[1])) / _HEAD_MM
    axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * step for n, step in zip(shape, size, strict=True)]
    points = turned_grid(matrix, axes) + centre.astype(np.float32)[:, None, None, None]
    through = matrix[:, 0].astype(np.float32)[:, None, None, None] * size[0]
    taps = _TAPS if steps[0] > _HEAD_MM else (0.0,)
    image, room = np.mean([sample(volumes, points + tap * through, "border") for tap in taps], axis=0)
    return Background(image, room)


def textured_background(steps: tuple[float, float], shape: Shape, rng: np.random.Generator) -> Background:
    """Smooth regions of different brightness with texture, as organs in any scan; unit contrast."""
    spacing = (steps[0] / steps[1], 1.0, 1.0)
    image = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 6)):
        region = smooth_noise(shape, log_uniform(rng, 8, 50), spacing, rng)[0] > uniform(rng, -0.3, 1.5)
        image = np.where(region, image * uniform(rng, 0, 1) + uniform(rng, -2.5, 2.5), image)
    for cell, most in ((4.0, 0.25), (12.0, 0.4), (40.0, 0.5)):
        image = image + uniform(rng, 0, most) * smooth_noise(shape, cell, spacing, rng)[0]
    return Background(image.astype(np.float32), np.ones(shape, np.float32))


def _ct_head(anatomies: tuple[Anatomy, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    head = _posed(anatomies, rng)
    hu = density(head, no_lesion(head), {}, rng)
    hu = hu + uniform(rng, -1, 6) * near_rim(head, uniform(rng, 3, 8)) * head.brain
    hu = hu + uniform(rng, 0, 0.6) * smooth_noise(head.shape, 80.0, head.spacing, rng)[0]
    hu = _beyond_brain(head, hu, 0.0 if chance(rng, 0.2) else None, rng)
    return np.stack([hu, _room(head)]).astype(np.float32)


def _diffusion_head(anatomies: tuple[Anatomy, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    head = _posed(anatomies, rng)
    dwi, adc, _ = diffusion_scan(head, no_lesion(head), rng)
    inside = head.brain > 0.5
    image = adc if chance(rng, 1 / 6) else dwi
    image = image / max(float(np.median(image[inside])), 1e-6)
    # Challenge data come without the skull.
    image = _beyond_brain(head, image, 0.0, rng) if chance(rng, 0.4) else image
    return np.stack([image, _room(head)]).astype(np.float32)


def _posed(anatomies: Sequence[Anatomy], rng: np.random.Generator) -> PosedHead:
    return pose(anatomies[int(rng.integers(len(anatomies)))], _HEAD_SHAPE, _HEAD_SPACING, rng)


def _beyond_brain(head: PosedHead, image: np.ndarray, empty: float | None, rng: np.random.Generator) -> np.ndarray:
    """The image with another outside: `empty` just beyond the brain, or, if None, scalp and air beyond the skull."""
    distance = depth(head.brain < 0.5, head.spacing)
    if empty is not None:
        return np.where(distance > 1.5, empty, image)
    skull, scalp = uniform(rng, 5, 11), uniform(rng, 3, 9)
    image = np.where(distance > skull, uniform(rng, -60, 45), image)
    return np.where(distance > skull + scalp, _AIR, image)


def _room(head: PosedHead) -> np.ndarray:
    """The part of each voxel that an object may fill: brain without ventricles; annotators include sulci."""
    ventricles = np.clip(2 * gaussian(head.csf, 3.0, head.spacing) - 0.6, 0, 1)
    return np.clip(1.5 * head.brain - 1.5 * ventricles, 0, 1)


def random_turn(rng: np.random.Generator, most: float) -> np.ndarray:
    """A rotation by up to `most` degrees about each axis."""
    matrix = np.eye(3)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        angle = np.deg2rad(uniform(rng, -most, most))
        turn = np.eye(3)
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def turned_grid(matrix: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
    """The places of a grid with these coordinates along its axes, turned by `matrix`: float32 (3, k, j, i)."""
    return np.einsum("ab,bkji->akji", matrix.astype(np.float32), np.stack(np.meshgrid(*axes, indexing="ij")))

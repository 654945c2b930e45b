"""Synthetic infarcts: smooth noise in a vascular territory, thresholded at the requested volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.training.synthesis.fields import any_side, chance, log_uniform, sigmoid, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.posed_head import PosedHead, positions

# Territories as ellipsoids in the brain's own coordinates (`PosedHead.place`, the left side): centre, radii, weight.
# They are estimated by eye and not compared with an atlas. Noise moves their borders.
_TERRITORIES = (
    ((0.25, -0.05, 0.62), (0.60, 0.70, 0.42), 3.0),  # middle cerebral artery
    ((0.40, -0.30, 0.60), (0.40, 0.42, 0.36), 1.5),  # its superior division
    ((0.10, 0.30, 0.65), (0.42, 0.42, 0.34), 1.5),  # its inferior division
    ((0.08, -0.20, 0.38), (0.20, 0.26, 0.18), 1.5),  # its perforators
    ((0.50, -0.40, 0.12), (0.45, 0.52, 0.14), 0.7),  # anterior cerebral artery
    ((0.05, 0.70, 0.30), (0.32, 0.34, 0.30), 1.0),  # posterior cerebral artery
    ((-0.05, 0.10, 0.14), (0.16, 0.16, 0.12), 0.5),  # thalamus
    ((-0.60, 0.50, 0.36), (0.28, 0.36, 0.34), 1.0),  # cerebellum
    ((-0.55, 0.12, 0.06), (0.35, 0.14, 0.12), 0.5),  # brainstem
    ((0.20, 0.00, 0.50), (1.00, 1.20, 0.55), 1.5),  # anywhere: the last entry, which has room for every volume
)
_LACUNE_ML = (0.1, 1.8)
# The least `_territory_height` of the voxel that an infarct grows from.
_INNER = 0.3
_NOT_VENTRICLE = 0.75


@dataclass(frozen=True)
class Lesion:
    """Infarcts of one age.

    Attributes:
        part: float32 (k, j, i), the infarcted part of each voxel, 0…1.
        mask: bool (k, j, i), the voxels that are infarcted by half or more.
    """

    part: np.ndarray
    mask: np.ndarray


def no_lesion(head: PosedHead) -> Lesion:
    """An empty lesion on the head's grid."""
    return Lesion(np.zeros(head.shape, np.float32), np.zeros(head.shape, bool))


def infarcts(
    head: PosedHead,
    volume_ml: tuple[float, float],
    lacunes: float,
    emboli: tuple[float, float],
    rng: np.random.Generator,
) -> Lesion:
    """The infarcts of an acute stroke: one infarct, and in some patients emboli.

    Args:
        head: the head.
        volume_ml: least and greatest volume of the infarct, log-uniform.
        lacunes: the part of patients whose infarct is a lacune instead.
        emboli: the part of patients with up to four emboli, and the part of the emboli that lie on the other side.
        rng: source of random numbers.
    """
    side = any_side(rng)
    lesion = infarct(head, side, log_uniform(rng, *(_LACUNE_ML if chance(rng, lacunes) else volume_ml)), rng)
    often, elsewhere = emboli
    for _ in range(rng.integers(1, 5) if chance(rng, often) else 0):
        other = infarct(head, -side if chance(rng, elsewhere) else side, log_uniform(rng, 0.1, 5.0), rng)
        lesion = Lesion(np.maximum(lesion.part, other.part), lesion.mask | other.mask)
    return lesion


def infarct(head: PosedHead, side: int, volume_ml: float, rng: np.random.Generator) -> Lesion:
    """One infarct of about `volume_ml`, on the left (`side` 1) or the right (`side` −1)."""
    territory = _territory_height(head, side, volume_ml, rng)
    allowed = (head.brain > 0.5) & (head.csf < _NOT_VENTRICLE)
    seeds = np.flatnonzero(allowed & (territory > _INNER))
    if not seeds.size:
        return no_lesion(head)
    grid = positions(head.shape, head.spacing)
    seed = grid.reshape(3, -1)[:, rng.choice(seeds)]
    radius = (volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    distance = np.sqrt(((grid - seed[:, None, None, None]) ** 2).sum(0)) / radius
    shape = smooth_noise(head.shape, max(radius, 2 * head.spacing[0]), head.spacing, rng)[0]
    fine = smooth_noise(head.shape, 2.5 * head.spacing[0], head.spacing, rng)[0]
    height = 1.5 * territory - distance + uniform(rng, 0.1, 0.5) * shape + uniform(rng, 0.0, 0.2) * fine
    voxels = volume_ml * 1000 / np.prod(head.spacing)
    return _highest_voxels(np.where(allowed, height, -np.inf), voxels, rng)


def _territory_height(head: PosedHead, side: int, volume_ml: float, rng: np.random.Generator) -> np.ndarray:
    """A random territory with room for the volume: 1 in its middle, 0 at its border, down to −2 outside.

    Values across the midline are low too.
    """
    # An ellipsoid of radii 1 is about the size of the brain.
    brain_ml = head.brain.sum() * np.prod(head.spacing) / 1000
    has_room = [volume_ml <= brain_ml * np.prod(radii) for _, radii, _ in _TERRITORIES[:-1]]
    weights = np.array([weight for *_, weight in _TERRITORIES]) * [*has_room, True]
    centre, radii, _ = _TERRITORIES[rng.choice(len(_TERRITORIES), p=weights / weights.sum())]
    place = head.place * np.array([1, 1, side], np.float32)[:, None, None, None]
    distance = sum(((axis - c) / r) ** 2 for axis, c, r in zip(place, centre, radii, strict=True))
    return np.clip(1 - distance, -1, 1) - np.clip(-place[2] / 0.05, 0, 1)


def _highest_voxels(height: np.ndarray, voxels: float, rng: np.random.Generator) -> Lesion:
    """The lesion of the `voxels` highest voxels, with an edge as soft as that of oedema."""
    count = int(np.clip(round(voxels), 1, np.count_nonzero(np.isfinite(height))))
    level = np.partition(height.ravel(), -count)[-count]
    part = sigmoid((height - level) / uniform(rng, 0.01, 0.12)).astype(np.float32)
    return Lesion(part, height >= level)

"""A head of its own: an anatomy turned, scaled, deformed, made asymmetrical, its tissues softened or sharpened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.training.synthesis.anatomy import Anatomy
from StrokeSAMLib.training.synthesis.fields import Shape, between, chance, smooth_noise

# Estimates of how much adults' heads differ in each axis, and how far head holders let them turn (pitch, roll, yaw),
# degrees.
_SCALE = 0.10
_TURN = (15.0, 8.0, 8.0)
_SHIFT_MM = 8.0
# Large and fine deformations: lattice and amplitude, mm. Drawn freely on both sides, they are the asymmetry.
_DEFORMATIONS = ((60.0, 4.0), (24.0, 1.4))
# Gyri of no two people agree: noise in the tissues' log-odds moves their borders.
_GYRI_MM = (8.0, 18.0)
_EMPTY = 0.02


@dataclass(frozen=True)
class Head:
    """A deformed brain on the working grid.

    Attributes:
        tissue: Float32 (tissue, k, j, i), parts of CSF, grey and white matter, which sum to `brain`.
        brain: Float32 (k, j, i), the part of the voxel that is brain, 0…1.
        place: Float32 (3, k, j, i), where the voxel lies in the anatomy: −1…1 from its lowest to its highest, its
            most anterior to its most posterior, and its rightmost to its leftmost point.
        mirror: 3 × 4, takes a voxel's place on the grid (k, j, i; mm from its middle; 1) to that of its mirror image.
        turn: how far the head is turned about any axis, degrees.
        spacing: (k, j, i), mm.
    """

    tissue: np.ndarray
    brain: np.ndarray
    place: np.ndarray
    mirror: np.ndarray
    turn: float
    spacing: Spacing

    @property
    def shape(self) -> Shape:
        """Of the grid, (k, j, i)."""
        return self.brain.shape  # type: ignore[return-value]

    @property
    def csf(self) -> np.ndarray:
        """The part that is CSF."""
        return self.tissue[0]

    @property
    def grey(self) -> np.ndarray:
        """The part that is grey matter."""
        return self.tissue[1]

    @property
    def white(self) -> np.ndarray:
        """The part that is white matter."""
        return self.tissue[2]


def pose(anatomy: Anatomy, shape: Shape, spacing: Spacing, rng: np.random.Generator) -> Head:
    """`anatomy` as another person's head, on a grid of `shape` and `spacing` (k, j, i)."""
    matrix, shift = _affine(rng)
    grid = positions(shape, spacing)
    points = np.einsum("ab,bkji->akji", matrix, grid) + shift[:, None, None, None]
    for cell, amplitude in _DEFORMATIONS:
        points += between(rng, 0, 1) * amplitude * smooth_noise(shape, cell, spacing, rng, 3)
    sampled = sample(anatomy.tissue, points / _column(anatomy.spacing))
    place = (points / _column(anatomy.half_extent)).astype(np.float32)
    brain = sampled.sum(0).clip(0, 1)
    tissue = _individual(sampled, brain, spacing, rng)
    return Head(tissue, brain, place, _mirror(matrix, shift), _turn(matrix), spacing)


def positions(shape: Shape, spacing: Spacing) -> np.ndarray:
    """Where each voxel lies, mm from the middle of the grid, Float32 (3, k, j, i)."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)


def sample(volumes: np.ndarray, voxels: np.ndarray, outside: str = "zeros") -> np.ndarray:
    """Linear interpolation.

    Args:
        volumes: Float32 (channel, k, j, i).
        voxels: (3, …) where to look, in voxels (k, j, i) from the middle of `volumes`.
        outside: "zeros" or "border".

    Returns:
        Float32 (channel, …).
    """
    half = (np.asarray(volumes.shape[1:], np.float32) - 1) / 2
    normal = (voxels / _column(half)).astype(np.float32)
    grid = torch.from_numpy(np.ascontiguousarray(np.moveaxis(normal[::-1], 0, -1)))[None]
    found = F.grid_sample(torch.from_numpy(volumes)[None], grid, padding_mode=outside, align_corners=True)
    return found[0].numpy()


def _affine(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """From the grid to the anatomy, mm (k, j, i)."""
    matrix = np.diag(1 + rng.uniform(-_SCALE, _SCALE, 3))
    for (a, b), most in zip(((0, 1), (0, 2), (1, 2)), _TURN, strict=True):
        angle = np.deg2rad(rng.uniform(-most, most))
        turn = np.eye(3)
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    if chance(rng, 0.5):
        matrix = np.diag([1, 1, -1]) @ matrix
    return matrix, rng.uniform(-_SHIFT_MM, _SHIFT_MM, 3)


def _turn(matrix: np.ndarray) -> float:
    """The angle of an affine's rotation, degrees; a reflection in it is left out."""
    left, _, right = np.linalg.svd(matrix)
    rotation = left @ right
    if np.linalg.det(rotation) < 0:
        rotation = np.diag([1, 1, -1]) @ rotation
    return float(np.rad2deg(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _mirror(matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The reflection in the anatomy's own middle, seen from the grid."""
    back, flip = np.linalg.inv(matrix), np.diag([1, 1, -1])
    return np.column_stack([back @ flip @ matrix, back @ (flip @ shift - shift)])


def _individual(tissue: np.ndarray, brain: np.ndarray, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Tissue parts with borders moved, sharpened or softened, and with more or less CSF (atrophy)."""
    logits = between(rng, 1.0, 2.5) * np.log(tissue + _EMPTY)
    logits += between(rng, 0.1, 0.7) * smooth_noise(brain.shape, between(rng, *_GYRI_MM), spacing, rng, 3)
    logits[0] += between(rng, -1.2, 0.8)
    parts = np.exp(logits - logits.max(0))
    return parts * (brain / parts.sum(0))


def _column(values: np.ndarray | Spacing) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None, None]

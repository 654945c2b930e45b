"""A posed head: an anatomy turned, scaled, deformed and made asymmetrical, its tissue borders softened or sharpened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.training.synthesis.anatomy import Anatomy
from StrokeSAMLib.training.synthesis.fields import Shape, chance, smooth_noise, uniform

# Estimates: the differences of adults' heads along each axis, and the turns that head holders permit (pitch, roll, yaw;
# degrees).
_SCALE = 0.10
_TURN = (15.0, 8.0, 8.0)
_SHIFT_MM = 8.0
# Large and fine deformations: lattice and amplitude, mm. They differ on both sides, which makes the asymmetry.
_DEFORMATIONS = ((60.0, 4.0), (24.0, 1.4))
# No two people have the same gyri. Noise in the tissues' log-odds moves the borders.
_GYRI_MM = (8.0, 18.0)
_EMPTY = 0.02


@dataclass(frozen=True)
class PosedHead:
    """A deformed brain on the working grid.

    Attributes:
        tissue: float32 (tissue, k, j, i), the parts of CSF, grey and white matter, which sum to `brain`.
        brain: float32 (k, j, i), the part of each voxel that is brain, 0…1.
        place: float32 (3, k, j, i), the voxel's place in the anatomy: −1…1 from the lowest to the highest, from the
            most anterior to the most posterior, and from the rightmost to the leftmost point.
        mirror: 3 × 4 matrix from a voxel's position (k, j, i; mm from the grid's middle; 1) to its mirror image's.
        turn: angle of the head's rotation, degrees.
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
        """The shape of the grid, (k, j, i)."""
        return self.brain.shape  # type: ignore[return-value]

    @property
    def csf(self) -> np.ndarray:
        """The part of each voxel that is CSF."""
        return self.tissue[0]

    @property
    def grey(self) -> np.ndarray:
        """The part of each voxel that is grey matter."""
        return self.tissue[1]

    @property
    def white(self) -> np.ndarray:
        """The part of each voxel that is white matter."""
        return self.tissue[2]


def pose(anatomy: Anatomy, shape: Shape, spacing: Spacing, rng: np.random.Generator) -> PosedHead:
    """Make a random head from `anatomy` on a grid of `shape` and `spacing` (k, j, i; mm)."""
    matrix, shift = _affine(rng)
    grid = positions(shape, spacing)
    points = np.einsum("ab,bkji->akji", matrix, grid) + shift[:, None, None, None]
    for cell, amplitude in _DEFORMATIONS:
        points += uniform(rng, 0, 1) * amplitude * smooth_noise(shape, cell, spacing, rng, 3)
    sampled = sample(anatomy.tissue, points / _column(anatomy.spacing))
    place = (points / _column(anatomy.half_extent)).astype(np.float32)
    brain = sampled.sum(0).clip(0, 1)
    tissue = _varied_tissue(sampled, brain, spacing, rng)
    return PosedHead(tissue, brain, place, _mirror(matrix, shift), _turn(matrix), spacing)


def positions(shape: Shape, spacing: Spacing) -> np.ndarray:
    """The position of each voxel, mm from the middle of the grid: float32 (3, k, j, i)."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)


def sample(volumes: np.ndarray, voxels: np.ndarray, outside: str = "zeros") -> np.ndarray:
    """Interpolate volumes linearly.

    Args:
        volumes: float32 (channel, k, j, i).
        voxels: (3, …), positions in voxels (k, j, i) from the middle of `volumes`.
        outside: values beyond the volumes, "zeros" or "border".

    Returns:
        Float32 (channel, …).
    """
    half = (np.asarray(volumes.shape[1:], np.float32) - 1) / 2
    normal = (voxels / _column(half)).astype(np.float32)
    grid = torch.from_numpy(np.ascontiguousarray(np.moveaxis(normal[::-1], 0, -1)))[None]
    sampled = F.grid_sample(torch.from_numpy(volumes)[None], grid, padding_mode=outside, align_corners=True)
    return sampled[0].numpy()


def _affine(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random affine map from the grid to the anatomy, mm (k, j, i): matrix and shift."""
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
    """The angle of an affine map's rotation, degrees, without a reflection."""
    left, _, right = np.linalg.svd(matrix)
    rotation = left @ right
    if np.linalg.det(rotation) < 0:
        rotation = np.diag([1, 1, -1]) @ rotation
    return float(np.rad2deg(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _mirror(matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The reflection at the anatomy's middle, in the grid's coordinates: 3 × 4."""
    back, flip = np.linalg.inv(matrix), np.diag([1, 1, -1])
    return np.column_stack([back @ flip @ matrix, back @ (flip @ shift - shift)])


def _varied_tissue(tissue: np.ndarray, brain: np.ndarray, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Tissue parts with moved, sharpened or softened borders, and with more or less CSF (atrophy)."""
    logits = uniform(rng, 1.0, 2.5) * np.log(tissue + _EMPTY)
    logits += uniform(rng, 0.1, 0.7) * smooth_noise(brain.shape, uniform(rng, *_GYRI_MM), spacing, rng, 3)
    logits[0] += uniform(rng, -1.2, 0.8)
    parts = np.exp(logits - logits.max(0))
    return parts * (brain / parts.sum(0))


def _column(values: np.ndarray | Spacing) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None, None]

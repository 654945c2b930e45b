"""Making the synthetic head CT on any grid, in any pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import array_spacing, like
from StrokeSAMLib.imaging.phantom.anatomy import Head, head, paint
from StrokeSAMLib.imaging.phantom.shapes import Folds, Points, ellipsoid

_SIZE, _SPACING_MM = (256, 256, 32), (0.9, 0.9, 5.0)
# Sub-slices no thicker than this are averaged into a thick slice: its partial volume.
_SUBSLICE_MM = 2.0
_NOISE_FWHM_MM = 1.6
# Bone hardens the beam: tissue beside the skull looks this much denser at the skull, fading over this depth.
_CUPPING_HU, _CUPPING_MM = 2.5, 5.0


@dataclass(frozen=True)
class Infarct:
    """An infarct of the middle cerebral artery's territory.

    Attributes:
        side: "left" or "right", the patient's.
        density: change of density in white matter, HU (grey matter loses a third more).
        size: 1 gives some 70 ml; the volume goes with its cube.
    """

    side: str = "left"
    density: float = -7.0
    size: float = 1.0


@dataclass(frozen=True)
class Pose:
    """Where the head lies: rotations in degrees (about S, P and L, in that order) and a shift (L, P, S) in mm."""

    yaw: float = 4.0
    roll: float = -3.0
    pitch: float = 5.0
    shift: tuple[float, float, float] = (3.0, -2.0, 0.0)


@dataclass(frozen=True)
class Phantom:
    """The scan and its truth, on one grid: HU (Int16), lesion and brain (UInt8; the brain with its ventricles)."""

    ncct: sitk.Image
    lesion: sitk.Image
    brain: sitk.Image


def head_ct(
    seed: int = 1,
    infarct: Infarct | None = Infarct(),  # noqa: B008 (frozen)
    pose: Pose = Pose(),  # noqa: B008 (frozen)
    noise_hu: float = 3.5,
    grid: sitk.Image | None = None,
) -> Phantom:
    """A head CT with a known infarct.

    Args:
        seed: of the folds and of the noise; the same seed makes the same voxels.
        infarct: None makes a healthy head.
        pose: of the head in the scanner.
        noise_hu: standard deviation of the noise, HU; 3.5 is a usual head scan of 5 mm slices (CTDIvol near 60 mGy).
        grid: an image whose grid is filled (any size, spacing, direction); 256 × 256 × 32 voxels of
            0.9 × 0.9 × 5 mm by default.
    """
    grid = _default_grid() if grid is None else grid
    rng = np.random.default_rng(seed)
    anatomy_seed, infarct_seed = rng.integers(2**31, size=2)
    hu, lesion, brain = _averaged(grid, pose, infarct, int(anatomy_seed), int(infarct_seed))
    hu = hu + noise_hu * _noise(rng, hu.shape, array_spacing(grid))
    scan = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return Phantom(like(scan, grid), like(lesion >= 0.5, grid), like(brain >= 0.5, grid))


def _default_grid() -> sitk.Image:
    grid = sitk.Image(_SIZE, sitk.sitkInt16)
    grid.SetSpacing(_SPACING_MM)
    grid.SetOrigin([-(n - 1) / 2 * s for n, s in zip(_SIZE, _SPACING_MM, strict=True)])
    return grid


def _averaged(
    grid: sitk.Image, pose: Pose, infarct: Infarct | None, anatomy_seed: int, infarct_seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, lesion and brain (parts, 0…1) as means over sub-slices along k."""
    count = max(1, round(grid.GetSpacing()[2] / _SUBSLICE_MM))
    sums: list[np.ndarray] = []
    for step in (np.arange(count) + 0.5) / count - 0.5:
        points = _points(grid, step, pose)
        parts = head(points, np.random.default_rng(anatomy_seed))
        ill = None if infarct is None else _infarct(points, parts, infarct, np.random.default_rng(infarct_seed))
        hu = paint(parts, ill, infarct.density if infarct else 0.0)
        hu += np.where(parts.cavity < 0, _CUPPING_HU * np.exp(np.minimum(parts.cavity, 0) / _CUPPING_MM), 0)
        lesion = np.zeros_like(hu) if ill is None else (ill > 0.5) & (parts.fluid > -0.3) & (parts.brain < 0)
        layers = [hu, lesion.astype(np.float32), ((parts.brain < 0) & (points.z > -70)).astype(np.float32)]
        sums = layers if not sums else [a + b for a, b in zip(sums, layers, strict=True)]
    hu, lesion, brain = (total / count for total in sums)
    return hu, lesion, brain


def _points(grid: sitk.Image, step: float, pose: Pose) -> Points:
    """The head's own coordinates of the voxels of `grid`, moved by `step` slices."""
    size = grid.GetSize()
    turn = sitk.Euler3DTransform()
    turn.SetRotation(np.deg2rad(pose.pitch), np.deg2rad(pose.roll), np.deg2rad(pose.yaw))
    back = np.asarray(turn.GetInverse().GetMatrix()).reshape(3, 3)
    axes = np.asarray(grid.GetDirection()).reshape(3, 3) * np.asarray(grid.GetSpacing())
    start = back @ (np.asarray(grid.GetOrigin()) - np.asarray(pose.shift))
    slope = back @ axes
    k, j, i = np.ogrid[: size[2], : size[1], : size[0]]
    coordinates = (
        (start[a] + slope[a, 0] * i + slope[a, 1] * j + slope[a, 2] * (k + step)).astype(np.float32) for a in range(3)
    )
    return Points(*coordinates)


def _infarct(points: Points, parts: Head, infarct: Infarct, rng: np.random.Generator) -> np.ndarray:
    """How infarcted each point is, 0…1: insula, lentiform nucleus and the lateral lobes, with a ragged edge."""
    sign = 1.0 if infarct.side == "left" else -1.0
    own = Points(points.x * sign, points.y, points.z)
    distance = ellipsoid(own, (45, 0, 14), tuple(r * infarct.size for r in (26, 36, 25)))
    distance = np.maximum(distance + 0.8 * Folds(rng, 40.0).at(points), 14 - own.x)
    ill = 1 / (1 + np.exp(np.clip(distance / 0.8, -20, 20)))
    return np.where(parts.cavity < 0, ill, 0).astype(np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Unit noise, correlated within a slice as a reconstruction kernel leaves it, independent between slices."""
    noise = rng.standard_normal(shape).astype(np.float32)
    sigma = [0.0, *(_NOISE_FWHM_MM / 2.355 / step for step in spacing[1:])]
    noise = ndi.gaussian_filter(noise, sigma)
    return noise / noise.std()

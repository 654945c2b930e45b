"""Making the synthetic head CT on any grid, in any pose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import array_spacing, like
from StrokeSAMLib.imaging.phantom.brain import BrainFolds, brain
from StrokeSAMLib.imaging.phantom.shapes import Folds, Points, blend, common, ellipsoid
from StrokeSAMLib.imaging.phantom.skull import skull
from StrokeSAMLib.imaging.phantom.tissues import fluid, paint

# A thick voxel is the mean of points no farther apart than this: its partial volume.
_STEP_MM = 2.0
# Width of a smooth head kernel's noise grain, mm.
_NOISE_FWHM_MM = 1.6
# Below this the cavity is spinal canal, no brain.
_FORAMEN_MAGNUM_MM = -60.0


@dataclass(frozen=True)
class Infarct:
    """An infarct of the middle cerebral artery's territory: insula, lentiform nucleus, lateral lobes.

    Attributes:
        side: "left" or "right", the patient's.
        density: change of density in white matter, HU (grey matter loses a third more).
        size: 1 gives some 75 ml; the volume goes about with its cube.
    """

    side: str = "left"
    density: float = -6.0
    size: float = 1.0

    def __post_init__(self) -> None:
        if self.side not in ("left", "right"):
            raise ValueError(f'side is "left" or "right", not {self.side!r}')


@dataclass(frozen=True)
class Pose:
    """Where the head lies: rotations in degrees (about S, P and L: `yaw`, `roll`, `pitch`) and then a shift
    (L, P, S) in mm of the middle of the brain from the origin of patient space."""

    yaw: float = 4.0
    roll: float = -3.0
    pitch: float = 5.0
    shift: tuple[float, float, float] = (3.0, -2.0, -10.0)


@dataclass(frozen=True)
class Phantom:
    """The scan and its truth, on one grid: HU (Int16), lesion and brain (UInt8, 0 or 1).

    The brain is what lies within the pia: tissue, ventricles and sulci. No CSF is in the lesion.
    """

    ncct: sitk.Image
    lesion: sitk.Image
    brain: sitk.Image


_LEFT, _TILTED = Infarct(), Pose()


def head_ct(
    seed: int = 1,
    *,
    size: tuple[int, int, int] = (256, 256, 32),
    spacing_mm: tuple[float, float, float] = (0.9, 0.9, 5.0),
    infarct: Infarct | None = _LEFT,
    pose: Pose = _TILTED,
    noise_hu: float = 3.5,
    grid: sitk.Image | None = None,
) -> Phantom:
    """A head CT with a known infarct.

    Args:
        seed: of the folds and of the noise; the same seed makes the same voxels.
        size, spacing_mm: of the axial grid (L, P, S), centred on the origin.
        infarct: None makes a healthy head.
        pose: of the head in the scanner.
        noise_hu: standard deviation of the noise, HU; 3.5 is a usual head scan of 5 mm slices (CTDIvol near 60 mGy).
        grid: an image whose grid is filled in place of `size` and `spacing_mm`: any spacing, direction and origin
            (LPS, mm); its voxels are not read.
    """
    grid = _axial_grid(size, spacing_mm) if grid is None else grid
    rng = np.random.default_rng(seed)
    person = _Person(rng, infarct)
    hu, lesion, inside = _sampled(grid, pose, person)
    hu += noise_hu * _noise(rng, hu.shape, array_spacing(grid))
    scan = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    masks = (like((part >= 0.5).astype(np.uint8), grid) for part in (lesion, inside))
    return Phantom(like(scan, grid), *masks)


class _Person:
    """One head: its random folds and its infarct; evaluated at points of its own coordinates."""

    def __init__(self, rng: np.random.Generator, infarct: Infarct | None):
        self._folds, self._texture, self._edge = BrainFolds(rng), Folds(rng, 14.0), Folds(rng, 45.0)
        self._infarct = infarct

    def at(self, points: Points, soft_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """HU without noise, lesion and brain (bool)."""
        bones = skull(points, self._texture.at(points))
        soft = brain(points, bones.cavity, self._folds)
        ill = None if self._infarct is None else self._ill(points, self._infarct)
        hu = paint(bones, soft, ill, self._infarct.density if self._infarct else 0.0, soft_mm)
        within = (soft.surface < 0) & (points.z > _FORAMEN_MAGNUM_MM)
        lesion = np.zeros(within.shape, bool) if ill is None else within & (ill > 0.5) & (fluid(soft, ill) > 0)
        return hu, lesion, within

    def _ill(self, points: Points, infarct: Infarct) -> np.ndarray:
        """How infarcted each point is, 0…1: a wedge from the lateral ventricle to the cortex, with a ragged edge."""
        own = Points(points.x if infarct.side == "left" else -points.x, points.y, points.z)

        def sized(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
            return ellipsoid(own, centre, tuple(r * infarct.size for r in radii))

        wedge = blend(10.0, sized((57, 4, 13), (26, 34, 25)), sized((36, -3, 8), (19, 21, 15)))
        distance = common(wedge + 2.4 * np.tanh(self._edge.at(points) / 4), 17 - own.x)
        return (1 / (1 + np.exp(np.clip(distance / 0.8, -20, 20)))).astype(np.float32)


def _axial_grid(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> sitk.Image:
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(spacing)
    grid.SetOrigin([-(n - 1) / 2 * s for n, s in zip(size, spacing, strict=True)])
    return grid


def _sampled(grid: sitk.Image, pose: Pose, person: _Person) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, lesion and brain (parts, 0…1) as means over the points of each voxel; Float32 (k, j, i)."""
    shape = grid.GetSize()[::-1]
    hu, lesion, inside = (np.zeros(shape, np.float32) for _ in range(3))
    soft_mm = float(np.clip(0.7 * min(grid.GetSpacing()), 0.4, 1.5))
    steps = list(_steps(grid))
    for k, step in itertools.product(range(shape[0]), steps):  # slice by slice: the shapes of a volume are too many
        parts = person.at(_points(grid, pose, k, step), soft_mm)
        for total, part in zip((hu, lesion, inside), parts, strict=True):
            total[k] += part / np.float32(len(steps))
    return hu, lesion, inside


def _steps(grid: sitk.Image) -> Iterator[tuple[float, ...]]:
    """The points of a voxel, in voxels from its middle: more than one along an axis with thick voxels."""
    counts = [max(1, round(spacing / _STEP_MM)) for spacing in grid.GetSpacing()]
    return itertools.product(*((np.arange(count) + 0.5) / count - 0.5 for count in counts))


def _points(grid: sitk.Image, pose: Pose, k: int, step: tuple[float, ...]) -> Points:
    """The head's own coordinates of the voxels of slice `k` of `grid`, moved by `step` (voxels; i, j, k)."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(np.deg2rad(pose.pitch), np.deg2rad(pose.roll), np.deg2rad(pose.yaw))
    back = np.asarray(turn.GetMatrix()).reshape(3, 3).T
    axes = np.asarray(grid.GetDirection()).reshape(3, 3) * np.asarray(grid.GetSpacing())
    start = back @ (np.asarray(grid.GetOrigin()) - np.asarray(pose.shift))
    slope = back @ axes
    j, i = np.mgrid[: grid.GetSize()[1], : grid.GetSize()[0]].astype(np.float32)
    i, j = i + np.float32(step[0]), j + np.float32(step[1])
    x, y, z = (
        np.float32(slope[a, 0]) * i + np.float32(slope[a, 1]) * j + np.float32(start[a] + slope[a, 2] * (k + step[2]))
        for a in range(3)
    )
    return Points(x, y, z)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Unit noise with the grain of a reconstruction kernel; a grain finer than the voxels is no grain."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndi.gaussian_filter(noise, [_NOISE_FWHM_MM / 2.355 / step for step in spacing])
    return noise / noise.std()

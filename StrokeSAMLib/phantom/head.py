"""The synthetic head CT on any grid and in any pose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import array_spacing, image_like, voxel_axes
from StrokeSAMLib.phantom.brain import BrainFolds, brain
from StrokeSAMLib.phantom.shapes import Folds, Points, blend, ellipsoid, intersection
from StrokeSAMLib.phantom.skull import skull
from StrokeSAMLib.phantom.tissues import fluid, paint

# A thick voxel is the mean of points at most this far apart. This gives its partial volume.
_STEP_MM = 2.0
# Width of a smooth head kernel's noise grain, mm.
_NOISE_FWHM_MM = 1.6
# Below this z the cavity is spinal canal and no brain.
_FORAMEN_MAGNUM_MM = -60.0


@dataclass(frozen=True)
class Infarct:
    """An infarct in the territory of the middle cerebral artery: insula, lentiform nucleus, lateral lobes.

    Attributes:
        side: "left" or "right" of the patient.
        density: change of density in white matter, HU. Grey matter loses a third more.
        size: 1 gives some 75 ml. The volume grows about with the cube of the size.

    Raises:
        ValueError: `side` is neither "left" nor "right".
    """

    side: str = "left"
    density: float = -6.0
    size: float = 1.0

    def __post_init__(self) -> None:
        if self.side not in ("left", "right"):
            raise ValueError(f'side is "left" or "right", not {self.side!r}')


@dataclass(frozen=True)
class Pose:
    """The position of the head: rotations, and then a shift.

    Attributes:
        yaw, roll, pitch: rotations about S, P and L, degrees.
        shift: of the middle of the brain from the origin of patient space (L, P, S), mm.
    """

    yaw: float = 4.0
    roll: float = -3.0
    pitch: float = 5.0
    shift: tuple[float, float, float] = (3.0, -2.0, -10.0)


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan and its true masks on one grid.

    Attributes:
        ncct: Int16, HU.
        lesion: the infarct without CSF, UInt8, 0 or 1.
        brain: everything within the pia (tissue, ventricles and sulci), UInt8, 0 or 1.
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
    """Make a head CT with a known infarct.

    Args:
        seed: of the folds and of the noise. The same seed makes the same voxels.
        size: of the axial grid (L, P, S), voxels. The grid is centred on the origin.
        spacing_mm: of the axial grid (L, P, S), mm.
        infarct: None makes a healthy head.
        pose: of the head in the scanner.
        noise_hu: standard deviation of the noise, HU. 3.5 is usual for a head scan of 5 mm slices (CTDIvol near
            60 mGy).
        grid: an image whose grid replaces `size` and `spacing_mm`: any spacing, direction and origin (LPS, mm). Its
            voxels are not read.
    """
    grid = _axial_grid(size, spacing_mm) if grid is None else grid
    rng = np.random.default_rng(seed)
    person = _Person(rng, infarct)
    hu, lesion, inside = _sample(grid, pose, person)
    hu += noise_hu * _noise(rng, hu.shape, array_spacing(grid))
    scan = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    masks = (image_like((part >= 0.5).astype(np.uint8), grid) for part in (lesion, inside))
    return Phantom(image_like(scan, grid), *masks)


class _Person:
    """One head with its random folds and its infarct, in its own coordinates."""

    def __init__(self, rng: np.random.Generator, infarct: Infarct | None):
        self._folds, self._texture, self._edge = BrainFolds(rng), Folds(rng, 14.0), Folds(rng, 45.0)
        self._infarct = infarct

    def at(self, points: Points, soft_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The density without noise (HU), the lesion and the brain (bool) at `points`."""
        bones = skull(points, self._texture.at(points))
        soft = brain(points, bones.cavity, self._folds)
        infarcted = None if self._infarct is None else self._infarcted_part(points, self._infarct)
        hu = paint(bones, soft, infarcted, self._infarct.density if self._infarct else 0.0, soft_mm)
        within = (soft.surface < 0) & (points.z > _FORAMEN_MAGNUM_MM)
        if infarcted is None:
            return hu, np.zeros(within.shape, bool), within
        return hu, within & (infarcted > 0.5) & (fluid(soft, infarcted) > 0), within

    def _infarcted_part(self, points: Points, infarct: Infarct) -> np.ndarray:
        """The part of infarcted tissue, 0…1: a wedge from the lateral ventricle to the cortex with a ragged edge."""
        own = Points(points.x if infarct.side == "left" else -points.x, points.y, points.z)

        def sized(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
            x, y, z = (radius * infarct.size for radius in radii)
            return ellipsoid(own, centre, (x, y, z))

        wedge = blend(10.0, sized((57, 4, 13), (26, 34, 25)), sized((36, -3, 8), (19, 21, 15)))
        distance = intersection(wedge + 2.4 * np.tanh(self._edge.at(points) / 4), 17 - own.x)
        return (1 / (1 + np.exp(np.clip(distance / 0.8, -20, 20)))).astype(np.float32)


def _axial_grid(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> sitk.Image:
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(spacing)
    grid.SetOrigin([-(n - 1) / 2 * s for n, s in zip(size, spacing, strict=True)])
    return grid


def _sample(grid: sitk.Image, pose: Pose, person: _Person) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, lesion and brain (parts of a voxel, 0…1): means over the points of each voxel, Float32 (k, j, i)."""
    shape = grid.GetSize()[::-1]
    hu, lesion, inside = (np.zeros(shape, np.float32) for _ in range(3))
    soft_mm = float(np.clip(0.7 * min(grid.GetSpacing()), 0.4, 1.5))
    steps = list(_steps(grid))
    # Slice by slice: the shapes of a whole volume would take too much memory.
    for k, step in itertools.product(range(shape[0]), steps):
        parts = person.at(_points(grid, pose, k, step), soft_mm)
        for total, part in zip((hu, lesion, inside), parts, strict=True):
            total[k] += part / np.float32(len(steps))
    return hu, lesion, inside


def _steps(grid: sitk.Image) -> Iterator[tuple[float, ...]]:
    """The points of a voxel, in voxels from its middle. An axis with thick voxels has more than one."""
    counts = [max(1, round(spacing / _STEP_MM)) for spacing in grid.GetSpacing()]
    return itertools.product(*((np.arange(count) + 0.5) / count - 0.5 for count in counts))


def _points(grid: sitk.Image, pose: Pose, k: int, step: tuple[float, ...]) -> Points:
    """The voxels of slice `k` of `grid`, moved by `step` (i, j, k; voxels), in the coordinates of the head."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(np.deg2rad(pose.pitch), np.deg2rad(pose.roll), np.deg2rad(pose.yaw))
    back = np.asarray(turn.GetMatrix()).reshape(3, 3).T
    axes = voxel_axes(grid)
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
    """Noise with a standard deviation of 1 and the grain of a reconstruction kernel."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndi.gaussian_filter(noise, [_NOISE_FWHM_MM / 2.355 / step for step in spacing])
    return noise / noise.std()

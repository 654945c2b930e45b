"""The search for the mid-sagittal plane: the reflection that maps the brain best onto itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi
import scipy.optimize
import SimpleITK as sitk

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.imaging.geometry import array_spacing, cubic_grid, image_like, resample_like
from StrokeSAMLib.imaging.morphology import bounding_box, gaussian

_COARSE_MM = 6.0
_FINE_MM = 4.0
_OUTSIDE = -1000.0
_STEP_DEGREES = 8.0
_OFFSETS_MM = (-8.0, 0.0, 8.0)
# Yaw and roll of a head in its holder stay below this. Without limits the planes of five of 13 slabs rolled by 38 to
# 65 degrees (docs/methods/measurements.md).
_MOST_DEGREES = 25.0
# A slab of slices shows little of a roll, and is planned along the head.
_SLAB_MM, _MOST_ROLL_IN_SLAB = 60.0, 10.0
_AT_LIMIT_DEGREES = 0.5


def find_plane(structure: sitk.Image, brain: sitk.Image) -> tuple[Plane, list[str]]:
    """Find the plane of reflection with the least mean squared difference of `structure` and its mirror image.

    Args:
        structure: Float32 map of the anatomy that both hemispheres share; 0 outside the brain.
        brain: UInt8 mask on the same grid, axes near L, P, S.

    Returns:
        The plane, and a line for the user where it lies at the limit of what a head in a scanner does.
    """
    limits = np.array([_MOST_DEGREES, _MOST_ROLL_IN_SLAB if _height(brain) < _SLAB_MM else _MOST_DEGREES])
    coarse = _Asymmetry(structure, brain, _COARSE_MM)
    yaws, rolls = (np.arange(-(limit // _STEP_DEGREES), limit // _STEP_DEGREES + 1) * _STEP_DEGREES for limit in limits)
    start = min((coarse((a, b, c)), (a, b, c)) for a in yaws for b in rolls for c in _OFFSETS_MM)[1]
    fine = _Asymmetry(structure, brain, _FINE_MM)
    # The steps of the simplex lead away from the limits.
    steps = np.diag([-4.0 if value > 0 else 4.0 for value in start])
    best = scipy.optimize.minimize(
        fine,
        start,
        method="Nelder-Mead",
        bounds=[(-limits[0], limits[0]), (-limits[1], limits[1]), (None, None)],
        options={
            "initial_simplex": np.asarray(start) + np.vstack([np.zeros(3), steps]),
            "xatol": 0.05,
            "fatol": 1e-6,
            "maxfev": 150,
        },
    )
    unsure = np.any(np.abs(best.x[:2]) > limits - _AT_LIMIT_DEGREES)
    notes = ["the mid-sagittal plane is unsure: check the sides, and lesions near the midline"] if unsure else []
    return fine.plane(best.x), notes


class _Asymmetry:
    """The mean squared difference of an image and its reflection in a plane with (yaw°, roll°, offset mm)."""

    def __init__(self, structure: sitk.Image, brain: sitk.Image, spacing_mm: float):
        self._image = isotropic(structure, spacing_mm)
        self._array = sitk.GetArrayFromImage(self._image)
        self._brain = sitk.GetArrayFromImage(isotropic(sitk.Cast(brain, sitk.sitkFloat32), spacing_mm)) > 0.5
        self._centre = centroid(brain)

    def plane(self, parameters: Sequence[float] | np.ndarray) -> Plane:
        yaw, roll = np.deg2rad(parameters[:2])
        normal = np.array([np.cos(roll) * np.cos(yaw), np.cos(roll) * np.sin(yaw), np.sin(roll)])
        return Plane.through(self._centre + parameters[2] * normal, normal)

    def __call__(self, parameters: Sequence[float] | np.ndarray) -> float:
        reflection = self.plane(parameters).reflection()
        reflected = sitk.Resample(self._image, self._image, reflection, sitk.sitkLinear, _OUTSIDE)
        mirrored = sitk.GetArrayViewFromImage(reflected)
        # Points beyond the field of view are left out: a head cropped on one side is no asymmetry. The division keeps
        # a plane from turning most of a slab out of view.
        within = mirrored > _OUTSIDE / 2
        in_view = np.count_nonzero(within & self._brain) / max(np.count_nonzero(self._brain), 1)
        return float(np.mean((mirrored[within] - self._array[within]) ** 2)) / in_view if in_view else np.inf


def isotropic(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """`image`, Float32, on a grid of cubic voxels; smoothed before by a Gaussian as wide as a voxel (FWHM)."""
    array = gaussian(sitk.GetArrayFromImage(image), spacing_mm / 2.355, array_spacing(image))
    return resample_like(image_like(array, image), cubic_grid(image, spacing_mm))


def centroid(brain: sitk.Image) -> np.ndarray:
    """The centre of mass of a mask, LPS, mm."""
    index = ndi.center_of_mass(sitk.GetArrayViewFromImage(brain))
    return np.asarray(brain.TransformContinuousIndexToPhysicalPoint([float(n) for n in reversed(index)]))


def _height(brain: sitk.Image) -> float:
    """The extent of the brain across its axial slices, mm."""
    slices = bounding_box(sitk.GetArrayViewFromImage(brain) > 0)[0]
    return (slices.stop - slices.start) * brain.GetSpacing()[2]

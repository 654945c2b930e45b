"""The left–right symmetry of a brain: the mid-sagittal plane, and the registration of the brain with its mirror image.

The plane is the reflection that maps the brain best onto itself. No brain is its own exact mirror image, so an affine
and then a coarse B-spline registration (SimpleITK) refine the reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import scipy.optimize
import SimpleITK as sitk

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.geometry import array_spacing, cubic_grid, image_like, patch_of, resample_like
from StrokeSAMLib.imaging.morphology import dilate, gaussian

_COARSE_MM = 6.0
_FINE_MM = 4.0
_REGISTRATION_MM = 3.0
_OUTSIDE = -1000.0
_POOR_MATCH = 0.5
# The part of the voxels that the metric reads. Each voxel is expensive for the spline with its 1029 parameters: on the
# phantom a part of 0.2 and 15 steps take a third of the time of 0.5 and 25, and the displacements differ by 0.6 mm on
# average.
_AFFINE_SAMPLING = 0.5
_SPLINE_SAMPLING, _SPLINE_STEPS = 0.2, 15
# By default SimpleITK takes the seed from the clock, and no two runs would agree.
_SAMPLING_SEED = 1
# Rotations of the head (degrees) that the coarse search tries. The head holders of scanners allow less.
_ANGLES = np.arange(-32.0, 33.0, 8.0)
_OFFSETS_MM = (-8.0, 0.0, 8.0)


@dataclass(frozen=True)
class Mirror:
    """The left–right symmetry of one brain.

    Attributes:
        plane: the mid-sagittal plane.
        transform: maps a point (LPS, mm) to the corresponding point of the other hemisphere.
        correlation: Pearson correlation of the structure map and its mirror image within the brain, −1…1; NaN for a
            brain without structure.
    """

    plane: Plane
    transform: sitk.Transform
    correlation: float

    def mirror_image(self, image: sitk.Image, outside: float) -> sitk.Image:
        """The mirror image of `image` on the same grid: its value at x is the value of `image` at ``transform(x)``.

        Args:
            image: any scalar type.
            outside: the value where ``transform(x)`` lies beyond `image`.
        """
        return sitk.Resample(image, image, self.transform, sitk.sitkLinear, outside)

    def warnings(self) -> list[str]:
        """A line for the user where scan and mirror image differ too much for a comparison; otherwise none."""
        if self.correlation >= _POOR_MATCH:  # false for NaN, too
            return []
        return [f"the mirror image matches poorly (correlation {self.correlation:.2f}): check the result"]


def find_mirror(structure: sitk.Image, brain: sitk.Image, deformable: bool, monitor: Monitor) -> Mirror:
    """Find the symmetry of a brain.

    Args:
        structure: Float32 map of the anatomy that both hemispheres share (CSF against tissue), with as little of the
            lesion as possible; 0 outside the brain.
        brain: UInt8 mask on the same grid.
        deformable: refine the affine registration by a B-spline registration.
        monitor: progress from 0 to 1. Cancellation is checked between the registrations and at each iteration.

    Raises:
        Cancelled: the user cancelled the work.
    """
    monitor.step(0.0, "finding the mid-sagittal plane")
    plane = find_plane(structure, brain)
    fixed = _isotropic(structure, _REGISTRATION_MM)
    mask = _isotropic(sitk.Cast(brain, sitk.sitkFloat32), _REGISTRATION_MM) > 0.5
    near = image_like(dilate(sitk.GetArrayFromImage(mask) > 0, 3.0, array_spacing(mask)), mask)
    monitor.step(0.3, "registering the mirror image")
    transform = _affine(fixed, near, _reflection(plane), monitor)
    if deformable:
        monitor.step(0.5, "deforming the mirror image")
        transform = _deformable(fixed, near, transform, monitor)
    return Mirror(plane, transform, _correlation(fixed, mask, transform))


def find_plane(structure: sitk.Image, brain: sitk.Image) -> Plane:
    """Find the plane of reflection with the least mean squared difference of `structure` and its mirror image.

    Args:
        structure: Float32 map as in `find_mirror`.
        brain: UInt8 mask on the same grid.
    """
    centre = _centroid(brain)
    coarse = _Asymmetry(_isotropic(structure, _COARSE_MM), centre)
    starts = [(coarse((a, b, c)), (a, b, c)) for a in _ANGLES for b in _ANGLES for c in _OFFSETS_MM]
    start = min(starts)[1]
    fine = _Asymmetry(_isotropic(structure, _FINE_MM), centre)
    simplex = np.asarray(start) + np.vstack([np.zeros(3), np.diag([4.0, 4.0, 4.0])])
    best = scipy.optimize.minimize(
        fine,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-6, "maxfev": 150},
    )
    return fine.plane(best.x)


class _Asymmetry:
    """The mean squared difference of an image and its reflection in a plane with (yaw°, roll°, offset mm)."""

    def __init__(self, image: sitk.Image, centre: np.ndarray):
        self._image = image
        self._array = sitk.GetArrayFromImage(image)
        self._centre = centre

    def plane(self, parameters: Sequence[float] | np.ndarray) -> Plane:
        yaw, roll = np.deg2rad(parameters[:2])
        normal = np.array([np.cos(roll) * np.cos(yaw), np.cos(roll) * np.sin(yaw), np.sin(roll)])
        return Plane.through(self._centre + parameters[2] * normal, normal)

    def __call__(self, parameters: Sequence[float] | np.ndarray) -> float:
        reflection = _reflection(self.plane(parameters))
        reflected = sitk.Resample(self._image, self._image, reflection, sitk.sitkLinear, _OUTSIDE)
        mirrored = sitk.GetArrayViewFromImage(reflected)
        # Points beyond the field of view are left out: a head cropped on one side is no asymmetry.
        within = mirrored > _OUTSIDE / 2
        return float(np.mean((mirrored[within] - self._array[within]) ** 2)) if within.any() else np.inf


def _reflection(plane: Plane) -> sitk.AffineTransform:
    normal = np.asarray(plane.normal)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((np.eye(3) - 2 * np.outer(normal, normal)).ravel().tolist())
    transform.SetTranslation((2 * plane.offset * normal).tolist())
    return transform


def _isotropic(image: sitk.Image, spacing: float) -> sitk.Image:
    """`image`, Float32, on a grid of cubic voxels; smoothed before by a Gaussian as wide as a voxel (FWHM)."""
    array = gaussian(sitk.GetArrayFromImage(image), spacing / 2.355, array_spacing(image))
    return resample_like(image_like(array, image), cubic_grid(image, spacing))


def _centroid(brain: sitk.Image) -> np.ndarray:
    index = ndi.center_of_mass(sitk.GetArrayViewFromImage(brain))
    return np.asarray(brain.TransformContinuousIndexToPhysicalPoint([float(n) for n in reversed(index)]))


def _affine(fixed: sitk.Image, mask: sitk.Image, start: sitk.AffineTransform, monitor: Monitor) -> sitk.Transform:
    method = _registration(mask, _AFFINE_SAMPLING, levels=(2, 1))
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    transform = sitk.AffineTransform(start)
    transform.SetCenter(_centroid(mask).tolist())
    transform.SetTranslation(
        (np.asarray(start.TransformPoint(transform.GetCenter())) - np.asarray(transform.GetCenter())).tolist()
    )
    method.SetInitialTransform(transform, inPlace=True)
    _execute(method, fixed, monitor)
    return transform


def _deformable(fixed: sitk.Image, mask: sitk.Image, affine: sitk.Transform, monitor: Monitor) -> sitk.Transform:
    # Four cells across the brain, some 40 mm each: fine enough for the shape of a hemisphere, too coarse for a lesion.
    within = patch_of(mask).image
    spline = sitk.BSplineTransformInitializer(within, [4, 4, 4], 3)
    method = _registration(mask, _SPLINE_SAMPLING, levels=(1,))
    method.SetOptimizerAsLBFGSB(numberOfIterations=_SPLINE_STEPS, maximumNumberOfCorrections=5)
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransform(spline, inPlace=True)
    _execute(method, fixed, monitor)
    return sitk.CompositeTransform([affine, _sampled(spline, within)])


def _sampled(transform: sitk.Transform, grid: sitk.Image) -> sitk.Transform:
    """The displacements of `transform` on `grid`, linear in between: much faster to evaluate than a spline."""
    geometry = grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(), grid.GetDirection()
    field = sitk.TransformToDisplacementField(transform, sitk.sitkVectorFloat64, *geometry)
    return sitk.DisplacementFieldTransform(field)


def _registration(mask: sitk.Image, sampling: float, levels: tuple[int, ...]) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(sitk.Cast(mask, sitk.sitkUInt8))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(sampling, _SAMPLING_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(levels)
    method.SetSmoothingSigmasPerLevel([0] * len(levels))
    return method


class _CancelCommand(sitk.Command):
    """A command that ends a registration by an error once the user cancels.

    LBFGSB ignores StopRegistration. SimpleITK would print the traceback of a plain function in place of a command.
    """

    def __init__(self, monitor: Monitor):
        super().__init__()
        self._monitor = monitor

    def Execute(self) -> None:
        self._monitor.check()


def _execute(method: sitk.ImageRegistrationMethod, fixed: sitk.Image, monitor: Monitor) -> None:
    command = _CancelCommand(monitor)
    method.AddCommand(sitk.sitkIterationEvent, command)
    try:
        method.Execute(fixed, fixed)
    except RuntimeError:  # ITK turns Cancelled into a RuntimeError
        monitor.check()
        raise


def _correlation(fixed: sitk.Image, mask: sitk.Image, transform: sitk.Transform) -> float:
    mirrored = sitk.GetArrayFromImage(sitk.Resample(fixed, fixed, transform, sitk.sitkLinear, 0.0))
    inside = sitk.GetArrayViewFromImage(mask) > 0
    return float(np.corrcoef(sitk.GetArrayViewFromImage(fixed)[inside], mirrored[inside])[0, 1])

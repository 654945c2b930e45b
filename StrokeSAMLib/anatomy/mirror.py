"""The registration of a brain with its mirror image.

No brain is its own exact mirror image, so an affine and then a coarse B-spline registration (SimpleITK) refine the
reflection in the mid-sagittal plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.anatomy.midsagittal import centroid, find_plane, isotropic
from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.geometry import array_spacing, image_like, patch_of
from StrokeSAMLib.imaging.morphology import dilate

_REGISTRATION_MM = 3.0
_POOR_MATCH = 0.5
# The part of the voxels that the metric reads. Each voxel is expensive for the spline with its 1029 parameters: on the
# phantom a part of 0.2 and 15 steps take a third of the time of 0.5 and 25, and the displacements differ by 0.6 mm on
# average.
_AFFINE_SAMPLING = 0.5
_SPLINE_SAMPLING, _SPLINE_STEPS = 0.2, 15
# By default SimpleITK takes the seed from the clock, and no two runs would agree.
_SAMPLING_SEED = 1


@dataclass(frozen=True)
class Mirror:
    """The left–right symmetry of one brain.

    Attributes:
        plane: the mid-sagittal plane.
        transform: maps a point (LPS, mm) to the corresponding point of the other hemisphere.
        correlation: Pearson correlation of the structure map and its mirror image within the brain, −1…1; NaN for a
            brain without structure.
        notes: lines for the user about the plane.
    """

    plane: Plane
    transform: sitk.Transform
    correlation: float
    notes: tuple[str, ...] = ()

    def mirror_image(self, image: sitk.Image, outside: float) -> sitk.Image:
        """The mirror image of `image` on the same grid: its value at x is the value of `image` at ``transform(x)``.

        Args:
            image: any scalar type.
            outside: the value where ``transform(x)`` lies beyond `image`.
        """
        return sitk.Resample(image, image, self.transform, sitk.sitkLinear, outside)

    def warnings(self) -> list[str]:
        """Lines for the user where the plane is unsure, or scan and mirror image differ too much for a comparison."""
        if self.correlation >= _POOR_MATCH:  # false for NaN, too
            return [*self.notes]
        return [*self.notes, f"the mirror image matches poorly (correlation {self.correlation:.2f}): check the result"]


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
    plane, notes = find_plane(structure, brain)
    fixed = isotropic(structure, _REGISTRATION_MM)
    mask = isotropic(sitk.Cast(brain, sitk.sitkFloat32), _REGISTRATION_MM) > 0.5
    near = image_like(dilate(sitk.GetArrayFromImage(mask) > 0, 3.0, array_spacing(mask)), mask)
    monitor.step(0.3, "registering the mirror image")
    transform = _affine(fixed, near, plane.reflection(), monitor)
    if deformable:
        monitor.step(0.5, "deforming the mirror image")
        transform = _deformable(fixed, near, transform, monitor)
    return Mirror(plane, transform, _correlation(fixed, mask, transform), tuple(notes))


def _affine(fixed: sitk.Image, mask: sitk.Image, start: sitk.AffineTransform, monitor: Monitor) -> sitk.Transform:
    method = _registration(mask, _AFFINE_SAMPLING, levels=(2, 1))
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    transform = sitk.AffineTransform(start)
    transform.SetCenter(centroid(mask).tolist())
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

"""Slice stacks: pixels of the slices, and masks back on the volume, for volumes of any geometry."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import dice

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.imaging.geometry import set_affine
from StrokeSAMLib.interactive.slice_stack import slice_axis, stack_along, stack_along_axis

ROTATED = sitk.VersorTransform([0.3, -0.5, 0.2], 0.6).GetMatrix()
FLIPPED = (-1, 0, 0, 0, 1, 0, 0, 0, -1)
LEFT_HANDED = (1, 0, 0, 0, 1, 0, 0, 0, -1)
PERMUTED = (0, 0, 1, 1, 0, 0, 0, 1, 0)
DIRECTIONS = pytest.mark.parametrize("direction", [ROTATED, FLIPPED, LEFT_HANDED, PERMUTED], ids=str)


def ball(direction=(1, 0, 0, 0, 1, 0, 0, 0, 1), size=(40, 36, 20), spacing=(1.0, 1.2, 3.0), radius=14.0):
    """An 8-bit ball on any grid, and its centre (LPS, mm), which is not the centre of the volume."""
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin((11.0, -7.0, 23.0))
    image.SetDirection(direction)
    centre = np.array(image.TransformContinuousIndexToPhysicalPoint((22.0, 16.0, 9.0)))
    k, j, i = np.indices(size[::-1])
    index = np.stack([i, j, k], -1) * spacing
    axes = np.array(direction).reshape(3, 3)
    points = index @ axes.T + image.GetOrigin()
    inside = np.linalg.norm(points - centre, axis=-1) < radius
    filled = sitk.GetImageFromArray((inside * 200).astype(np.uint8))
    filled.CopyInformation(image)
    return filled, centre


@DIRECTIONS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stack_along_an_axis_has_the_voxels_at_their_positions(direction, axis):
    image, centre = ball(direction)
    stack = stack_along_axis(image, axis)
    column, row, k = stack.to_index(centre)
    assert stack.pixels[round(k), round(row), round(column)] == 200
    for index in [(3, 4, 5), (0, 0, 0), (10, 2, 7)]:
        voxel = image.TransformPhysicalPointToIndex((stack.affine @ [*index, 1])[:3].tolist())
        assert stack.pixels[index[2], index[1], index[0]] == image[voxel]


@DIRECTIONS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_masks_of_slices_go_back_to_their_voxels(direction, axis):
    image, _ = ball(direction)
    stack = stack_along_axis(image, axis)
    back = stack.volume_mask({k: stack.pixels[k] > 0 for k in range(len(stack))})
    assert back.GetDirection() == image.GetDirection() and back.GetOrigin() == image.GetOrigin()
    assert (sitk.GetArrayFromImage(back) == (sitk.GetArrayFromImage(image) > 0)).all()


def test_the_pixels_are_a_view_of_one_copy():
    image, _ = ball()
    pixels = stack_along_axis(image, 0).pixels
    assert pixels.base is not None and pixels.base.nbytes == pixels.nbytes


@DIRECTIONS
def test_an_oblique_stack_has_the_object_and_its_masks_go_back(direction):
    image, centre = ball(direction)
    stack = stack_along(image, normal=(0.3, -0.4, 0.8), right=(1.0, 0.2, 0.0))
    column, row, k = stack.to_index(centre)
    assert stack.pixels[round(k), round(row), round(column)] == 200
    back = stack.volume_mask({n: stack.pixels[n] > 100 for n in range(len(stack))})
    assert dice(back, image) > 0.93


def test_an_oblique_stack_has_the_views_axes():
    image, _ = ball()
    normal = np.array([0.0, 0.6, 0.8])
    stack = stack_along(image, normal, right=(1, 0, 0))
    axes = stack.affine[:3, :3] / stack.spacing
    assert axes[:, 2] == pytest.approx(normal) and axes[:, 0] == pytest.approx([1, 0, 0])
    assert stack.spacing[0] == pytest.approx(stack.spacing[1])
    assert np.linalg.det(axes) == pytest.approx(1)


@DIRECTIONS
def test_a_view_along_a_voxel_axis_is_not_resampled(direction):
    image, _ = ball(direction)
    normal = -np.array(direction).reshape(3, 3)[:, 1]
    assert stack_along(image, normal).plane == {"axis": 1}


def test_a_mask_on_another_grid_keeps_its_position():
    image, _ = ball()
    half = (0.5, 0.6, 1.0)
    finer = sitk.Resample(image, [80, 72, 60], sitk.Transform(), sitk.sitkNearestNeighbor, image.GetOrigin(), half)
    stack = stack_along_axis(image, 2)
    slices = stack.slices_of(finer)
    assert set(slices) == set(np.flatnonzero((stack.pixels > 0).any(axis=(1, 2))))
    back = stack.volume_mask(slices)
    assert dice(back, image) > 0.95


def test_a_mask_on_an_oblique_stack_goes_back_to_its_voxels():
    image, _ = ball()
    stack = stack_along(image, (0.5, 0.5, 0.7))
    slices = stack.slices_of(image)
    assert dice(stack.volume_mask(slices), image) > 0.9


@pytest.mark.parametrize("normal", [(0, 0, 0), (np.nan, 0, 1), (1, 0)])
def test_a_normal_that_is_not_a_direction_is_refused(normal):
    with pytest.raises(OptionError, match="the normal of the view"):
        stack_along(ball()[0], normal)


def test_a_right_direction_along_the_normal_is_refused():
    with pytest.raises(OptionError, match="right"):
        stack_along(ball()[0], (0, 0.6, 0.8), right=(0, 0.6, 0.8))


def test_an_unknown_axis_is_refused():
    with pytest.raises(OptionError, match="axis is 3"):
        stack_along_axis(ball()[0], 3)


def test_the_slice_axis_has_the_thickest_slices():
    assert slice_axis(ball(spacing=(1, 5, 1))[0]) == 1
    assert slice_axis(ball(spacing=(1, 1, 1))[0]) == 2


def test_the_planes_of_a_sheared_volume_are_seen_along_their_own_normal():
    """The slices lean, so the step from slice to slice is not their normal."""
    affine = np.array([[1.0, 0, 0, 5], [0, 1, 0.9, -7], [0, 0, 3, 2], [0, 0, 0, 1]])
    image = set_affine(sitk.GetImageFromArray(np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)), affine)
    stack = stack_along(image, (0, 0, 1))
    assert stack.plane == {"axis": 2}
    np.testing.assert_allclose(stack.to_index(affine[:3] @ [3, 2, 1, 1]), [3, 2, 1])
    assert stack_along(image, affine[:3, 2]).plane.keys() == {"normal", "right"}

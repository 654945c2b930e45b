"""Sheared grids, brought to right angles and back."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of, mask_like, set_affine, voxel_axes, voxel_volume_ml
from StrokeSAMLib.imaging.right_angles import at_right_angles, is_sheared, shear_degrees

CENTRE, RADIUS = np.array([3.0, -4.0, 25.0]), 12.0


def points_of(image):
    k, j, i = np.meshgrid(*(np.arange(n) for n in image.GetSize()[::-1]), indexing="ij")
    return np.stack([i, j, k], -1) @ voxel_axes(image).T + image.GetOrigin()


def sheared_ball(degrees=20.0, sheared_axis=2, order=(0, 1, 2)):
    """A ball in a volume, one axis of which leans towards the two others."""
    axes = np.diag([1.0, 1.2, 3.0])
    lean = np.tan(np.deg2rad(degrees)) * axes[sheared_axis, sheared_axis]
    axes[(sheared_axis + 1) % 3, sheared_axis] = lean
    axes[(sheared_axis + 2) % 3, sheared_axis] = -lean / 2
    size = np.array([60, 55, 22])
    affine = np.eye(4)
    affine[:3, :3] = axes[:, order]
    affine[:3, 3] = CENTRE - affine[:3, :3] @ (size[list(order)] / 2)
    image = set_affine(sitk.Image(size[list(order)].tolist(), sitk.sitkUInt8), affine)
    ball = np.linalg.norm(points_of(image) - CENTRE, axis=-1) < RADIUS
    return set_affine(image_from(np.where(ball, 60, 20).astype(np.int16)), affine), ball


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("sheared_axis", [0, 1, 2])
def test_a_ball_stays_in_its_place_and_comes_back(sheared_axis, order):
    image, ball = sheared_ball(20, sheared_axis, order)
    straight = at_right_angles(image, "ncct", 0)
    assert is_sheared(image) and not is_sheared(straight)
    found = sitk.GetArrayFromImage(straight) > 40
    np.testing.assert_allclose(points_of(straight)[found].mean(axis=0), CENTRE, atol=0.3)
    assert voxel_volume_ml(straight) == pytest.approx(voxel_volume_ml(image))
    back = sitk.GetArrayFromImage(mask_like(sitk.Cast(straight > 40, sitk.sitkUInt8), image)) > 0
    assert 2 * np.count_nonzero(back & ball) / (np.count_nonzero(back) + np.count_nonzero(ball)) > 0.97


def test_every_voxel_lies_within_the_new_grid():
    image, _ = sheared_ball()
    covered = at_right_angles(image + 1, "ncct", 0)
    back = sitk.Resample(covered, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    assert sitk.GetArrayFromImage(back).min() > 0


def test_an_image_at_right_angles_stays_the_same_object():
    image = image_from(np.zeros((3, 4, 5), np.int16), (1, 2, 3))
    assert at_right_angles(image, "ncct", 0) is image


def test_labels_are_not_interpolated():
    image, _ = sheared_ball()
    labels = at_right_angles(image, "zones", 0, sitk.sitkNearestNeighbor)
    assert set(np.unique(sitk.GetArrayFromImage(labels))) == {0, 20, 60}


def test_the_volume_of_a_sheared_voxel_is_the_determinant():
    image, _ = sheared_ball(40)
    assert voxel_volume_ml(image) == pytest.approx(abs(np.linalg.det(affine_of(image))) / 1000)
    assert voxel_volume_ml(image) == pytest.approx(1.0 * 1.2 * 3.0 / 1000)


def test_an_extreme_shear_is_refused_by_its_angle():
    image, _ = sheared_ball(87)
    with pytest.raises(InputError, match=f"ncct: .* {shear_degrees(image):.0f}° off a right angle"):
        at_right_angles(image, "ncct", 0)

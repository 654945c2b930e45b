"""The search for the mid-sagittal plane in slabs, cropped heads, and heads that turn too far."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.anatomy.midsagittal import find_plane


def a_head(height_mm: float, yaw: float = 0.0, roll: float = 0.0) -> tuple[sitk.Image, sitk.Image]:
    """An ellipsoid with ventricles and sulci, turned by `yaw` and `roll` degrees; its brain mask."""
    step = 4.0
    k, j, i = (step * n for n in np.indices((int(height_mm / step), 54, 50)))
    points = np.stack([i - 98, j - 106, k - height_mm / 2], axis=-1)
    a, b = np.deg2rad((yaw, roll))
    normal = np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    x = np.abs(points @ normal)  # the same on both sides of the plane
    y = points @ np.array([-np.sin(a), np.cos(a), 0])
    z = points @ np.cross(normal, [-np.sin(a), np.cos(a), 0])
    brain = (x / 70) ** 2 + (y / 88) ** 2 + (z / 75) ** 2 < 1
    fluid = (((x - 14) / 9) ** 2 + (y / 32) ** 2 + (z / 15) ** 2 < 1) | (np.sin(x / 7 + y / 9 + z / 12) > 0.9)
    structure = np.where(brain, np.where(fluid, 5, 27), 0)
    return tuple(image_from(each, (step,) * 3) for each in (structure.astype(np.float32), brain.astype(np.uint8)))


def degrees_of(plane) -> tuple[float, float]:
    """Yaw and roll of a plane."""
    x, y, z = plane.normal
    return float(np.rad2deg(np.arctan2(y, x))), float(np.rad2deg(np.arcsin(z)))


@pytest.mark.parametrize(("yaw", "roll"), [(0, 0), (18, -12), (-21, 20)])
def test_a_turned_head_has_its_plane_and_no_note(yaw, roll):
    plane, notes = find_plane(*a_head(140, yaw, roll))
    assert degrees_of(plane) == pytest.approx((yaw, roll), abs=1.5)
    assert notes == []


def test_a_head_that_turns_too_far_stays_at_the_limit_with_a_note():
    plane, [note] = find_plane(*a_head(140, yaw=32))
    assert degrees_of(plane)[0] == pytest.approx(25, abs=0.6)
    assert "unsure" in note


def test_the_plane_of_a_slab_rolls_by_ten_degrees_at_most():
    plane, _ = find_plane(*a_head(48, yaw=5, roll=20))
    assert abs(degrees_of(plane)[1]) <= 10.01


def test_half_a_head_is_not_mirrored_out_of_view():
    """The mirror image of a head cropped beside its midline is best out of view, where no voxel differs."""
    cropped = [image[20:, :, :] for image in a_head(48)]
    plane, _ = find_plane(*cropped)
    assert degrees_of(plane) == pytest.approx((0, 0), abs=4)

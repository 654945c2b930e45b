"""Grids of small images: shrinking, comparison, resampling of masks, coverage."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.imaging.geometry import coverage, mask_like, same_grid, shrink


def test_shrink_averages_whole_blocks_and_keeps_the_extent():
    array = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    small = shrink(image_from(array, (0.5, 0.5, 5.0)), (1.0, 1.0, 2.0))
    assert small.GetSize() == (2, 2, 4)
    assert small.GetSpacing() == pytest.approx((1.0, 1.0, 5.0))
    assert small.GetOrigin() == pytest.approx((0.25, 0.25, 0.0))
    assert sitk.GetArrayViewFromImage(small)[0, 0, 0] == pytest.approx(array[0, :2, :2].mean())


def test_same_grid_recognises_a_shift():
    image = image_from(np.zeros((3, 3, 3)))
    assert same_grid(image, image_from(np.zeros((3, 3, 3)), origin=(1e-4, 0, 0)))
    assert not same_grid(image, image_from(np.zeros((3, 3, 3)), origin=(0.1, 0, 0)))


def test_mask_like_keeps_volume_and_place_on_a_finer_grid():
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[3:7, 3:7, 3:7] = 1
    fine = sitk.Image(40, 40, 40, sitk.sitkUInt8)
    fine.SetSpacing((0.25,) * 3)
    fine.SetOrigin((-0.375,) * 3)
    resampled = sitk.GetArrayFromImage(mask_like(image_from(mask), fine))
    assert resampled.sum() / 64 == pytest.approx(64, rel=0.15)
    assert np.argwhere(resampled).mean(axis=0) == pytest.approx([19.5] * 3, abs=0.5)


def test_coverage_is_the_part_within_the_other_image():
    inside = np.ones((4, 4, 4), bool)
    reference = image_from(np.zeros((4, 4, 4), np.float32))
    assert coverage(image_from(np.zeros((4, 4, 2), np.float32)), reference, inside) == pytest.approx(0.5)
    assert coverage(image_from(np.zeros((4, 4, 4)), origin=(99, 0, 0)), reference, inside) == 0

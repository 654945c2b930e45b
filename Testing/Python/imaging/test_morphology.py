"""Smoothing and binary morphology on small arrays."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.morphology import (
    close,
    depth,
    dilate,
    hysteresis,
    masked_gaussian,
    remove_small,
    sure_components,
)


def test_hysteresis_keeps_only_components_with_a_seed():
    allowed = np.zeros((1, 1, 7), bool)
    allowed[0, 0, [0, 1, 4, 5]] = True
    seeds = np.zeros_like(allowed)
    seeds[0, 0, [1, 6]] = True  # the second seed is not allowed itself
    np.testing.assert_array_equal(np.flatnonzero(hysteresis(seeds, allowed)), [0, 1])


def test_remove_small_counts_voxels_of_touching_corners_together():
    mask = np.zeros((1, 4, 6), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = True  # joined by a corner
    mask[0, 3, 5] = True
    np.testing.assert_array_equal(np.argwhere(remove_small(mask, 2)), [[0, 0, 0], [0, 1, 1]])


def test_sure_components_joins_voxels_with_touching_corners():
    probability = np.zeros((1, 2, 6), np.float32)
    probability[0, [0, 1], [0, 1]] = 0.995, 0.5
    probability[0, 0, 4] = 0.98
    assert sure_components(probability, 0.1, 0)[0].sum() == 3
    sure, doubtful = sure_components(probability, 0.1, 0, 3, 1)
    np.testing.assert_array_equal(np.argwhere(sure), [[0, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(np.argwhere(doubtful), [[0, 0, 4]])
    np.testing.assert_array_equal(sure_components(probability, 0.1, 2)[0], sure)
    assert not sure_components(probability, 0.1, 0, 3, 2)[0].any()
    np.testing.assert_array_equal(sure_components(probability, 0.1, 0, 2, 2)[0], sure)  # large enough without a core
    assert not sure_components(np.zeros_like(probability), 0.1, 0)[0].any()


def test_masked_gaussian_ignores_values_outside_the_mask():
    array = np.full((1, 1, 21), 30.0, np.float32)
    array[..., 11:] = 1000
    mask = array < 100
    assert masked_gaussian(array, mask, 3.0, (1, 1, 1))[mask] == pytest.approx(30, abs=1e-3)


@pytest.mark.parametrize("place", [np.s_[4:7, 8:12, 5:9], np.s_[:3, 14:, :2], np.s_[:], np.s_[:0]])
def test_distances_are_those_of_the_whole_array(place):
    mask, spacing = np.zeros((12, 16, 14), bool), (2.0, 1.0, 0.9)
    mask[place] = np.random.default_rng(1).random(mask[place].shape) < 0.9
    assert np.array_equal(depth(mask, spacing), ndi.distance_transform_edt(mask, sampling=spacing))
    near = ndi.distance_transform_edt(~mask, sampling=spacing) <= 3.0
    assert np.array_equal(dilate(mask, 3.0, spacing), near & mask.any())


def test_closing_is_in_millimetres():
    mask = np.zeros((1, 1, 12), bool)
    mask[..., [2, 6]] = True
    near, far = (1.0, 1.0, 0.5), (1.0, 1.0, 2.0)
    assert close(mask, 1.1, near)[0, 0, 4]
    assert not close(mask, 1.1, far)[0, 0, 4]

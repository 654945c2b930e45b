"""nnU-Net's resampling and normalisation."""

import numpy as np
import pytest

from StrokeSAMLib.imaging.nnunet_resampling import Fingerprint, resize, shape_at_spacing


def test_the_shape_at_another_spacing():
    assert shape_at_spacing((32, 400, 320), (5.0, 0.45, 0.4375), (3.0, 0.4375, 0.4375)) == (53, 411, 320)


def test_a_smooth_volume_survives_resampling_there_and_back():
    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (6, 30, 40)), indexing="ij")
    smooth = np.sin(y / 6) + np.cos(x / 7) + z
    fine = resize(smooth, (18, 60, 80), order=3)
    assert resize(fine, smooth.shape, order=1)[:, 2:-2, 2:-2] == pytest.approx(smooth[:, 2:-2, 2:-2], abs=0.02)


def test_slices_are_picked_not_mixed():
    levels = np.arange(4.0)[:, None, None] * np.ones((4, 3, 3))
    assert resize(levels, (6, 3, 3), order=3)[:, 1, 1].tolist() == [0, 1, 1, 2, 3, 3]


def test_voxels_are_areas_so_that_edges_stay():
    """Twice the pixels: a linear ramp is sampled at −0.25 (which is clipped to the edge), 0.25, 0.75, …"""
    ramp = np.arange(4.0)[None, None, :] * np.ones((1, 2, 4))
    assert resize(ramp, (1, 2, 8), order=1)[0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


def test_splines_do_not_overshoot():
    step = np.zeros((1, 4, 20))
    step[..., 10:] = 1
    resized = resize(step, (1, 4, 50), order=3)
    assert resized.min() == 0
    assert resized.max() == 1


def test_densities_are_clipped_and_become_standard_scores():
    scores = Fingerprint(low=10, high=40, mean=25, sd=5).normalise(np.array([-1000.0, 10, 25, 40, 900]))
    assert scores.tolist() == [-3, -3, 0, 3, 3]

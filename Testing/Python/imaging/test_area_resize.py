"""Resizing by area."""

import numpy as np
import pytest

from StrokeSAMLib.imaging.area_resize import area_resize


def test_blocks_are_averaged():
    array = np.arange(16.0).reshape(4, 4)
    assert area_resize(array, (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_the_mean_is_kept():
    array = np.random.default_rng(1).random((50, 70))
    assert area_resize(array, (13, 31)).mean() == pytest.approx(array.mean())


def test_a_constant_image_stays_constant_when_enlarged():
    assert area_resize(np.full((5, 7), 3.0), (11, 16)) == pytest.approx(np.full((11, 16), 3.0))

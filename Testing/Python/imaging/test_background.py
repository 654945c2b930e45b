"""NaN and infinity are background."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.background import background_value, count_without_value, with_background
from StrokeSAMLib.imaging.windowing import STROKE, Window, default_window, to_bytes

NOTHING = (np.nan, np.inf, -np.inf)


def with_holes(low, high):
    """Values from `low` to `high`, of which the first three are NaN, infinity and minus infinity."""
    array = np.linspace(low, high, 1000, dtype=np.float32).reshape(10, 10, 10)
    array.ravel()[:3] = NOTHING
    return array


@pytest.mark.parametrize(
    ("low", "high", "background"), [(-1000, 2000, -990.99), (0, 500, 0), (50, 500, 0), (-40, 9, 0)]
)
def test_background_is_the_air_of_a_ct_and_0_elsewhere(low, high, background):
    image = image_from(with_holes(low, high))
    assert count_without_value(image, "scan") == 3
    assert background_value(image) == pytest.approx(background, abs=0.1)
    filled = sitk.GetArrayFromImage(with_background(image))
    np.testing.assert_allclose(filled.ravel()[:3], background, atol=0.1)
    np.testing.assert_array_equal(filled.ravel()[3:], with_holes(low, high).ravel()[3:])


def test_an_image_without_any_value_is_refused():
    with pytest.raises(InputError, match="scan: every voxel is NaN or infinite"):
        count_without_value(image_from(np.full((3, 3, 3), np.nan)), "scan")


@pytest.mark.parametrize("value", NOTHING)
def test_the_window_and_the_bytes_leave_out_what_has_no_value(value):
    array = np.linspace(10, 20, 1000, dtype=np.float32).reshape(10, 10, 10)
    expected = default_window(image_from(array[1:]))
    array[0] = value
    image = image_from(array)
    assert default_window(image) == expected
    assert not to_bytes(image, Window(0, 15))[0].any()


def test_a_ct_with_nan_keeps_the_stroke_window():
    assert default_window(image_from(with_holes(-1000, 2000))) == STROKE

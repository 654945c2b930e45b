"""Windows of grey levels, and the conversion to bytes."""

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.imaging.windowing import STROKE, Window, default_window, to_bytes


def test_ct_has_the_stroke_window():
    image = sitk.Image(10, 10, 10, sitk.sitkInt16) - 1000
    image[2, 2, 2] = 40
    assert default_window(image) == STROKE == Window(0, 80)


def test_mr_has_percentiles_of_the_nonzero_voxels():
    array = np.zeros((20, 20, 20), np.float32)
    array[5:] = np.linspace(100, 1100, 15 * 400).reshape(15, 20, 20)
    window = default_window(sitk.GetImageFromArray(array))
    assert window.low == pytest.approx(105, abs=1) and window.high == pytest.approx(1095, abs=1)


def test_bytes_are_clipped_and_rounded():
    image = sitk.GetImageFromArray(np.array([[[-50.0, 0.0, 40.0, 80.0, 900.0]]]))
    assert to_bytes(image, STROKE).ravel().tolist() == [0, 0, 128, 255, 255]


def test_a_window_without_width_is_refused():
    with pytest.raises(OptionError, match="window 40 to 40"):
        Window(40, 40)

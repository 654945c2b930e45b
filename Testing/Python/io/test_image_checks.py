"""The checks of an input volume."""

import numpy as np
import pytest
from small_images import image_from

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.image_checks import check_volume


@pytest.mark.parametrize(
    ("array", "spacing", "reason"),
    [
        (np.zeros((30, 30, 30), np.int16), (1, 1, 1), "same value"),
        (np.full((30, 30, 30), 7.5, np.float32), (1, 1, 1), "same value"),
        (np.random.rand(1, 30, 30), (1, 1, 5), "too few slices"),
        (np.random.rand(30, 30, 30), (20, 20, 20), "spacing"),
        (np.random.rand(30, 30, 30), (0.01, 1, 1), "spacing"),
        (np.random.rand(30, 30, 30), (0.1, 0.1, 0.1), "covers only"),
    ],
)
def test_refuses_an_unusable_volume(array, spacing, reason):
    with pytest.raises(InputError, match=f"ncct: .*{reason}"):
        check_volume(image_from(array, spacing), "ncct")


def test_takes_an_ordinary_volume():
    check_volume(image_from(np.random.rand(30, 60, 60), (4, 4, 5)), "ncct")

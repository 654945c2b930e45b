"""The recognition of Hounsfield units."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.anatomy.hounsfield import to_hounsfield
from StrokeSAMLib.core.errors import InputError


def head(offset=0):
    """Soft tissue at 32 HU in a shell of bone, with air around it."""
    rng = np.random.default_rng(1)
    z, y, x = np.mgrid[:40, :40, :40] - 19.5
    radius = np.sqrt(z**2 + y**2 + x**2)
    array = np.select([radius < 14, radius < 16], [32 + 3 * rng.standard_normal(radius.shape), 900], -1000)
    return image_from(np.rint(array + offset).astype(np.int32))


def test_takes_hounsfield_units_as_they_are():
    image, notes = to_hounsfield(head(), "ncct")
    assert notes == []
    assert sitk.GetArrayViewFromImage(image)[20, 20, 20] < 60


def test_recognises_a_stored_offset():
    image, notes = to_hounsfield(head(1024), "ncct")
    assert "1024" in notes[0]
    expected = sitk.GetArrayFromImage(head())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


def test_refuses_other_values():
    array = sitk.GetArrayFromImage(head())
    rng = np.random.default_rng(2)
    mr = np.where(
        array > -500, 400 + 60 * rng.standard_normal(array.shape), np.abs(15 * rng.standard_normal(array.shape))
    )
    for wrong in (mr, mr / 500, np.clip(array, 0, 80) / 80, np.where(array > -500, array + 300, array)):
        with pytest.raises(InputError, match="does not look like a CT"):
            to_hounsfield(image_from(wrong.astype(np.float32)), "ncct")

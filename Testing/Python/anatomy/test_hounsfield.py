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


def noisy_head():
    """The head with air of −1000 ± 8 HU in a circle of the slice; the second array marks the voxels outside it."""
    array = sitk.GetArrayFromImage(head()).astype(int)
    air = array == -1000
    array[air] += np.random.default_rng(2).normal(0, 8, np.count_nonzero(air)).round().astype(int)
    j, i = np.indices(array.shape[1:]) - 19.5
    return array, np.broadcast_to(np.hypot(j, i) > 20, array.shape)


@pytest.mark.parametrize("padding", [None, 0, -1024, -2000, -3024, 63536])
@pytest.mark.parametrize("offset", [0, 1024, 1000, 8192, 32768, 31744])
def test_padding_around_the_circle_is_air_whatever_the_offset(offset, padding):
    array, outside = noisy_head()
    stored = (array + offset).clip(0 if offset else None)
    if padding is not None:
        stored[outside] = padding
    image, notes = to_hounsfield(image_from(stored.astype(np.int32)), "ncct")
    hu = sitk.GetArrayFromImage(image)
    np.testing.assert_allclose(hu[~outside], array[~outside], atol=40)  # air below an offset of 1000 was cut
    assert hu[outside].max() < -900
    assert ("offset" in " ".join(notes)) == (offset != 0)


def test_a_skull_stripped_ct_keeps_its_background():
    array, _ = noisy_head()
    array[array < -500] = 0
    image, notes = to_hounsfield(image_from(array.astype(np.int16)), "ncct")
    assert notes == [] and sitk.GetArrayFromImage(image)[0, 0, 0] == 0


def test_a_ct_in_hounsfield_units_without_values_below_0_is_not_shifted():
    array = np.clip(sitk.GetArrayFromImage(head()), 0, None)
    image, notes = to_hounsfield(image_from(array), "ncct")
    assert notes == []
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)


def test_refuses_other_values():
    array = sitk.GetArrayFromImage(head())
    rng = np.random.default_rng(2)
    mr = np.where(
        array > -500, 400 + 60 * rng.standard_normal(array.shape), np.abs(15 * rng.standard_normal(array.shape))
    )
    for wrong in (mr, mr / 500, np.clip(array, 0, 80) / 80, np.where(array > -500, array + 300, array)):
        with pytest.raises(InputError, match="does not look like a CT"):
            to_hounsfield(image_from(wrong.astype(np.float32)), "ncct")

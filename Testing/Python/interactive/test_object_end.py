"""The end of an object in box propagation."""

from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.interactive.object_end import ObjectEnd, Rejected, engine_prediction
from StrokeSAMLib.interactive.slice_stack import stack_along_axis

PROMPTED = 10


@dataclass
class Drawn:
    """A prediction of a given mask."""

    pixels: np.ndarray
    quality: float | None = None

    def mask(self, shape):
        return self.pixels


def square(first, last):
    mask = np.zeros((64, 64), bool)
    mask[first:last, first:last] = True
    return mask


@pytest.fixture
def stack():
    """Twenty slices of 5 mm; a bright square of 20 mm on slices 0 to 12, in noise."""
    volume = np.random.default_rng(3).normal(80, 10, (20, 64, 64))
    volume[:13, 20:40, 20:40] += 60
    image = sitk.GetImageFromArray(volume.clip(0, 255).astype(np.uint8))
    image.SetSpacing((1.0, 1.0, 5.0))
    return stack_along_axis(image, 2)


@pytest.fixture
def last():
    return Drawn(square(20, 40), 0.9)


@pytest.fixture
def end(stack, last):
    return ObjectEnd(stack, {PROMPTED: last})


def test_a_slice_with_the_objects_grey_levels_belongs_to_it(end, last):
    assert not end.is_beyond(11, Drawn(square(21, 39), 0.9), last)


def test_a_mask_with_the_grey_levels_of_the_surroundings_is_beyond_the_end(end, last):
    assert end.is_beyond(14, Drawn(square(21, 39), 0.9), last)


def test_a_mask_in_another_place_is_beyond_the_end(end, last):
    assert end.is_beyond(11, Drawn(square(0, 20), 0.9), last)


def test_a_mask_of_several_times_the_area_is_beyond_the_end(end, last):
    assert end.is_beyond(11, Drawn(square(5, 60), 0.9), last)


def test_a_mask_that_the_network_doubts_is_beyond_the_end(end, last):
    assert end.is_beyond(11, Drawn(square(21, 39), 0.4), last)


def test_far_from_the_prompt_the_grey_levels_must_resemble_the_objects_more(end, last):
    mixed = square(20, 40)
    mixed[8:20, 20:40] = True  # three eighths of the mask are surroundings
    assert not end.is_beyond(PROMPTED - 3, Drawn(mixed, 0.9), last)
    assert end.is_beyond(PROMPTED - 5, Drawn(mixed, 0.9), last)


def test_an_empty_mask_or_an_empty_prompted_slice_decides_nothing(stack, end, last):
    assert not end.is_beyond(11, Drawn(square(0, 0)), last)
    assert not ObjectEnd(stack, {PROMPTED: Drawn(square(0, 0))}).is_beyond(11, last, last)


def test_a_rejected_prediction_is_empty_and_keeps_the_engines_own(last):
    rejected = Rejected(last)
    assert not rejected.mask((64, 64)).any()
    assert engine_prediction(rejected) is last and engine_prediction(last) is last and engine_prediction(None) is None

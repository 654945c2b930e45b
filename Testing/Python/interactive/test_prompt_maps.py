"""The maps of prompts that `prompt-unet` receives."""

import numpy as np
import pytest

from StrokeSAMLib.interactive.prompt_maps import CubeBox, CubePoint, CubePrompts, input_maps

SHAPE = (8, 32, 32)
IMAGE, LOOK, PREVIOUS, CLICKS, WIDE, NOT_WIDE, SIMILAR, NOT_SIMILAR, BOX, PLACE, RATIO, VALID = range(12)
BOX_ON_SLICE_4 = CubeBox(4, 4, (8.0, 8.0), (20.0, 20.0))
INSIDE = (4, 14, 14)


def scan():
    """A bright square in a dark, noisy surrounding with a very bright corner."""
    image = np.random.default_rng(1).normal(20, 2, SHAPE).astype(np.float32)
    image[2:7, 9:20, 9:20] += 30
    image[:, :4, :4] = 1000
    return image


def maps(prompts, previous=None, image=None, ratio=2.0):
    return input_maps(scan() if image is None else image, np.ones(SHAPE, bool), ratio, prompts, previous)


def test_the_box_is_one_inside_and_minus_one_around_it_on_its_slice_alone():
    box = maps(CubePrompts((BOX_ON_SLICE_4,)))[BOX]
    assert box[INSIDE] == 1 and box[4, 4, 4] == -1 and not box[[3, 5]].any()


def test_a_box_in_three_dimensions_ends_the_object_beyond_its_slices():
    box = maps(CubePrompts((CubeBox(2, 5, (8.0, 8.0), (20.0, 20.0)),)))[BOX]
    assert (box[2:6, 14, 14] == 1).all() and (box[[1, 6], 14, 14] == -1).all()


def test_two_boxes_on_one_slice_are_both_inside():
    other = CubeBox(4, 4, (24.0, 24.0), (28.0, 28.0))
    box = maps(CubePrompts((BOX_ON_SLICE_4, other)))[BOX]
    assert box[INSIDE] == 1 and box[4, 26, 26] == 1 and box[4, 22, 22] == -1


def test_the_look_tells_the_object_from_its_surroundings():
    look = maps(CubePrompts((BOX_ON_SLICE_4,)))[LOOK]
    assert look[3, 10:19, 10:19].mean() > 0.5 > 0 > look[3, 24:, 24:].mean()


def test_the_scale_of_the_image_does_not_depend_on_its_unit_or_on_bright_bone():
    image, prompts = scan(), CubePrompts((BOX_ON_SLICE_4,))
    first = maps(prompts)[IMAGE]
    image[:, :4, :4] = 5000
    np.testing.assert_allclose(maps(prompts, image=image)[IMAGE], first, atol=0.3)
    np.testing.assert_allclose(maps(prompts, image=scan() * 7 + 100)[IMAGE], first, atol=1e-3)


def test_clicks_have_their_sign_and_their_reach():
    prompts = CubePrompts((BOX_ON_SLICE_4,), (CubePoint((4.0, 14.0, 14.0)), CubePoint((4.0, 25.0, 25.0), False)))
    result = maps(prompts)
    assert result[CLICKS][INSIDE] == 1 and result[CLICKS][4, 25, 25] == -1 and abs(result[CLICKS][4, 19, 20]) < 0.01
    assert result[WIDE][INSIDE] == 1 and result[NOT_WIDE][4, 25, 25] == 1
    assert result[WIDE][5, 14, 14] > 0.5 > result[CLICKS][5, 14, 14]


def test_similar_intensities_near_a_click_are_marked_and_others_are_not():
    similar = maps(CubePrompts((BOX_ON_SLICE_4,), (CubePoint((4.0, 14.0, 18.0)),)))[SIMILAR]
    assert similar[4, 14, 16] > 0.3 > similar[4, 14, 22]


def test_the_newer_of_two_contradictory_clicks_wins():
    first, second = CubePoint((4.0, 14.0, 14.0)), CubePoint((4.0, 14.0, 14.0), False)
    for points, sign in (((first, second), -1), ((second, first), 1)):
        assert maps(CubePrompts((BOX_ON_SLICE_4,), points))[CLICKS][INSIDE] == sign


def test_the_last_answer_is_centred_on_zero_and_absent_before_the_first():
    assert not maps(CubePrompts((BOX_ON_SLICE_4,)))[PREVIOUS].any()
    previous = np.zeros(SHAPE, np.float32)
    previous[INSIDE] = 1
    result = maps(CubePrompts(), previous)
    assert result[PREVIOUS][INSIDE] == 1 and result[PREVIOUS][0, 0, 0] == -1


@pytest.mark.parametrize(
    "prompts",
    [
        CubePrompts((BOX_ON_SLICE_4,)),
        CubePrompts(points=(CubePoint((4.0, 14.0, 14.0)),)),
        CubePrompts(points=(CubePoint((40.0, -140.0, 14.0), False),)),
        CubePrompts((CubeBox(-5, 90, (-50.0, -9.0), (90.0, 90.0)),)),
        CubePrompts((CubeBox(4, 4, (8.0, 8.0), (8.0, 8.0)),)),
    ],
)
@pytest.mark.parametrize("image", [np.zeros(SHAPE, np.float32), scan()])
def test_every_prompt_and_a_constant_image_give_finite_maps(prompts, image):
    result = maps(prompts, image=image)
    assert result.shape == (12, *SHAPE) and result.dtype == np.float32
    assert np.isfinite(result).all() and np.abs(result).max() <= 2


def test_a_cube_outside_the_scan_gives_finite_maps():
    nothing = np.zeros(SHAPE, bool)
    result = input_maps(np.zeros(SHAPE, np.float32), nothing, 2.0, CubePrompts((BOX_ON_SLICE_4,)), None)
    assert np.isfinite(result).all()

"""The engine `prompt-unet`: the turns, what is held, and the cube, with a network of three lines in place of ours."""

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ROOT, dice
from scipy import ndimage as ndi

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.interactive import Box, Lasso, Mask, Point, Scribble, Session
from StrokeSAMLib.interactive.engines.prompt_turns import answer_turns
from StrokeSAMLib.interactive.engines.prompt_unet import PromptUNetEngine, load
from StrokeSAMLib.interactive.prompt_maps import CUBE
from StrokeSAMLib.interactive.volume_prompts import place_in_volume
from StrokeSAMLib.phantom import head_ct

IMAGE, LOOK, PREVIOUS, CLICKS = range(4)
PLACE = 9
SHAPE = (20, 120, 120)
SPACING = (1.0, 1.0, 4.0)


class Network:
    """What looks like the object near the prompts, and what was clicked; it counts its passes."""

    def __init__(self):
        self.passes = 0

    def __call__(self, maps):
        self.passes += 1
        near = np.maximum(maps[PLACE], (maps[PREVIOUS] > 0) * 0.5)
        return 12 * ((maps[LOOK] > 0) * near + maps[CLICKS]) - 3


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def scan():
    """A bright block of 8 slices in noise, and another far from it."""
    array = np.random.default_rng(1).normal(20, 2, SHAPE).astype(np.float32)
    array[6:14, 40:70, 50:80] += 40
    array[6:14, 100:115, 100:115] += 40
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    return image


@pytest.fixture
def session(scan, network):
    return Session(scan, PromptUNetEngine(network, "hash"))


def at(k, row, column):
    return (float(column) * SPACING[0], float(row) * SPACING[1], float(k) * SPACING[2])


BOX = Box(at(10, 40, 50), at(10, 69, 79))


def answer(session):
    session.propagate()
    return sitk.GetArrayFromImage(session.mask()) > 0


def test_a_box_on_one_slice_segments_the_object_on_all_of_its_slices(session):
    session.add(BOX)
    found = answer(session)
    truth = np.zeros(SHAPE, bool)
    truth[6:14, 40:70, 50:80] = True
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    assert not found[:, 100:, 100:].any()


def test_each_prompt_is_one_pass_and_undo_none(session, network):
    session.add(BOX)
    before = answer(session)
    session.add(Point(at(14, 55, 65)))
    session.add(Point(at(10, 45, 55), positive=False))
    assert network.passes == 3
    session.undo()
    session.undo()
    session.undo()
    np.testing.assert_array_equal(answer(session), before)
    assert network.passes == 3


def test_the_answer_does_not_depend_on_the_way_to_the_prompts(session, network):
    prompts = [BOX, Point(at(14, 55, 65)), Point(at(10, 45, 55), positive=False)]
    stack = session.stack
    places = [place_in_volume(prompt, stack).pixels for prompt in prompts]
    known = answer_turns(stack, places[:2], network, None)
    at_once, step_by_step = (answer_turns(stack, places, network, before) for before in (None, known))
    np.testing.assert_array_equal(at_once.probability, step_by_step.probability)
    other = answer_turns(stack, [places[0], places[2]], network, known)
    np.testing.assert_array_equal(
        other.probability, answer_turns(stack, [places[0], places[2]], network, None).probability
    )


def test_clicks_hold_to_the_voxel(session):
    session.add(BOX)
    session.add(Point(at(2, 90, 90)))
    session.add(Point(at(10, 55, 65), positive=False))
    found = answer(session)
    assert found[2, 90, 90] and not found[10, 55, 65]


def test_a_drawn_slice_holds_and_a_lasso_bounds_the_object_on_its_slice(scan, network):
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[10, 42:60, 52:78] = 1
    mask = sitk.GetImageFromArray(drawn)
    mask.CopyInformation(scan)
    session = Session(scan, PromptUNetEngine(network, ""))
    session.add(Mask(mask))
    np.testing.assert_array_equal(answer(session)[10], drawn[10] > 0)

    session = Session(scan, PromptUNetEngine(network, ""))
    corners = [at(10, row, column) for row, column in ((45, 55), (45, 75), (65, 75), (65, 55))]
    session.add(Lasso(tuple(corners)))
    found = np.argwhere(answer(session)[10])
    assert len(found) > 100 and found.min(0).tolist() >= [45, 55] and found.max(0).tolist() <= [65, 75]


def test_the_result_of_another_method_is_a_first_answer(scan, network):
    rough = np.zeros(SHAPE, np.uint8)
    rough[5:15, 36:74, 46:84] = 1
    mask = sitk.GetImageFromArray(rough)
    mask.CopyInformation(scan)
    session = Session(scan, PromptUNetEngine(network, ""))
    session.add(Mask(mask))
    found = answer(session)
    assert found[7:13, 42:68, 52:78].mean() > 0.9 and found.sum() < rough.sum()


def test_what_is_excluded_is_left_out(scan, session):
    excluded = np.zeros(SHAPE, np.uint8)
    excluded[:, 40:55] = 1
    mask = sitk.GetImageFromArray(excluded)
    mask.CopyInformation(scan)
    session.add(BOX)
    session.add(Mask(mask, positive=False))
    found = answer(session)
    assert found.any() and not found[:, 40:55].any()


def test_a_point_far_from_the_box_moves_the_cube_to_hold_both(session):
    session.add(BOX)
    session.add(Scribble((at(10, 105, 103), at(10, 110, 110))))
    found = answer(session)
    assert found[10, 110, 110] and found[10, 55, 65]


def test_points_alone_are_enough_and_negative_ones_are_not(session, scan, network):
    session.add(Point(at(10, 55, 65)))
    assert answer(session)[10, 55, 65]
    with pytest.raises(InputError, match="no prompt says where the object is"):
        Session(scan, PromptUNetEngine(network, "")).add(Point(at(10, 55, 65), positive=False))


@pytest.mark.parametrize("spacing", [(0.1, 0.1, 0.1), (20.0, 20.0, 20.0), (0.5, 0.5, 9.0), (1.0, 1.0, 1.0)])
@pytest.mark.parametrize("shape", [(1, 40, 40), (30, 9, 40), (40, 40, 40)])
def test_every_scan_has_an_answer_of_its_shape(spacing, shape, network):
    image = sitk.GetImageFromArray(np.full(shape, 7, np.float32))
    image.SetSpacing(spacing)
    session = Session(image, PromptUNetEngine(network, ""), axis=2)
    k = shape[0] // 2
    session.add(Box(*(image.TransformContinuousIndexToPhysicalPoint(corner) for corner in ((2, 2, k), (20, 7, k)))))
    assert answer(session).shape == shape


def test_the_network_gets_cubes_of_one_shape(scan):
    shapes = set()

    def network(maps):
        shapes.add(maps.shape)
        return np.zeros(CUBE, np.float32)

    Session(scan, PromptUNetEngine(network, "")).add(BOX)
    assert shapes == {(12, *CUBE)}


def test_weights_of_another_network_are_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(InputError, match=r"w\.safetensors: weights of another network: down.* is missing"):
        load("prompt-unet", tmp_path / "w.safetensors", "cpu", {})


class TestIncludedWeights:
    def test_a_box_and_three_clicks_segment_an_infarct(self):
        head = head_ct(2)
        image, truth = head.ncct, sitk.GetArrayFromImage(head.lesion) > 0
        session, results = Session(image, "prompt-unet"), []
        k = int(truth.sum((1, 2)).argmax())
        rows, columns = np.nonzero(truth[k])
        corners = ((columns.min(), rows.min(), k), (columns.max(), rows.max(), k))
        session.add(Box(*(image.TransformIndexToPhysicalPoint(tuple(map(int, corner))) for corner in corners)))
        for _ in range(4):
            found = answer(session)
            results.append(dice(found, truth))
            wrong = found ^ truth
            depth = ndi.distance_transform_edt(wrong, image.GetSpacing()[::-1])
            place = np.unravel_index(depth.argmax(), depth.shape)
            position = image.TransformIndexToPhysicalPoint(tuple(int(n) for n in place[::-1]))
            session.add(Point(position, bool(truth[place])))
        assert results[0] > 0.65 and results[-1] > 0.75 and results[-1] > results[0]

    def test_needs_no_package(self):
        code = (
            "import sys; sys.modules |= dict.fromkeys(['torch', 'safetensors', 'platformdirs']);"
            "from StrokeSAMLib.interactive.engines.registry import find_engine, load_engine;"
            "assert find_engine('prompt-unet').readiness() == 'yes'; load_engine('prompt-unet')"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

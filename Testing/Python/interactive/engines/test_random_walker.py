"""The random-walker engine on real lesions and on infarcts in the CT phantom."""

import time

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import REAL_DATA, dice
from scipy import ndimage as ndi

from StrokeSAMLib.interactive import Box, Point, Session
from StrokeSAMLib.interactive.engines.random_walker import _bounded
from StrokeSAMLib.interactive.engines.walker_region import WalkerRegion
from StrokeSAMLib.interactive.volume_prompts import Extent
from StrokeSAMLib.phantom import head_ct


def position(image, column, row, k):
    return image.TransformContinuousIndexToPhysicalPoint([float(column), float(row), float(k)])


def largest_slice(truth):
    return int(truth.sum(axis=(1, 2)).argmax())


def box_around(image, truth, k):
    rows, columns = np.nonzero(truth[k])
    return Box(position(image, columns.min(), rows.min(), k), position(image, columns.max(), rows.max(), k))


def recist_cases():
    cases = []
    for path in sorted((REAL_DATA / "recist").glob("*.npz")):
        with np.load(path) as case:
            image = sitk.GetImageFromArray(case["imgs"])
            image.SetSpacing(case["spacing"].tolist())
            cases.append((image, case["gts"] > 0))
    return cases


def mask_image(truth, image):
    mask = sitk.GetImageFromArray(truth.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def propagated_dice(image, truth):
    """The Dice of a box on the largest slice, propagated."""
    session = Session(image)
    session.add(box_around(image, truth, largest_slice(truth)))
    session.propagate()
    return dice(sitk.GetArrayFromImage(session.mask()) > 0, truth)


def test_one_box_segments_real_lesions():
    cases = recist_cases()
    if not cases:
        pytest.skip("no real lesions: set STROKESAM_TEST_DATA")
    assert np.mean([propagated_dice(*case) for case in cases]) >= 0.80


def test_every_correction_helps_on_real_lesions():
    """A click in the middle of the largest error, three times: no click lowers the Dice by more than 0.02."""
    cases = recist_cases()
    if not cases:
        pytest.skip("no real lesions: set STROKESAM_TEST_DATA")
    for image, truth in cases:
        session = Session(image)
        session.add(box_around(image, truth, largest_slice(truth)))
        session.propagate()
        scores = []
        for _ in range(4):
            mask = sitk.GetArrayFromImage(session.mask()) > 0
            scores.append(dice(mask, truth))
            error = max((truth & ~mask, mask & ~truth), key=np.count_nonzero)
            k = largest_slice(error)
            row, column = np.unravel_index(ndi.distance_transform_edt(error[k]).argmax(), error[k].shape)
            session.add(Point(position(image, column, row, k), positive=bool(truth[k, row, column])))
        assert min(np.diff(scores)) > -0.02 and scores[-1] > scores[0]


@pytest.fixture(scope="module")
def phantom():
    head = head_ct(2)
    return head.ncct, sitk.GetArrayFromImage(head.lesion) > 0


def test_one_box_segments_an_infarct(phantom):
    assert propagated_dice(*phantom) >= 0.80


def test_one_box_on_a_tilted_view_segments_an_infarct(phantom):
    image, truth = phantom
    normal = (0.0, 0.35, 0.94)
    session = Session(image, normal=normal, right=(1.0, 0.0, 0.0))
    slices = session.stack.slices_of(mask_image(truth, image))
    k = max(slices, key=lambda n: slices[n].sum())
    rows, columns = np.nonzero(slices[k])
    corners = ((columns.min(), rows.min(), k), (columns.max(), rows.max(), k))
    session.add(Box(*(tuple((session.stack.affine @ [*corner, 1])[:3]) for corner in corners)))
    session.propagate()
    mask = session.mask()
    assert mask.GetSize() == image.GetSize() and mask.GetOrigin() == image.GetOrigin()
    assert dice(sitk.GetArrayFromImage(mask) > 0, truth) > 0.75


def test_clicks_where_the_mask_is_most_wrong_improve_it(phantom):
    image, truth = phantom
    k = largest_slice(truth)
    session = Session(image)
    mask, scores = np.zeros_like(truth[k]), []
    for _ in range(5):
        missed, spurious = truth[k] & ~mask, mask & ~truth[k]
        wrong = missed if missed.sum() >= spurious.sum() else spurious
        row, column = np.unravel_index(ndi.distance_transform_edt(wrong).argmax(), wrong.shape)
        session.add(Point(position(image, column, row, k), positive=wrong is missed))
        mask = session.slice_mask(k)
        scores.append(dice(mask, truth[k]))
    assert scores[0] > 0.4 and scores[-1] > 0.85


def test_a_negative_click_is_outside_the_mask(phantom):
    image, truth = phantom
    k = largest_slice(truth)
    session = Session(image)
    session.add(box_around(image, truth, k))
    rows, columns = np.nonzero(session.slice_mask(k))
    row, column = int(rows.mean()), int(columns.mean())
    session.add(Point(position(image, column, row, k), positive=False))
    assert not session.slice_mask(k)[row, column]


@pytest.fixture
def brick():
    """A session with a propagated box on a bright brick, in three of nine slices, and the brick's mask."""
    volume = np.full((9, 60, 60), 60, np.uint8)
    volume[3:6, 20:40, 22:38] = 180
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((1, 1, 4))
    session = Session(image)
    session.add(Box(position(image, 22, 20, 4), position(image, 37, 39, 4)))
    session.propagate()
    return session, volume > 100


def test_a_negative_click_on_an_empty_slice_changes_nothing(brick):
    session, _ = brick
    session.add(Point(position(session.stack.reference, 30, 30, 7), positive=False))
    assert not session.slice_mask(7).any()


def test_slices_that_do_not_look_like_the_object_stay_empty(brick):
    session, truth = brick
    mask = sitk.GetArrayFromImage(session.mask()) > 0
    assert dice(mask, truth) > 0.9 and not mask[[0, 1, 7, 8]].any()


def test_a_leak_is_bounded_and_told():
    """A larger object than the prompts allow keeps its most likely voxels."""
    region = WalkerRegion.around(np.zeros((9, 60, 60), np.uint8), (4, 1, 1), np.zeros(3), np.full(3, 60.0))
    probability = np.linspace(0.51, 1, region.grey.size, dtype=np.float32).reshape(region.grey.shape)
    box = Extent(np.array([4.0, 20, 20]), np.array([4.0, 29, 29]))
    bounded, notes = _bounded(region, probability, [box], [])
    kept = bounded > 0.5
    assert notes and "cut to the volume" in notes[0]
    assert (
        0 < kept.sum() * region.step_mm.prod() <= 10 * 10 * 20 and probability[kept].min() >= probability[~kept].max()
    )


def test_the_grid_coarsens_the_finest_axes_first():
    region = WalkerRegion.around(np.zeros((40, 512, 512), np.uint8), (4, 0.5, 0.5), np.zeros(3), np.full(3, 600.0))
    assert region.grey.size <= 1 << 16 and region.block[0] <= 2 and region.block[1] == region.block[2] > 8
    constant = np.full(region.grey.shape, 0.25, np.float32)
    assert region.on_stack(constant).shape == (40, 512, 512) and np.allclose(region.on_stack(constant), 0.25)


@pytest.mark.perf
def test_a_correction_costs_less_than_the_box_and_no_more_in_a_larger_scan():
    """The time depends on the region around the prompts, not on the scan."""

    def seconds(shape):
        session = Session(sitk.GetImageFromArray(np.zeros(shape, np.uint8)))
        session.add(Box((100.0, 100.0, 10.0), (160.0, 160.0, 10.0)))
        times = []
        for n in range(5):
            start = time.process_time()
            session.add(Point((110.0 + 5 * n, 130.0, 12.0)))
            times.append(time.process_time() - start)
        return min(times)

    assert seconds((80, 400, 400)) < 3 * seconds((20, 260, 260))

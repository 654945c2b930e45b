"""The engine without weights, on real lesions and on infarcts in the CT phantom."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import REAL_DATA, dice
from scipy import ndimage as ndi

from StrokeSAMLib.imaging.phantom import head_ct
from StrokeSAMLib.interactive import Box, Point, Session
from StrokeSAMLib.interactive.engines.walker_solver import walk


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
    made = sitk.GetImageFromArray(truth.astype(np.uint8))
    made.CopyInformation(image)
    return made


def propagated(image, truth):
    session = Session(image)
    session.add(box_around(image, truth, largest_slice(truth)))
    session.propagate()
    return dice(sitk.GetArrayFromImage(session.mask()) > 0, truth)


def test_one_box_on_real_lesions():
    cases = recist_cases()
    if not cases:
        pytest.skip("no real lesions: set STROKESAM_TEST_DATA")
    assert np.mean([propagated(*case) for case in cases]) >= 0.80


@pytest.fixture(scope="module")
def phantom():
    made = head_ct(2)
    return made.ncct, sitk.GetArrayFromImage(made.lesion) > 0


def test_one_box_on_an_infarct(phantom):
    assert propagated(*phantom) >= 0.80


def test_one_box_on_a_tilted_view(phantom):
    image, truth = phantom
    normal = (0.0, 0.35, 0.94)
    session = Session(image, normal=normal, right=(1.0, 0.0, 0.0))
    there = session.stack.slices_of(mask_image(truth, image))
    k = max(there, key=lambda n: there[n].sum())
    rows, columns = np.nonzero(there[k])
    corners = ((columns.min(), rows.min(), k), (columns.max(), rows.max(), k))
    session.add(Box(*(tuple(session.stack.to_position(corner)) for corner in corners)))
    session.propagate()
    found = session.mask()
    assert found.GetSize() == image.GetSize() and found.GetOrigin() == image.GetOrigin()
    assert dice(sitk.GetArrayFromImage(found) > 0, truth) > 0.75


def test_clicks_alone_and_then_corrections(phantom):
    image, truth = phantom
    k = largest_slice(truth)
    session = Session(image)
    found, scores = np.zeros_like(truth[k]), []
    for _ in range(5):
        missed, spurious = truth[k] & ~found, found & ~truth[k]
        wrong = missed if missed.sum() >= spurious.sum() else spurious
        row, column = np.unravel_index(ndi.distance_transform_edt(wrong).argmax(), wrong.shape)
        session.add(Point(position(image, column, row, k), positive=wrong is missed))
        found = session.slice_mask(k)
        scores.append(dice(found, truth[k]))
    assert scores[0] > 0.4 and scores[-1] > 0.85


def test_a_click_holds(phantom):
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
    """A bright brick of three slices among nine, boxed and propagated."""
    volume = np.full((9, 60, 60), 60, np.uint8)
    volume[3:6, 20:40, 22:38] = 180
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((1, 1, 4))
    session = Session(image)
    session.add(Box(position(image, 22, 20, 4), position(image, 37, 39, 4)))
    session.propagate()
    return session, volume > 100


def test_a_negative_click_where_nothing_was_found_changes_nothing(brick):
    session, _ = brick
    session.add(Point(position(session.stack.reference, 30, 30, 7), positive=False))
    assert not session.slice_mask(7).any()


def test_nothing_like_the_object_is_followed(brick):
    session, truth = brick
    found = sitk.GetArrayFromImage(session.mask()) > 0
    assert dice(found, truth) > 0.9 and not found[[0, 1, 7, 8]].any()


class TestWalker:
    def test_a_walker_stops_at_an_edge(self):
        grey = np.zeros((9, 10))
        grey[:, 5:] = 1
        seeds = np.zeros(grey.shape, np.int8)
        seeds[4, 1], seeds[4, 8] = 1, -1
        found = walk(grey, np.full(grey.shape, 0.5), seeds) > 0.5
        assert found[:, :5].all() and not found[:, 5:].any()

    def test_seeds_stay_and_the_prior_decides_elsewhere(self):
        prior = np.full((5, 6), 0.9)
        seeds = np.zeros(prior.shape, np.int8)
        seeds[0] = -1
        found = walk(np.zeros(prior.shape), prior, seeds)
        assert (found[0] == 0).all() and (np.diff(found[:, 2]) > 0).all() and found.max() < 0.9

    def test_everything_seeded(self):
        seeds = np.ones((3, 3), np.int8)
        assert (walk(np.zeros((3, 3)), np.zeros((3, 3)), seeds) == 1).all()

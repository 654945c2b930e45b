"""A session whose engine answers in 3-D: every kind of prompt as one system, undo, replay, refusals."""

import numpy as np
import pytest
import SimpleITK as sitk
from bright import voxels
from helpers import dice

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.interactive import Box, Lasso, Mask, Point, Scribble, Session
from StrokeSAMLib.interactive.record import read_document, replay, to_document, write_document

TRUTH = np.zeros((9, 60, 60), bool)
TRUTH[3:6, 20:40, 22:38] = True


def volume(spacing=(1, 1, 4), truth=TRUTH, contrast=120):
    """A noisy volume with a bright brick where `truth` is."""
    noise = np.random.default_rng(0).normal(0, 5, truth.shape)
    image = sitk.GetImageFromArray((60 + contrast * truth + noise).astype(np.int16))
    image.SetSpacing([float(n) for n in spacing])
    image.SetOrigin((-20.0, 5.0, 30.0))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, 1, 0))
    return image


def position_in(image):
    """A function that gives the position of a column, row and slice."""
    return lambda *index: image.TransformContinuousIndexToPhysicalPoint([float(n) for n in index])


@pytest.fixture
def image():
    return volume()


@pytest.fixture
def at(image):
    return position_in(image)


@pytest.fixture
def session(image):
    return Session(image, "random-walker")


def mask_like(image, array):
    mask = sitk.GetImageFromArray(array.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def every_kind(image, at):
    """One prompt of each kind, all consistent with the brick."""
    corner = np.zeros(TRUTH.shape, bool)
    corner[:, 15:22, 18:24] = True
    return [
        Box(at(22, 20, 4), at(37, 39, 4)),
        Point(at(30, 30, 5)),
        Scribble((at(25, 25, 3), at(34, 25, 3), at(34, 34, 3))),
        Lasso((at(22, 32, 4), at(37, 32, 4), at(37, 39, 4), at(22, 39, 4))),
        Mask(mask_like(image, corner), positive=False),
        Scribble((at(10, 10, 4), at(16, 10, 4)), positive=False),
        Lasso((at(36, 20, 5), at(39, 20, 5), at(39, 24, 5), at(36, 24, 5)), positive=False),
        Box(at(30, 20, 3), at(30, 39, 5)),
    ]


class TestPrompts:
    @pytest.mark.parametrize(
        "corners",
        [
            ((22, 20, 4), (37, 39, 4)),
            ((30, 20, 3), (30, 39, 5)),
            ((22, 30, 3), (37, 30, 5)),
            ((22, 20, 3), (37, 39, 5)),
        ],
        ids=["axial", "sagittal", "coronal", "3-D"],
    )
    def test_a_box_in_any_plane_or_in_3_d_gives_the_object(self, session, at, corners):
        session.add(Box(*(at(*corner) for corner in corners)))
        session.propagate()
        assert dice(voxels(session), TRUTH) > 0.85

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_the_plane_of_the_slices_does_not_matter(self, image, at, axis):
        session = Session(image, axis=axis)
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate()
        assert dice(voxels(session), TRUTH) > 0.85

    def test_a_scribble_and_a_lasso_give_the_object(self, image, at):
        for prompt in (
            Scribble((at(26, 24, 4), at(34, 36, 4))),
            Lasso((at(21, 19, 4), at(38, 19, 4), at(38, 40, 4), at(21, 40, 4))),
        ):
            session = Session(image)
            session.add(prompt)
            session.propagate()
            assert dice(voxels(session), TRUTH) > 0.8

    def test_two_boxes_on_a_slice_are_two_parts_of_the_object(self):
        truth = TRUTH & ~((np.arange(60) > 26) & (np.arange(60) < 34))
        image = volume(truth=truth)
        at = position_in(image)
        session = Session(image)
        session.add(Box(at(22, 20, 4), at(26, 39, 4)))
        session.add(Box(at(34, 20, 4), at(37, 39, 4)))
        session.propagate()
        assert dice(voxels(session), truth) > 0.8

    def test_between_boxes_the_object_follows_both(self):
        truth = np.zeros((13, 60, 60), bool)
        for k in range(2, 11):
            truth[k, 15 + 2 * k : 30 + 2 * k, 20:36] = True
        image = volume(truth=truth)
        at = position_in(image)
        session = Session(image)
        for k in (2, 10):
            session.add(Box(at(20, 15 + 2 * k, k), at(35, 29 + 2 * k, k)))
        session.propagate()
        assert dice(voxels(session)[3:10], truth[3:10]) > 0.85

    def test_a_prompt_changes_all_slices_that_a_propagation_reached(self, session, at):
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        assert np.flatnonzero(voxels(session).any(axis=(1, 2))).tolist() == [4]
        session.propagate()
        before = voxels(session)
        assert before.any(axis=(1, 2)).sum() == 3
        session.add(Lasso(tuple(at(*c, 5) for c in ((20, 18), (40, 18), (40, 42), (20, 42))), positive=False))
        assert not voxels(session)[5].any() and voxels(session)[3].any()

    def test_the_range_of_a_propagation_bounds_the_object(self, session, at):
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate(first=4, last=5)
        session.add(Point(at(30, 30, 5)))
        assert np.flatnonzero(voxels(session).any(axis=(1, 2))).tolist() == [4, 5]

    def test_a_negative_stroke_far_from_the_object_changes_nothing(self, session, at):
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate()
        before = voxels(session)
        session.add(Scribble((at(0, 0, 0), at(59, 0, 8)), positive=False))
        assert (voxels(session) == before).all()

    def test_strokes_are_kept(self, session, image, at):
        for prompt in every_kind(image, at):
            session.add(prompt)
        session.propagate()
        found = voxels(session)
        assert found[3, 25, 25:35].all() and found[5, 30, 30] and not found[4, 10, 10:17].any()
        assert not found[5, 20:25, 36:40].any() and not found[:, 15:22, 18:24].any()

    def test_a_drawn_object_changes_only_near_corrections(self, session, image, at):
        drawn = np.zeros(TRUTH.shape, bool)
        drawn[2:7, 18:43:2, 20:41] = True  # nothing that the engine would find
        session.add(Mask(mask_like(image, drawn)))
        session.propagate()
        assert (voxels(session) == drawn).all()
        session.add(Point(at(22, 18, 3), positive=False))
        changed = np.argwhere(voxels(session) != drawn)
        assert len(changed) and not voxels(session)[3, 18, 22]
        assert (np.abs(changed - [3, 18, 22]).max(axis=0) <= [2, 12, 12]).all()

    def test_a_click_on_an_empty_slice_continues_the_object_there(self, session, at):
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate()
        before = voxels(session)
        session.add(Point(at(30, 30, 7)))
        after = voxels(session)
        assert after[7, 30, 30] and after[7].sum() <= before[5].sum()
        assert dice(after[:5], before[:5]) > 0.97


class TestUndo:
    def test_every_prompt_is_undone_and_redone(self, session, image, at):
        states = [voxels(session)]
        session.add(every_kind(image, at)[0])
        session.propagate()
        for prompt in every_kind(image, at)[1:]:
            states.append(voxels(session))
            session.add(prompt)
        last = voxels(session)
        for state in reversed(states[1:]):
            assert session.undo() and (voxels(session) == state).all()
        for state in states[2:]:
            assert session.redo() and (voxels(session) == state).all()
        assert session.redo() and (voxels(session) == last).all() and not session.redo()

    def test_a_removed_prompt_leaves_no_trace(self, session, image, at):
        session.add(every_kind(image, at)[0])
        session.propagate()
        numbers = {}
        for prompt in every_kind(image, at)[1:]:
            numbers[session.add(prompt)] = prompt
        for number in list(numbers):
            session.remove(number)
        alone = Session(image)
        alone.add(every_kind(image, at)[0])
        alone.propagate()
        assert (voxels(session) == voxels(alone)).all()

    def test_a_replay_of_every_kind_is_identical(self, session, image, at, tmp_path):
        for prompt in every_kind(image, at):
            session.add(prompt)
        session.propagate()
        session.undo()
        session.propagate(direction="up")
        write_document(to_document(session), tmp_path / "session.json")
        again = replay(read_document(tmp_path / "session.json"), image)
        assert (voxels(again) == voxels(session)).all() and to_document(again) == to_document(session)

    def test_a_record_of_the_engine_before_is_refused(self, session, image, at):
        session.add(every_kind(image, at)[0])
        document = to_document(session)
        del document["engine"]["revision"]
        with pytest.raises(InputError, match="revision 1 of the engine random-walker"):
            replay(document, image)


class TestBadPrompts:
    @pytest.mark.parametrize(
        ("prompt", "reason"),
        [
            (lambda at: Box(at(100, 100, 4), at(120, 120, 4)), "box .* lies outside the volume"),
            (lambda at: Box(at(22, 20, 3), at(22.3, 20.3, 3.3)), "has no area"),
            (lambda at: Scribble((at(30, 30, 4), at(90, 30, 4))), "scribble .* lies outside the volume"),
            (lambda at: Scribble(()), "scribble: it has no points"),
            (lambda at: Lasso((at(22, 20, 4), at(37, 20, 6), at(37, 39, 1), at(2, 39, 4))), "not lie in a plane"),
            (lambda at: Lasso((at(22, 20, 4), at(37, 20, 4), at(30, 20, 4))), "encloses no area"),
            (lambda at: Point(at(30, 30, 4), positive=False), "only negative points"),
            (lambda at: Scribble((at(30, 30, 4),), positive=False), "only negative points"),
        ],
    )
    def test_it_is_refused_and_the_session_is_as_before(self, session, at, prompt, reason):
        with pytest.raises(InputError, match=reason):
            session.add(prompt(at))
        assert not session.prompts and not session.can_undo

    def test_strokes_that_contradict_each_other_are_refused(self, session, at):
        session.add(Scribble((at(25, 25, 4), at(35, 35, 4))))
        for prompt in (Point(at(30, 30, 4), positive=False), Scribble((at(30, 26, 4), at(30, 34, 4)), positive=False)):
            with pytest.raises(InputError, match="contradicts another prompt"):
                session.add(prompt)

    def test_a_lasso_that_crosses_itself_counts_what_it_encloses(self, session, at):
        session.add(Lasso((at(22, 20, 4), at(37, 39, 4), at(37, 20, 4), at(22, 39, 4))))
        found = session.slice_mask(4)
        assert found[25:35, 23].any() and found[25:35, 36].any() and not found[:, :21].any()


class TestRareVolumes:
    @pytest.mark.parametrize("spacing", [(0.1, 0.1, 0.1), (20, 20, 20), (0.1, 0.1, 20)])
    def test_voxels_of_any_size(self, spacing):
        image = volume(spacing)
        at = position_in(image)
        session = Session(image)
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate()
        assert dice(voxels(session)[4], TRUTH[4]) > 0.8
        session.add(Point(at(23, 21, 4), positive=False))
        assert not session.slice_mask(4)[21, 23] and dice(session.slice_mask(4), TRUTH[4]) > 0.7

    def test_a_volume_of_one_slice(self):
        image = volume(truth=TRUTH[4:5])
        at = position_in(image)
        session = Session(image)
        session.add(Box(at(22, 20, 0), at(37, 39, 0)))
        session.add(Point(at(30, 30, 0), positive=False))
        assert dice(voxels(session)[0], TRUTH[4]) > 0.7 and not voxels(session)[0, 30, 30]

    def test_a_constant_image_gives_an_object_like_the_box(self):
        image = volume(contrast=0)
        at = position_in(image)
        session = Session(image - image)
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.propagate()
        assert dice(voxels(session)[4], TRUTH[4]) > 0.7


class TestPreview:
    def test_a_preview_is_the_answer_of_the_action_and_changes_nothing(self, session, at):
        session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        session.add(Point(at(30, 30, 4)))
        session.undo()
        before = session.actions(), session.slice_mask(4)
        scribble = Scribble((at(36, 20, 3), at(36, 38, 3)), positive=False)
        previewed = session.preview(scribble)
        assert session.actions() == before[0] and session.can_redo
        np.testing.assert_array_equal(session.slice_mask(4), before[1])
        session.add(scribble)
        assert previewed.keys() == set(session.slices())
        assert all(np.array_equal(mask, session.slice_mask(k)) for k, mask in previewed.items())

    def test_a_preview_of_a_moved_prompt(self, session, at):
        number = session.add(Box(at(22, 20, 4), at(37, 39, 4)))
        moved = Box(at(22, 20, 4), at(30, 39, 4))
        previewed = session.preview(moved, number)
        assert previewed[4].sum() < session.slice_mask(4).sum()
        session.change(number, moved)
        np.testing.assert_array_equal(previewed[4], session.slice_mask(4))

    def test_a_preview_raises_what_the_action_raises(self, session, at):
        with pytest.raises(InputError, match="outside the volume"):
            session.preview(Point(at(-5, 0, 0)))
        with pytest.raises(OptionError, match="no prompt 7"):
            session.preview(Point(at(30, 30, 4)), 7)

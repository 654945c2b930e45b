"""Propagation through the volume, propagation after corrections, and a plan as JSON."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, OBJECT, voxels

from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.interactive import Box, Point, PropagationPlan, Session
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis


def two_objects(engine):
    """A session with a box on an object of grey level 160, which another one of 110 continues from slice 8."""
    volume = np.full((COUNT, 40, 50), 20, np.uint8)
    volume[:8, 10:20, 15:25] = 160
    volume[8:, 10:20, 15:25] = 110
    session = Session.on(Encodings(engine, stack_along_axis(sitk.GetImageFromArray(volume), 2)))
    session.add(Box((12.0, 8.0, 4.0), (28.0, 22.0, 4.0)))
    return session


class TestPropagation:
    def test_it_covers_the_object_and_nothing_beyond(self, session, box):
        session.add(box())
        session.propagate()
        mask = voxels(session)
        assert mask[OBJECT, 10:30, 15:40].all() and mask.sum() == 6 * 500

    def test_both_directions_go_outward_in_turn(self, session, box):
        session.add(box())
        visited = []
        session.propagate(on_slice=lambda k, mask: visited.append((k, bool(mask.any()))))
        assert [k for k, _ in visited] == [6, 4, 7, 3, 8, 2, 9, 1, 10]
        assert [k for k, object_present in visited if object_present] == [6, 4, 7, 3, 8]

    @pytest.mark.parametrize(("direction", "reached"), [("up", {5, 6, 7, 8}), ("down", {3, 4, 5})])
    def test_one_direction(self, session, box, direction, reached):
        session.add(box())
        session.propagate(direction=direction)
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == reached

    def test_it_stays_within_the_range(self, session, box):
        session.add(box())
        session.propagate(first=4, last=6)
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == {4, 5, 6}

    def test_it_stops_after_empty_slices(self, session, engine, box):
        session.add(box())
        session.propagate(stop_after=1)
        assert set(engine.encoded) == set(range(2, 10))

    def test_it_goes_to_the_ends_of_the_stack_without_stop_after(self, session, engine, box):
        session.add(box())
        session.propagate(stop_after=0)
        assert set(engine.encoded) == set(range(COUNT))

    def test_it_passes_prompted_slices_and_keeps_their_masks(self, session, box, at):
        session.add(box(4))
        session.add(Point(at(20, 20, 7)))
        session.propagate()
        assert session.slice_mask(7).sum() < 100 and session.slice_mask(8).sum() < 100
        assert session.slice_mask(6).sum() == 500

    def test_a_session_without_prompts_is_refused(self, session):
        with pytest.raises(InputError, match="no slice in the range has a prompt"):
            session.propagate()

    def test_a_range_without_prompts_is_refused(self, session, box):
        session.add(box())
        with pytest.raises(InputError, match="no slice in the range"):
            session.propagate(first=7)

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"direction": "left"}, "direction is 'left'"),
            ({"policy": "magic"}, "propagation is 'magic'"),
            ({"first": 9, "last": 3}, "slices 9 to 3"),
            ({"last": COUNT}, "has slices 0 to 11"),
            ({"stop_after": -1}, "stop_after is -1"),
            ({"policy": "memory"}, "engine bright has no memory"),
        ],
    )
    def test_invalid_settings_are_refused(self, session, box, settings, reason):
        session.add(box())
        with pytest.raises(OptionError, match=reason):
            session.propagate(**settings)

    def test_a_cancelled_propagation_keeps_the_slices_so_far(self, session, box):
        session.add(box())
        cancel = threading.Event()
        with pytest.raises(Cancelled):
            session.propagate(monitor=Monitor(cancel=cancel), on_slice=lambda k, mask: k == 4 and cancel.set())
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == {4, 5, 6}

    def test_a_one_slice_volume(self, engine):
        image = sitk.GetImageFromArray(np.full((1, 20, 20), 200, np.uint8))
        session = Session.on(Encodings(engine, stack_along_axis(image, 2)))
        session.add(Box((2, 2, 0), (10, 10, 0)))
        assert session.propagate() == 0 and voxels(session).sum() == 81

    def test_it_ends_where_the_masks_show_another_object(self, engine):
        session = two_objects(engine)
        session.propagate(find_end=False)
        assert voxels(session).any(axis=(1, 2)).all()
        session.propagate(resume=False)
        assert np.flatnonzero(voxels(session).any(axis=(1, 2))).tolist() == list(range(8))

    def test_a_click_beyond_the_found_end_continues_the_rejected_mask(self, engine):
        session = two_objects(engine)
        session.propagate()
        session.add(Point((20.0, 15.0, 8.0)))
        assert session.slice_mask(8)[10:20, 15:25].all()

    def test_two_thousand_slices(self, engine):
        volume = np.full((2000, 16, 16), 20, np.uint8)
        volume[:, 4:12, 4:12] = 200
        session = Session.on(Encodings(engine, stack_along_axis(sitk.GetImageFromArray(volume), 2)))
        session.add(Box((3, 3, 700), (12, 12, 700)))
        session.propagate()
        assert (voxels(session) == (volume > 100)).all()


class TestCorrections:
    def test_a_correction_starts_from_the_propagated_mask(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        assert not session.slice_mask(7)[20, 20] and session.slice_mask(7).sum() > 400

    def test_a_correction_changes_the_next_propagation(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        session.propagate()
        assert not session.slice_mask(8)[20, 20]

    def test_only_slices_that_change_are_predicted_again(self, session, box, at):
        session.add(box(3))
        session.propagate(stop_after=0)
        session.add(Point(at(20, 20, 3)))
        visited = []
        session.propagate(stop_after=0, on_slice=lambda k, mask: visited.append(k))
        assert sorted(visited) == [0, 1, 2, 4, 5, 6]
        session.propagate(resume=False, on_slice=lambda k, mask: visited.append(k))
        assert voxels(session)[OBJECT, 10:30, 15:40].all()

    def test_a_correction_changes_nothing_beyond_the_next_prompted_slice(self, session, box, at):
        session.add(box(3))
        session.add(box(6))
        session.propagate()
        before = voxels(session)
        session.add(Point(at(20, 20, 4), positive=False))
        visited = []
        session.propagate(on_slice=lambda k, mask: visited.append(k))
        assert visited == [5] and not session.slice_mask(5)[20, 20]
        assert (voxels(session)[6:] == before[6:]).all() and (voxels(session)[:4] == before[:4]).all()

    def test_previous_masks_beyond_the_objects_new_end_are_emptied(self, engine):
        volume = np.full((COUNT, 40, 50), 20, np.uint8)
        volume[:, 10:14, 15:19] = 200
        session = Session.on(Encodings(engine, stack_along_axis(sitk.GetImageFromArray(volume), 2)))
        session.add(Box((14.0, 9.0, 2.0), (20.0, 15.0, 2.0)))
        session.propagate()
        assert voxels(session).any(axis=(1, 2)).all()
        session.add(Point((16.5, 11.5, 6.0), positive=False))
        session.propagate()
        assert np.flatnonzero(voxels(session).any(axis=(1, 2))).tolist() == [0, 1, 2, 3, 4, 5]

    def test_a_removed_prompt_starts_the_propagation_anew(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(20, 20, 7)))
        session.propagate()
        assert session.slice_mask(8).sum() < 100
        session.remove(number)
        session.propagate()
        assert session.slice_mask(8).sum() == 500


def test_a_plan_is_restored_from_json():
    plan = PropagationPlan("up", "box", 2, 9, 3, False)
    assert PropagationPlan(**plan.to_json()) == plan

"""Prompts of a session: the masks that they give, the prompts that are refused, and undo."""

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, OBJECT, voxels

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.interactive import Box, Mask, Point


class TestPrompts:
    def test_a_box_gives_the_mask_of_its_slice(self, session, box):
        session.add(box())
        assert session.slice_mask(5)[10:30, 15:40].all() and session.slice_mask(5).sum() == 500
        assert not session.slice_mask(4).any()

    def test_points_on_several_slices_give_a_mask_on_each(self, session, at):
        session.add(Point(at(20, 20, 4)))
        session.add(Point(at(30, 20, 7)))
        assert session.slices() == [4, 7] and session.slice_mask(7)[20, 30]

    def test_a_click_costs_one_prediction_and_no_encoding(self, session, engine, box, at):
        session.add(box())
        session.add(Point(at(20, 20, 5), positive=False))
        assert engine.predicted == 2 and engine.encoded == [5]

    def test_a_prompt_is_changed_and_removed(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(20, 20, 5), positive=False))
        assert not session.slice_mask(5)[20, 20]
        session.change(number, Point(at(30, 20, 5), positive=False))
        assert session.slice_mask(5)[20, 20] and not session.slice_mask(5)[20, 30]
        session.remove(number)
        assert session.slice_mask(5).sum() == 500 and len(session.prompts) == 1

    def test_a_box_moved_to_another_slice_leaves_its_slice_empty(self, session, box):
        number = session.add(box(5))
        session.change(number, box(6))
        assert session.slices() == [6] and not session.slice_mask(5).any()

    def test_an_unknown_prompt_is_refused(self, session):
        with pytest.raises(OptionError, match="no prompt 7"):
            session.remove(7)

    def test_a_mask_is_propagated(self, session, image):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[4:6, 12:20, 16:30] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask))
        assert session.slices() == [4, 5]
        session.propagate()
        assert (voxels(session) == (array[4] > 0) & np.isin(np.arange(COUNT), range(3, 9))[:, None, None]).all()

    def test_a_negative_mask_is_excluded_from_the_object(self, session, image, box):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[:, :, :25] = 1
        excluded = sitk.GetImageFromArray(array)
        excluded.CopyInformation(image)
        session.add(Mask(excluded, positive=False))
        session.add(box())
        session.propagate()
        mask = voxels(session)
        assert mask[OBJECT, 10:30, 25:40].all() and not mask[:, :, :25].any()

    def test_a_box_across_slices_prompts_the_middle_one_and_gives_the_span(self, session, box):
        session.add(box(3, 8))
        assert session.slices() == [5] and session.span() == (3, 8)


class TestBadPrompts:
    def check_refused(self, session, prompt, reason):
        before = session.actions()
        with pytest.raises(InputError, match=reason):
            session.add(prompt)
        assert session.actions() == before

    def test_a_point_outside_the_volume(self, session, at):
        self.check_refused(session, Point(at(20, 20, COUNT)), r"point \(.*\) LPS mm lies outside the volume")

    def test_a_box_outside_the_volume(self, session, at):
        self.check_refused(session, Box(at(100, 9, 5), at(120, 31, 5)), "lies outside the volume")

    def test_a_box_without_area(self, session, at):
        self.check_refused(session, Box(at(14, 9, 5), at(14, 31, 5)), "no area")

    def test_a_second_box_on_a_slice(self, session, box):
        session.add(box())
        self.check_refused(session, box(), "slice 5 has a box already")

    def test_only_negative_points(self, session, at):
        self.check_refused(session, Point(at(20, 20, 5), positive=False), "only negative points")

    def test_contradictory_points(self, session, at):
        session.add(Point(at(20, 20, 5)))
        self.check_refused(session, Point(at(20, 20, 5), positive=False), "contradicts")

    def test_an_empty_mask(self, session, image):
        self.check_refused(session, Mask(image * 0), "has no voxel within the volume")

    def test_a_prompt_type_that_the_engine_does_not_take(self, session, at, engine):
        engine.accepts = frozenset({"box"})
        for positive in (True, False):
            with pytest.raises(OptionError, match="engine bright takes no point, only box"):
                session.add(Point(at(20, 20, 5), positive))

    def test_a_box_is_cut_at_the_volumes_edge(self, session, at):
        session.add(Box(at(-30, -30, 5), at(30, 20, 5)))
        assert session.slice_mask(5)[10:21, 15:31].all()


class TestUndo:
    def test_each_action_is_undone_and_redone(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        sizes = [voxels(session).sum()]
        while session.undo():
            sizes.append(voxels(session).sum())
        assert sizes[1:] == [3000, 500, 0]
        while session.redo():
            pass
        assert voxels(session).sum() == sizes[0] and not session.can_redo

    def test_a_new_action_drops_the_undone_ones(self, session, box, at):
        session.add(box())
        session.undo()
        session.add(Point(at(20, 20, 7)))
        assert not session.redo()

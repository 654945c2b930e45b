"""Prompts of a session: what they give, and which are refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, OBJECT, voxels

from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.interactive import Box, Mask, Point


class TestPrompts:
    def test_a_box_gives_the_mask_of_its_slice(self, session, box):
        session.add(box())
        assert session.slice_mask(5)[10:30, 15:40].all() and session.slice_mask(5).sum() == 500
        assert not session.slice_mask(4).any()

    def test_points_on_several_slices(self, session, at):
        session.add(Point(at(20, 20, 4)))
        session.add(Point(at(30, 20, 7)))
        assert session.slices_with_prompts() == [4, 7] and session.slice_mask(7)[20, 30]

    def test_a_click_costs_one_answer_and_no_encoding(self, session, engine, box, at):
        session.add(box())
        session.add(Point(at(20, 20, 5), positive=False))
        assert engine.predicted == 2 and engine.encoded == [5]

    def test_change_and_remove(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(20, 20, 5), positive=False))
        assert not session.slice_mask(5)[20, 20]
        session.change(number, Point(at(30, 20, 5), positive=False))
        assert session.slice_mask(5)[20, 20] and not session.slice_mask(5)[20, 30]
        session.remove(number)
        assert session.slice_mask(5).sum() == 500 and len(session.prompts) == 1

    def test_moved_to_another_slice(self, session, box):
        number = session.add(box(5))
        session.change(number, box(6))
        assert session.slices_with_prompts() == [6] and not session.slice_mask(5).any()

    def test_no_such_prompt(self, session):
        with pytest.raises(OptionError, match="no prompt 7"):
            session.remove(7)

    def test_a_mask_is_a_start(self, session, image):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[4:6, 12:20, 16:30] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask))
        assert session.slices_with_prompts() == [4, 5]
        session.propagate()
        assert (voxels(session) == (array[4] > 0) & np.isin(np.arange(COUNT), range(3, 9))[:, None, None]).all()

    def test_a_negative_mask_is_where_the_object_is_not(self, session, image, box):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[:, :, :25] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask, positive=False))
        session.add(box())
        session.propagate()
        found = voxels(session)
        assert found[OBJECT, 10:30, 25:40].all() and not found[:, :, :25].any()

    def test_a_box_across_slices_prompts_the_middle_and_tells_the_span(self, session, box):
        session.add(box(3, 8))
        assert session.slices_with_prompts() == [5] and session.span() == (3, 8)


class TestBadPrompts:
    def refused(self, session, prompt, reason):
        before = session.actions()
        with pytest.raises(InputError, match=reason):
            session.add(prompt)
        assert session.actions() == before

    def test_a_point_outside_the_volume(self, session, at):
        self.refused(session, Point(at(20, 20, COUNT)), r"point \(.*\) LPS mm lies outside the volume")

    def test_a_box_outside_the_volume(self, session, at):
        self.refused(session, Box(at(100, 9, 5), at(120, 31, 5)), "lies outside the volume")

    def test_a_box_of_no_area(self, session, at):
        self.refused(session, Box(at(14, 9, 5), at(14, 31, 5)), "no area")

    def test_a_second_box_on_a_slice(self, session, box):
        session.add(box())
        self.refused(session, box(), "slice 5 has a box already")

    def test_only_negative_points(self, session, at):
        self.refused(session, Point(at(20, 20, 5), positive=False), "only negative points")

    def test_contradictory_points(self, session, at):
        session.add(Point(at(20, 20, 5)))
        self.refused(session, Point(at(20, 20, 5), positive=False), "contradicts")

    def test_an_empty_mask(self, session, image):
        self.refused(session, Mask(image * 0), "holds nothing")

    def test_a_prompt_that_the_engine_does_not_take(self, session, at, engine):
        engine.accepts = frozenset({"box"})
        for positive in (True, False):
            with pytest.raises(OptionError, match="engine bright takes no point, only box"):
                session.add(Point(at(20, 20, 5), positive))

    def test_a_box_is_cut_at_the_volumes_edge(self, session, at):
        session.add(Box(at(-30, -30, 5), at(30, 20, 5)))
        assert session.slice_mask(5)[10:21, 15:31].all()

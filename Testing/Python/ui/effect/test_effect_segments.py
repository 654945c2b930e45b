"""Several segments: another one is selected or removed while the effect works, or the object is kept out of it."""

import pytest
from fake_qt import send

pytest.importorskip("slicer")

from balls import MIDDLE, paint
from effect_host import EVENTS, click, draw, finish, listed, mouse_event, of_kind, timer_runs, written
from nodes import segment_array

HALF = (slice(None), slice(None), slice(0, MIDDLE[2]))


def avoid_others():
    """Check the box that keeps the object out of other segments."""
    send(next(each for each in of_kind("QCheckBox") if "other segments" in each.text), "toggled(bool)", True)


def test_prompts_are_listed_again_when_the_segment_is_selected_again(effect, host, red, volume):
    first = host.node.GetSelectedSegmentID()
    draw(effect, red, volume)
    finish()
    host.select(host.add_segment())
    assert listed() == []
    host.select(first)
    finish()
    assert listed() == [f"Box, slice {MIDDLE[0]}"]


def test_another_segment_that_is_selected_meanwhile_is_not_written_to(effect, host, red, volume):
    """Slicer writes into the selected segment, even if the prompts belong to another one."""
    segmentation, first = host.node.GetSegmentationNode(), host.node.GetSelectedSegmentID()
    second = host.add_segment()
    draw(effect, red, volume)
    finish()
    click("Both")
    host.select(second)
    finish()
    assert host.undoStates == 0 and not segment_array(segmentation, second, volume).any()
    draw(effect, red, volume)
    click("Both")
    finish()
    assert segment_array(segmentation, second, volume).any() and not segment_array(segmentation, first, volume).any()


def test_another_segment_is_not_written_to_without_a_notification(effect, host, red, volume):
    draw(effect, red, volume)
    finish()
    click("Both")
    host.node.SetDisableModifiedEvent(1)
    host.select(host.add_segment())
    finish()
    assert host.undoStates == 0 and not written(host).any()
    assert any("another segment is selected" in each.text for each in of_kind("QLabel"))


def test_after_the_segment_is_removed_the_next_one_can_be_drawn_on(effect, host, red, volume):
    first, second = host.node.GetSelectedSegmentID(), host.add_segment()
    draw(effect, red, volume)
    finish()
    host.node.GetSegmentationNode().GetSegmentation().RemoveSegment(first)
    host.select(second)
    assert draw(effect, red, volume) == [True, True, True]
    finish()
    assert len(listed()) == 1


def test_a_drag_during_which_another_segment_is_selected_draws_nothing(effect, host, red, volume):
    assert mouse_event(effect, red, EVENTS.LeftButtonPressEvent)
    host.select(host.add_segment())
    assert not mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent)
    assert not timer_runs()


def test_the_modules_panel_starts_from_the_segments_content(effect, host, red, volume):
    """`ui.effect.segment_editor` calls the method `refine`."""
    inside = (slice(MIDDLE[0] - 1, MIDDLE[0] + 2), slice(None), slice(0, MIDDLE[2]))
    paint(host.node.GetSegmentationNode(), host.node.GetSelectedSegmentID(), volume, inside)
    host.select(host.node.GetSelectedSegmentID())
    effect.refine()
    finish()
    assert len(listed()) == 1
    effect.deactivate()
    effect.refine()
    assert not timer_runs()


@pytest.fixture
def neighbour(host, volume):
    """Another segment: the half of the volume with the low columns."""
    segment = host.add_segment("Neighbour")
    paint(host.node.GetSegmentationNode(), segment, volume, HALF)
    return segment


def test_the_object_is_kept_out_of_other_visible_segments(effect, host, red, volume, neighbour):
    draw(effect, red, volume)
    avoid_others()
    click("Both")
    finish()
    assert written(host).any() and not written(host)[HALF].any()


def test_writing_does_not_count_as_a_change_of_other_segments(effect, host, red, volume, neighbour):
    """Segments share a labelmap: writing one of them changes the labelmap of all, but not the voxels of the others."""
    avoid_others()
    draw(effect, red, volume)
    for _ in range(3):
        click("Both")
        finish()
    editor = effect.promptEditor
    assert written(host).any() and list(editor.prompts) == [1, 2]
    paint(host.node.GetSegmentationNode(), neighbour, volume, (slice(None), slice(None), slice(0, MIDDLE[2] + 2)))
    click("Both")
    finish()
    assert len(editor.prompts) == 2 and list(editor.prompts) != [1, 2]  # a new mask prompt for the changed segment

"""The prompt editor writes segments with Slicer's own segment editor logic: undo, masking, other segments."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, ball, grey, paint  # noqa: E402
from nodes import ROTATION, add_linear_transform, add_volume, segment_array  # noqa: E402
from prompt_editing import add_point, finish, written  # noqa: E402

from StrokeSAMLib.mrml.interactive import savedSession  # noqa: E402

HALF = (slice(None), slice(None), slice(0, MIDDLE[2]))


def test_each_write_is_one_state_for_undo_and_redo(boxed, view, target):
    boxed.apply()
    finish(boxed)
    one = written(target)
    boxed.propagate()
    finish(boxed)
    propagated = written(target)
    view.logic.Undo()
    assert (written(target) == one).all() and one.any(axis=(1, 2)).sum() == 1
    view.logic.Redo()
    assert (written(target) == propagated).all()
    view.logic.Undo()
    view.logic.Undo()
    assert not written(target).any() and view.writes == 2


def test_a_prompt_that_writes_nothing_leaves_slicers_redo(boxed, view, target, volume):
    boxed.propagate()
    finish(boxed)
    propagated = written(target)
    view.logic.Undo()
    add_point(boxed, volume, MIDDLE[::-1])
    finish(boxed)
    assert len(savedSession(target.segment)["actions"]) == 3 and view.logic.CanRedo()
    view.logic.Redo()
    assert (written(target) == propagated).all() and propagated.any()
    boxed.clear()
    assert savedSession(target.segment) is None and view.logic.CanUndo()


@pytest.fixture
def corrected(boxed, target, volume):
    """The segment after a first result and after a corrected one."""
    boxed.propagate()
    finish(boxed)
    first = written(target)
    add_point(boxed, volume, (MIDDLE[2] + 5, MIDDLE[1], MIDDLE[0]), positive=False)
    boxed.propagate()
    finish(boxed)
    second = written(target)
    assert (first & ~second).any()
    return first, second


def test_after_slicers_undo_the_earlier_result_is_replaced(boxed, corrected, view, target):
    first, second = corrected
    view.logic.Undo()
    assert (written(target) == first).all()
    boxed.apply()
    finish(boxed)
    assert (written(target) == second).all()
    view.logic.Undo()
    view.logic.Undo()
    assert not written(target).any()
    boxed.apply()
    finish(boxed)
    assert (written(target) == second).all()


@pytest.mark.parametrize("undone", [False, True])
def test_painted_voxels_stay_where_the_session_once_had_its_own(boxed, corrected, view, target, volume, undone):
    first, second = corrected
    if undone:
        view.logic.Undo()
    painted = np.zeros_like(first)
    painted[tuple(np.argwhere(~first if undone else first & ~second)[0])] = True
    paint(target.segmentationNode, target.segmentId, volume, painted)
    boxed.apply()
    finish(boxed)
    assert (written(target) == (second | painted)).all()


def test_a_neighbour_outside_the_editable_area_survives(boxed, view, target, volume):
    neighbour = target.segmentationNode.GetSegmentation().AddEmptySegment("", "Neighbour")
    paint(target.segmentationNode, neighbour, volume, HALF)
    view.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    boxed.propagate()
    finish(boxed)
    assert segment_array(target.segmentationNode, neighbour, volume)[HALF].all()
    assert not written(target)[HALF].any() and written(target).any()


def test_the_object_is_kept_out_of_other_segments(boxed, target, volume):
    neighbour = target.segmentationNode.GetSegmentation().AddEmptySegment("", "Neighbour")
    paint(target.segmentationNode, neighbour, volume, HALF)
    boxed.avoid([neighbour])
    boxed.propagate()
    finish(boxed)
    assert not written(target)[HALF].any() and written(target).any()
    boxed.avoid([])
    boxed.apply()
    finish(boxed)
    assert written(target)[HALF].any()


@pytest.mark.parametrize("which", ["volume", "segmentation", "both"])
def test_under_a_parent_transform(scene, editor, target, volume, which):
    transform = add_linear_transform(scene, ROTATION, (5, 6, 7)).GetID()
    if which != "segmentation":
        volume.SetAndObserveTransformNodeID(transform)
    if which != "volume":
        target.segmentationNode.SetAndObserveTransformNodeID(transform)
    target.segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    add_point(editor, volume, MIDDLE[::-1])
    editor.propagate()
    finish(editor)
    mask = written(target)
    assert mask[MIDDLE] and (mask & ~ball()).sum() < 0.3 * mask.sum()


def test_refining_the_segments_content(editor, target, volume):
    paint(target.segmentationNode, target.segmentId, volume, ball())
    editor.refine()
    add_point(editor, volume, MIDDLE[::-1], positive=False)
    editor.apply()
    finish(editor)
    assert not written(target)[MIDDLE] and written(target).sum() > ball().sum() / 2


def test_undo_of_prompts(boxed):
    boxed.propagate()
    finish(boxed)
    slices = len(boxed.sessionView.outlines)
    boxed.undo()
    finish(boxed)
    assert len(boxed.sessionView.outlines) == 1 < slices and boxed.sessionView.canRedo
    boxed.redo()
    finish(boxed)
    assert len(boxed.sessionView.outlines) == slices


def test_an_object_beyond_the_segmentations_geometry_is_refused_with_a_message(scene, boxed, view, target):
    smaller = add_volume(scene, name="smaller", values=grey()[: MIDDLE[0]])
    target.segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(smaller)
    boxed.propagate()
    finish(boxed)
    assert view.writes == 0 and "extends beyond the segmentation's geometry" in view.messages[-1]

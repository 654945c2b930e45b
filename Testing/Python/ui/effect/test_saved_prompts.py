"""Prompts that are saved in the segment's tag: reopened, kept, refused and removed."""

import pytest

pytest.importorskip("slicer")

from balls import MIDDLE, axial, grey
from nodes import add_volume
from prompt_editing import add_point, draw_box, finish, written

from StrokeSAMLib.mrml.interactive import savedSession, saveSession
from StrokeSAMLib.ui.effect.prompt_editor import Target


def test_prompts_are_reopened_when_the_segment_is_selected_again(editor, pointer, scene, target, volume):
    draw_box(pointer, axial(scene, volume), volume)
    editor.propagate()
    finish(editor)
    before, outlines = written(target), editor.sessionView.outlines
    other = Target(volume, target.segmentationNode, target.segmentationNode.GetSegmentation().AddEmptySegment())
    editor.setTarget(other)
    assert not editor.prompts
    editor.setTarget(target)
    assert len(editor.prompts) == 1  # at once, before anything is computed
    finish(editor)
    assert editor.sessionView.outlines.keys() == outlines.keys()
    editor.delete(next(iter(editor.prompts)))
    editor.apply()
    finish(editor)
    assert before.any() and written(target).sum() < before.sum()


def test_slicers_undo_does_not_remove_prompts(editor, pointer, scene, view, target, volume):
    draw_box(pointer, axial(scene, volume), volume)
    editor.apply()
    finish(editor)
    before = editor.sessionView.document["actions"]
    editor.propagate()
    finish(editor)
    view.logic.Undo()
    view.logic.Undo()
    assert savedSession(target.segment)["actions"] == before
    after = editor.sessionView.document["actions"]
    editor.setTarget(None)
    assert savedSession(target.segment)["actions"] == after != before and view.logic.CanRedo()


def test_slicer_offers_once_to_save_changed_prompts(editor, pointer, scene, target, volume, tmp_path):
    """Observers of the segment are not notified of the change."""
    node = target.segmentationNode
    node.AddDefaultStorageNode(str(tmp_path / "lesion.seg.nrrd"))

    def modified():
        result, saved = node.GetModifiedSinceRead(), node.GetStorageNode().WriteData(node)
        assert saved and not node.GetModifiedSinceRead()
        return result

    modified()
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    assert modified()
    editor.setTarget(None)
    editor.setTarget(target)
    finish(editor)
    assert not modified()
    editor.clear()
    assert modified()


def test_prompts_of_another_volume_are_refused_and_kept(scene, editor, view, pointer, target, volume):
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    other = add_volume(scene, values=grey() + 1, name="Other CT")
    editor.setTarget(Target(other, target.segmentationNode, target.segmentId))
    finish(editor)
    assert view.messages[-1].startswith("Other CT: it has changed since the prompts were set")
    assert savedSession(target.segment)["actions"] and not editor.prompts


def test_clearing_removes_prompts(scene, editor, pointer, target, volume):
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    editor.clear()
    finish(editor)
    assert not editor.prompts and savedSession(target.segment) is None


@pytest.mark.parametrize("engine", [{"id": "sam9"}, {"revision": 1}])
def test_prompts_of_an_unknown_engine_or_revision_are_kept(editor, pointer, scene, view, target, volume, engine):
    """As if another version had saved the scene: its tag stays until the next prompt."""
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    editor.setTarget(None)
    saved = savedSession(target.segment)
    unknown = {**saved, "engine": {**saved["engine"], **engine}}
    saveSession(target.segmentationNode, target.segmentId, unknown)
    editor.setTarget(target)
    finish(editor)
    assert "of another version" in view.messages[-1]
    assert len(editor.prompts) == 1 and savedSession(target.segment) == unknown
    add_point(editor, volume, MIDDLE[::-1])
    finish(editor)
    assert len(editor.prompts) == 2 and len(editor.sessionView.outlines) == 1
    assert savedSession(target.segment)["engine"]["id"] == "random-walker"

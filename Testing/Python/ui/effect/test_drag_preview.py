"""The answer while a prompt is dragged: only the newest position is predicted, and undo stays one step."""

import threading

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, axial, xy_of  # noqa: E402
from bright import Bright  # noqa: E402
from nodes import world_of  # noqa: E402
from prompt_editing import draw_box, finish  # noqa: E402

from StrokeSAMLib.interactive import Session  # noqa: E402

K, ROW, COLUMN = MIDDLE


@pytest.fixture
def node(scene, volume):
    return axial(scene, volume)


@pytest.fixture
def corner(editor, pointer, node, volume):
    """The place of a corner of the box that the editor has."""
    draw_box(pointer, node, volume)
    finish(editor)
    return xy_of(node, world_of(volume, (COLUMN + 10, ROW + 9, K)))


def inwards(node, volume, steps):
    """The place of the corner when it is dragged so many voxels into the object."""
    return xy_of(node, world_of(volume, (COLUMN + 10 - steps, ROW + 9, K)))


def test_the_outline_follows_a_dragged_box_and_undo_is_one_step(editor, pointer, node, volume, corner):
    before, actions = editor.sessionView.outlines[K], len(editor.sessionView.document["actions"])
    pointer.press(corner, node)
    for steps in (4, 6, 8):
        pointer.move(inwards(node, volume, steps))
        finish(editor)
    live = editor.live[K]
    assert live.shape != before.shape and editor.sessionView.outlines[K] is before
    pointer.release(inwards(node, volume, 8))
    finish(editor)
    assert not editor.live and len(editor.sessionView.document["actions"]) == actions + 1
    np.testing.assert_array_equal(editor.sessionView.outlines[K], live)
    editor.undo()
    finish(editor)
    np.testing.assert_array_equal(editor.sessionView.outlines[K], before)


def test_a_line_that_is_being_drawn_is_answered(editor, pointer, node, volume, corner):
    pointer.tool = "negative"
    pointer.press(xy_of(node, world_of(volume, (COLUMN + 5, ROW - 4, K))), node)
    pointer.move(xy_of(node, world_of(volume, (COLUMN + 5, ROW + 4, K))))
    finish(editor)
    assert editor.live[K].shape != editor.sessionView.outlines[K].shape and len(editor.prompts) == 1


def test_only_the_newest_position_is_predicted(editor, pointer, node, volume, corner, monkeypatch):
    tried, started, go, preview = [], threading.Event(), threading.Event(), Session.preview

    def slow(session, prompt, number=None):
        tried.append(prompt)
        started.set()
        assert go.wait(20)
        return preview(session, prompt, number)

    monkeypatch.setattr(Session, "preview", slow)
    pointer.press(corner, node)
    pointer.move(inwards(node, volume, 2))
    assert started.wait(20)
    for steps in (3, 4, 5, 6):
        pointer.move(inwards(node, volume, steps))
    newest = pointer.band[1]
    go.set()
    finish(editor)
    assert len(tried) == 2
    x, y, z = tried[1].second
    np.testing.assert_allclose(xy_of(node, (-x, -y, z)), newest, atol=0.01)


def test_the_release_does_not_wait_for_more_than_one_position(editor, pointer, node, volume, corner, monkeypatch):
    tried, preview = [], Session.preview
    monkeypatch.setattr(Session, "preview", lambda *arguments: tried.append(1) or preview(*arguments))
    pointer.press(corner, node)
    for steps in (1, 2, 3, 4):
        pointer.move(inwards(node, volume, steps))
    pointer.release(inwards(node, volume, 4))
    finish(editor)
    assert len(tried) == 1 and not editor.live and len(editor.sessionView.document["actions"]) == 2


def test_esc_during_a_drag_shows_the_present_answer(editor, pointer, node, volume, corner):
    pointer.press(corner, node)
    pointer.move(inwards(node, volume, 6))
    finish(editor)
    assert editor.live
    pointer.move(inwards(node, volume, 8))
    pointer.cancel()
    finish(editor)
    assert not editor.live and len(editor.sessionView.document["actions"]) == 1


def test_a_position_that_is_refused_leaves_the_answer_before_it(editor, pointer, node, volume, corner, view):
    pointer.tool = "positive"
    place = xy_of(node, world_of(volume, MIDDLE[::-1]))
    pointer.press(place, node)
    pointer.release(place)
    finish(editor)
    pointer.press(place, node)
    pointer.move(xy_of(node, world_of(volume, (-9, ROW, K))))
    finish(editor)
    assert not editor.live and not view.messages
    pointer.release(xy_of(node, world_of(volume, (-9, ROW, K))))
    finish(editor)
    assert "outside the volume" in view.messages[0] and len(editor.prompts) == 2


def test_an_engine_for_slices_answers_at_the_release(editor, pointer, node, volume, monkeypatch):
    engine = Bright()
    monkeypatch.setattr("StrokeSAMLib.interactive.engines.registry.load_engine", lambda *arguments: engine)
    draw_box(pointer, node, volume)
    finish(editor)
    count = engine.predicted
    pointer.press(xy_of(node, world_of(volume, (COLUMN + 10, ROW + 9, K))), node)
    pointer.move(inwards(node, volume, 6))
    finish(editor)
    assert engine.predicted == count and not editor.live


def test_leaving_the_segment_during_a_drag_drops_the_answer(editor, pointer, node, volume, corner):
    pointer.press(corner, node)
    pointer.move(inwards(node, volume, 6))
    editor.setTarget(None)
    finish(editor)
    assert not editor.live and not editor.prompts

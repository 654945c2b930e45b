"""Prompts by mouse in slice views, with real MRML and a real session, without Qt."""

import threading

import numpy as np
import pytest
from helpers import dice

pytest.importorskip("slicer")

from balls import MIDDLE, axial, ball, box_of, slice_node, xy_of
from bright import Bright
from nodes import world_of
from prompt_editing import drag, draw_box, finish, written


def test_a_dragged_box_becomes_a_prompt_a_preview_and_a_segment(scene, editor, pointer, view, target, volume):
    node = axial(scene, volume)
    band = draw_box(pointer, node, volume)
    assert band is not None and pointer.band is None
    finish(editor)
    (prompt,) = editor.prompts.values()
    corners = np.array([[-1, -1, 1], [-1, -1, 1]]) * np.array(box_of(volume))
    np.testing.assert_allclose([prompt.first, prompt.second], corners, atol=0.3)
    assert list(editor.sessionView.outlines) == [MIDDLE[0]] and not written(target).any() and view.writes == 0
    editor.propagate()
    finish(editor)
    assert view.writes == 1 and dice(written(target), ball()) > 0.85
    assert view.progress and not view.messages


def test_in_an_oblique_view_the_masks_lie_where_the_view_shows_them(scene, editor, pointer, target, volume):
    angle = np.deg2rad(30)
    down = (0, -np.cos(angle), -np.sin(angle))
    node = slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), down)
    centre = xy_of(node, world_of(volume, MIDDLE[::-1]))
    drag(pointer, node, (centre[0] - 32, centre[1] - 34), (centre[0] + 32, centre[1] + 34))
    finish(editor)
    assert "normal" in editor.sessionView.document["plane"]
    editor.propagate()
    finish(editor)
    assert dice(written(target), ball()) > 0.7


def test_points_of_both_signs(scene, editor, pointer, target, volume):
    node = axial(scene, volume)
    draw_box(pointer, node, volume)
    pointer.tool = "negative"
    outside = world_of(volume, (MIDDLE[2] + 5, MIDDLE[1], MIDDLE[0]))
    drag(pointer, node, xy_of(node, outside), xy_of(node, outside))
    pointer.tool = "positive"
    drag(pointer, node, xy_of(node, world_of(volume, MIDDLE[::-1])), xy_of(node, world_of(volume, MIDDLE[::-1])))
    finish(editor)
    assert [getattr(prompt, "positive", None) for prompt in editor.prompts.values()] == [None, False, True]
    editor.apply()
    finish(editor)
    assert written(target)[MIDDLE] and not written(target)[MIDDLE[0], MIDDLE[1], MIDDLE[2] + 5]


def test_a_click_without_a_drag_draws_no_box(scene, editor, pointer, volume):
    node = axial(scene, volume)
    drag(pointer, node, (200, 200), (201, 202))
    drag(pointer, node, (200, 200), (240, 200))
    finish(editor)
    assert not editor.prompts


def test_a_prompt_is_selected_moved_and_deleted(scene, editor, pointer, volume):
    node = axial(scene, volume)
    draw_box(pointer, node, volume)
    finish(editor)
    first, second = (xy_of(node, corner) for corner in box_of(volume))
    drag(pointer, node, second, (second[0] + 10, second[1] + 6))
    finish(editor)
    ((number, moved),) = editor.prompts.items()
    place = xy_of(node, [-moved.second[0], -moved.second[1], moved.second[2]])
    corners = sorted([place, xy_of(node, [-moved.first[0], -moved.first[1], moved.first[2]])])
    expected = sorted([first, (second[0] + 10, second[1] + 6)])
    np.testing.assert_allclose(corners, expected, atol=1.5)
    assert editor.selected == number
    editor.delete()
    finish(editor)
    assert not editor.prompts and editor.selected is None and not editor.sessionView.outlines


def test_a_point_is_moved(scene, editor, pointer, volume):
    node = axial(scene, volume)
    pointer.tool = "positive"
    place = xy_of(node, world_of(volume, MIDDLE[::-1]))
    drag(pointer, node, place, place)
    finish(editor)
    drag(pointer, node, place, (place[0] + 12, place[1]))
    finish(editor)
    (prompt,) = editor.prompts.values()
    x, y, z = prompt.position
    np.testing.assert_allclose(xy_of(node, (-x, -y, z)), (place[0] + 12, place[1]), atol=0.01)


def test_esc_ends_a_drag_without_a_prompt(scene, editor, pointer, volume):
    node = axial(scene, volume)
    pointer.press((100, 100), node)
    pointer.move((200, 200))
    assert pointer.band == ((100, 100), (200, 200))
    pointer.cancel()
    pointer.release((200, 200))
    assert not pointer.dragging and not editor.prompts


def test_busy_while_slices_are_encoded_ahead(scene, editor, pointer, volume, monkeypatch):
    """Otherwise the timer would stop, and the encoding with it."""
    go, encode, encoded = threading.Event(), Bright.encode, []

    def slow(engine, *slice):
        encoded.append(slice)
        assert len(encoded) == 1 or go.wait(20)
        return encode(engine, *slice)

    monkeypatch.setattr(Bright, "encode", slow)
    monkeypatch.setattr("StrokeSAMLib.interactive.engines.registry.load_engine", lambda *arguments: Bright())
    draw_box(pointer, axial(scene, volume), volume)
    while editor._worker.busy:
        editor.poll(patience=1.0)
    assert editor.sessionView.outlines and editor.running == "" and editor.busy
    go.set()
    finish(editor)
    assert len(encoded) == editor.sessionView.count


@pytest.mark.parametrize(("scale", "distance", "gripped"), [(1.0, 6, True), (1.0, 12, False), (2.0, 12, True)])
def test_a_point_is_gripped_within_eight_logical_pixels(scene, editor, pointer, volume, scale, distance, gripped):
    node = axial(scene, volume)
    pointer.tool = "positive"
    place = xy_of(node, world_of(volume, MIDDLE[::-1]))
    drag(pointer, node, place, place)
    finish(editor)
    pointer.press((place[0] + distance, place[1]), node, scale)
    assert (editor.selected is not None) == gripped
    pointer.cancel()

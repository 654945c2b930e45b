"""Scribbles and lassos in slice views: drawn, shown, moved, deleted, saved, clipped and refused."""

import itertools

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, SIZE, axial, ball, slice_node, xy_of  # noqa: E402
from bright import Bright  # noqa: E402
from helpers import dice  # noqa: E402
from nodes import world_of  # noqa: E402
from prompt_editing import draw_box, finish, written  # noqa: E402

from StrokeSAMLib.interactive import Lasso, Point, Scribble  # noqa: E402
from StrokeSAMLib.ui.effect.overlay import Overlay  # noqa: E402
from StrokeSAMLib.ui.effect.prompt_editor import Target  # noqa: E402
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice  # noqa: E402
from StrokeSAMLib.ui.effect.slice_view import SliceView  # noqa: E402

K, ROW, COLUMN = MIDDLE


def places_of(node, volume, *voxels):
    """The places (XY) of voxels (i, j) on the middle slice."""
    return [xy_of(node, world_of(volume, (i, j, K))) for i, j in voxels]


def trace(pointer, node, places, tool):
    """Draw with the mouse through these places, with steps between them as of a real mouse."""
    pointer.tool = tool
    pointer.press(places[0], node)
    for start, end in itertools.pairwise(places):
        for part in np.linspace(0, 1, 12)[1:]:
            pointer.move(tuple((np.array(start) + part * np.subtract(end, start)).tolist()))
    pointer.release(places[-1])


def around(radius=10, count=24, middle=(COLUMN, ROW)):
    """Voxels (i, j) on a circle."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return [(middle[0] + radius * np.cos(angle), middle[1] + radius * np.sin(angle)) for angle in angles]


def drawn(overlay, name):
    """Whether lines of this name are visible."""
    return bool(overlay._lines[name].actor.GetVisibility())


@pytest.fixture
def node(scene, volume):
    return axial(scene, volume)


@pytest.fixture
def scribbled(editor, pointer, node, volume):
    """The prompt editor after a box and a scribble outside the object, 5 voxels from its middle."""
    draw_box(pointer, node, volume)
    trace(pointer, node, places_of(node, volume, (COLUMN + 5, ROW - 4), (COLUMN + 5, ROW + 4)), "negative")
    finish(editor)
    return editor


@pytest.mark.parametrize("tool", ["positive", "negative"])
def test_dragging_with_a_point_tool_draws_a_scribble_of_its_sign(editor, pointer, node, volume, view, tool):
    draw_box(pointer, node, volume)
    trace(pointer, node, places_of(node, volume, (COLUMN - 3, ROW), (COLUMN + 3, ROW)), tool)
    finish(editor)
    scribble = list(editor.prompts.values())[1]
    assert isinstance(scribble, Scribble) and scribble.positive == (tool == "positive") and not view.messages
    ends = SliceView(node).xyOf(np.array([scribble.points[0], scribble.points[-1]]))
    np.testing.assert_allclose(ends, places_of(node, volume, (COLUMN - 3, ROW), (COLUMN + 3, ROW)), atol=0.01)


def test_the_voxels_of_a_scribble_are_kept(scribbled, target):
    scribbled.apply()
    finish(scribbled)
    mask = written(target)
    assert mask[MIDDLE] and not mask[K, ROW - 4 : ROW + 5, COLUMN + 5].any()


def test_a_click_that_trembles_is_a_point(editor, pointer, node, volume):
    node.SetScreenScaleFactor(1.0)  # device pixels per logical pixel, which the application sets
    (x, y), *_ = places_of(node, volume, (COLUMN, ROW))
    trace(pointer, node, [(x, y), (x + 2, y + 1), (x, y)], "positive")
    finish(editor)
    (prompt,) = editor.prompts.values()
    assert isinstance(prompt, Point)


def test_a_drawn_outline_becomes_a_lasso_and_the_object(editor, pointer, node, volume, target):
    trace(pointer, node, places_of(node, volume, *around()), "lasso")
    editor.propagate()
    finish(editor)
    (prompt,) = editor.prompts.values()
    assert isinstance(prompt, Lasso) and prompt.positive and dice(written(target), ball()) > 0.8


def test_a_lasso_that_crosses_itself_encloses_both_parts(editor, pointer, node, volume, view):
    eight = [(COLUMN - 8, ROW - 8), (COLUMN + 8, ROW + 8), (COLUMN + 8, ROW - 8), (COLUMN - 8, ROW + 8)]
    trace(pointer, node, places_of(node, volume, *eight), "lasso")
    finish(editor)
    assert len(editor.prompts) == 1 and editor.sessionView.outlines and not view.messages


@pytest.mark.parametrize("length", [0, 5])
def test_a_lasso_without_area_adds_nothing(editor, pointer, node, volume, view, length):
    start, end = places_of(node, volume, (COLUMN, ROW), (COLUMN + length, ROW))
    trace(pointer, node, [start, end], "lasso")
    finish(editor)
    assert not editor.prompts and len(view.messages) == (length > 0)
    assert all("encloses no area" in message and "\n" not in message for message in view.messages)


def test_lines_are_drawn_while_dragging(editor, pointer, node, volume):
    overlay, places = Overlay(node), places_of(node, volume, (COLUMN - 8, ROW), (COLUMN + 8, ROW), (COLUMN, ROW + 8))
    for tool, name in (("positive", "positive"), ("negative", "negative"), ("lasso", "band")):
        pointer.tool = tool
        pointer.press(places[0], node)
        pointer.move(places[1])
        pointer.move(places[2])
        overlay.update(editor, pointer)
        closed = np.array_equal(pointer.line[-1, 1], pointer.line[0, 0])
        assert drawn(overlay, name) and closed == (tool == "lasso")
        pointer.cancel()
        overlay.update(editor, pointer)
        assert not drawn(overlay, name) and not len(pointer.line)


def test_lines_are_drawn_as_prompts_on_their_slice_only(scene, scribbled, pointer, node, volume):
    trace(pointer, node, places_of(node, volume, *around(12)), "lasso")
    finish(scribbled)
    far = slice_node(scene, world_of(volume, (COLUMN, ROW, K + 3)), (-1, 0, 0), (0, -1, 0))
    for view, visible in ((node, True), (far, False)):
        overlay = Overlay(view)
        overlay.update(scribbled, pointer)
        assert drawn(overlay, "negative") == drawn(overlay, "box") == visible
    edges = {type(prompt): SliceView(node).promptEdges(prompt, None) for prompt in scribbled.prompts.values()}
    assert np.array_equal(edges[Lasso][-1, 1], edges[Lasso][0, 0])
    assert not np.array_equal(edges[Scribble][-1, 1], edges[Scribble][0, 0])


def test_a_box_and_a_lasso_in_another_plane_are_drawn_there_only(scene, editor, pointer, node, volume, view):
    draw_box(pointer, node, volume)
    coronal = slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), (0, 0, -1))
    corners = [(COLUMN - 10, K - 4), (COLUMN + 10, K - 4), (COLUMN + 10, K + 4), (COLUMN - 10, K + 4)]
    places = [xy_of(coronal, world_of(volume, (i, ROW, k))) for i, k in corners]
    trace(pointer, coronal, places[::2], "box")
    trace(pointer, coronal, places, "lasso")
    finish(editor)
    axial_box, coronal_box, lasso = editor.prompts.values()
    stack = editor.sessionView.affine
    assert not view.messages
    for prompt, where, elsewhere in ((axial_box, node, coronal), (coronal_box, coronal, node), (lasso, coronal, node)):
        assert len(SliceView(where).promptEdges(prompt, stack)) >= 4
        assert not len(SliceView(elsewhere).promptEdges(prompt, stack))
    np.testing.assert_allclose(
        sorted(SliceView(coronal).promptCorners(coronal_box, stack).tolist()), sorted(places), atol=0.1
    )


def test_the_box_tool_selects_a_line_and_moves_it(scribbled, pointer, node, volume):
    (number, before), *_ = [entry for entry in scribbled.prompts.items() if isinstance(entry[1], Scribble)]
    trace(pointer, node, places_of(node, volume, (COLUMN + 5, ROW), (COLUMN + 7, ROW)), "box")
    finish(scribbled)
    shift = np.subtract(world_of(volume, (COLUMN + 7, ROW, K)), world_of(volume, (COLUMN + 5, ROW, K))) * [-1, -1, 1]
    assert scribbled.selected == number and len(scribbled.prompts) == 2
    np.testing.assert_allclose(scribbled.prompts[number].points, np.array(before.points) + shift, atol=0.2)


def test_another_line_may_begin_beside_a_line(scribbled, pointer, node, volume):
    trace(pointer, node, places_of(node, volume, (COLUMN + 5.3, ROW), (COLUMN + 9, ROW)), "negative")
    finish(scribbled)
    assert [type(prompt) for prompt in scribbled.prompts.values()].count(Scribble) == 2


def test_a_line_is_selected_deleted_undone_and_redone(scribbled):
    with_scribble = scribbled.sessionView.outlines[K]
    scribbled.select(2)
    scribbled.delete()
    finish(scribbled)
    without = scribbled.sessionView.outlines[K]
    assert list(scribbled.prompts) == [1] and without.shape != with_scribble.shape
    scribbled.undo()
    finish(scribbled)
    assert list(scribbled.prompts) == [1, 2]
    np.testing.assert_array_equal(scribbled.sessionView.outlines[K], with_scribble)
    scribbled.redo()
    finish(scribbled)
    assert list(scribbled.prompts) == [1]


def test_lines_are_saved_with_the_segment_and_reopened(scribbled, pointer, node, volume, target):
    trace(pointer, node, places_of(node, volume, *around(12)), "lasso")
    finish(scribbled)
    prompts, outlines = dict(scribbled.prompts), scribbled.sessionView.outlines
    segmentation = target.segmentationNode
    scribbled.setTarget(Target(volume, segmentation, segmentation.GetSegmentation().AddEmptySegment()))
    scribbled.setTarget(target)
    assert dict(scribbled.prompts) == prompts
    finish(scribbled)
    assert dict(scribbled.prompts) == prompts
    assert all(np.array_equal(edges, outlines[k]) for k, edges in scribbled.sessionView.outlines.items())


def test_a_lasso_beyond_the_volume_is_clipped(editor, pointer, node, volume, view):
    """It encloses the same voxels as one that runs along the edge."""
    corner = [(-6, -6), (12, -6), (12, 9), (-6, 9)]
    trace(pointer, node, places_of(node, volume, *corner), "lasso")
    finish(editor)
    (lasso,) = editor.prompts.values()
    low, high = np.min(lasso.points, axis=0), np.max(lasso.points, axis=0)
    edge, inside = (np.array(world_of(volume, (i, j, K))) * [-1, -1, 1] for i, j in ((0, 0), (12, 9)))
    np.testing.assert_allclose([low, high], [np.minimum(edge, inside), np.maximum(edge, inside)], atol=0.1)
    assert not view.messages


def test_the_part_of_a_scribble_beyond_the_volume_is_left_out(editor, pointer, node, volume, view):
    trace(pointer, node, places_of(node, volume, (4, ROW), (-8, ROW)), "positive")
    finish(editor)
    (scribble,) = editor.prompts.values()
    x = np.array(scribble.points)[:, 0]
    ends = [-world_of(volume, (i, ROW, K))[0] for i in (4, -0.5)]
    assert min(ends) - 0.1 <= x.min() and x.max() <= max(ends) + 0.1 and not view.messages


@pytest.mark.parametrize("tool", ["positive", "lasso"])
def test_a_line_outside_the_volume_is_refused_in_one_line(editor, pointer, node, volume, view, tool):
    outside = [(SIZE[2] + 3, ROW), (SIZE[2] + 9, ROW), (SIZE[2] + 9, ROW + 5)]
    trace(pointer, node, places_of(node, volume, *outside), tool)
    finish(editor)
    assert not editor.prompts and len(view.messages) == 1
    assert "outside the volume" in view.messages[0] and "\n" not in view.messages[0]


def test_with_an_engine_without_scribbles_a_drag_sets_a_point(editor, pointer, node, volume, view, monkeypatch):
    monkeypatch.setattr("StrokeSAMLib.interactive.engines.registry.load_engine", lambda *arguments: Bright())
    editor.setEngine(EngineChoice("sam2.1-tiny"))
    trace(pointer, node, places_of(node, volume, (COLUMN - 3, ROW), (COLUMN + 3, ROW)), "positive")
    finish(editor)
    (prompt,) = editor.prompts.values()
    assert isinstance(prompt, Point) and not view.messages
    trace(pointer, node, places_of(node, volume, *around()), "lasso")
    finish(editor)
    assert len(editor.prompts) == 1 and "takes no lasso" in view.messages[0]

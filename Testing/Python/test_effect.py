"""The effect without Qt: mouse, prompts, previews and writing, with real MRML and Slicer's own segment editor logic."""

import threading
import time

import numpy as np
import pytest
from helpers import dice

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from balls import MIDDLE, axial, ball, box_of, grey, paint, slice_node, xy_of  # noqa: E402
from editor_without_qt import EditorWithoutQt  # noqa: E402
from nodes import ROTATION, add_linear_transform, add_volume, segment_array, world_of  # noqa: E402

from StrokeSAMLib.interactive import Box, Point  # noqa: E402
from StrokeSAMLib.interactive.engines.random_walker import RandomWalker  # noqa: E402
from StrokeSAMLib.jobs import Worker  # noqa: E402
from StrokeSAMLib.mrml.interactive import savedSession  # noqa: E402
from StrokeSAMLib.ui.overlay import Overlay  # noqa: E402
from StrokeSAMLib.ui.pointer import Pointer  # noqa: E402
from StrokeSAMLib.ui.prompt_editor import PromptEditor, Target  # noqa: E402
from StrokeSAMLib.ui.prompt_session import EngineChoice, Engines  # noqa: E402


@pytest.fixture
def volume(scene):
    return add_volume(scene, values=grey())


@pytest.fixture
def segmentation(scene, volume):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


@pytest.fixture
def target(segmentation, volume):
    return Target(volume, segmentation, segmentation.GetSegmentation().AddEmptySegment("", "Lesion"))


@pytest.fixture
def view(scene, target):
    return EditorWithoutQt(scene, target.segmentationNode, target.volumeNode, target.segmentId)


@pytest.fixture
def editor(view, target):
    worker = Worker()
    made = PromptEditor(view, worker, Engines())
    made.setTarget(target)
    yield made
    worker.stop(timeout=5)


@pytest.fixture
def pointer(editor):
    return Pointer(editor)


def finish(editor, seconds=60):
    """Poll as the timer does."""
    end = time.monotonic() + seconds
    while editor.busy and time.monotonic() < end:
        editor.poll()
        time.sleep(0.005)
    editor.poll()
    assert not editor.busy


def drag(pointer, node, first, second):
    pointer.press(first, node)
    pointer.move(tuple((a + b) / 2 for a, b in zip(first, second, strict=True)))
    pointer.move(second)
    band = pointer.band
    pointer.release(second)
    return band


def draw_box(pointer, node, volume):
    first, second = (xy_of(node, corner) for corner in box_of(volume))
    return drag(pointer, node, first, second)


def found(target):
    return segment_array(target.segmentationNode, target.segmentId, target.volumeNode)


class TestMouse:
    def test_a_dragged_box_becomes_a_prompt_a_preview_and_a_segment(self, scene, editor, pointer, view, target, volume):
        node = axial(scene, volume)
        band = draw_box(pointer, node, volume)
        assert band is not None and pointer.band is None
        finish(editor)
        (prompt,) = editor.prompts.values()
        corners = np.array([[-1, -1, 1], [-1, -1, 1]]) * np.array(box_of(volume))
        np.testing.assert_allclose([prompt.first, prompt.second], corners, atol=0.3)
        assert list(editor.shown.outlines) == [MIDDLE[0]] and not found(target).any() and view.writes == 0
        editor.propagate()
        finish(editor)
        assert view.writes == 1 and dice(found(target), ball()) > 0.85
        assert view.progress and not view.messages

    def test_in_an_oblique_view_the_masks_land_where_the_view_shows_them(self, scene, editor, pointer, target, volume):
        angle = np.deg2rad(30)
        down = (0, -np.cos(angle), -np.sin(angle))
        node = slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), down)
        centre = xy_of(node, world_of(volume, MIDDLE[::-1]))
        drag(pointer, node, (centre[0] - 32, centre[1] - 34), (centre[0] + 32, centre[1] + 34))
        finish(editor)
        assert "normal" in editor.shown.document["plane"]
        editor.propagate()
        finish(editor)
        assert dice(found(target), ball()) > 0.7

    def test_points_of_both_signs(self, scene, editor, pointer, target, volume):
        node = axial(scene, volume)
        draw_box(pointer, node, volume)
        pointer.tool = "negative"
        off = world_of(volume, (MIDDLE[2] + 5, MIDDLE[1], MIDDLE[0]))
        drag(pointer, node, xy_of(node, off), xy_of(node, off))
        pointer.tool = "positive"
        drag(pointer, node, xy_of(node, world_of(volume, MIDDLE[::-1])), xy_of(node, world_of(volume, MIDDLE[::-1])))
        finish(editor)
        assert [getattr(prompt, "positive", None) for prompt in editor.prompts.values()] == [None, False, True]
        editor.apply()
        finish(editor)
        assert found(target)[MIDDLE] and not found(target)[MIDDLE[0], MIDDLE[1], MIDDLE[2] + 5]

    def test_a_click_without_a_drag_draws_no_box(self, scene, editor, pointer, volume):
        node = axial(scene, volume)
        drag(pointer, node, (200, 200), (201, 202))
        drag(pointer, node, (200, 200), (240, 200))
        finish(editor)
        assert not editor.prompts

    def test_a_prompt_is_selected_moved_and_deleted(self, scene, editor, pointer, volume):
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
        assert not editor.prompts and editor.selected is None and not editor.shown.outlines

    def test_a_point_is_moved(self, scene, editor, pointer, volume):
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

    def test_esc_lets_go(self, scene, editor, pointer, volume):
        node = axial(scene, volume)
        pointer.press((100, 100), node)
        pointer.move((200, 200))
        assert pointer.band == ((100, 100), (200, 200))
        pointer.cancel()
        pointer.release((200, 200))
        assert not pointer.dragging and not editor.prompts

    def test_busy_while_slices_are_encoded_ahead(self, scene, editor, pointer, volume, monkeypatch):
        """Else the timer would stop, and with it the encoding."""
        go, encode, encoded = threading.Event(), RandomWalker.encode, []

        def slow(engine, *slice):
            encoded.append(slice)
            assert len(encoded) == 1 or go.wait(20)
            return encode(engine, *slice)

        monkeypatch.setattr(RandomWalker, "encode", slow)
        draw_box(pointer, axial(scene, volume), volume)
        while editor._worker.busy:
            editor.poll(patience=1.0)
        assert editor.shown.outlines and editor.running == "" and editor.busy
        go.set()
        finish(editor)
        assert len(encoded) == editor.shown.count


class TestWriting:
    @pytest.fixture
    def boxed(self, editor, volume):
        first, second = ((-x, -y, z) for x, y, z in box_of(volume))
        editor.add(Box(first, second), ((0, 0, 1), (1, 0, 0)))
        finish(editor)
        return editor

    def test_one_state_for_undo_and_redo(self, boxed, view, target):
        boxed.apply()
        finish(boxed)
        one = found(target)
        boxed.propagate()
        finish(boxed)
        whole = found(target)
        view.logic.Undo()
        assert (found(target) == one).all() and one.any(axis=(1, 2)).sum() == 1
        view.logic.Redo()
        assert (found(target) == whole).all()
        view.logic.Undo()
        view.logic.Undo()
        assert not found(target).any() and view.writes == 2

    def test_a_prompt_that_writes_nothing_leaves_slicers_redo(self, boxed, view, target, volume):
        boxed.propagate()
        finish(boxed)
        whole = found(target)
        view.logic.Undo()
        x, y, z = world_of(volume, MIDDLE[::-1])
        boxed.add(Point((-x, -y, z)), ((0, 0, 1), (1, 0, 0)))
        finish(boxed)
        assert len(savedSession(target.segment)["actions"]) == 3 and view.logic.CanRedo()
        view.logic.Redo()
        assert (found(target) == whole).all() and whole.any()
        boxed.clear()
        assert savedSession(target.segment) is None and view.logic.CanUndo()

    @pytest.fixture
    def corrected(self, boxed, target, volume):
        """Written, corrected, written: and what was written each time."""
        boxed.propagate()
        finish(boxed)
        first = found(target)
        x, y, z = world_of(volume, (MIDDLE[2] + 5, MIDDLE[1], MIDDLE[0]))
        boxed.add(Point((-x, -y, z), positive=False), ((0, 0, 1), (1, 0, 0)))
        boxed.propagate()
        finish(boxed)
        second = found(target)
        assert (first & ~second).any()
        return first, second

    def test_after_slicers_undo_the_former_result_is_replaced(self, boxed, corrected, view, target):
        first, second = corrected
        view.logic.Undo()
        assert (found(target) == first).all()
        boxed.apply()
        finish(boxed)
        assert (found(target) == second).all()
        view.logic.Undo()
        view.logic.Undo()
        assert not found(target).any()
        boxed.apply()
        finish(boxed)
        assert (found(target) == second).all()

    @pytest.mark.parametrize("undone", [False, True])
    def test_what_is_painted_where_it_once_was_stays(self, boxed, corrected, view, target, volume, undone):
        first, second = corrected
        if undone:
            view.logic.Undo()
        painted = np.zeros_like(first)
        painted[tuple(np.argwhere(~first if undone else first & ~second)[0])] = True
        paint(target.segmentationNode, target.segmentId, volume, painted)
        boxed.apply()
        finish(boxed)
        assert (found(target) == (second | painted)).all()

    def test_a_neighbour_outside_the_editable_area_survives(self, boxed, view, target, volume):
        neighbour = target.segmentationNode.GetSegmentation().AddEmptySegment("", "Neighbour")
        half = (slice(None), slice(None), slice(0, MIDDLE[2]))
        paint(target.segmentationNode, neighbour, volume, half)
        view.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
        boxed.propagate()
        finish(boxed)
        assert segment_array(target.segmentationNode, neighbour, volume)[half].all()
        assert not found(target)[half].any() and found(target).any()

    def test_other_segments_as_not_here(self, boxed, target, volume):
        neighbour = target.segmentationNode.GetSegmentation().AddEmptySegment("", "Neighbour")
        half = (slice(None), slice(None), slice(0, MIDDLE[2]))
        paint(target.segmentationNode, neighbour, volume, half)
        boxed.avoid([neighbour])
        boxed.propagate()
        finish(boxed)
        assert not found(target)[half].any() and found(target).any()
        boxed.avoid([])
        boxed.apply()
        finish(boxed)
        assert found(target)[half].any()

    @pytest.mark.parametrize("which", ["volume", "segmentation", "both"])
    def test_under_a_parent_transform(self, scene, editor, target, volume, which):
        transform = add_linear_transform(scene, ROTATION, (5, 6, 7)).GetID()
        if which != "segmentation":
            volume.SetAndObserveTransformNodeID(transform)
        if which != "volume":
            target.segmentationNode.SetAndObserveTransformNodeID(transform)
        target.segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        x, y, z = world_of(volume, MIDDLE[::-1])
        editor.add(Point((-x, -y, z)), ((0, 0, 1), (1, 0, 0)))
        editor.propagate()
        finish(editor)
        mask = found(target)
        assert mask[MIDDLE] and (mask & ~ball()).sum() < 0.3 * mask.sum()

    def test_refining_what_is_there(self, editor, target, volume):
        paint(target.segmentationNode, target.segmentId, volume, ball())
        editor.refine()
        x, y, z = world_of(volume, MIDDLE[::-1])
        editor.add(Point((-x, -y, z), positive=False), ((0, 0, 1), (1, 0, 0)))
        editor.apply()
        finish(editor)
        assert not found(target)[MIDDLE] and found(target).sum() > ball().sum() / 2

    def test_undo_of_prompts(self, boxed):
        boxed.propagate()
        finish(boxed)
        slices = len(boxed.shown.outlines)
        boxed.undo()
        finish(boxed)
        assert len(boxed.shown.outlines) == 1 < slices and boxed.shown.canRedo
        boxed.redo()
        finish(boxed)
        assert len(boxed.shown.outlines) == slices


class TestSavedPrompts:
    def test_reopened_when_the_segment_is_selected_again(self, editor, pointer, scene, target, volume):
        draw_box(pointer, axial(scene, volume), volume)
        editor.propagate()
        finish(editor)
        before, outlines = found(target), editor.shown.outlines
        other = Target(volume, target.segmentationNode, target.segmentationNode.GetSegmentation().AddEmptySegment())
        editor.setTarget(other)
        assert not editor.prompts
        editor.setTarget(target)
        assert len(editor.prompts) == 1  # at once, before anything is computed
        finish(editor)
        assert editor.shown.outlines.keys() == outlines.keys()
        editor.delete(next(iter(editor.prompts)))
        editor.apply()
        finish(editor)
        assert before.any() and found(target).sum() < before.sum()

    def test_slicers_undo_does_not_take_prompts_away(self, editor, pointer, scene, view, target, volume):
        draw_box(pointer, axial(scene, volume), volume)
        editor.apply()
        finish(editor)
        draw = editor.shown.document["actions"]
        editor.propagate()
        finish(editor)
        view.logic.Undo()
        view.logic.Undo()
        assert savedSession(target.segment)["actions"] == draw
        after = editor.shown.document["actions"]
        editor.setTarget(None)
        assert savedSession(target.segment)["actions"] == after != draw and view.logic.CanRedo()

    def test_are_something_to_save_once(self, editor, pointer, scene, target, volume, tmp_path):
        """Slicer is not told of the change, but offers to save it."""
        node = target.segmentationNode
        node.AddDefaultStorageNode(str(tmp_path / "lesion.seg.nrrd"))

        def modified():
            found, written = node.GetModifiedSinceRead(), node.GetStorageNode().WriteData(node)
            assert written and not node.GetModifiedSinceRead()
            return found

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

    def test_of_another_volume_are_refused_and_kept(self, scene, editor, view, pointer, target, volume):
        draw_box(pointer, axial(scene, volume), volume)
        finish(editor)
        other = add_volume(scene, values=grey() + 1, name="Other CT")
        editor.setTarget(Target(other, target.segmentationNode, target.segmentId))
        finish(editor)
        assert "Other CT: not the one of the session" in view.messages[-1]
        assert savedSession(target.segment)["actions"] and not editor.prompts

    def test_clearing_removes_them(self, scene, editor, pointer, target, volume):
        draw_box(pointer, axial(scene, volume), volume)
        finish(editor)
        editor.clear()
        finish(editor)
        assert not editor.prompts and savedSession(target.segment) is None


class TestAtAnyMoment:
    """Nodes vanish, the scene closes, another segment is selected: while it computes."""

    @pytest.fixture
    def propagating(self, editor, volume):
        first, second = ((-x, -y, z) for x, y, z in box_of(volume))
        editor.add(Box(first, second), ((0, 0, 1), (1, 0, 0)))
        editor.propagate()
        return editor

    @pytest.mark.parametrize("what", ["scene", "volume", "segmentation", "segment", "another", "none"])
    def test_nothing_is_written_and_nothing_breaks(self, scene, propagating, view, target, what):
        segmentation = target.segmentationNode
        if what == "scene":
            scene.Clear(False)
        elif what == "volume":
            scene.RemoveNode(target.volumeNode)
        elif what == "segmentation":
            scene.RemoveNode(segmentation)
        elif what == "segment":
            segmentation.GetSegmentation().RemoveSegment(target.segmentId)
        elif what == "another":
            propagating.setTarget(
                Target(target.volumeNode, segmentation, segmentation.GetSegmentation().AddEmptySegment())
            )
        else:
            propagating.setTarget(None)
        finish(propagating)
        assert view.writes == 0 and propagating.running == ""

    def test_a_cancelled_propagation_is_a_preview(self, editor, view, volume):
        first, second = ((-x, -y, z) for x, y, z in box_of(volume))
        editor.add(Box(first, second), ((0, 0, 1), (1, 0, 0)))
        finish(editor)
        editor.propagate(stop_after=0)
        editor._view.showState = lambda: editor.cancel() if len(editor.live) >= 2 else None
        finish(editor)
        assert view.writes == 0 and "Cancelled." in view.messages and editor.running == ""
        assert len(editor.shown.outlines) >= 1

    def test_the_volume_moves(self, scene, editor, view, target, volume, pointer):
        draw_box(pointer, axial(scene, volume), volume)
        finish(editor)
        volume.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), (1, 0, 0)).GetID())
        editor.propagate()
        finish(editor)
        assert "CT: the volume or its transform changed" in view.messages[-1] and not editor.prompts

    @pytest.mark.parametrize("what", ["scene", "segment", "another", "none"])
    def test_what_happens_while_packages_are_installed(self, scene, editor, view, target, volume, what):
        """Slicer handles events meanwhile; the prompt was for the segment of before."""
        segmentation = target.segmentationNode
        other = Target(volume, segmentation, segmentation.GetSegmentation().AddEmptySegment())

        def install(id):
            if what == "scene":
                scene.Clear(False)
                editor.setTarget(None)  # as the effect does when the scene is closed
            elif what == "segment":
                segmentation.GetSegmentation().RemoveSegment(target.segmentId)
            else:
                editor.setTarget(other if what == "another" else None)
            return True

        view.prepareEngine = install
        editor.add(Point((0, 0, 0)), ((0, 0, 1), (1, 0, 0)))
        assert not editor.busy and editor.running == ""
        finish(editor)
        assert not editor.prompts and view.writes == 0
        assert what != "another" or (editor.target == other and savedSession(other.segment) is None)

    def test_an_engine_that_cannot_be_had(self, editor, view, volume):
        finish(editor)
        view.ready = False
        editor.add(Point((0, 0, 0)), ((0, 0, 1), (1, 0, 0)))
        assert not editor.busy and editor.running == ""
        view.ready = True
        editor.setEngine(EngineChoice("medsam2"))
        editor.add(Point((0, 0, 0)), ((0, 0, 1), (1, 0, 0)))
        finish(editor)
        assert "engine medsam2 needs weights: see section Weights; " in view.messages[-1]
        assert "strokesam weights" not in view.messages[-1] and "--weights" not in view.messages[-1]

    def test_a_prompt_in_the_wrong_place(self, editor, view):
        editor.add(Point((1e5, 0, 0)), ((0, 0, 1), (1, 0, 0)))
        finish(editor)
        assert "lies outside the volume" in view.messages[-1] and not editor.prompts


class TestDrawing:
    def image(self, overlay, size=400):
        window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        window.SetOffScreenRendering(1)
        window.SetSize(size, size)
        window.AddRenderer(renderer)
        for actor in overlay.actors:
            renderer.AddViewProp(actor)
        window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.Update()
        from vtk.util.numpy_support import vtk_to_numpy

        return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(size, size, -1)[..., :3]

    def test_prompts_and_preview_are_where_they_lie(self, scene, editor, pointer, volume):
        node = axial(scene, volume)
        overlay = Overlay(node)
        draw_box(pointer, node, volume)
        finish(editor)
        overlay.update(editor, pointer)
        drawn = self.image(overlay).any(axis=2)
        rows, columns = np.nonzero(drawn)
        first, second = np.array([xy_of(node, corner) for corner in box_of(volume)])
        low, high = np.minimum(first, second), np.maximum(first, second)
        np.testing.assert_allclose([columns.min(), rows.min()], low, atol=3)
        np.testing.assert_allclose([columns.max(), rows.max()], high, atol=3)
        inside = drawn[int(low[1]) + 4 : int(high[1]) - 3, int(low[0]) + 4 : int(high[0]) - 3]
        assert inside.any()  # the preview

    def test_nothing_on_another_slice_or_another_plane(self, scene, editor, pointer, volume):
        draw_box(pointer, axial(scene, volume), volume)
        finish(editor)
        far = world_of(volume, (MIDDLE[2], MIDDLE[1], MIDDLE[0] + 3))
        for node in (
            slice_node(scene, far, (-1, 0, 0), (0, -1, 0)),
            slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), (0, 0, -1)),
        ):
            overlay = Overlay(node)
            overlay.update(editor, pointer)
            assert not self.image(overlay).any()

    def test_the_band_while_dragging(self, scene, editor, pointer, volume):
        node = axial(scene, volume)
        overlay = Overlay(node)
        pointer.press((100, 100), node)
        pointer.move((200, 160))
        overlay.update(editor, pointer)
        drawn = self.image(overlay).any(axis=2)
        assert drawn[100, 150] and drawn[160, 150] and drawn[130, 100] and not drawn[130, 150]

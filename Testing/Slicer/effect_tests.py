"""Tests of the Segment Editor effect inside Slicer."""

import tempfile
from pathlib import Path

import numpy as np
import qt
import slicer
from slicer_case import MIDDLE, SIZE, SlicerCase, ball, dice, setStyle, waitFor


class EffectTests(SlicerCase):
    def test_nothing_is_drawn_where_the_segmentation_is_not_displayed(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        self.drawBox(volumeNode)
        self.idle()
        everywhere = self.actorCounts()
        red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        segmentationNode.GetDisplayNode().AddViewNodeID(red.GetID())
        slicer.app.processEvents()
        names = slicer.app.layoutManager().sliceViewNames()
        fewer = [name for name, now, then in zip(names, self.actorCounts(), everywhere, strict=True) if now < then]
        self.assertEqual(sorted(fewer), ["Green", "Yellow"])

    def test_keys_in_a_slice_view(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        widget = self.drawBox(volumeNode)
        self.idle()
        effect = self.editor.activeEffect()
        self.pressKey(widget, "p")
        self.assertEqual(effect.parameter("Tool"), "positive")
        offset = widget.mrmlSliceNode().GetSliceOffset()
        self.pressKey(widget, "b")  # Slicer's previous slice
        self.assertNotEqual(widget.mrmlSliceNode().GetSliceOffset(), offset)
        self.assertEqual(effect.parameter("Tool"), "positive")
        self.pressKey(widget, "f")
        self.prompts.select(next(iter(self.prompts.prompts)))
        self.pressKey(widget, "d")
        self.idle()
        self.assertFalse(self.prompts.prompts)

    def test_a_double_click_with_a_point_tool_does_not_maximise_the_view(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        self.editor.activeEffect().setParameter("Tool", "positive")
        widget = self.view("Red", self.rasOf(volumeNode, MIDDLE[::-1]))
        layout = slicer.app.layoutManager()
        slicer.util.clickAndDrag(widget, start=(100, 100), end=(100, 100), steps=1)
        widget.sliceView().interactor().InvokeEvent("LeftButtonDoubleClickEvent")
        widget.sliceView().interactor().InvokeEvent("LeftButtonReleaseEvent")
        slicer.app.processEvents()
        self.assertIsNone(layout.layoutLogic().GetLayoutNode().GetMaximizedViewNode(0))
        self.idle()

    def test_a_box_in_an_axial_view(self):
        for transformed in (False, True):
            with self.subTest(transformed=transformed):
                volumeNode = self.makeVolume(transformed)
                segmentationNode = self.openEffect(volumeNode)
                if transformed:
                    # The transform rotates the volume, so the view is rotated to the volume's slices.
                    self.view("Red", self.rasOf(volumeNode, MIDDLE[::-1])).mrmlSliceNode().RotateToVolumePlane(
                        volumeNode
                    )
                self.drawBox(volumeNode)
                self.idle()
                self.assertFalse(self.written(segmentationNode, volumeNode).any())
                self.prompts.propagate()
                longest = self.idle()
                self.assertGreater(dice(self.written(segmentationNode, volumeNode), ball()), 0.8)
                print(f"longest time without handling events: {longest * 1000:.0f} ms")

    def test_a_point_in_an_oblique_view(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        ras = self.rasOf(volumeNode, MIDDLE[::-1])
        widget = self.view("Green", ras, normal=(0, np.sin(0.4), np.cos(0.4)))
        self.editor.activeEffect().setParameter("Tool", "positive")
        place = self.xyOf(widget, ras)
        self.drag(widget, place, place)
        self.prompts.propagate()
        self.idle()
        lesion = self.written(segmentationNode, volumeNode)
        self.assertTrue(lesion[MIDDLE])
        self.assertLess((lesion & ~ball()).sum(), 0.4 * lesion.sum())

    def test_undo_redo_and_a_neighbour(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        neighbour = segmentationNode.GetSegmentation().AddEmptySegment("", "Neighbour")
        half = np.zeros(SIZE, np.uint8)
        half[:, :, : MIDDLE[2]] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(half, segmentationNode, neighbour, volumeNode)
        self.editor.mrmlSegmentEditorNode().SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
        self.drawBox(volumeNode)
        self.prompts.propagate()
        self.idle()
        lesion = self.written(segmentationNode, volumeNode)
        self.assertTrue(lesion.any())
        self.assertFalse(lesion[half > 0].any())
        self.editor.undo()
        self.assertFalse(self.written(segmentationNode, volumeNode).any())
        self.editor.redo()
        np.testing.assert_array_equal(self.written(segmentationNode, volumeNode), lesion)
        kept = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, neighbour, volumeNode)
        np.testing.assert_array_equal(kept, half)

    def test_a_lasso_and_scribbles_are_drawn_and_saved_with_the_segment(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        k, j, i = MIDDLE
        widget = self.view("Red", self.rasOf(volumeNode, (i, j, k)))

        def place(column, row):
            return self.xyOf(widget, self.rasOf(volumeNode, (i + column, j + row, k)))

        for key, line in (
            ("l", [(-20, -18), (20, -18), (20, 18), (-20, 18)]),
            ("p", [(-6, 0), (6, 0)]),
            ("n", [(10, -8), (10, 8)]),
        ):
            self.pressKey(widget, key)
            self.trace(widget, [place(*voxel) for voxel in line])
        self.idle()
        kinds = [type(prompt).__name__ for prompt in self.prompts.prompts.values()]
        self.assertEqual(kinds, ["Lasso", "Scribble", "Scribble"])
        self.prompts.propagate()
        self.idle()
        lesion = self.written(segmentationNode, volumeNode)
        self.assertTrue(lesion[k, j, i - 6 : i + 7].all())
        self.assertFalse(lesion[k, j - 8 : j + 9, i + 10].any())
        self.editor.setActiveEffectByName("")
        self.editor.setActiveEffectByName("StrokeSAM")
        self.adoptEditor()
        self.idle()
        self.assertEqual([type(prompt).__name__ for prompt in self.prompts.prompts.values()], kinds)

    def test_the_outline_follows_a_prompt_that_is_dragged(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        widget = self.drawBox(volumeNode)
        self.idle()
        k, j, i = MIDDLE
        before = self.prompts.sessionView.outlines[k]
        corners = [self.xyOf(widget, self.rasOf(volumeNode, (i + column, j + 18, k))) for column in (20, 14, 8, 4)]
        interactor = widget.sliceView().interactor()
        interactor.SetEventPosition(*corners[0])
        interactor.LeftButtonPressEvent()
        for corner in corners[1:]:
            interactor.SetEventPosition(*corner)
            interactor.MouseMoveEvent()
            longest = waitFor(lambda: k in self.prompts.live and not self.prompts.busy)
        live = self.prompts.live[k]
        self.assertNotEqual(live.shape, before.shape)
        print(f"longest time without handling events while dragging: {longest * 1000:.0f} ms")
        interactor.LeftButtonReleaseEvent()
        self.idle()
        np.testing.assert_array_equal(self.prompts.sessionView.outlines[k], live)
        self.prompts.undo()
        self.idle()
        np.testing.assert_array_equal(self.prompts.sessionView.outlines[k], before)

    def test_another_segment_selected_while_it_is_active(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        segmentation = segmentationNode.GetSegmentation()
        self.drawBox(volumeNode)
        self.idle()
        second = segmentation.AddEmptySegment("", "Other")
        self.editor.setCurrentSegmentID(second)
        slicer.app.processEvents()
        self.assertEqual(self.editor.activeEffect().name, "StrokeSAM")
        self.assertEqual(self.prompts.target.segmentId, second)
        self.assertFalse(self.prompts.prompts)
        self.drawBox(volumeNode)
        self.prompts.propagate()
        self.idle()
        self.assertGreater(dice(self.written(segmentationNode, volumeNode, second), ball()), 0.8)
        self.assertFalse(self.written(segmentationNode, volumeNode).any())
        segmentation.RemoveSegment(second)  # after which Slicer leaves every effect
        self.editor.setCurrentSegmentID(self.segmentId)
        self.editor.setActiveEffectByName("StrokeSAM")
        slicer.app.processEvents()
        self.assertEqual(len(self.prompts.prompts), 1)  # read from the tag of the first segment
        self.prompts.propagate()
        self.idle()
        self.assertGreater(dice(self.written(segmentationNode, volumeNode), ball()), 0.8)

    def test_slicer_handles_the_mouse_in_another_mouse_mode(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        mouse = slicer.app.applicationLogic().GetInteractionNode()
        display = volumeNode.GetScalarVolumeDisplayNode()
        before = display.GetWindow(), display.GetLevel()
        try:
            mouse.SetCurrentInteractionMode(mouse.AdjustWindowLevel)
            self.drawBox(volumeNode)
            self.assertEqual(self.editor.activeEffect().name, "StrokeSAM")
            self.assertNotEqual((display.GetWindow(), display.GetLevel()), before)
            self.assertFalse(self.prompts.busy or self.prompts.prompts)
            mouse.SetCurrentInteractionMode(mouse.Place)
            self.drawBox(volumeNode)
            self.assertFalse(self.prompts.busy or self.prompts.prompts)
        finally:
            mouse.SetCurrentInteractionMode(mouse.ViewTransform)
        self.drawBox(volumeNode)
        self.idle()
        self.assertEqual(len(self.prompts.prompts), 1)

    def test_slicer_asks_about_a_hidden_segment(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        display = segmentationNode.GetDisplayNode()
        display.SetSegmentVisibility(self.segmentId, False)
        for button, visible in ((qt.QMessageBox.Cancel, False), (qt.QMessageBox.Yes, True)):
            questions = self.answerNextQuestion(button)
            self.drawBox(volumeNode)
            self.assertEqual(len(questions), 1)
            self.assertEqual(bool(display.GetSegmentVisibility(self.segmentId)), visible)
            self.assertFalse(self.prompts.busy or self.prompts.prompts)
        self.drawBox(volumeNode)
        self.idle()
        self.assertEqual(len(self.prompts.prompts), 1)

    def test_nothing_is_written_after_cancel_or_a_closed_scene(self):
        volumeNode = self.makeVolume()
        segmentationNode = self.openEffect(volumeNode)
        self.drawBox(volumeNode)
        self.prompts.propagate()
        self.prompts.cancel()
        self.idle()
        self.assertFalse(self.written(segmentationNode, volumeNode).any())
        self.prompts.propagate()
        editor = self.prompts
        slicer.mrmlScene.Clear(0)
        self.assertIsNone(editor.target)

        def ended():
            editor.poll()  # Slicer has left the effect, whose timer would do it
            return not editor.busy

        waitFor(ended)

    def test_prompts_are_saved_with_the_scene(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        self.drawBox(volumeNode)
        self.idle()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        slicer.util.selectModule("SegmentEditor")
        segmentationNode = slicer.util.getNode("Lesions")  # the Segment Editor has added an empty one, too
        self.editor.setSegmentationNode(segmentationNode)
        self.editor.setSourceVolumeNode(slicer.util.getNode("Phantom"))
        self.editor.setCurrentSegmentID(segmentationNode.GetSegmentation().GetNthSegmentID(0))
        self.editor.setActiveEffectByName("StrokeSAM")
        self.effect = self.editor.activeEffect().self()
        self.assertEqual(len(self.prompts.prompts), 1)
        self.idle()
        self.assertTrue(self.prompts.sessionView.outlines)

    def test_nothing_remains_after_the_effect(self):
        volumeNode = self.makeVolume()
        self.openEffect(volumeNode)
        self.editor.setActiveEffectByName("")
        window = slicer.util.mainWindow()
        shortcuts = len(window.findChildren("QShortcut"))
        actors = self.actorCounts()
        for _ in range(100):
            self.editor.setActiveEffectByName("StrokeSAM")
            self.editor.setActiveEffectByName("")
        slicer.app.processEvents()
        self.assertEqual(self.actorCounts(), actors)
        self.assertEqual(len(window.findChildren("QShortcut")), shortcuts)

    def test_the_effect_works_in_the_dark_style(self):
        volumeNode = self.makeVolume()
        setStyle("Dark Slicer")
        try:
            self.openEffect(volumeNode)
            self.drawBox(volumeNode)
            self.idle()
        finally:
            setStyle("Light Slicer")
        self.assertTrue(self.prompts.sessionView.outlines)

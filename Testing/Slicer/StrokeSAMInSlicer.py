"""Tests in a real Slicer with its Qt, views and Segment Editor. They also take the documentation's screenshots.

    Slicer --testing --no-splash --additional-module-paths StrokeSAM --python-script Testing/Slicer/StrokeSAMInSlicer.py

The environment variable STROKESAM_SCREENSHOTS names a folder for the screenshots. The exit status is 0 if all tests
pass.
"""

import os
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import qt
import slicer
import vtk

GREY, OBJECT = 30, 70
SIZE = (24, 96, 96)  # k, j, i
MIDDLE = (12, 44, 52)
SCREENSHOTS = os.environ.get("STROKESAM_SCREENSHOTS", "")


def ball():
    """The object: a spheroid of 6 slices, 16 rows and 18 columns on either side of the middle."""
    k, j, i = np.indices(SIZE)
    return ((k - MIDDLE[0]) / 6.4) ** 2 + ((j - MIDDLE[1]) / 16) ** 2 + ((i - MIDDLE[2]) / 18) ** 2 <= 1


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def waitFor(condition, seconds=30):
    """Run Slicer's event loop until `condition` is true.

    Qt's own loop is used, so that timers run and objects are deleted as usual.

    Returns:
        The longest time, seconds, for which the main thread did not handle events.
    """
    loop, timer = qt.QEventLoop(), qt.QTimer()
    end, longest, before, fulfilled = time.monotonic() + seconds, 0.0, time.monotonic(), False

    def check():
        nonlocal longest, before, fulfilled
        now = time.monotonic()
        longest, before = max(longest, now - before), now
        try:
            fulfilled = condition()
        except BaseException:
            loop.quit()  # PythonQt prints an error in a slot, but does not end the loop
            raise
        if fulfilled or now > end:
            loop.quit()

    timer.setInterval(5)
    timer.connect("timeout()", check)
    timer.start()
    # The method is called exec_ in Qt 5 and exec in Qt 6.
    (getattr(loop, "exec_", None) or loop.exec)()
    timer.stop()
    timer.disconnect("timeout()", check)
    if not fulfilled:
        raise AssertionError("the condition was not fulfilled in time, or could not be checked")
    return longest


class InSlicer(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.util.selectModule("StrokeSAM")
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def tearDown(self):
        slicer.util.selectModule("StrokeSAM")
        slicer.mrmlScene.Clear(0)

    # Helpers

    def makeVolume(self, transformed=False):
        noise = np.random.default_rng(0).normal(0, 3, SIZE)
        values = np.where(ball(), OBJECT, GREY).astype(np.int16) + noise.astype(np.int16)
        node = slicer.util.addVolumeFromArray(values, name="Phantom")
        node.SetSpacing(1.0, 1.0, 2.0)
        if transformed:
            transform = vtk.vtkTransform()
            transform.RotateZ(20)
            transform.Translate(15, -10, 8)
            parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            parent.SetMatrixTransformToParent(transform.GetMatrix())
            node.SetAndObserveTransformNodeID(parent.GetID())
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        return node

    def rasOf(self, node, ijk):
        matrix, point = vtk.vtkMatrix4x4(), [0.0] * 3
        node.GetIJKToRASMatrix(matrix)
        local = matrix.MultiplyPoint((*map(float, ijk), 1.0))[:3]
        toWorld = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, toWorld)
        toWorld.TransformPoint(local, point)
        return point

    def openEffect(self, volumeNode):
        """Open the Segment Editor on a new segment of the volume and activate the effect."""
        slicer.util.selectModule("SegmentEditor")
        segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        self.segmentId = segmentationNode.GetSegmentation().AddEmptySegment("", "Lesion")
        self.editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        self.editor.setSegmentationNode(segmentationNode)
        self.editor.setSourceVolumeNode(volumeNode)
        self.editor.setCurrentSegmentID(self.segmentId)
        self.editor.setActiveEffectByName("StrokeSAM")
        self.effect = self.editor.activeEffect().self()
        slicer.app.processEvents()
        return segmentationNode

    @property
    def prompts(self):
        """The effect's `PromptEditor`."""
        return self.effect.promptEditor

    def idle(self):
        return waitFor(lambda: not self.prompts.busy)

    def view(self, name, ras, normal=None):
        """Move a slice view to a position; with a normal the view becomes oblique."""
        widget = slicer.app.layoutManager().sliceWidget(name)
        node = widget.mrmlSliceNode()
        if normal is not None:
            node.SetSliceToRASByNTP(*normal, 1, 0, 0, *ras, 0)
        node.JumpSliceByCentering(*ras)
        slicer.app.processEvents()
        return widget

    def xyOf(self, widget, ras):
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(widget.mrmlSliceNode().GetXYToRAS(), inverse)
        return tuple(round(n) for n in inverse.MultiplyPoint((*ras, 1.0))[:2])

    def answerNextQuestion(self, button):
        """Click this button of Slicer's next message box; returns a list that will hold the box's text."""
        questions, timer = [], qt.QTimer()

        def answer():
            box = qt.QApplication.activeModalWidget()
            if box is not None and box.className() == "ctkMessageBox":
                timer.stop()
                questions.append(box.text)
                box.button(button).click()

        timer.setInterval(50)
        timer.connect("timeout()", answer)
        timer.start()
        self.addCleanup(timer.stop)
        return questions

    def drag(self, widget, first, second):
        slicer.util.clickAndDrag(widget, start=first, end=second, steps=10)

    def drawBox(self, volumeNode, viewName="Red"):
        k, j, i = MIDDLE
        widget = self.view(viewName, self.rasOf(volumeNode, (i, j, k)))
        corners = [self.xyOf(widget, self.rasOf(volumeNode, (i + d * 20, j + d * 18, k))) for d in (-1, 1)]
        self.drag(widget, *corners)
        return widget

    def written(self, segmentationNode, volumeNode, segmentId=None):
        """The voxels of a segment on the volume's grid."""
        segmentId = segmentId or self.segmentId
        return slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0

    def takeScreenshot(self, name):
        if SCREENSHOTS:
            slicer.util.forceRenderAllViews()
            slicer.app.processEvents()
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            slicer.util.mainWindow().grab().save(str(Path(SCREENSHOTS) / f"{name}.png"))

    # Tests

    def test_the_module_segments_its_sample(self):
        import SampleData

        from StrokeSAM import StrokeSAMLogic

        volumeNode = SampleData.SampleDataLogic().downloadSample("StrokeHeadCT")
        volumeNode = slicer.util.getNode("StrokeHeadCT") if volumeNode is None else volumeNode
        segmentationNode = StrokeSAMLogic().segmentLesion({"ncct": volumeNode})
        self.assertEqual(segmentationNode.GetSegmentation().GetNumberOfSegments(), 1)
        self.takeScreenshot("module")

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
                self.takeScreenshot("effect")
                self.assertFalse(self.written(segmentationNode, volumeNode).any())
                self.prompts.propagate()
                longest = self.idle()
                self.assertGreater(dice(self.written(segmentationNode, volumeNode), ball()), 0.8)
                self.takeScreenshot("propagated")
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
        segmentation.RemoveSegment(second)
        self.editor.setCurrentSegmentID(self.segmentId)
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
        waitFor(lambda: not editor.busy)

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
        segmentationNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
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
        renderers = [
            slicer.app.layoutManager().sliceWidget(name).sliceView().renderWindow().GetRenderers().GetFirstRenderer()
            for name in slicer.app.layoutManager().sliceViewNames()
        ]
        actors = [renderer.GetViewProps().GetNumberOfItems() for renderer in renderers]
        for _ in range(100):
            self.editor.setActiveEffectByName("StrokeSAM")
            self.editor.setActiveEffectByName("")
        slicer.app.processEvents()
        self.assertEqual([renderer.GetViewProps().GetNumberOfItems() for renderer in renderers], actors)
        self.assertEqual(len(window.findChildren("QShortcut")), shortcuts)

    def test_the_effect_works_in_the_dark_style(self):
        volumeNode = self.makeVolume()
        slicer.app.setStyle("Dark Slicer")
        try:
            self.openEffect(volumeNode)
            self.drawBox(volumeNode)
            self.idle()
            self.takeScreenshot("dark")
        finally:
            slicer.app.setStyle("Light Slicer")
        self.assertTrue(self.prompts.sessionView.outlines)


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(InSlicer))
    slicer.util.exit(0 if result.wasSuccessful() else 1)

"""Tests of the module's panel inside Slicer."""

import tempfile
import time
from pathlib import Path

import slicer
from slicer_case import SlicerCase, waitFor


class ModuleTests(SlicerCase):
    def test_the_module_segments_its_sample(self):
        """The result is shown, and the window keeps its width."""
        volumeNode = self.loadSample()
        self.assertEqual(volumeNode.GetDisplayNode().GetWindow(), 80)
        window = slicer.util.mainWindow()
        ui = self.segmentInModule(ncct=volumeNode)
        segmentationNode = slicer.util.getModuleWidget("StrokeSAM")._parameterNode.segmentation
        self.assertEqual(segmentationNode.GetSegmentation().GetNumberOfSegments(), 1)
        self.assertTrue(ui.resultTable.visible)
        widths = []
        end = time.monotonic() + 3
        waitFor(lambda: widths.append(window.width) or time.monotonic() > end)
        self.assertEqual(len(set(widths)), 1, f"the window grew from {widths[0]} to {widths[-1]} pixels")
        # The result of one volume is never shown beside the name of another.
        slicer.util.getModuleWidget("StrokeSAM")._parameterNode.ncct = self.makeVolume()
        slicer.app.processEvents()
        self.assertFalse(ui.resultTable.visible)

    def test_loading_a_scene_keeps_the_choices_of_the_module(self):
        volumeNode = self.makeVolume()
        node = slicer.util.getModuleWidget("StrokeSAM")._parameterNode
        node.ncct = volumeNode
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        slicer.app.processEvents()
        chosen = slicer.util.getModuleWidget("StrokeSAM").ui.ncctSelector.currentNode()
        self.assertEqual(chosen.GetName(), "Phantom")

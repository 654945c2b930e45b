"""README.md and docs/slicer.md inside Slicer: the tutorial step by step, and the code for the console."""

import re
import sys
from pathlib import Path

import slicer
import vtk
from slicer_case import SlicerCase, dice, waitFor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python" / "support"))

from docs_code import ROOT, python_blocks, run_block


class DocsTests(SlicerCase):
    def test_the_code_for_the_console_runs(self):
        for page in ("README.md", "docs/slicer.md"):
            with self.subTest(page=page):
                slicer.mrmlScene.Clear(0)
                self.loadSample()
                names = run_block(python_blocks(page)[0], page, vars(sys.modules["__main__"]))
                self.assertTrue(self.isWritten(names["segmentationNode"]))
                self.assertTrue(self.isWritten(names["session"].segmentationNode))

    def test_the_tutorial_gives_its_results(self):
        steps = dict(re.findall(r"^(\d)\. (.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
        known = self.infarct()
        volumeNode = self.clickSample()
        display = volumeNode.GetDisplayNode()
        self.assertIn(f"window {display.GetWindow():g}, level {display.GetLevel():g}", steps["1"])

        slicer.util.selectModule("StrokeSAM")
        slicer.app.processEvents()
        ui = slicer.util.getModuleWidget("StrokeSAM").ui
        self.assertEqual(ui.ncctSelector.currentNode(), volumeNode)
        self.assertTrue(ui.applyButton.enabled)

        ui = self.segmentInModule()  # with the rule
        volume, side, components = (ui.resultTable.item(row, 1).text() for row in range(3))
        self.assertIn(f"{volume}, {side}, {components} component ", steps["3"])
        red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        self.assertIn(f"S {red.GetSliceOffset():g} mm", steps["3"])
        segmentationNode = slicer.util.getModuleWidget("StrokeSAM")._parameterNode.segmentation
        self.segmentId = segmentationNode.GetSegmentation().GetNthSegmentID(0)
        before = self.written(segmentationNode, volumeNode)
        self.assertIn(f"a Dice of {dice(before, known):.2f} (", steps["4"])

        ui.refineButton.click()
        self.adoptEditor()
        self.idle()
        left, anterior, superior = self.placeIn(steps["5"])
        self.editor.activeEffect().setParameter("Tool", "positive")
        widget = self.view("Red", (-left, anterior, superior))
        place = self.xyOf(widget, (-left, anterior, superior))
        self.drag(widget, place, place)
        self.prompts.apply()
        self.idle()
        i, j, k = self.ijkOf(volumeNode, (-left, anterior, superior))
        self.assertFalse(before[k, j, i])
        self.assertTrue(self.written(segmentationNode, volumeNode)[k, j, i])

    def clickSample(self):
        """Click the sample in the module Sample Data, and wait for its volume."""
        slicer.util.selectModule("SampleData")
        slicer.app.processEvents()
        buttons = slicer.modules.sampledata.widgetRepresentation().findChildren("QAbstractButton")
        next(button for button in buttons if button.text == "StrokeHeadCT").click()
        waitFor(lambda: slicer.mrmlScene.GetFirstNodeByName("StrokeHeadCT") is not None, seconds=120)
        return slicer.util.getNode("StrokeHeadCT")

    def infarct(self):
        """The voxels (k, j, i) of the sample's infarct."""
        import SimpleITK as sitk

        from StrokeSAMLib.phantom import head_ct

        return sitk.GetArrayFromImage(head_ct().lesion) > 0

    def placeIn(self, step):
        """The position of a tutorial's step: left, anterior, superior, mm."""
        left, anterior = re.search(r"\(L (\d+), A (\d+) mm\)", step).groups()
        superior = re.search(r"slice S (−?[\d.]+) mm", step).group(1).replace("−", "-")
        return float(left), float(anterior), float(superior)

    def ijkOf(self, node, ras):
        matrix = vtk.vtkMatrix4x4()
        node.GetRASToIJKMatrix(matrix)
        return tuple(round(n) for n in matrix.MultiplyPoint((*ras, 1.0))[:3])

    def isWritten(self, segmentationNode):
        volumeNode = slicer.util.getNode("StrokeHeadCT")
        return self.written(segmentationNode, volumeNode, segmentationNode.GetSegmentation().GetNthSegmentID(0)).any()

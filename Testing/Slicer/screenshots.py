"""The screenshots of the documentation; see Testing/screenshots.py, which runs this file in Slicer.

Environment variables: STROKESAM_SCREENSHOTS, the folder; STROKESAM_WINDOW, for example 1600x1000; STROKESAM_STYLE, one
of Slicer's styles.
"""

import os
import sys
import unittest
from pathlib import Path

import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from slicer_case import SlicerCase, setStyle

FOLDER = Path(os.environ["STROKESAM_SCREENSHOTS"])
WIDTH, HEIGHT = map(int, os.environ.get("STROKESAM_WINDOW", "1600x1000").split("x"))
# In the lesion's largest slice, RAS, mm.
CORNERS = (-18, 28, 2.5), (-67, -36, 2.5)
INSIDE, OUTSIDE = (-48, -5, 2.5), (-24, 24, 2.5)


class Screenshots(SlicerCase):
    def setUp(self):
        if os.environ.get("STROKESAM_STYLE"):
            setStyle(os.environ["STROKESAM_STYLE"])
        super().setUp()
        slicer.util.mainWindow().resize(WIDTH, HEIGHT)
        slicer.util.setPythonConsoleVisible(False)
        self.volumeNode = self.loadSample()

    def test_module(self):
        """The module after Apply on the sample."""
        self.segmentInModule(ncct=self.volumeNode)
        self.show3d(slicer.util.getModuleWidget("StrokeSAM")._parameterNode.segmentation)
        self.takeScreenshot("module")

    def test_effect(self):
        """The effect with a box and two points, their outlines, and the segment in 3-D."""
        segmentationNode = self.openEffect(self.volumeNode)
        widget = self.view("Red", INSIDE)
        self.drag(widget, *(self.xyOf(widget, corner) for corner in CORNERS))
        effect = self.editor.activeEffect()
        for tool, position in (("positive", INSIDE), ("negative", OUTSIDE)):
            effect.setParameter("Tool", tool)
            place = self.xyOf(widget, position)
            self.drag(widget, place, place)
        self.idle()
        self.prompts.propagate()
        self.idle()
        self.show3d(segmentationNode)
        self.takeScreenshot("effect")

    def show3d(self, segmentationNode):
        segmentationNode.CreateClosedSurfaceRepresentation()
        view = slicer.app.layoutManager().threeDWidget(0).threeDView()
        view.resetFocalPoint()
        view.resetCamera()

    def takeScreenshot(self, name):
        slicer.util.forceRenderAllViews()
        slicer.app.processEvents()
        FOLDER.mkdir(parents=True, exist_ok=True)
        slicer.util.mainWindow().grab().save(str(FOLDER / f"{name}.png"))


if __name__ == "__main__":
    tests = unittest.TestLoader().loadTestsFromTestCase(Screenshots)
    slicer.util.exit(0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1)

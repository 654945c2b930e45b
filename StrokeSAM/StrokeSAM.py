"""The scripted module StrokeSAM of 3D Slicer: wiring only. The work is done in StrokeSAMLib."""

import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    import StrokeSAMLib  # noqa: F401
except ImportError:
    # From a source tree only this file's folder is on the path; the library lies beside it.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

from StrokeSAMLib.mrml import StrokeSAMLogic

__all__ = ["StrokeSAM", "StrokeSAMLogic", "StrokeSAMTest", "StrokeSAMWidget"]


class StrokeSAM(ScriptedLoadableModule):
    """What Slicer shows of the module, and what it registers at startup."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("StrokeSAM")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Terminologies"]
        parent.contributors = ["StrokeSAM contributors"]
        parent.helpText = _(
            "Segments the acute ischaemic stroke lesion in non-contrast CT and diffusion MR. "
            'See the <a href="https://github.com/StrokeSAM/SlicerStrokeSAM">documentation</a>. '
            "For research; not a medical device."
        )
        parent.acknowledgementText = _("Built on 3D Slicer, SimpleITK, NumPy and SciPy.")
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """Register the terminology and the sample data; nothing is computed or downloaded."""
        slicer.modules.terminologies.logic().LoadTerminologyFromFile(resourcePath("StrokeSAM.term.json"))
        registerSampleData()


def resourcePath(name):
    """Path of a file in the module's Resources."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "Resources", name)  # noqa: PTH100, PTH118, PTH120


def registerSampleData():
    """Add the synthetic head CT to the Sample Data module. It is made when it is asked for, not downloaded."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="StrokeSAM",
        sampleName="StrokeHeadCT",
        thumbnailFileName=resourcePath("Icons/StrokeSAM.png"),
        uris=[],
        fileNames=[],
        nodeNames=[],
        customDownloader=lambda source: makeSampleVolume(),
    )


def makeSampleVolume():
    """A synthetic head CT with a known infarct as a volume node, windowed for stroke."""
    from StrokeSAMLib.imaging.phantom import head_ct
    from StrokeSAMLib.mrml.volumes import volumeNodeFromImage

    node = volumeNodeFromImage(head_ct().ncct, slicer.mrmlScene, "StrokeHeadCT")
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(80, 40)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


class StrokeSAMWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.lesionWidget = None

    def setup(self):
        """Called when the user opens the module for the first time."""
        from StrokeSAMLib.ui.LesionWidget import LesionWidget

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/StrokeSAM.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.lesionWidget = LesionWidget(slicer.util.childWidgetVariables(uiWidget), StrokeSAMLogic())
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)

    def cleanup(self):
        """Called when the application closes and the widget is destroyed."""
        self.removeObservers()
        if self.lesionWidget is not None:
            self.lesionWidget.cleanup()

    def onSceneStartClose(self, caller, event):
        """What is computed belongs to volumes that go."""
        self.lesionWidget.panel.cancel()


class StrokeSAMTest(ScriptedLoadableModuleTest):
    """The module's self-test: the sample's known infarct is found."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_SegmentSample()

    def test_SegmentSample(self):
        """The scripted API on the sample volume."""
        from StrokeSAMLib.imaging.phantom import head_ct

        volumeNode = makeSampleVolume()
        segmentationNode = StrokeSAMLogic().segmentLesion({"ncct": volumeNode}, method="asymmetry")
        segmentId = segmentationNode.GetSegmentation().GetNthSegmentID(0)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0

        import SimpleITK as sitk

        known = sitk.GetArrayFromImage(head_ct().lesion) > 0
        dice = 2 * (found & known).sum() / (found.sum() + known.sum())
        self.assertGreaterEqual(dice, 0.8)
        self.delayDisplay(f"Dice {dice:.2f}")

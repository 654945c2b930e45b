"""The scripted module StrokeSAM of 3D Slicer: wiring only. The work is done in StrokeSAMLib."""

import os
import sys
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
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
            "Segments the acute ischaemic stroke lesion in non-contrast CT and diffusion MR: automatically here, or by "
            "boxes and points with the effect StrokeSAM of the Segment Editor. Methods without weights need no "
            "download. "
            'See the <a href="https://github.com/StrokeSAM/SlicerStrokeSAM">documentation</a>.<p>'
            "For research: not a medical device, and not for diagnosis or treatment. Check every result by eye."
        )
        parent.acknowledgementText = _(
            "Built on 3D Slicer, VTK, SimpleITK, NumPy, SciPy and Pillow. Networks run on PyTorch; those of others, "
            "such as SAM 2, SAM, MedSAM2 and MedSAM, are their authors' work: the section Weights shows the licence "
            "and the citation of each."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """Register the effect, the terminology and the sample data; nothing is computed or downloaded."""
        from StrokeSAMLib.ui.registration import registerEffect
        from StrokeSAMLib.ui.settings import nameWeightsFolder

        nameWeightsFolder()
        registerEffect()
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


@parameterNodeWrapper
class StrokeSAMParameterNode:
    """What is chosen in the panel, saved with the scene. See `StrokeSAMLib.ui.lesion_state.State`.

    `method` is empty until one is chosen: the best for CT that can run here. Each input of a method is a volume under
    the input's key; `options` has those that are not as by default, as JSON.
    """

    method: str = ""
    ncct: vtkMRMLScalarVolumeNode
    dwi: vtkMRMLScalarVolumeNode
    adc: vtkMRMLScalarVolumeNode
    b0: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    device: Annotated[str, Choice(["auto", "cpu", "cuda", "mps"])] = "auto"
    probability: bool = False
    options: str = "{}"


def parameterNode():
    """The scene's own, made where there is none."""
    logic = ScriptedLoadableModuleLogic()
    logic.moduleName = "StrokeSAM"
    return StrokeSAMParameterNode(logic.getParameterNode())


class StrokeSAMWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.ui = None
        self.lesionWidget = None
        self.weightsWidget = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Called when the user opens the module for the first time."""
        from StrokeSAMLib.ui.FoldersWidget import FoldersWidget
        from StrokeSAMLib.ui.LesionWidget import LesionWidget
        from StrokeSAMLib.ui.settings import nameWeightsFolder
        from StrokeSAMLib.ui.WeightsWidget import WeightsWidget

        nameWeightsFolder()  # where this is the module that Slicer starts with, its startup is not completed yet
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/StrokeSAM.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.lesionWidget = LesionWidget(self.ui, StrokeSAMLogic())
        self.weightsWidget = WeightsWidget(self.ui)
        self.weightsWidget.panel.changed = self.lesionWidget.panel.listMethods
        self.foldersWidget = FoldersWidget(self.ui, self.weightsWidget.panel.refresh)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes and the widget is destroyed."""
        self.removeObservers()
        for widget in (self.lesionWidget, self.weightsWidget):
            if widget is not None:
                widget.cleanup()

    def enter(self):
        """Called each time the user opens the module."""
        self.initializeParameterNode()
        self.weightsWidget.panel.refresh()

    def showWeights(self, id):
        """Open the section Weights at the checkpoint called `id`."""
        self.weightsWidget.open(id)

    def onSceneStartClose(self, caller, event):
        """What is computed belongs to volumes that go."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        """While the module is shown, it has a parameter node."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Use the scene's parameter node; at first with the volume that is shown."""
        self.setParameterNode(parameterNode())
        volumeId = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
        if volumeId:
            self.lesionWidget.panel.suggest(slicer.mrmlScene.GetNodeByID(volumeId))

    def setParameterNode(self, node):
        """Connect the widgets to `node` in the place of the one before; None for none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self._parameterNode = node
        if node is not None:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self.lesionWidget.panel.setState(node)

    def onParameterNodeModified(self, caller, event):
        """A choice was made, by the user or by a script."""
        self.lesionWidget.panel.onState()


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

"""The scripted module StrokeSAM of 3D Slicer. It connects Slicer with StrokeSAMLib, which does the work."""

import sys
from pathlib import Path
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
    # In a source tree only this file's folder is on the path; the library is in the folder above.
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from StrokeSAMLib.mrml import StrokeSAMLogic

__all__ = ["StrokeSAM", "StrokeSAMLogic", "StrokeSAMTest", "StrokeSAMWidget"]


class StrokeSAM(ScriptedLoadableModule):
    """The module's description and its registrations at startup."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("StrokeSAM")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Terminologies"]
        parent.contributors = ["StrokeSAM contributors"]
        parent.helpText = _(
            "Segments the acute ischaemic stroke lesion in non-contrast CT and diffusion MR: automatically in this "
            "module, or by boxes and points with the effect StrokeSAM of the Segment Editor. Methods without weights "
            "need no download. "
            'See the <a href="https://github.com/StrokeSAM/SlicerStrokeSAM">documentation</a>.<p>'
            "For research only. StrokeSAM is not a medical device and must not be used for diagnosis or treatment. "
            "Check every result by eye."
        )
        parent.acknowledgementText = _(
            "StrokeSAM uses 3D Slicer, VTK, SimpleITK, NumPy, SciPy and Pillow. Networks run on PyTorch. Networks such "
            "as SAM 2, SAM, MedSAM2 and MedSAM are the work of their authors. The section Weights shows the licence "
            "and the citation of each."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """Register the effect, the terminology and the sample data. Nothing is computed or downloaded."""
        from StrokeSAMLib.ui.effect.registration import registerEffect
        from StrokeSAMLib.ui.module.settings import exportWeightsFolder

        exportWeightsFolder()
        registerEffect(Path(__file__).parent / "SegmentEditorStrokeSAMLib" / "SegmentEditorEffect.py")
        slicer.modules.terminologies.logic().LoadTerminologyFromFile(resourcePath("StrokeSAM.term.json"))
        registerSampleData()


def resourcePath(name):
    """Return the path of a file in the module's folder Resources."""
    return str(Path(__file__).resolve().parent / "Resources" / name)


def registerSampleData():
    """Add the synthetic head CT to the Sample Data module. It is computed on request, not downloaded."""
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
    """Add a synthetic head CT with a known infarct to the scene, with a stroke window (level 40 HU, width 80 HU)."""
    from StrokeSAMLib.mrml.volumes import volumeNodeFromImage
    from StrokeSAMLib.phantom import head_ct

    node = volumeNodeFromImage(head_ct().ncct, slicer.mrmlScene, "StrokeHeadCT")
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(80, 40)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


@parameterNodeWrapper
class StrokeSAMParameterNode:
    """The user's choices in the panel, saved with the scene. `LesionPanelState` in StrokeSAMLib describes them.

    While `method` is empty, the panel uses the best method for CT that can run.
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
    """Return the scene's parameter node; a new one if there is none."""
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
        """Create the panel, when the user opens the module for the first time."""
        from StrokeSAMLib.ui.module.FoldersWidget import FoldersWidget
        from StrokeSAMLib.ui.module.LesionWidget import LesionWidget
        from StrokeSAMLib.ui.module.settings import exportWeightsFolder
        from StrokeSAMLib.ui.module.WeightsWidget import WeightsWidget

        exportWeightsFolder()  # if Slicer starts with this module, `setup` runs before `onStartupCompleted`
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/StrokeSAM.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.lesionWidget = LesionWidget(self.ui, StrokeSAMLogic())
        self.weightsWidget = WeightsWidget(self.ui)
        self.weightsWidget.panel.onChange = self.lesionWidget.panel.listMethods
        self.foldersWidget = FoldersWidget(self.ui, self.weightsWidget.panel.refresh)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop all work, when Slicer closes and the widget is destroyed."""
        self.removeObservers()
        for widget in (self.lesionWidget, self.weightsWidget):
            if widget is not None:
                widget.cleanup()

    def enter(self):
        """Update the panel, each time the user opens the module."""
        self.initializeParameterNode()
        self.weightsWidget.panel.refresh()

    def showWeights(self, id):
        """Expand the section Weights and select the checkpoint `id`."""
        self.weightsWidget.open(id)

    def onSceneStartClose(self, caller, event):
        """Cancel running work, because its volumes are removed from the scene."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        """Create a new parameter node if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Use the scene's parameter node, and suggest the volume that is shown in the slice views."""
        self.setParameterNode(parameterNode())
        volumeId = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
        if volumeId:
            self.lesionWidget.panel.suggest(slicer.mrmlScene.GetNodeByID(volumeId))

    def setParameterNode(self, node):
        """Connect the widgets to `node` instead of the previous node; None for no node."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self._parameterNode = node
        if node is not None:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self.lesionWidget.panel.setState(node)

    def onParameterNodeModified(self, caller, event):
        """Update the panel after a choice by the user or a script."""
        self.lesionWidget.panel.onState()


class StrokeSAMTest(ScriptedLoadableModuleTest):
    """The module's self-test: it segments the known infarct of the sample volume."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_SegmentSample()

    def test_SegmentSample(self):
        """Segment the sample volume with the scripted API and compare the result with the known infarct."""
        from StrokeSAMLib.phantom import head_ct

        volumeNode = makeSampleVolume()
        segmentationNode = StrokeSAMLogic().segmentLesion({"ncct": volumeNode}, method="asymmetry")
        segmentId = segmentationNode.GetSegmentation().GetNthSegmentID(0)
        lesion = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0

        import SimpleITK as sitk

        known = sitk.GetArrayFromImage(head_ct().lesion) > 0
        dice = 2 * (lesion & known).sum() / (lesion.sum() + known.sum())
        self.assertGreaterEqual(dice, 0.8)
        self.delayDisplay(f"Dice {dice:.2f}")

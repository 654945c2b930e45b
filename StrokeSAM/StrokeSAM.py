"""The scripted module StrokeSAM of 3D Slicer. It connects Slicer with StrokeSAMLib, which does the work."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import qt
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

# The effect's folder, after which Slicer names the effect's Python module.
EFFECT_MODULE = "SegmentEditorStrokeSAMLib"


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
        """Register settings, effect, terminology and sample. Nothing is computed or downloaded.

        A registration that fails is logged, and the others go on.
        """
        for title, register in (
            ("the settings", registerSettings),
            ("the Segment Editor effect", registerSegmentEditorEffect),
            ("the terminology", registerTerminology),
            ("the sample data", registerSampleData),
        ):
            try:
                register()
            except Exception as error:  # other parts of Slicer raise errors of any type
                logging.exception(f"StrokeSAM: {title} could not be registered: {error}")


def resourcePath(name):
    """Return the path of a file in the module's folder Resources."""
    return str(Path(__file__).resolve().parent / "Resources" / name)


def registerSettings():
    """Pass the weights folder in Slicer's settings to the library."""
    from StrokeSAMLib.ui.module.settings import exportWeightsFolder

    exportWeightsFolder()


def registerSegmentEditorEffect():
    """Add the effect to the Segment Editor, unless Slicer is too old for it."""
    from StrokeSAMLib.ui.effect.registration import registerEffect
    from StrokeSAMLib.ui.module.slicer_version import versionObstacle

    obstacle = versionObstacle()
    if obstacle:
        logging.warning(obstacle)
    else:
        registerEffect(Path(__file__).parent / EFFECT_MODULE / "SegmentEditorEffect.py")


def registerTerminology():
    """Add the names, colours and codes of the segments to Slicer's terminologies."""
    slicer.modules.terminologies.logic().LoadTerminologyFromFile(resourcePath("StrokeSAM.term.json"))


def registerSampleData():
    """Add the synthetic head CT to the Sample Data module. It is computed at the first use, not downloaded."""
    from StrokeSAMLib.ui.module.sample import registerSample

    registerSample(resourcePath("Icons/StrokeSAM.png"))


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
        self._newVolumeIds = []

    def setup(self):
        """Create the panel, when the user opens the module for the first time."""
        from StrokeSAMLib.ui.module.FoldersWidget import FoldersWidget
        from StrokeSAMLib.ui.module.LesionWidget import LesionWidget
        from StrokeSAMLib.ui.module.slicer_version import versionObstacle
        from StrokeSAMLib.ui.module.WeightsWidget import WeightsWidget

        ScriptedLoadableModuleWidget.setup(self)
        obstacle = versionObstacle()
        if obstacle:
            self.showObstacle(obstacle)
            return
        registerSettings()  # if Slicer starts with this module, `setup` runs before `onStartupCompleted`
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/StrokeSAM.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.lesionWidget = LesionWidget(self.ui, StrokeSAMLogic())
        self.weightsWidget = WeightsWidget(self.ui)
        self.weightsWidget.panel.onChange = self.lesionWidget.panel.listMethods
        self.foldersWidget = FoldersWidget(self.ui, self.weightsWidget.panel.refresh)
        self.observeScene(slicer.mrmlScene)
        self.initializeParameterNode()

    def showObstacle(self, text):
        """Show why the module cannot be used, instead of its panel."""
        label = qt.QLabel(text)
        label.wordWrap = True
        self.layout.addWidget(label)

    def observeScene(self, scene):
        """Let go of the scene's nodes while the scene is closed or loaded, and notice new volumes."""
        for event in (scene.StartCloseEvent, scene.StartImportEvent):
            self.addObserver(scene, event, self.onSceneStartChange)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, self.onSceneEndChange)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)

    def cleanup(self):
        """Stop all work, when Slicer closes or reloads the module and the widget is destroyed."""
        if self.lesionWidget is not None:
            self.setParameterNode(None)
        self._newVolumeIds = []
        self.removeObservers()
        for widget in (self.lesionWidget, self.weightsWidget):
            if widget is not None:
                widget.cleanup()
        self.lesionWidget = self.weightsWidget = None  # `reloadScriptedModule` cleans up once more

    def enter(self):
        """Update the panel, each time the user opens the module."""
        if self.lesionWidget is None:  # Slicer is too old
            return
        self.initializeParameterNode()
        self.weightsWidget.panel.refresh()

    def showWeights(self, id):
        """Expand the section Weights and select the checkpoint `id`."""
        self.weightsWidget.open(id)

    def onReload(self):
        """Reload the module with its library and effect, for developers."""
        segmentEditor = getattr(slicer.modules, "SegmentEditorWidget", None)
        if segmentEditor is not None:
            segmentEditor.editor.setActiveEffectByName("")
        self.cleanup()  # the workers must not import anything meanwhile
        forgetLibrary()
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartChange(self, caller, event):
        """Cancel running work and let go of the nodes, because the scene is closed or loaded."""
        self.setParameterNode(None)

    def onSceneEndChange(self, caller, event):
        """Use the parameter node of the new scene if the module is shown."""
        # Slicer's event for progress of the import has the same number as the one for its end.
        if self.parent.isEntered and not slicer.mrmlScene.IsImporting():
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller, event, node):
        """Suggest a new volume as an input when its reader has set its voxels and DICOM attributes."""
        if node.IsA("vtkMRMLScalarVolumeNode") and not slicer.mrmlScene.IsImporting():
            self._newVolumeIds.append(node.GetID())
            qt.QTimer.singleShot(0, self.suggestNewVolumes)

    def suggestNewVolumes(self):
        """Suggest each new volume as the input for which it is suitable."""
        from StrokeSAMLib.ui.module.input_key import inputKeyOf

        ids, self._newVolumeIds = self._newVolumeIds, []
        for node in map(slicer.mrmlScene.GetNodeByID, ids):
            key = "" if node is None else inputKeyOf(node)
            if key and self.parent.isEntered:
                self.lesionWidget.panel.suggest(node, key)

    def initializeParameterNode(self):
        """Use the scene's parameter node, and suggest the volume that is shown in the slice views."""
        from StrokeSAMLib.ui.module.input_key import inputKeyOf

        self.setParameterNode(parameterNode())
        volumeId = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
        node = slicer.mrmlScene.GetNodeByID(volumeId) if volumeId else None
        if node is not None:
            self.lesionWidget.panel.suggest(node, inputKeyOf(node))

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


def forgetLibrary():
    """Make the next imports of the library and of the effect read their files again."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("StrokeSAMLib", EFFECT_MODULE):
            del sys.modules[name]


class StrokeSAMTest(ScriptedLoadableModuleTest):
    """The module's self-test: it segments the known infarct of the sample volume."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_SegmentSample()

    def test_SegmentSample(self):
        """Segment the sample volume with the scripted API and compare the result with the known infarct."""
        import SampleData

        from StrokeSAMLib.phantom import head_ct

        volumeNode = SampleData.SampleDataLogic().downloadSample("StrokeHeadCT")
        segmentationNode = StrokeSAMLogic().segmentLesion({"ncct": volumeNode}, method="asymmetry")
        segmentId = segmentationNode.GetSegmentation().GetNthSegmentID(0)
        lesion = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0

        import SimpleITK as sitk

        known = sitk.GetArrayFromImage(head_ct().lesion) > 0
        dice = 2 * (lesion & known).sum() / (lesion.sum() + known.sum())
        self.assertGreaterEqual(dice, 0.8)
        self.delayDisplay(f"Dice {dice:.2f}")

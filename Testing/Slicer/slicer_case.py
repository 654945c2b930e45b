"""The base of the tests inside Slicer: a phantom, the effect, views, mouse and keys."""

import itertools
import time
import unittest

import numpy as np
import qt
import slicer
import vtk

GREY, OBJECT = 30, 70
SIZE = (24, 96, 96)  # k, j, i
MIDDLE = (12, 44, 52)
WINDOW = (1600, 1000)


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


def setStyle(name):
    """Set one of Slicer's styles with its colours, which Slicer itself sets at start-up only."""
    slicer.app.setStyle(name)
    slicer.app.setPalette(slicer.app.style().standardPalette())
    slicer.app.processEvents()


class SlicerCase(unittest.TestCase):
    """A test with a fresh scene and the module's panel open."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.util.selectModule("StrokeSAM")
        slicer.util.mainWindow().resize(*WINDOW)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        # Directly after start-up the views have no size yet.
        waitFor(lambda: all(view.height > 50 for view in self.sliceViews()))

    def tearDown(self):
        slicer.util.selectModule("StrokeSAM")
        slicer.mrmlScene.Clear(0)

    # Helpers

    def sliceViews(self):
        manager = slicer.app.layoutManager()
        return [manager.sliceWidget(name).sliceView() for name in manager.sliceViewNames()]

    def actorCounts(self):
        renderers = [view.renderWindow().GetRenderers().GetFirstRenderer() for view in self.sliceViews()]
        return [renderer.GetViewProps().GetNumberOfItems() for renderer in renderers]

    def pressKey(self, widget, key):
        interactor = widget.sliceView().interactor()
        interactor.SetKeySym(key)
        interactor.InvokeEvent("KeyPressEvent")

    def segmentInModule(self, **inputs):
        """Choose a method's inputs in the module's panel, press Apply and wait for the result."""
        widget = slicer.util.getModuleWidget("StrokeSAM")
        panel = widget.lesionWidget.panel
        panel.setMethod("asymmetry")
        for key, node in inputs.items():
            setattr(widget._parameterNode, key, node)
        waitFor(lambda: widget.ui.applyButton.enabled)
        widget.ui.applyButton.click()
        waitFor(lambda: not panel.busy, seconds=180)
        return widget.ui

    def loadSample(self):
        """Load the module's sample volume."""
        import SampleData

        node = SampleData.SampleDataLogic().downloadSample("StrokeHeadCT")
        slicer.app.processEvents()
        return node

    def makeVolume(self, transformed=False):
        noise = np.random.default_rng(0).normal(0, 3, SIZE)
        values = np.where(ball(), OBJECT, GREY).astype(np.int16) + noise.astype(np.int16)
        node = slicer.util.addVolumeFromArray(values, name="Phantom")
        node.SetSpacing(1.0, 1.0, 2.0)
        if transformed:
            self.transform(node)
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        return node

    def transform(self, node):
        """Turn and shift a node."""
        transform = vtk.vtkTransform()
        transform.RotateZ(20)
        transform.Translate(15, -10, 8)
        parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        parent.SetMatrixTransformToParent(transform.GetMatrix())
        node.SetAndObserveTransformNodeID(parent.GetID())

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
        segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lesions")
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        self.segmentId = segmentationNode.GetSegmentation().AddEmptySegment("", "Lesion")
        self.editor = self.segmentEditor()
        self.editor.setSegmentationNode(segmentationNode)
        self.editor.setSourceVolumeNode(volumeNode)
        self.editor.setCurrentSegmentID(self.segmentId)
        self.editor.setActiveEffectByName("StrokeSAM")
        self.adoptEditor()
        return segmentationNode

    def segmentEditor(self):
        return slicer.modules.segmenteditor.widgetRepresentation().self().editor

    def adoptEditor(self):
        """Use the Segment Editor as it is, with the effect active."""
        self.editor = self.segmentEditor()
        self.effect = self.editor.activeEffect().self()
        slicer.app.processEvents()

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

    def trace(self, widget, places):
        """Drag through these places (XY), with many steps between them."""
        interactor = widget.sliceView().interactor()
        interactor.SetEventPosition(*places[0])
        interactor.LeftButtonPressEvent()
        for start, end in itertools.pairwise(places):
            for part in np.linspace(0, 1, 10)[1:]:
                interactor.SetEventPosition(*(round(a + part * (b - a)) for a, b in zip(start, end, strict=True)))
                interactor.MouseMoveEvent()
        interactor.LeftButtonReleaseEvent()

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

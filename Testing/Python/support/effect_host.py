"""The effect's surroundings in Slicer: slice views, the mouse, and the effect's host; and what tests do with them."""

import sys
import time
import types

import pytest
from fake_qt import Widget, send

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from balls import box_of, xy_of  # noqa: E402
from nodes import segment_array, segment_editor  # noqa: E402

EVENTS = vtk.vtkCommand
QT_MODULES = (
    *(f"effect.{name}" for name in ("active_effect", "effect_panel", "effect_views", "escape_key")),
    "polling",
    "resources",
)


class SliceWidget:
    """A slice view of the layout."""

    def __init__(self, node):
        self.node, self.actors, self.renders, self.deleted = node, [], 0, False
        self.scale = 1.0

    def __bool__(self):
        """False after Qt deleted the widget, as with PythonQt."""
        return not self.deleted

    def className(self):
        return "qMRMLSliceWidget"

    def sliceView(self):
        return self

    def devicePixelRatioF(self):
        return self.scale

    def scheduleRender(self):
        self.renders += 1

    def setViewCursor(self, cursor):
        self.cursor = cursor

    setDefaultViewCursor = setViewCursor


class Interactor:
    """The interactor of a mouse or key event."""

    def __init__(self, position=(0, 0), shift=False, key=""):
        self.position, self.shift, self.key = position, shift, key

    def GetKeySym(self):
        return self.key

    def GetEventPosition(self):
        return self.position

    def GetShiftKey(self):
        return self.shift

    def GetControlKey(self):
        return False

    GetAltKey = GetControlKey


class Host:
    """The methods of qSlicerSegmentEditorScriptedEffect that the effect calls, on Slicer's own logic."""

    NotConfirmed, ConfirmedWithoutDialog, ConfirmedWithDialog = range(3)

    def __init__(self, scene, segmentation, volume, segmentId):
        self.node, self.logic = segment_editor(scene, segmentation, volume, segmentId)
        self.effect, self.undoStates, self.confirmed = None, 0, self.ConfirmedWithoutDialog

    def parameterSetNode(self):
        return self.node

    def parameter(self, name):
        return self.node.GetAttribute(f"StrokeSAM.{name}") or ""

    def setParameter(self, name, value):
        was = self.node.GetDisableModifiedEvent()
        self.node.SetDisableModifiedEvent(1)
        self.node.SetAttribute(f"StrokeSAM.{name}", value)
        self.node.SetDisableModifiedEvent(was)
        self.effect.updateGUIFromMRML()

    def setParameterDefault(self, name, value):
        if self.node.GetAttribute(f"StrokeSAM.{name}") is None:
            self.node.SetAttribute(f"StrokeSAM.{name}", value)

    def addOptionsWidget(self, widget):
        self.options = widget

    def viewNode(self, widget):
        return widget.node

    def addActor2D(self, widget, actor):
        widget.actors.append(actor)

    def removeActor2D(self, widget, actor):
        assert widget, "a deleted widget"
        widget.actors.remove(actor)

    def confirmCurrentSegmentVisible(self):
        return self.confirmed

    def defaultModifierLabelmap(self):
        assert self.logic.ResetModifierLabelmapToDefault()
        return self.logic.GetModifierLabelmap()

    def saveStateForUndo(self):
        self.undoStates += 1
        self.logic.SaveStateForUndo()

    def modifySelectedSegmentByLabelmap(self, labelmap, mode):
        node, segment = self.node.GetSegmentationNode(), self.node.GetSelectedSegmentID()
        self.logic.ModifySegmentByLabelmap(node, segment, labelmap, getattr(self.logic, mode), False, False)

    def select(self, segmentId):
        """Select a segment as the Segment Editor does. The effect is notified only through the node."""
        self.node.SetSelectedSegmentID(segmentId)

    def add_segment(self, name=""):
        """Add an empty segment and return its id."""
        return self.node.GetSegmentationNode().GetSegmentation().AddEmptySegment("", name)


class AbstractEffect:
    def __init__(self, scriptedEffect):
        self.scriptedEffect = scriptedEffect


def button(text):
    """The push button with this text."""
    return next(each for each in of_kind("QPushButton") if each.text == text)


def click(text):
    send(button(text), "clicked(bool)", False)


def of_kind(qt_class):
    """All objects of a Qt class that were created, in the order of their creation."""
    return [each for each in Widget.created if each.qt_class == qt_class]


def timer_runs():
    return any(each.active for each in of_kind("QTimer"))


def listed():
    """The texts in the list of prompts."""
    (prompts,) = of_kind("QListWidget")
    return prompts.record.children


def living_shortcuts():
    """The shortcuts that exist, but for the one within the list of prompts, which lives as long as the panel."""
    return [each for each in of_kind("QShortcut") if each.record.alive and each.context != 0]


def cursor_file(cursor):
    """The file of the icon in a tool's cursor."""
    return cursor.record.arguments[0].record.children[0]


def mouse_event(effect, view, event, position=(100, 100), shift=False):
    """Send one mouse event; returns whether the effect handled it."""
    return effect.processInteractionEvents(Interactor(position, shift), event, view)


def press_key(effect, view, key, shift=False):
    """Press a key in a view; returns whether the effect handled it."""
    return effect.processInteractionEvents(Interactor(shift=shift, key=key), EVENTS.KeyPressEvent, view)


def drag(effect, view, first, second, shift=False):
    """Press, move and release; returns whether the effect handled each of the three."""
    return [
        mouse_event(effect, view, event, tuple(round(n) for n in position), shift)
        for event, position in (
            (EVENTS.LeftButtonPressEvent, first),
            (EVENTS.MouseMoveEvent, second),
            (EVENTS.LeftButtonReleaseEvent, second),
        )
    ]


def draw(effect, view, volume):
    """Draw a box around the ball."""
    return drag(effect, view, *(xy_of(view.node, corner) for corner in box_of(volume)))


def timed(function, *arguments):
    """The function's result and the CPU time of this thread, seconds; the time of other processes does not count."""
    start = time.thread_time()
    return function(*arguments), time.thread_time() - start


def finish(seconds=60):
    """Let the timer run until it stops; returns the longest CPU time of the main thread in one timeout, seconds."""
    (timer,) = [each for each in of_kind("QTimer") if each.active] or [None]
    end, longest = time.monotonic() + seconds, 0.0
    while timer is not None and timer.active and time.monotonic() < end:
        longest = max(longest, timed(send, timer, "timeout()")[1])
        time.sleep(0.005)
    assert timer is None or not timer.active
    return longest


def written(host):
    """The voxels of the selected segment."""
    node = host.node
    return segment_array(node.GetSegmentationNode(), node.GetSelectedSegmentID(), node.GetSourceVolumeNode())


def forget_qt_modules():
    """Make the next import of the modules that use Qt import them again."""
    for name in QT_MODULES:
        sys.modules.pop(f"StrokeSAMLib.ui.{name}", None)


def translation_module():
    """The module `slicer.i18n`, without translations."""
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda context, text: text
    return module

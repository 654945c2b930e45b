"""The effect while it is active: its editor, its drawing, its keys; all of it ends with `end`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from StrokeSAMLib.errors import StrokeSAMError
from StrokeSAMLib.interactive.engines.registry import find_engine
from StrokeSAMLib.jobs import Worker
from StrokeSAMLib.mrml.labelmaps import fingerprint, isEmpty
from StrokeSAMLib.mrml.segments import segmentLabelmap
from StrokeSAMLib.ui.overlay import Overlay
from StrokeSAMLib.ui.packages import ensure
from StrokeSAMLib.ui.pointer import Pointer
from StrokeSAMLib.ui.polling import Polling
from StrokeSAMLib.ui.prompt_editor import PromptEditor, Target
from StrokeSAMLib.ui.prompt_session import EngineChoice, Engines
from StrokeSAMLib.ui.prompt_text import describe, engineStatus
from StrokeSAMLib.ui.resources import toolCursor
from StrokeSAMLib.ui.shortcuts import Shortcuts

_EVENTS = vtk.vtkCommand


class ActiveEffect:
    """Implements `prompt_editor.View` on Slicer's effect and our panel.

    Attributes:
        actions: what the panel's widgets call, by name.
        editor: what holds the prompts.
    """

    def __init__(self, scriptedEffect: Any, panel: Any, worker: Worker, engines: Engines):
        self._effect = scriptedEffect
        self._panel = panel
        self._overlays: dict[Any, Overlay] = {}
        self._range: tuple[int | None, int | None] = (None, None)
        self._avoiding = False
        self._avoided: dict[str, int] = {}  # contents by segment
        self._sliceCount = -1
        self.editor = PromptEditor(self, worker, engines)
        self._pointer = Pointer(self.editor)
        self._polling = Polling(self.editor)
        self._shortcuts: Shortcuts | None = None
        self._observed: list[tuple[Any, int]] = []
        editor = self.editor
        self.actions: dict[str, Callable[..., None]] = {
            "tool": lambda id: self._effect.setParameter("Tool", id),
            "engine": lambda id: self._effect.setParameter("Engine", id),
            "weights": self._onWeights,
            "select": editor.select,
            "delete": editor.delete,
            "clear": editor.clear,
            "undo": editor.undo,
            "redo": editor.redo,
            "refine": editor.refine,
            "avoid": self._onAvoid,
            "propagate": self._propagate,
            "range": self._onRange,
            "cancel": self._onCancel,
            "apply": editor.apply,
        }

    def begin(self) -> None:
        """The user chose the effect."""
        window = slicer.util.mainWindow()
        if window is not None:
            keys = {key: lambda id=id: self.actions["tool"](id) for key, id in _TOOL_KEYS.items()}
            self._shortcuts = Shortcuts(window, keys | {"Del": self.editor.delete}, self._onCancel)
        self._observe(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneClose)
        # Slicer tells an effect of another volume, but not of another segment.
        self._observe(self._effect.parameterSetNode(), _EVENTS.ModifiedEvent, self._onNodeModified)
        self.onParameters()
        self.showViews()

    def end(self) -> None:
        """The user left it: nothing of it stays but what is written, and saved with the segment."""
        self._pointer.cancel()
        self.editor.setTarget(None)
        self._polling.end()
        if self._shortcuts is not None:
            self._shortcuts.remove()
            self._shortcuts = None  # what waited for packages goes on after this
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self.removeOverlays()

    def onParameters(self) -> None:
        """Volume, segment, tool or engine may be another."""
        editor = self.editor
        self._setTool(self._effect.parameter("Tool") or "box")
        target = self._target()
        if target != editor.target:
            self._avoided = {}
            editor.setTarget(target)
            if editor.prompts:  # saved with the segment, and with them the engine
                self._effect.setParameter("Engine", editor.engine.id)
        id, device = self._effect.parameter("Engine") or "random-walker", self._effect.parameter("Device") or "auto"
        options = editor.engine.options if id == editor.engine.id else {}
        editor.setEngine(EngineChoice(id, device, options))
        self._panel.showTool(self._pointer.tool)
        self.showState()

    def onMouse(self, interactor: Any, eventId: int, viewWidget: Any) -> bool:
        """A mouse event in a slice view; whether it was ours. With a modifier key or in another mode it is Slicer's."""
        xy = tuple(float(n) for n in interactor.GetEventPosition())
        if eventId == _EVENTS.LeftButtonPressEvent:
            node = self._effect.viewNode(viewWidget)
            modified = interactor.GetShiftKey() or interactor.GetControlKey() or interactor.GetAltKey()
            if modified or not _viewing(node.GetInteractionNode()) or self.editor.target is None:
                return False
            if self._effect.confirmCurrentSegmentVisible() != self._effect.ConfirmedWithoutDialog:
                return True  # the dialog took the release: Slicer must not have a press without one, nor we
            self._pointer.press(xy, node)
        elif not self._pointer.dragging:
            return False
        elif eventId == _EVENTS.MouseMoveEvent:
            self._pointer.move(xy)
            self.draw(viewWidget)
        elif eventId == _EVENTS.LeftButtonReleaseEvent:
            self._pointer.release(xy)
            self._avoid()
            self._drawAll()
        else:
            return False
        self._holdEscape()
        return True

    def onMouseMode(self, interactionNode: Any) -> None:
        """What the mouse does may be another: adjust window and level, place a markup, or view again."""
        if _viewing(interactionNode):
            self._showCursor()  # Slicer has put its own in its place
        elif self._pointer.dragging:
            self._pointer.cancel()
            self.showState()

    def draw(self, viewWidget: Any) -> None:
        """Bring one slice view in line."""
        overlay = self._overlays.get(viewWidget)
        if overlay is None:
            overlay = self._overlays[viewWidget] = Overlay(self._effect.viewNode(viewWidget))
            for actor in overlay.actors:
                self._effect.addActor2D(viewWidget, actor)
        overlay.update(self.editor, self._pointer)
        viewWidget.sliceView().scheduleRender()

    def showViews(self) -> None:
        """Draw, and hear of Enter, in every slice view of the layout, which may be another."""
        self.removeOverlays()
        manager = slicer.app.layoutManager()
        names = manager.sliceViewNames() if manager is not None else ()
        views = [manager.sliceWidget(name) for name in names]
        for each in views:
            self.draw(each)
        if self._shortcuts is not None:
            enter = dict.fromkeys(("Return", "Enter"), self._onEnter)
            self._shortcuts.setViews([each.sliceView() for each in views], enter)

    def removeOverlays(self) -> None:
        """Take all that was drawn out of the views."""
        for viewWidget, overlay in self._overlays.items():
            for actor in overlay.actors:
                self._effect.removeActor2D(viewWidget, actor)
            viewWidget.sliceView().scheduleRender()
        self._overlays = {}

    def showState(self) -> None:
        editor, shown = self.editor, self.editor.shown
        self._panel.showPrompts(describe(editor.prompts, shown.slices if shown else {}), editor.selected)
        self._panel.showButtons(
            canUndo=bool(shown and shown.canUndo),
            canRedo=bool(shown and shown.canRedo),
            selected=editor.selected is not None,
            prompted=bool(editor.prompts),
            running=bool(editor.running),
        )
        engine = find_engine(editor.engine.id)
        readiness = engine.readiness()
        # What the button for weights says; nothing where that is not what the engine lacks.
        lacking = _("Get weights…") if readiness != "yes" and not engine.missing_packages() else ""
        self._panel.showEngine(engine.id, engineStatus(readiness, shown), lacking)
        if shown is not None and shown.count != self._sliceCount:
            self._sliceCount = shown.count
            self._panel.showRange(shown.count)
        if editor.busy:
            self._polling.wake()
        self._holdEscape()
        self._drawAll()

    def showMessage(self, text: str) -> None:
        self._panel.showMessage(text)

    def showProgress(self, fraction: float, text: str) -> None:
        self._panel.showProgress(fraction, text)

    def prepareEngine(self, id: str) -> bool:
        try:
            ensure(find_engine(id).missing_packages())
        except StrokeSAMError as error:
            self.showMessage(str(error))
            return False
        return True

    def write(self, compose: Callable[[slicer.vtkOrientedImageData], None]) -> bool:
        if self._target() != self.editor.target:  # Slicer would write into what is selected
            self.showMessage(_("Another segment is selected: nothing was written."))
            return False
        modifier = self._effect.defaultModifierLabelmap()
        compose(modifier)
        self._effect.saveStateForUndo()
        self._effect.modifySelectedSegmentByLabelmap(
            modifier, slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeSet
        )
        return True

    def _observe(self, observed: Any, event: int, heard: Callable[[Any, str], None]) -> None:
        if observed is not None:
            self._observed.append((observed, observed.AddObserver(event, heard)))

    def _target(self) -> Target | None:
        node = self._effect.parameterSetNode()
        if node is None:
            return None
        volume, segmentation = node.GetSourceVolumeNode(), node.GetSegmentationNode()
        segmentId = node.GetSelectedSegmentID()
        if volume is None or segmentation is None or not segmentId:
            return None
        target = Target(volume, segmentation, segmentId)
        return target if target.present else None

    def _propagate(self, direction: str) -> None:
        first, last = self._range
        self._avoid()
        self.editor.propagate(direction=direction, first=first, last=last)

    def _otherSegments(self) -> dict[str, int]:
        """The visible segments but the selected one, those that hold something; and what distinguishes that."""
        target = self.editor.target
        display = target.segmentationNode.GetDisplayNode() if target is not None else None
        if display is None:
            return {}
        visible = vtk.vtkStringArray()
        display.GetVisibleSegmentIDs(visible)
        others = {visible.GetValue(n) for n in range(visible.GetNumberOfValues())} - {target.segmentId}
        # Not by when they were changed: segments share a labelmap, so that what we write changes that of all.
        held = {id: segmentLabelmap(target.segmentationNode, id) for id in sorted(others)}
        return {id: fingerprint(labelmap) for id, labelmap in held.items() if not isEmpty(labelmap)}

    def _setTool(self, tool: str) -> None:
        if tool != self._pointer.tool:
            self._pointer.tool = tool
            self._showCursor()

    def _showCursor(self) -> None:
        cursor = toolCursor(self._pointer.tool)
        for viewWidget in self._overlays:
            if _viewing(self._effect.viewNode(viewWidget).GetInteractionNode()):
                viewWidget.sliceView().setViewCursor(cursor)
                viewWidget.sliceView().setDefaultViewCursor(cursor)

    def _holdEscape(self) -> None:
        if self._shortcuts is not None:
            self._shortcuts.holdEscape(bool(self.editor.running) or self._pointer.dragging)

    def _drawAll(self) -> None:
        for viewWidget in list(self._overlays):
            self.draw(viewWidget)

    def _onAvoid(self, avoided: bool) -> None:
        self._avoiding = avoided
        self._avoid()

    def _avoid(self) -> None:
        """Let the session know of the other segments, where they are others than it knows of."""
        others = self._otherSegments() if self._avoiding else {}
        # Before there is a prompt it is open in which plane the slices will be.
        if others != self._avoided and (self.editor.prompts or self.editor.running):
            self._avoided = others
            self.editor.avoid(list(others))

    def _onRange(self, first: int | None, last: int | None) -> None:
        self._range = (first, last)

    def _onEnter(self) -> None:
        self._propagate("both")

    def _onCancel(self) -> None:
        self._pointer.cancel()
        self.editor.cancel()
        self.showState()

    def _onWeights(self) -> None:
        """Where weights are fetched: the module's panel, at those of the engine."""
        id = self.editor.engine.id
        slicer.util.selectModule("StrokeSAM")
        slicer.util.getModuleWidget("StrokeSAM").showWeights(id)

    def _onNodeModified(self, caller: Any, event: str) -> None:
        if self._target() != self.editor.target:
            self._pointer.cancel()
            self.onParameters()

    def _onSceneClose(self, caller: Any, event: str) -> None:
        self._pointer.cancel()
        self.editor.setTarget(None)


_TOOL_KEYS = {"B": "box", "P": "positive", "N": "negative"}


def _viewing(interactionNode: slicer.vtkMRMLInteractionNode | None) -> bool:
    """Whether the mouse is the effect's: in any other mode a click places something, or adjusts window and level."""
    return interactionNode is None or interactionNode.GetCurrentInteractionMode() == interactionNode.ViewTransform

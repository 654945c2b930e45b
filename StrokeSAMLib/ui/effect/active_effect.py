"""The effect while it is active: editor, drawing, mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.core.jobs import Worker
from StrokeSAMLib.interactive.engines.registry import find_engine
from StrokeSAMLib.mrml.labelmaps import fingerprint, isEmpty
from StrokeSAMLib.mrml.segments import segmentLabelmap
from StrokeSAMLib.ui.effect.overlay import Overlay
from StrokeSAMLib.ui.effect.pointer import Pointer
from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor, Target
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice, Engines
from StrokeSAMLib.ui.effect.prompt_text import describe, engineStatus
from StrokeSAMLib.ui.effect.shortcuts import Shortcuts
from StrokeSAMLib.ui.install.package_installer import ensure
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.polling import Polling
from StrokeSAMLib.ui.resources import toolCursor

_EVENTS = vtk.vtkCommand


class ActiveEffect:
    """Connects the prompt editor with Slicer's effect and the panel. Implements `editor_view.EditorView`.

    Attributes:
        actions: the actions of the panel's widgets, by name; see `EffectPanel`.
        editor: the prompt editor.
    """

    def __init__(self, scriptedEffect: Any, panel: Any, worker: Worker, engines: Engines):
        """Create the parts; nothing is observed before `begin`.

        Args:
            scriptedEffect: Slicer's qSlicerSegmentEditorScriptedEffect.
            panel: the `EffectPanel`.
            worker: the worker thread. It outlives this object.
            engines: the engines. They outlive this object.
        """
        self._effect = scriptedEffect
        self._panel = panel
        self._overlays: dict[Any, Overlay] = {}
        self._range: tuple[int | None, int | None] = (None, None)
        self._avoidEnabled = False
        self._avoidedSegments: dict[str, int] = {}  # fingerprint of the labelmap, by segment id
        self._sliceCount = -1
        self.editor = PromptEditor(self, worker, engines)
        self._pointer = Pointer(self.editor)
        self._polling = Polling(self.editor)
        self._shortcuts: Shortcuts | None = None
        self._observers: list[tuple[Any, int]] = []
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
        """Start to observe the scene and draw in the views, because the user has chosen the effect."""
        window = slicer.util.mainWindow()
        if window is not None:
            keys = {key: lambda id=id: self.actions["tool"](id) for key, id in _TOOL_KEYS.items()}
            self._shortcuts = Shortcuts(window, keys | {"Del": self.editor.delete}, self._onCancel)
        self._observe(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneClose)
        # Slicer notifies an effect when the source volume changes, but not when another segment is selected.
        self._observe(self._effect.parameterSetNode(), _EVENTS.ModifiedEvent, self._onNodeModified)
        self.onParameters()
        self.showViews()

    def end(self) -> None:
        """Remove all drawings, shortcuts and observers, because the user has left the effect."""
        self._pointer.cancel()
        self.editor.setTarget(None)
        self._polling.end()
        if self._shortcuts is not None:
            self._shortcuts.remove()
            # An action that waits for the installation of packages may still call `showState` after this.
            self._shortcuts = None
        for observed, tag in self._observers:
            observed.RemoveObserver(tag)
        self.removeOverlays()

    def onParameters(self) -> None:
        """Read volume, segment, tool and engine from the parameter node, because one of them may have changed."""
        editor = self.editor
        self._setTool(self._effect.parameter("Tool") or "box")
        target = self._target()
        if target != editor.target:
            self._avoidedSegments = {}
            editor.setTarget(target)
            if editor.prompts:  # the engine is saved with the prompts
                self._effect.setParameter("Engine", editor.engine.id)
        id, device = self._effect.parameter("Engine") or "random-walker", self._effect.parameter("Device") or "auto"
        options = editor.engine.options if id == editor.engine.id else {}
        editor.setEngine(EngineChoice(id, device, options))
        self._panel.showTool(self._pointer.tool)
        self.showState()

    def onMouse(self, interactor: Any, eventId: int, viewWidget: Any) -> bool:
        """Handle a mouse event in a slice view.

        Returns:
            Whether the event was handled. Slicer handles events with a modifier key or in another mouse mode.
        """
        xy = tuple(float(n) for n in interactor.GetEventPosition())
        if eventId == _EVENTS.LeftButtonPressEvent:
            node = self._effect.viewNode(viewWidget)
            modified = interactor.GetShiftKey() or interactor.GetControlKey() or interactor.GetAltKey()
            if modified or not _inViewMode(node.GetInteractionNode()) or self.editor.target is None:
                return False
            if self._effect.confirmCurrentSegmentVisible() != self._effect.ConfirmedWithoutDialog:
                return True  # the dialog took the release, so neither the effect nor Slicer may handle the press
            self._pointer.press(xy, node)
        elif not self._pointer.dragging:
            return False
        elif eventId == _EVENTS.MouseMoveEvent:
            self._pointer.move(xy)
            self.draw(viewWidget)
        elif eventId == _EVENTS.LeftButtonReleaseEvent:
            self._pointer.release(xy)
            self._updateAvoided()
            self._drawAll()
        else:
            return False
        self._updateEscape()
        return True

    def onMouseMode(self, interactionNode: Any) -> None:
        """Handle a change of the mouse mode: view, adjust window and level, or place a markup."""
        if _inViewMode(interactionNode):
            self._showCursor()  # Slicer has set its own cursor
        elif self._pointer.dragging:
            self._pointer.cancel()
            self.showState()

    def draw(self, viewWidget: Any) -> None:
        """Draw the current state in one slice view."""
        overlay = self._overlays.get(viewWidget)
        if overlay is None:
            overlay = self._overlays[viewWidget] = Overlay(self._effect.viewNode(viewWidget))
            for actor in overlay.actors:
                self._effect.addActor2D(viewWidget, actor)
        overlay.update(self.editor, self._pointer)
        viewWidget.sliceView().scheduleRender()

    def showViews(self) -> None:
        """Draw in every slice view of the layout and set their shortcuts, because the layout may have changed."""
        self.removeOverlays()
        manager = slicer.app.layoutManager()
        names = manager.sliceViewNames() if manager is not None else ()
        viewWidgets = [manager.sliceWidget(name) for name in names]
        for viewWidget in viewWidgets:
            self.draw(viewWidget)
        if self._shortcuts is not None:
            enter = dict.fromkeys(("Return", "Enter"), self._onEnter)
            self._shortcuts.setViews([viewWidget.sliceView() for viewWidget in viewWidgets], enter)

    def removeOverlays(self) -> None:
        """Remove all drawings from the views."""
        for viewWidget, overlay in self._overlays.items():
            for actor in overlay.actors:
                self._effect.removeActor2D(viewWidget, actor)
            viewWidget.sliceView().scheduleRender()
        self._overlays = {}

    def showState(self) -> None:
        editor, sessionView = self.editor, self.editor.sessionView
        slices = sessionView.slices if sessionView else {}
        self._panel.showPrompts(describe(editor.prompts, slices), editor.selected)
        self._panel.showButtons(
            canUndo=bool(sessionView and sessionView.canUndo),
            canRedo=bool(sessionView and sessionView.canRedo),
            hasSelection=editor.selected is not None,
            hasPrompts=bool(editor.prompts),
            running=bool(editor.running),
        )
        engine = find_engine(editor.engine.id)
        readiness = engine.readiness()
        # The button appears only if nothing but the weights is missing.
        weightsText = _("Get weights…") if readiness != "yes" and not engine.missing_packages() else ""
        self._panel.showEngine(engine.id, engineStatus(readiness, sessionView), weightsText)
        if sessionView is not None and sessionView.count != self._sliceCount:
            self._sliceCount = sessionView.count
            self._panel.showRange(sessionView.count)
        if editor.busy:
            self._polling.wake()
        self._updateEscape()
        self._drawAll()

    def showMessage(self, text: str) -> None:
        self._panel.showMessage(text)

    def showProgress(self, fraction: float, text: str) -> None:
        self._panel.showProgress(fraction, text)

    def prepareEngine(self, id: str) -> bool:
        try:
            ensure(find_engine(id).missing_packages())
        except StrokeSAMError as error:
            self.showMessage(errorMessage(error))
            return False
        return True

    def write(self, compose: Callable[[slicer.vtkOrientedImageData], None]) -> bool:
        if self._target() != self.editor.target:  # Slicer would write into the selected segment
            self.showMessage(_("Nothing was written, because another segment is selected."))
            return False
        modifier = self._effect.defaultModifierLabelmap()
        compose(modifier)
        self._effect.saveStateForUndo()
        self._effect.modifySelectedSegmentByLabelmap(
            modifier, slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeSet
        )
        return True

    def _observe(self, observed: Any, event: int, callback: Callable[[Any, str], None]) -> None:
        if observed is not None:
            self._observers.append((observed, observed.AddObserver(event, callback)))

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
        self._updateAvoided()
        self.editor.propagate(direction=direction, first=first, last=last)

    def _otherSegments(self) -> dict[str, int]:
        """The ids of the other segments that are visible and not empty, with the fingerprint of each."""
        target = self.editor.target
        display = target.segmentationNode.GetDisplayNode() if target is not None else None
        if display is None:
            return {}
        visible = vtk.vtkStringArray()
        display.GetVisibleSegmentIDs(visible)
        others = {visible.GetValue(n) for n in range(visible.GetNumberOfValues())} - {target.segmentId}
        # The time of modification does not help: segments share a labelmap, so writing one segment changes it for all.
        labelmaps = {id: segmentLabelmap(target.segmentationNode, id) for id in sorted(others)}
        return {id: fingerprint(labelmap) for id, labelmap in labelmaps.items() if not isEmpty(labelmap)}

    def _setTool(self, tool: str) -> None:
        if tool != self._pointer.tool:
            self._pointer.tool = tool
            self._showCursor()

    def _showCursor(self) -> None:
        cursor = toolCursor(self._pointer.tool)
        for viewWidget in self._overlays:
            if _inViewMode(self._effect.viewNode(viewWidget).GetInteractionNode()):
                viewWidget.sliceView().setViewCursor(cursor)
                viewWidget.sliceView().setDefaultViewCursor(cursor)

    def _updateEscape(self) -> None:
        """Take Esc while there is something to cancel."""
        if self._shortcuts is not None:
            self._shortcuts.takeEscape(bool(self.editor.running) or self._pointer.dragging)

    def _drawAll(self) -> None:
        for viewWidget in list(self._overlays):
            self.draw(viewWidget)

    def _onAvoid(self, enabled: bool) -> None:
        self._avoidEnabled = enabled
        self._updateAvoided()

    def _updateAvoided(self) -> None:
        """Give the other segments to the session if they have changed since the last call."""
        others = self._otherSegments() if self._avoidEnabled else {}
        # The first prompt determines the plane of the slices, so the masks cannot be added before it.
        if others != self._avoidedSegments and (self.editor.prompts or self.editor.running):
            self._avoidedSegments = others
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
        """Open the module's panel at the weights of the engine."""
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


def _inViewMode(interactionNode: slicer.vtkMRMLInteractionNode | None) -> bool:
    """Whether the mouse mode is View. Slicer handles the mouse in the other modes."""
    return interactionNode is None or interactionNode.GetCurrentInteractionMode() == interactionNode.ViewTransform

"""The effect while it is active: editor, drawing, mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.core.jobs import Worker
from StrokeSAMLib.interactive.engines.registry import ENGINES, find_engine
from StrokeSAMLib.mrml.other_segments import otherSegments
from StrokeSAMLib.ui.effect.effect_parameters import EffectParameters
from StrokeSAMLib.ui.effect.effect_views import EffectViews, inViewMode, pixelScale
from StrokeSAMLib.ui.effect.escape_key import EscapeKey
from StrokeSAMLib.ui.effect.pointer import Pointer
from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor, Target
from StrokeSAMLib.ui.effect.prompt_position import promptPosition
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice, Engines
from StrokeSAMLib.ui.effect.prompt_text import describe, engineStatus, notReadyEngines, rangeText
from StrokeSAMLib.ui.install.package_installer import ensure
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.polling import Polling

_EVENTS = vtk.vtkCommand
# Slicer maximises the view at a double click, which two quick points must not do.
_PRESSES = (_EVENTS.LeftButtonPressEvent, _EVENTS.LeftButtonDoubleClickEvent)


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
        self._parameters = EffectParameters(scriptedEffect)
        self._panel = panel
        self._avoidedSegments: dict[str, object] = {}  # state of each segment, by id
        self.editor = PromptEditor(self, worker, engines)
        self._pointer = Pointer(self.editor)
        self._polling = Polling(self.editor)
        self._views = EffectViews(scriptedEffect, self.editor, self._pointer)
        self._escape: EscapeKey | None = None
        self._observers: list[tuple[Any, int]] = []
        self._displayObserver: tuple[Any, int] | None = None
        editor = self.editor
        self.actions: dict[str, Callable[..., None]] = {
            "tool": self._parameters.setTool,
            "engine": self._parameters.setEngine,
            "weights": self._onWeights,
            "select": self._onSelect,
            "delete": editor.delete,
            "clear": editor.clear,
            "undo": editor.undo,
            "redo": editor.redo,
            "refine": editor.refine,
            "avoid": self._parameters.setAvoid,
            "propagate": self._propagate,
            "range": self._parameters.setSliceRange,
            "rangeStart": lambda: self._limitRange(first=True),
            "rangeEnd": lambda: self._limitRange(first=False),
            "cancel": self._onCancel,
            "apply": editor.apply,
        }
        # Letters that neither the slice views nor the Segment Editor use.
        self._keys: dict[str, Callable[[], None]] = {
            "x": lambda: self._parameters.setTool("box"),
            "l": lambda: self._parameters.setTool("lasso"),
            "p": lambda: self._parameters.setTool("positive"),
            "n": lambda: self._parameters.setTool("negative"),
            "d": editor.delete,
            "Return": lambda: self._propagate("both"),
            "KP_Enter": lambda: self._propagate("both"),
        }

    def begin(self) -> None:
        """Start to observe the scene and draw in the views, because the user has chosen the effect."""
        window = slicer.util.mainWindow()
        if window is not None:
            self._escape = EscapeKey(window, self._onCancel)
        self._panel.showReadiness(notReadyEngines())
        self._observe(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneClose)
        # Slicer notifies an effect when the source volume changes, but not when another segment is selected.
        self._observe(self._effect.parameterSetNode(), _EVENTS.ModifiedEvent, self._onNodeModified)
        self.onParameters()
        self.showViews()

    def end(self) -> None:
        """Remove all drawings, shortcuts and observers, because the user has left the effect."""
        try:
            self._pointer.cancel()
            self.editor.setTarget(None)
        finally:  # whatever fails, nothing of the effect may stay behind
            self._polling.end()
            if self._escape is not None:
                self._escape.remove()
                # An action that waits for the installation of packages may still call `showState` after this.
                self._escape = None
            for observed, tag in self._observers:
                observed.RemoveObserver(tag)
            self._observers = []
            self._observeDisplay(None)
            self._views.remove()

    def onParameters(self) -> None:
        """Read volume, segment, tool and engine from the parameter node, because one of them may have changed."""
        editor = self.editor
        self._setTool(self._parameters.tool)
        target = self._target()
        if target != editor.target:
            self._avoidedSegments = {}
            editor.setTarget(target)
            self._observeDisplay(target)
            if editor.prompts:  # the engine is saved with the prompts
                self._parameters.setEngine(editor.engine.id)
        id = self._knownEngine()
        options = editor.engine.options if id == editor.engine.id else {}
        editor.setEngine(EngineChoice(id, self._parameters.device, options))
        self._panel.showTool(self._pointer.tool)
        self._updateAvoided()
        self.showState()

    def onMouse(self, interactor: Any, eventId: int, viewWidget: Any) -> bool:
        """Handle a mouse event in a slice view.

        Returns:
            Whether the event was handled. Slicer handles events with a modifier key or in another mouse mode.
        """
        xy = tuple(float(n) for n in interactor.GetEventPosition())
        if eventId in _PRESSES and not self._pointer.dragging:
            node = self._effect.viewNode(viewWidget)
            if _modified(interactor) or not inViewMode(node.GetInteractionNode()) or self.editor.target is None:
                return False
            if self._effect.confirmCurrentSegmentVisible() != self._effect.ConfirmedWithoutDialog:
                return True  # the dialog took the release, so neither the effect nor Slicer may handle the press
            self._pointer.press(xy, node, pixelScale(viewWidget))
        elif not self._pointer.dragging:
            return False
        elif eventId == _EVENTS.MouseMoveEvent:
            self._pointer.move(xy)
            self.draw(viewWidget)
            if self.editor.busy:
                self._polling.wake()
        elif eventId == _EVENTS.LeftButtonReleaseEvent:
            self._pointer.release(xy)
            self._updateAvoided()
            self._views.drawAll()
        else:
            return False
        self._updateEscape()
        return True

    def onKey(self, interactor: Any) -> bool:
        """Handle a key that was pressed in a slice view.

        Returns:
            Whether the key has an action. Slicer handles all other keys.
        """
        action = None if _modified(interactor) else self._keys.get(interactor.GetKeySym())
        if action is None or self.editor.target is None:
            return False
        action()
        return True

    def onMouseMode(self, interactionNode: Any) -> None:
        """Handle a change of the mouse mode: view, adjust window and level, or place a markup."""
        if inViewMode(interactionNode):
            self._views.showCursor()  # Slicer has set its own cursor
        elif self._pointer.dragging:
            self._pointer.cancel()
            self.showState()

    def draw(self, viewWidget: Any) -> None:
        """Draw the current state in one slice view."""
        self._views.draw(viewWidget)

    def showViews(self) -> None:
        """Draw in the slice views, because the layout may have changed."""
        self._views.update()

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
        self._panel.showEngine(engine, engineStatus(readiness, sessionView), weightsText)
        limits = self._parameters.sliceRange
        self._panel.showRange(sessionView.count if sessionView else 0, limits, rangeText(sessionView, limits))
        self._panel.showAvoid(self._parameters.avoid)
        if editor.busy:
            self._polling.wake()
        self._updateEscape()
        self._views.drawAll()

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

    def write(self, compose: Callable[[slicer.vtkOrientedImageData], bool]) -> bool:
        if self._target() != self.editor.target:  # Slicer would write into the selected segment
            self.showMessage(_("Nothing was written, because another segment is selected."))
            return False
        modifier = self._effect.defaultModifierLabelmap()
        isGrowing = compose(modifier)
        self._effect.saveStateForUndo()
        modes = slicer.qSlicerSegmentEditorAbstractEffect
        mode = modes.ModificationModeAdd if isGrowing else modes.ModificationModeSet
        self._effect.modifySelectedSegmentByLabelmap(modifier, mode)
        return True

    def _observe(self, observed: Any, event: int, callback: Callable[[Any, str], None]) -> None:
        if observed is not None:
            self._observers.append((observed, observed.AddObserver(event, callback)))

    def _observeDisplay(self, target: Target | None) -> None:
        """Draw anew when the segmentation is shown or hidden, or its list of views changes; None for no segment."""
        if self._displayObserver is not None:
            observed, tag = self._displayObserver
            observed.RemoveObserver(tag)
            self._displayObserver = None
        if target is not None:
            node = target.segmentationNode
            tag = node.AddObserver(node.DisplayModifiedEvent, lambda caller, event: self._views.drawAll())
            self._displayObserver = (node, tag)

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
        first, last = self._parameters.sliceRange or (None, None)
        self._updateAvoided()
        self.editor.propagate(direction=direction, first=first, last=last)

    def _otherSegments(self) -> dict[str, object]:
        """The ids of the other visible segments, with the state of each."""
        target = self.editor.target
        return {} if target is None else otherSegments(target.segmentationNode, target.segmentId)

    def _setTool(self, tool: str) -> None:
        if tool != self._pointer.tool:
            self._pointer.tool = tool
            self._views.showCursor()

    def _updateEscape(self) -> None:
        """Take Esc while there is something to cancel."""
        if self._escape is not None:
            self._escape.take(bool(self.editor.running) or self._pointer.dragging)

    def _updateAvoided(self) -> None:
        """Give the other segments to the session if they have changed since the last call."""
        others = self._otherSegments() if self._parameters.avoid else {}
        # The first prompt determines the plane of the slices, so the masks cannot be added before it.
        if others != self._avoidedSegments and (self.editor.prompts or self.editor.running):
            self._avoidedSegments = others
            self.editor.avoid(list(others))

    def _limitRange(self, first: bool) -> None:
        """Begin or end the range of a propagation at the slice that a view shows."""
        sessionView = self.editor.sessionView
        k = None if sessionView is None else self._views.sliceIndex(sessionView.affine, sessionView.count)
        if k is None:
            self.showMessage(_("No view shows a slice of the prompts: add a box or a point first."))
            return
        low, high = self._parameters.sliceRange or (0, sessionView.count - 1)
        self._parameters.setSliceRange(*((k, max(k, high)) if first else (min(low, k), k)))

    def _onSelect(self, number: int | None) -> None:
        """Select a prompt of the list and show its slice."""
        self.editor.select(number)
        sessionView, prompt = self.editor.sessionView, self.editor.prompts.get(number)
        k = sessionView.slices.get(number) if sessionView is not None else None
        position = None if prompt is None else promptPosition(prompt, k, sessionView)
        if position is not None:
            self._views.jumpTo(position)

    def _knownEngine(self) -> str:
        """The chosen engine; the editor's if this version has no engine of that id."""
        id = self._parameters.engine
        if id in {entry.id for entry in ENGINES}:
            return id
        self.showMessage(
            _("This version has no engine {id}; {other} is used.").format(id=id, other=self.editor.engine.id)
        )
        return self.editor.engine.id

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
        self._observeDisplay(None)


def _modified(interactor: Any) -> bool:
    return bool(interactor.GetShiftKey() or interactor.GetControlKey() or interactor.GetAltKey())

"""The slice views of the layout: where the effect draws, and its cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.mrml.display import isSegmentDisplayedIn
from StrokeSAMLib.mrml.space import Position, swapRasLps
from StrokeSAMLib.ui.effect.overlay import Overlay
from StrokeSAMLib.ui.effect.pointer import Pointer
from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor
from StrokeSAMLib.ui.effect.slice_view import SliceView
from StrokeSAMLib.ui.resources import toolCursor

if TYPE_CHECKING:
    import numpy as np


class EffectViews:
    """Draws the editor's state in the slice views that display the segment, and in no other view.

    Slicer sends the effect no events of other views, so a drawing there would stay as it was.
    """

    def __init__(self, scriptedEffect: Any, editor: PromptEditor, pointer: Pointer):
        """Nothing is drawn before `update`.

        Args:
            scriptedEffect: Slicer's qSlicerSegmentEditorScriptedEffect.
            editor: holds the prompts and the preview.
            pointer: holds the tool and the box under the mouse.
        """
        self._effect = scriptedEffect
        self._editor = editor
        self._pointer = pointer
        self._overlays: dict[Any, Overlay] = {}

    def update(self) -> None:
        """Draw in every slice view of the layout, because layout, segment or display may have changed."""
        self.remove()
        for viewWidget in _viewWidgets():
            self.draw(viewWidget)

    def draw(self, viewWidget: Any) -> None:
        """Draw the current state in one slice view, or nothing if the segment is not displayed there."""
        node = self._effect.viewNode(viewWidget)
        if not self._isDisplayed(node):
            self._removeFrom(viewWidget)
            return
        overlay = self._overlays.get(viewWidget)
        if overlay is None:
            overlay = self._overlays[viewWidget] = Overlay(node)
            for actor in overlay.actors:
                self._effect.addActor2D(viewWidget, actor)
        if overlay.update(self._editor, self._pointer, pixelScale(viewWidget)):
            viewWidget.sliceView().scheduleRender()

    def drawAll(self) -> None:
        """Draw the current state in every slice view of the layout."""
        for viewWidget in _viewWidgets():
            self.draw(viewWidget)

    def remove(self) -> None:
        """Remove all drawings."""
        for viewWidget in list(self._overlays):
            self._removeFrom(viewWidget)

    def sliceIndex(self, affine: np.ndarray, count: int) -> int | None:
        """The slice of a stack that a view shows; see `SliceView.sliceIndex`. None if no view shows one."""
        indices = (SliceView(overlay.sliceNode).sliceIndex(affine, count) for overlay in self._overlays.values())
        return next((k for k in indices if k is not None), None)

    def jumpTo(self, position: Position) -> None:
        """Show a position (LPS, mm) in all slice views."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *swapRasLps(position))

    def showCursor(self) -> None:
        """Show the tool's cursor in the views in which the mouse belongs to the effect."""
        cursor = toolCursor(self._pointer.tool)
        for viewWidget in self._overlays:
            if inViewMode(self._effect.viewNode(viewWidget).GetInteractionNode()):
                viewWidget.sliceView().setViewCursor(cursor)
                viewWidget.sliceView().setDefaultViewCursor(cursor)

    def _isDisplayed(self, viewNode: slicer.vtkMRMLSliceNode | None) -> bool:
        target = self._editor.target
        return (
            viewNode is not None
            and target is not None
            and isSegmentDisplayedIn(target.segmentationNode, target.segmentId, viewNode)
        )

    def _removeFrom(self, viewWidget: Any) -> None:
        overlay = self._overlays.pop(viewWidget, None)
        if overlay is None or not viewWidget:  # a widget is false after Qt deleted it with its view node
            return
        for actor in overlay.actors:
            self._effect.removeActor2D(viewWidget, actor)
        if not overlay.isEmpty:
            viewWidget.sliceView().scheduleRender()


def pixelScale(viewWidget: Any) -> float:
    """The pixels in which a view counts and draws for one logical pixel: 2 on a screen of twice the resolution.

    A slice node's `GetScreenScaleFactor` is another number: the size of the handles of Slicer's own widgets.
    """
    return viewWidget.sliceView().devicePixelRatioF()


def inViewMode(interactionNode: slicer.vtkMRMLInteractionNode | None) -> bool:
    """Whether the mouse mode is View. Slicer handles the mouse in the other modes."""
    return interactionNode is None or interactionNode.GetCurrentInteractionMode() == interactionNode.ViewTransform


def _viewWidgets() -> list[Any]:
    manager = slicer.app.layoutManager()
    names = manager.sliceViewNames() if manager is not None else ()
    return [manager.sliceWidget(name) for name in names]

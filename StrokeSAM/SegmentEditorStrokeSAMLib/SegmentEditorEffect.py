"""The Segment Editor effect StrokeSAM. It passes Slicer's calls on to `StrokeSAMLib.ui.effect.active_effect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import vtk
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """Turns boxes, lassos, points and scribbles on slices into a segment in the volume."""

    def __init__(self, scriptedEffect: Any):
        scriptedEffect.name = "StrokeSAM"  # not translated, because modules find effects by this name
        scriptedEffect.title = _("StrokeSAM")
        scriptedEffect.perSegment = True
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self._active: Any = None
        self._panel: Any = None
        self._worker: Any = None
        self._engines: Any = None

    @property
    def promptEditor(self) -> Any:
        """The `prompt_editor.PromptEditor`, for scripts and tests; None while the effect is not active."""
        return None if self._active is None else self._active.editor

    def clone(self) -> Any:
        from StrokeSAMLib.ui.effect.registration import newEffect

        return newEffect(Path(__file__))

    def icon(self) -> qt.QIcon:
        from StrokeSAMLib.ui.resources import icon

        return icon("SegmentEditorEffect")

    def helpText(self) -> str:
        # Slicer folds everything after the first line break.
        return "<html>" + _(
            "Boxes, outlines, points and lines on slices become a segment in the volume.<br>"
            "Drag a box or draw an outline around the lesion on any slice, or click points and draw lines inside and "
            "outside it. Propagate through the volume, then correct on any slice.<ul>"
            "<li>Keys in a slice view: <b>X</b> box, <b>L</b> lasso, <b>P</b> point or line inside, <b>N</b> point or "
            "line outside, <b>D</b> delete the selected prompt, <b>Enter</b> propagate, <b>Esc</b> cancel.</li>"
            "<li><b>Drag</b> a prompt to move it.</li></ul>"
            "The preview is an outline; propagation writes it into the segment. For research; not a medical device."
        )

    def setupOptionsFrame(self) -> None:
        from StrokeSAMLib.ui.effect.effect_panel import EffectPanel

        names = ("tool", "engine", "weights", "select", "delete", "clear", "undo", "redo", "refine", "avoid")
        names += ("propagate", "range", "rangeStart", "rangeEnd", "cancel", "apply")
        self._panel = EffectPanel({name: self._whenActive(name) for name in names})
        self.scriptedEffect.addOptionsWidget(self._panel.widget)

    def setMRMLDefaults(self) -> None:
        from StrokeSAMLib.ui.effect.effect_parameters import setDefaults

        setDefaults(self.scriptedEffect)

    def activate(self) -> None:
        from StrokeSAMLib.core.jobs import Worker
        from StrokeSAMLib.ui.effect.active_effect import ActiveEffect
        from StrokeSAMLib.ui.effect.prompt_session import Engines

        if self._worker is None:
            self._worker, self._engines = Worker("StrokeSAM effect"), Engines()
        self._active = ActiveEffect(self.scriptedEffect, self._panel, self._worker, self._engines)
        self._active.begin()

    def deactivate(self) -> None:
        if self._active is not None:
            self._active.end()
            self._active = None

    def cleanup(self) -> None:
        self.deactivate()
        if self._worker is not None:
            self._worker.stop(timeout=0.0)  # the thread is a daemon, so Slicer need not wait for it

    def refine(self) -> None:
        """Start from the selected segment's content, like the panel's button. Does nothing while not active."""
        self._whenActive("refine")()

    def updateGUIFromMRML(self) -> None:
        if self._active is not None:
            self._active.onParameters()

    def updateMRMLFromGUI(self) -> None:
        """Do nothing, because every widget writes its parameter at once."""

    def sourceVolumeNodeChanged(self) -> None:
        if self._active is not None:
            self._active.onParameters()

    def layoutChanged(self) -> None:
        if self._active is not None:
            self._active.showViews()

    def interactionNodeModified(self, interactionNode: Any) -> None:
        """Keep the effect active in other mouse modes. By default Slicer would deactivate it."""
        if self._active is not None and interactionNode is not None:
            self._active.onMouseMode(interactionNode)

    def createCursor(self, viewWidget: Any) -> qt.QCursor:
        from StrokeSAMLib.ui.effect.effect_parameters import EffectParameters
        from StrokeSAMLib.ui.resources import toolCursor

        return toolCursor(EffectParameters(self.scriptedEffect).tool)

    def processInteractionEvents(self, callerInteractor: Any, eventId: int, viewWidget: Any) -> bool:
        if self._active is None or viewWidget.className() != "qMRMLSliceWidget":
            return False
        if eventId == vtk.vtkCommand.KeyPressEvent:
            return self._active.onKey(callerInteractor)
        return self._active.onMouse(callerInteractor, eventId, viewWidget)

    def processViewNodeEvents(self, callerViewNode: Any, eventId: int, viewWidget: Any) -> None:
        if self._active is not None and viewWidget.className() == "qMRMLSliceWidget":
            self._active.draw(viewWidget)

    def _whenActive(self, name: str) -> Any:
        def call(*arguments: Any) -> None:
            if self._active is not None:
                self._active.actions[name](*arguments)

        return call

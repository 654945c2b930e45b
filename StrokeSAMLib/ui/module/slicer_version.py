"""The check of Slicer's version."""

from __future__ import annotations

import slicer

from StrokeSAMLib.ui.translation import tr as _


def versionObstacle() -> str:
    """Why StrokeSAM cannot run in this Slicer, one sentence; "" if it can.

    Segments are written with `vtkSlicerSegmentEditorLogic`, which exists since Slicer 5.10.
    """
    if hasattr(slicer, "vtkSlicerSegmentEditorLogic"):
        return ""
    version = getattr(slicer.app, "applicationVersion", "?")
    return _("StrokeSAM needs Slicer 5.10 or newer; this is Slicer {version}.").format(version=version)

"""Making the effect known to the Segment Editor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import slicer

_SOURCE = Path(__file__).parent / "SegmentEditorEffect.py"


def registerEffect() -> None:
    """Register the effect, once a session of Slicer."""
    newEffect().self().register()


def newEffect() -> Any:
    """A new instance of the effect.

    Slicer calls the module that it makes of an effect's file by the folder that it lies in, and would take one of
    that name for it that is there already: another extension's folder "ui". So there is none for as long as it looks.
    """
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    folder = _SOURCE.parent.name
    others = sys.modules.pop(folder, None)
    attribute = getattr(slicer, folder, None)
    try:
        made = effects.qSlicerSegmentEditorScriptedEffect(None)
        made.setPythonSource(_SOURCE.as_posix())
    finally:
        sys.modules.pop(folder, None)
        if others is not None:
            sys.modules[folder] = others
        if attribute is not None:
            setattr(slicer, folder, attribute)
    return made

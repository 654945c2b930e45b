"""Register the effect in the Segment Editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def registerEffect(source: Path) -> None:
    """Register the effect in the file `source`. Call it once per run of Slicer."""
    newEffect(source).self().register()


def newEffect(source: Path) -> Any:
    """Create an instance of the effect in the file `source`, which must be called SegmentEditorEffect.py.

    Slicer names the effect's Python module after the folder of its file. Therefore no other extension may have a
    folder of this name.
    """
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    effect.setPythonSource(source.as_posix())
    return effect

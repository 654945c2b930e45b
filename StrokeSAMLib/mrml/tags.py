"""JSON in the tags of a segment, where Slicer saves it with the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import slicer

PROVENANCE = "StrokeSAM.Provenance"
SESSION = "StrokeSAM.Session"


def writeTag(segment: slicer.vtkSegment, name: str, document: Mapping[str, Any]) -> None:
    """Keep `document` in the tag."""
    # In a file Slicer puts "|" between the tags and does not escape it.
    segment.SetTag(name, json.dumps(document, ensure_ascii=False, allow_nan=False).replace("|", "\\u007c"))


def readTag(segment: slicer.vtkSegment, name: str) -> Any | None:
    """What `writeTag` kept; None where there is no such tag.

    Raises:
        ValueError: the tag holds no JSON.
    """
    import vtk

    text = vtk.reference("")
    return json.loads(str(text)) if segment.GetTag(name, text) else None

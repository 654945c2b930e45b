"""JSON in the tags of a segment, where Slicer saves it with the scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import slicer

PROVENANCE = "StrokeSAM.Provenance"
SESSION = "StrokeSAM.Session"


def writeTag(segment: slicer.vtkSegment, name: str, document: Mapping[str, Any]) -> None:
    """Keep `document` in the tag."""
    # In a file Slicer puts "|" between the tags and does not escape it.
    segment.SetTag(name, json.dumps(document, ensure_ascii=False, allow_nan=False).replace("|", "\\u007c"))


@contextmanager
def unnoticed(segment: slicer.vtkSegment) -> Iterator[None]:
    """Change tags of the segment without its segmentation hearing of it: its history would drop what can be redone.

    That there is something to save it does not hear either: call `StorableModified` of its node.
    """
    first = 1e9  # of all observers
    tag = segment.AddObserver("ModifiedEvent", lambda caller, event: segment.GetCommand(tag).SetAbortFlag(1), first)
    try:
        yield
    finally:
        segment.RemoveObserver(tag)


def readTag(segment: slicer.vtkSegment, name: str) -> Any | None:
    """What `writeTag` kept; None where there is no such tag.

    Raises:
        ValueError: the tag holds no JSON.
    """
    import vtk

    text = vtk.reference("")
    return json.loads(str(text)) if segment.GetTag(name, text) else None

"""JSON in the tags of a segment. Slicer saves tags with the scene."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import slicer

PROVENANCE = "StrokeSAM.Provenance"
SESSION = "StrokeSAM.Session"


def writeTag(segment: slicer.vtkSegment, name: str, document: Any) -> None:
    """Store `document`, a value that JSON knows, in the tag `name`."""
    # Slicer separates tags in a file by "|" and does not escape this sign.
    segment.SetTag(name, json.dumps(document, ensure_ascii=False, allow_nan=False).replace("|", "\\u007c"))


@contextmanager
def observersBlocked(segment: slicer.vtkSegment) -> Iterator[None]:
    """Block the observers of the segment while its tags are changed.

    Otherwise the segmentation's undo history would drop the states that can be redone. Slicer is not told that the
    scene has changed; call `StorableModified` of the segmentation node for this.
    """
    highestPriority = 1e9
    tag = segment.AddObserver(
        "ModifiedEvent", lambda caller, event: segment.GetCommand(tag).SetAbortFlag(1), highestPriority
    )
    try:
        yield
    finally:
        segment.RemoveObserver(tag)


def readTag(segment: slicer.vtkSegment, name: str) -> Any | None:
    """Return the document that `writeTag` stored; None if there is no such tag.

    Raises:
        ValueError: the tag holds no JSON.
    """
    import vtk

    text = vtk.reference("")
    return json.loads(str(text)) if segment.GetTag(name, text) else None

"""Prompts on slices become a segment in the volume: stacks, engines, propagation, sessions.

The names are imported when they are first asked for: a list of the engines, which Slicer shows, needs no SimpleITK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Box, Mask, Point, read_prompts
    from StrokeSAMLib.interactive.propagation import Plan
    from StrokeSAMLib.interactive.session import Session

__all__ = ["Box", "Mask", "Plan", "Point", "Session", "read_prompts"]

_MODULES = {
    **dict.fromkeys(("Box", "Mask", "Point", "read_prompts"), "prompts"),
    "Plan": "propagation",
    "Session": "session",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

"""Interactive segmentation: prompts on slices become a segment in the volume.

The public names are imported on first use, so that Slicer can list the engines without SimpleITK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Box, Lasso, Mask, Point, Scribble, read_prompts
    from StrokeSAMLib.interactive.propagation import PropagationPlan
    from StrokeSAMLib.interactive.session import Session

__all__ = ["Box", "Lasso", "Mask", "Point", "PropagationPlan", "Scribble", "Session", "read_prompts"]

_MODULES = {
    **dict.fromkeys(("Box", "Lasso", "Mask", "Point", "Scribble", "read_prompts"), "prompts"),
    "PropagationPlan": "propagation",
    "Session": "session",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

"""The parts of SAM (Kirillov et al. 2023, arXiv 2304.02643), from the `segment-anything` package.

The package's `__init__` imports its predictor, and that torchvision, whose wheels fail beside many builds of torch.
Its networks need neither: they are imported here as a package of their own.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

_NAME = "_strokesam_segment_anything"


def _modeling() -> ModuleType:
    found = importlib.util.find_spec("segment_anything")
    if found is None or not found.submodule_search_locations:
        raise ImportError("segment_anything is not installed")
    folder = f"{found.submodule_search_locations[0]}/modeling"
    spec = importlib.util.spec_from_file_location(_NAME, f"{folder}/__init__.py", submodule_search_locations=[folder])
    made = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = made
    spec.loader.exec_module(made)
    return made


_parts = sys.modules.get(_NAME) or _modeling()
ImageEncoderViT = _parts.ImageEncoderViT
MaskDecoder = _parts.MaskDecoder
PromptEncoder = _parts.PromptEncoder
TwoWayTransformer = _parts.TwoWayTransformer

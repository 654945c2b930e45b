"""The parts of SAM (Kirillov et al. 2023, arXiv 2304.02643), from the `segment-anything` package.

The package's `__init__` imports torchvision, whose wheels fail beside many builds of torch. Its networks do not need
torchvision, so this module imports its subpackage `modeling` alone.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

_NAME = "_strokesam_segment_anything"


def _import_modeling() -> ModuleType:
    package = importlib.util.find_spec("segment_anything")
    if package is None or not package.submodule_search_locations:
        raise ImportError("segment_anything is not installed")
    folder = f"{package.submodule_search_locations[0]}/modeling"
    spec = importlib.util.spec_from_file_location(_NAME, f"{folder}/__init__.py", submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"segment_anything cannot be imported from {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module


_parts = sys.modules.get(_NAME) or _import_modeling()
ImageEncoderViT = _parts.ImageEncoderViT
MaskDecoder = _parts.MaskDecoder
PromptEncoder = _parts.PromptEncoder
TwoWayTransformer = _parts.TwoWayTransformer

"""Module paths of version 0.1 lead to the modules' present places, so that scripts written for it keep working."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = __name__.partition(".")[0]
# Within the package: the path in version 0.1, and the present one. Modules of the commands and of Slicer's panels,
# which no script imports, are left out.
MOVED = {
    "errors": "core.errors",
    "files": "core.files",
    "jobs": "core.jobs",
    "monitor": "core.monitor",
    "options": "core.options",
    "version": "core.version",
    "imaging.adc": "anatomy.adc",
    "imaging.brain_ct": "anatomy.brain_ct",
    "imaging.brain_dwi": "anatomy.brain_dwi",
    "imaging.checks": "io.image_checks",
    "imaging.folders": "io.folders",
    "imaging.hounsfield": "anatomy.hounsfield",
    "imaging.identity": "io.volume_hash",
    "imaging.mirror": "anatomy.mirror",
    "imaging.nnunet": "imaging.nnunet_resampling",
    "imaging.phantom": "phantom",
    "imaging.plane": "anatomy.plane",
    "imaging.reading": "io.reading",
    "imaging.skull_base": "anatomy.skull_base",
    "imaging.writing": "io.writing",
    "interactive.cache": "interactive.features.cache",
    "interactive.encodings": "interactive.features.encodings",
    "interactive.memory": "interactive.features.footprint",
    "interactive.slices": "interactive.slice_prompts",
    "interactive.stack": "interactive.slice_stack",
    "interactive.state": "interactive.session_state",
    "lesion.aisct_sam": "lesion.methods.aisct_sam",
    "lesion.asymmetry": "lesion.methods.asymmetry",
    "lesion.diffusion": "lesion.methods.diffusion",
    "lesion.dwi_unet": "lesion.methods.dwi_unet",
    "lesion.ncct_unet": "lesion.methods.ncct_unet",
    "lesion.network": "lesion.predictor",
    "lesion.sam_unetr": "lesion.methods.sam_unetr",
    "lesion.windows": "lesion.sliding_window",
    "nets.adapters": "nets.models.adapters",
    "nets.aisct_sam": "nets.models.aisct_sam",
    "nets.compact_unet": "nets.models.compact_unet",
    "nets.layers": "nets.models.layers",
    "nets.sam2_fast": "nets.cpu.sam2_fast",
    "nets.sam2_model": "nets.models.sam2_model",
    "nets.sam_med2d": "nets.models.sam_med2d",
    "nets.sam_models": "nets.models.sam_models",
    "nets.sam_parts": "nets.models.sam_parts",
    "nets.sam_unetr": "nets.models.sam_unetr",
    "nets.self_prompt": "nets.models.self_prompt",
    "nets.tiny_vit": "nets.models.tiny_vit",
    "nets.unetr": "nets.models.unetr",
    "nets.vit": "nets.models.vit",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads the modules of `MOVED`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        return importlib.util.spec_from_loader(fullname, self) if package == _PACKAGE and name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__
        new = f"{_PACKAGE}.{MOVED[old.partition('.')[2]]}"
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Make the old paths importable; further calls do nothing."""
    # By name: after a reload of the package in Slicer the class is another object.
    if not any(type(finder).__module__ == __name__ for finder in sys.meta_path):
        sys.meta_path.append(_Finder())

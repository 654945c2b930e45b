"""The registry of engines: name, needed packages and weights, and loading of each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.core.installed_packages import check_installed, not_installed
from StrokeSAMLib.core.options import NoOptions, check_device
from StrokeSAMLib.weights.lookup import find_checkpoint, readiness
from StrokeSAMLib.weights.store import Store

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.engines.base import AnyEngine


# Kinds of prompts; see `prompts.KINDS`.
_BOXES = frozenset({"box", "mask"})
_POINTS = _BOXES | {"point"}
_LINES = _POINTS | {"scribble", "lasso"}


@dataclass(frozen=True)
class EngineEntry:
    """An engine in the registry.

    Attributes:
        id: public name.
        title: name in a list for users.
        module: module of `StrokeSAMLib.interactive.engines` with ``load(id, weights, device, options)``, and the class
            `Options` where the engine has options.
        packages: Python packages that the engine imports.
        weights: true if the engine needs a checkpoint: by default the one with its id in the store.
        accepts: kinds of prompts that the engine takes; the same as its `Engine.accepts`, known before it is loaded.
        revision: rises when the same prompts give another segment, so that a record of an earlier one is not replayed.
    """

    id: str
    title: str
    module: str
    packages: tuple[str, ...] = ()
    weights: bool = True
    accepts: frozenset[str] = _POINTS
    revision: int = 1

    def missing_packages(self) -> list[str]:
        """The packages that are not installed."""
        return not_installed(self.packages)

    def check_packages(self) -> None:
        """Check that the packages are installed.

        Raises:
            InputError: a package is not installed.
        """
        check_installed(f"engine {self.id}", self.packages)

    def options_class(self) -> type:
        """The dataclass of the engine's options (see `core.options.option`).

        Raises:
            InputError: a package is not installed.
        """
        return getattr(self.implementation(), "Options", NoOptions)

    def implementation(self) -> Any:
        """The engine's module, imported.

        Raises:
            InputError: a package is not installed.
        """
        self.check_packages()
        return importlib.import_module(f"StrokeSAMLib.interactive.engines.{self.module}")

    def readiness(self, weights: Path | None = None, store: Store | None = None) -> str:
        """The text "yes" if the engine can be loaded, else "no" and the reason.

        Args:
            weights: file of the checkpoint; by default the engine's own in `store`.
            store: store of weights; by default the user's.
        """
        missing = self.missing_packages()
        if missing:
            return f"no: needs {', '.join(missing)}"
        return readiness("engine", self.id, weights, store) if self.weights else "yes"

    def checkpoint(self, weights: Path | None = None, store: Store | None = None) -> Path:
        """The file of the checkpoint.

        Args:
            weights: a file, or the id of one in `store`; by default the engine's own in `store`.
            store: store of weights; by default the user's.

        Raises:
            InputError: the file does not exist; the message says how to get it.
        """
        return find_checkpoint("engine", self.id, weights, store)


_SAM2 = ("torch", "sam2")
_SAM = ("torch", "segment_anything")
ENGINES: tuple[EngineEntry, ...] = (
    EngineEntry(
        "random-walker", "Random walker (no weights)", "random_walker", weights=False, accepts=_LINES, revision=2
    ),
    EngineEntry("prompt-unet", "Small 3-D network (weights included)", "prompt_unet", accepts=_LINES),
    EngineEntry("sam2.1-tiny", "SAM 2.1 tiny", "sam2", _SAM2),
    EngineEntry("sam2.1-small", "SAM 2.1 small", "sam2", _SAM2),
    EngineEntry("sam2.1-base-plus", "SAM 2.1 base plus", "sam2", _SAM2),
    EngineEntry("sam2.1-large", "SAM 2.1 large", "sam2", _SAM2),
    EngineEntry("medsam2", "MedSAM2", "sam2", _SAM2),
    EngineEntry("sam-vit-b", "SAM ViT-B", "sam", _SAM),
    EngineEntry("medsam", "MedSAM", "sam", _SAM, accepts=_BOXES),
    EngineEntry("sam-med2d", "SAM-Med2D", "sam", _SAM),
    EngineEntry("lite-medsam", "LiteMedSAM", "lite_medsam", _SAM, accepts=_BOXES),
    EngineEntry("swift-medsam", "SwiftMedSAM", "lite_medsam", _SAM, accepts=_BOXES),
)


def find_engine(id: str) -> EngineEntry:
    """The entry of engine `id`.

    Raises:
        OptionError: there is no such engine.
    """
    for entry in ENGINES:
        if entry.id == id:
            return entry
    raise OptionError(f"no engine '{id}'; there are: {', '.join(entry.id for entry in ENGINES)}")


def engine_revision(id: str) -> int:
    """The revision of engine `id`; 1 for an engine that is not in the registry."""
    return next((entry.revision for entry in ENGINES if entry.id == id), 1)


def load_engine(
    id: str, weights: Path | None = None, device: str = "auto", options: Mapping[str, Any] | None = None
) -> AnyEngine:
    """Load an engine.

    Args:
        id: id of an engine in `ENGINES`.
        weights: checkpoint, for an engine that needs one: a file, or an id of the store; by default the engine's own in
            the store.
        device: "auto", "cpu", "cuda" or "mps".
        options: options of the engine.

    Raises:
        OptionError: the engine, an option or the device is unknown or unavailable, or weights are given for an engine
            without weights.
        InputError: the weights are missing, or of another network.
    """
    entry = find_engine(id)
    check_device(device)
    entry.check_packages()
    if entry.weights:
        weights = entry.checkpoint(weights)
    elif weights is not None:
        raise OptionError(f"engine {id} takes no weights; {weights} was given")
    return entry.implementation().load(id, weights, device, dict(options or {}))

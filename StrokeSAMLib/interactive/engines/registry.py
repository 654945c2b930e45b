"""The registry of engines: what each is called, what it needs, how it is made."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.errors import OptionError
from StrokeSAMLib.options import NoOptions, check_device
from StrokeSAMLib.packages import check_installed, not_installed
from StrokeSAMLib.weights.lookup import checkpoint_of, readiness
from StrokeSAMLib.weights.store import Store

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.engines.base import Engine


@dataclass(frozen=True)
class EngineEntry:
    """An engine that can be chosen.

    Attributes:
        id: its public name.
        title: what a user reads in a list.
        module: the module of `StrokeSAMLib.interactive.engines` with ``load(id, weights, device, options)``, and where
            it has options the class `Options`.
        packages: the Python packages it imports.
        weights: whether it needs a checkpoint: that of the same id, from the store, or one that is given.
        settings: what tells engines of one module apart.
    """

    id: str
    title: str
    module: str
    packages: tuple[str, ...] = ()
    weights: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    def missing_packages(self) -> list[str]:
        """The packages that are not installed."""
        return not_installed(self.packages)

    def check_packages(self) -> None:
        """Raise `InputError` where a package is not installed."""
        check_installed(f"engine {self.id}", self.packages)

    def options_class(self) -> type:
        """The dataclass of its options (see `options.option`).

        Raises:
            InputError: a package is not installed.
        """
        return getattr(self.implementation(), "Options", NoOptions)

    def implementation(self) -> Any:
        """Its module, imported.

        Raises:
            InputError: a package is not installed.
        """
        self.check_packages()
        return importlib.import_module(f"StrokeSAMLib.interactive.engines.{self.module}")

    def readiness(self, weights: Path | None = None, store: Store | None = None) -> str:
        """ "yes", or what is missing, for the checkpoint `weights` or that in `store` (None: the user's)."""
        missing = self.missing_packages()
        if missing:
            return f"no: needs {', '.join(missing)}"
        return readiness("engine", self.id, weights, store) if self.weights else "yes"

    def checkpoint(self, weights: Path | None = None, store: Store | None = None) -> Path:
        """The file to load: `weights`, a file or the id of one in `store`; None: the engine's own in `store`.

        Raises:
            InputError: it is not there; the text says what puts it there.
        """
        return checkpoint_of("engine", self.id, weights, store)


_SAM2 = ("torch", "sam2")
_SAM = ("torch", "segment_anything")
ENGINES: tuple[EngineEntry, ...] = (
    EngineEntry("random-walker", "Random walker (no weights)", "random_walker", weights=False),
    EngineEntry("sam2.1-tiny", "SAM 2.1 tiny", "sam2", _SAM2),
    EngineEntry("sam2.1-small", "SAM 2.1 small", "sam2", _SAM2),
    EngineEntry("sam2.1-base-plus", "SAM 2.1 base plus", "sam2", _SAM2),
    EngineEntry("sam2.1-large", "SAM 2.1 large", "sam2", _SAM2),
    EngineEntry("medsam2", "MedSAM2", "sam2", _SAM2),
    EngineEntry("sam-vit-b", "SAM ViT-B", "sam", _SAM),
    EngineEntry("medsam", "MedSAM", "sam", _SAM),
    EngineEntry("sam-med2d", "SAM-Med2D", "sam", _SAM),
    EngineEntry("lite-medsam", "LiteMedSAM", "lite_medsam", _SAM),
    EngineEntry("swift-medsam", "SwiftMedSAM", "lite_medsam", _SAM),
)


def find_engine(id: str) -> EngineEntry:
    """The engine called `id`.

    Raises:
        OptionError: there is none.
    """
    for entry in ENGINES:
        if entry.id == id:
            return entry
    raise OptionError(f"no engine '{id}'; there are: {', '.join(entry.id for entry in ENGINES)}")


def load_engine(
    id: str, weights: Path | None = None, device: str = "auto", options: Mapping[str, Any] | None = None
) -> Engine:
    """An engine, ready to answer.

    Args:
        id: see `ENGINES`.
        weights: its checkpoint, where it needs one: a file, or an id of the store; None: from the store.
        device: "auto", "cpu", "cuda" or "mps".
        options: the engine's own.

    Raises:
        OptionError: unknown engine or option, weights for an engine without, or a device that is not here.
        InputError: no weights, or weights of another network.
    """
    entry = find_engine(id)
    check_device(device)
    entry.check_packages()
    if entry.weights:
        weights = entry.checkpoint(weights)
    elif weights is not None:
        raise OptionError(f"engine {id} takes no weights; {weights} was given")
    return entry.implementation().load(id, weights, device, dict(options or {}))

"""The file that a network is loaded from: the user's own, or one in the store."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import is_file
from StrokeSAMLib.weights.catalogue import catalogue, shipped_file
from StrokeSAMLib.weights.store import Store


def find_checkpoint(kind: str, id: str, weights: str | Path | None = None, store: Store | None = None) -> Path:
    """The file with the weights of an engine or a method.

    Args:
        kind: "engine" or "method", for errors.
        id: id of the engine or method, and of its own weights in the catalogue.
        weights: a file, or the id of weights in the store; None or "" for the engine's or method's own.
        store: the store; None for the user's.

    Raises:
        InputError: the weights are not in the store; the message says how to get them.
    """
    name = str(weights) if weights else id
    if weights and (name not in catalogue() or is_file(Path(weights))):
        return Path(weights)
    entry = catalogue().get(name)
    # Included weights need no store, and so no package that finds its folder.
    if entry is not None and entry.shipped and is_file(shipped_file(entry)):
        return shipped_file(entry)
    store = store or Store()
    path = store.find(name) if name in catalogue() else None
    if path is None:
        reason = f"; {store.folder} has no {name}" if name in catalogue() else ""
        raise InputError(f"{kind} {id} needs weights: {_advice(name)}{reason}")
    return path


def readiness(kind: str, id: str, weights: str | Path | None = None, store: Store | None = None) -> str:
    """ "yes", or "no: needs weights (…)" with the command or option that provides them."""
    try:
        find_checkpoint(kind, id, weights, store)
    except InputError:
        return f"no: needs weights ({catalogue()[id].install_command if id in catalogue() else '--weights'})"
    return "yes"


def _advice(id: str) -> str:
    """The command that puts the weights into the store, and the option that names a file."""
    option = "--weights FILE"
    return f"{catalogue()[id].install_command}, or {option}" if id in catalogue() else option

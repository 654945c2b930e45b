"""Which file a network is loaded from: the user's, or one of the store."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import is_file
from StrokeSAMLib.weights.catalogue import catalogue
from StrokeSAMLib.weights.store import Store


def checkpoint_of(kind: str, id: str, weights: str | Path | None = None, store: Store | None = None) -> Path:
    """The file to load.

    Args:
        kind: "engine" or "method", for errors.
        id: its name, and that of its own weights in the catalogue.
        weights: a file, or the id of weights in the store; None or "" for its own.
        store: None is the user's.

    Raises:
        InputError: it is not there; the text says what puts it there.
    """
    wanted = str(weights) if weights else id
    if weights and (wanted not in catalogue() or is_file(Path(weights))):
        return Path(weights)
    store = store or Store()
    found = store.find(wanted) if wanted in catalogue() else None
    if found is None:
        get, why = how_to_get(wanted), f"; {store.folder} has no {wanted}" if wanted in catalogue() else ""
        raise InputError(f"{kind} {id} needs weights: {get}{why}")
    return found


def how_to_get(id: str) -> str:
    """In words: the command that puts the weights into the store, and the option that names a file."""
    file = "--weights FILE"
    return f"{catalogue()[id].command}, or {file}" if id in catalogue() else file


def readiness(kind: str, id: str, weights: str | Path | None = None, store: Store | None = None) -> str:
    """ "yes", or "no: needs weights (…)" with what puts them there."""
    try:
        checkpoint_of(kind, id, weights, store)
    except InputError:
        return f"no: needs weights ({catalogue()[id].command if id in catalogue() else '--weights'})"
    return "yes"

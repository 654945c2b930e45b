"""Taking a file that a person downloaded into the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.weights.architectures import check_weights
from StrokeSAMLib.weights.catalogue import Entry
from StrokeSAMLib.weights.store import Store

_CHUNK_BYTES = 1 << 22


def import_weights(entry: Entry, file: Path, store: Store, monitor: Monitor) -> bool:
    """Copy a checkpoint into `store`, in the place of one that is there, once it was read safely; plans beside it too.

    Returns:
        Whether its keys were compared with the network's (see `check_weights`).

    Raises:
        InputError: not that checkpoint, or a folder or disk that cannot take it; nothing was kept.
        Cancelled: between two chunks; nothing was kept.
    """
    file = Path(file)
    monitor.step(0.0, f"reading {file.name}")
    compared = check_weights(entry, file, str(file))
    with store.receiving(entry, file.name, _plans(entry, file)) as temporary, temporary.open("wb") as copy:
        for fraction, chunk in _chunks(file):
            monitor.step(fraction, f"copying {file.name}")
            copy.write(chunk)
    return compared


def _plans(entry: Entry, file: Path) -> bytes | None:
    """The plans beside the file, if its network is normalised by them."""
    if entry.architecture != "aisct-sam":
        return None
    from StrokeSAMLib.weights.fingerprint import read_plans_beside

    return read_plans_beside(file)


def _chunks(file: Path) -> Iterator[tuple[float, bytes]]:
    """The file in pieces, each with the fraction of it that came before."""
    try:
        size = max(file.stat().st_size, 1)
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield (stream.tell() - len(chunk)) / size, chunk
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None

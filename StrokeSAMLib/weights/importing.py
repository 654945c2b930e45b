"""Import of a checkpoint that a person has downloaded into the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights.architectures import check_weights
from StrokeSAMLib.weights.catalogue import Entry
from StrokeSAMLib.weights.store import Store

_CHUNK_BYTES = 1 << 22


def import_weights(entry: Entry, file: Path, store: Store, monitor: Monitor) -> bool:
    """Read a checkpoint safely, then copy it and the plans beside it into `store`, where it replaces an earlier file.

    Returns:
        Whether its keys were compared with the network's (see `check_weights`).

    Raises:
        InputError: the file is another checkpoint, or the folder or the disk cannot take it. Nothing was kept.
        Cancelled: between two chunks. Nothing was kept.
    """
    file = Path(file)
    monitor.step(0.0, f"reading {file.name}")
    compared = check_weights(entry, file, str(file))
    with store.incoming_file(entry, file.name, _plans(entry, file)) as temporary, temporary.open("wb") as copy:
        for fraction, chunk in _chunks(file):
            monitor.step(fraction, f"copying {file.name}")
            copy.write(chunk)
    return compared


def _plans(entry: Entry, file: Path) -> bytes | None:
    """The plans beside the file, if they normalise the inputs of the entry's network."""
    if entry.architecture != "aisct-sam":
        return None
    from StrokeSAMLib.weights.fingerprint import read_plans_beside

    return read_plans_beside(file)


def _chunks(file: Path) -> Iterator[tuple[float, bytes]]:
    """Yield the file in pieces, each with the fraction of the file before it."""
    try:
        size = max(file.stat().st_size, 1)
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield (stream.tell() - len(chunk)) / size, chunk
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None

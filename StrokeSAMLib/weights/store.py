"""Where checkpoints are kept: a folder, one file an id, beside it what was received, and its plans."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import TEMPORARY, file_hash, is_file, replacing
from StrokeSAMLib.weights.catalogue import Entry, catalogue, find_weights, shipped_file
from StrokeSAMLib.weights.plans import own_plans

VARIABLE = "STROKESAM_WEIGHTS"
_ABANDONED_S = 24 * 3600


def default_folder() -> Path:
    """The folder that the environment variable STROKESAM_WEIGHTS names, or one in the user's cache directory.

    Raises:
        InputError: neither the variable nor the Python package platformdirs is there.
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise InputError(f"no folder for weights: set {VARIABLE}, or install the Python package platformdirs") from None
    return user_cache_path("strokesam", appauthor=False) / "weights"


class Store:
    """A folder of checkpoints. A file under its final name is whole, and was the right one when it came."""

    def __init__(self, folder: Path | None = None):
        """`folder` need not exist; None is `default_folder`."""
        self.folder = default_folder() if folder is None else Path(folder)

    def path(self, id: str) -> Path:
        """Where the weights called `id` lie, or would."""
        return self.folder / f"{id}.pt"

    def find(self, id: str) -> Path | None:
        """The file of the weights called `id`, in the folder or, if they ship, beside this one; or None."""
        entry = catalogue().get(id)
        path = shipped_file(entry) if entry is not None and entry.shipped else self.path(id)
        try:
            return path if is_file(path) else None
        except InputError:
            return None

    def held(self) -> list[Entry]:
        """The checkpoints that are here, in the catalogue's order."""
        return [entry for entry in catalogue().values() if self.find(entry.id)]

    @contextmanager
    def receiving(self, entry: Entry, source: str, plans: bytes | None = None) -> Iterator[Path]:
        """A temporary path; the file written there becomes the entry's, if it is the one that the catalogue knows.

        Args:
            source: where it comes from, for errors and for the record beside it.
            plans: what `own_plans` shall hold.

        Raises:
            InputError: another size or SHA-256 than the catalogue's, or a folder or disk that cannot take it; or
                weights that ship, which have no place in a store.
        """
        if entry.shipped:
            raise InputError(f"{entry.id} ships with StrokeSAM: a file of your own is used by --weights FILE")
        self._prepare(entry)
        with replacing(self.path(entry.id)) as temporary:
            yield temporary
            received = {"sha256": _checked_hash(entry, temporary, source), "bytes": temporary.stat().st_size}
            # Between the two writes no record is better than that of the file before.
            self._record(entry.id).unlink(missing_ok=True)
        own_plans(self.path(entry.id)).unlink(missing_ok=True)
        if plans is not None:
            with replacing(own_plans(self.path(entry.id))) as temporary:
                temporary.write_bytes(plans)
        with replacing(self._record(entry.id)) as temporary:
            temporary.write_text(json.dumps({**received, "source": source}, indent=2) + "\n", "utf-8")

    def verify(self, id: str) -> str:
        """The SHA-256 of the weights called `id`: the catalogue's, or where it has none, the one of the file received.

        Raises:
            InputError: they are not here, have changed, or nothing is known to compare with.
        """
        entry = find_weights(id)
        path = self._present(entry)
        wanted = entry.sha256 or self._recorded_hash(entry)
        try:
            found = file_hash(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if found != wanted:
            raise InputError(
                f"{path}: changed or damaged: its SHA-256 is {found}, not {wanted}; again: {entry.command}"
            )
        return found

    def intact(self, id: str) -> bool:
        """Whether `verify` finds nothing wrong."""
        try:
            self.verify(id)
        except InputError:
            return False
        return True

    def remove(self, id: str) -> Path:
        """Delete the weights called `id`; the path they had.

        Raises:
            InputError: they are not here, or cannot be deleted.
        """
        entry = find_weights(id)
        if entry.shipped:
            raise InputError(f"{id} ships with StrokeSAM: it is not deleted")
        path = self._present(entry)
        try:
            path.unlink()
            for beside in (self._record(id), own_plans(path)):
                beside.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be deleted: {error.strerror}") from None
        return path

    def _present(self, entry: Entry) -> Path:
        path = self.find(entry.id)
        if path is None:
            raise InputError(f"no weights {entry.id} in {self.folder}: {entry.command}")
        return path

    def _record(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    def _recorded_hash(self, entry: Entry) -> str:
        record = self._record(entry.id)
        try:
            return str(json.loads(record.read_text("utf-8"))["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{record}: no SHA-256 to compare {entry.id} with; again: {entry.command}") from None

    def _prepare(self, entry: Entry) -> None:
        """Make the folder, and room in it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise InputError(f"{self.folder}: cannot keep weights there: {error.strerror}") from None
        needed = entry.bytes or 1_000_000 * (entry.megabytes or 0)
        if needed > free:
            room = f"{entry.id} takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free"
            raise InputError(f"{self.folder}: the disk is too full: {room}")

    def _sweep(self) -> None:
        """Delete what killed processes left; a younger file may be another process's, which may delete it meanwhile."""
        for path in self.folder.glob(f"{TEMPORARY}*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()


def _checked_hash(entry: Entry, file: Path, source: str) -> str:
    size, found = file.stat().st_size, file_hash(file)
    if entry.bytes not in (None, size):
        raise InputError(f"{entry.id}: {source}: not that file: it has {size} bytes, not {entry.bytes}")
    if entry.sha256 not in (None, found):
        raise InputError(f"{entry.id}: {source}: not that file: its SHA-256 is {found}, not {entry.sha256}")
    return found

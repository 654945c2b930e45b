"""The store of checkpoints: a folder with one file for each id, a record of its source, and its plans."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import TEMPORARY_PREFIX, atomic_write, file_hash, is_file
from StrokeSAMLib.weights.catalogue import Entry, catalogue, find_weights, shipped_file
from StrokeSAMLib.weights.nnunet_plans import plans_path

# The environment variable that names the folder.
FOLDER_VARIABLE = "STROKESAM_WEIGHTS"
_ABANDONED_S = 24 * 3600


def default_folder() -> Path:
    """The folder in the environment variable STROKESAM_WEIGHTS, or a folder in the user's cache directory.

    Raises:
        InputError: the variable is not set, and the Python package platformdirs is not installed.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE]).expanduser()
    try:
        from platformdirs import user_cache_path
    except ImportError:
        missing = f"no folder for weights: set {FOLDER_VARIABLE}, or install the Python package platformdirs"
        raise InputError(missing) from None
    return user_cache_path("strokesam", appauthor=False) / "weights"


class Store:
    """A folder of checkpoints. A file under its final name is complete, and was the right one when it arrived."""

    def __init__(self, folder: Path | None = None):
        """Use `folder`, which need not exist; None uses `default_folder`."""
        self.folder = default_folder() if folder is None else Path(folder)

    def path(self, id: str) -> Path:
        """The path of the weights called `id` in the folder, whether they are there or not."""
        return self.folder / f"{id}.pt"

    def find(self, id: str) -> Path | None:
        """The file of the weights called `id`, in the folder or shipped with StrokeSAM; None if it is missing."""
        entry = catalogue().get(id)
        path = shipped_file(entry) if entry is not None and entry.shipped else self.path(id)
        try:
            return path if is_file(path) else None
        except InputError:
            return None

    def entries(self) -> list[Entry]:
        """The checkpoints that are in the store or shipped, in the catalogue's order."""
        return [entry for entry in catalogue().values() if self.find(entry.id)]

    @contextmanager
    def incoming_file(self, entry: Entry, source: str, plans: bytes | None = None) -> Iterator[Path]:
        """Yield a temporary path. The file written there becomes the entry's if size and hash are the catalogue's.

        Args:
            entry: the checkpoint.
            source: the file's address or name, for errors and for the record.
            plans: content of the plans to keep beside the file; None for none.

        Raises:
            InputError: size or SHA-256 differ from the catalogue's; the folder or the disk cannot take the file; or
                the weights ship with StrokeSAM and have no place in a store.
        """
        if entry.shipped:
            raise InputError(f"{entry.id} ships with StrokeSAM: use --weights FILE for a file of your own")
        self._prepare(entry)
        with atomic_write(self.path(entry.id)) as temporary:
            yield temporary
            record = {"sha256": _checked_hash(entry, temporary, source), "bytes": temporary.stat().st_size}
            # Without a record the file cannot be verified. The earlier file's record would call it damaged.
            self._record_path(entry.id).unlink(missing_ok=True)
        plans_path(self.path(entry.id)).unlink(missing_ok=True)
        if plans is not None:
            with atomic_write(plans_path(self.path(entry.id))) as temporary:
                temporary.write_bytes(plans)
        with atomic_write(self._record_path(entry.id)) as temporary:
            temporary.write_text(json.dumps({**record, "source": source}, indent=2) + "\n", "utf-8")

    def verify(self, id: str) -> str:
        """Check the weights called `id` against the catalogue's SHA-256, or else against that of the file's record.

        Returns:
            The SHA-256.

        Raises:
            InputError: the weights are missing or have changed, or there is no SHA-256 to compare with.
        """
        entry = find_weights(id)
        path = self._existing_path(entry)
        expected = entry.sha256 or self._recorded_hash(entry)
        try:
            actual = file_hash(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if actual != expected:
            difference = f"its SHA-256 is {actual}, not {expected}"
            raise InputError(f"{path}: changed or damaged: {difference}; get it again: {entry.install_command}")
        return actual

    def is_intact(self, id: str) -> bool:
        """Whether `verify` finds nothing wrong."""
        try:
            self.verify(id)
        except InputError:
            return False
        return True

    def remove(self, id: str) -> Path:
        """Delete the weights called `id`.

        Returns:
            The path of the deleted file.

        Raises:
            InputError: the weights are missing, ship with StrokeSAM or cannot be deleted.
        """
        entry = find_weights(id)
        if entry.shipped:
            raise InputError(f"{id} ships with StrokeSAM: it is not deleted")
        path = self._existing_path(entry)
        try:
            path.unlink()
            for companion in (self._record_path(id), plans_path(path)):
                companion.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be deleted: {error.strerror}") from None
        return path

    def _existing_path(self, entry: Entry) -> Path:
        path = self.find(entry.id)
        if path is None:
            raise InputError(f"no weights {entry.id} in {self.folder}: {entry.install_command}")
        return path

    def _record_path(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    def _recorded_hash(self, entry: Entry) -> str:
        record = self._record_path(entry.id)
        try:
            return str(json.loads(record.read_text("utf-8"))["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            advice = f"get it again: {entry.install_command}"
            raise InputError(f"{record}: no SHA-256 to compare {entry.id} with; {advice}") from None

    def _prepare(self, entry: Entry) -> None:
        """Make the folder, and check the free space on its disk."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._delete_abandoned()
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise InputError(f"{self.folder}: cannot keep weights there: {error.strerror}") from None
        needed = entry.bytes or 1_000_000 * (entry.megabytes or 0)
        if needed > free:
            room = f"{entry.id} takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free"
            raise InputError(f"{self.folder}: the disk is too full: {room}")

    def _delete_abandoned(self) -> None:
        """Delete temporary files of killed processes. Younger files may belong to a process that is still running."""
        for path in self.folder.glob(f"{TEMPORARY_PREFIX}*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()


def _checked_hash(entry: Entry, file: Path, source: str) -> str:
    size, sha256 = file.stat().st_size, file_hash(file)
    if entry.bytes not in (None, size):
        raise InputError(f"{entry.id}: {source}: not the published file: it has {size} bytes, not {entry.bytes}")
    if entry.sha256 not in (None, sha256):
        raise InputError(f"{entry.id}: {source}: not the published file: its SHA-256 is {sha256}, not {entry.sha256}")
    return sha256

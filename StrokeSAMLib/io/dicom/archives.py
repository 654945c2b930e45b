"""A zip or tar of a study, unpacked into a temporary folder. The archive is untrusted."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import TEMPORARY_PREFIX

_MOST_FILES = 100_000
# DICOM without compression shrinks by a factor of 2 to 10 in a zip; one of blank slices by far more.
_MOST_GROWTH, _ALWAYS_ALLOWED_BYTES = 200, 1 << 28
_CHUNK_BYTES = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Provide a folder with the files of the archive, which is deleted afterwards.

    A member's name never becomes a path as it stands: folders get numbers, and files keep only the last part of their
    name, so that messages can name them. Links and devices are left out.

    Raises:
        InputError: the archive is damaged, encrypted, or grows beyond all measure.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as name:
        folder = Path(name)
        try:
            _unpack(archive, folder)
        except OSError as error:
            raise InputError(f"{archive}: cannot be unpacked: {error.strerror or error}") from None
        except _UNREADABLE:
            raise InputError(
                f"{archive}: the archive is damaged, encrypted, or not of the kind its name says"
            ) from None
        yield folder


def _unpack(archive: Path, folder: Path) -> None:
    size = archive.stat().st_size
    budget = max(_ALWAYS_ALLOWED_BYTES, _MOST_GROWTH * size)
    folders: dict[str, Path] = {}
    for count, (name, stream) in enumerate(_members(archive)):
        if count >= _MOST_FILES:
            raise InputError(f"{archive}: more than {_MOST_FILES} files in the archive")
        parent, _, last = name.replace("\\", "/").rpartition("/")
        target = folders.setdefault(parent, folder / f"{len(folders) + 1:05}")
        target.mkdir(exist_ok=True)
        budget -= _copy(stream, target / _safe_name(last, target, count), budget)
        if budget < 0:
            raise InputError(f"{archive}: the archive grows to more than {_MOST_GROWTH} times its size")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of every regular file."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as members:
            for entry in members.infolist():
                if not entry.is_dir():
                    with members.open(entry) as stream:
                        yield entry.filename, stream
        return
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream


def _safe_name(last: str, folder: Path, count: int) -> str:
    """The last part of a member's name if it can be a file here, otherwise its number."""
    name = "".join(sign if sign.isalnum() or sign in "._- " else "_" for sign in last)[:80].strip(" ")
    return name if name.strip(".") and not (folder / name).exists() else f"{count:06}"


def _copy(stream: IO[bytes], path: Path, budget: int) -> int:
    """Copy `stream` into a file; stop soon after `budget` bytes. Returns the number of bytes."""
    length = 0
    with path.open("wb") as target:
        while chunk := stream.read(_CHUNK_BYTES):
            length += len(chunk)
            if length > budget:
                break
            if shutil.disk_usage(path.parent).free < len(chunk):
                raise OSError(28, "No space left on device")
            target.write(chunk)
    return length

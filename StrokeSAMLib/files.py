"""Files: found, written whole or not at all, told apart by their bytes; and JSON from them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from StrokeSAMLib.errors import InputError

# How the names of temporary files begin; only a killed process leaves one.
TEMPORARY = ".strokesam-"


def is_file(path: Path) -> bool:
    """Whether there is a file at `path`.

    Raises:
        InputError: it cannot be told: a folder on the way is locked, or no file can have such a name.
    """
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`; raises as `is_file`."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path) -> bool:
    """Whether there is anything at `path`; raises as `is_file`."""
    return _mode(path) != 0


def file_hash(path: Path) -> str:
    """SHA-256 of the file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        InputError: it cannot be read, or is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: not JSON that can be read: nested too deeply") from None


@contextmanager
def replacing(path: Path, *writers: type[Exception]) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix: renamed over `path` on success, removed on any failure.

    Args:
        writers: errors of what writes to it that mean the same as an OSError, such as a full disk.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = temporary_beside(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
        temporary.replace(path)
    except (OSError, *writers) as error:
        temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot write there: {reason}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_beside(path: Path) -> Path:
    """An empty file in the folder of `path`, with its suffix.

    Raises:
        InputError: the folder does not exist or cannot be written to.
    """
    # The whole of ".nii.gz" must stay at the end: writers choose the format by it.
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from None
    os.close(handle)
    return Path(name)


def _mode(path: Path) -> int:
    """What `stat` says of it; 0 where there is nothing."""
    # Path.is_file and the like raise what is not of a user's making (in Python before 3.14).
    try:
        return Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be looked at: {getattr(error, 'strerror', None) or error}") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

"""Files: existence checks, atomic writing, hashes, and reading JSON."""

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

from StrokeSAMLib.core.errors import InputError

# The prefix of the names of temporary files. Only a killed process leaves such a file behind.
TEMPORARY_PREFIX = ".strokesam-"


def is_file(path: Path) -> bool:
    """Whether `path` is an existing file.

    Raises:
        InputError: a folder of the path is locked, or no file can have this name.
    """
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether `path` is an existing folder; raises as `is_file`."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path) -> bool:
    """Whether `path` exists, as a file, a folder or anything else; raises as `is_file`."""
    return _mode(path) != 0


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: the file cannot be read, is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: cannot be read: its JSON is nested too deeply") from None


@contextmanager
def atomic_write(path: Path, *writer_errors: type[Exception]) -> Iterator[Path]:
    """Provide a temporary file that replaces `path` on success and is deleted on any failure.

    The temporary file is in the same folder and has the same suffix.

    Args:
        path: the file to write.
        writer_errors: exceptions of the writing library that mean the same as an OSError, such as a full disk.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = new_temporary_file(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes the file private
        temporary.replace(path)
    except (OSError, *writer_errors) as error:
        temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot write there: {reason}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def new_temporary_file(path: Path) -> Path:
    """Create an empty temporary file in the folder of `path`, with the suffix of `path`.

    Raises:
        InputError: the folder does not exist or cannot be written to.
    """
    # Writers choose the format by the suffix, so ".nii.gz" must be complete.
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from None
    os.close(handle)
    return Path(name)


def _mode(path: Path) -> int:
    """The file type and permission bits of `path`; 0 if it does not exist."""
    # Path.is_file and its siblings raise ValueError and OSError before Python 3.14.
    try:
        return Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be accessed: {getattr(error, 'strerror', None) or error}") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

"""The files below a folder that may be DICOM."""

from __future__ import annotations

import os
from pathlib import Path

from StrokeSAMLib.core.errors import InputError

_MOST_FILES = 200_000


def files_below(folder: Path) -> list[Path]:
    """Every file in the folder and its subfolders, sorted; without hidden ones. Links to folders are not followed.

    A link to nothing counts as a file: it may be a slice that is gone.

    Raises:
        InputError: the folder cannot be read, or has too many files.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in names if not name.startswith(".")]
        if len(found) > _MOST_FILES:
            raise InputError(f"{folder}: more than {_MOST_FILES} files; give the folder of one study")
    return sorted(found)


def _refuse(folder: Path):
    def refuse(error: OSError) -> None:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None

    return refuse

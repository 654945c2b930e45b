"""The name by which a user gives DICOM: a folder, file or archive, with "#N" for one of the volumes in it."""

from __future__ import annotations

import re
from pathlib import Path

from StrokeSAMLib.core.files import exists, is_file, is_folder

_NUMBERED = re.compile(r"(?s)(.+)#(\d{1,6})")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_FILE_SUFFIXES = (".dcm", ".dicom", ".ima")
# Every DICOM file with a preamble has these four bytes at this place (PS3.10 section 7.1).
MAGIC_OFFSET, MAGIC = 128, b"DICM"


def split_number(path: Path) -> tuple[Path, int | None]:
    """Split "FOLDER#3" into the folder and 3; the number is None without one, or if a file has that very name."""
    match = _NUMBERED.fullmatch(str(path))
    if match is None or exists(path):
        return Path(path), None
    return Path(match[1]), int(match[2])


def is_dicom(path: Path) -> bool:
    """Whether `path` is for the DICOM reader: a folder, an archive, a DICOM file, or one of these with "#N"."""
    path, number = split_number(path)
    if number is not None or is_folder(path):
        return True
    name = path.name.lower()
    return is_file(path) and (
        name == "dicomdir" or name.endswith((*ARCHIVE_SUFFIXES, *_FILE_SUFFIXES)) or _has_magic(path)
    )


def _has_magic(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(MAGIC_OFFSET + len(MAGIC))[MAGIC_OFFSET:] == MAGIC
    except OSError:
        return False

"""What GDCM leaves out of a folder without a word: a slice that is damaged, among files that are no slices."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path

import pydicom
import pydicom.uid

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import exists, is_file

# Where a DICOM file says what it is.
_MAGIC_AT, _MAGIC = 128, b"DICM"


def check_left_out(folder: Path, series: Collection[Path]) -> None:
    """Refuse a folder in which a file looks like a slice of its series, but is none of `series`, the files found.

    A DICOMDIR, files of other series, files that are no DICOM, and hidden ones are no slices.

    Raises:
        InputError: with the file's name: it cannot be opened, or is damaged.
    """
    suffixes = {path.suffix for path in series}
    found = {path.name for path in series}
    beginnings = {path: _beginning(folder, path) for path in _others(folder, found)}
    own = _series_of(min(series)) if series else None
    for path, beginning in beginnings.items():
        if not _looks_like_a_slice(path, beginning, suffixes):
            continue
        if not beginning:
            raise InputError(f"{folder}: {path.name} is empty")
        if not _is_of_another(path, own):
            raise InputError(f"{folder}: {path.name} is truncated or damaged")


def _others(folder: Path, found: Collection[str]) -> list[Path]:
    """The files in the folder that are not `found`."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    # A link to nothing is a file that cannot be opened.
    return [
        path
        for path in entries
        if path.name not in found and not path.name.startswith(".") and (is_file(path) or not exists(path))
    ]


def _beginning(folder: Path, path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAGIC_AT + len(_MAGIC))
    except OSError as error:
        raise InputError(f"{folder}: {path.name} cannot be read: {error.strerror}") from None


def _looks_like_a_slice(path: Path, beginning: bytes, suffixes: Collection[str]) -> bool:
    """By its name or its beginning; an empty file by having the suffix of the series' files."""
    named = path.suffix.lower() == ".dcm" or (not beginning and path.suffix in suffixes)
    return named or beginning[_MAGIC_AT:] == _MAGIC


def _is_of_another(path: Path, own: str | None) -> bool:
    """Whether the file is a DICOMDIR, or says that it is of another series than `own`."""
    uid = _series_of(path)
    # A file that was cut off may end within its UID.
    return uid is not None and not (own or "").startswith(uid)


def _series_of(path: Path) -> str | None:
    """The UID of the file's series, or "DICOMDIR"; None where it has none, or cannot be read so far."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom, which would go to stderr
            header = pydicom.dcmread(path, stop_before_pixels=True)
            if header.file_meta.MediaStorageSOPClassUID == pydicom.uid.MediaStorageDirectoryStorage:
                return "DICOMDIR"
            return str(header.SeriesInstanceUID)
    except Exception:  # bytes that are damaged fail in any way in pydicom's reader
        return None

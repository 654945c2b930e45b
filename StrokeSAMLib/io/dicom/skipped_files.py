"""A check of the files that GDCM silently skips in the folder of a series: one may be a damaged slice."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path

import pydicom
import pydicom.uid

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import exists, is_file

# Every DICOM file has these four bytes at this place.
_MAGIC_OFFSET, _MAGIC = 128, b"DICM"


def check_skipped_files(folder: Path, series: Collection[Path]) -> None:
    """Refuse a folder with a file that looks like a slice of the series but is not in it.

    A DICOMDIR, files of other series, files that are not DICOM, and hidden files do not count as slices.

    Args:
        folder: the folder of the series.
        series: the files that GDCM assigned to the series.

    Raises:
        InputError: the name of the file, which cannot be opened or is damaged.
    """
    suffixes = {path.suffix for path in series}
    names = {path.name for path in series}
    first_bytes = {path: _first_bytes(folder, path) for path in _other_files(folder, names)}
    series_uid = _series_uid(min(series)) if series else None
    for path, content in first_bytes.items():
        if not _looks_like_a_slice(path, content, suffixes):
            continue
        if not content:
            raise InputError(f"{folder}: {path.name} is empty")
        if not _is_of_another_series(path, series_uid):
            raise InputError(f"{folder}: {path.name} is truncated or damaged")


def _other_files(folder: Path, names: Collection[str]) -> list[Path]:
    """The files in the folder whose names are not among `names`, without hidden files."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    # A broken link does not exist; it counts as a file that cannot be opened.
    return [
        path
        for path in entries
        if path.name not in names and not path.name.startswith(".") and (is_file(path) or not exists(path))
    ]


def _first_bytes(folder: Path, path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAGIC_OFFSET + len(_MAGIC))
    except OSError as error:
        raise InputError(f"{folder}: {path.name} cannot be read: {error.strerror}") from None


def _looks_like_a_slice(path: Path, content: bytes, suffixes: Collection[str]) -> bool:
    """Decide by the suffix or the first bytes; an empty file counts if it has the suffix of the series' files."""
    has_suffix = path.suffix.lower() == ".dcm" or (not content and path.suffix in suffixes)
    return has_suffix or content[_MAGIC_OFFSET:] == _MAGIC


def _is_of_another_series(path: Path, series_uid: str | None) -> bool:
    """Whether the file is a DICOMDIR or has the UID of another series."""
    uid = _series_uid(path)
    # A truncated file may end within its UID.
    return uid is not None and not (series_uid or "").startswith(uid)


def _series_uid(path: Path) -> str | None:
    """The UID of the file's series; "DICOMDIR" for such a file; None if there is no UID or it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings would go to stderr
            header = pydicom.dcmread(path, stop_before_pixels=True)
            if header.file_meta.MediaStorageSOPClassUID == pydicom.uid.MediaStorageDirectoryStorage:
                return "DICOMDIR"
            return str(header.SeriesInstanceUID)
    except Exception:  # damaged bytes raise any exception in pydicom
        return None

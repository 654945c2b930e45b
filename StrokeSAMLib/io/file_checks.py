"""Checks of an image file before ITK reads it, for damage that ITK does not report."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import exists, is_file
from StrokeSAMLib.io.metaimage_header import metaimage_header
from StrokeSAMLib.io.nrrd_header import nrrd_header
from StrokeSAMLib.io.text_header import MOST_MM, TextHeader

# A header of text comes before the voxels. Slicer's segmentations have the longest, some hundred bytes a segment.
_HEADER_BYTES = 1 << 18
# The most bytes of voxels that one byte of a file can hold. Deflate's limit is 1032 (zlib's technical details); bzip2
# packs a block of 900 000 equal bytes into some 40.
_MOST_EXPANSION = {"raw": 1, "text": 8, "gzip": 1032, "bzip2": 50_000}
_METAIMAGE, _NRRD = (".mha", ".mhd"), (".nrrd", ".nhdr")


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn the errors of reading a truncated or damaged file into an InputError that names `path`."""
    try:
        yield
    except (EOFError, zlib.error, struct.error):
        raise InputError(f"{path}: the file is truncated or damaged") from None
    except gzip.BadGzipFile:
        raise InputError(f"{path}: not a gzip file although its name ends in .gz, or damaged") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty, or cannot be opened.

    Raises:
        InputError: the file's name and its fault.
    """
    if not exists(path):
        raise InputError(f"{path}: no such file")
    if not is_file(path):
        raise InputError(f"{path}: not a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    with damage_named(path):
        path.open("rb").close()


def check_text_header(path: Path) -> TextHeader:
    """Refuse a MetaImage or NRRD file that is truncated, or whose spacing is not possible; return its header.

    ITK reserves the memory that a header claims before it looks for the voxels, fills missing voxels of several formats
    with arbitrary memory, and replaces a spacing of zero or less by 1 mm or by a flip.

    Raises:
        InputError: the file's name and its fault; or another format.
    """
    name = path.name.lower()
    if not name.endswith((*_METAIMAGE, *_NRRD)):
        raise InputError(
            f"{path}: unsupported file format; use a NIfTI, NRRD or MetaImage file (.nii.gz, .nrrd, .mha), or the"
            " folder of a DICOM series"
        )
    with damage_named(path), path.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    header = (metaimage_header if name.endswith(_METAIMAGE) else nrrd_header)(path, start)
    check_spacing(path, header.spacing)
    check_claimed_size(path, header.voxel_bytes, _available_bytes(path, header), header.encoding)
    return header


def check_spacing(path: Path, spacing: tuple[float, ...]) -> None:
    """Refuse a voxel spacing (mm) that is not positive, or that no scan has."""
    if not all(0 < value < MOST_MM for value in spacing):
        text = " × ".join(f"{value:g}" for value in spacing)
        raise InputError(f"{path}: the voxel spacing {text} mm is not possible")


def check_claimed_size(path: Path, voxel_bytes: int, available: int, encoding: str) -> None:
    """Refuse a header that claims more voxels than the file can hold, before memory is reserved for them.

    Args:
        path: names the file in the error.
        voxel_bytes: bytes of voxels that the header claims.
        available: bytes that may hold them.
        encoding: of these bytes: "raw", "text", "gzip" or "bzip2".
    """
    if voxel_bytes > available * _MOST_EXPANSION[encoding]:
        raise InputError(
            f"{path}: the file is truncated: {available} bytes of voxels where its header says {voxel_bytes}"
            + (", uncompressed" if encoding in ("gzip", "bzip2") else "")
        )


def _available_bytes(path: Path, header: TextHeader) -> int:
    """The bytes that may hold the voxels."""
    if header.data_file == "":
        return max(path.stat().st_size - header.length, 0)
    if header.data_file is None:  # several files: they lie in the folder, and ITK itself refuses a missing one
        return sum(each.stat().st_size for each in path.parent.iterdir() if is_file(each))
    voxels = path.parent / header.data_file
    if not is_file(voxels):
        raise InputError(f"{path}: the file with its voxels, {header.data_file}, is missing")
    return voxels.stat().st_size

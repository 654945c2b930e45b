"""Checks of an image file before ITK reads it, for damage that ITK does not report."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import exists, is_file
from StrokeSAMLib.io.file_headers import (
    NIFTI_HEADER_BYTES,
    NiftiHeader,
    metaimage_header,
    nifti_header,
)

_CHUNK_BYTES = 1 << 22
# A MetaImage begins with a text header, then come the voxels.
_METAIMAGE_HEADER_BYTES = 4096
_NIFTI, _PAIR, _METAIMAGE = (".nii", ".nii.gz"), (".hdr", ".img"), (".mha", ".mhd")
# ITK itself refuses an NRRD file with missing voxels.
_NRRD = (".nrrd", ".nhdr")


def check_file(path: Path, finite: bool = True) -> None:
    """Refuse a file that is missing, empty, truncated, of an unsupported format, or whose spacing is not positive.

    ITK fills the missing end of a truncated gzip stream, of an .img, and of several other formats with zeros or with
    arbitrary memory. It replaces a spacing of zero or less in a NIfTI or MetaImage header by 1 mm or by a flip, and
    NaN in a NIfTI by zero.

    Args:
        path: the file.
        finite: also refuse a NIfTI with NaN or infinite voxels.

    Raises:
        InputError: the file's name and its fault.
    """
    if not exists(path):
        raise InputError(f"{path}: no such file")
    if not is_file(path):
        raise InputError(f"{path}: not a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        path.open("rb").close()
        _check_format(path, finite)
    except (EOFError, zlib.error, struct.error):
        raise InputError(f"{path}: the file is truncated or damaged") from None
    except gzip.BadGzipFile:
        raise InputError(f"{path}: not a gzip file although its name ends in .gz, or damaged") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _check_format(path: Path, finite: bool) -> None:
    name = path.name.lower()
    if name.endswith(_NIFTI):
        _check_nifti(path, finite)
    elif name.endswith(_PAIR):
        _check_pair(path, finite)
    elif name.endswith(_METAIMAGE):
        _check_metaimage(path)
    elif not name.endswith(_NRRD):
        raise InputError(
            f"{path}: unsupported file format; use a NIfTI, NRRD or MetaImage file (.nii.gz, .nrrd, .mha), or the"
            " folder of a DICOM series"
        )


def _check_nifti(path: Path, finite: bool) -> None:
    with _open(path) as stream:
        header = nifti_header(stream.read(NIFTI_HEADER_BYTES))
        if header is None:
            return  # NIfTI-2 or another format: ITK decides
        _check_spacing(path, header.spacing)
        if header.single_file:
            _check_voxels(path, stream, header, NIFTI_HEADER_BYTES, finite)


def _check_pair(path: Path, finite: bool) -> None:
    """Check a header file and its voxel file; `path` is either of them."""
    with _partner_file(path, "header", ".hdr").open("rb") as stream:
        header = nifti_header(stream.read(NIFTI_HEADER_BYTES))
    if header is None:
        return  # another format: ITK decides
    _check_spacing(path, header.spacing)
    with _open(_partner_file(path, "voxels", ".img", ".img.gz")) as stream:
        _check_voxels(path, stream, header, 0, finite)


def _partner_file(path: Path, content: str, suffix: str, *other_suffixes: str) -> Path:
    """The existing file with the name of `path` and one of the suffixes; the error names its `content`."""
    for candidate in (suffix, suffix.upper(), *other_suffixes):
        if is_file(path.with_suffix(candidate)):
            return path.with_suffix(candidate)
    raise InputError(f"{path}: the file with its {content}, {path.with_suffix(suffix).name}, is missing")


def _open(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _check_voxels(path: Path, stream: BinaryIO, header: NiftiHeader, position: int, finite: bool) -> None:
    """Read `stream`, which is at byte `position`, to its end, where a gzip stream has its checksum."""
    if not math.isfinite(header.offset):
        raise InputError(f"{path}: damaged: its header says that the voxels begin at byte {header.offset}")
    _skip(stream, int(header.offset) - position)
    length, not_finite = _scan_voxels(stream, header.float_type, header.byte_order)
    if length < header.voxel_bytes:
        raise InputError(
            f"{path}: the file is truncated: {length} bytes of voxels where its header says {header.voxel_bytes}"
        )
    if finite and not_finite:
        raise InputError(f"{path}: {not_finite} voxels are NaN or infinite")


def _skip(stream: BinaryIO, count: int) -> None:
    # In pieces: the offset of a damaged header may exceed the memory.
    while count > 0 and (chunk := stream.read(min(count, _CHUNK_BYTES))):
        count -= len(chunk)


def _scan_voxels(stream: BinaryIO, float_type: str | None, byte_order: str) -> tuple[int, int]:
    """The number of bytes in the rest of the stream, and the number of values of `float_type` that are not finite."""
    length = not_finite = 0
    while chunk := stream.read(_CHUNK_BYTES):
        length += len(chunk)
        if float_type is not None:
            values = np.frombuffer(chunk[: len(chunk) // 8 * 8], f"{byte_order}{float_type}")
            not_finite += values.size - int(np.count_nonzero(np.isfinite(values)))
    return length, not_finite


def _check_metaimage(path: Path) -> None:
    with path.open("rb") as stream:
        header = metaimage_header(stream.read(_METAIMAGE_HEADER_BYTES))
    _check_spacing(path, header.spacing)
    if not header.data_file or header.data_file.split()[0] == "LIST" or "%" in header.data_file:
        return  # no file or many files: ITK itself refuses missing voxels
    voxels = path if header.data_file.upper() == "LOCAL" else path.parent / header.data_file
    if not is_file(voxels):
        raise InputError(f"{path}: the file with its voxels, {header.data_file}, is missing")
    if not header.compressed and voxels.stat().st_size < header.voxel_bytes:
        raise InputError(
            f"{path}: the file is truncated: {voxels.name} has {voxels.stat().st_size} bytes where its header says"
            f" {header.voxel_bytes} of voxels"
        )


def _check_spacing(path: Path, spacing: tuple[float, ...]) -> None:
    if any(not (math.isfinite(value) and value > 0) for value in spacing):
        text = " × ".join(f"{value:g}" for value in spacing)
        raise InputError(f"{path}: the voxel spacing {text} mm is not positive")

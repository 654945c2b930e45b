"""What ITK reads without complaint though the file is broken: found in the file itself, before it is read."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import exists, is_file
from StrokeSAMLib.imaging.file_headers import (
    NIFTI_HEADER_BYTES,
    NiftiHeader,
    metaimage_header,
    nifti_header,
)

_CHUNK = 1 << 22
# A MetaImage's header is text before the voxels.
_METAIMAGE_HEADER_BYTES = 4096
_NIFTI, _PAIR, _METAIMAGE = (".nii", ".nii.gz"), (".hdr", ".img"), (".mha", ".mhd")
# ITK itself refuses these where voxels are missing.
_NRRD = (".nrrd", ".nhdr")


def check_file(path: Path, finite: bool = True) -> None:
    """Refuse a file that is missing, empty, cut off, of a format without checks, or whose spacing is not positive.

    ITK fills the missing end of a truncated gzip stream, of an .img, and of several other formats with zeros or with
    whatever memory held; it replaces a spacing of zero or less in a NIfTI or MetaImage header by 1 mm or by a flip,
    and NaN in a NIfTI by zero.

    Args:
        path: the file.
        finite: refuse a NIfTI with NaN or infinite voxels too.

    Raises:
        InputError: with the file's name and what is wrong with it.
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
        raise InputError(f"{path}: not a gzip file, though its name ends in .gz, or damaged") from None
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
            f"{path}: no format that is read has that name; give a file of NIfTI, NRRD or MetaImage"
            " (.nii.gz, .nrrd, .mha), or the folder of a DICOM series"
        )


def _check_nifti(path: Path, finite: bool) -> None:
    with _opened(path) as stream:
        header = nifti_header(stream.read(NIFTI_HEADER_BYTES))
        if header is None:
            return  # NIfTI-2 or something else: left to ITK
        _check_spacing(path, header.spacing)
        if header.single:
            _check_voxels(path, stream, header, NIFTI_HEADER_BYTES, finite)


def _check_pair(path: Path, finite: bool) -> None:
    """A header and its voxels in two files; `path` is either."""
    with _beside(path, ".hdr", "header").open("rb") as stream:
        header = nifti_header(stream.read(NIFTI_HEADER_BYTES))
    if header is None:
        return  # something else: left to ITK
    _check_spacing(path, header.spacing)
    with _opened(_beside(path, ".img", "voxels", ".img.gz")) as stream:
        _check_voxels(path, stream, header, 0, finite)


def _beside(path: Path, suffix: str, what: str, *others: str) -> Path:
    """The file of the same name with one of the suffixes; `what` it has, for the error where there is none."""
    for each in (suffix, suffix.upper(), *others):
        if is_file(path.with_suffix(each)):
            return path.with_suffix(each)
    raise InputError(f"{path}: the file with its {what}, {path.with_suffix(suffix).name}, is not there")


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _check_voxels(path: Path, stream: BinaryIO, header: NiftiHeader, at: int, finite: bool) -> None:
    """Read `stream`, which stands at byte `at`, to its end, where a gzip stream has its checksum."""
    if not math.isfinite(header.offset):
        raise InputError(f"{path}: damaged: its header says that the voxels begin at byte {header.offset}")
    _skip(stream, int(header.offset) - at)
    length, broken = _scan_voxels(stream, header.floats, header.order)
    if length < header.voxel_bytes:
        raise InputError(
            f"{path}: the file is truncated: {length} bytes of voxels where its header says {header.voxel_bytes}"
        )
    if finite and broken:
        raise InputError(f"{path}: {broken} voxels are NaN or infinite")


def _skip(stream: BinaryIO, count: int) -> None:
    # In pieces: a damaged header may ask for more than memory holds.
    while count > 0 and (chunk := stream.read(min(count, _CHUNK))):
        count -= len(chunk)


def _scan_voxels(stream: BinaryIO, kind: str | None, order: str) -> tuple[int, int]:
    """How many bytes of voxels there are, and how many of them, of a floating `kind`, are not finite."""
    length = broken = 0
    while chunk := stream.read(_CHUNK):
        length += len(chunk)
        if kind is not None:
            values = np.frombuffer(chunk[: len(chunk) // 8 * 8], f"{order}{kind}")
            broken += values.size - int(np.count_nonzero(np.isfinite(values)))
    return length, broken


def _check_metaimage(path: Path) -> None:
    with path.open("rb") as stream:
        header = metaimage_header(stream.read(_METAIMAGE_HEADER_BYTES))
    _check_spacing(path, header.spacing)
    if not header.data or header.data.split()[0] == "LIST" or "%" in header.data:
        return  # nothing, or many files: left to ITK, which refuses them where voxels are missing
    voxels = path if header.data.upper() == "LOCAL" else path.parent / header.data
    if not is_file(voxels):
        raise InputError(f"{path}: the file with its voxels, {header.data}, is not there")
    if not header.compressed and voxels.stat().st_size < header.voxel_bytes:
        raise InputError(
            f"{path}: the file is truncated: {voxels.name} has {voxels.stat().st_size} bytes where its header says"
            f" {header.voxel_bytes} of voxels"
        )


def _check_spacing(path: Path, spacing: tuple[float, ...]) -> None:
    if any(not (math.isfinite(value) and value > 0) for value in spacing):
        text = " × ".join(f"{value:g}" for value in spacing)
        raise InputError(f"{path}: the voxel spacing {text} mm is not positive")

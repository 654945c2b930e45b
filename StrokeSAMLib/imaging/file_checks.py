"""What ITK reads without complaint though the file is broken: found in the file itself, before it is read."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from StrokeSAMLib.errors import InputError

_CHUNK = 1 << 22


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty, cut off, or whose voxel spacing is not positive.

    ITK fills the missing end of a truncated gzip stream with zeros, and replaces a spacing of zero or less in a
    NIfTI or MetaImage header by 1 mm or by a flip.

    Raises:
        InputError: with the file's name and what is wrong with it.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    for suffixes, check in _CHECKS.items():
        if path.name.lower().endswith(suffixes):
            _reading(path, check)


def _reading(path: Path, check: Callable[[Path], None]) -> None:
    try:
        check(path)
    except (EOFError, zlib.error, struct.error):
        raise InputError(f"{path}: the file is truncated or damaged") from None
    except gzip.BadGzipFile:
        raise InputError(f"{path}: not a gzip file, though its name ends in .gz, or damaged") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _check_nifti_gz(path: Path) -> None:
    with gzip.open(path, "rb") as stream:
        header = stream.read(348)
        length = len(header)
        while chunk := stream.read(_CHUNK):  # to the end: the checksum stands there
            length += len(chunk)
    _check_nifti_header(path, header, length)


def _check_nifti(path: Path) -> None:
    with path.open("rb") as stream:
        header = stream.read(348)
    _check_nifti_header(path, header, path.stat().st_size)


def _check_nifti_header(path: Path, header: bytes, length: int) -> None:
    """NIfTI-1: dim at byte 40, bitpix at 72, pixdim at 76, vox_offset at 108 (https://nifti.nimh.nih.gov)."""
    order = "<" if struct.unpack_from("<i", header)[0] == 348 else ">"
    if struct.unpack_from(f"{order}i", header)[0] != 348:
        return  # NIfTI-2 or something else: left to ITK
    dim = struct.unpack_from(f"{order}8h", header, 40)
    bits = struct.unpack_from(f"{order}h", header, 72)[0]
    spacing = struct.unpack_from(f"{order}3f", header, 80)
    offset = struct.unpack_from(f"{order}f", header, 108)[0]
    used = spacing[: max(min(dim[0], 3), 0)]
    _check_spacing(path, used)
    if header[344:347] == b"n+1":
        expected = offset + math.prod(max(d, 1) for d in dim[1 : dim[0] + 1]) * bits / 8
        if length < expected:
            raise InputError(f"{path}: the file is truncated: {length} bytes where its header asks for {expected:.0f}")


def _check_metaimage(path: Path) -> None:
    with path.open("rb") as stream:
        header = stream.read(4096).split(b"ElementDataFile")[0].decode("latin-1")
    fields = {name.strip(): value.split() for name, _, value in (line.partition("=") for line in header.splitlines())}
    _check_spacing(path, [_number(word) for word in fields.get("ElementSpacing", [])])
    voxels = math.prod(int(word) for word in fields.get("DimSize", []) if word.isdigit())
    inside = path.suffix.lower() == ".mha" and fields.get("CompressedData") != ["True"]
    if inside and path.stat().st_size < voxels * _METAIMAGE_BYTES.get("".join(fields.get("ElementType", [])), 1):
        raise InputError(f"{path}: the file is truncated")


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _check_spacing(path: Path, spacing: tuple[float, ...] | list[float]) -> None:
    if any(not (math.isfinite(value) and value > 0) for value in spacing):
        text = " × ".join(f"{value:g}" for value in spacing)
        raise InputError(f"{path}: the voxel spacing {text} mm is not positive")


_METAIMAGE_BYTES = {"MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_FLOAT": 4, "MET_DOUBLE": 8}

_CHECKS: dict[tuple[str, ...], Callable[[Path], None]] = {
    (".nii.gz",): _check_nifti_gz,
    (".nii",): _check_nifti,
    (".mha", ".mhd"): _check_metaimage,
}

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

_CHUNK = 1 << 22


def check_file(path: Path, finite: bool = True) -> None:
    """Refuse a file that is missing, empty, cut off, or whose voxel spacing is not positive.

    ITK fills the missing end of a truncated gzip stream with zeros, and replaces a spacing of zero or less in a
    NIfTI or MetaImage header by 1 mm or by a flip, and NaN in a NIfTI by zero.

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
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            with (gzip.open if name.endswith(".gz") else open)(path, "rb") as stream:
                _check_nifti(path, stream, finite)
        elif name.endswith((".mha", ".mhd")):
            _check_metaimage(path)
    except (EOFError, zlib.error, struct.error):
        raise InputError(f"{path}: the file is truncated or damaged") from None
    except gzip.BadGzipFile:
        raise InputError(f"{path}: not a gzip file, though its name ends in .gz, or damaged") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _check_nifti(path: Path, stream: BinaryIO, finite: bool) -> None:
    """NIfTI-1: dim at byte 40, datatype at 70, bitpix at 72, pixdim at 76, vox_offset at 108, magic at 344
    (https://nifti.nimh.nih.gov). Read to its end, where a gzip stream has its checksum."""
    header = stream.read(348)
    order = "<" if struct.unpack_from("<i", header)[0] == 348 else ">"
    if struct.unpack_from(f"{order}i", header)[0] != 348:
        return  # NIfTI-2 or something else: left to ITK
    dim = struct.unpack_from(f"{order}8h", header, 40)
    datatype, bits = struct.unpack_from(f"{order}2h", header, 70)
    _check_spacing(path, struct.unpack_from(f"{order}3f", header, 80)[: max(min(dim[0], 3), 0)])
    if header[344:347] != b"n+1":
        return  # the voxels are in another file
    stream.read(max(0, int(struct.unpack_from(f"{order}f", header, 108)[0]) - 348))
    length, broken = _scan_voxels(stream, _NIFTI_FLOATS.get(datatype), order)
    expected = math.prod(max(d, 1) for d in dim[1 : dim[0] + 1]) * bits // 8
    if length < expected:
        raise InputError(f"{path}: the file is truncated: {length} bytes of voxels where its header says {expected}")
    if finite and broken:
        raise InputError(f"{path}: {broken} voxels are NaN or infinite")


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
_NIFTI_FLOATS = {16: "f4", 64: "f8"}

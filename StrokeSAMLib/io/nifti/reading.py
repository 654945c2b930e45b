"""Reading a NIfTI or Analyze file: every voxel as the file has it, and the affine of its header."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import set_affine
from StrokeSAMLib.io.file_checks import check_claimed_size
from StrokeSAMLib.io.nifti.geometry import affine_and_notes
from StrokeSAMLib.io.nifti.header import (
    NiftiFile,
    check_three_dimensions,
    open_file,
    read_header,
    scaling,
    size_text,
    voxel_type,
)
from StrokeSAMLib.io.scan import Scan

_CHUNK_BYTES = 1 << 22


def read_nifti(path: Path) -> Scan:
    """Read a 3-D scalar image. Axes of length 1 after the third are dropped.

    The image has the file's pixel type; scaled integers become Float32, or Float64 where they have 32 bits or more.
    Its axes may be at any angle, because a NIfTI can hold a sheared grid.

    Raises:
        InputError: not a NIfTI; truncated; not 3-D, not scalar; no usable geometry.
        EOFError, OSError, zlib.error: the file is truncated or damaged, or cannot be read.
    """
    file = read_header(path)
    check_three_dimensions(path, file)
    affine, notes = affine_and_notes(path, file)
    voxels = _scaled(_stored_voxels(path, file), scaling(path, file.header))
    return Scan(set_affine(sitk.GetImageFromArray(voxels), affine), tuple(notes))


def _stored_voxels(path: Path, file: NiftiFile) -> np.ndarray:
    """The voxels as they are stored (k, j, i), in the byte order of this computer."""
    stored = voxel_type(path, file.header)
    shape = file.shape[2::-1]
    count = int(np.prod(shape, dtype=object)) * stored.itemsize
    size = file.voxels.stat().st_size
    compressed = file.voxels.name.lower().endswith(".gz")
    check_claimed_size(path, count, size if compressed else max(size - file.offset, 0), "gzip" if compressed else "raw")
    try:
        data = np.empty(count, np.uint8)
    except MemoryError:
        raise InputError(f"{path}: too large for the memory of this computer ({size_text(file.shape)})") from None
    with open_file(file.voxels) as stream:
        _skip(stream, file.offset)
        length = _read_into(stream, data)
    if length < count:
        raise InputError(f"{path}: the file is truncated: {length} bytes of voxels where its header says {count}")
    native = stored.newbyteorder("=")
    return data.view(stored).astype(native, copy=False).reshape(shape)


def _skip(stream: BinaryIO, count: int) -> None:
    # In pieces: the offset of a damaged header may exceed the memory.
    while count > 0 and (chunk := stream.read(min(count, _CHUNK_BYTES))):
        count -= len(chunk)


def _read_into(stream: BinaryIO, data: np.ndarray) -> int:
    """Fill `data` from the stream, and read the stream to its end, where gzip has its checksum; the bytes filled."""
    length = 0
    while chunk := stream.read(_CHUNK_BYTES):
        taken = min(len(chunk), data.size - length)
        data[length : length + taken] = np.frombuffer(chunk, np.uint8, taken)
        length += taken
    return length


def _scaled(stored: np.ndarray, slope_and_intercept: tuple[float, float] | None) -> np.ndarray:
    if stored.dtype.itemsize > 8:  # extended precision, which SimpleITK lacks
        stored = stored.astype(np.float64)
    if slope_and_intercept is None:
        return stored
    slope, intercept = slope_and_intercept
    number = np.float64 if stored.dtype.itemsize >= 4 and stored.dtype != np.float32 else np.float32
    with np.errstate(over="ignore", invalid="ignore"):  # of a damaged header; infinity is background
        scaled = stored.astype(number)
        scaled *= number(slope)
        scaled += number(intercept)
    return scaled

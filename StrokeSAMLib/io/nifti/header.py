"""The header of a NIfTI-1, NIfTI-2 or Analyze 7.5 file: the size, type and place of its voxels."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import is_file

# SPM's kind of Analyze has a slope and an origin where the plain one has zeros.
Header = nib.Nifti1Header | nib.Spm2AnalyzeHeader
NIFTI_SUFFIXES = (".nii", ".nii.gz")
PAIR_SUFFIXES = (".hdr", ".img", ".img.gz", ".hdr.gz")

# Sizes of the headers, bytes, and the first place of voxels in a file that begins with one.
_NIFTI1, _NIFTI2 = 348, 540
_FIRST_VOXEL = {_NIFTI1: 352, _NIFTI2: 544}
_SPATIAL_AXES = 3


def is_nifti(path: Path) -> bool:
    """Whether the name of `path` is that of a NIfTI or Analyze file."""
    return path.name.lower().endswith((*NIFTI_SUFFIXES, *PAIR_SUFFIXES))


@dataclass(frozen=True)
class NiftiFile:
    """A file, or a pair of a header file and a voxel file.

    Attributes:
        header: nibabel's header, as it is in the file.
        voxels: the file with the voxels.
        offset: byte in that file where they begin.
    """

    header: Header
    voxels: Path
    offset: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along every axis (i, j, k, …)."""
        count = int(self.header["dim"][0])
        return tuple(int(n) for n in self.header["dim"][1 : count + 1])


def open_file(path: Path) -> BinaryIO:
    """Open a file that may be compressed by gzip, for reading."""
    if path.name.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def read_header(path: Path) -> NiftiFile:
    """Read the header of a file, or of the pair that `path` belongs to.

    Raises:
        InputError: the file is no NIfTI or Analyze file, or its header is damaged; the other file of a pair is missing.
        EOFError, OSError, zlib.error: the file is truncated or damaged, or cannot be read.
    """
    is_pair = path.name.lower().endswith(PAIR_SUFFIXES)
    header_file = _partner(path, "header", ".hdr", ".hdr.gz") if is_pair else path
    with open_file(header_file) as stream:
        header = _parse(path, stream.read(_NIFTI2))
    voxels = _partner(path, "voxels", ".img", ".img.gz") if is_pair else path
    dimensions = int(header["dim"][0])
    if not 1 <= dimensions <= 7:
        raise InputError(f"{path}: damaged: its header says that it has {dimensions} dimensions")
    file = NiftiFile(header, voxels, _offset(path, header, is_pair))
    if min(file.shape) < 1:
        raise InputError(f"{path}: damaged: its header says that its size is {size_text(file.shape)}")
    return file


def check_three_dimensions(path: Path, file: NiftiFile) -> None:
    """Refuse a header that is not of one 3-D volume; further axes of length 1 do not count.

    Raises:
        InputError: the number of dimensions or components.
    """
    shape = file.shape
    if len(shape) == 5 and shape[3] == 1 and shape[4] > 1:  # NIfTI's place for the components of a vector
        raise InputError(f"{path}: a scalar volume is needed; this image has {shape[4]} components a voxel")
    if len(shape) < _SPATIAL_AXES or max(shape[_SPATIAL_AXES:], default=1) > 1:
        raise InputError(f"{path}: a 3-D volume is needed; this image is {len(shape)}-D ({size_text(shape)})")


def voxel_type(path: Path, header: Header) -> np.dtype:
    """The type of the stored voxels, with the file's byte order.

    Raises:
        InputError: colours, complex numbers, single bits, or a type that the standard does not know.
    """
    code = int(header["datatype"])
    try:
        stored = header.get_data_dtype()
    except KeyError:
        raise InputError(f"{path}: unknown voxel type {code} in its header") from None
    if stored.fields is not None:
        raise InputError(f"{path}: a scalar volume is needed; this image is in colour")
    if stored.kind == "c":
        raise InputError(f"{path}: a scalar volume is needed; the voxels of this image are complex numbers")
    if stored.kind not in "iuf":
        raise InputError(f"{path}: voxel type {code} in its header cannot be read")
    return stored


def scaling(path: Path, header: Header) -> tuple[float, float] | None:
    """Slope and intercept of the voxels; None where the header has none.

    A slope of 0 means that there is no scaling (https://nifti.nimh.nih.gov, `scl_slope`). So does one that is not a
    number, which other programs write.

    Raises:
        InputError: one of the two is infinite, or the intercept is not a number.
    """
    slope = float(header["scl_slope"])
    intercept = float(header["scl_inter"]) if header.has_data_intercept else 0.0
    if slope == 0 or math.isnan(slope):
        return None
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise InputError(f"{path}: damaged: its header scales the voxels by {slope:g} and adds {intercept:g}")
    return None if (slope, intercept) == (1, 0) else (slope, intercept)


def size_text(shape: tuple[int, ...]) -> str:
    """A size as text: "64 × 64 × 20"."""
    return " × ".join(map(str, shape))


def _parse(path: Path, start: bytes) -> Header:
    if len(start) < _NIFTI1:
        raise EOFError
    sizes = {struct.unpack_from(f"{order}i", start)[0] for order in "<>"}
    if _NIFTI2 in sizes and len(start) == _NIFTI2:
        return nib.Nifti2Header(start, check=False)
    if _NIFTI1 not in sizes:
        raise InputError(f"{path}: not a NIfTI file although its name says so")
    header_class = nib.Nifti1Header if start[344:347] in (b"n+1", b"ni1") else nib.Spm2AnalyzeHeader
    return header_class(start[:_NIFTI1], check=False)


def _offset(path: Path, header: Header, is_pair: bool) -> int:
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or abs(offset) > 2**53:
        raise InputError(f"{path}: damaged: its header says that the voxels begin at byte {offset:g}")
    if is_pair:
        return max(int(offset), 0)
    size = int(header["sizeof_hdr"])
    return int(offset) if offset >= size else _FIRST_VOXEL[size]


def _partner(path: Path, content: str, *suffixes: str) -> Path:
    """The existing file with the name of `path` and one of the suffixes; the error names its `content`."""
    stem = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    for suffix in suffixes:
        for candidate in (stem.with_suffix(suffix), stem.with_suffix(suffix.upper())):
            if is_file(candidate):
                return candidate
    raise InputError(f"{path}: the file with its {content}, {stem.with_suffix(suffixes[0]).name}, is missing")

"""The headers of NIfTI and MetaImage: what they say of spacing, and where how many bytes of voxels are."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

NIFTI_HEADER_BYTES = 348


@dataclass(frozen=True)
class NiftiHeader:
    """Of NIfTI-1, or of Analyze 7.5, which has the same places.

    Attributes:
        order: of the bytes, as `struct` writes it.
        spacing: mm, of up to three axes.
        offset: where the voxels begin in their file, bytes; as it stands there, which may be no number.
        voxel_bytes: how many bytes of voxels there must be.
        floats: NumPy's name of the voxels' type, where that is a floating one.
        single: whether the voxels are in the same file.
    """

    order: str
    spacing: tuple[float, ...]
    offset: float
    voxel_bytes: int
    floats: str | None
    single: bool


def nifti_header(start: bytes) -> NiftiHeader | None:
    """From the first 348 bytes; None for what is no such header.

    NIfTI-1: dim at byte 40, datatype at 70, bitpix at 72, pixdim at 76, vox_offset at 108, magic at 344
    (https://nifti.nimh.nih.gov).

    Raises:
        struct.error: they are fewer.
    """
    order = "<" if struct.unpack_from("<i", start)[0] == NIFTI_HEADER_BYTES else ">"
    if struct.unpack_from(f"{order}i", start)[0] != NIFTI_HEADER_BYTES:
        return None
    dim = struct.unpack_from(f"{order}8h", start, 40)
    datatype, bits = struct.unpack_from(f"{order}2h", start, 70)
    return NiftiHeader(
        order=order,
        spacing=struct.unpack_from(f"{order}3f", start, 80)[: max(min(dim[0], 3), 0)],
        offset=struct.unpack_from(f"{order}f", start, 108)[0],
        voxel_bytes=math.prod(max(d, 1) for d in dim[1 : dim[0] + 1]) * bits // 8,
        floats=_NIFTI_FLOATS.get(datatype),
        single=start[344:347] == b"n+1",
    )


@dataclass(frozen=True)
class MetaImageHeader:
    """Of MetaImage.

    Attributes:
        spacing: mm; NaN for what is no number.
        voxel_bytes: how many bytes of voxels there must be at least, uncompressed.
        compressed: whether they are.
        data: the file with the voxels, "LOCAL" for the same file, or as the format writes several; "" where the
            header ends before.
    """

    spacing: tuple[float, ...]
    voxel_bytes: int
    compressed: bool
    data: str


def metaimage_header(start: bytes) -> MetaImageHeader:
    """From the first bytes of the file, which may go on into the voxels."""
    text, _, rest = start.partition(b"ElementDataFile")
    fields = {
        name.strip(): value.split()
        for name, _, value in (line.partition("=") for line in text.decode("latin-1").splitlines())
    }
    voxels = math.prod(int(word) for word in fields.get("DimSize", []) if word.isdecimal())
    return MetaImageHeader(
        spacing=tuple(_number(word) for word in fields.get("ElementSpacing", [])),
        voxel_bytes=voxels * _METAIMAGE_BYTES.get("".join(fields.get("ElementType", [])), 1),
        compressed=fields.get("CompressedData") == ["True"],
        data=rest.partition(b"\n")[0].decode("utf-8", "replace").strip(" =\t\r"),
    )


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


_METAIMAGE_BYTES = {"MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_FLOAT": 4, "MET_DOUBLE": 8}
_NIFTI_FLOATS = {16: "f4", 64: "f8"}

"""The headers of NIfTI and MetaImage files: voxel spacing, and the place and size of the voxels."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

NIFTI_HEADER_BYTES = 348


@dataclass(frozen=True)
class NiftiHeader:
    """The header of NIfTI-1, or of Analyze 7.5, whose fields have the same places.

    Attributes:
        byte_order: "<" or ">", as in `struct`.
        spacing: of up to three axes, mm.
        offset: byte in the file where the voxels begin; unchecked, so it may be NaN or infinite.
        voxel_bytes: expected size of the voxels, bytes.
        float_type: NumPy's name of the voxels' floating type; None for integers.
        single_file: whether header and voxels are in the same file.
    """

    byte_order: str
    spacing: tuple[float, ...]
    offset: float
    voxel_bytes: int
    float_type: str | None
    single_file: bool


def nifti_header(start: bytes) -> NiftiHeader | None:
    """Parse the first 348 bytes of a file; None if they are not such a header.

    NIfTI-1: dim at byte 40, datatype at 70, bitpix at 72, pixdim at 76, vox_offset at 108, magic at 344
    (https://nifti.nimh.nih.gov).

    Raises:
        struct.error: fewer than 348 bytes.
    """
    order = "<" if struct.unpack_from("<i", start)[0] == NIFTI_HEADER_BYTES else ">"
    if struct.unpack_from(f"{order}i", start)[0] != NIFTI_HEADER_BYTES:
        return None
    dim = struct.unpack_from(f"{order}8h", start, 40)
    datatype, bits = struct.unpack_from(f"{order}2h", start, 70)
    return NiftiHeader(
        byte_order=order,
        spacing=struct.unpack_from(f"{order}3f", start, 80)[: max(min(dim[0], 3), 0)],
        offset=struct.unpack_from(f"{order}f", start, 108)[0],
        voxel_bytes=math.prod(max(d, 1) for d in dim[1 : dim[0] + 1]) * bits // 8,
        float_type=_NIFTI_FLOATS.get(datatype),
        single_file=start[344:347] == b"n+1",
    )


@dataclass(frozen=True)
class MetaImageHeader:
    """The header of MetaImage.

    Attributes:
        spacing: mm; NaN for a value that is not a number.
        voxel_bytes: least size of the uncompressed voxels, bytes.
        compressed: whether the voxels are compressed.
        data_file: name of the file with the voxels; "LOCAL" for the same file; the format's own notation for several
            files; "" if the header ends before this field.
    """

    spacing: tuple[float, ...]
    voxel_bytes: int
    compressed: bool
    data_file: str


def metaimage_header(start: bytes) -> MetaImageHeader:
    """Parse the first bytes of a file. `start` may extend into the voxels."""
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
        data_file=rest.partition(b"\n")[0].decode("utf-8", "replace").strip(" =\t\r"),
    )


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


_METAIMAGE_BYTES = {"MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_FLOAT": 4, "MET_DOUBLE": 8}
_NIFTI_FLOATS = {16: "f4", 64: "f8"}

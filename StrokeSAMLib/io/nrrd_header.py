"""The header of an NRRD file, as far as ITK does not check it itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.text_header import (
    MOST_DIMENSIONS,
    NO_SPACING,
    TextHeader,
    damaged_field,
    finite_numbers,
    whole_numbers,
)

_MAGIC = b"NRRD000"
_TYPE_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(
        ("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"), 4
    ),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "signed long long int"), 8),
    **dict.fromkeys(("int64", "int64_t", "ulonglong", "unsigned long long", "unsigned long long int"), 8),
    **dict.fromkeys(("uint64", "uint64_t", "double"), 8),
}
_ENCODINGS = {
    "raw": "raw",
    **dict.fromkeys(("gzip", "gz"), "gzip"),
    **dict.fromkeys(("bzip2", "bz2"), "bzip2"),
    **dict.fromkeys(("ascii", "text", "txt", "hex"), "text"),
}
_PATIENT_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las")
_NO_PATIENT = "its header does not name the patient's axes: they are taken as left, posterior, superior"


def nrrd_header(path: Path, start: bytes) -> TextHeader:
    """Parse the first bytes of the file `path`; they may extend into the voxels.

    The header is lines of "field: value", and ends with an empty line (https://teem.sourceforge.net/nrrd/format.html).

    Raises:
        InputError: no such header, or a field that cannot be.
    """
    if not start.startswith(_MAGIC):
        raise InputError(f"{path}: not an NRRD file although its name says so")
    blank = re.search(rb"\r?\n\r?\n", start)
    length = blank.end() if blank else len(start)
    fields = _fields(start[:length].decode("latin-1"))
    dimensions = whole_numbers(path, "dimension", fields.get("dimension", "").split(), 1, 1)[0]
    if dimensions > MOST_DIMENSIONS:
        raise InputError(f"{path}: a 3-D volume is needed; this image is {dimensions}-D")
    size = whole_numbers(path, "sizes", fields.get("sizes", "").split(), dimensions, 1)
    voxel_type, encoding = fields.get("type", "").lower(), fields.get("encoding", "").lower()
    if not voxel_type:
        raise damaged_field(path, "type", [])
    if voxel_type not in _TYPE_BYTES:
        raise InputError(f"{path}: voxel type '{voxel_type[:40]}' in its header cannot be read")
    if encoding not in _ENCODINGS:
        raise damaged_field(path, "encoding", [encoding])
    data_file = fields.get("data file", fields.get("datafile", ""))
    return TextHeader(
        spacing=_spacing(path, fields, dimensions),
        voxel_bytes=math.prod(size) * _TYPE_BYTES[voxel_type],
        encoding=_ENCODINGS[encoding],
        data_file=None if data_file.startswith("LIST") or "%" in data_file else data_file,
        length=length,
        notes=_notes(fields),
    )


def _fields(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines()[1:] if not line.startswith("#"))
    # "key:=value" is free text.
    return {name.strip().lower(): value.strip() for name, _, value in lines if not value.startswith("=")}


def _spacing(path: Path, fields: Mapping[str, str], dimensions: int) -> tuple[float, ...]:
    """The field `spacings` without NaN, which marks an axis that is not one of space.

    The vectors of the other fields are checked.
    """
    vectors = re.findall(r"\(([^()]*)\)", fields.get("space directions", "") + fields.get("space origin", ""))
    for vector in vectors:
        finite_numbers(path, "space directions or space origin", vector.split(","), len(vector.split(",")))
    words = [word for word in fields.get("spacings", "").split() if word.lower() != "nan"]
    if len(words) > dimensions:
        raise damaged_field(path, "spacings", words)
    return tuple(finite_numbers(path, "spacings", words, len(words)))


def _notes(fields: Mapping[str, str]) -> tuple[str, ...]:
    if "spacings" not in fields and "space directions" not in fields:
        return (NO_SPACING,)
    return () if fields.get("space", "").lower() in _PATIENT_SPACES else (_NO_PATIENT,)

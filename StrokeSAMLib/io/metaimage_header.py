"""The header of a MetaImage file, checked field by field: ITK ends the program on some damaged ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.text_header import (
    MOST_DIMENSIONS,
    NO_SPACING,
    TextHeader,
    damaged_field,
    finite_numbers,
    whole_numbers,
)

_LAST_FIELD = b"ElementDataFile"
# Bytes of the voxel types. LONG has four or eight, as the computer has that wrote the file.
_TYPE_BYTES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_FLOAT", "MET_LONG", "MET_ULONG"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
# Fields of several numbers, by the power of the number of dimensions that they have.
_VECTORS = {
    **dict.fromkeys(("ElementSpacing", "ElementSize", "Offset", "Position", "Origin", "CenterOfRotation"), 1),
    **dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), 2),
}
_NUMBERS = ("ElementMin", "ElementMax", "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset")
_COUNTS = {"HeaderSize": -1, "CompressedDataSize": 0, "CompressionLevel": -1, "ID": -1, "ParentID": -1}
_SWITCHES = ("BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData")


def metaimage_header(path: Path, start: bytes) -> TextHeader:
    """Parse the first bytes of the file `path`; they may extend into the voxels.

    The header is lines of "name = value", and ends with ElementDataFile.

    Raises:
        InputError: no such header, or a field that cannot be.
    """
    text, last_field, rest = start.partition(_LAST_FIELD)
    if not last_field:
        raise InputError(f"{path}: not a MetaImage file, or damaged: its header has no ElementDataFile")
    last_line, newline, _ = rest.partition(b"\n")
    fields = _fields(path, text.decode("latin-1"))
    dimensions = whole_numbers(path, "NDims", fields.get("NDims", []), 1, 1)[0]
    if dimensions > MOST_DIMENSIONS:
        raise InputError(f"{path}: a 3-D volume is needed; this image is {dimensions}-D")
    first = next(name for name in fields if name in {"NDims", "DimSize", *_VECTORS})
    if first != "NDims":  # ITK reads the fields in their order
        raise InputError(f"{path}: damaged: {first} comes before NDims in its header")
    _check_fields(path, fields, dimensions)
    size = whole_numbers(path, "DimSize", fields.get("DimSize", []), dimensions, 1)
    channels = whole_numbers(path, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", ["1"]), 1, 1)[0]
    voxel_type = " ".join(fields.get("ElementType", []))
    if not voxel_type:
        raise damaged_field(path, "ElementType", [])
    if voxel_type not in _TYPE_BYTES:
        raise InputError(f"{path}: voxel type '{voxel_type[:40]}' in its header cannot be read")
    spacing = tuple(float(word) for word in fields.get("ElementSpacing", []))
    notes = () if spacing else (NO_SPACING,)
    return TextHeader(
        spacing=spacing,
        voxel_bytes=math.prod(size) * channels * _TYPE_BYTES[voxel_type],
        encoding=_encoding(fields),
        data_file=_data_file(last_line.decode("utf-8", "replace").strip(" =\t\r")),
        length=len(text) + len(last_field) + len(last_line) + len(newline),
        notes=notes,
    )


def _fields(path: Path, text: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        name = name.strip()
        if name in fields:
            raise InputError(f"{path}: damaged: {name[:40]} is twice in its header")
        if name:
            fields[name] = value.split()
    return fields


def _check_fields(path: Path, fields: Mapping[str, list[str]], dimensions: int) -> None:
    for name, words in fields.items():
        if name in _VECTORS:
            finite_numbers(path, name, words, dimensions ** _VECTORS[name])
        elif name in _NUMBERS:
            finite_numbers(path, name, words, 1)
        elif name in _COUNTS:
            whole_numbers(path, name, words, 1, _COUNTS[name])
        elif name == "Color":
            finite_numbers(path, name, words, 4)
        elif name in _SWITCHES and words not in (["True"], ["False"]):
            raise damaged_field(path, name, words)
    for name in ("TransformMatrix", "Rotation", "Orientation"):
        matrix = np.array(fields.get(name, []), float)
        if matrix.size and abs(np.linalg.det(matrix.reshape(dimensions, dimensions))) < 1e-3:
            raise damaged_field(path, name, fields[name])


def _encoding(fields: Mapping[str, list[str]]) -> str:
    if fields.get("CompressedData") == ["True"]:
        return "gzip"
    return "text" if fields.get("BinaryData") == ["False"] else "raw"


def _data_file(value: str) -> str | None:
    if not value or value.split()[0] == "LIST" or "%" in value:
        return None
    return "" if value.upper() == "LOCAL" else value

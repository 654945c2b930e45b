"""The text headers of MetaImage and NRRD files, as far as ITK does not check them itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Bytes of the voxel types, by their names in MetaImage and in NRRD; a type that is not here counts as 1 byte.
_METAIMAGE_BYTES = {
    **dict.fromkeys(("SHORT", "USHORT"), 2),
    **dict.fromkeys(("INT", "UINT", "FLOAT"), 4),
    **dict.fromkeys(("LONG", "ULONG", "LONG_LONG", "ULONG_LONG", "DOUBLE"), 8),
}
_NRRD_BYTES = {
    **dict.fromkeys(("short", "unsigned short", "ushort", "int16", "int16_t", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "unsigned int", "uint", "int32", "int32_t", "uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t", "ulonglong", "uint64", "uint64_t", "double"), 8),
}
_PATIENT_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las")


@dataclass(frozen=True)
class TextHeader:
    """The header of a MetaImage or NRRD file.

    Attributes:
        spacing: mm; NaN for a value that is not a number; empty if the header gives none.
        voxel_bytes: least size of the uncompressed voxels, bytes.
        encoding: "raw", "gzip", "bzip2" or "text".
        data_file: name of the file with the voxels; "" for the same file, and None for several files.
        length: bytes of the header in the file.
        notes: lines for the user about what the header does not say.
    """

    spacing: tuple[float, ...]
    voxel_bytes: int
    encoding: str
    data_file: str | None
    length: int
    notes: tuple[str, ...]


def metaimage_header(start: bytes) -> TextHeader:
    """Parse the first bytes of a MetaImage file; they may extend into the voxels.

    The header is lines of "name = value", and ends with ElementDataFile.
    """
    text, _, rest = start.partition(b"ElementDataFile")
    last_line, newline, _ = rest.partition(b"\n")
    lines = (line.partition("=") for line in text.decode("latin-1").splitlines())
    fields = {name.strip(): value.split() for name, _, value in lines}
    data_file = last_line.decode("utf-8", "replace").strip(" =\t\r")
    spacing = tuple(map(_number, fields.get("ElementSpacing") or fields.get("ElementSize") or []))
    voxel_type = "".join(fields.get("ElementType", [])).removeprefix("MET_")
    channels = _product(fields.get("ElementNumberOfChannels", ["1"]))
    return TextHeader(
        spacing=spacing,
        voxel_bytes=_product(fields.get("DimSize", [])) * channels * _METAIMAGE_BYTES.get(voxel_type, 1),
        encoding=_metaimage_encoding(fields),
        data_file=_metaimage_data_file(data_file),
        length=len(text) + len(b"ElementDataFile") + len(last_line) + len(newline),
        notes=() if spacing else (_NO_SPACING,),
    )


def nrrd_header(start: bytes) -> TextHeader:
    """Parse the first bytes of an NRRD file; they may extend into the voxels.

    The header is lines of "field: value", and ends with an empty line (https://teem.sourceforge.net/nrrd/format.html).
    """
    end = min((n for n in (start.find(b"\n\n") + 2, start.find(b"\r\n\r\n") + 4) if n > 4), default=len(start))
    lines = (line.partition(":") for line in start[:end].decode("latin-1").splitlines()[1:] if line[:1] != "#")
    fields = {name.strip().lower(): value.strip() for name, _, value in lines if not value.startswith("=")}
    data_file = fields.get("data file", fields.get("datafile", ""))
    spacing = tuple(map(_number, fields.get("spacings", "").split()))
    notes = []
    if not spacing and "space directions" not in fields:
        notes.append(_NO_SPACING)
    elif fields.get("space", "").lower() not in _PATIENT_SPACES:
        notes.append("its header does not name the patient's axes: they are taken as left, posterior, superior")
    return TextHeader(
        spacing=tuple(value for value in spacing if not math.isnan(value)),  # NaN marks an axis without a spacing
        voxel_bytes=_product(fields.get("sizes", "").split()) * _NRRD_BYTES.get(fields.get("type", "").lower(), 1),
        encoding=_NRRD_ENCODINGS.get(fields.get("encoding", "").lower(), "raw"),
        data_file=None if data_file.startswith("LIST") or len(data_file.split("%")) > 1 else data_file,
        length=end,
        notes=tuple(notes),
    )


_NO_SPACING = "its header has no voxel spacing: 1 mm is presumed"
_NRRD_ENCODINGS = {
    **dict.fromkeys(("gzip", "gz"), "gzip"),
    **dict.fromkeys(("bzip2", "bz2"), "bzip2"),
    **dict.fromkeys(("ascii", "text", "txt", "hex"), "text"),
}


def _metaimage_encoding(fields: Mapping[str, list[str]]) -> str:
    if fields.get("CompressedData") == ["True"]:
        return "gzip"
    return "text" if fields.get("BinaryData") == ["False"] else "raw"


def _metaimage_data_file(value: str) -> str | None:
    if not value or value.split()[0] == "LIST" or "%" in value:
        return None
    return "" if value.upper() == "LOCAL" else value


def _product(words: list[str]) -> int:
    return math.prod(int(word) for word in words if word.isdecimal() and len(word) < 30)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan

"""The private header "CSA" of Siemens MR, of version SV10: its fields with their text values."""

from __future__ import annotations

import struct

_MOST_FIELDS, _MOST_VALUES = 2000, 2000


def csa_fields(data: bytes) -> dict[str, list[str]]:
    """The fields of a CSA header by name; empty if it is no such header or damaged.

    Layout, as described by the NiBabel project: "SV10", 4 bytes, number of fields, 77; then for each field its name (64
    bytes), VM, VR, syngo type, number of items, 77 or 205; then for each item four lengths, the second of which is its
    length, and the text, padded to 4 bytes.
    """
    if data[:4] != b"SV10":
        return {}
    fields: dict[str, list[str]] = {}
    try:
        (count,) = struct.unpack_from("<I", data, 8)
        offset = 16
        for _ in range(min(count, _MOST_FIELDS)):
            name = data[offset : offset + 64].partition(b"\0")[0].decode("latin-1")
            (items,) = struct.unpack_from("<I", data, offset + 76)
            offset += 84
            fields[name], offset = _values(data, offset, min(items, _MOST_VALUES))
    except struct.error:
        pass  # the fields before the damage are kept
    return fields


def _values(data: bytes, offset: int, items: int) -> tuple[list[str], int]:
    values = []
    for _ in range(items):
        (length,) = struct.unpack_from("<I", data, offset + 4)
        offset += 16
        text = data[offset : offset + length].partition(b"\0")[0].decode("latin-1").strip()
        if text:
            values.append(text)
        offset += (length + 3) // 4 * 4
    return values, offset

"""A compressed frame's own matrix and end, checked before a decoder allocates memory for it."""

from __future__ import annotations

import struct

_JPEG_START, _JPEG_END, _J2K_START = b"\xff\xd8", b"\xff\xd9", b"\xff\x4f\xff\x51"
# Start of frame of JPEG baseline, extended, progressive and lossless, and of JPEG-LS.
_START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3, 0xF7}


def codestream_matrix(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns of a frame of JPEG (ITU T.81 B.2.2), JPEG-LS (T.87 C.2.2) or JPEG 2000 (T.800 A.5.1).

    None for another compression, or where the frame does not say.
    """
    try:
        return _jpeg(frame) if frame[:2] == _JPEG_START else _jpeg_2000(frame)
    except struct.error:
        return None


def is_truncated(frame: bytes) -> bool:
    """Whether a frame of JPEG or JPEG-LS lacks the marker at its end."""
    return frame[:2] == _JPEG_START and _JPEG_END not in frame[-16:]


def _jpeg(frame: bytes) -> tuple[int, int] | None:
    offset = 2
    while True:
        marker, code, length = struct.unpack_from(">BBH", frame, offset)
        if marker != 0xFF:
            return None
        if code in _START_OF_FRAME:
            return struct.unpack_from(">HH", frame, offset + 5)
        offset += 1 if code == 0xFF else 2 + length  # 0xFF fills


def _jpeg_2000(frame: bytes) -> tuple[int, int] | None:
    start = frame.find(_J2K_START, 0, 1024)
    if start < 0:
        return None
    across, down, left, top = struct.unpack_from(">4I", frame, start + 8)
    return down - top, across - left

"""Giving memory back: glibc keeps what is freed between pieces that stay, up to 4 MB for each tracked slice, half of a
network's weights when they are packed, and a tenth of AISCT-SAM's peak."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Return freed memory to the system, where the C library can (glibc); some milliseconds."""
    if sys.platform != "linux":
        return
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)

"""Memory: releasing it to the system, and amounts as text."""

from __future__ import annotations

import ctypes
import sys


def release_memory() -> None:
    """Return freed memory to the system where the C library can (glibc); takes some milliseconds.

    glibc keeps freed memory that lies between pieces in use: up to 4 MB for each tracked slice, half of a network's
    weights after they are packed, and a tenth of AISCT-SAM's peak.
    """
    if sys.platform != "linux":
        return
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def memory_text(count: int) -> str:
    """`count` bytes as text: "1.7 GB" or "340 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

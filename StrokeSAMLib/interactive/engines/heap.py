"""The C library's heap: glibc keeps what is freed between pieces that stay, so that a process only grows."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def trim() -> None:
    """Return freed memory to the system, where the C library can (glibc); some milliseconds."""
    if sys.platform != "linux":
        return
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


def apart(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of `tensor` in pages of its own, if it is on the CPU: what stays, out of the way of what goes."""
    import torch

    if tensor.device.type != "cpu":
        return tensor
    pages = mmap.mmap(-1, tensor.numel() * tensor.element_size())
    return torch.frombuffer(pages, dtype=tensor.dtype).view(tensor.shape).copy_(tensor)

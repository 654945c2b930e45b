"""Tensors in memory pages of their own.

glibc cannot return memory to the system from between pieces of its heap that are in use. A few long-lived tensors
among the short-lived ones of an encoder cost a hundred megabytes.
"""

from __future__ import annotations

import mmap

import torch


def in_own_pages(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of `tensor` in memory pages of its own; `tensor` itself where it is not on the CPU."""
    if tensor.device.type != "cpu":
        return tensor
    pages = mmap.mmap(-1, tensor.numel() * tensor.element_size())
    return torch.frombuffer(pages, dtype=tensor.dtype).view(tensor.shape).copy_(tensor)

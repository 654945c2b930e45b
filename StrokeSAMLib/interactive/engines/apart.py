"""Tensors that stay, out of the way of those that come and go.

glibc gives nothing back from between pieces of its heap that are in use: a few kept tensors among those that an encoder
makes and drops cost a hundred megabytes.
"""

from __future__ import annotations

import mmap

import torch


def apart(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of `tensor` in pages of its own, if it is on the CPU."""
    if tensor.device.type != "cpu":
        return tensor
    pages = mmap.mmap(-1, tensor.numel() * tensor.element_size())
    return torch.frombuffer(pages, dtype=tensor.dtype).view(tensor.shape).copy_(tensor)

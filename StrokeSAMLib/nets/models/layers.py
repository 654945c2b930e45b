"""Layers and window operations that several networks share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (batch, channel, row, column), as in SAM."""

    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised maps, the same shape."""
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
        normal = (x - mean) / torch.sqrt(variance + self.eps)
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


def pop_each(tensors: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Yield each tensor in order and remove it from the list, so that its memory can be freed."""
    while tensors:
        yield tensors.pop(0)


def encoder_neck(width: int, out: int = 256) -> nn.Sequential:
    """The last layers of every SAM image encoder: (batch, width, row, column) → (batch, out, row, column)."""
    return nn.Sequential(
        nn.Conv2d(width, out, 1, bias=False),
        ChannelNorm(out),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        ChannelNorm(out),
    )


def to_windows(x: torch.Tensor, side: int, fill: torch.Tensor | None = None) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Pad (batch, row, column, channel) to full windows and cut it.

    Args:
        side: rows and columns of a window.
        fill: (channel,), the value of the padding below and right of `x`; None pads with zeros.

    Returns:
        The windows (window, side, side, channel), and the padded numbers of rows and columns.
    """
    padded = tuple(-(-size // side) * side for size in x.shape[1:3])
    return cut_windows(pad_below_and_right(x, padded, fill), (side, side)), padded


def from_windows(x: torch.Tensor, padded: tuple[int, ...], size: tuple[int, ...]) -> torch.Tensor:
    """The inverse of `to_windows`, cropped to `size`."""
    return join_windows(x, padded)[:, : size[0], : size[1]]


def pad_below_and_right(x: torch.Tensor, size: tuple[int, ...], fill: torch.Tensor | None = None) -> torch.Tensor:
    """Pad (batch, row, column, channel) to `size` rows and columns with `fill`, (channel,), or with zeros."""
    batch, rows, columns, width = x.shape
    if size == (rows, columns):
        return x
    padded = x.new_zeros(batch, *size, width) if fill is None else fill.expand(batch, *size, width).clone()
    padded[:, :rows, :columns] = x
    return padded


def cut_windows(x: torch.Tensor, window: tuple[int, int]) -> torch.Tensor:
    """Cut (batch, row, column, channel) into windows, (window, row, column, channel).

    Args:
        window: rows and columns of a window; they divide those of `x`.
    """
    (rows, columns), width = window, x.shape[-1]
    cut = x.unflatten(2, (-1, columns)).unflatten(1, (-1, rows)).transpose(2, 3)
    return cut.reshape(-1, rows, columns, width)


def join_windows(x: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """The inverse of `cut_windows`: (batch, *size, channel)."""
    _, rows, columns, width = x.shape
    tiled = x.view(-1, size[0] // rows, size[1] // columns, rows, columns, width).transpose(2, 3)
    return tiled.reshape(-1, *size, width)


def to_slices(x: torch.Tensor) -> torch.Tensor:
    """Slices as images of three equal channels: (batch, 1, z, y, x) → (batch · z, 3, y, x)."""
    return x.transpose(1, 2).flatten(0, 1).expand(-1, 3, -1, -1)


def to_volumes(x: torch.Tensor, depth: int) -> torch.Tensor:
    """Slices as volumes: (batch · z, channel, y, x) → (batch, channel, z, y, x)."""
    return x.unflatten(0, (-1, depth)).transpose(1, 2)

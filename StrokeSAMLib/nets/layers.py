"""Layers that several networks share."""

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
        """The same shape."""
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
        normal = (x - mean) / torch.sqrt(variance + self.eps)
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


def taken(held: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Each of `held`, in order, for the last time: the list does not keep it."""
    while held:
        yield held.pop(0)


def neck(width: int, out: int = 256) -> nn.Sequential:
    """What ends every SAM image encoder: to `out` channels, (batch, width, row, column)."""
    return nn.Sequential(
        nn.Conv2d(width, out, 1, bias=False),
        ChannelNorm(out),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        ChannelNorm(out),
    )


def to_windows(x: torch.Tensor, side: int, fill: torch.Tensor | None = None) -> tuple[torch.Tensor, tuple[int, int]]:
    """(batch, row, column, channel) as (window, side, side, channel); and the padded size.

    Args:
        fill: (channel,), what is put below and right of `x` where windows reach beyond it; None: zeros.
    """
    padded = tuple(-(-size // side) * side for size in x.shape[1:3])
    return cut_windows(pad_below(x, padded, fill), (side, side)), padded


def from_windows(x: torch.Tensor, padded: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """The inverse of `to_windows`, cropped to `size`."""
    return join_windows(x, padded)[:, : size[0], : size[1]]


def pad_below(x: torch.Tensor, size: tuple[int, int], fill: torch.Tensor | None = None) -> torch.Tensor:
    """(batch, row, column, channel) with rows below and columns at its right, of `fill` (channel,) or 0, to `size`."""
    batch, rows, columns, width = x.shape
    if size == (rows, columns):
        return x
    padded = x.new_zeros(batch, *size, width) if fill is None else fill.expand(batch, *size, width).clone()
    padded[:, :rows, :columns] = x
    return padded


def cut_windows(x: torch.Tensor, window: tuple[int, int]) -> torch.Tensor:
    """(batch, row, column, channel), of whole windows, as (window, row, column, channel)."""
    (rows, columns), width = window, x.shape[-1]
    cut = x.unflatten(2, (-1, columns)).unflatten(1, (-1, rows)).transpose(2, 3)
    return cut.reshape(-1, rows, columns, width)


def join_windows(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The inverse of `cut_windows`, to (batch, *size, channel)."""
    _, rows, columns, width = x.shape
    whole = x.view(-1, size[0] // rows, size[1] // columns, rows, columns, width).transpose(2, 3)
    return whole.reshape(-1, *size, width)

"""Layers that several networks share."""

from __future__ import annotations

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
    batch, rows, columns, width = x.shape
    down, across = -(-rows // side), -(-columns // side)
    if fill is None or (down * side, across * side) == (rows, columns):
        x = nn.functional.pad(x, (0, 0, 0, across * side - columns, 0, down * side - rows))
    else:
        padded = fill.expand(batch, down * side, across * side, width).clone()
        padded[:, :rows, :columns] = x
        x = padded
    x = x.view(batch, down, side, across, side, width).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, side, side, width), (down * side, across * side)


def from_windows(x: torch.Tensor, padded: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """The inverse of `to_windows`, cropped to `size`."""
    side, width = x.shape[1], x.shape[-1]
    down, across = padded[0] // side, padded[1] // side
    x = x.view(-1, down, across, side, side, width).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, *padded, width)[:, : size[0], : size[1]]

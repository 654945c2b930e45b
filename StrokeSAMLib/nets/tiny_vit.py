"""The image encoder of LiteMedSAM: TinyViT (Wu et al. 2022, ECCV) with a stem that keeps the full resolution.

Names are those of its checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from StrokeSAMLib.nets.layers import from_windows, neck, to_windows

_WIDTHS, _HEADS, _WINDOWS = (64, 128, 160, 320), (2, 4, 5, 10), (7, 7, 14, 7)
# Widths that are merged into without halving the resolution.
_FULL_SIZE = (320, 448, 576)
_HEAD_WIDTH = 32


class ConvNorm(nn.Module):
    """Convolution without bias, then batch norm."""

    def __init__(self, inside: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.c = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column)."""
        return self.bn(self.c(x))


class Stem(nn.Module):
    """To 64 channels, at full resolution: the difference from TinyViT's own stem."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, _WIDTHS[0] // 2), nn.GELU(), ConvNorm(_WIDTHS[0] // 2, _WIDTHS[0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 3, row, column)."""
        return self.seq(x)


class MobileBlock(nn.Module):
    """Inverted bottleneck; the activation comes after the addition."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width)
        self.conv3 = ConvNorm(4 * width, width)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column)."""
        y = self.activation(self.conv2(self.activation(self.conv1(x))))
        return self.activation(x + self.conv3(y))


class Merging(nn.Module):
    """To the next stage's width, at half the resolution or, for some widths, at the same."""

    def __init__(self, inside: int, out: int):
        super().__init__()
        stride = 1 if out in _FULL_SIZE else 2
        self.conv1 = ConvNorm(inside, out)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out)
        self.conv3 = ConvNorm(out, out)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column)."""
        return self.conv3(self.activation(self.conv2(self.activation(self.conv1(x)))))


class WindowAttention(nn.Module):
    """Attention within a window, with a learnt bias for each distance in rows and columns."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        table, count = _distances(side)
        self.attention_biases = nn.Parameter(torch.zeros(heads, count))
        self.register_buffer("_table", table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(window, token, channel)."""
        windows, tokens, width = x.shape
        # Each head has its queries, keys and values side by side.
        qkv = self.qkv(self.norm(x)).view(windows, tokens, self.heads, 3, _HEAD_WIDTH)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self._table]
        found = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.proj(found.transpose(1, 2).reshape(windows, tokens, width))


class Mlp(nn.Module):
    """Norm, four times as wide, and back."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, channel)."""
        return self.fc2(nn.functional.gelu(self.fc1(self.norm(x))))


class Block(nn.Module):
    """Window attention, a depth-wise convolution, and the perceptron."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.side = side
        self.attn = WindowAttention(width, heads, side)
        self.mlp = Mlp(width)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, channel)."""
        size = tuple(x.shape[1:3])
        # The zeros that pad a window pass the attention's own norm and are attended to: trained weights know them.
        windows, padded = to_windows(x, self.side)
        found = self.attn(windows.flatten(1, 2)).view(windows.shape)
        x = x + from_windows(found, padded, size)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(x)


class Stage(nn.Module):
    """Blocks, then the merging into the next stage, where there is one."""

    def __init__(self, number: int, depth: int):
        super().__init__()
        width = _WIDTHS[number]
        self.mobile = number == 0
        blocks = (
            MobileBlock(width) if self.mobile else Block(width, _HEADS[number], _WINDOWS[number]) for _ in range(depth)
        )
        self.blocks = nn.ModuleList(blocks)
        self.downsample = Merging(width, _WIDTHS[number + 1]) if number + 1 < len(_WIDTHS) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column)."""
        if not self.mobile:
            x = x.permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x)
        if not self.mobile:
            x = x.permute(0, 3, 1, 2)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """(batch, 3, 256, 256) → (batch, 256, 64, 64).

    Args:
        depths: blocks in each of the four stages.
    """

    def __init__(self, depths: Sequence[int]):
        super().__init__()
        self.patch_embed = Stem()
        self.layers = nn.ModuleList(Stage(number, depth) for number, depth in enumerate(depths))
        self.neck = neck(_WIDTHS[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


def _distances(side: int) -> tuple[torch.Tensor, int]:
    """For each pair of tokens the number of their (|rows|, |columns|), numbered as they are first met."""
    places = [(row, column) for row in range(side) for column in range(side)]
    numbers: dict[tuple[int, int], int] = {}
    table = [numbers.setdefault((abs(a[0] - b[0]), abs(a[1] - b[1])), len(numbers)) for a in places for b in places]
    return torch.tensor(table).view(len(places), len(places)), len(numbers)

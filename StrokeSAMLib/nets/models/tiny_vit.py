"""The image encoder of LiteMedSAM: TinyViT (Wu et al. 2022, ECCV) with a stem that keeps the full resolution.

Parameter names are those of LiteMedSAM's checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from StrokeSAMLib.nets.models.layers import encoder_neck, from_windows, to_windows

_WIDTHS, _HEADS, _WINDOWS = (64, 128, 160, 320), (2, 4, 5, 10), (7, 7, 14, 7)
# Output widths whose merging keeps the resolution.
_FULL_SIZE = (320, 448, 576)
_HEAD_WIDTH = 32


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm."""

    def __init__(self, channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.c = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column) → (batch, out, row, column)."""
        return self.bn(self.c(x))


class Stem(nn.Module):
    """Two convolutions to 64 channels at full resolution; TinyViT's own stem lowers the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, _WIDTHS[0] // 2), nn.GELU(), ConvNorm(_WIDTHS[0] // 2, _WIDTHS[0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 3, row, column) → (batch, 64, row, column)."""
        return self.seq(x)


class MobileBlock(nn.Module):
    """An inverted bottleneck. The last activation follows the addition of the residual."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width)
        self.conv3 = ConvNorm(4 * width, width)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column), the same shape."""
        y = self.activation(self.conv2(self.activation(self.conv1(x))))
        return self.activation(x + self.conv3(y))


class Merging(nn.Module):
    """Convolutions to the next stage's width. They halve the resolution, or keep it for the widths of `_FULL_SIZE`."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        stride = 1 if out in _FULL_SIZE else 2
        self.conv1 = ConvNorm(channels, out)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out)
        self.conv3 = ConvNorm(out, out)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column) → (batch, out, row, column)."""
        return self.conv3(self.activation(self.conv2(self.activation(self.conv1(x)))))


class WindowAttention(nn.Module):
    """Attention within a window, with a learnt bias for each distance in rows and columns."""

    _table: torch.Tensor

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        table, count = _distance_table(side)
        self.attention_biases = nn.Parameter(torch.zeros(heads, count))
        self.register_buffer("_table", table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(window, token, channel), the same shape."""
        windows, tokens, width = x.shape
        # Each head has its queries, keys and values side by side.
        qkv = self.qkv(self.norm(x)).view(windows, tokens, self.heads, 3, _HEAD_WIDTH)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self._table]
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.proj(attended.transpose(1, 2).reshape(windows, tokens, width))


class NormedMlp(nn.Module):
    """Layer norm, then a perceptron with a hidden layer four times as wide, and GELU."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, channel), the same shape."""
        return self.fc2(nn.functional.gelu(self.fc1(self.norm(x))))


class WindowBlock(nn.Module):
    """Window attention, a depth-wise convolution, and the perceptron."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.side = side
        self.attn = WindowAttention(width, heads, side)
        self.mlp = NormedMlp(width)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, channel), the same shape."""
        size = tuple(x.shape[1:3])
        # A window's zero padding passes the attention's norm and takes part in attention, as it did in training.
        windows, padded = to_windows(x, self.side)
        attended = self.attn(windows.flatten(1, 2)).view(windows.shape)
        x = x + from_windows(attended, padded, size)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(x)


class TinyViTStage(nn.Module):
    """Blocks of one width, followed by the merging into the next stage, if there is one."""

    def __init__(self, number: int, depth: int):
        super().__init__()
        width = _WIDTHS[number]
        self.mobile = number == 0
        blocks = (
            MobileBlock(width) if self.mobile else WindowBlock(width, _HEADS[number], _WINDOWS[number])
            for _ in range(depth)
        )
        self.blocks = nn.ModuleList(blocks)
        self.downsample = Merging(width, _WIDTHS[number + 1]) if number + 1 < len(_WIDTHS) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column) → (batch, next width, row, column)."""
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
        depths: number of blocks in each of the four stages.
    """

    def __init__(self, depths: Sequence[int]):
        super().__init__()
        self.patch_embed = Stem()
        self.layers = nn.ModuleList(TinyViTStage(number, depth) for number, depth in enumerate(depths))
        self.neck = encoder_neck(_WIDTHS[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode images: shapes as in the class's summary."""
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


def _distance_table(side: int) -> tuple[torch.Tensor, int]:
    """The index of each pair of tokens' distance in (|rows|, |columns|), and the number of distances.

    Distances are numbered in the order of their first occurrence, as in the checkpoints.
    """
    places = [(row, column) for row in range(side) for column in range(side)]
    numbers: dict[tuple[int, int], int] = {}
    table = [numbers.setdefault((abs(a[0] - b[0]), abs(a[1] - b[1])), len(numbers)) for a in places for b in places]
    return torch.tensor(table).view(len(places), len(places)), len(numbers)

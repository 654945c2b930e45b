"""SAM 2's image encoder on a CPU: the same function as the sam2 package's `Hiera` and `FpnNeck`, for one image.

It differs from the package in four ways:

- Linear layers run through oneDNN.
- Windows are padded after the projection to queries, keys and values. A padding token is 0, so its projection is the
  bias.
- The position embedding is resized once.
- The neck's 1 × 1 convolutions at strides 4 and 8 are fused with those of the mask head that follow them.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from sam2.modeling.backbones.hieradet import MultiScaleBlock
from sam2.modeling.sam2_base import SAM2Base
from torch import nn

from StrokeSAMLib.nets.cpu.onednn_linear import (
    PackedLinear,
    fused_linear,
    linear_of_pointwise_convolution,
    matrix_product,
)
from StrokeSAMLib.nets.models.layers import cut_windows, join_windows, pad_below_and_right

# From this number of tokens in one window, oneDNN's products are faster than PyTorch's fused attention.
_MANY_TOKENS = 512
# A block with windows works on about this many tokens at a time, which saves memory and fits a core's cache better.
_STRIP_TOKENS = 2048


class FastEncoder(nn.Module):
    """The image encoder of `model`. Its feature maps are (1, channel, row, column) at strides 4, 8 and 16.

    Args:
        model: a SAM 2 on the CPU, with its weights.
        dtype: torch.float32 or torch.bfloat16, the precision of the linear layers.
    """

    def __init__(self, model: SAM2Base, dtype: torch.dtype):
        super().__init__()
        trunk, head = model.image_encoder.trunk, model.sam_mask_decoder
        self.patch_embed = trunk.patch_embed
        self.blocks = nn.ModuleList(_Block(block, dtype) for block in trunk.blocks)
        self._stage_ends = trunk.stage_ends
        self._position = trunk._get_pos_embed((model.image_size // 4,) * 2).detach()
        # The neck's convolutions are ordered from the coarsest level to the finest.
        stride32, stride16, stride8, stride4 = (
            linear_of_pointwise_convolution(convolution.conv) for convolution in model.image_encoder.neck.convs
        )
        stride4 = fused_linear(stride4, linear_of_pointwise_convolution(head.conv_s0))
        stride8 = fused_linear(stride8, linear_of_pointwise_convolution(head.conv_s1))
        self.stride4, self.stride8 = PackedLinear(stride4, dtype=dtype), PackedLinear(stride8, dtype=dtype)
        self.stride16, self.stride32 = PackedLinear(stride16, dtype=dtype), PackedLinear(stride32, dtype=dtype)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Encode an image, float32 (1, 3, row, column) of the network's size."""
        x = self.patch_embed(image) + self._position
        stages = []
        for n, block in enumerate(self.blocks):
            x = block(x)
            if n in self._stage_ends:
                stages.append(x)
        coarser = self.stride32(stages[3]).float().repeat_interleave(2, 1).repeat_interleave(2, 2)
        maps = (self.stride4(stages[0]), self.stride8(stages[1]), self.stride16(stages[2]).float() + coarser)
        return [level.float().permute(0, 3, 1, 2).contiguous() for level in maps]


class _Block(nn.Module):
    """A block of Hiera on (1, row, column, channel). The residual sums stay float32."""

    def __init__(self, original: MultiScaleBlock, dtype: torch.dtype):
        super().__init__()
        self._dtype = dtype
        self._window = original.window_size
        self._heads = original.attn.num_heads
        self._pool = original.pool
        self.norm1, self.norm2 = original.norm1, original.norm2
        self.qkv = PackedLinear(original.attn.qkv, dtype=dtype)
        self.out = PackedLinear(original.attn.proj, dtype=dtype)
        self.shortcut = PackedLinear(original.proj, dtype=dtype) if original.dim != original.dim_out else None
        wide, narrow = (cast(nn.Linear, layer) for layer in original.mlp.layers)
        self.wide, self.narrow = PackedLinear(wide, "gelu", dtype), PackedLinear(narrow, dtype=dtype)
        self._padding = original.attn.qkv.bias.detach().to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(1, row, column, channel); a stage's first block halves rows and columns."""
        if self._window == 0:
            return self._run_strip(x)
        rows = self._window * max(1, _STRIP_TOKENS // (x.shape[2] * self._window))
        return torch.cat([self._run_strip(part) for part in x.split(rows, dim=1)], dim=1)

    def _run_strip(self, x: torch.Tensor) -> torch.Tensor:
        """The block on full rows of windows. No window depends on another."""
        y = self.norm1(x)
        if self.shortcut is not None:
            x = self._pooled(self.shortcut(y).float())
        size = x.shape[1:3]
        windows, grid = self._cut(self.qkv(y))
        x = x + self.out(self._join(self._attend(windows), grid, size))
        return x + self.narrow(self.wide(self.norm2(x)))

    def _cut(self, qkv: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
        """Windows (window, row, column, 3 · channel), and the numbers of windows in rows and columns."""
        side = self._window
        if side == 0:
            return qkv, (1, 1)
        down, across = (-(-size // side) for size in qkv.shape[1:3])
        padded = pad_below_and_right(qkv, (down * side, across * side), self._padding)
        return cut_windows(padded, (side, side)), (down, across)

    def _attend(self, qkv: torch.Tensor) -> torch.Tensor:
        """(window, row, column, 3 · channel) → (window, row, column, channel)."""
        count, rows, columns, _ = qkv.shape
        q, k, v = qkv.reshape(count, rows * columns, 3, self._heads, -1).unbind(2)
        if self._pool is not None:
            q = self._pooled(q.reshape(count, rows, columns, -1))
            rows, columns = q.shape[1:3]
            q = q.reshape(count, rows * columns, self._heads, -1)
        attended = self._attend_by_head(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return attended.transpose(1, 2).reshape(count, rows, columns, -1)

    def _attend_by_head(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, head, token, channel)."""
        scale = q.shape[-1] ** -0.5
        if self._dtype == torch.bfloat16:
            return torch.matmul((torch.matmul(q, k.transpose(-1, -2)) * scale).softmax(-1), v)
        if q.shape[0] == 1 and q.shape[2] >= _MANY_TOKENS:
            heads = zip(q[0] * scale, k[0], v[0].transpose(-1, -2), strict=True)
            return torch.stack([matrix_product(matrix_product(a, b).softmax(-1), c) for a, b, c in heads])[None]
        return F.scaled_dot_product_attention(q, k, v)

    def _join(self, x: torch.Tensor, grid: tuple[int, int], size: torch.Size) -> torch.Tensor:
        """Put the windows together and crop their padding."""
        joined = join_windows(x, (grid[0] * x.shape[1], grid[1] * x.shape[2]))
        return joined[:, : size[0], : size[1]]

    def _pooled(self, x: torch.Tensor) -> torch.Tensor:
        return x if self._pool is None else self._pool(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

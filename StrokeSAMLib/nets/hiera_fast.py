"""SAM 2's image encoder on a CPU: the same function as the sam2 package's `Hiera` and `FpnNeck`, for one image.

Besides oneDNN's linear layers: windows are padded after the projection to queries, keys and values, where a padding
token, being 0, is the bias; the position embedding is resized once; and the neck's 1 × 1 convolutions at strides 4
and 8 are one with those of the mask head that follow them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sam2.modeling.backbones.hieradet import MultiScaleBlock
from sam2.modeling.sam2_base import SAM2Base
from torch import nn

from StrokeSAMLib.nets.layers import cut_windows, join_windows, pad_below
from StrokeSAMLib.nets.packed import PackedLinear, joined, pointwise, product

# From so many tokens on, in one window, products by oneDNN outweigh the fused kernel.
_MANY_TOKENS = 512
# A block of windows works on about so many tokens at a time: less memory, and nearer to a core's cache.
_STRIP = 2048


class FastEncoder(nn.Module):
    """Image to feature maps; maps are (1, channel, row, column) at strides 4, 8 and 16.

    Args:
        model: whose encoder it is.
        dtype: of what its linear layers give.
    """

    def __init__(self, model: SAM2Base, dtype: torch.dtype):
        super().__init__()
        trunk, head = model.image_encoder.trunk, model.sam_mask_decoder
        self.patch_embed = trunk.patch_embed
        self.blocks = nn.ModuleList(_Block(block, dtype) for block in trunk.blocks)
        self._ends = trunk.stage_ends
        self._position = trunk._get_pos_embed((model.image_size // 4,) * 2).detach()
        # From the coarsest to the finest.
        coarsest, top, middle, fine = (pointwise(convolution.conv) for convolution in model.image_encoder.neck.convs)
        self.fine = PackedLinear(joined(fine, pointwise(head.conv_s0)), dtype=dtype)
        self.middle = PackedLinear(joined(middle, pointwise(head.conv_s1)), dtype=dtype)
        self.top, self.coarsest = PackedLinear(top, dtype=dtype), PackedLinear(coarsest, dtype=dtype)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Float32 (1, 3, row, column) of the network's size."""
        x = self.patch_embed(image) + self._position
        stages = []
        for n, block in enumerate(self.blocks):
            x = block(x)
            if n in self._ends:
                stages.append(x)
        above = self.coarsest(stages[3]).float().repeat_interleave(2, 1).repeat_interleave(2, 2)
        maps = (self.fine(stages[0]), self.middle(stages[1]), self.top(stages[2]).float() + above)
        return [level.float().permute(0, 3, 1, 2).contiguous() for level in maps]


class _Block(nn.Module):
    """A block of Hiera on (1, row, column, channel); what is added up stays float32."""

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
        wide, narrow = original.mlp.layers
        self.wide, self.narrow = PackedLinear(wide, "gelu", dtype), PackedLinear(narrow, dtype=dtype)
        self._padding = original.attn.qkv.bias.detach().to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(1, row, column, channel), halved in rows and columns where a stage begins."""
        if self._window == 0:
            return self._strip(x)
        rows = self._window * max(1, _STRIP // (x.shape[2] * self._window))
        return torch.cat([self._strip(part) for part in x.split(rows, dim=1)], dim=1)

    def _strip(self, x: torch.Tensor) -> torch.Tensor:
        """Whole rows of windows, of which each is on its own."""
        y = self.norm1(x)
        if self.shortcut is not None:
            x = self._pooled(self.shortcut(y).float())
        size = x.shape[1:3]
        windows, grid = self._windows(self.qkv(y))
        x = x + self.out(self._joined(self._attention(windows), grid, size))
        return x + self.narrow(self.wide(self.norm2(x)))

    def _windows(self, qkv: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
        """(window, row, column, 3 · channel), and how many windows there are in rows and columns."""
        side = self._window
        if side == 0:
            return qkv, (1, 1)
        down, across = (-(-size // side) for size in qkv.shape[1:3])
        padded = pad_below(qkv, (down * side, across * side), self._padding)
        return cut_windows(padded, (side, side)), (down, across)

    def _attention(self, qkv: torch.Tensor) -> torch.Tensor:
        """(window, row, column, channel) of windows of queries, keys and values."""
        count, rows, columns, _ = qkv.shape
        q, k, v = qkv.reshape(count, rows * columns, 3, self._heads, -1).unbind(2)
        if self._pool is not None:
            q = self._pooled(q.reshape(count, rows, columns, -1))
            rows, columns = q.shape[1:3]
            q = q.reshape(count, rows * columns, self._heads, -1)
        found = self._attended(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return found.transpose(1, 2).reshape(count, rows, columns, -1)

    def _attended(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, head, token, channel)."""
        scale = q.shape[-1] ** -0.5
        if self._dtype == torch.bfloat16:
            return torch.matmul((torch.matmul(q, k.transpose(-1, -2)) * scale).softmax(-1), v)
        if q.shape[0] == 1 and q.shape[2] >= _MANY_TOKENS:
            heads = zip(q[0] * scale, k[0], v[0].transpose(-1, -2), strict=True)
            return torch.stack([product(product(a, b).softmax(-1), c) for a, b, c in heads])[None]
        return F.scaled_dot_product_attention(q, k, v)

    def _joined(self, x: torch.Tensor, grid: tuple[int, int], size: torch.Size) -> torch.Tensor:
        """The windows put together again, without their padding."""
        whole = join_windows(x, (grid[0] * x.shape[1], grid[1] * x.shape[2]))
        return whole[:, : size[0], : size[1]]

    def _pooled(self, x: torch.Tensor) -> torch.Tensor:
        return self._pool(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

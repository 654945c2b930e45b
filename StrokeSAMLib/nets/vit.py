"""The image encoder of SAM with room for adapters: ViT with windows, and relative positions decomposed into rows and
columns (Li et al. 2022, arXiv 2203.16527). Names are those of SAM's checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.layers import cut_windows, join_windows, neck, pad_below
from StrokeSAMLib.nets.packed import PackedLinear

_PATCH, _WINDOW = 16, 14
_MANY_TOKENS = 1024


class Patches(nn.Module):
    """An image cut into patches, each a token."""

    def __init__(self, channels: int, width: int, side: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, side, side)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column) → (batch, row, column, width)."""
        return self.proj(x).permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Attention among the tokens of squares of `side` tokens, with relative positions.

    SAM pads an image with zero tokens to whole windows. Here padding asks nothing, since what it would find is cropped
    away, and is asked as what a 0 is projected to: of an image of 16 tokens in windows of 14, two thirds are padding.
    """

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, window: int = 0) -> torch.Tensor:
        """(batch, row, column, channel); within windows of `window` tokens, or, where that is 0, of the whole."""
        qkv = self.projected(x, window)
        if not window:
            return self.proj(self._found(*qkv.chunk(3, -1)))
        padding = self.projected(x.new_zeros(1, 1, 1, x.shape[-1]), 0)[0, 0, 0]
        found = qkv.new_empty(x.shape)
        for part in _evenly(x.shape[1:3], window):
            found[part] = self._in_windows(qkv[part], window, padding)
        return self.proj(found)

    def projected(self, x: torch.Tensor, window: int) -> torch.Tensor:
        """Queries, keys and values of (batch, row, column, channel), which will be cut into windows."""
        return self.qkv(x)

    def _in_windows(self, qkv: torch.Tensor, window: int, padding: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, 3 · channel), its windows all of one size, → (batch, row, column, channel)."""
        size = qkv.shape[1:3]
        q, k, v = cut_windows(qkv, (min(size[0], window), min(size[1], window))).chunk(3, -1)
        k, v = (pad_below(x, (window, window), fill) for x, fill in zip((k, v), padding.chunk(3)[1:], strict=True))
        return join_windows(self._found(q, k, v), size)

    def _found(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, row, column, channel), of which the queries' rows and columns are the first of the keys'."""
        by_head = [x.unflatten(3, (self.heads, -1)).permute(0, 3, 1, 2, 4) for x in (q, k, v)]
        # By heads where tokens are many: the positions' logits of all heads at once would take a gigabyte.
        parts = zip(*(x.split(self._heads_at_once(k), dim=1) for x in by_head), strict=True)
        found = torch.cat([self._attended(*part) for part in parts], dim=1)
        return found.transpose(1, 2).reshape(q.shape)

    def _heads_at_once(self, k: torch.Tensor) -> int:
        return self.heads if k.shape[1] * k.shape[2] <= _MANY_TOKENS else 1

    def _attended(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, head, row, column, channel) → (window, head, token, channel)."""
        positions = self._positions(q, k.shape[2:4])
        q, k, v = (x.flatten(2, 3) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=positions)

    def _positions(self, q: torch.Tensor, keys: tuple[int, int]) -> torch.Tensor:
        """What is added to the logits, of queries before they are scaled: (window, head, query, key)."""
        rows, columns = (
            table[_distances(queries, side, q.device)]
            for table, queries, side in zip((self.rel_pos_h, self.rel_pos_w), q.shape[2:4], keys, strict=True)
        )
        # In the order of its axes, which the sum then has too: else that would be copied into it, ten times as large.
        down = torch.einsum("nhrcd,rkd->nhrck", q, rows).contiguous()
        across = torch.einsum("nhrcd,ckd->nhrck", q, columns)
        return (down[..., :, None] + across[..., None, :]).flatten(4).flatten(2, 3)


def _evenly(size: tuple[int, int], window: int) -> Iterator[tuple[slice, ...]]:
    """Parts of (batch, row, column, channel), each of windows of one size: whole ones, and what is left over."""
    for rows, columns in product(*((slice(0, n - n % window), slice(n - n % window, n)) for n in size)):
        if rows.stop > rows.start and columns.stop > columns.start:
            yield slice(None), rows, columns


def _distances(queries: int, side: int, device: torch.device) -> torch.Tensor:
    """The row of a table of relative positions for each query and each of `side` keys, (query, key)."""
    # Made anew each time: a buffer that no checkpoint holds would stay empty in a network built on the meta device.
    place = torch.arange(side, device=device)
    return place[:queries, None] - place[None, :] + side - 1


class Mlp(nn.Module):
    """Wider, GELU, and back."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, channel)."""
        return self.lin2(F.gelu(self.lin1(x)))

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """The same for inference on a CPU, see `packed.pack_layers`."""
        return nn.Sequential(PackedLinear(self.lin1, "gelu", dtype), PackedLinear(self.lin2, dtype=dtype))


class Block(nn.Module):
    """A block of SAM's encoder; `side` tokens are the window, or, with `window` 0, the whole image.

    Adapters change what a block adds: see `attended` and `widened`.
    """

    def __init__(self, width: int, heads: int, window: int, side: int):
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, window or side)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)

    def attended(self, x: torch.Tensor) -> torch.Tensor:
        """What attention adds to (batch, row, column, channel)."""
        return self.attn(self.norm1(x), self.window)

    def widened(self, x: torch.Tensor) -> torch.Tensor:
        """What the perceptron adds."""
        return self.mlp(self.norm2(x))

    def forward(self, x: torch.Tensor, slices: int = 1) -> torch.Tensor:
        """(batch, row, column, channel); of a volume, `slices` neighbours follow one another in the batch."""
        x = x + self.attended(x)
        return x + self.widened(x)


class ImageEncoder(nn.Module):
    """(batch, channel, row, column) of `image_size` → (batch, 256, row, column) of its 16th.

    Args:
        width, depth, heads: of the transformer.
        image_size: rows and columns.
        whole: the numbers of the blocks that attend to the whole image; the others to windows of 14 tokens.
        block: makes a block from (width, heads, window, side).
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        image_size: int,
        whole: Sequence[int],
        channels: int = 3,
        block: Callable[[int, int, int, int], Block] = Block,
    ):
        super().__init__()
        side = image_size // _PATCH
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, width))
        self.patch_embed = Patches(channels, width, _PATCH)
        self.blocks = nn.ModuleList(block(width, heads, 0 if n in whole else _WINDOW, side) for n in range(depth))
        self.neck = neck(width)

    def hidden(self, x: torch.Tensor, slices: int = 1) -> Iterator[torch.Tensor]:
        """What each block gives, (batch, row, column, width)."""
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x, slices)
            yield x

    def embedding(self, last: torch.Tensor) -> torch.Tensor:
        """What the last block gives as (batch, 256, row, column)."""
        return self.neck(last.permute(0, 3, 1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        for last in self.hidden(x):
            x = last
        return self.embedding(x)

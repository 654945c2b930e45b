"""The image encoder of SAM, open to adapters: a ViT with windows and with relative positions that are decomposed into
rows and columns (Li et al. 2022, arXiv 2203.16527). Parameter names are those of SAM's checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.models.layers import cut_windows, encoder_neck, join_windows, pad_below_and_right

_PATCH, _WINDOW = 16, 14
_MANY_TOKENS = 1024


class PatchEmbedding(nn.Module):
    """Cut an image into patches and project each to a token."""

    def __init__(self, channels: int, width: int, side: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, side, side)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, row, column) → (batch, row, column, width)."""
        return self.proj(x).permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Attention among the tokens of squares of `side` tokens, with relative positions.

    SAM pads an image with zero tokens to full windows. Here padding has no queries, since their results would be
    cropped away. Its keys and values are the projection of a zero token, computed once. In an image of 16 tokens and
    windows of 14, two thirds of all tokens are padding.
    """

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, window: int = 0) -> torch.Tensor:
        """Attend within windows of `window` tokens, or within the full image where `window` is 0.

        `x` and the result are (batch, row, column, channel).
        """
        qkv = self.project_qkv(x, window)
        if not window:
            return self.proj(self._attend(*qkv.chunk(3, -1)))
        padding = self.project_qkv(x.new_zeros(1, 1, 1, x.shape[-1]), 0)[0, 0, 0]
        attended = qkv.new_empty(x.shape)
        for part in _parts_of_equal_windows(x.shape[1:3], window):
            attended[part] = self._attend_in_windows(qkv[part], window, padding)
        return self.proj(attended)

    def project_qkv(self, x: torch.Tensor, window: int) -> torch.Tensor:
        """Queries, keys and values of tokens: (batch, row, column, channel) → (batch, row, column, 3 · channel).

        Args:
            window: side of the windows that the tokens will be cut into; 0 for none.
        """
        return self.qkv(x)

    def _attend_in_windows(self, qkv: torch.Tensor, window: int, padding: torch.Tensor) -> torch.Tensor:
        """(batch, row, column, 3 · channel), its windows all of one size → (batch, row, column, channel)."""
        size = qkv.shape[1:3]
        q, k, v = cut_windows(qkv, (min(size[0], window), min(size[1], window))).chunk(3, -1)
        k, v = (
            pad_below_and_right(x, (window, window), fill) for x, fill in zip((k, v), padding.chunk(3)[1:], strict=True)
        )
        return join_windows(self._attend(q, k, v), size)

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, row, column, channel). The queries' rows and columns are the first of the keys'."""
        by_head = [x.unflatten(3, (self.heads, -1)).permute(0, 3, 1, 2, 4) for x in (q, k, v)]
        # With many tokens the heads run one by one: their position logits together would take a gigabyte.
        parts = zip(*(x.split(self._heads_at_once(k), dim=1) for x in by_head), strict=True)
        attended = torch.cat([self._attend_by_head(*part) for part in parts], dim=1)
        return attended.transpose(1, 2).reshape(q.shape)

    def _heads_at_once(self, k: torch.Tensor) -> int:
        return self.heads if k.shape[1] * k.shape[2] <= _MANY_TOKENS else 1

    def _attend_by_head(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(window, head, row, column, channel) → (window, head, token, channel)."""
        positions = self._position_logits(q, k.shape[2:4])
        q, k, v = (x.flatten(2, 3) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=positions)

    def _position_logits(self, q: torch.Tensor, keys: tuple[int, ...]) -> torch.Tensor:
        """The relative positions' part of the logits, (window, head, query, key), from queries that are not scaled."""
        rows, columns = (
            table[_distance_indices(queries, side, q.device)]
            for table, queries, side in zip((self.rel_pos_h, self.rel_pos_w), q.shape[2:4], keys, strict=True)
        )
        # The sum below takes the memory order of this tensor. In another order a copy ten times as large would follow.
        by_row = torch.einsum("nhrcd,rkd->nhrck", q, rows).contiguous()
        by_column = torch.einsum("nhrcd,ckd->nhrck", q, columns)
        return (by_row[..., :, None] + by_column[..., None, :]).flatten(4).flatten(2, 3)


def _parts_of_equal_windows(size: tuple[int, ...], window: int) -> Iterator[tuple[slice, ...]]:
    """Up to four parts of (batch, row, column, channel), each with windows of one size.

    One part has the full windows, the others the cut-off windows at the lower and the right edge.
    """
    for rows, columns in product(*((slice(0, n - n % window), slice(n - n % window, n)) for n in size)):
        if rows.stop > rows.start and columns.stop > columns.start:
            yield slice(None), rows, columns


def _distance_indices(queries: int, side: int, device: torch.device) -> torch.Tensor:
    """Rows of the table of relative positions, (query, key), for queries and `side` keys on one axis."""
    # Not a buffer: no checkpoint contains it, so a network built on the meta device would never fill it.
    place = torch.arange(side, device=device)
    return place[:queries, None] - place[None, :] + side - 1


class Mlp(nn.Module):
    """A perceptron with one hidden layer and GELU."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, channel), the same shape."""
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Module):
    """A block of SAM's encoder. Adapters override `attention_residual` and `mlp_residual`.

    Args:
        width: channels.
        heads: attention heads.
        window: side of the windows, in tokens; 0 attends to the full image.
        side: side of the image, in tokens.
    """

    def __init__(self, width: int, heads: int, window: int, side: int):
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, window or side)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)

    def attention_residual(self, x: torch.Tensor) -> torch.Tensor:
        """The tensor that attention adds to `x`, (batch, row, column, channel)."""
        return self.attn(self.norm1(x), self.window)

    def mlp_residual(self, x: torch.Tensor) -> torch.Tensor:
        """The tensor that the perceptron adds to `x`, (batch, row, column, channel)."""
        return self.mlp(self.norm2(x))

    def forward(self, x: torch.Tensor, slices: int = 1) -> torch.Tensor:
        """(batch, row, column, channel), the same shape.

        Args:
            slices: number of consecutive batch entries that are the slices of one volume.
        """
        x = x + self.attention_residual(x)
        return x + self.mlp_residual(x)


class ImageEncoder(nn.Module):
    """(batch, channel, row, column) of `image_size` → (batch, 256, row, column) of a 16th of it.

    Args:
        width, depth, heads: channels, blocks and attention heads of the transformer.
        image_size: rows and columns.
        global_blocks: indices of the blocks that attend to the full image; the others attend to windows of 14 tokens.
        channels: channels of the image.
        block: makes a block from (width, heads, window, side).
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        image_size: int,
        global_blocks: Sequence[int],
        channels: int = 3,
        block: Callable[[int, int, int, int], Block] = Block,
    ):
        super().__init__()
        side = image_size // _PATCH
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, width))
        self.patch_embed = PatchEmbedding(channels, width, _PATCH)
        windows = (0 if n in global_blocks else _WINDOW for n in range(depth))
        self.blocks = nn.ModuleList(block(width, heads, window, side) for window in windows)
        self.neck = encoder_neck(width)

    def hidden(self, x: torch.Tensor, slices: int = 1) -> Iterator[torch.Tensor]:
        """Yield the hidden state after each block, (batch, row, column, width). `slices` as in `Block.forward`."""
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x, slices)
            yield x

    def embedding(self, last: torch.Tensor) -> torch.Tensor:
        """The embedding (batch, 256, row, column) of the last hidden state (batch, row, column, width)."""
        return self.neck(last.permute(0, 3, 1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode images: shapes as in the class's summary."""
        for last in self.hidden(x):
            x = last
        return self.embedding(x)

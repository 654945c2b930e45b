"""The image encoder of SAM with room for adapters: ViT with windows, and relative positions decomposed into rows and
columns (Li et al. 2022, arXiv 2203.16527). Names are those of SAM's checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.layers import from_windows, neck, to_windows

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

    Windows are padded after the projection to queries, keys and values, where a padding token, which is 0, is what a
    0 is projected to: of an image of 16 tokens in windows of 14, two thirds of the tokens are padding.
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
        if not window:
            return self.proj(self._found(self.projected(x, 0)))
        padding = self.projected(x.new_zeros(1, 1, 1, x.shape[-1]), 0)[0, 0, 0]
        windows, padded = to_windows(self.projected(x, window), window, padding)
        return self.proj(from_windows(self._found(windows), padded, tuple(x.shape[1:3])))

    def projected(self, x: torch.Tensor, window: int) -> torch.Tensor:
        """Queries, keys and values of (batch, row, column, channel), which will be cut into windows."""
        return self.qkv(x)

    def _found(self, qkv: torch.Tensor) -> torch.Tensor:
        """(window, side, side, 3 · channel) → (window, side, side, channel)."""
        windows, rows, columns, _ = qkv.shape
        qkv = qkv.reshape(windows, rows * columns, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # By heads where tokens are many: the positions' logits of all heads at once would take a gigabyte.
        parts = [qkv] if rows * columns <= _MANY_TOKENS else qkv.split(1, dim=2)
        found = torch.cat([self._attended(*part.unbind(0), rows, columns) for part in parts], dim=1)
        return found.transpose(1, 2).reshape(windows, rows, columns, -1)

    def _attended(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self._positions(q, rows, columns))

    def _positions(self, q: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """What is added to the logits, of queries before they are scaled: (window, head, token, token)."""
        grid = q.reshape(*q.shape[:2], rows, columns, -1)
        down = torch.einsum("nhrcd,rkd->nhrck", grid, self.rel_pos_h[_distances(rows, q.device)])
        across = torch.einsum("nhrcd,ckd->nhrck", grid, self.rel_pos_w[_distances(columns, q.device)])
        return (down[..., :, None] + across[..., None, :]).flatten(4).flatten(2, 3)


def _distances(side: int, device: torch.device) -> torch.Tensor:
    """The row of a table of relative positions for each pair of tokens, (side, side)."""
    # Made anew each time: a buffer that no checkpoint holds would stay empty in a network built on the meta device.
    place = torch.arange(side, device=device)
    return place[:, None] - place[None, :] + side - 1


class Mlp(nn.Module):
    """Wider, GELU, and back."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, channel)."""
        return self.lin2(F.gelu(self.lin1(x)))


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
        patch: int = 16,
        window: int = 14,
        block: Callable[[int, int, int, int], Block] = Block,
    ):
        super().__init__()
        side = image_size // patch
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, width))
        self.patch_embed = Patches(channels, width, patch)
        self.blocks = nn.ModuleList(block(width, heads, 0 if n in whole else window, side) for n in range(depth))
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

"""SAM 2's memory attention on a CPU, with the values left at the 64 dimensions in which memories are stored.

(softmax(QKᵀ)(M Wᵥᵀ + bᵥ)) Wₒᵀ + bₒ = softmax(QKᵀ) M (Wₒ Wᵥ)ᵀ + (Wₒ bᵥ + bₒ). This is exact: there is a single head,
and the rows of the softmax add up to 1.
"""

from __future__ import annotations

from typing import cast

import torch
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.position_encoding import apply_rotary_enc
from sam2.modeling.sam.transformer import RoPEAttention
from torch import nn

from StrokeSAMLib.nets.cpu.onednn_linear import PackedLinear, fused_linear, matrix_product

# Rows of the attention matrix at a time. With 7,000 keys they fit a core's cache.
_ROWS = 256


class FastMemoryAttention(nn.Module):
    """`MemoryAttention` of the sam2 package, for one object at a time."""

    def __init__(self, original: MemoryAttention, dtype: torch.dtype):
        super().__init__()
        self.layers = nn.ModuleList(_Layer(cast(MemoryAttentionLayer, layer), dtype) for layer in original.layers)
        self.norm = original.norm

    def forward(
        self,
        curr: list[torch.Tensor],
        memory: torch.Tensor,
        curr_pos: list[torch.Tensor],
        memory_pos: torch.Tensor,
        num_obj_ptr_tokens: int = 0,
    ) -> torch.Tensor:
        """Attend to the memory bank. The arguments are the original's.

        Args:
            curr, curr_pos: features and positions of the current slice, one tensor (token, 1, channel) each.
            memory, memory_pos: memory and positions, (token, 1, channel).
            num_obj_ptr_tokens: number of tokens at the end of `memory` that have no place in the image.
        """
        # The factor 0.1 is the original's.
        features = (curr[0] + 0.1 * curr_pos[0])[:, 0]
        keys, values = (memory + memory_pos)[:, 0], memory[:, 0].float()
        for layer in self.layers:
            features = layer(features, keys, values, len(keys) - num_obj_ptr_tokens)
        return self.norm(features)[:, None]


class _Layer(nn.Module):
    def __init__(self, original: MemoryAttentionLayer, dtype: torch.dtype):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = original.norm1, original.norm2, original.norm3
        self.self_attention = _Attention(cast(RoPEAttention, original.self_attn), dtype)
        self.cross_attention = _Attention(cast(RoPEAttention, original.cross_attn_image), dtype)
        self.wide = PackedLinear(original.linear1, "relu", dtype)
        self.narrow = PackedLinear(original.linear2, dtype=dtype)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, placed: int) -> torch.Tensor:
        """Tokens (n, channel), the same shape; the first `placed` keys have a place in the image."""
        y = self.norm1(x)
        x = x + self.self_attention(y, y, y, len(y))
        x = x + self.cross_attention(self.norm2(x), keys, values, placed)
        return x + self.narrow(self.wide(self.norm3(x)))


class _Attention(nn.Module):
    """Single-head rotary attention whose value and output projections are fused."""

    def __init__(self, original: RoPEAttention, dtype: torch.dtype):
        super().__init__()
        self._dtype = dtype
        self._rotations, self._make_rotations = original.freqs_cis, original.compute_cis
        self._scale = original.internal_dim**-0.5
        self.query = PackedLinear(original.q_proj, dtype=dtype)
        self.key = PackedLinear(original.k_proj, dtype=dtype)
        self.out = PackedLinear(fused_linear(original.v_proj, original.out_proj), dtype=dtype)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, placed: int) -> torch.Tensor:
        """Queries (n, channel), keys and values (m, c) → (n, channel)."""
        q, k = self.query(x).float() * self._scale, self.key(keys).float()
        q, rotated = self._rotated(q, k[:placed])
        k = torch.cat([rotated, k[placed:]]).to(self._dtype)
        q, v = q.to(self._dtype), values.to(self._dtype).t().contiguous()
        parts = [matrix_product(matrix_product(rows, k).softmax(-1), v) for rows in q.split(_ROWS)]
        return self.out(torch.cat(parts))

    def _rotated(self, q: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self._rotations) != len(q):
            side = len(q) ** 0.5
            self._rotations = self._make_rotations(end_x=side, end_y=side)
        q, k = apply_rotary_enc(q[None, None], k[None, None], self._rotations, repeat_freqs_k=len(k) != len(q))
        return q[0, 0], k[0, 0]

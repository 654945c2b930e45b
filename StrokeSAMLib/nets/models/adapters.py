"""The adapters that AISCT-SAM adds to a frozen ViT: LoRA on queries and values, a gated perceptron beside the block's
own, and a branch of convolutions across slices. Parameter names are those of its checkpoints.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.models.layers import from_windows, to_windows
from StrokeSAMLib.nets.models.sam_med2d import Adapter
from StrokeSAMLib.nets.models.vit import Attention, Block

_RANK, _HIDDEN, _DEPTH_WIDTH = 4, 64, 128


class Gate(nn.Module):
    """One number in 0…1 for each window or slice: the mean of a sigmoid over its tokens.

    The padding of a window is part of the mean, as it was in training.
    """

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor, window: int = 0) -> torch.Tensor:
        """(slice, row, column, channel) → (slice or window, 1, 1, 1).

        Args:
            window: side of the windows in tokens; 0 computes one gate for each slice.
        """
        gates = torch.sigmoid(self.linear(x))
        if window:
            padding = torch.sigmoid(self.linear(x.new_zeros(x.shape[-1])))
            gates, _ = to_windows(gates, window, padding)
        return gates.mean((1, 2), keepdim=True)


class GatedLora(nn.Module):
    """Low-rank changes (Hu et al. 2021, arXiv 2106.09685) of queries and values, not of keys, under one gate."""

    def __init__(self, qkv: nn.Linear):
        super().__init__()
        self.width = qkv.in_features
        self.qkv = qkv
        self.linear_a_q = nn.Linear(self.width, _RANK, bias=False)
        self.linear_b_q = nn.Linear(_RANK, self.width, bias=False)
        self.linear_a_v = nn.Linear(self.width, _RANK, bias=False)
        self.linear_b_v = nn.Linear(_RANK, self.width, bias=False)
        self.gate = Gate(self.width)

    def forward(self, x: torch.Tensor, window: int = 0) -> torch.Tensor:
        """(slice, row, column, channel) → (slice, row, column, 3 · channel); `window` as in `Gate.forward`."""
        y, gate = self.qkv(x), self.gate(x, window)
        if window:
            gate = _gate_of_tokens(gate, window, tuple(x.shape[1:3]))
        y[..., : self.width] += gate * self.linear_b_q(self.linear_a_q(x))
        y[..., -self.width :] += gate * self.linear_b_v(self.linear_a_v(x))
        return y


def _gate_of_tokens(gate: torch.Tensor, window: int, size: tuple[int, ...]) -> torch.Tensor:
    """The gate of each token's window: (window, 1, 1, 1) → (slice, row, column, 1)."""
    padded = (-(-size[0] // window) * window, -(-size[1] // window) * window)
    return from_windows(gate.expand(-1, window, window, -1).contiguous(), padded, size)


class TunedAttention(Attention):
    """Attention whose projection to queries, keys and values is a `GatedLora` with a gate for each window."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__(width, heads, side)
        self.qkv = GatedLora(cast(nn.Linear, self.qkv))

    def project_qkv(self, x: torch.Tensor, window: int) -> torch.Tensor:
        """See `Attention.project_qkv`."""
        return self.qkv(x, window)


class ParallelAdapter(nn.Module):
    """The block's perceptron, and a narrow, gated one beside it."""

    def __init__(self, mlp: nn.Module, width: int):
        super().__init__()
        self.mlp = mlp
        self.proj_down = nn.Linear(width, _HIDDEN)
        self.proj_up = nn.Linear(_HIDDEN, width)
        self.gate = Gate(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(slice, row, column, channel), the same shape."""
        return self.mlp(x) + self.gate(x) * self.proj_up(F.relu(self.proj_down(x)))


class DepthBranch(nn.Module):
    """A depth-wise convolution in few channels that mixes neighbouring slices. It has no residual of its own."""

    def __init__(self, width: int):
        super().__init__()
        self.layernorm = nn.LayerNorm(width)
        self.channel_down = nn.Conv3d(width, _DEPTH_WIDTH, 1)
        self.DWC = nn.Conv3d(_DEPTH_WIDTH, _DEPTH_WIDTH, 3, padding=1, groups=_DEPTH_WIDTH)
        self.PWC = nn.Conv3d(_DEPTH_WIDTH, _DEPTH_WIDTH, 1)
        self.channel_up = nn.Conv3d(_DEPTH_WIDTH, width, 1)

    def forward(self, x: torch.Tensor, slices: int) -> torch.Tensor:
        """(batch · slices, row, column, channel), the same shape."""
        narrow = F.relu(_pointwise_convolution(self.channel_down, self.layernorm(x)))
        volume = narrow.unflatten(0, (-1, slices)).permute(0, 4, 1, 2, 3)
        mixed = F.relu(self.PWC(self.DWC(volume)))
        return _pointwise_convolution(self.channel_up, mixed.permute(0, 2, 3, 4, 1)).flatten(0, 1)


def _pointwise_convolution(convolution: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A 1 × 1 × 1 convolution of (…, channel). It is several times faster than that of (channel, …)."""
    return F.linear(x, convolution.weight.flatten(1), convolution.bias)


class TunedBlock(Block):
    """An encoder block with gated LoRA, the parallel perceptron and the depth branch.

    With `adapted` it also has SAM-Med2D's adapter, applied to the output of attention. The adapter ends in a norm, and
    no residual bypasses that norm. SAM-Med2D has the adapter beside the perceptron, where this does no harm. The
    checkpoints depend on its place here.
    """

    def __init__(self, width: int, heads: int, window: int, side: int, adapted: bool):
        super().__init__(width, heads, window, side)
        self.attn = TunedAttention(width, heads, window or side)
        self.mlp = ParallelAdapter(self.mlp, width)
        self.Adapter = Adapter(width) if adapted else nn.Identity()
        self.depth_branch = DepthBranch(width)

    def attention_residual(self, x: torch.Tensor) -> torch.Tensor:
        """The output of attention, passed through the adapter, (slice, row, column, channel)."""
        return self.Adapter(super().attention_residual(x))

    def forward(self, x: torch.Tensor, slices: int = 1) -> torch.Tensor:
        """(batch · slices, row, column, channel), the same shape."""
        # The depth branch takes the block's input.
        return super().forward(x, slices) + self.depth_branch(x, slices)


plain_block = partial(TunedBlock, adapted=False)
adapted_block = partial(TunedBlock, adapted=True)

"""What AISCT-SAM adds to a frozen ViT: LoRA on queries and values, an adapter beside the perceptron, and a branch that
sees across slices. Names are those of its checkpoints.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.layers import from_windows, to_windows
from StrokeSAMLib.nets.sam_med2d import Adapter
from StrokeSAMLib.nets.vit import Attention, Block

_RANK, _HIDDEN, _DEPTH_WIDTH = 4, 64, 128


class Gate(nn.Module):
    """One number in 0…1 for each window or slice: the mean over its tokens, a window's padding among them.

    It was so in training.
    """

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor, window: int = 0) -> torch.Tensor:
        """(slice, row, column, channel) → (slice or window, 1, 1, 1)."""
        opened = torch.sigmoid(self.linear(x))
        if window:
            padding = torch.sigmoid(self.linear(x.new_zeros(x.shape[-1])))
            opened, _ = to_windows(opened, window, padding)
        return opened.mean((1, 2), keepdim=True)


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
        """(slice, row, column, channel) → three times the channels; one gate for each window, or slice."""
        y, gate = self.qkv(x), self.gate(x, window)
        if window:
            gate = _by_token(gate, window, tuple(x.shape[1:3]))
        y[..., : self.width] += gate * self.linear_b_q(self.linear_a_q(x))
        y[..., -self.width :] += gate * self.linear_b_v(self.linear_a_v(x))
        return y


def _by_token(gate: torch.Tensor, window: int, size: tuple[int, int]) -> torch.Tensor:
    """(window, 1, 1, 1) as (slice, row, column, 1)."""
    padded = (-(-size[0] // window) * window, -(-size[1] // window) * window)
    return from_windows(gate.expand(-1, window, window, -1).contiguous(), padded, size)


class TunedAttention(Attention):
    """Attention whose projection is a `GatedLora`, which looks at whole windows."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__(width, heads, side)
        self.qkv = GatedLora(self.qkv)

    def projected(self, x: torch.Tensor, window: int) -> torch.Tensor:
        """See `Attention.projected`."""
        return self.qkv(x, window)


class ParallelAdapter(nn.Module):
    """A perceptron with a narrow, gated one beside it."""

    def __init__(self, mlp: nn.Module, width: int):
        super().__init__()
        self.mlp = mlp
        self.proj_down = nn.Linear(width, _HIDDEN)
        self.proj_up = nn.Linear(_HIDDEN, width)
        self.gate = Gate(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(slice, row, column, channel)."""
        return self.mlp(x) + self.gate(x) * self.proj_up(F.relu(self.proj_down(x)))


class DepthBranch(nn.Module):
    """Neighbouring slices, mixed by a depth-wise convolution in few channels; without a residual of its own."""

    def __init__(self, width: int):
        super().__init__()
        self.layernorm = nn.LayerNorm(width)
        self.channel_down = nn.Conv3d(width, _DEPTH_WIDTH, 1)
        self.DWC = nn.Conv3d(_DEPTH_WIDTH, _DEPTH_WIDTH, 3, padding=1, groups=_DEPTH_WIDTH)
        self.PWC = nn.Conv3d(_DEPTH_WIDTH, _DEPTH_WIDTH, 1)
        self.channel_up = nn.Conv3d(_DEPTH_WIDTH, width, 1)

    def forward(self, x: torch.Tensor, slices: int) -> torch.Tensor:
        """(batch · slices, row, column, channel)."""
        narrow = F.relu(_pointwise(self.channel_down, self.layernorm(x)))
        volume = narrow.unflatten(0, (-1, slices)).permute(0, 4, 1, 2, 3)
        mixed = F.relu(self.PWC(self.DWC(volume)))
        return _pointwise(self.channel_up, mixed.permute(0, 2, 3, 4, 1)).flatten(0, 1)


def _pointwise(convolution: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A 1 × 1 × 1 convolution of (…, channel), several times faster than of (channel, …)."""
    return F.linear(x, convolution.weight.flatten(1), convolution.bias)


class TunedBlock(Block):
    """A block with all three; with `adapted` also SAM-Med2D's adapter, but upon what attention gives.

    The adapter ends in a norm that nothing bypasses: SAM-Med2D has it beside the perceptron, where that is harmless.
    Checkpoints depend on the place.
    """

    def __init__(self, width: int, heads: int, window: int, side: int, adapted: bool):
        super().__init__(width, heads, window, side)
        self.attn = TunedAttention(width, heads, window or side)
        self.mlp = ParallelAdapter(self.mlp, width)
        self.Adapter = Adapter(width) if adapted else nn.Identity()
        self.depth_branch = DepthBranch(width)

    def attended(self, x: torch.Tensor) -> torch.Tensor:
        """What attention adds, adapted."""
        return self.Adapter(super().attended(x))

    def forward(self, x: torch.Tensor, slices: int = 1) -> torch.Tensor:
        """(batch · slices, row, column, channel)."""
        # The branch sees what came into the block.
        return super().forward(x, slices) + self.depth_branch(x, slices)


plain_block = partial(TunedBlock, adapted=False)
adapted_block = partial(TunedBlock, adapted=True)

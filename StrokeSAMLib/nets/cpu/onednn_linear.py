"""Linear layers through oneDNN, with weights that are packed once.

PyTorch sends float32 linear layers to MKL. On some processors (AMD's) MKL reaches less than half of oneDNN's speed.
PyTorch also adds the bias and the activation in separate passes. The operators used here are those that PyTorch's own
compiler emits. Where they are not available, the ordinary operators give the same result.
"""

from __future__ import annotations

from functools import cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

_ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "gelu": F.gelu}


@cache
def can_pack(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this PyTorch has the operators, and this processor can run them in `dtype`."""
    unit = torch.eye(2, dtype=dtype)
    try:
        return bool(torch.equal(_apply(unit, _pack(unit, 2), None, "none"), unit))
    except (AttributeError, RuntimeError):
        return False


def _pack(weight: torch.Tensor, rows: int) -> torch.Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)


def _apply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")


class PackedLinear(nn.Module):
    """A linear layer followed by an activation, for inference on a CPU. The output is in `dtype` for any input.

    Args:
        linear: the layer; its weights are copied.
        activation: "none", "relu" or "gelu" (the exact one).
        dtype: torch.float32 or torch.bfloat16, the precision of the product.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none", dtype: torch.dtype = torch.float32):
        super().__init__()
        self._activation = activation
        self._dtype = dtype
        self._width = linear.out_features
        self._packed = can_pack(dtype)
        weight = linear.weight.detach().to(dtype)
        self._weight = _pack(weight, 1024) if self._packed else weight
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, in) → (…, out)."""
        flat = x.reshape(-1, x.shape[-1]).to(self._dtype)
        if self._packed:
            output = _apply(flat, self._weight, self._bias, self._activation)
        else:
            output = _ACTIVATIONS[self._activation](F.linear(flat, self._weight, self._bias))
        return output.view(*x.shape[:-1], self._width)


def matrix_product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x yᵀ of two matrices, through oneDNN."""
    # For strided matrices oneDNN only has its reference code, a thousand times slower.
    return _apply(x.contiguous(), y.contiguous(), None, "none")


def fused_linear(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """One linear layer in place of two with nothing between them; its weights are computed in float64."""
    fused = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        weight = second.weight.double()
        fused.weight.copy_(weight @ first.weight.double())
        fused.bias.copy_(weight @ first.bias.double() + second.bias.double())
    return fused


def linear_of_pointwise_convolution(convolution: nn.Conv2d) -> nn.Linear:
    """The linear layer over channels that is the same as a 1 × 1 convolution with a bias."""
    linear = nn.Linear(convolution.in_channels, convolution.out_channels)
    with torch.no_grad():
        linear.weight.copy_(convolution.weight[:, :, 0, 0])
        linear.bias.copy_(cast(torch.Tensor, convolution.bias))
    return linear

"""Linear layers through oneDNN, their weights packed once for it.

PyTorch sends float32 linear layers to MKL, which on some processors (AMD's) reaches less than half of what oneDNN
does; and it adds the bias and the activation in passes of their own. These are the operators that PyTorch's own
compiler emits; where they are not to be had, the ordinary ones do the same.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.trim import trim

_ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "gelu": F.gelu}


@cache
def can_pack() -> bool:
    """Whether this PyTorch, on this machine, has the operators."""
    try:
        weight = _pack(torch.eye(2), 2)
        return bool(torch.equal(_apply(torch.eye(2), weight, None, "none"), torch.eye(2)))
    except (AttributeError, RuntimeError):
        return False


def _pack(weight: torch.Tensor, rows: int) -> torch.Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)


def _apply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")


class PackedLinear(nn.Module):
    """`linear`, followed by an activation; for inference on a CPU. Output in `dtype`, whatever the input's.

    Args:
        linear: its weights are copied.
        activation: "none", "relu" or "gelu" (the exact one).
        dtype: torch.float32 or torch.bfloat16, of the product.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none", dtype: torch.dtype = torch.float32):
        super().__init__()
        self._activation = activation
        self._dtype = dtype
        self._width = linear.out_features
        self._packed = can_pack()
        weight = linear.weight.detach().to(dtype)
        self._weight = _pack(weight, 1024) if self._packed else weight
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, in) → (…, out)."""
        flat = x.reshape(-1, x.shape[-1]).to(self._dtype)
        if self._packed:
            found = _apply(flat, self._weight, self._bias, self._activation)
        else:
            found = _ACTIVATIONS[self._activation](F.linear(flat, self._weight, self._bias))
        return found.view(*x.shape[:-1], self._width)


def product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x yᵀ of two matrices, through oneDNN."""
    # Of strided matrices oneDNN has only its reference code, a thousand times slower.
    return _apply(x.contiguous(), y.contiguous(), None, "none")


def joined(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """One layer for two with nothing between them, computed in float64."""
    made = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        weight = second.weight.double()
        made.weight.copy_(weight @ first.weight.double())
        made.bias.copy_(weight @ first.bias.double() + second.bias.double())
    return made


def pointwise(convolution: nn.Conv2d) -> nn.Linear:
    """The linear layer, over channels, that a 1 × 1 convolution is."""
    made = nn.Linear(convolution.in_channels, convolution.out_channels)
    with torch.no_grad():
        made.weight.copy_(convolution.weight[:, :, 0, 0])
        made.bias.copy_(convolution.bias)
    return made


def pack_layers(module: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace every linear layer within `module`, and what has a method `packed`: for inference on a CPU.

    Args:
        dtype: of the products; `packed` is given it and returns what does the same, quicker or in less memory.
    """
    for name, child in module.named_children():
        if hasattr(child, "packed"):
            setattr(module, name, child.packed(dtype))
        elif type(child) is nn.Linear:
            setattr(module, name, PackedLinear(child, dtype=dtype))
        else:
            pack_layers(child, dtype)
            continue
        # The weights as they were; at the end there would be a second network of them.
        trim()

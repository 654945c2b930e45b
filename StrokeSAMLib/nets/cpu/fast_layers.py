"""Replacement of a model's layers by the faster layers of this package.

This module is the only place that does it. The models of `nets.models` do not know their faster versions, so a model
is the same on every device until it is prepared for a CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.nets.cpu.onednn_convolution import PackedSpatialBranch
from StrokeSAMLib.nets.cpu.onednn_linear import PackedLinear
from StrokeSAMLib.nets.cpu.self_prompt_fast import PiecewiseStage
from StrokeSAMLib.nets.models.sam_med2d import SpatialBranch
from StrokeSAMLib.nets.models.self_prompt import PooledStage
from StrokeSAMLib.nets.models.vit import Mlp

# The layer has the type that the replacement is listed under.
Replacement = Callable[[Any, torch.dtype], nn.Module]


def put_fast_layers(model: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace layers within `model` by faster or smaller ones with the same result. In place, for inference only.

    Args:
        model: on the CPU, with its weights. The new layers copy the weights and have no gradients.
        dtype: torch.float32 or torch.bfloat16, the precision of the matrix products.
    """
    _replace(model, dtype, replacements())


def replacements() -> dict[type[nn.Module], Replacement]:
    """The layer types that have a faster version, each with the function that makes it from a layer."""
    by_type: dict[type[nn.Module], Replacement] = {
        nn.Linear: lambda layer, dtype: PackedLinear(layer, dtype=dtype),
        Mlp: _packed_mlp,
        SpatialBranch: lambda layer, dtype: PackedSpatialBranch(layer[0], layer[2], dtype),
        # Always float32, as `SelfPrompt` computes it.
        PooledStage: lambda layer, dtype: PiecewiseStage(layer[0]),
    }
    # UNETR's decoder needs MONAI. No model has one unless its module is imported.
    unetr = sys.modules.get("StrokeSAMLib.nets.models.unetr")
    if unetr is not None:
        by_type[unetr.UnetrDecoder] = _sliced_decoder
    return by_type


def _replace(module: nn.Module, dtype: torch.dtype, by_type: dict[type[nn.Module], Replacement]) -> None:
    for name, child in module.named_children():
        replacement = by_type.get(type(child))
        if replacement is None:
            _replace(child, dtype, by_type)
            continue
        setattr(module, name, replacement(child, dtype))
        # Otherwise the memory of the replaced weights stays with the process, in the end as much as a second network.
        release_memory()


def _packed_mlp(mlp: Mlp, dtype: torch.dtype) -> nn.Module:
    return nn.Sequential(PackedLinear(mlp.lin1, "gelu", dtype), PackedLinear(mlp.lin2, dtype=dtype))


def _sliced_decoder(decoder: Any, dtype: torch.dtype) -> nn.Module:
    from StrokeSAMLib.nets.cpu.unetr_fast import SlicedDecoder

    return SlicedDecoder(decoder, dtype) if decoder.upsamples_within_slices else decoder

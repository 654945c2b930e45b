"""The forward passes of `compact_unet.CompactUNet` and `prompt_unet.PromptUNet` in NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from StrokeSAMLib.nets.plain.layers import Weights, convolve, linear, nearest, relu, residual_block

# The numbers of `compact_unet` and `prompt_unet`.
_WIDTHS = (16, 32, 64, 128)
_LEVELS = len(_WIDTHS)
_GROUPS = 8
_HALF = (2, 2, 2)
_PROMPT_INPUTS, _FINE_INPUTS, _HEAD = 12, 4, 8

Shapes = dict[str, tuple[int, ...]]


def compact_unet_shapes(id: str) -> Shapes:
    """The name and shape of each weight of `ncct-unet` or `dwi-unet`."""
    shapes = _block("down.0", {"ncct-unet": 3, "dwi-unet": 2}[id], _WIDTHS[0])
    for level, (fine, coarse) in enumerate(pairwise(_WIDTHS)):
        shapes |= _block(f"down.{level + 1}", fine, coarse) | _block(f"up.{level}", fine + coarse, fine)
    return shapes | _layer("head", 1, _WIDTHS[0], (1, 1, 1))


def prompt_unet_shapes() -> Shapes:
    """The name and shape of each weight of `prompt-unet`."""
    fine = _WIDTHS[0]
    shapes = _block("down.0", fine, fine)
    for level, (above, width) in enumerate(pairwise(_WIDTHS), 1):
        shapes |= _block(f"down.{level}.0", above, width) | _block(f"down.{level}.1", width, width)
        shapes |= _block(f"up.{level - 1}", above, above) | _layer(f"lift.{level - 1}", above, width, (1, 1, 1))
    shapes |= _layer("stem", fine, _PROMPT_INPUTS, (3, 3, 3)) | _layer("narrow", _HEAD, fine, (1, 1, 1))
    sharpen = _layer("sharpen", _HEAD, _HEAD + _FINE_INPUTS, (1, 3, 3))
    return shapes | sharpen | _layer("head", 1, _HEAD, (1, 1, 1))


def _block(name: str, channels: int, width: int) -> Shapes:
    norms = {f"{name}.{norm}.{kind}": (width,) for norm in ("first_norm", "second_norm") for kind in ("weight", "bias")}
    kernels = {f"{name}.first.weight": (width, channels, 3, 3, 3), f"{name}.second.weight": (width, width, 3, 3, 3)}
    return norms | kernels | _layer(f"{name}.shortcut", width, channels, (1, 1, 1))


def _layer(name: str, width: int, channels: int, kernel: tuple[int, int, int]) -> Shapes:
    return {f"{name}.weight": (width, channels, *kernel), f"{name}.bias": (width,)}


def compact_unet(weights: Weights, x: np.ndarray) -> np.ndarray:
    """The logit of the lesion networks.

    Args:
        weights: of `ncct-unet` or `dwi-unet`, float32, see `safetensors_file.read_weights`.
        x: network inputs, float32 (channel, k, j, i), sides that are multiples of 8.

    Returns:
        Float32 (k, j, i).
    """
    levels = []
    for level in range(_LEVELS):
        x = residual_block(x, weights, f"down.{level}", _GROUPS, _HALF if level else (1, 1, 1))
        levels.append(x)
    for level in reversed(range(_LEVELS - 1)):
        fine = levels[level]
        x = residual_block(np.concatenate([fine, nearest(x, fine.shape[1:])]), weights, f"up.{level}", _GROUPS)
    return convolve(x, weights["head.weight"], weights["head.bias"])[0]


def prompt_unet(weights: Weights, x: np.ndarray) -> np.ndarray:
    """The logit of `prompt-unet`.

    Args:
        weights: of `prompt-unet`, float32.
        x: maps of `interactive.prompt_maps.input_maps`, k a multiple of 8, j and i of 16.

    Returns:
        Float32 (k, j, i).
    """
    inputs, levels = x, []
    x = relu(convolve(x, weights["stem.weight"], weights["stem.bias"], (1, 2, 2)))
    for level in range(_LEVELS):
        if level:
            x = residual_block(x, weights, f"down.{level}.0", _GROUPS, _HALF)
        x = residual_block(x, weights, f"down.{level}.1" if level else "down.0", _GROUPS)
        levels.append(x)
    for level in reversed(range(_LEVELS - 1)):
        fine = levels[level]
        x = convolve(x, weights[f"lift.{level}.weight"], weights[f"lift.{level}.bias"])
        x = residual_block(fine + nearest(x, fine.shape[1:]), weights, f"up.{level}", _GROUPS)
    x = linear(convolve(x, weights["narrow.weight"], weights["narrow.bias"]), inputs.shape[1:])
    x = np.concatenate([x, inputs[:_FINE_INPUTS]])
    x = relu(convolve(x, weights["sharpen.weight"], weights["sharpen.bias"]))
    return convolve(x, weights["head.weight"], weights["head.bias"])[0]

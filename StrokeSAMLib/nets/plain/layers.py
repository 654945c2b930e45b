"""Layers of 3-D networks in NumPy. Arrays are float32 (channel, k, j, i); results equal PyTorch's to rounding."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

Weights = Mapping[str, np.ndarray]
Three = tuple[int, int, int]
_EPSILON = 1e-5
# Columns of a matrix product at a time, bytes: what a core's second cache holds.
_BLOCK = 1_500_000


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, stride: Three = (1, 1, 1)) -> np.ndarray:
    """A 3-D convolution with zeros around, half a kernel wide.

    The neighbours of each place within a slice become a column. One matrix product gives what the slice adds to each of
    the slices beside it, so a slice's columns are made once and not for every offset between slices.

    Args:
        x: (channel, k, j, i).
        weight: (width, channel, k, j, i), odd sides.
        bias: (width,), or None.
        stride: along (k, j, i).

    Returns:
        (width, k, j, i), each side divided by the stride and rounded up.
    """
    width, _, *kernel = weight.shape
    size = [-(-n // step) for n, step in zip(x.shape[1:], stride, strict=True)]
    out = np.zeros((width, size[0], size[1] * size[2]), np.float32)
    if bias is not None:
        out += bias[:, None, None]
    x = np.pad(x, [(0, 0), *((side // 2, side // 2) for side in kernel)])
    # The products of all offsets between slices, one below the other: (offset × width, channel × neighbour).
    matrix = np.moveaxis(weight, 2, 0).reshape(kernel[0] * width, -1)
    count = max(1, _BLOCK // (4 * matrix.shape[1] * out.shape[2]))
    for first in range(0, x.shape[1], count):
        columns = _columns(x[:, first : first + count], kernel[1:], stride[1:], size[1:])
        products = (matrix @ columns).reshape(kernel[0], width, -1, out.shape[2])
        for offset, part in enumerate(products):
            source = np.arange(first, first + part.shape[1]) - offset
            used = (source % stride[0] == 0) & (source >= 0) & (source < size[0] * stride[0])
            target = source[used] // stride[0]
            if target.size:
                out[:, target[0] : target[-1] + 1] += part[:, used]
    return out.reshape(width, *size)


def _columns(slices: np.ndarray, kernel: list[int], stride: tuple[int, ...], size: list[int]) -> np.ndarray:
    """The neighbours of the places in some slices: (channel × neighbour, slice × place)."""
    columns = np.empty((slices.shape[0], *kernel, slices.shape[1], *size), np.float32)
    for row, column in product(*map(range, kernel)):
        rows, across = (
            slice(start, start + step * (n - 1) + 1, step)
            for start, step, n in zip((row, column), stride, size, strict=True)
        )
        columns[:, row, column] = slices[:, :, rows, across]
    return columns.reshape(slices.shape[0] * kernel[0] * kernel[1], -1)


def group_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int) -> np.ndarray:
    """Group norm (Wu and He 2018, ECCV), in place."""
    flat = x.reshape(groups, -1)
    mean = flat.mean(1, keepdims=True)
    flat -= mean
    # Products by BLAS sum in blocks. Summed one by one in single precision, a million squares lose four digits.
    squares = np.array([row @ row for row in flat], np.float32)
    flat *= 1 / np.sqrt(squares[:, None] / flat.shape[1] + _EPSILON)
    x *= weight[:, None, None, None]
    x += bias[:, None, None, None]
    return x


def relu(x: np.ndarray) -> np.ndarray:
    """Negative values become 0, in place."""
    return np.maximum(x, 0, out=x)


def nearest(x: np.ndarray, size: Three) -> np.ndarray:
    """Each place of a larger grid takes the value of the place that it lies in."""
    index = [np.arange(n) * old // n for n, old in zip(size, x.shape[1:], strict=True)]
    return x[:, index[0][:, None, None], index[1][:, None], index[2]]


def linear(x: np.ndarray, size: Three) -> np.ndarray:
    """Trilinear interpolation to a larger grid of the same extent; beyond the outer voxels' centres, their values."""
    for axis, n in enumerate(size, 1):
        old = x.shape[axis]
        if n == old:
            continue
        at = ((np.arange(n) + 0.5) * old / n - 0.5).clip(0, old - 1)
        matrix = np.clip(1 - np.abs(at[:, None] - np.arange(old)), 0, None).astype(np.float32)
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return np.ascontiguousarray(x)


def residual_block(x: np.ndarray, weights: Weights, name: str, groups: int, step: Three = (1, 1, 1)) -> np.ndarray:
    """The block of `nets.models.compact_unet.ResidualBlock`, whose weights begin with `name`."""
    inner = convolve(x, weights[f"{name}.first.weight"], None, step)
    relu(group_norm(inner, weights[f"{name}.first_norm.weight"], weights[f"{name}.first_norm.bias"], groups))
    inner = convolve(inner, weights[f"{name}.second.weight"], None)
    group_norm(inner, weights[f"{name}.second_norm.weight"], weights[f"{name}.second_norm.bias"], groups)
    inner += convolve(x, weights[f"{name}.shortcut.weight"], weights[f"{name}.shortcut.bias"], step)
    return relu(inner)

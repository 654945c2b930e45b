"""Resizing of a 2-D array by area, with the results of OpenCV's INTER_AREA."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def area_resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a slice by area.

    A side that shrinks is averaged over the old pixels that each new pixel covers. A side that grows is interpolated
    linearly.

    Args:
        array: (row, column), any numeric dtype.
        size: (rows, columns) of the result.

    Returns:
        Float64 (row, column).
    """
    rows, columns = (_weights(old, new) for old, new in zip(array.shape, size, strict=True))
    return rows @ array.astype(np.float64) @ columns.T


@lru_cache(maxsize=16)
def _weights(old: int, new: int) -> np.ndarray:
    """The weight of each old pixel in each new pixel, (new, old)."""
    scale = old / new
    if scale < 1:
        return _growing_weights(old, new)
    first = np.arange(new)[:, None] * scale
    covered = np.minimum(first + scale, np.arange(old) + 1.0) - np.maximum(first, np.arange(old))
    return np.clip(covered, 0, None) / scale


def _growing_weights(old: int, new: int) -> np.ndarray:
    # OpenCV's INTER_AREA copies a pixel until the new pixel reaches into the next old one.
    scale = old / new
    left = np.floor(np.arange(new) * scale).astype(int)
    part = (np.arange(new) + 1) - (left + 1) / scale
    part = np.where(part <= 0, 0.0, part - np.floor(part))
    weights = np.zeros((new, old))
    weights[np.arange(new), np.minimum(left, old - 1)] = 1 - part
    weights[np.arange(new), np.minimum(left + 1, old - 1)] += part
    return weights

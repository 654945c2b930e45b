"""Resizing by area: each pixel the mean of what it covers, as OpenCV's INTER_AREA where it shrinks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def area_resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`array`, (row, column), as Float64 of `size`; where a side grows, it is interpolated linearly."""
    rows, columns = (_weights(old, new) for old, new in zip(array.shape, size, strict=True))
    return rows @ array.astype(np.float64) @ columns.T


@lru_cache(maxsize=16)
def _weights(old: int, new: int) -> np.ndarray:
    """The part of each old pixel in each new one, (new, old)."""
    scale = old / new
    if scale < 1:
        return _linear(old, new)
    first = np.arange(new)[:, None] * scale
    covered = np.minimum(first + scale, np.arange(old) + 1.0) - np.maximum(first, np.arange(old))
    return np.clip(covered, 0, None) / scale


def _linear(old: int, new: int) -> np.ndarray:
    # OpenCV's INTER_AREA, growing: a pixel is copied until the next one begins to be covered.
    scale = old / new
    left = np.floor(np.arange(new) * scale).astype(int)
    part = (np.arange(new) + 1) - (left + 1) / scale
    part = np.where(part <= 0, 0.0, part - np.floor(part))
    made = np.zeros((new, old))
    made[np.arange(new), np.minimum(left, old - 1)] = 1 - part
    made[np.arange(new), np.minimum(left + 1, old - 1)] += part
    return made

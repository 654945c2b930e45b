"""The outline of a mask, along the edges of its pixels: what is drawn is what is written."""

from __future__ import annotations

import numpy as np


def outline(mask: np.ndarray) -> np.ndarray:
    """The edges between pixels in and out of `mask`, bool (row, column).

    Returns:
        Float32 (n, 2, 2): (column, row) of either end; a pixel's centre is a whole number.
    """
    padded = np.pad(mask, 1)
    row, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    across = _edges(row, column, (1, 0))
    row, column = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    return np.concatenate([across, _edges(row, column, (0, 1))])


def _edges(row: np.ndarray, column: np.ndarray, along: tuple[int, int]) -> np.ndarray:
    """From the corner between the pixel and its neighbours before it, one pixel `along` (column, row)."""
    start = np.stack([column, row], axis=-1).astype(np.float32) - 0.5
    return np.stack([start, start + np.float32(along)], axis=1)

"""The outline of a mask along the edges of its pixels, so that a view shows exactly the mask that is written."""

from __future__ import annotations

import numpy as np


def outline(mask: np.ndarray) -> np.ndarray:
    """The edges between pixels inside and outside `mask`, bool (row, column).

    Returns:
        Float32 (n, 2, 2): (column, row) of both ends of each edge; pixel centres have whole numbers.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 2, 2), np.float32)
    corner = np.array([columns[0], rows[0]], np.float32)
    padded = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    row, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    horizontal = _edges(row, column, (1, 0))
    row, column = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    return np.concatenate([horizontal, _edges(row, column, (0, 1))]) + corner


def _edges(row: np.ndarray, column: np.ndarray, along: tuple[int, int]) -> np.ndarray:
    """Edges of one pixel `along` (column, row), from the low corner of each pixel."""
    start = np.stack([column, row], axis=-1).astype(np.float32) - 0.5
    return np.stack([start, start + np.asarray(along, np.float32)], axis=1)

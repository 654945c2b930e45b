"""The box that prompts the next slice in box propagation, made from the mask on the slice before."""

from __future__ import annotations

import numpy as np
from PIL import Image

# (column, row, column, row) of pixel centres, low before high.
SliceBox = tuple[float, float, float, float]


def box_on_square(mask: np.ndarray, size: int, shift: float) -> SliceBox:
    """The bounding box of a mask on the network's square input, enlarged there and mapped back to the slice.

    As in MedSAM2's scripts, the mask is first resized to the input, by nearest neighbour.

    Args:
        mask: bool (row, column), not empty.
        size: side of the network's input, pixels.
        shift: enlargement on each side, pixels of the network's input.

    Returns:
        The box in the pixels of the slice.
    """
    rows, columns = mask.shape
    square = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST))
    y, x = np.nonzero(square) if square.any() else _scaled(mask, size)
    low_x, low_y, high_x, high_y = x.min() - shift, y.min() - shift, x.max() + shift, y.max() + shift
    column_step, row_step = columns / size, rows / size
    return (
        max(low_x, 0.0) * column_step,
        max(low_y, 0.0) * row_step,
        min(high_x, float(size)) * column_step,
        min(high_y, float(size)) * row_step,
    )


def _scaled(mask: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) on the square of the mask's pixels, for a mask too small for nearest neighbour to hit."""
    y, x = np.nonzero(mask)
    return y * size // mask.shape[0], x * size // mask.shape[1]

"""The box with which box propagation asks the next slice, from the mask on this."""

from __future__ import annotations

import numpy as np
from PIL import Image

SliceBox = tuple[float, float, float, float]


def box_on_square(mask: np.ndarray, size: int, shift: float) -> SliceBox:
    """The mask's box on an image of `size` × `size`, enlarged by `shift` there, back in the slice's own pixels.

    As in MedSAM2's scripts, where the mask is resized to the network's input first, by nearest neighbour.

    Args:
        mask: bool (row, column), not empty.
    """
    rows, columns = mask.shape
    square = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST))
    y, x = np.nonzero(square) if square.any() else _scaled(mask, size)
    low_x, low_y, high_x, high_y = x.min() - shift, y.min() - shift, x.max() + shift, y.max() + shift
    across, down = columns / size, rows / size
    return (
        max(low_x, 0.0) * across,
        max(low_y, 0.0) * down,
        min(high_x, float(size)) * across,
        min(high_y, float(size)) * down,
    )


def _scaled(mask: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the mask would be on the square, of a mask too small to be hit there."""
    y, x = np.nonzero(mask)
    return y * size // mask.shape[0], x * size // mask.shape[1]

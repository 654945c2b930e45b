"""The overlap of two masks."""

from __future__ import annotations

import numpy as np


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """The Dice coefficient 2|A∩B| / (|A|+|B|) of two bool arrays of one shape; 1.0 where both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0

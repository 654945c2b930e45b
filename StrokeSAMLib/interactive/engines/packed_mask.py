"""Masks in an eighth of their bytes, as an answer keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask of `shape` (row, column), a bit a pixel."""

    shape: tuple[int, int]
    bits: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> PackedMask:
        """Bool (row, column), packed."""
        return cls(mask.shape, np.packbits(mask))

    def unpacked(self) -> np.ndarray:
        """Bool (row, column)."""
        bits = np.unpackbits(self.bits, count=self.shape[0] * self.shape[1])
        return bits.reshape(self.shape).view(bool)

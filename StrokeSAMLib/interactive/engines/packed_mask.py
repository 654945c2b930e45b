"""Masks packed to one bit a pixel: an eighth of the bytes of a bool array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask of `shape` (row, column), one bit a pixel in `bits`."""

    shape: tuple[int, int]
    bits: np.ndarray

    @classmethod
    def pack(cls, mask: np.ndarray) -> PackedMask:
        """Pack a bool mask (row, column)."""
        return cls(mask.shape, np.packbits(mask))

    def unpack(self) -> np.ndarray:
        """The mask, bool (row, column)."""
        bits = np.unpackbits(self.bits, count=self.shape[0] * self.shape[1])
        return bits.reshape(self.shape).view(bool)

"""The region of a stack around the prompts, on the walker's grid.

Indices are continuous (slice, row, column) of the stack; voxel centres have whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.ndimage as ndi

# The most voxels of the grid. The finest axes are coarsened first, so that thick slices stay as they are.
_MOST_VOXELS = 1 << 16
# Smoothing of the grid, its finest steps.
_SMOOTHING = 0.6


@dataclass(frozen=True, eq=False)
class WalkerRegion:
    """A region of a stack, whose voxels are averaged in blocks.

    Attributes:
        corner, end: (3,), the first voxel and the one after the last.
        block: (3,), voxels of the stack in a voxel of the grid.
        spacing: (slice, row, column) of the stack, mm.
        grey: smoothed intensities on the grid, Float32.
    """

    corner: np.ndarray
    end: np.ndarray
    block: np.ndarray
    spacing: np.ndarray
    grey: np.ndarray

    @classmethod
    def around(
        cls,
        pixels: np.ndarray,
        spacing: Sequence[float],
        low: np.ndarray,
        high: np.ndarray,
        known: WalkerRegion | None = None,
    ) -> WalkerRegion:
        """The region from `low` to `high` (3,), as far as it lies in the stack.

        Args:
            pixels: UInt8 (slice, row, column).
            spacing: (slice, row, column), mm.
            low, high: corners.
            known: a region of this stack, which is returned if it is the same.
        """
        corner = np.clip(np.floor(low + 0.5).astype(int), 0, np.array(pixels.shape) - 1)
        end = np.clip(np.floor(high + 0.5).astype(int) + 1, corner + 1, pixels.shape)
        if known is not None and np.array_equal(known.corner, corner) and np.array_equal(known.end, end):
            return known
        steps = np.asarray(spacing, float)
        block = np.ones(3, int)
        while np.prod(np.ceil((end - corner) / block)) > _MOST_VOXELS:
            divisible = block < end - corner
            block[np.argmin(np.where(divisible, steps * block, np.inf))] += 1
        grey = _block_means(pixels[tuple(map(slice, corner, end))], block)
        step = steps * block
        grey = ndi.gaussian_filter(grey, _SMOOTHING * step.min() / step, mode="nearest")
        return cls(corner, end, block, steps, grey)

    @property
    def step_mm(self) -> np.ndarray:
        """(3,), spacing of the grid."""
        return self.spacing * self.block

    @cached_property
    def axes(self) -> list[np.ndarray]:
        """The indices of the grid's voxel centres along each axis."""
        return [
            start + (np.arange(count) + 0.5) * block - 0.5
            for start, count, block in zip(self.corner, self.grey.shape, self.block, strict=True)
        ]

    def within(self, voxels: np.ndarray) -> np.ndarray:
        """Those of the stack's `voxels` (n, 3) that lie in this region."""
        return voxels[((voxels >= self.corner) & (voxels < self.end)).all(axis=1)]

    def voxels(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """The grid's voxels at `indices` (n, 3) of this region, as an index into arrays on the grid."""
        nearest = np.floor((np.atleast_2d(indices) + 0.5 - self.corner) / self.block).astype(int)
        return tuple(np.clip(nearest, 0, np.array(self.grey.shape) - 1).T)

    def distance_mm(self, indices: np.ndarray) -> np.ndarray:
        """The distance of each voxel of the grid from the nearest of `indices` (n, 3), Float32."""
        indices = np.atleast_2d(indices)
        # One index in each voxel of the grid is enough, and a long scribble has many.
        _, first = np.unique(np.stack(self.voxels(indices)), axis=1, return_index=True)
        nearest = np.full(self.grey.shape, np.inf, np.float32)
        for index in indices[first]:
            squares = [((axis - n) * step) ** 2 for axis, n, step in zip(self.axes, index, self.spacing, strict=True)]
            z, y, x = (square.astype(np.float32) for square in squares)
            np.minimum(nearest, z[:, None, None] + y[:, None] + x, out=nearest)
        return np.sqrt(nearest)

    def on_grid(self, slices: Mapping[int, np.ndarray]) -> np.ndarray:
        """The part of each voxel of the grid that lies in a mask, Float32.

        Args:
            slices: bool (row, column) by slice; other slices are empty.
        """
        return _block_means(self.cut(slices), self.block)

    def cut(self, slices: Mapping[int, np.ndarray]) -> np.ndarray:
        """A mask's part in this region, on the stack's voxels, bool."""
        rows, columns = (slice(a, b) for a, b in zip(self.corner[1:], self.end[1:], strict=True))
        cut = np.zeros(self.end - self.corner, bool)
        for k, mask in slices.items():
            if self.corner[0] <= k < self.end[0]:
                cut[k - self.corner[0]] = mask[rows, columns]
        return cut

    def on_stack(self, values: np.ndarray) -> np.ndarray:
        """Values on the grid, interpolated to the stack's voxels in this region, Float32."""
        for axis in range(3):
            values = _interpolated(values, axis, int(self.end[axis] - self.corner[axis]), int(self.block[axis]))
        return values


def _block_means(array: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The mean of each block, Float32; the last values are repeated to fill the last blocks."""
    missing = [(0, int(-size % side)) for size, side in zip(array.shape, block, strict=True)]
    if any(after for _, after in missing):
        array = np.pad(array, missing, mode="edge")
    shape = [n for size, side in zip(array.shape, block, strict=True) for n in (size // side, side)]
    return array.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)


def _interpolated(values: np.ndarray, axis: int, count: int, block: int) -> np.ndarray:
    """Linear interpolation along `axis` from block centres to `count` voxels, the nearest value at the ends."""
    if block == 1:
        return values
    place = np.clip((np.arange(count) + 0.5) / block - 0.5, 0, values.shape[axis] - 1)
    low = np.minimum(place.astype(int), max(values.shape[axis] - 2, 0))
    weights = np.zeros((count, values.shape[axis]), np.float32)
    weights[np.arange(count), low] = 1 - (place - low)
    weights[np.arange(count), np.minimum(low + 1, values.shape[axis] - 1)] += place - low
    return np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)

"""The cube of a scan that `prompt-unet` sees: its place and size follow the prompts, its slices are the scan's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.interactive.prompt_maps import CUBE

# The part of the cube's side that the prompts fill, and the least side, as in training.
_FILLED = 0.5
_LEAST_SIDE_MM = 24.0
# The height of the cube, widths of the prompts; slices are merged in groups where the cube would be lower.
_HEIGHT = 1.3
# Slices beyond the prompts on each side.
_MARGIN = 2


@dataclass(frozen=True)
class PromptCube:
    """A cube within a volume.

    Attributes:
        first: first slice of the volume in the cube; may be negative.
        merged: number of the volume's slices in a slice of the cube.
        corner: (row, column) of the centre of the cube's first pixel, pixels of the volume.
        step: (row, column) distance of the cube's pixels, pixels of the volume.
        ratio: distance of the cube's slices, pixels of the cube.
    """

    first: int
    merged: int
    corner: tuple[float, float]
    step: tuple[float, float]
    ratio: float

    @classmethod
    def around(
        cls,
        low: Sequence[float] | np.ndarray,
        high: Sequence[float] | np.ndarray,
        count: int,
        spacing: Sequence[float],
        side_mm: float = 0.0,
    ) -> PromptCube:
        """The cube around an extent.

        Args:
            low, high: corners (k, j, i) of the extent of all prompts that show the object, voxels.
            count: number of slices of the volume.
            spacing: of the volume (k, j, i), mm.
            side_mm: least side of the cube in the plane.
        """
        start, end, steps = (np.asarray(each, float) for each in (low, high, spacing))
        width = float(((end - start + 1) * steps)[1:].max())
        pixel_mm = max(width / _FILLED, _LEAST_SIDE_MM, side_mm) / CUBE[1]
        needed = max(_HEIGHT * width / steps[0], end[0] - start[0] + 1 + 2 * _MARGIN)
        merged = int(np.ceil(min(needed, count) / CUBE[0] - 0.01))
        middle = (start + end) / 2
        # A cube that reaches beyond one end of the volume moves to hold more of the other.
        covered = merged * CUBE[0]
        first = round(middle[0] - (merged - 1) / 2) - CUBE[0] // 2 * merged
        first = min(max(first, min(0, count - covered)), max(0, count - covered))
        step = pixel_mm / steps[1:]
        corner = middle[1:] - (CUBE[1] - 1) / 2 * step
        return cls(
            first,
            merged,
            (float(corner[0]), float(corner[1])),
            (float(step[0]), float(step[1])),
            float(merged * steps[0] / pixel_mm),
        )

    def voxel(self, position: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
        """A position (k, j, i) of the volume in the cube's voxels."""
        k, j, i = position
        slices = (k - self.first - (self.merged - 1) / 2) / self.merged
        return slices, (j - self.corner[0]) / self.step[0], (i - self.corner[1]) / self.step[1]

    def voxels(self, places: np.ndarray) -> np.ndarray:
        """Places (n, 3) of the cube in the volume's voxels."""
        start, step = self._line()
        return np.asarray(start) + np.asarray(places, float) * step

    def onto(self, other: PromptCube, values: np.ndarray) -> np.ndarray:
        """Values of this cube, float32 (k, j, i), interpolated to another cube of the same volume; 0 outside this."""
        lines = zip(CUBE, *self._line(), *other._line(), strict=True)
        matrices = [
            _interpolation((other_start + other_step * np.arange(count) - start) / step, count)
            for count, start, step, other_start, other_step in lines
        ]
        return _along_axes(values, matrices)

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """The volume on the cube's grid: means where the cube is coarser, interpolated where it is finer.

        Args:
            volume: (k, j, i), any type.

        Returns:
            Float32 (k, j, i); 0 outside the volume.
        """
        matrices = self._weights(volume.shape)
        region = tuple(slice(*_extent(matrix)) for matrix in matrices)
        used = [matrix[:, part] for matrix, part in zip(matrices, region, strict=True)]
        return _along_axes(np.asarray(volume[region], np.float32), used)

    def valid(self, shape: tuple[int, int, int]) -> np.ndarray:
        """The part of the cube that lies in a volume of this shape, bool (k, j, i)."""
        k, j, i = (np.asarray(matrix.any(1)) for matrix in self._weights(shape))
        return k[:, None, None] & j[:, None] & i

    def region(self, inside: np.ndarray, shape: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        """The voxels of a volume of this shape around those of the cube that are `inside`, bool (k, j, i)."""
        places = np.argwhere(inside)
        low, high = (places.min(0) - 1, places.max(0) + 1) if len(places) else (np.zeros(3), np.zeros(3) - 1)
        start, end = self.voxels(np.stack([low, high]))
        k, j, i = (
            slice(int(np.clip(np.ceil(a), 0, n)), int(np.clip(np.floor(b) + 1, 0, n)))
            for a, b, n in zip(start, end, shape, strict=True)
        )
        return k, j, i

    def spread(self, values: np.ndarray, region: tuple[slice, slice, slice]) -> np.ndarray:
        """Values of the cube, float32 (k, j, i), interpolated to a region of the volume; its border's go on beyond."""
        matrices = []
        for part, count, start, step in zip(region, CUBE, *self._line(), strict=True):
            at = ((np.arange(part.start, part.stop) - start) / step).clip(0, count - 1)
            matrices.append(_interpolation(at, count))
        return _along_axes(values, matrices)

    def _line(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """The voxel of the volume at the cube's first voxel, and the step to the next, along (k, j, i)."""
        return (self.first + (self.merged - 1) / 2, *self.corner), (float(self.merged), *self.step)

    def _weights(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """The weights of the volume in each voxel of the cube, along (k, j, i); rows sum to 1, or to 0 outside."""
        result = []
        for axis, (count, start, step) in enumerate(zip(shape, *self._line(), strict=True)):
            centres = start + step * np.arange(CUBE[axis])
            distance = np.abs(np.arange(count) - centres[:, None])
            if axis == 0:
                weights = (distance < self.merged / 2).astype(np.float32)
            else:
                weights = np.clip(1 - distance / max(step, 1.0), 0, None).astype(np.float32)
                weights[(centres < -0.5) | (centres > count - 0.5)] = 0
            result.append(weights / np.maximum(weights.sum(1, keepdims=True), 1e-6))
        return result


def _extent(matrix: np.ndarray) -> tuple[int, int]:
    """The first and the last column with a weight, the last one not included."""
    used = np.flatnonzero(matrix.any(0))
    return (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)


def _interpolation(at: np.ndarray, count: int) -> np.ndarray:
    """The matrix (place, count) of linear interpolation at places between `count` voxels; 0 beyond them."""
    return np.clip(1 - np.abs(at[:, None] - np.arange(count)), 0, None).astype(np.float32)


def _along_axes(values: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The product of values (k, j, i) with a matrix (new, old) along each axis; the finest axis first."""
    slices, rows, columns = matrices
    return np.tensordot(slices, rows @ (values @ columns.T), 1)

"""Sliding-window prediction with nnU-Net's window positions and Gaussian weights.

The published AISCT-SAM predicts in this way. MONAI's sliding window has a Gaussian as well, but it moves its windows by
a fixed step and shifts the last one back to the edge. nnU-Net spreads them evenly from edge to edge, so the same scan
would be cut at other places. nnU-Net is described by Isensee et al. 2021, Nat Methods 18:203.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.core.monitor import Monitor

Shape = tuple[int, int, int]
Predict = Callable[[np.ndarray], np.ndarray]
# nnU-Net's standard deviation of the Gaussian, as a part of the sides of the window.
_SIGMA = 1 / 8


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """The first voxels of the windows along an axis, spread evenly from edge to edge.

    Args:
        length: of the axis, voxels; at least `window`.
        window: side of the window, voxels.
        overlap: least overlap of neighbouring windows, as a part of their side.
    """
    count = int(np.ceil((length - window) / ((1 - overlap) * window))) + 1
    return [round(n * (length - window) / max(count - 1, 1)) for n in range(count)]


def importance_map(window: Shape) -> np.ndarray:
    """The weight of each voxel of a window, Float32 (z, y, x): a Gaussian, 1 in the middle and nowhere 0."""
    peak = np.zeros(window, np.float32)
    peak[tuple(n // 2 for n in window)] = 1
    weight = ndi.gaussian_filter(peak, [n * _SIGMA for n in window], mode="constant")
    weight /= weight.max()
    return np.maximum(weight, weight[weight > 0].min())


def window_positions(inside: np.ndarray, window: Shape, overlap: float) -> list[tuple[slice, ...]]:
    """The windows (slices along z, y, x) that hold at least one voxel of a mask.

    Args:
        inside: bool (z, y, x), in no axis shorter than the window.
        window: sides of a window (z, y, x), voxels.
        overlap: see `window_starts`.
    """
    starts = [window_starts(n, size, overlap) for n, size in zip(inside.shape, window, strict=True)]
    positions = (tuple(map(slice, start, np.add(start, window).tolist())) for start in itertools.product(*starts))
    return [position for position in positions if inside[position].any()]


def count_windows(inside: np.ndarray, window: Shape, overlap: float) -> int:
    """The number of windows that `sliding_window_predict` predicts, for the same arguments."""
    return len(window_positions(np.pad(inside, _margins(inside.shape, window)), window, overlap))


def sliding_window_predict(
    inputs: np.ndarray,
    inside: np.ndarray,
    predict: Predict,
    window: Shape,
    overlap: float,
    batch: int,
    monitor: Monitor,
) -> np.ndarray:
    """Predict a volume window by window, and average the windows with the weights of `importance_map`.

    Args:
        inputs: network inputs, float32 (channel, z, y, x). A volume smaller than the window is padded with zeros.
        inside: bool (z, y, x). Windows without a voxel of it are left out.
        predict: windows (n, channel, *window) → predictions (n, *window), float32.
        window: sides of a window (z, y, x), voxels.
        overlap: least overlap of neighbouring windows, as a part of their side.
        batch: number of windows that are predicted at once.
        monitor: progress by batches. Cancellation is checked between them.

    Returns:
        Float32 (z, y, x); 0 where there was no window.

    Raises:
        Cancelled: the user cancelled the work.
    """
    margins = _margins(inside.shape, window)
    inputs, inside = np.pad(inputs, [(0, 0), *margins]), np.pad(inside, margins)
    total, weights = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    weight, positions = importance_map(window), window_positions(inside, window, overlap)
    for first, group in _batches(positions, batch):
        monitor.step(first / len(positions), f"window {first + 1} of {len(positions)}")
        predictions = predict(np.stack([inputs[(slice(None), *position)] for position in group]))
        for position, prediction in zip(group, predictions, strict=True):
            total[position] += weight * prediction
            weights[position] += weight
    mean = np.divide(total, weights, out=total, where=weights > 0)
    return mean[tuple(slice(before, n - after) for (before, after), n in zip(margins, mean.shape, strict=True))]


def _margins(shape: Sequence[int], window: Shape) -> list[tuple[int, int]]:
    """The padding before and after each axis that makes room for one window."""
    missing = [max(size - n, 0) for n, size in zip(shape, window, strict=True)]
    return [(n // 2, n - n // 2) for n in missing]


def _batches(positions: list[tuple[slice, ...]], batch: int) -> Iterator[tuple[int, list[tuple[slice, ...]]]]:
    """The index of the first window of each batch, and its windows."""
    return ((first, positions[first : first + batch]) for first in range(0, len(positions), batch))


def augment_by_mirroring(predict: Predict) -> Predict:
    """Test-time augmentation: the mean prediction of a window and its seven mirror images along z, y and x.

    Args:
        predict: windows (n, channel, z, y, x) → predictions (n, z, y, x).

    Returns:
        A function with the same arguments and result as `predict`. It takes eight times the time.
    """

    def predict_mirrored(windows: np.ndarray) -> np.ndarray:
        total = np.zeros((len(windows), *windows.shape[2:]), np.float32)
        for count in range(4):
            for axes in itertools.combinations((-3, -2, -1), count):
                total += np.flip(predict(np.ascontiguousarray(np.flip(windows, axes))), axes)
        return total / 8

    return predict_mirrored

"""A network's window slid over a volume, as nnU-Net slides it: evenly spread, weighted by a Gaussian."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.monitor import Monitor

Shape = tuple[int, int, int]
Network = Callable[[np.ndarray], np.ndarray]
# Of the window's sides: nnU-Net's.
_SIGMA = 1 / 8


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Where windows begin along an axis of at least a window's length, spread evenly from end to end."""
    count = int(np.ceil((length - window) / ((1 - overlap) * window))) + 1
    return [round(n * (length - window) / max(count - 1, 1)) for n in range(count)]


def importance(window: Shape) -> np.ndarray:
    """How much each voxel of a window counts, float32, 1 in the middle and nowhere 0."""
    peak = np.zeros(window, np.float32)
    peak[tuple(n // 2 for n in window)] = 1
    weight = ndi.gaussian_filter(peak, [n * _SIGMA for n in window], mode="constant")
    weight /= weight.max()
    return np.maximum(weight, weight[weight > 0].min())


def places(inside: np.ndarray, window: Shape, overlap: float) -> list[tuple[slice, ...]]:
    """The windows over (z, y, x) that have something `inside`."""
    axes = [starts(n, size, overlap) for n, size in zip(inside.shape, window, strict=True)]
    every = (tuple(map(slice, at, np.add(at, window).tolist())) for at in itertools.product(*axes))
    return [place for place in every if inside[place].any()]


def count_windows(inside: np.ndarray, window: Shape, overlap: float) -> int:
    """How many windows `slide` asks of."""
    return len(places(np.pad(inside, _margins(inside.shape, window)), window, overlap))


def slide(
    volume: np.ndarray,
    inside: np.ndarray,
    network: Network,
    window: Shape,
    overlap: float,
    batch: int,
    monitor: Monitor,
) -> np.ndarray:
    """What `network` says of each voxel, the windows' weighted mean; 0 where no window looked.

    Args:
        volume: (channel, z, y, x), float32.
        inside: bool (z, y, x): windows with none of it are left out.
        network: (n, channel, *window) → (n, *window), float32.
        overlap: of neighbouring windows, a part of their side.
        batch: windows at once.
        monitor: progress by batches, and cancellation between them.
    """
    margins = _margins(inside.shape, window)
    volume, inside = np.pad(volume, [(0, 0), *margins]), np.pad(inside, margins)
    total, weights = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    weight, found = importance(window), places(inside, window, overlap)
    for first, several in _batches(found, batch):
        monitor.step(first / len(found), f"window {first + 1} of {len(found)}")
        answers = network(np.stack([volume[(slice(None), *place)] for place in several]))
        for place, answer in zip(several, answers, strict=True):
            total[place] += weight * answer
            weights[place] += weight
    mean = np.divide(total, weights, out=total, where=weights > 0)
    return mean[tuple(slice(before, n - after) for (before, after), n in zip(margins, mean.shape, strict=True))]


def _margins(shape: Sequence[int], window: Shape) -> list[tuple[int, int]]:
    """Zeros before and after each axis, so that a window fits."""
    missing = [max(size - n, 0) for n, size in zip(shape, window, strict=True)]
    return [(n // 2, n - n // 2) for n in missing]


def _batches(found: list[tuple[slice, ...]], batch: int) -> Iterator[tuple[int, list[tuple[slice, ...]]]]:
    return ((first, found[first : first + batch]) for first in range(0, len(found), batch))


def mirrored_mean(network: Network) -> Network:
    """`network` asked of the windows and of their seven mirror images, along all of z, y and x; the mean answer."""

    def ask(windows: np.ndarray) -> np.ndarray:
        total = np.zeros((len(windows), *windows.shape[2:]), np.float32)
        for count in range(4):
            for axes in itertools.combinations((-3, -2, -1), count):
                total += np.flip(network(np.ascontiguousarray(np.flip(windows, axes))), axes)
        return total / 8

    return ask

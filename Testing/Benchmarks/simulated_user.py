"""A simulated user: a box on the largest slice of an object, then corrections in the largest error. Deterministic.

Arrays are (k, j, i) of the case's image. A correction lies where a user would click: on the slice on which the largest
connected error (missed or too much) is largest, as deep within it as possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from StrokeSAMLib.imaging.morphology import bounding_box
from StrokeSAMLib.interactive import Box, Point
from StrokeSAMLib.interactive.prompts import Position, Prompt

# The corners of a careless box lie up to this part of its side away.
JITTER = 0.1


@dataclass(frozen=True, eq=False)
class Case:
    """An image and the object in it, bool (k, j, i)."""

    name: str
    kind: str
    image: sitk.Image
    truth: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """(k, j, i), mm."""
        return np.array(self.image.GetSpacing()[::-1])

    def position(self, index: np.ndarray) -> Position:
        """LPS of a continuous index (k, j, i)."""
        x, y, z = self.image.TransformContinuousIndexToPhysicalPoint([float(n) for n in index[::-1]])
        return x, y, z


def first_box(case: Case, axis: int, seed: int | None = None) -> Box:
    """The box around the object on the slice where it is largest.

    Args:
        case: the case.
        axis: the array axis (0 is k) across which the slices lie.
        seed: makes the box careless; None for an exact one.
    """
    across = tuple(n for n in range(3) if n != axis)
    k = int(np.argmax(case.truth.sum(axis=across)))
    found = np.argwhere(np.take(case.truth, [k], axis))
    low, high = found.min(axis=0).astype(float), found.max(axis=0).astype(float)
    if seed is not None:
        shift = np.random.default_rng(seed).uniform(-JITTER, JITTER, (2, 3)) * (high - low)
        last = np.array(case.truth.shape) - 1.0
        low, high = np.clip(low + shift[0], 0, last), np.clip(high + shift[1], 0, last)
    low[axis] = high[axis] = k
    return Box(case.position(low), case.position(high))


def correction(case: Case, answer: np.ndarray, axis: int, scribble: bool = False) -> Prompt | None:
    """The next correction of `answer`, bool (k, j, i); None without an error."""
    wrong = case.truth ^ answer
    if not wrong.any():
        return None
    crop = bounding_box(wrong)
    truth, answer = case.truth[crop], answer[crop]
    missed, too_much = _largest(truth & ~answer), _largest(answer & ~truth)
    positive = np.count_nonzero(missed) >= np.count_nonzero(too_much)
    error = missed if positive else too_much
    across = [n for n in range(3) if n != axis]
    k = int(np.argmax(error.sum(axis=tuple(across))))
    plane = np.take(error, k, axis)
    depth = ndi.distance_transform_edt(np.pad(plane, 1), case.spacing[across])[1:-1, 1:-1]
    pixels = _ridge(plane, depth, case.spacing[across]) if scribble else [np.argwhere(depth == depth.max())[0]]
    corner = [part.start for part in crop]
    positions = tuple(case.position(np.insert(pixel.astype(float), axis, k) + corner) for pixel in pixels)
    if not scribble:
        return Point(positions[0], positive)
    from StrokeSAMLib.interactive import Scribble

    return Scribble(positions, positive)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest component (faces) of a mask; empty for an empty mask."""
    labels, count = ndi.label(mask)
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])) if count else mask


def _ridge(plane: np.ndarray, depth: np.ndarray, spacing: np.ndarray) -> list[np.ndarray]:
    """Three pixels (row, column) along a mask's longest direction, each as deep within it as possible."""
    pixels = np.argwhere(plane)
    centred = (pixels - pixels.mean(axis=0)) * spacing
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    width = max(float(np.ptp(along)) / 8, float(spacing.max()))
    return [
        pixels[np.argmax(np.where(np.abs(along - station) <= width, depth[plane], -1))]
        for station in np.quantile(along, (0.25, 0.5, 0.75))
    ]

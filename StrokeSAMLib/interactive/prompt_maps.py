"""The inputs of `prompt-unet`: a cube of the scan around the prompts, and maps of the prompts on its grid.

Training and engine share this module. Lengths in the plane are pixels of the cube; across slices they are slices times
`ratio`, the slices' distance in pixels. The last section of ``docs/interactive.md`` tells which maps mattered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.ndimage as ndi

# Slices, rows and columns of the cube.
CUBE = (24, 64, 64)
_BINS, _LEAST_COUNT = 40, 0.5
_MOST_LOOK = 3.0
# Standard deviations of the click maps, pixels, and of the similar intensities, units of the image map.
_NARROW, _WIDE, _SIMILAR_REACH, _SIMILAR = 1.5, 6.0, 8.0, 0.25
# A click tells about the next slices too, however thick they are.
_MOST_RATIO = 3.0
_NEAR_CLICK = 3.0
_RING = 0.5


@dataclass(frozen=True)
class CubeBox:
    """A box on the slices `first` to `last` of the cube, both included: one slice, unless the box is one in 3-D.

    Attributes:
        first, last: slices.
        low, high: (row, column) of two corners, pixels of the cube.
    """

    first: int
    last: int
    low: tuple[float, float]
    high: tuple[float, float]


@dataclass(frozen=True)
class CubePoint:
    """A click, or a point of a scribble, at (k, j, i) of the cube: in the object if `positive`, else outside it."""

    at: tuple[float, float, float]
    positive: bool = True


@dataclass(frozen=True)
class CubePrompts:
    """All prompts of an object in the voxels of the cube."""

    boxes: Sequence[CubeBox] = field(default=())
    points: Sequence[CubePoint] = field(default=())


def input_maps(
    image: np.ndarray, valid: np.ndarray, ratio: float, prompts: CubePrompts, previous: np.ndarray | None
) -> np.ndarray:
    """The input channels of the network.

    Args:
        image: the scan on the cube in any unit, float32 (k, j, i).
        valid: bool (k, j, i), the part of the cube that lies in the scan.
        ratio: distance of two slices, pixels.
        prompts: the prompts; with neither box nor positive point, `previous` shows the object.
        previous: probability of the object in the last answer, or in a mask to correct; float32 (k, j, i), 0…1.

    Returns:
        Float32 (12, k, j, i): image, look, last answer, clicks; wide and similar maps of positive and negative
        clicks; boxes, place, ratio, validity.
    """
    inside, around = _regions(image.shape, valid, ratio, prompts, previous)
    scaled = _scaled(image, inside, valid)
    wide, similar = _click_maps(scaled, ratio, prompts.points)
    maps = [
        scaled,
        _look(scaled, inside, around),
        np.zeros_like(scaled) if previous is None else 2 * previous - 1,
        _narrow_map(image.shape, ratio, prompts.points),
        *wide,
        *similar,
        _box_map(image.shape, prompts.boxes),
        _place(image.shape, ratio, prompts),
        np.full(image.shape, np.log2(ratio) / 3),
        valid,
    ]
    return np.stack(maps).astype(np.float32)


def _regions(
    shape: tuple[int, ...],
    valid: np.ndarray,
    ratio: float,
    prompts: CubePrompts,
    previous: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that are probably the object, and voxels around that probably are not; bool (k, j, i) each."""
    inside, around = np.zeros(shape, bool), np.zeros(shape, bool)
    for box in prompts.boxes:
        middle = slice((box.first + box.last) // 2, (box.first + box.last) // 2 + 1)
        rows, columns = _offsets(box, shape)
        inside[middle] |= rows[:, None] ** 2 + columns**2 <= 1
        farthest = np.maximum(np.abs(rows)[:, None], np.abs(columns))
        around[middle] |= (farthest > 1.05) & (farthest < 1 + 2 * _RING)
    for point in prompts.points:
        near = _gaussian_ball(shape, ratio, point.at, _NEAR_CLICK) > np.exp(-0.5)
        (inside if point.positive else around)[near] = True
    if not inside.any() and previous is not None:
        inside = previous > 0.5
    inside &= valid
    if not inside.any():
        inside = valid
    around &= valid & ~inside
    return inside, around if around.any() else valid & ~inside


def _offsets(box: CubeBox, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The offset of each row and each column from the middle of the box, in halves of its sides."""
    sides = zip(box.low, box.high, shape[1:], strict=True)
    rows, columns = [(np.arange(n) - (low + high) / 2) / max((high - low) / 2, 0.5) for low, high, n in sides]
    return rows, columns


def _scaled(image: np.ndarray, inside: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The image over its spread in the object, compressed.

    The scale is the median absolute deviation in the object. Bone or air in the statistics would flatten the object.
    """
    values = image[inside] if inside.any() else np.zeros(1, np.float32)
    median = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - median))
    low, high = np.quantile(image[valid][::4], (0.02, 0.98)) if valid.any() else (0.0, 1.0)
    least = max(0.01 * (high - low), 1e-6)
    return np.where(valid, np.arcsinh((image - median) / max(spread, least)).clip(-4, 4) / 2, -2).astype(np.float32)


def _look(scaled: np.ndarray, inside: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio of each voxel's intensity in the object and around it, from smoothed histograms."""
    bins = ((scaled + 2) / 4 * (_BINS - 1)).round().astype(np.intp)

    def frequencies(region: np.ndarray) -> np.ndarray:
        counts = ndi.gaussian_filter1d(np.bincount(bins[region], minlength=_BINS).astype(float), 1.5) + _LEAST_COUNT
        return np.log(counts / counts.sum())

    ratio = frequencies(inside) - frequencies(around)
    return (ratio.clip(-_MOST_LOOK, _MOST_LOOK) / _MOST_LOOK)[bins]


def _gaussian_ball(shape: tuple[int, ...], ratio: float, at: tuple[float, float, float], sigma: float) -> np.ndarray:
    """A Gaussian of height 1 around a point, float32 (k, j, i)."""
    steps = (ratio, 1.0, 1.0)
    k, j, i = (
        np.exp(-0.5 * (step * (np.arange(n, dtype=np.float32) - c) / sigma) ** 2)
        for n, step, c in zip(shape, steps, at, strict=True)
    )
    return k[:, None, None] * (j[:, None] * i)


def _narrow_map(shape: tuple[int, ...], ratio: float, points: Sequence[CubePoint]) -> np.ndarray:
    """Narrow Gaussians: 1 at positive and −1 at negative points. The newer point wins where two meet."""
    result = np.zeros(shape, np.float32)
    for point in points:
        ball = _gaussian_ball(shape, ratio, point.at, _NARROW)
        result = np.where(ball >= np.abs(result), ball if point.positive else -ball, result)
    return result


def _click_maps(
    scaled: np.ndarray, ratio: float, points: Sequence[CubePoint]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Wide Gaussians around the positive and negative points, and the same weighted by similarity of intensity."""
    wide, similar = ([np.zeros_like(scaled) for _ in range(2)] for _ in range(2))
    reach = min(ratio, _MOST_RATIO)
    last = np.array(scaled.shape) - 1
    for point in points:
        side = 0 if point.positive else 1
        voxel = tuple(np.clip(np.rint(point.at), 0, last).astype(int))
        np.maximum(wide[side], _gaussian_ball(scaled.shape, reach, point.at, _WIDE), out=wide[side])
        likeness = np.exp(-0.5 * ((scaled - scaled[voxel]) / _SIMILAR) ** 2)
        likeness *= _gaussian_ball(scaled.shape, reach, point.at, _SIMILAR_REACH)
        np.maximum(similar[side], likeness, out=similar[side])
    return wide, similar


def _box_map(shape: tuple[int, ...], boxes: Sequence[CubeBox]) -> np.ndarray:
    """1 in boxes, −1 outside them on their slices, 0 on other slices; −1 on the slices beyond a box in 3-D."""
    result = np.zeros(shape, np.float32)
    for box in boxes:
        if box.last > box.first:
            result[: max(box.first, 0)] = -1
            result[box.last + 1 :] = -1
    inside = np.zeros(shape, bool)
    for box in boxes:
        slices = slice(max(box.first, 0), box.last + 1)
        rows, columns = _offsets(box, shape)
        result[slices] = -1
        inside[slices] |= (np.abs(rows) <= 1)[:, None] & (np.abs(columns) <= 1)
    result[inside] = 1
    return result


def _place(shape: tuple[int, ...], ratio: float, prompts: CubePrompts) -> np.ndarray:
    """The place of the object by the prompts alone: ellipsoids as high as their box is wide, balls around clicks."""
    result = np.zeros(shape, np.float32)
    for box in prompts.boxes:
        rows, columns = _offsets(box, shape)
        width = (box.high[0] - box.low[0] + box.high[1] - box.low[1]) / 2
        height = width if box.first == box.last else (box.last - box.first + 1) * ratio
        slices = ratio * (np.arange(shape[0]) - (box.first + box.last) / 2) / max(height / 2, 1.0)
        distance = slices[:, None, None] ** 2 + rows[:, None] ** 2 + columns**2
        np.maximum(result, np.exp(-0.7 * distance), out=result)
    if not prompts.boxes:
        for point in prompts.points:
            if point.positive:
                np.maximum(result, _gaussian_ball(shape, min(ratio, _MOST_RATIO), point.at, 8.0), out=result)
    return result

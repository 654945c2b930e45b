"""Prompts placed in a stack as in a volume: the input of an engine that answers in 3-D.

Indices are continuous (slice, row, column) of the stack; voxel centres have whole numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage as ndi

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.interactive.prompts import KINDS, Box, Lasso, Mask, Point, Position, Prompt, Scribble
from StrokeSAMLib.interactive.slice_prompts import LEAST_SIDE, PlacedPrompt, position_text
from StrokeSAMLib.interactive.slice_stack import SliceStack

# A lasso lies in a plane of the stack if its points are at most so far from it, voxels.
_FLAT = 1.0


@dataclass(frozen=True, eq=False)
class Stroke:
    """A point or a scribble: `voxels` (n, 3), whole numbers, in the object if `positive`, else outside it."""

    voxels: np.ndarray
    positive: bool


@dataclass(frozen=True, eq=False)
class Extent:
    """A box: `low` and `high` (3,), corners; on one plane if both are equal along an axis."""

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Region:
    """A mask or a lasso.

    Attributes:
        slices: bool (row, column) by slice; not empty.
        positive: True where the object is, else where it is not.
        drawn: True if the object is exactly the mask; False if it lies in it, as in a box.
    """

    slices: dict[int, np.ndarray]
    positive: bool
    drawn: bool


Placed = Stroke | Extent | Region


def place_in_volume(prompt: Prompt, stack: SliceStack) -> PlacedPrompt:
    """The place of `prompt` on `stack`; `PlacedPrompt.place` is a `Stroke`, an `Extent` or a `Region`.

    Raises:
        InputError: the prompt lies outside the volume, a box has no area, a lasso has none or does not lie in a plane
            of the volume, or a mask is empty.
    """
    if isinstance(prompt, Box):
        return _place_box(prompt, stack)
    if isinstance(prompt, Point | Scribble):
        points = prompt.points if isinstance(prompt, Scribble) else (prompt.position,)
        voxels = _line_voxels(_indices(points, stack, KINDS[type(prompt)]))
        return _placed(prompt, Stroke(voxels, prompt.positive), voxels[:, 0])
    slices = stack.slices_of(prompt.image) if isinstance(prompt, Mask) else _enclosed(prompt, stack)
    if not slices:
        raise InputError("mask: it has no voxel within the volume")
    drawn = isinstance(prompt, Mask)
    region = Region(slices, prompt.positive, drawn)
    if prompt.positive:
        return _placed(prompt, region, slices)
    return PlacedPrompt(prompt, () if drawn else tuple(slices), region, excluded=slices)


def check_strokes(placed: Iterable[PlacedPrompt]) -> None:
    """Check that no voxel is both in the object and outside it.

    Raises:
        InputError: a point or scribble contradicts another.
    """
    found: dict[tuple[int, ...], bool] = {}
    for entry in placed:
        if isinstance(entry.pixels, Stroke):
            for voxel in map(tuple, entry.pixels.voxels.tolist()):
                agrees = found.setdefault(voxel, entry.pixels.positive) == entry.pixels.positive
                if not agrees and isinstance(entry.prompt, Point | Scribble):
                    raise InputError(f"{_name(entry.prompt)} contradicts another prompt at the same place")


def _placed(prompt: Prompt, place: Placed, slices: Iterable[int]) -> PlacedPrompt:
    return PlacedPrompt(prompt, tuple(sorted({int(k) for k in slices})), place)


def _name(prompt: Point | Scribble | Lasso) -> str:
    position = prompt.position if isinstance(prompt, Point) else prompt.points[0]
    return f"{KINDS[type(prompt)]} {position_text(position)}"


def _indices(points: Iterable[Position], stack: SliceStack, name: str) -> np.ndarray:
    """(n, 3) of points, which must all lie within the volume."""
    points = tuple(points)
    if not points:
        raise InputError(f"{name}: it has no points")
    indices = np.array([stack.to_index(point)[::-1] for point in points])
    outside = ((indices < -0.5) | (indices >= np.array(stack.pixels.shape) - 0.5)).any(axis=1)
    if outside.any():
        position = points[int(np.flatnonzero(outside)[0])]
        raise InputError(f"{name} {position_text(position)} lies outside the volume")
    return indices


def _line_voxels(indices: np.ndarray) -> np.ndarray:
    """The voxels (n, 3) along a line through `indices`, each once."""
    parts = [indices[:1]]
    for start, end in itertools.pairwise(indices):
        count = int(np.ceil(np.abs(end - start).max())) + 1
        parts.append(start + (end - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.unique(np.floor(np.concatenate(parts) + 0.5).astype(int), axis=0)


def _place_box(box: Box, stack: SliceStack) -> PlacedPrompt:
    corners = np.array([stack.to_index(box.first)[::-1], stack.to_index(box.second)[::-1]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    name = f"box {position_text(box.first)} to {position_text(box.second)}"
    if (high - low >= LEAST_SIDE).sum() < 2:
        raise InputError(f"{name} has no area")
    last = np.array(stack.pixels.shape) - 1.0
    if (high < -0.5).any() or (low >= last + 0.5).any():
        raise InputError(f"{name} lies outside the volume")
    flat = high - low < LEAST_SIDE
    low, high = np.clip(low, 0, last), np.clip(high, 0, last)
    middle = np.floor((low + high) / 2 + 0.5)
    low, high = np.where(flat, middle, low), np.where(flat, middle, high)
    if ((high - low < LEAST_SIDE) & ~flat & (last > 0)).any():
        raise InputError(f"{name} lies outside the volume, except for its edge")
    first, final = int(np.floor(low[0] + 0.5)), int(np.floor(high[0] + 0.5))
    across = flat[1:].any()  # drawn in another plane than the slices
    slices = tuple(range(first, final + 1)) if across else ((first + final) // 2,)
    return PlacedPrompt(box, slices, Extent(low, high), (first, final))


def _enclosed(lasso: Lasso, stack: SliceStack) -> dict[int, np.ndarray]:
    """The voxels that a lasso encloses, its line included, by slice."""
    indices = _indices(lasso.points, stack, "lasso")
    spread = np.ptp(indices, axis=0)
    axis = int(np.argmin(spread))
    if spread[axis] > _FLAT:
        raise InputError(f"{_name(lasso)} does not lie in a plane of the volume")
    across = [n for n in range(3) if n != axis]
    rows, columns = (stack.pixels.shape[n] for n in across)
    canvas = Image.new("1", (columns, rows))
    line = [(float(point[across[1]]), float(point[across[0]])) for point in indices]
    ImageDraw.Draw(canvas).line([*line, line[0]], fill=1)
    plane = ndi.binary_fill_holes(np.asarray(canvas))
    found = np.argwhere(plane)
    if (np.ptp(found, axis=0) < LEAST_SIDE).any():
        raise InputError(f"{_name(lasso)} encloses no area")
    place = int(np.floor(indices[:, axis].mean() + 0.5))
    voxels = np.insert(found, axis, place, axis=1)
    slices: dict[int, np.ndarray] = {}
    for k in np.unique(voxels[:, 0]):
        mask = np.zeros(stack.shape, bool)
        chosen = voxels[voxels[:, 0] == k]
        mask[chosen[:, 1], chosen[:, 2]] = True
        slices[int(k)] = mask
    return slices

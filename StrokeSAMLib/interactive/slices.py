"""Prompts on the slices of a stack: what an engine is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.interactive.prompts import Box, Mask, Point, Prompt
from StrokeSAMLib.interactive.stack import SliceStack, slice_axis

# A box narrower than this on either side holds nothing, pixels.
_LEAST_SIDE = 1.0
# Points of opposite sign nearer than this contradict each other, pixels.
_SAME_PIXEL = 0.5


@dataclass(frozen=True, eq=False)
class SlicePrompts:
    """What is asked of one slice. Coordinates are (column, row) of pixel centres.

    Attributes:
        points: Float32 (n, 2).
        labels: UInt8 (n,), 1 in the object, 0 not.
        box: (column, row, column, row), low before high.
        mask: bool (row, column): the object, as it was drawn.
        shape: rows and columns of the slice.
    """

    shape: tuple[int, int]

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    box: tuple[float, float, float, float] | None = None
    mask: np.ndarray | None = None

    @property
    def only_negative(self) -> bool:
        """Whether nothing here says where the object is."""
        return self.box is None and self.mask is None and not self.labels.any()


@dataclass(frozen=True, eq=False)
class Placed:
    """A prompt where it lies on a stack.

    Attributes:
        prompt: as given.
        slices: the slices it acts on; a negative mask acts on none of its own.
        span: first and last slice that a box says the object has; None for others.
        pixels: of a point its (column, row), of a box its low and high corner, of a mask its slices.
    """

    prompt: Prompt
    slices: tuple[int, ...]
    pixels: object
    span: tuple[int, int] | None = None


def place(prompt: Prompt, stack: SliceStack) -> Placed:
    """Where `prompt` lies on `stack`.

    Raises:
        InputError: outside the volume, or a box or mask that holds nothing.
    """
    if isinstance(prompt, Point):
        return _place_point(prompt, stack)
    if isinstance(prompt, Box):
        return _place_box(prompt, stack)
    slices = stack.slices_of(prompt.image)
    if not slices:
        raise InputError("mask: it holds nothing within the volume")
    return Placed(prompt, tuple(slices) if prompt.positive else (), slices)


def drawn_axis(prompts: Iterable[Prompt], image: sitk.Image) -> int:
    """The index axis across which boxes were drawn: they are flat along it. Else the axis of the thickest slices."""
    for prompt in prompts:
        if isinstance(prompt, Box):
            corners = [
                image.TransformPhysicalPointToContinuousIndex(corner) for corner in (prompt.first, prompt.second)
            ]
            flat = np.flatnonzero(np.abs(np.subtract(*corners)) < _LEAST_SIDE / 2)
            if len(flat) == 1:
                return int(flat[0])
    return slice_axis(image)


def on_slice(placed: Iterable[Placed], k: int, shape: tuple[int, int]) -> list[SlicePrompts]:
    """What the prompts ask of slice `k`, one more of them each time, in their order.

    Raises:
        InputError: two boxes, or points that contradict each other.
    """
    asked: list[SlicePrompts] = []
    now = SlicePrompts(shape)
    for entry in placed:
        if k in entry.slices:
            now = _with(now, entry, k)
            asked.append(now)
    return asked


def _place_point(point: Point, stack: SliceStack) -> Placed:
    column, row, k = stack.to_index(point.position)
    rows, columns = stack.shape
    limits = ((column, columns), (row, rows), (k, len(stack)))
    if not all(-0.5 <= value < count - 0.5 for value, count in limits):
        raise InputError(f"point {_text(point.position)} lies outside the volume")
    return Placed(point, (_nearest(k),), (column, row))


def _place_box(box: Box, stack: SliceStack) -> Placed:
    corners = np.array([stack.to_index(box.first), stack.to_index(box.second)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    name = f"box {_text(box.first)} to {_text(box.second)}"
    if (high[:2] - low[:2] < _LEAST_SIDE).any():
        raise InputError(f"{name} has no area in the plane of the slices")
    rows, columns = stack.shape
    last = np.array([columns, rows, len(stack)]) - 1.0
    if (high < -0.5).any() or (low >= last + 0.5).any():
        raise InputError(f"{name} lies outside the volume")
    low, high = np.clip(low, 0, last), np.clip(high, 0, last)
    if (high[:2] - low[:2] < _LEAST_SIDE).any():
        raise InputError(f"{name} lies outside the volume, but for its edge")
    first, final = _nearest(low[2]), _nearest(high[2])
    return Placed(box, ((first + final) // 2,), (*low[:2], *high[:2]), (first, final))


def _nearest(k: float) -> int:
    return int(np.floor(k + 0.5))


def _with(now: SlicePrompts, entry: Placed, k: int) -> SlicePrompts:
    if isinstance(entry.prompt, Box):
        if now.box is not None:
            raise InputError(f"slice {k} has a box already: change it, or remove it first")
        return replace(now, box=tuple(float(n) for n in entry.pixels))
    if isinstance(entry.prompt, Mask):
        mask = entry.pixels[k] if now.mask is None else now.mask | entry.pixels[k]
        return replace(now, mask=mask)
    label = int(entry.prompt.positive)
    point = np.asarray([entry.pixels], np.float32)
    near = np.abs(now.points - point).max(axis=1) < _SAME_PIXEL
    if (now.labels[near] != label).any():
        raise InputError(f"point {_text(entry.prompt.position)} contradicts another at the same place")
    return replace(now, points=np.vstack([now.points, point]), labels=np.append(now.labels, np.uint8(label)))


def _text(position: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in position) + ") LPS mm"

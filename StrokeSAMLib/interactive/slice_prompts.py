"""Prompts placed on the slices of a stack: the input of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.interactive.prompts import Box, Mask, Point, Prompt
from StrokeSAMLib.interactive.slice_stack import SliceStack, slice_axis

# A box narrower than this on either side has no area, pixels.
LEAST_SIDE = 1.0
# Points of opposite sign nearer than this contradict each other, pixels.
_SAME_PIXEL = 0.5


@dataclass(frozen=True, eq=False)
class SlicePrompts:
    """The prompts on one slice. Coordinates are (column, row); pixel centres have whole numbers.

    Attributes:
        shape: (row, column) of the slice.
        points: Float32 (n, 2).
        labels: UInt8 (n,): 1 in the object, 0 outside it.
        box: (column, row, column, row), low before high.
        mask: the object as drawn, bool (row, column).
    """

    shape: tuple[int, int]

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    box: tuple[float, float, float, float] | None = None
    mask: np.ndarray | None = None

    @property
    def only_negative(self) -> bool:
        """True if no prompt says where the object is."""
        return self.box is None and self.mask is None and not self.labels.any()


@dataclass(frozen=True, eq=False)
class PlacedPrompt:
    """A prompt and its place on a stack.

    Attributes:
        prompt: the prompt in physical space.
        slices: slices that the prompt changes by prediction; none for a negative mask.
        pixels: (column, row) of a point; (column, row, column, row) of a box; masks by slice number of a mask. In a
            session whose engine answers in 3-D, a `volume_prompts.Placed`.
        span: first and last slice that a box gives the object; None for other prompts.
        excluded: masks by slice number where the object is not.
    """

    prompt: Prompt
    slices: tuple[int, ...]
    pixels: Any
    span: tuple[int, int] | None = None
    excluded: Mapping[int, np.ndarray] = field(default_factory=dict)


def place_prompt(prompt: Prompt, stack: SliceStack) -> PlacedPrompt:
    """The place of `prompt` on `stack`.

    Raises:
        InputError: the prompt lies outside the volume, a box has no area, or a mask is empty.
    """
    if isinstance(prompt, Point):
        return _place_point(prompt, stack)
    if isinstance(prompt, Box):
        return _place_box(prompt, stack)
    if not isinstance(prompt, Mask):
        raise TypeError(f"{type(prompt).__name__} has no place on a single slice")
    slices = stack.slices_of(prompt.image)
    if not slices:
        raise InputError("mask: it has no voxel within the volume")
    if prompt.positive:
        return PlacedPrompt(prompt, tuple(slices), slices)
    return PlacedPrompt(prompt, (), slices, excluded=slices)


def drawn_axis(prompts: Iterable[Prompt], image: sitk.Image) -> int:
    """The index axis 0 (i), 1 (j) or 2 (k) of the slices that boxes were drawn on.

    It is the axis along which the first flat box is flat; without such a box, the axis of the thickest slices.
    """
    for prompt in prompts:
        if isinstance(prompt, Box):
            corners = [
                image.TransformPhysicalPointToContinuousIndex(corner) for corner in (prompt.first, prompt.second)
            ]
            flat = np.flatnonzero(np.abs(np.subtract(*corners)) < LEAST_SIDE / 2)
            if len(flat) == 1:
                return int(flat[0])
    return slice_axis(image)


def prompts_on_slice(placed: Iterable[PlacedPrompt], k: int, shape: tuple[int, int]) -> list[SlicePrompts]:
    """The prompts on slice `k`, cumulative: the first alone, the first two, …, all.

    Args:
        placed: the prompts, the newest last.
        k: number of the slice.
        shape: (row, column) of the slice.

    Raises:
        InputError: the slice has two boxes, or points that contradict each other.
    """
    cumulative: list[SlicePrompts] = []
    present = SlicePrompts(shape)
    for entry in placed:
        if k in entry.slices:
            present = _with(present, entry, k)
            cumulative.append(present)
    return cumulative


def _place_point(point: Point, stack: SliceStack) -> PlacedPrompt:
    column, row, k = stack.to_index(point.position)
    rows, columns = stack.shape
    limits = ((column, columns), (row, rows), (k, len(stack)))
    if not all(-0.5 <= value < count - 0.5 for value, count in limits):
        raise InputError(f"point {position_text(point.position)} lies outside the volume")
    return PlacedPrompt(point, (_nearest(k),), (column, row))


def _place_box(box: Box, stack: SliceStack) -> PlacedPrompt:
    corners = np.array([stack.to_index(box.first), stack.to_index(box.second)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    name = f"box {position_text(box.first)} to {position_text(box.second)}"
    if (high[:2] - low[:2] < LEAST_SIDE).any():
        raise InputError(f"{name} has no area in the plane of the slices")
    rows, columns = stack.shape
    last = np.array([columns, rows, len(stack)]) - 1.0
    if (high < -0.5).any() or (low >= last + 0.5).any():
        raise InputError(f"{name} lies outside the volume")
    low, high = np.clip(low, 0, last), np.clip(high, 0, last)
    if (high[:2] - low[:2] < LEAST_SIDE).any():
        raise InputError(f"{name} lies outside the volume, except for its edge")
    first, final = _nearest(low[2]), _nearest(high[2])
    return PlacedPrompt(box, ((first + final) // 2,), (*low[:2], *high[:2]), (first, final))


def _nearest(k: float) -> int:
    return int(np.floor(k + 0.5))


def _with(present: SlicePrompts, entry: PlacedPrompt, k: int) -> SlicePrompts:
    """The prompts `present` on slice `k`, and one more."""
    if isinstance(entry.prompt, Box):
        if present.box is not None:
            raise InputError(f"slice {k} has a box already: change it, or remove it first")
        return replace(present, box=tuple(float(n) for n in entry.pixels))
    if isinstance(entry.prompt, Mask):
        mask = entry.pixels[k] if present.mask is None else present.mask | entry.pixels[k]
        return replace(present, mask=mask)
    if not isinstance(entry.prompt, Point):
        raise TypeError(f"{type(entry.prompt).__name__} has no place on a single slice")
    label = int(entry.prompt.positive)
    point = np.asarray([entry.pixels], np.float32)
    near = np.abs(present.points - point).max(axis=1) < _SAME_PIXEL
    if (present.labels[near] != label).any():
        raise InputError(f"point {position_text(entry.prompt.position)} contradicts another point at the same place")
    return replace(
        present, points=np.vstack([present.points, point]), labels=np.append(present.labels, np.uint8(label))
    )


def position_text(position: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in position) + ") LPS mm"

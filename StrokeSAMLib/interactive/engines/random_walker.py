"""The engine without weights: a random walker in 3-D with priors of place and look, from all prompts at once.

`walker_evidence` gathers what boxes, lassos and masks say; each point or scribble then corrects it in turn, where the
answer so far contradicts it. A correction reaches about as far as the answer's outline lies from it, and less than to
the nearest prompt of the other sign; farther where the image looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.options import NoOptions, build_options
from StrokeSAMLib.interactive.engines.walker_corrections import Field, corrected, uncorrected
from StrokeSAMLib.interactive.engines.walker_evidence import (
    CLICK_REACH_MM,
    Evidence,
    bounds,
    click_reach_mm,
    flat_axis,
    gather,
    is_outline,
)
from StrokeSAMLib.interactive.engines.walker_region import WalkerRegion
from StrokeSAMLib.interactive.features.footprint import MIB, Footprint
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt
from StrokeSAMLib.interactive.slice_stack import SliceStack
from StrokeSAMLib.interactive.volume_prompts import Placed, Region, Stroke

# The constants here and in `walker_evidence` were chosen on the cases of Testing/Benchmarks/clicks.py.
# Margin of the region: a part of the longest side of an outline, and at least so many mm; across a plane with an
# outline, this part of that side.
_MARGIN, _LEAST_MARGIN_MM, _ACROSS = 0.3, 8.0, 1.2
# A mask drawn on the stack may be larger on the grid by this factor.
_COARSE = 1.5
# The volume of a ball of radius 1.
_BALL = 4 / 3 * np.pi


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask on one slice: `crop`, bool, with its first pixel at `corner` (row, column)."""

    crop: np.ndarray
    corner: tuple[int, int]

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """See `Prediction.mask`."""
        full = np.zeros(shape, bool)
        (row, column), (rows, columns) = self.corner, self.crop.shape
        full[row : row + rows, column : column + columns] = self.crop
        return full

    def equals(self, other: CroppedMask) -> bool:
        """True if both are the same mask."""
        return self.corner == other.corner and np.array_equal(self.crop, other.crop)


@dataclass(frozen=True, eq=False)
class WalkerAnswer:
    """An answer, and the state from which the next correction goes on.

    Attributes:
        slices: see `VolumeAnswer.slices`.
        notes: see `VolumeAnswer.notes`.
        region: the region.
        gathered: the prompts from which `evidence` was gathered.
        evidence: the evidence before corrections.
        strokes: the corrections so far.
        field: the answer on the grid.
    """

    slices: Mapping[int, CroppedMask]
    notes: tuple[str, ...]
    region: WalkerRegion
    gathered: tuple[Placed, ...]
    evidence: Evidence
    strokes: tuple[Stroke, ...]
    field: Field


class RandomWalker:
    """The engine of this module. It has no state."""

    id = "random-walker"
    accepts = frozenset({"point", "box", "scribble", "lasso", "mask"})
    device = "cpu"
    notes: tuple[str, ...] = ()

    def answer(
        self, stack: SliceStack, prompts: Sequence[PlacedPrompt], previous: WalkerAnswer | None = None
    ) -> WalkerAnswer:
        """See `VolumeEngine.answer`."""
        places: list[Placed] = [entry.pixels for entry in prompts]
        strokes = tuple(place for place in places if isinstance(place, Stroke))
        gathered = _gathered(places, strokes)
        low, high = _extent(gathered, strokes, np.array(stack.spacing[::-1]))
        region = WalkerRegion.around(stack.pixels, stack.spacing[::-1], low, high, previous and previous.region)
        if previous is not None and _continues(previous, region, gathered, strokes):
            evidence, field, done = previous.evidence, previous.field, len(previous.strokes)
        else:
            evidence, done = gather(region, gathered), 0
            field = uncorrected(evidence)
        for n in range(done, len(strokes)):
            field = corrected(region, evidence, field, strokes[n], strokes[:n])
        slices, notes = _slices(region, evidence, field, gathered, strokes)
        if previous is not None:
            slices = {k: _kept(mask, previous.slices.get(k)) for k, mask in slices.items()}
        return WalkerAnswer(slices, notes, region, gathered, evidence, strokes, field)

    def footprint(self) -> Footprint:
        """See `AnyEngine.footprint`."""
        return Footprint(model=0, working=28 * MIB, features=0, prediction=MIB // 16)

    def use_cpu(self) -> bool:
        """False: the engine always runs on the CPU."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """No settings: the engine has no options and no weights."""
        return {}


def load(id: str, weights: Any, device: str, options: dict[str, Any]) -> RandomWalker:
    """The engine; it has no options."""
    build_options(NoOptions, options, f"engine {id}")
    return RandomWalker()


def _gathered(places: Sequence[Placed], strokes: Sequence[Stroke]) -> tuple[Placed, ...]:
    """The prompts from which evidence is gathered: the regions, or the first positive stroke if none has the object.

    Raises:
        InputError: no prompt says where the object is.
    """
    regions = tuple(place for place in places if not isinstance(place, Stroke))
    if any(is_outline(place) for place in regions):
        return regions
    for stroke in strokes:
        if stroke.positive:
            return (*regions, stroke)
    raise InputError("there are only negative points: add a positive one, or a box")


def _continues(
    previous: WalkerAnswer, region: WalkerRegion, gathered: tuple[Placed, ...], strokes: tuple[Stroke, ...]
) -> bool:
    """True if `previous` has the same evidence, and no correction that is not one of the first `strokes`."""
    same_evidence = previous.region is region and previous.gathered == gathered
    return same_evidence and previous.strokes == strokes[: len(previous.strokes)]


def _extent(
    gathered: Sequence[Placed], strokes: Sequence[Stroke], spacing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The corners (slice, row, column) of the region around the prompts."""
    corners = []
    for place in gathered:
        if isinstance(place, Stroke):
            reach = CLICK_REACH_MM / spacing
            corners += [place.voxels.min(axis=0) - reach, place.voxels.max(axis=0) + reach]
        elif is_outline(place):
            low, high = bounds(place)
            longest = float(((high - low) * spacing).max())
            margin = np.full(3, max(_MARGIN * longest, _LEAST_MARGIN_MM))
            axis = flat_axis(low, high)
            if axis is not None:
                margin[axis] = max(_ACROSS * longest, _LEAST_MARGIN_MM)
            corners += [low - margin / spacing, high + margin / spacing]
    for stroke in strokes:
        if stroke.positive:
            corners += _around(stroke, spacing)
    return np.min(corners, axis=0), np.max(corners, axis=0)


def _around(stroke: Stroke, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reach = _LEAST_MARGIN_MM / spacing
    return stroke.voxels.min(axis=0) - reach, stroke.voxels.max(axis=0) + reach


def _kept(mask: CroppedMask, before: CroppedMask | None) -> CroppedMask:
    """The mask `before` if it is equal, so that a view knows that nothing changed."""
    return before if before is not None and mask.equals(before) else mask


def _slices(
    region: WalkerRegion,
    evidence: Evidence,
    field: Field,
    gathered: Sequence[Placed],
    strokes: Sequence[Stroke],
) -> tuple[dict[int, CroppedMask], tuple[str, ...]]:
    """The answer's masks by slice, and notes."""
    probability, notes = _bounded(region, _connected(region, evidence, field, strokes), gathered, strokes)
    inside = region.on_stack(probability) > 0.5
    drawn = {
        k: mask
        for place in gathered
        if isinstance(place, Region) and place.drawn and place.positive
        for k, mask in place.slices.items()
    }
    if drawn:
        known = region.cut(drawn)
        unchanged = inside == (region.on_stack(region.on_grid(drawn)) > 0.5)
        rows = np.zeros(len(inside), bool)
        rows[[k - region.corner[0] for k in drawn if region.corner[0] <= k < region.end[0]]] = True
        inside = np.where(unchanged & rows[:, None, None], known, inside)
    for stroke in strokes:
        inside[tuple((region.within(stroke.voxels) - region.corner).T)] = stroke.positive
    return {int(k + region.corner[0]): _cropped(mask, region) for k, mask in enumerate(inside)}, notes


def _cropped(inside: np.ndarray, region: WalkerRegion) -> CroppedMask:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return CroppedMask(np.zeros((0, 0), bool), (0, 0))
    crop = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return CroppedMask(crop, (int(region.corner[1] + rows[0]), int(region.corner[2] + columns[0])))


def _connected(region: WalkerRegion, evidence: Evidence, field: Field, strokes: Sequence[Stroke]) -> np.ndarray:
    """The probability, 0 in parts of the answer that touch neither what is surely object nor a positive stroke."""
    inside = field.probability > 0.5
    labels, count = ndi.label(inside)
    if count < 2:
        return field.probability
    kept = set(np.unique(labels[evidence.sure & inside]))
    for stroke in strokes:
        if stroke.positive:
            kept |= set(labels[region.voxels(region.within(stroke.voxels))])
    kept.discard(0)
    if not kept:
        kept = {1 + int(np.argmax(np.bincount(labels.ravel())[1:]))}
    return np.where(inside & ~np.isin(labels, sorted(kept)), np.float32(0), field.probability)


def _bounded(
    region: WalkerRegion, probability: np.ndarray, gathered: Sequence[Placed], strokes: Sequence[Stroke]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The probability, lowered where the answer would be larger than the prompts allow; and a note if it was."""
    most = int(_most_mm3(region, gathered, strokes) / float(np.prod(region.step_mm)))
    if np.count_nonzero(probability > 0.5) <= max(most, 1):
        return probability, ()
    threshold = np.partition(probability.ravel(), -most)[-most]
    note = "the object was cut to the volume that the prompts allow: it leaks, or needs a larger box or more points"
    return probability - (threshold - np.float32(0.5)), (note,)


def _most_mm3(region: WalkerRegion, gathered: Sequence[Placed], strokes: Sequence[Stroke]) -> float:
    """The largest volume of an object with these prompts.

    It is that of the box around the outlines and positive strokes, across an outline's plane twice as high as its
    longest side; without an outline that of a ball with half the reach of a click, and the box around the strokes.
    """
    outlines = [place for place in gathered if is_outline(place)]
    voxels = [stroke.voxels for stroke in strokes if stroke.positive]
    corners = np.concatenate([*(np.stack(bounds(outline)) for outline in outlines), *voxels])
    sides = (np.ptp(corners, axis=0) + 1) * region.spacing
    if not outlines:
        return _BALL * (click_reach_mm(region) / 2) ** 3 + float(np.prod(sides))
    axes = {flat_axis(*bounds(outline)) for outline in outlines} - {None}
    for axis in axes:
        sides[axis] = max(sides[axis] + sides.max(), 2 * sides.max())
    return float(np.prod(sides)) * (1 if axes else _COARSE)

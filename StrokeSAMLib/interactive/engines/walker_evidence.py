"""The random walker's evidence before corrections: where the object is, and how it looks, from outlines and clicks.

- An outline on a plane (a box, a lasso, a mask of one slice): the object fills an ellipse in the box, or the drawn
  region, and resembles its core more than what lies outside. It is first segmented on this plane. On the planes around,
  the object lies near the same outline, drawn in as for an ellipsoid about as high as wide, and less surely the farther
  they are; between two planes with outlines it lies between both.
- A box in 3-D: the object fills an ellipsoid in it.
- A click: the object lies near it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.interactive.engines.appearance import Appearance
from StrokeSAMLib.interactive.engines.walker_region import WalkerRegion
from StrokeSAMLib.interactive.engines.walker_solver import edge_weights, object_probability
from StrokeSAMLib.interactive.slice_prompts import LEAST_SIDE
from StrokeSAMLib.interactive.volume_prompts import Extent, Region, Stroke

# Weights and bounds of the log-odds of place and look.
_PLACE_WEIGHT, _MOST_PLACE = 1.6, 6.0
_LOOK_WEIGHT, _MOST_LOOK = 0.65, 5.0
# Softness of the place: of an ellipse in a box, as a part of its radius; of an outline on a plane, as a part of the
# square root of its area.
_ELLIPSE_SOFTNESS, _OUTLINE_SOFTNESS = 0.28, 0.25
# The ellipse reaches a little beyond its box.
_ELLIPSE = 1.03
# Half the height of the object across a plane, in radii of its outline there: objects are about as high as wide.
_HEIGHT = 1.25
# Reach of a click without an outline; lesions of the head have radii of 5 to 45 mm.
CLICK_REACH_MM = 45.0
# Surroundings of a click that are surely like it: a part of the object's radius, and at most so many mm.
_CLICK_PART, _CLICK_RADIUS_MM = 0.25, 1.25
# The walker smooths over this part of the object's radius; so it needs a stronger prior for objects of few voxels.
_SMOOTHED_PART, _MOST_STRENGTH = 0.2, 3.0
# The object's appearance is that of the most central part of an outline: more of it takes in other tissue, and so does
# an appearance learnt from a first answer.
_CORE = 0.125
# Voxels of an outline that are surely object.
_SURE = 0.75


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence on the grid of a region.

    Attributes:
        log_odds: of the object at each voxel, Float32.
        held: Int8; 1 where an outline holds the object, −1 where it excludes it, 0 elsewhere.
        sure: bool; voxels that are surely object.
        weights: see `walker_solver.edge_weights`.
        strength: weight of the prior in the walker.
        click_mm: radius of the surroundings of a click that are surely like it.
    """

    log_odds: np.ndarray
    held: np.ndarray
    sure: np.ndarray
    weights: list[np.ndarray]
    strength: float
    click_mm: float


@dataclass(frozen=True, eq=False)
class _Source:
    """Evidence of one kind: place and held voxels on the grid, sure voxels, appearance."""

    place: np.ndarray
    held: np.ndarray
    sure: np.ndarray
    appearance: Appearance


@dataclass(frozen=True, eq=False)
class _Outline:
    """An outline on the plane `index` across `axis` of the grid.

    Attributes:
        place: log-odds of place on the plane.
        outside: bool, where the object cannot be on this plane.
        drawn: the object on this plane, bool, if it is known; else None.
    """

    axis: int
    index: int
    place: np.ndarray
    outside: np.ndarray
    drawn: np.ndarray | None


def gather(region: WalkerRegion, prompts: Sequence[Extent | Region | Stroke]) -> Evidence:
    """The evidence of outlines, and of regions without the object; of a positive click if there is no outline."""
    weights = edge_weights(region.grey, region.step_mm)
    outlines = [each for each in prompts if is_outline(each)]
    radius = _radius_mm(region, outlines)
    strength = min((float(region.step_mm.min()) / (_SMOOTHED_PART * radius)) ** 2, _MOST_STRENGTH)
    solid = [outline for outline in outlines if isinstance(outline, Extent) and _flat_axis(outline) is None]
    planes: dict[int, dict[int, list[_Outline]]] = {}
    for outline in _plane_outlines(region, outlines):
        planes.setdefault(outline.axis, {}).setdefault(outline.index, []).append(outline)
    sources = [_from_planes(region, weights, strength, axis, found) for axis, found in planes.items()]
    if solid:
        sources.append(_from_boxes(region, solid))
    clicks = [each for each in prompts if isinstance(each, Stroke)]
    sources += [_from_click(region, click) for click in clicks]
    inside = np.mean([source.appearance.inside for source in sources], axis=0)
    outside = np.mean([source.appearance.outside for source in sources], axis=0)
    place = np.mean([source.place for source in sources], axis=0)
    held = np.zeros(region.grey.shape, np.int8)
    for source in sources:
        held = np.where(source.held != 0, source.held, held)
    for excluded in (each for each in prompts if isinstance(each, Region) and not each.positive):
        held[region.on_grid(excluded.slices) > 0.5] = -1
    sure = np.logical_or.reduce([source.sure for source in sources]) & (held >= 0)
    log_odds = place + _look(region.grey, Appearance(inside, outside))
    click_mm = min(_CLICK_RADIUS_MM, _CLICK_PART * radius)
    return Evidence(log_odds.astype(np.float32), held, sure, weights, strength, click_mm)


def is_outline(prompt: Extent | Region | Stroke) -> TypeGuard[Extent | Region]:
    """True for a box, or for a mask or a lasso with the object in it."""
    return isinstance(prompt, Extent) or (isinstance(prompt, Region) and prompt.positive)


def flat_axis(low: np.ndarray, high: np.ndarray) -> int | None:
    """The axis across which a box from `low` to `high` is flat; None for a box in 3-D."""
    sides = high - low
    axis = int(np.argmin(sides))
    return axis if sides[axis] < LEAST_SIDE else None


def _flat_axis(box: Extent) -> int | None:
    return flat_axis(box.low, box.high)


def _look(grey: np.ndarray, appearance: Appearance) -> np.ndarray:
    """The log-odds of the object from each voxel's intensity."""
    return _LOOK_WEIGHT * np.clip(appearance.log_likelihood_ratio(grey), -_MOST_LOOK, _MOST_LOOK)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """The probability of these log-odds."""
    return 1 / (1 + np.exp(-log_odds))


def _radius_mm(region: WalkerRegion, outlines: Sequence[Extent | Region]) -> float:
    """The radius of the largest outline; without one, of the object that a click may have."""
    if not outlines:
        return click_reach_mm(region) / 2
    sides = [np.sort((high - low + (high > low)) * region.spacing) for low, high in map(bounds, outlines)]
    return max(0.5 * float(np.sqrt(middle * longest)) for _, middle, longest in sides)


def click_reach_mm(region: WalkerRegion) -> float:
    """The reach of a click without an outline; half the region in a small volume."""
    return min(CLICK_REACH_MM, 0.5 * float(((region.end - region.corner) * region.spacing).max()))


def bounds(outline: Extent | Region) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest index (3,) of an outline."""
    if isinstance(outline, Extent):
        return outline.low, outline.high
    slices = outline.slices
    rows = np.flatnonzero(np.logical_or.reduce([mask.any(axis=1) for mask in slices.values()]))
    columns = np.flatnonzero(np.logical_or.reduce([mask.any(axis=0) for mask in slices.values()]))
    low = np.array([min(slices), rows[0], columns[0]], float)
    return low, np.array([max(slices), rows[-1], columns[-1]], float)


def _plane_outlines(region: WalkerRegion, outlines: Iterable[Extent | Region]) -> list[_Outline]:
    """The outlines on planes; a drawn mask has one on each of its slices."""
    found = []
    for outline in outlines:
        if isinstance(outline, Extent):
            axis = _flat_axis(outline)
            if axis is not None:
                found.append(_box_outline(region, outline, axis))
            continue
        mask = region.on_grid(outline.slices) > 0.5
        axis = 0 if outline.drawn else flat_axis(*bounds(outline))
        for index in np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis or 0}))):
            found.append(_region_outline(region, mask, axis or 0, int(index), outline.drawn))
    return found


def _box_outline(region: WalkerRegion, box: Extent, axis: int) -> _Outline:
    index = int(region.voxels((box.low + box.high) / 2)[axis][0])
    offsets = np.ix_(*(np.abs(a - m) / (h + 0.5) for a, m, h in zip(*_ellipsoid(region, box), strict=True)))
    across = [offsets[n] for n in range(3) if n != axis]
    radius = np.take(np.sqrt(across[0] ** 2 + across[1] ** 2), 0, axis)
    outside = np.take((across[0] > 1) | (across[1] > 1), 0, axis)
    return _Outline(axis, index, _ellipse_place(radius), outside, None)


def _region_outline(region: WalkerRegion, mask: np.ndarray, axis: int, index: int, drawn: bool) -> _Outline:
    plane = np.take(mask, index, axis)
    depth, softness = _depth_mm(region, plane, axis), _softness_mm(region, plane, axis)
    return _Outline(axis, index, _place(depth / softness), ~plane, plane if drawn else None)


def _ellipsoid(region: WalkerRegion, box: Extent) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The grid's axes, and middle and half sides of a box."""
    return region.axes, (box.low + box.high) / 2, (box.high - box.low) / 2


def _place(distance: np.ndarray) -> np.ndarray:
    return _PLACE_WEIGHT * np.clip(distance, -_MOST_PLACE, _MOST_PLACE)


def _ellipse_place(radius: np.ndarray) -> np.ndarray:
    return _place((_ELLIPSE - radius) / _ELLIPSE_SOFTNESS)


def _depth_mm(region: WalkerRegion, plane: np.ndarray, axis: int) -> np.ndarray:
    """The depth in a mask of a plane, mm, negative outside."""
    step = np.delete(region.step_mm, axis)
    if not plane.any() or plane.all():
        return np.full(plane.shape, np.inf if plane.any() else -np.inf)
    inside, outside = (ndi.distance_transform_edt(mask, step) for mask in (plane, ~plane))
    return np.where(plane, inside, -outside)


def _softness_mm(region: WalkerRegion, plane: np.ndarray, axis: int) -> float:
    return _OUTLINE_SOFTNESS * np.sqrt(max(_area_mm2(region, plane, axis), 1e-3))


def _area_mm2(region: WalkerRegion, plane: np.ndarray, axis: int) -> float:
    return np.count_nonzero(plane) * float(np.prod(np.delete(region.step_mm, axis)))


def _from_planes(
    region: WalkerRegion,
    weights: list[np.ndarray],
    strength: float,
    axis: int,
    outlines: dict[int, list[_Outline]],
) -> _Source:
    """The evidence of the outlines across `axis`, by the index of their plane."""
    held = np.zeros(region.grey.shape, np.int8)
    sure = np.zeros(region.grey.shape, bool)
    planes, places, appearances = {}, {}, []
    for index, found in sorted(outlines.items()):
        places[index] = np.max([outline.place for outline in found], axis=0)
        outside = np.logical_and.reduce([outline.outside for outline in found])
        drawn = np.logical_or.reduce([np.zeros_like(outside), *(o.drawn for o in found if o.drawn is not None)])
        probability, appearance = _segment_plane(region, weights, strength, axis, index, places[index], outside, drawn)
        np.moveaxis(held, axis, 0)[index] = np.where(drawn, 1, np.where(outside, -1, 0))
        np.moveaxis(sure, axis, 0)[index] = probability > _SURE
        planes[index] = probability > 0.5
        appearances.append(appearance)
    place = _place_between(region, axis, planes)
    across = np.moveaxis(place, axis, 0)
    if len(planes) > 1 and any(outline.drawn is not None for found in outlines.values() for outline in found):
        # A drawn mask of several slices is the whole object.
        across[: min(planes)] = across[max(planes) + 1 :] = -_PLACE_WEIGHT * _MOST_PLACE
    for index, values in places.items():
        across[index] = values
    inside = np.mean([each.inside for each in appearances], axis=0)
    outside = np.mean([each.outside for each in appearances], axis=0)
    return _Source(place, held, sure, Appearance(inside, outside))


def _segment_plane(
    region: WalkerRegion,
    weights: list[np.ndarray],
    strength: float,
    axis: int,
    index: int,
    place: np.ndarray,
    outside: np.ndarray,
    drawn: np.ndarray,
) -> tuple[np.ndarray, Appearance]:
    """The object's probability on a plane with an outline, from this plane alone, and its appearance there."""
    grey = np.take(region.grey, [index], axis)
    across = [np.take(w, [] if n == axis else [index], axis) for n, w in enumerate(weights)]
    core = drawn if drawn.any() else _core(place, ~outside)
    appearance = Appearance.from_regions(np.take(grey, 0, axis), core, outside if outside.any() else ~core)
    prior = sigmoid(np.expand_dims(place, axis) + _look(grey, appearance))
    seeds = np.expand_dims(np.where(drawn, 1, np.where(outside, -1, 0)), axis)
    return np.take(object_probability(across, prior, strength, seeds, prior), 0, axis), appearance


def _core(place: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The voxels `within` an outline that are most likely object from their place."""
    return within & (place >= np.quantile(place[within], 1 - _CORE)) if within.any() else place >= place.max()


def _place_between(region: WalkerRegion, axis: int, planes: dict[int, np.ndarray]) -> np.ndarray:
    """The log-odds of place on all planes across `axis`, from the object's masks on some."""
    known = sorted(planes)
    depths = {index: _depth_mm(region, planes[index], axis) for index in known}
    areas = {index: _area_mm2(region, planes[index], axis) for index in known}
    # An empty or full plane has no outline, and an infinite depth.
    farthest = float((np.array(region.grey.shape) * region.step_mm).max())
    depths = {index: np.clip(depth, -farthest, farthest) for index, depth in depths.items()}
    step = float(region.step_mm[axis])
    shape = list(region.grey.shape)
    place = np.empty([shape[axis], *np.delete(shape, axis)], np.float32)
    for index in range(shape[axis]):
        below = max((n for n in known if n <= index), default=None)
        above = min((n for n in known if n >= index), default=None)
        ends = [n for n in (below, above) if n is not None]
        nearest = min(ends, key=lambda n: abs(n - index))
        area = max(areas[nearest], 1e-3)
        radius, distance = float(np.sqrt(area / np.pi)), abs(index - nearest) * step
        if len(ends) == 2 and below != above:
            part = (index - ends[0]) / (ends[1] - ends[0])
            depth = (1 - part) * depths[ends[0]] + part * depths[ends[1]]
        else:
            depth = depths[nearest] - _drawn_in_mm(radius, distance, step)
        softness = _OUTLINE_SOFTNESS * np.sqrt(area) * (1 + distance / radius)
        place[index] = _place(depth / softness)
    return np.moveaxis(place, 0, axis)


def _drawn_in_mm(radius: float, distance: float, step: float) -> float:
    """The distance by which an ellipsoid's outline lies inside its largest one, so far across the planes."""
    height = _HEIGHT * radius + step / 2
    if distance >= height:
        return radius + distance - height
    return radius * (1 - float(np.sqrt(1 - (distance / height) ** 2)))


def _from_boxes(region: WalkerRegion, boxes: Sequence[Extent]) -> _Source:
    """The evidence of boxes in 3-D: the object fills an ellipsoid in each."""
    radius = np.full(region.grey.shape, np.inf)
    inside = np.zeros(region.grey.shape, bool)
    for box in boxes:
        offsets = np.ix_(*(np.abs(a - m) / (h + 0.5) for a, m, h in zip(*_ellipsoid(region, box), strict=True)))
        radius = np.minimum(radius, np.sqrt(offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2))
        inside |= (offsets[0] <= 1) & (offsets[1] <= 1) & (offsets[2] <= 1)
    held = np.where(inside, 0, -1).astype(np.int8)
    place = _ellipse_place(radius)
    core = _core(place, inside)
    appearance = Appearance.from_regions(region.grey, core, ~inside if (~inside).any() else ~core)
    return _Source(place, held, core, appearance)


def _from_click(region: WalkerRegion, click: Stroke) -> _Source:
    """The evidence of a click without an outline."""
    distance = region.distance_mm(click.voxels)
    held = np.zeros(region.grey.shape, np.int8)
    reach = click_reach_mm(region)
    near = distance <= max(4 * min(_CLICK_RADIUS_MM, _CLICK_PART * reach / 2), float(distance.min()))
    place = _place(1.0 - 3.0 * distance / reach)
    return _Source(place, held, near, Appearance.from_regions(region.grey, near, ~near))

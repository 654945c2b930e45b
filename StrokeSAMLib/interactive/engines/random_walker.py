"""The engine without weights: a random walker with priors of place and of intensity.

From a box: the object fills an ellipse in it, and looks like the ellipse's core rather than like what lies outside the
box. From clicks: it looks like what was clicked, near there. On the next slice: it lies where it lay, somewhat smaller,
and looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.interactive.engines.appearance import Appearance
from StrokeSAMLib.interactive.engines.base import Answer, Context, Spacing
from StrokeSAMLib.interactive.engines.walker_solver import walk
from StrokeSAMLib.interactive.memory import MIB, Footprint
from StrokeSAMLib.interactive.slices import SlicePrompts
from StrokeSAMLib.options import NoOptions, build_options

# The numbers were tuned on three RECIST lesions and three phantoms (docs/interactive.md).
# The grid on which the walker walks has at most so many pixels a side.
_GRID = 64
_MARGIN = 0.25
_LEAST_MARGIN_MM = 6.0
_SMOOTHING_PX = 0.9
# How softly the ellipse in a box, or the outline on the slice before, holds (of the radius; of the square root of
# the area).
_ELLIPSE_SOFTNESS, _OUTLINE_SOFTNESS = 0.28, 0.22
_PLACE, _MOST_PLACE = 1.6, 6.0
_LOOK, _MOST_LOOK = 0.65, 5.0
# An object ends about as far along the stack as across it: half its height, in radii of the prompted slice.
_HEIGHT = 1.1
# It has ended where less than this of the prompted slice's area is left, or where what is left looks like the
# surroundings.
_LEAST_AREA, _LEAST_EVIDENCE = 0.13, 0.1
# Around a click alone the object is looked for so far, mm; a head's lesions have radii of 5 to 45.
_CLICK_REACH_MM = 45.0
_CLICK_RADIUS_MM = 2.5
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class WalkerFeatures:
    """A slice as it is: there is nothing to encode. `pixels` is a view of the volume's bytes."""

    pixels: np.ndarray
    spacing: Spacing

    @property
    def nbytes(self) -> int:
        """Nothing beyond the volume itself."""
        return 0

    def to(self, device: str) -> WalkerFeatures:
        """Itself: there is only the host."""
        return self


@dataclass(frozen=True, eq=False)
class WalkerAnswer:
    """A mask, cropped, and what the next slice needs to know.

    Attributes:
        crop: bool, from `corner` (row, column).
        appearance: of the object and its surroundings on the prompted slice.
        radius_mm: of a circle of the prompted slice's area.
        travelled_mm: from the prompted slice to this.
    """

    crop: np.ndarray
    corner: tuple[int, int]
    appearance: Appearance
    radius_mm: float
    travelled_mm: float = 0.0

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Bool (row, column)."""
        full = np.zeros(shape, bool)
        rows, columns = self.crop.shape
        full[self.corner[0] : self.corner[0] + rows, self.corner[1] : self.corner[1] + columns] = self.crop
        return full


class RandomWalker:
    """See the module. Stateless."""

    id = "random-walker"
    accepts = frozenset({"point", "box", "mask"})
    device = "cpu"
    tracks = False

    def encode(self, pixels: np.ndarray, spacing: Spacing) -> WalkerFeatures:
        """The slice itself."""
        return WalkerFeatures(pixels, spacing)

    def predict(
        self,
        features: WalkerFeatures,
        prompts: SlicePrompts,
        prior: Answer | None = None,
        context: Context | None = None,
    ) -> WalkerAnswer:
        """See `Engine.predict`."""
        shape = features.pixels.shape
        drawn = prompts.mask
        if drawn is not None and len(prompts.points) == 0:
            return self._as_drawn(features, drawn)
        start = prior.mask(shape) if prior is not None else drawn
        if start is not None and not start.any():
            start = None
        if start is None and prompts.only_negative:
            return replace(prior, crop=np.zeros_like(prior.crop))  # there was nothing, and there is not
        field = _Field(features, _extent(prompts, start, features.spacing))
        place = field.place_of(prompts, start)
        seeds = field.seeds_of(prompts)
        appearance = prior.appearance if start is not None and prior is not None else field.first_look(place, seeds)
        rounds = 1 if start is not None else _ROUNDS
        for n in range(rounds):
            found = field.walk(place, appearance, seeds)
            if n + 1 < rounds and 4 < np.count_nonzero(found) < found.size - 4:
                appearance = Appearance.of(field.grey, found, ~found)
        crop = field.full_size(found, prompts)
        return _answer(crop, field.corner, appearance, features.spacing)

    def follow(self, features: WalkerFeatures, neighbour: WalkerAnswer, shape: tuple[int, int]) -> WalkerAnswer:
        """See `Engine.follow`."""
        before = neighbour.mask(shape)
        step = features.spacing[2]
        travelled = neighbour.travelled_mm + step
        field = _Field(features, _extent(SlicePrompts(shape), before, features.spacing))
        place = field.place_of(SlicePrompts(shape), before, _shrinkage(neighbour, travelled, step, field.pixel_mm2))
        found = field.walk(place, neighbour.appearance, np.zeros(field.grey.shape, np.int8))
        crop = field.full_size(found, SlicePrompts(shape))
        answer = replace(neighbour, crop=crop, corner=field.corner, travelled_mm=travelled)
        return answer if self._goes_on(answer, field, found) else replace(answer, crop=np.zeros_like(crop))

    def footprint(self) -> Footprint:
        """See `Engine.footprint`."""
        return Footprint(model=0, working=20 * MIB, features=0, answer=MIB // 16)

    def use_cpu(self) -> bool:
        """It is there."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """Nothing: there is nothing to choose."""
        return {}

    def _goes_on(self, answer: WalkerAnswer, field: _Field, found: np.ndarray) -> bool:
        area = np.count_nonzero(answer.crop) * field.pixel_mm2
        if not found.any() or area < _LEAST_AREA * np.pi * answer.radius_mm**2:
            return False
        return float(field.look(answer.appearance)[found].mean()) >= _LEAST_EVIDENCE

    def _as_drawn(self, features: WalkerFeatures, drawn: np.ndarray) -> WalkerAnswer:
        field = _Field(features, _extent(SlicePrompts(drawn.shape), drawn, features.spacing))
        inside = field.sampled(drawn) > 0.5
        return _answer(drawn[field.rows, field.columns], field.corner, field.learn(inside), features.spacing)


class _Field:
    """A part of a slice on the walker's grid: square pixels, few enough.

    Attributes:
        grey: Float64 (row, column), smoothed.
        corner: (row, column) of the slice at which it begins.
    """

    def __init__(self, features: WalkerFeatures, extent: tuple[float, float, float, float]):
        low_x, low_y, high_x, high_y = extent
        rows, columns = features.pixels.shape
        self.rows = slice(max(int(low_y), 0), min(int(np.ceil(high_y)) + 1, rows))
        self.columns = slice(max(int(low_x), 0), min(int(np.ceil(high_x)) + 1, columns))
        self.corner = (self.rows.start, self.columns.start)
        crop = features.pixels[self.rows, self.columns].astype(np.float64)
        self._shape = crop.shape
        steps = (features.spacing[1], features.spacing[0])
        self.pixel_mm2 = steps[0] * steps[1]
        size_mm = [n * step for n, step in zip(crop.shape, steps, strict=True)]
        self.step_mm = max(max(size_mm) / _GRID, min(steps))
        self._zoom = [step / self.step_mm for step in steps]
        # At least what the coarser grid asks for.
        blur = [max(_SMOOTHING_PX * min(steps), 0.5 * self.step_mm) / step for step in steps]
        self.grey = self._small(ndi.gaussian_filter(crop, blur, mode="nearest"))

    def _small(self, array: np.ndarray) -> np.ndarray:
        return ndi.zoom(array.astype(np.float64), self._zoom, order=1, mode="nearest", grid_mode=True)

    def sampled(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the whole slice on this grid, 0…1."""
        return self._small(mask[self.rows, self.columns])

    def _coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """(column, row) of the slice, of this grid's pixel centres."""
        rows, columns = self.grey.shape
        y = (np.arange(rows) + 0.5) * self._shape[0] / rows - 0.5 + self.corner[0]
        x = (np.arange(columns) + 0.5) * self._shape[1] / columns - 0.5 + self.corner[1]
        return x[None, :], y[:, None]

    def _distance_mm(self, point: np.ndarray) -> np.ndarray:
        x, y = self._coordinates()
        scale = [self.step_mm * n / size for n, size in zip(self.grey.shape, self._shape, strict=True)]
        return np.hypot((x - point[0]) * scale[1], (y - point[1]) * scale[0])

    def place_of(self, prompts: SlicePrompts, start: np.ndarray | None, shrink_mm: float = 0.0) -> np.ndarray:
        """The log-odds that each pixel's place gives to the object."""
        if start is not None:
            place = self._near_outline(start, shrink_mm)
        elif prompts.box is not None:
            place = (1.03 - self._radius_in(prompts.box)) / _ELLIPSE_SOFTNESS
        else:
            clicks = prompts.points[prompts.labels == 1]
            nearest = np.min([self._distance_mm(point) for point in clicks], axis=0)
            place = 1.0 - 3.0 * nearest / _CLICK_REACH_MM
        if start is not None:
            for point, label in zip(prompts.points, prompts.labels, strict=True):
                self._correct(place, point, 1.0 if label else -1.0)
        return _PLACE * np.clip(place, -_MOST_PLACE, _MOST_PLACE)

    def _near_outline(self, start: np.ndarray, shrink_mm: float) -> np.ndarray:
        inside = self.sampled(start) > 0.5
        depth = np.where(inside, ndi.distance_transform_edt(inside) - 0.5, 0.5 - ndi.distance_transform_edt(~inside))
        softness = max(_OUTLINE_SOFTNESS * np.sqrt(np.count_nonzero(inside)), 1.0)
        return (depth - shrink_mm / self.step_mm) / softness

    def _correct(self, place: np.ndarray, point: np.ndarray, sign: float) -> None:
        """Where a click contradicts the outline, forget the outline as far around it as it lies from the outline."""
        distance = self._distance_mm(point)
        here = np.unravel_index(np.argmin(distance), distance.shape)
        if place[here] * sign > 0:
            return
        agreed = place * sign > 0
        reach = float(distance[agreed].min()) if agreed.any() else _CLICK_REACH_MM
        reach = max(1.3 * reach, 2 * _CLICK_RADIUS_MM)
        near = distance < reach
        place[near] = sign * (1.0 - 2.0 * distance[near] / reach)

    def _radius_in(self, box: tuple[float, float, float, float]) -> np.ndarray:
        """1 on the ellipse that the box holds."""
        x, y = self._coordinates()
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        half = ((box[2] - box[0]) / 2 + 0.5, (box[3] - box[1]) / 2 + 0.5)
        return np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1])

    def seeds_of(self, prompts: SlicePrompts) -> np.ndarray:
        """Int8: 1 around positive clicks, −1 around negative ones and outside the box, else 0."""
        seeds = np.zeros(self.grey.shape, np.int8)
        if prompts.box is not None:
            x, y = self._coordinates()
            low_x, low_y, high_x, high_y = prompts.box
            seeds[(x < low_x - 0.5) | (x > high_x + 0.5) | (y < low_y - 0.5) | (y > high_y + 0.5)] = -1
        for point, label in zip(prompts.points, prompts.labels, strict=True):
            distance = self._distance_mm(point)
            seeds[distance <= max(_CLICK_RADIUS_MM / 2, float(distance.min()))] = 1 if label else -1
        return seeds

    def first_look(self, place: np.ndarray, seeds: np.ndarray) -> Appearance:
        """What the object looks like before anything is known of it but its place."""
        inside = place >= np.quantile(place, 0.75) if not (seeds > 0).any() else self._around(seeds > 0)
        if (seeds < 0).any():
            return Appearance.of(self.grey, inside, seeds < 0)
        return Appearance.of(self.grey, inside, ~inside)

    def _around(self, seeds: np.ndarray) -> np.ndarray:
        near = ndi.distance_transform_edt(~seeds) * self.step_mm
        return near <= 2 * _CLICK_RADIUS_MM

    def learn(self, inside: np.ndarray) -> Appearance:
        """What is `inside` looks like, and the rest."""
        return Appearance.of(self.grey, inside, ~inside)

    def look(self, appearance: Appearance) -> np.ndarray:
        """The log-odds that each pixel's intensity gives to the object."""
        return np.clip(appearance.evidence(self.grey), -_MOST_LOOK, _MOST_LOOK)

    def walk(self, place: np.ndarray, appearance: Appearance, seeds: np.ndarray) -> np.ndarray:
        """The object, bool."""
        prior = 1 / (1 + np.exp(-(place + _LOOK * self.look(appearance))))
        self._probability = walk(self.grey, prior, seeds)
        return self._probability > 0.5

    def full_size(self, found: np.ndarray, prompts: SlicePrompts) -> np.ndarray:
        """The object on the slice's own pixels: its largest part, or the parts with clicks, holes filled."""
        back = [full / small for full, small in zip(self._shape, found.shape, strict=True)]
        fine = ndi.zoom(self._probability, back, order=1, mode="nearest", grid_mode=True)[
            : self._shape[0], : self._shape[1]
        ]
        labels, count = ndi.label(fine > 0.5)
        if count == 0:
            return labels > 0
        sizes = ndi.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
        sizes[0] = 0
        clicked = {labels[place] for place in self._pixels(prompts.points[prompts.labels == 1])}
        kept = np.isin(labels, sorted({int(np.argmax(sizes)), *clicked} - {0}))
        return _without_holes(kept, self._pixels(prompts.points[prompts.labels == 0]))

    def _pixels(self, points: np.ndarray) -> list[tuple[int, int]]:
        """(row, column) within this part of the slice, of the nearest pixels."""
        last = np.array(self._shape) - 1
        return [tuple(np.clip(np.rint(point[::-1]) - self.corner, 0, last).astype(int)) for point in points]


def _without_holes(mask: np.ndarray, open_at: list[tuple[int, int]]) -> np.ndarray:
    """`mask` with its holes filled, but for those that a negative click made."""
    filled = ndi.binary_fill_holes(mask)
    holes, _ = ndi.label(filled & ~mask)
    wanted = {holes[place] for place in open_at} - {0}
    return filled & ~np.isin(holes, sorted(wanted)) if wanted else filled


def load(id: str, weights: Any, device: str, options: dict[str, Any]) -> RandomWalker:
    """The engine; it has no options."""
    build_options(NoOptions, options, f"engine {id}")
    return RandomWalker()


def _answer(crop: np.ndarray, corner: tuple[int, int], appearance: Appearance, spacing: Spacing) -> WalkerAnswer:
    radius = float(np.sqrt(np.count_nonzero(crop) * spacing[0] * spacing[1] / np.pi))
    return WalkerAnswer(crop, corner, appearance, radius)


def _extent(prompts: SlicePrompts, start: np.ndarray | None, spacing: Spacing) -> tuple[float, float, float, float]:
    """(column, row, column, row) around all that is known, with a margin."""
    known = [np.asarray(prompts.box, float).reshape(2, 2)] if prompts.box is not None else []
    if start is not None:
        rows, columns = np.nonzero(start)
        known.append(np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]], float))
    steps = np.array(spacing[:2])
    if known:
        low, high = np.min([k[0] for k in known], axis=0), np.max([k[1] for k in known], axis=0)
        margin = np.maximum(_MARGIN * ((high - low) * steps).max(), _LEAST_MARGIN_MM) / steps
        low, high = low - margin, high + margin
        around = np.full(2, 2 * _CLICK_RADIUS_MM) / steps
    else:
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        around = np.full(2, _CLICK_REACH_MM) / steps
    wanted = prompts.points if known else prompts.points[prompts.labels == 1]
    for point in wanted:
        low, high = np.minimum(low, point - around), np.maximum(high, point + around)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _shrinkage(neighbour: WalkerAnswer, travelled: float, step: float, pixel_mm2: float) -> float:
    """How much nearer, mm, the outline of an ellipsoid is than it was one slice before."""
    height = _HEIGHT * neighbour.radius_mm + step / 2

    def radius(z: float) -> float:
        return neighbour.radius_mm * np.sqrt(max(0.0, 1 - (z / height) ** 2))

    shrink = radius(neighbour.travelled_mm) - radius(travelled)
    if travelled < height:
        return shrink
    return max(shrink, 0.5 * float(np.sqrt(np.count_nonzero(neighbour.crop) * pixel_mm2 / np.pi)))

"""The engine without weights: a random walker with priors of location and of intensity.

The priors depend on the prompts:
- A box: the object fills an ellipse in it, and resembles the core of the ellipse more than the pixels outside the box.
- Clicks: the object lies near the positive clicks, and resembles the pixels around them.
- The next slice: the object lies where it lay on the slice before, is somewhat smaller, and looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.core.options import NoOptions, build_options
from StrokeSAMLib.interactive.engines.appearance import Appearance
from StrokeSAMLib.interactive.engines.base import PropagationContext, Spacing
from StrokeSAMLib.interactive.engines.walker_solver import object_probability
from StrokeSAMLib.interactive.features.footprint import MIB, Footprint
from StrokeSAMLib.interactive.slice_prompts import SlicePrompts

# The numbers were tuned on three RECIST lesions and three phantoms (docs/interactive.md).
# The largest side of the walker's grid, pixels.
_GRID = 64
# Margin around the prompts: a part of their longer side, and at least so many mm.
_MARGIN = 0.25
_LEAST_MARGIN_MM = 6.0
_SMOOTHING_PX = 0.9
# Softness of the location prior: of the ellipse in a box, as a part of its radius; of the outline on the slice before,
# as a part of the square root of its area.
_ELLIPSE_SOFTNESS, _OUTLINE_SOFTNESS = 0.28, 0.22
# Weights and bounds of the log-odds of location and of intensity.
_LOCATION_WEIGHT, _MOST_LOCATION = 1.6, 6.0
_INTENSITY_WEIGHT, _MOST_INTENSITY = 0.65, 5.0
# Half the height of the object along the stack, in radii of the prompted slice: objects are about as high as wide.
_HEIGHT = 1.1
# The object has ended where less than this part of the prompted slice's area is left, or where the mean log-odds of
# intensity are below this: it looks like the surroundings.
_LEAST_AREA, _LEAST_LOG_ODDS = 0.13, 0.1
# Reach of a click without a box or a mask; lesions of the head have radii of 5 to 45 mm.
_CLICK_REACH_MM = 45.0
_CLICK_RADIUS_MM = 2.5
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class WalkerFeatures:
    """A slice without encoding. `pixels` is a view of the volume's 8-bit slices."""

    pixels: np.ndarray
    spacing: Spacing

    @property
    def nbytes(self) -> int:
        """0: the pixels are those of the volume."""
        return 0

    def to(self, device: str) -> WalkerFeatures:
        """The same object: the engine runs on the host only."""
        return self


@dataclass(frozen=True, eq=False)
class WalkerPrediction:
    """A cropped mask, and the state for the next slice.

    Attributes:
        crop: part of the mask, bool (row, column).
        corner: (row, column) of the first pixel of `crop` on the slice.
        appearance: appearance of the object and its surroundings on the prompted slice.
        radius_mm: radius of a circle of the object's area on the prompted slice.
        travelled_mm: distance from the prompted slice to this one.
    """

    crop: np.ndarray
    corner: tuple[int, int]
    appearance: Appearance
    radius_mm: float
    travelled_mm: float = 0.0

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """See `Prediction.mask`."""
        full = np.zeros(shape, bool)
        rows, columns = self.crop.shape
        full[self.corner[0] : self.corner[0] + rows, self.corner[1] : self.corner[1] + columns] = self.crop
        return full


class RandomWalker:
    """The engine of this module. It has no state."""

    id = "random-walker"
    accepts = frozenset({"point", "box", "mask"})
    device = "cpu"
    tracks = False
    notes: tuple[str, ...] = ()

    def encode(self, pixels: np.ndarray, spacing: Spacing) -> WalkerFeatures:
        """The slice itself."""
        return WalkerFeatures(pixels, spacing)

    def predict(
        self,
        features: WalkerFeatures,
        prompts: SlicePrompts,
        previous: WalkerPrediction | None = None,
        context: PropagationContext | None = None,
    ) -> WalkerPrediction:
        """See `Engine.predict`."""
        shape = features.pixels.shape
        drawn = prompts.mask
        if drawn is not None and len(prompts.points) == 0:
            return self._from_drawn(features, drawn)
        start = previous.mask(shape) if previous is not None else drawn
        if start is not None and not start.any():
            start = None
        if start is None and previous is not None and prompts.only_negative:
            return replace(previous, crop=np.zeros_like(previous.crop))  # the empty mask stays empty
        field = _Field(features, _extent(prompts, start, features.spacing))
        location = field.location_log_odds(prompts, start)
        seeds = field.seeds(prompts)
        if start is not None and previous is not None:
            appearance = previous.appearance
        else:
            appearance = field.initial_appearance(location, seeds)
        rounds = 1 if start is not None else _ROUNDS
        for n in range(rounds):
            probability = field.probability(location, appearance, seeds)
            inside = probability > 0.5
            if n + 1 < rounds and 4 < np.count_nonzero(inside) < inside.size - 4:
                appearance = field.appearance(inside)
        crop = field.crop_mask(probability, prompts)
        return _new_prediction(crop, field.corner, appearance, features.spacing)

    def follow(self, features: WalkerFeatures, neighbour: WalkerPrediction, shape: tuple[int, int]) -> WalkerPrediction:
        """See `Engine.follow`."""
        before = neighbour.mask(shape)
        step = features.spacing[2]
        travelled = neighbour.travelled_mm + step
        field = _Field(features, _extent(SlicePrompts(shape), before, features.spacing))
        shrinkage = _shrinkage_mm(neighbour, travelled, step, field.pixel_mm2)
        location = field.location_log_odds(SlicePrompts(shape), before, shrinkage)
        probability = field.probability(location, neighbour.appearance, np.zeros(field.grey.shape, np.int8))
        crop = field.crop_mask(probability, SlicePrompts(shape))
        prediction = replace(neighbour, crop=crop, corner=field.corner, travelled_mm=travelled)
        if self._continues(prediction, field, probability > 0.5):
            return prediction
        return replace(prediction, crop=np.zeros_like(crop))

    def footprint(self) -> Footprint:
        """See `Engine.footprint`."""
        return Footprint(model=0, working=20 * MIB, features=0, prediction=MIB // 16)

    def use_cpu(self) -> bool:
        """False: the engine always runs on the CPU."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """No settings: the engine has no options and no weights."""
        return {}

    def _continues(self, prediction: WalkerPrediction, field: _Field, inside: np.ndarray) -> bool:
        """True if the object has not ended before this slice; `inside` is its mask on the walker's grid."""
        area = np.count_nonzero(prediction.crop) * field.pixel_mm2
        if not inside.any() or area < _LEAST_AREA * np.pi * prediction.radius_mm**2:
            return False
        return float(field.intensity_log_odds(prediction.appearance)[inside].mean()) >= _LEAST_LOG_ODDS

    def _from_drawn(self, features: WalkerFeatures, drawn: np.ndarray) -> WalkerPrediction:
        field = _Field(features, _extent(SlicePrompts(drawn.shape), drawn, features.spacing))
        appearance = field.appearance(field.on_grid(drawn) > 0.5)
        return _new_prediction(drawn[field.rows, field.columns], field.corner, appearance, features.spacing)


class _Field:
    """A part of a slice on the walker's grid, which has square pixels and at most `_GRID` a side.

    Attributes:
        grey: smoothed intensities on the grid, Float64 (row, column).
        rows, columns: the part of the slice.
        corner: (row, column) of the first pixel of that part.
        pixel_mm2: area of a pixel of the slice.
        step_mm: spacing of the grid.
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
        # At least the smoothing that the coarser grid needs against aliasing.
        blur = [max(_SMOOTHING_PX * min(steps), 0.5 * self.step_mm) / step for step in steps]
        self.grey = self._zoomed(ndi.gaussian_filter(crop, blur, mode="nearest"))

    def _zoomed(self, array: np.ndarray) -> np.ndarray:
        return ndi.zoom(array.astype(np.float64), self._zoom, order=1, mode="nearest", grid_mode=True)

    def on_grid(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the slice on this grid, Float64 0…1."""
        return self._zoomed(mask[self.rows, self.columns])

    def _coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """The column (1, n) and the row (n, 1) on the slice of this grid's pixel centres."""
        rows, columns = self.grey.shape
        y = (np.arange(rows) + 0.5) * self._shape[0] / rows - 0.5 + self.corner[0]
        x = (np.arange(columns) + 0.5) * self._shape[1] / columns - 0.5 + self.corner[1]
        return x[None, :], y[:, None]

    def _distance_mm(self, point: np.ndarray) -> np.ndarray:
        """The distance of each grid pixel from a point (column, row) of the slice."""
        x, y = self._coordinates()
        scale = [self.step_mm * n / size for n, size in zip(self.grey.shape, self._shape, strict=True)]
        return np.hypot((x - point[0]) * scale[1], (y - point[1]) * scale[0])

    def location_log_odds(self, prompts: SlicePrompts, start: np.ndarray | None, shrink_mm: float = 0.0) -> np.ndarray:
        """The log-odds of the object from each grid pixel's location.

        Args:
            prompts: prompts on the slice.
            start: a mask of the object to start from, bool (row, column) of the slice.
            shrink_mm: distance by which the outline of `start` moves inward.
        """
        if start is not None:
            location = self._from_outline(start, shrink_mm)
        elif prompts.box is not None:
            location = (1.03 - self._ellipse_radius(prompts.box)) / _ELLIPSE_SOFTNESS
        else:
            clicks = prompts.points[prompts.labels == 1]
            nearest = np.min([self._distance_mm(point) for point in clicks], axis=0)
            location = 1.0 - 3.0 * nearest / _CLICK_REACH_MM
        if start is not None:
            for point, label in zip(prompts.points, prompts.labels, strict=True):
                self._correct(location, point, 1.0 if label else -1.0)
        return _LOCATION_WEIGHT * np.clip(location, -_MOST_LOCATION, _MOST_LOCATION)

    def _from_outline(self, start: np.ndarray, shrink_mm: float) -> np.ndarray:
        inside = self.on_grid(start) > 0.5
        depth = np.where(inside, ndi.distance_transform_edt(inside) - 0.5, 0.5 - ndi.distance_transform_edt(~inside))
        softness = max(_OUTLINE_SOFTNESS * np.sqrt(np.count_nonzero(inside)), 1.0)
        return (depth - shrink_mm / self.step_mm) / softness

    def _correct(self, location: np.ndarray, point: np.ndarray, sign: float) -> None:
        """Where a click contradicts the outline, replace `location` around it, as far as the outline lies from it."""
        distance = self._distance_mm(point)
        pixel = np.unravel_index(np.argmin(distance), distance.shape)
        if location[pixel] * sign > 0:
            return
        agreeing = location * sign > 0
        reach = float(distance[agreeing].min()) if agreeing.any() else _CLICK_REACH_MM
        reach = max(1.3 * reach, 2 * _CLICK_RADIUS_MM)
        near = distance < reach
        location[near] = sign * (1.0 - 2.0 * distance[near] / reach)

    def _ellipse_radius(self, box: tuple[float, float, float, float]) -> np.ndarray:
        """The distance of each grid pixel from the middle of the box, 1 on the ellipse that fills it."""
        x, y = self._coordinates()
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        half = ((box[2] - box[0]) / 2 + 0.5, (box[3] - box[1]) / 2 + 0.5)
        return np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1])

    def seeds(self, prompts: SlicePrompts) -> np.ndarray:
        """The seeds on the grid, Int8: 1 around positive clicks, −1 around negative ones and outside a box, else 0."""
        seeds = np.zeros(self.grey.shape, np.int8)
        if prompts.box is not None:
            x, y = self._coordinates()
            low_x, low_y, high_x, high_y = prompts.box
            seeds[(x < low_x - 0.5) | (x > high_x + 0.5) | (y < low_y - 0.5) | (y > high_y + 0.5)] = -1
        for point, label in zip(prompts.points, prompts.labels, strict=True):
            distance = self._distance_mm(point)
            seeds[distance <= max(_CLICK_RADIUS_MM / 2, float(distance.min()))] = 1 if label else -1
        return seeds

    def initial_appearance(self, location: np.ndarray, seeds: np.ndarray) -> Appearance:
        """The appearance of the object from its location and seeds alone."""
        inside = location >= np.quantile(location, 0.75) if not (seeds > 0).any() else self._near(seeds > 0)
        outside = seeds < 0 if (seeds < 0).any() else ~inside
        return Appearance.from_regions(self.grey, inside, outside)

    def _near(self, seeds: np.ndarray) -> np.ndarray:
        distance = ndi.distance_transform_edt(~seeds) * self.step_mm
        return distance <= 2 * _CLICK_RADIUS_MM

    def appearance(self, inside: np.ndarray) -> Appearance:
        """The appearance of the pixels `inside` a mask of the grid, and of the pixels outside it."""
        return Appearance.from_regions(self.grey, inside, ~inside)

    def intensity_log_odds(self, appearance: Appearance) -> np.ndarray:
        """The log-odds of the object from each grid pixel's intensity."""
        return np.clip(appearance.log_likelihood_ratio(self.grey), -_MOST_INTENSITY, _MOST_INTENSITY)

    def probability(self, location: np.ndarray, appearance: Appearance, seeds: np.ndarray) -> np.ndarray:
        """The probability of the object on the grid, Float64 0…1."""
        log_odds = location + _INTENSITY_WEIGHT * self.intensity_log_odds(appearance)
        return object_probability(self.grey, 1 / (1 + np.exp(-log_odds)), seeds)

    def crop_mask(self, probability: np.ndarray, prompts: SlicePrompts) -> np.ndarray:
        """The mask on the slice's own pixels, bool (row, column) of `rows` and `columns`.

        It keeps the largest part of the object and the parts with positive clicks, with holes filled.
        """
        zoom = [full / small for full, small in zip(self._shape, probability.shape, strict=True)]
        fine = ndi.zoom(probability, zoom, order=1, mode="nearest", grid_mode=True)[: self._shape[0], : self._shape[1]]
        labels, count = ndi.label(fine > 0.5)
        if count == 0:
            return labels > 0
        sizes = ndi.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
        sizes[0] = 0
        clicked = {labels[pixel] for pixel in self._pixels(prompts.points[prompts.labels == 1])}
        parts = np.isin(labels, sorted({int(np.argmax(sizes)), *clicked} - {0}))
        return _without_holes(parts, self._pixels(prompts.points[prompts.labels == 0]))

    def _pixels(self, points: np.ndarray) -> list[tuple[int, int]]:
        """The nearest pixels (row, column) within this part of the slice."""
        last = np.array(self._shape) - 1
        return [tuple(np.clip(np.rint(point[::-1]) - self.corner, 0, last).astype(int)) for point in points]


def _without_holes(mask: np.ndarray, negative_pixels: list[tuple[int, int]]) -> np.ndarray:
    """`mask` with its holes filled, except holes with a negative click."""
    filled = ndi.binary_fill_holes(mask)
    holes, _ = ndi.label(filled & ~mask)
    open_holes = {holes[pixel] for pixel in negative_pixels} - {0}
    return filled & ~np.isin(holes, sorted(open_holes)) if open_holes else filled


def load(id: str, weights: Any, device: str, options: dict[str, Any]) -> RandomWalker:
    """The engine; it has no options."""
    build_options(NoOptions, options, f"engine {id}")
    return RandomWalker()


def _new_prediction(
    crop: np.ndarray, corner: tuple[int, int], appearance: Appearance, spacing: Spacing
) -> WalkerPrediction:
    """A prediction on a prompted slice."""
    radius = float(np.sqrt(np.count_nonzero(crop) * spacing[0] * spacing[1] / np.pi))
    return WalkerPrediction(crop, corner, appearance, radius)


def _extent(prompts: SlicePrompts, start: np.ndarray | None, spacing: Spacing) -> tuple[float, float, float, float]:
    """(column, row, column, row) around the prompts and the mask `start`, with a margin."""
    bounds = [np.asarray(prompts.box, float).reshape(2, 2)] if prompts.box is not None else []
    if start is not None:
        rows, columns = np.nonzero(start)
        bounds.append(np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]], float))
    steps = np.array(spacing[:2])
    if bounds:
        low, high = np.min([each[0] for each in bounds], axis=0), np.max([each[1] for each in bounds], axis=0)
        margin = np.maximum(_MARGIN * ((high - low) * steps).max(), _LEAST_MARGIN_MM) / steps
        low, high = low - margin, high + margin
        click_margin = np.full(2, 2 * _CLICK_RADIUS_MM) / steps
    else:
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        click_margin = np.full(2, _CLICK_REACH_MM) / steps
    points = prompts.points if bounds else prompts.points[prompts.labels == 1]
    for point in points:
        low, high = np.minimum(low, point - click_margin), np.maximum(high, point + click_margin)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _shrinkage_mm(neighbour: WalkerPrediction, travelled: float, step: float, pixel_mm2: float) -> float:
    """The distance by which the outline of an ellipsoid moves inward from one slice to the next, mm."""
    height = _HEIGHT * neighbour.radius_mm + step / 2

    def radius(z: float) -> float:
        return neighbour.radius_mm * np.sqrt(max(0.0, 1 - (z / height) ** 2))

    shrinkage = radius(neighbour.travelled_mm) - radius(travelled)
    if travelled < height:
        return shrinkage
    return max(shrinkage, 0.5 * float(np.sqrt(np.count_nonzero(neighbour.crop) * pixel_mm2 / np.pi)))

"""The simulated user of the training: a box, a click or a mask first, then clicks and scribbles in the errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, gaussian
from StrokeSAMLib.interactive.prompt_maps import CubeBox, CubePoint, CubePrompts
from StrokeSAMLib.training.prompts.cubes import Cube
from StrokeSAMLib.training.synthesis.fields import chance, smooth_noise, uniform

# Parts of the sessions that begin otherwise than with a box on one slice.
_CLICK_FIRST, _MASK_FIRST, _BOX_3D, _SECOND_BOX = 0.08, 0.12, 0.08, 0.1
_JITTER = 0.06
# Parts of the corrections that are scribbles, and that are anywhere in an error, not in the middle of the largest.
_SCRIBBLES, _ANYWHERE = 0.12, 0.25
_LEAST_ERROR = 4


@dataclass(frozen=True)
class Turn:
    """The prompts so far and the answer that the newest corrects.

    Attributes:
        prompts: all prompts.
        previous: probability of the last answer, float32 (k, j, i); None before the first answer.
        newest: the points that the last turn added.
    """

    prompts: CubePrompts
    previous: np.ndarray | None = None
    newest: tuple[CubePoint, ...] = ()


def first_turn(cube: Cube, rng: np.random.Generator) -> Turn:
    """The first prompt of a session."""
    start = rng.random()
    if start < _CLICK_FIRST:
        point = _click(cube, cube.truth, True, rng)
        return Turn(CubePrompts(points=(point,)), None, (point,))
    if start < _CLICK_FIRST + _MASK_FIRST:
        previous = _flawed(cube, rng)
        if (previous > 0.5).any():
            turn = Turn(CubePrompts(), previous)
            return next_turn(cube, turn, previous, rng) or turn
    return box_turn(cube, rng)


def box_turn(cube: Cube, rng: np.random.Generator) -> Turn:
    """The first prompt of a session that begins with a box: on the largest slice, some also on another, or in 3-D."""
    areas = cube.truth.sum((1, 2))
    boxes = [_box(cube, int(areas.argmax()), rng)]
    if chance(rng, _BOX_3D):
        slices = np.flatnonzero(areas)
        boxes = [_box(cube, None, rng, (int(slices[0]), int(slices[-1])))]
    elif chance(rng, _SECOND_BOX):
        boxes.append(_box(cube, int(rng.choice(np.flatnonzero(areas))), rng))
    return Turn(CubePrompts(boxes=tuple(boxes)))


def next_turn(cube: Cube, turn: Turn, answer: np.ndarray, rng: np.random.Generator) -> Turn | None:
    """The turn after an answer (probability, float32 (k, j, i)); None where hardly anything is wrong."""
    wrong = ((answer > 0.5) != cube.truth) & cube.valid
    labels, count = ndi.label(wrong, CONNECTIVITY_26)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < _LEAST_ERROR:
        return None
    weights = sizes.astype(float) * (sizes >= _LEAST_ERROR)
    anywhere = chance(rng, _ANYWHERE)
    chosen = int(rng.choice(count, p=weights / weights.sum())) if anywhere else int(sizes.argmax())
    region = labels == chosen + 1
    positive = bool(cube.truth[region][0])
    if chance(rng, _SCRIBBLES):
        points = _scribble(region, positive, rng)
    else:
        points = (_click(cube, region, positive, rng, anywhere),)
    prompts = replace(turn.prompts, points=(*turn.prompts.points, *points))
    return Turn(prompts, answer, points)


def _click(
    cube: Cube, region: np.ndarray, positive: bool, rng: np.random.Generator, anywhere: bool = False
) -> CubePoint:
    """A click in the middle of a region, or anywhere in it."""
    places = np.argwhere(region)
    if not anywhere:
        box = tuple(slice(low, high + 1) for low, high in zip(places.min(0), places.max(0), strict=True))
        inner = ndi.distance_transform_edt(np.pad(region[box], 1), (cube.ratio, 1.0, 1.0))
        places = np.argwhere(inner >= 0.9 * inner.max()) - 1 + places.min(0)
    k, j, i = places[int(rng.integers(len(places)))]
    return CubePoint((float(k), float(j + uniform(rng, -0.5, 0.5)), float(i + uniform(rng, -0.5, 0.5))), positive)


def _scribble(region: np.ndarray, positive: bool, rng: np.random.Generator) -> tuple[CubePoint, ...]:
    """A stroke through a region on its largest slice."""
    k = int(region.sum((1, 2)).argmax())
    places = np.argwhere(region[k]).astype(float)
    spread = places - places.mean(0)
    along = spread @ np.linalg.svd(spread, full_matrices=False)[2][0] if len(places) > 1 else np.zeros(1)
    order = np.argsort(along)
    count = int(min(rng.integers(3, 9), len(places)))
    chosen = order[(np.linspace(0.1, 0.9, count) * (len(order) - 1)).astype(int)]
    return tuple(CubePoint((float(k), float(j), float(i)), positive) for j, i in places[chosen])


def _box(cube: Cube, k: int | None, rng: np.random.Generator, slices: tuple[int, int] | None = None) -> CubeBox:
    """A box around the object on slice `k`, or around all of it on `slices`, drawn by an unsteady hand."""
    rows, columns = np.nonzero(cube.truth.any(0) if k is None else cube.truth[k])
    low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()])
    sides = high - low + 1
    low = low + rng.uniform(-_JITTER, _JITTER, 2) * sides
    high = high + rng.uniform(-_JITTER, _JITTER, 2) * sides
    first, last = slices if slices is not None else (k or 0, k or 0)
    return CubeBox(first, last, (float(low[0]), float(low[1])), (float(high[0]), float(high[1])))


def _flawed(cube: Cube, rng: np.random.Generator) -> np.ndarray:
    """A probability as of an automatic method: borders moved, some slices missing, sometimes parts elsewhere."""
    spacing = (cube.ratio, 1.0, 1.0)
    soft = gaussian(cube.truth.astype(np.float32), uniform(rng, 1, 4), spacing)
    soft = soft + uniform(rng, 0, 0.35) * smooth_noise(soft.shape, uniform(rng, 6, 14), spacing, rng)[0]
    areas = np.flatnonzero(cube.truth.any((1, 2)))
    if chance(rng, 0.3):
        soft[areas[len(areas) - int(rng.integers(0, len(areas) // 2 + 1)) :]] = 0
    level = uniform(rng, 0.35, 0.65)
    return (1 / (1 + np.exp(-uniform(rng, 6, 20) * (soft - level)))).astype(np.float32) * cube.valid

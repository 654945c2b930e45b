"""The turns of `prompt-unet`: every prompt is answered with the answer before it among the network's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.interactive.prompt_cube import PromptCube
from StrokeSAMLib.interactive.prompt_maps import CUBE, CubeBox, CubePoint, CubePrompts, input_maps
from StrokeSAMLib.interactive.slice_stack import SliceStack
from StrokeSAMLib.interactive.volume_prompts import Extent, Placed, Region, Stroke

# Maps of `input_maps` → logits, float32 (k, j, i).
Network = Callable[[np.ndarray], np.ndarray]
# Side of the cube where there are only points: lesions of the head are 10 to 90 mm wide.
_POINT_SIDE_MM = 64.0
# Points of a scribble that the network gets; those between them say nothing new.
_STROKE_POINTS = 8
# A mask on more slices is a first answer in 3-D; on so few it is a box around each.
_FEW_SLICES = 2
# The corners of a box are centres of voxels, and the box goes around them.
_HALF = np.array([0.0, 0.5, 0.5])
# An answer that comes so near to the border of the cube needs a larger cube, voxels.
_BORDER = 2


@dataclass(frozen=True, eq=False)
class Turn:
    """The answer to some prompts.

    Attributes:
        places: the prompts.
        cube: the cube of the network.
        image, valid: the scan on the cube, and the part of the cube in the scan.
        probability: float16 (k, j, i) of the cube.
        before: the turn without the newest prompt; None for the first.
    """

    places: tuple[Placed, ...]
    cube: PromptCube
    image: np.ndarray
    valid: np.ndarray
    probability: np.ndarray
    before: Turn | None


def answer_turns(stack: SliceStack, places: Sequence[Placed], network: Network, known: Turn | None) -> Turn | None:
    """The answer to all prompts, one turn after the other.

    Args:
        stack: the volume.
        places: the prompts, the newest last.
        network: the network.
        known: an earlier answer on this stack. Its turns with the same prompts are not computed again.

    Returns:
        None where no prompt says where the object is.
    """
    turn = known
    while turn is not None and turn.places != tuple(places[: len(turn.places)]):
        turn = turn.before
    for count in range(len(turn.places) if turn else 0, len(places)):
        turn = _next_turn(stack, tuple(places[: count + 1]), network, turn)
    return turn


def shows_object(place: Placed) -> bool:
    """True if the prompt says where the object is."""
    return isinstance(place, Extent) or place.positive


def is_whole(place: Placed) -> bool:
    """True for a mask that shows the object in 3-D, as the result of another method does."""
    return isinstance(place, Region) and place.positive and place.drawn and len(place.slices) > _FEW_SLICES


def bounds(place: Placed) -> tuple[np.ndarray, np.ndarray]:
    """The corners (k, j, i) of a prompt's bounding box, voxels; both in it."""
    if isinstance(place, Extent):
        return place.low, place.high
    if isinstance(place, Stroke):
        return place.voxels.min(0).astype(float), place.voxels.max(0).astype(float)
    corners = []
    for k, mask in place.slices.items():
        rows, columns = np.nonzero(mask)
        corners += [(k, rows.min(), columns.min()), (k, rows.max(), columns.max())]
    return np.min(corners, axis=0).astype(float), np.max(corners, axis=0).astype(float)


def _next_turn(stack: SliceStack, places: tuple[Placed, ...], network: Network, before: Turn | None) -> Turn | None:
    if not any(map(shows_object, places)):
        return None
    cube = _cube(stack, places, before)
    previous = None
    if before is not None:
        previous = before.probability.astype(np.float32)
        if before.cube != cube:
            previous = before.cube.onto(cube, previous)
    elif any(map(is_whole, places)):
        previous = _drawn(cube, stack, places)
    if before is not None and before.cube == cube:
        image, valid = before.image, before.valid
    else:
        image, valid = cube.cut(stack.pixels), cube.valid(stack.pixels.shape)
    maps = input_maps(image, valid, cube.ratio, _cube_prompts(cube, places), previous)
    # The range of half precision is ample; a turn is kept for every prompt.
    probability = (1 / (1 + np.exp(-network(maps).clip(-15, 15)))) * valid
    return Turn(places, cube, image, valid, probability.astype(np.float16), before)


def _cube(stack: SliceStack, places: Sequence[Placed], before: Turn | None) -> PromptCube:
    """The cube of the turn before, unless a prompt lies outside it or the answer has reached its border."""
    corners = [corner for place in places if shows_object(place) for corner in bounds(place)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    if before is not None:
        inside = np.argwhere(before.probability > 0.5)
        if not _reaches(before.cube, inside, stack) and all(_holds(before.cube, corner) for corner in (low, high)):
            return before.cube
        if len(inside):
            found = before.cube.voxels(inside)
            low, high = np.minimum(low, found.min(0)), np.maximum(high, found.max(0))
    side = 0.0 if any(not isinstance(place, Stroke) for place in places if shows_object(place)) else _POINT_SIDE_MM
    return PromptCube.around(low, high, len(stack), stack.spacing[::-1], side)


def _holds(cube: PromptCube, corner: np.ndarray) -> bool:
    return all(0 <= at <= n - 1 for at, n in zip(cube.voxel(corner), CUBE, strict=True))


def _reaches(cube: PromptCube, inside: np.ndarray, stack: SliceStack) -> bool:
    """True if voxels of an answer (n, 3) lie at a border of the cube beyond which the scan goes on."""
    if not len(inside):
        return False
    last = np.array(stack.pixels.shape) - 1
    low, high = inside.min(0), inside.max(0)
    beyond_low = cube.voxels(np.zeros((1, 3)))[0] >= 1
    beyond_high = cube.voxels(np.array(CUBE)[None] - 1.0)[0] <= last - 1
    at_high = high >= np.array(CUBE) - _BORDER
    return bool(((low < _BORDER) & beyond_low).any() or (at_high & beyond_high).any())


def _cube_prompts(cube: PromptCube, places: Sequence[Placed]) -> CubePrompts:
    boxes: list[CubeBox] = []
    points: list[CubePoint] = []
    for place in places:
        if isinstance(place, Stroke):
            points += _points(cube, place.voxels, place.positive)
        elif isinstance(place, Extent):
            boxes.append(_box(cube, place.low, place.high))
        elif place.positive and not is_whole(place):
            boxes += [_box(cube, *bounds(Region({k: mask}, True, True))) for k, mask in place.slices.items()]
    return CubePrompts(_merged(boxes), tuple(points))


def _points(cube: PromptCube, voxels: np.ndarray, positive: bool) -> list[CubePoint]:
    chosen = voxels[np.unique(np.linspace(0, len(voxels) - 1, _STROKE_POINTS).round().astype(int))]
    return [CubePoint(cube.voxel(voxel), positive) for voxel in chosen]


def _box(cube: PromptCube, low: np.ndarray, high: np.ndarray) -> CubeBox:
    """A box on the slices of the cube."""
    first, *start = cube.voxel(low - _HALF)
    last, *end = cube.voxel(high + _HALF)
    return CubeBox(round(first), round(last), (start[0], start[1]), (end[0], end[1]))


def _merged(boxes: Sequence[CubeBox]) -> tuple[CubeBox, ...]:
    """The boxes, each once; thick slices of the cube may hold several of the scan's."""
    return tuple(dict.fromkeys(boxes))


def _drawn(cube: PromptCube, stack: SliceStack, places: Sequence[Placed]) -> np.ndarray:
    """Masks that show the object, as a first answer on the cube."""
    volume = np.zeros(stack.pixels.shape, np.float32)
    for place in places:
        if isinstance(place, Region) and is_whole(place):
            for k, mask in place.slices.items():
                volume[k][mask] = 1
    return cube.cut(volume)

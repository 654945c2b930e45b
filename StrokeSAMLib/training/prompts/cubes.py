"""Synthetic cubes: a part of a scan with one object, as `prompt-unet` sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.imaging.morphology import gaussian
from StrokeSAMLib.interactive.prompt_maps import CUBE
from StrokeSAMLib.training.prompts.backgrounds import (
    Heads,
    head_background,
    random_turn,
    textured_background,
    turned_grid,
)
from StrokeSAMLib.training.prompts.painting import PAINTERS, scanned
from StrokeSAMLib.training.prompts.shapes import Shapes, draw_shape
from StrokeSAMLib.training.synthesis.fields import Shape, any_side, chance, log_uniform, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.posed_head import sample

# The kinds of scans and their parts of all cubes.
KINDS = {"ct": 0.5, "diffusion": 0.24, "texture": 0.26}
_WIDTH_MM = (5.0, 85.0)
_SLICE_MM = (1.0, 8.0)
# The part of the cube's side that the object fills on its largest slice, and the least side of a cube.
_FILLED = (0.35, 0.6)
_LEAST_SIDE_MM = 24.0
# Height of an object, parts of its shape's own. Real infarcts in CT are half as high as wide (median of 13).
_HEIGHT = (0.25, 1.2)
# Slices closer than that, pixels, are merged (`interactive.prompt_cube`), except in scans of a few slices.
_LEAST_RATIO, _FEW_SLICES = 1.2, 0.4
_CUBES_OF_A_HEAD = 60
_LEAST_VOXELS, _LEAST_WIDTH = 30, 4


@dataclass(frozen=True)
class Cube:
    """A part of a scan with one object.

    Attributes:
        kind: a key of `KINDS`.
        image: float32 (k, j, i), any unit.
        truth: the object, bool (k, j, i), not empty.
        valid: bool (k, j, i), the part that lies in the scan.
        ratio: distance of slices, pixels.
        pixel_mm: distance of pixels, mm.
    """

    kind: str
    image: np.ndarray
    truth: np.ndarray
    valid: np.ndarray
    ratio: float
    pixel_mm: float


def make_cube(heads: Heads, shapes: Shapes, seed: int, shape: Shape = CUBE) -> Cube:
    """The cube of `shape` (k, j, i) with this seed: the same for the same arguments."""
    rng = np.random.default_rng(seed)
    while True:
        cube = _try_cube(heads, shapes, seed // _CUBES_OF_A_HEAD, shape, rng)
        if cube is not None:
            return cube


def _try_cube(heads: Heads, shapes: Shapes, head: int, shape: Shape, rng: np.random.Generator) -> Cube | None:
    """A cube, or None where hardly anything of the object lies in the head."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    width = log_uniform(rng, *_WIDTH_MM)
    side = max(width / uniform(rng, *_FILLED), _LEAST_SIDE_MM)
    pixel_mm = side / shape[2]
    slice_mm = log_uniform(rng, *_SLICE_MM)
    if not chance(rng, _FEW_SLICES):
        slice_mm *= max(1.0, np.ceil(_LEAST_RATIO * pixel_mm / slice_mm))
    steps = (slice_mm, pixel_mm)
    if kind == "texture":
        background = textured_background(steps, shape, rng)
    else:
        background = head_background((heads.ct if kind == "ct" else heads.diffusion)(head), steps, shape, rng)
    part = _placed(draw_shape(shapes, rng), width / pixel_mm, slice_mm / pixel_mm, shape, rng) * background.allowed
    if chance(rng, 0.6):
        part = part * _ragged(part, slice_mm / pixel_mm, rng)
    # An annotator's outline is smoother than tissue.
    part = gaussian(part, 0.8, (50.0, 1.0, 1.0))
    part = np.clip(0.5 + uniform(rng, 1, 4) * (part - 0.5), 0, 1)
    valid = _valid(shape, rng)
    truth = (part > 0.5) & valid
    areas = truth.sum((1, 2))
    if areas.sum() < _LEAST_VOXELS or np.sqrt(areas.max()) < _LEAST_WIDTH:
        return None
    image = scanned(PAINTERS[kind](background, part, slice_mm / pixel_mm, rng), kind, pixel_mm, rng)
    return Cube(kind, np.where(valid, image, 0).astype(np.float32), truth, valid, slice_mm / pixel_mm, pixel_mm)


def _placed(drawn: np.ndarray, width: float, ratio: float, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """A shape turned and scaled so that its largest slice lies in the middle and is `width` pixels wide.

    Returns:
        Float32 (k, j, i) of the cube, 0…1, with a soft edge.
    """
    volume = np.ascontiguousarray(drawn, np.float32)[None]
    matrix = random_turn(rng, 35.0) @ np.diag([any_side(rng), any_side(rng), any_side(rng)])
    # First a coarse look at the whole shape, to find its largest slice.
    reach = np.linalg.norm(drawn.shape) / 2
    axis = np.linspace(-reach, reach, 40, dtype=np.float32)
    look = sample(volume, turned_grid(matrix, [axis, axis, axis]))[0] > 0.5
    areas = look.sum((1, 2))
    if not areas.any():
        return np.zeros(shape, np.float32)
    largest = int(areas.argmax())
    rows, columns = np.nonzero(look[largest])
    extent = (max(np.ptp(rows), np.ptp(columns)) + 1) * (axis[1] - axis[0])
    scale = extent / width
    tall = scale / log_uniform(rng, *_HEIGHT)
    centre = (
        axis[largest],
        (axis[rows.min()] + axis[rows.max()]) / 2,
        (axis[columns.min()] + axis[columns.max()]) / 2,
    )
    steps, off_centre = (tall * ratio, scale, scale), 4.0 if chance(rng, 0.3) else 0.5
    jitter = (uniform(rng, -off_centre, off_centre), uniform(rng, -3, 3), uniform(rng, -3, 3))
    axes = [
        ((np.arange(n) - n // 2 + shift) * step + middle).astype(np.float32)
        for n, step, middle, shift in zip(shape, steps, centre, jitter, strict=True)
    ]
    return sample(volume, turned_grid(matrix, axes))[0]


def _valid(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """The part of the cube within the scan: often the scan has few slices, sometimes the cube reaches over its side."""
    valid = np.ones(shape, bool)
    middle = shape[0] // 2
    if chance(rng, 0.6):
        count = int(rng.integers(3, shape[0]))
        first = middle - int(rng.integers(0, count))
        valid[: max(first, 0)] = False
        valid[first + count :] = False
    if chance(rng, 0.1):
        valid[:, :, : rng.integers(0, 16)] = False
    return valid


def _ragged(part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """A factor 0…1 with holes and bays: what annotators outline in CT fills a third to three quarters of its box."""
    noise = smooth_noise(part.shape, uniform(rng, 3, 9), (ratio, 1.0, 1.0), rng)[0]
    return np.clip(0.5 + 2 * (noise + uniform(rng, 0.3, 2.0)), 0, 1)

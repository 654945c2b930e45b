"""Synthetic cubes: a part of a scan with one object, as `prompt-unet` sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.imaging.morphology import gaussian
from StrokeSAMLib.interactive.prompt_maps import CUBE
from StrokeSAMLib.training.prompts.backgrounds import (
    Background,
    Heads,
    head_background,
    random_turn,
    textured_background,
    turned_grid,
)
from StrokeSAMLib.training.prompts.shapes import Shapes, draw_shape
from StrokeSAMLib.training.synthesis.fields import Shape, any_side, blend, chance, log_uniform, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.posed_head import sample

# The kinds of scans and their parts of all cubes.
KINDS = {"ct": 0.5, "diffusion": 0.24, "texture": 0.26}
_WIDTH_MM = (5.0, 85.0)
_SLICE_MM = (1.0, 8.0)
# The part of the cube's side that the object fills on its largest slice, and the least side of a cube.
_FILLED = (0.35, 0.6)
_LEAST_SIDE_MM = 24.0
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
    valid = _valid(shape, rng)
    truth = (part > 0.5) & valid
    areas = truth.sum((1, 2))
    if areas.sum() < _LEAST_VOXELS or np.sqrt(areas.max()) < _LEAST_WIDTH:
        return None
    image = _PAINTERS[kind](background, part, slice_mm / pixel_mm, rng)
    image = _scanned(image, kind, steps, rng)
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
    tall = scale / log_uniform(rng, 0.75, 1.5)
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
    if chance(rng, 0.5):
        valid[: max(middle - int(rng.integers(0, 12)), 0)] = False
    if chance(rng, 0.5):
        valid[middle + 1 + int(rng.integers(0, 12)) :] = False
    if chance(rng, 0.1):
        valid[:, :, : rng.integers(0, 16)] = False
    return valid


def _uneven(part: np.ndarray, ratio: float, spread: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth factor near 1, for the object's contrast."""
    return 1 + spread * smooth_noise(part.shape, uniform(rng, 6, 25), (ratio, 1.0, 1.0), rng)[0]


def _ragged(part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """A factor 0…1 with holes and bays: what annotators outline in CT fills a third to three quarters of its box."""
    noise = smooth_noise(part.shape, uniform(rng, 3, 9), (ratio, 1.0, 1.0), rng)[0]
    return np.clip(0.5 + 2 * (noise + uniform(rng, 0.3, 2.0)), 0, 1)


def _others(part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """A second thing that looks like the object and lies apart from it, float32 0…1."""
    ball = 3.0 + 10 * rng.random()
    noise = smooth_noise(part.shape, ball, (ratio, 1.0, 1.0), rng)[0]
    apart = 1 - np.clip(3 * gaussian(part, 3.0, (ratio, 1.0, 1.0)), 0, 1)
    return np.clip(2 * (noise - uniform(rng, 1.0, 2.0)), 0, 1) * apart


def _paint_ct(background: Background, part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """An infarct, less grey than its surroundings and darker, or one time in seven a bleeding."""
    others = _others(part, ratio, rng) * background.allowed if chance(rng, 0.2) else 0.0
    if chance(rng, 1 / 7):
        oedema = gaussian(part, uniform(rng, 2, 6), (ratio, 1.0, 1.0)) * background.allowed
        image = background.image - uniform(rng, 0, 8) * oedema
        return blend(image, uniform(rng, 45, 75) * _uneven(part, ratio, 0.08, rng), np.maximum(part, others))
    strength = np.maximum(part, others * uniform(rng, 0.3, 1))
    tissue = blend(background.image, uniform(rng, 22, 30), strength * uniform(rng, 0, 0.8))
    return tissue - strength * log_uniform(rng, 3.5, 20.0) * _uneven(part, ratio, uniform(rng, 0, 0.4), rng)


def _paint_diffusion(background: Background, part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """An infarct, brighter than its surroundings; in one of five images darker, as in the ADC."""
    factor = uniform(rng, 0.35, 0.8) if chance(rng, 0.2) else 1 + log_uniform(rng, 0.35, 3.0)
    others = _others(part, ratio, rng) * background.allowed if chance(rng, 0.35) else 0.0
    strength = np.maximum(part, others * uniform(rng, 0.3, 1))
    return background.image * (1 + strength * (factor * _uneven(part, ratio, uniform(rng, 0, 0.3), rng) - 1))


def _paint_texture(background: Background, part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """An object of its own brightness, of any contrast."""
    inside = background.image[part > 0.5]
    level = (float(inside.mean()) if inside.size else 0.0) + any_side(rng) * log_uniform(rng, 0.3, 3.0)
    others = _others(part, ratio, rng) if chance(rng, 0.3) else 0.0
    strength = np.maximum(part, others)
    own = level + uniform(rng, 0, 0.3) * (_uneven(part, ratio, 1.0, rng) - 1)
    image = blend(background.image, own, strength * uniform(rng, 0.7, 1.0))
    if chance(rng, 0.25):
        shell = np.clip(4 * part * (1 - gaussian(part, 2.0, (ratio, 1.0, 1.0))), 0, 1)
        image = image + any_side(rng) * uniform(rng, 0.3, 1.5) * shell
    return image


_PAINTERS = {"ct": _paint_ct, "diffusion": _paint_diffusion, "texture": _paint_texture}
# Standard deviation of the noise: HU in CT, parts of the tissue's signal in diffusion, of the unit contrast in texture.
_NOISE = {"ct": (0.5, 4.5), "diffusion": (0.01, 0.15), "texture": (0.02, 0.5)}


def _scanned(image: np.ndarray, kind: str, steps: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Blur, noise of its own grain in each slice, and the window of the display as bytes have it."""
    image = gaussian(image.astype(np.float32), uniform(rng, 0.3, 1.2), (50.0, 1.0, 1.0))
    grain = uniform(rng, 0.4, 1.2) / steps[1]
    noise = gaussian(rng.standard_normal(image.shape, dtype=np.float32), min(grain, 4.0), (50.0, 1.0, 1.0))
    sigma = log_uniform(rng, *_NOISE[kind])
    image = image + sigma * noise / max(float(noise.std()), 1e-6)
    image = image + 0.3 * sigma * rng.standard_normal((len(image), 1, 1))
    if kind == "ct":
        low, width = uniform(rng, -10, 5), uniform(rng, 70, 110)
    else:
        low, high = np.quantile(image, (uniform(rng, 0, 0.05), uniform(rng, 0.985, 1)))
        width = max(float(high - low), 1e-6)
    return np.clip((image - low) / width, 0, 1) * 255

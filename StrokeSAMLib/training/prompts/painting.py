"""The look of the object in a cube, and what the scanner and the display make of it."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.morphology import gaussian
from StrokeSAMLib.training.prompts.backgrounds import Background
from StrokeSAMLib.training.synthesis.fields import any_side, blend, chance, log_uniform, smooth_noise, uniform


def _uneven(part: np.ndarray, ratio: float, spread: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth factor near 1, for the object's contrast."""
    return 1 + spread * smooth_noise(part.shape, uniform(rng, 6, 25), (ratio, 1.0, 1.0), rng)[0]


def _others(part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """A second thing that looks like the object and lies apart from it, float32 0…1."""
    ball = 3.0 + 10 * rng.random()
    noise = smooth_noise(part.shape, ball, (ratio, 1.0, 1.0), rng)[0]
    apart = 1 - np.clip(3 * gaussian(part, 3.0, (ratio, 1.0, 1.0)), 0, 1)
    return np.clip(2 * (noise - uniform(rng, 1.0, 2.0)), 0, 1) * apart


def _paint_ct(background: Background, part: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """An infarct, less grey than its surroundings and darker, or one time in seven a bleeding."""
    others = _others(part, ratio, rng) * background.allowed if chance(rng, 0.2) else 0.0
    texture = uniform(rng, 0, 4) * smooth_noise(part.shape, uniform(rng, 2.5, 5), (ratio, 1.0, 1.0), rng)[0]
    background = Background(background.image + texture * background.allowed, background.allowed)
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


# (background, object's part of each voxel, distance of slices in pixels, rng) → the image before the scanner's errors.
PAINTERS = {"ct": _paint_ct, "diffusion": _paint_diffusion, "texture": _paint_texture}
# Standard deviation of the noise: HU in CT, parts of the tissue's signal in diffusion, of the unit contrast in texture.
_NOISE = {"ct": (0.8, 6.0), "diffusion": (0.01, 0.15), "texture": (0.02, 0.5)}


def scanned(image: np.ndarray, kind: str, pixel_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise of its own grain in each slice, and the window of the display as bytes have it."""
    image = gaussian(image.astype(np.float32), uniform(rng, 0.3, 1.2), (50.0, 1.0, 1.0))
    grain = uniform(rng, 0.4, 1.2) / pixel_mm
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

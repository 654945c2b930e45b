"""Shapes of lesions: masks of real infarcts without their images, and smooth random blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, bounding_box
from StrokeSAMLib.io.folders import images_in
from StrokeSAMLib.io.reading import read_image
from StrokeSAMLib.training.synthesis.fields import chance, log_uniform, smooth_noise, uniform

_SIDE = 48
_LEAST_VOXELS = 60
_MOST_SIDE = 120


@dataclass(frozen=True)
class Shapes:
    """Files with masks of lesions, from which shapes are drawn; without any, all shapes are blobs."""

    files: Sequence[Path] = ()

    @property
    def fingerprint(self) -> str:
        """The number of masks and a hash of their names."""
        names = "\n".join(path.name for path in self.files)
        return f"{len(self.files)} shapes {hashlib.sha256(names.encode()).hexdigest()[:12]}" if self.files else "blobs"


def read_shapes(folder: Path) -> Shapes:
    """The masks in a folder; they are read when they are drawn.

    Raises:
        InputError: the folder cannot be read.
    """
    return Shapes(tuple(path for _, path in sorted(images_in(folder).items())))


def draw_shape(shapes: Shapes, rng: np.random.Generator) -> np.ndarray:
    """A random shape on cubic voxels of any size: float32 (k, j, i), above 0.5 inside."""
    if shapes.files and chance(rng, 0.7):
        drawn = _mask(shapes.files[int(rng.integers(len(shapes.files)))], chance(rng, 0.85))
        if drawn is not None:
            return drawn
    return _blob(rng)


@lru_cache(maxsize=2000)
def _mask(path: Path, largest: bool) -> np.ndarray | None:
    """The mask in a file, cut to its box: all of it, or its largest component. None where it is too small."""
    mask = sitk.GetArrayFromImage(read_image(path)) > 0
    if mask.any() and largest:
        labels, count = ndi.label(mask, CONNECTIVITY_26)
        mask = labels == 1 + int(np.argmax(np.bincount(labels.ravel(), minlength=count + 1)[1:]))
    if np.count_nonzero(mask) < _LEAST_VOXELS:
        return None
    cut = mask[bounding_box(mask)]
    step = -(-max(cut.shape) // _MOST_SIDE)
    return np.pad(cut[::step, ::step, ::step], 2).astype(np.float16)


def _blob(rng: np.random.Generator) -> np.ndarray:
    """An ellipsoid with a border moved by noise at two scales."""
    shape, step = (_SIDE, _SIDE, _SIDE), (1.0, 1.0, 1.0)
    axes = np.meshgrid(*[np.linspace(-1.6, 1.6, _SIDE, dtype=np.float32)] * 3, indexing="ij", sparse=True)
    radii = [log_uniform(rng, 0.4, 1.5) for _ in axes]
    height = 1 - np.sqrt(sum((axis / r) ** 2 for axis, r in zip(axes, radii, strict=True)))
    height = height + uniform(rng, 0, 0.8) * smooth_noise(shape, uniform(rng, 7, 18), step, rng)[0]
    height = height + uniform(rng, 0, 0.15) * smooth_noise(shape, 3.5, step, rng)[0]
    soft = (0.5 + 4 * height).clip(0, 1)
    labels, count = ndi.label(soft > 0.5)
    if count > 1 and chance(rng, 0.85):
        largest = 1 + int(np.argmax(np.bincount(labels.ravel(), minlength=count + 1)[1:]))
        soft = soft * ~((labels > 0) & (labels != largest))
    return soft.astype(np.float32)

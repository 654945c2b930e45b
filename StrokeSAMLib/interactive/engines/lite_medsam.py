"""LiteMedSAM and SwiftMedSAM: boxes, on laptops without a GPU.

Their published procedure has quirks, which `compatible` brings back for comparison: a mask is resized as the number
of its label, so that its outline depends on that number. Without it a label is what it is, and, unlike SwiftMedSAM's
script, slice 0 is a slice like any other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.imaging.area_resize import area_resize
from StrokeSAMLib.interactive.engines.boxes import SliceBox
from StrokeSAMLib.interactive.engines.sam import Frame, Recipe, SamEngine, loaded, to_unit
from StrokeSAMLib.interactive.memory import MIB
from StrokeSAMLib.nets.sam_models import lite_medsam, swift_medsam
from StrokeSAMLib.options import build_options, option

_SIZE = 256
_SHIFT = 3.0
# Against a box that came out of this grid, went to the slice's pixels and comes back a rounding below what it was.
_ROUNDING = 1e-4


class LiteMedSamEngine(SamEngine):
    """`SamEngine` whose boxes are whole pixels of the input, cut, not rounded."""

    def _whole(self, corners: np.ndarray) -> np.ndarray:
        return np.trunc(corners + _ROUNDING)


def _image(pixels: np.ndarray, used: tuple[int, int]) -> np.ndarray:
    """Resized by area, then from the slice's least to its greatest value."""
    return to_unit(np.rint(area_resize(pixels, used)).astype(np.float32))


def next_box(mask: np.ndarray, size: int, label: int = 1) -> SliceBox:
    """The box of `mask` on the network's grid, three pixels wider, in the slice's pixels.

    Args:
        label: the number that the published script would have given the mask.
    """
    used = Frame.fitted(mask.shape, size).used
    y, x = np.nonzero(np.rint(area_resize(mask * float(label), used)) > 0)
    scale = max(mask.shape) / size
    if len(x) == 0:  # too thin to be seen there
        y, x = (n / scale for n in np.nonzero(mask))
    low = np.maximum([x.min() - _SHIFT, y.min() - _SHIFT], 0)
    # To the padded square, not to the part of it that the slice fills.
    high = np.minimum([x.max() + _SHIFT, y.max() + _SHIFT], size)
    return tuple(float(n * scale) for n in (*low, *high))


class _FittedFrame(Frame):
    """Places are scaled by the longer side alone, as the published procedure does."""

    def to_input(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(places, np.float64) * (self.size / max(self.shape))


RECIPES = {
    name: Recipe(build, _SIZE, _FittedFrame.fitted, _image, 64, 62 * MIB, 400 * MIB, next_box=next_box)
    for name, build in (("lite-medsam", lite_medsam), ("swift-medsam", swift_medsam))
}


def compatible(recipe: Recipe, label: int) -> Recipe:
    """`recipe` with the outline that the published script gives to the mask with the number `label`."""
    return replace(recipe, next_box=partial(next_box, label=label))


@dataclass(frozen=True)
class Options:
    """Of both engines."""

    compatible_label: int = option(1, "outline as the published script makes it for this label", least=1, most=255)


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> LiteMedSamEngine:
    """The engine called `id` with a checkpoint."""
    chosen = build_options(Options, options, f"engine {id}")
    recipe = compatible(RECIPES[id], chosen.compatible_label)
    description = {**asdict(chosen), "weights": file_hash(weights)}
    return LiteMedSamEngine(id, loaded(recipe, weights, device), recipe, description)

"""LiteMedSAM and SwiftMedSAM: networks prompted by boxes, for laptops without a GPU.

The published scripts resize a mask that holds the number of its label, so the outline of the mask depends on that
number. `recipe_for_label` reproduces this for comparison. By default the outline is that of label 1. Unlike
SwiftMedSAM's script, the engine also visits slice 0.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.core.options import build_options, option
from StrokeSAMLib.imaging.area_resize import area_resize
from StrokeSAMLib.interactive.engines.boxes import SliceBox
from StrokeSAMLib.interactive.engines.sam import Frame, Recipe, SamEngine, load_network, to_unit
from StrokeSAMLib.interactive.engines.sam import Options as SamOptions
from StrokeSAMLib.interactive.features.footprint import MIB
from StrokeSAMLib.nets.models.sam_models import lite_medsam, swift_medsam

_SIZE = 256
# Enlargement of the next slice's box on each side, pixels of the network's input.
_SHIFT = 3.0
# Added before truncation: a box from this grid, mapped to the slice and back, may come out just below a whole number.
_ROUNDING = 1e-4


class LiteMedSamEngine(SamEngine):
    """A `SamEngine` whose boxes have whole pixels of the input, truncated and not rounded.

    It also encodes images in colour, UInt8 (row, column, 3).
    """

    takes_colour = True

    def for_label(self, label: int) -> LiteMedSamEngine:
        """The same network with the outline that the published scripts give to a mask of this label."""
        return LiteMedSamEngine(self.id, self.model, recipe_for_label(self._recipe, label), self._description)

    def _box_corners(self, corners: np.ndarray) -> np.ndarray:
        return np.trunc(corners + _ROUNDING)


def _image(pixels: np.ndarray, content: tuple[int, int]) -> np.ndarray:
    """A `Recipe.image`: resized by area, then scaled from the slice's least to its greatest value."""
    if pixels.ndim == 2:
        return to_unit(np.rint(area_resize(pixels, content)).astype(np.float32))
    channels = [np.rint(area_resize(channel, content)) for channel in np.moveaxis(pixels, 2, 0)]
    return to_unit(np.stack(channels).astype(np.float32))


def next_box(mask: np.ndarray, size: int, label: int = 1) -> SliceBox:
    """The bounding box of a mask on the network's input, three pixels larger on each side, in the slice's pixels.

    Args:
        mask: bool (row, column), not empty.
        size: side of the network's input, pixels.
        label: number of the mask's label in the published scripts.
    """
    content = Frame.fitted(mask.shape, size).content
    y, x = np.nonzero(np.rint(area_resize(mask * float(label), content)) > 0)
    scale = max(mask.shape) / size
    if len(x) == 0:  # too thin to survive the resizing
        y, x = (n / scale for n in np.nonzero(mask))
    low = np.maximum([x.min() - _SHIFT, y.min() - _SHIFT], 0)
    # Limited to the whole input, padding included, as in the published scripts.
    high = np.minimum([x.max() + _SHIFT, y.max() + _SHIFT], size)
    left, top, right, bottom = (float(n * scale) for n in (*low, *high))
    return left, top, right, bottom


class _FittedFrame(Frame):
    """A frame that scales positions by the longer side alone, as the published scripts do."""

    def to_input(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(positions, np.float64) * (self.size / max(self.shape))


RECIPES = {
    name: Recipe(build, _SIZE, _FittedFrame.fitted, _image, 64, 62 * MIB, 400 * MIB, next_box=next_box)
    for name, build in (("lite-medsam", lite_medsam), ("swift-medsam", swift_medsam))
}


def recipe_for_label(recipe: Recipe, label: int) -> Recipe:
    """`recipe` with the outline that the published scripts give to a mask of this label (see the module)."""
    return replace(recipe, next_box=partial(next_box, label=label))


@dataclass(frozen=True)
class Options(SamOptions):
    """Options of LiteMedSAM and SwiftMedSAM."""

    compatible_label: int = option(1, "label whose outline in the published scripts is reproduced", least=1, most=255)


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> LiteMedSamEngine:
    """Load engine `id` with the checkpoint `weights`."""
    chosen = build_options(Options, options, f"engine {id}")
    recipe = recipe_for_label(RECIPES[id], chosen.compatible_label)
    description = {**asdict(chosen), "weights": file_hash(weights)}
    return LiteMedSamEngine(id, load_network(recipe, weights, device, chosen.fast_layers), recipe, description)

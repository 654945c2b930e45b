"""The contact sheet of a training: the first patients that the network learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
from PIL import Image

from StrokeSAMLib.files import replacing
from StrokeSAMLib.training.synthesis import Patient

_COLUMNS, _ROWS = 3, 4
COUNT = _COLUMNS * _ROWS
_SCALE = 3
_OUTLINE = (255, 176, 0)
# Of each channel, what is black and what is white (see `imaging.channels`).
_WINDOWS = {"ncct-unet": ((-2.5, 1.5), (-2.5, 1.5), (-2.0, 2.0)), "dwi-unet": ((0.0, 3.0), (0.0, 2.5))}


def write_sheet(id: str, patients: Sequence[Patient], path: Path) -> None:
    """A PNG: of each of `COUNT` patients the slice with the most lesion (or brain), its channels side by side.

    The patient's right is on the left, anterior is up; the lesion is outlined in the last channel alone.
    """
    tiles = [_tile(one, _WINDOWS[id]) for one in patients]
    rows = [np.hstack(tiles[n : n + _COLUMNS]) for n in range(0, COUNT, _COLUMNS)]
    with replacing(path) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary, "PNG")


def _tile(one: Patient, windows: Sequence[tuple[float, float]]) -> np.ndarray:
    """RGB, UInt8 (row, column, 3)."""
    areas = (one.lesion if one.lesion.any() else one.brain).sum((1, 2))
    k = int(areas.argmax())
    grey = [(channel[k] - low) / (high - low) for channel, (low, high) in zip(one.channels, windows, strict=True)]
    # Outside the brain a channel is 0, which is grey in some.
    shown = np.stack(grey).clip(0, 1) * one.brain[k]
    large = np.kron(shown, np.ones((1, _SCALE, _SCALE)))
    lesion = np.kron(one.lesion[k], np.ones((_SCALE, _SCALE), bool))
    picture = np.repeat((255 * large).astype(np.uint8)[..., None], 3, axis=-1)
    picture[-1][lesion & ~ndi.binary_erosion(lesion)] = _OUTLINE
    return np.hstack(list(picture))

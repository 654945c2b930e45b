"""The contact sheet of a training: the first patients that the network learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
from PIL import Image

from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.training.synthesis import Patient

_COLUMNS, _ROWS = 3, 4
PATIENT_COUNT = _COLUMNS * _ROWS
_SCALE = 3
_OUTLINE = (255, 176, 0)
# The values of each network input that are black and white (see `lesion.network_inputs`); bytes for "prompt-unet".
_WINDOWS = {
    "ncct-unet": ((-2.5, 1.5), (-2.5, 1.5), (-2.0, 2.0)),
    "dwi-unet": ((0.0, 3.0), (0.0, 2.5)),
    "prompt-unet": ((0.0, 255.0),),
}


def write_preview(id: str, patients: Sequence[Patient], path: Path) -> None:
    """Write a PNG with one slice of each patient, its network inputs side by side.

    The slice is the one with the most lesion, or with the most brain if there is no lesion. The patient's right is on
    the left, anterior is up. The lesion is outlined in the last input only.

    Args:
        id: "ncct-unet", "dwi-unet" or "prompt-unet".
        patients: `PATIENT_COUNT` patients.
        path: the file to write.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    tiles = [_tile(patient, _WINDOWS[id]) for patient in patients]
    rows = [np.hstack(tiles[n : n + _COLUMNS]) for n in range(0, PATIENT_COUNT, _COLUMNS)]
    with atomic_write(path) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary, "PNG")


def _tile(patient: Patient, windows: Sequence[tuple[float, float]]) -> np.ndarray:
    """The patient's part of the picture, RGB, uint8 (row, column, 3)."""
    areas = (patient.lesion if patient.lesion.any() else patient.brain).sum((1, 2))
    k = int(areas.argmax())
    inputs = zip(patient.network_inputs, windows, strict=True)
    grey = [(channel[k] - low) / (high - low) for channel, (low, high) in inputs]
    # Outside the brain the inputs are 0, which some windows show in grey.
    visible = np.stack(grey).clip(0, 1) * patient.brain[k]
    enlarged = np.kron(visible, np.ones((1, _SCALE, _SCALE)))
    lesion = np.kron(patient.lesion[k], np.ones((_SCALE, _SCALE), bool))
    pictures = np.repeat((255 * enlarged).astype(np.uint8)[..., None], 3, axis=-1)
    pictures[-1][lesion & ~ndi.binary_erosion(lesion)] = _OUTLINE
    return np.hstack(list(pictures))

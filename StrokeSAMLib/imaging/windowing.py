"""Intensity before bytes: the window that turns CT numbers or MR signal into 8 bits, the same for every slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import OptionError

# CT has air near −1000 HU; MR magnitude, and a CT that was windowed before, do not go below this.
_CT_AIR = -300.0
_MR_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Window:
    """The values shown as black (0) and white (255).

    Raises:
        OptionError: `high` is not above `low`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise OptionError(f"window {self.low:g} to {self.high:g}: its end must be above its start")

    @classmethod
    def of_level(cls, level: float, width: float) -> Window:
        """The window around `level`, `width` wide."""
        return cls(level - width / 2, level + width / 2)


# Lev et al. 1999, Radiology 213:150.
STROKE = Window.of_level(40, 80)


def default_window(image: sitk.Image) -> Window:
    """The stroke window for CT, the identity for 8 bits, else the 0.5th to 99.5th percentile of what is not zero.

    Args:
        image: any scalar type; HU where it is a CT.
    """
    if image.GetPixelID() == sitk.sitkUInt8:
        return Window(0.0, 255.0)
    array = sitk.GetArrayViewFromImage(image)
    if float(array.min()) < _CT_AIR:
        return STROKE
    step = max(1, round((array.size / 4e6) ** (1 / 3)))
    values = array[::step, ::step, ::step]
    values = values[values != 0]
    if values.size == 0:
        return Window(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, _MR_PERCENTILES))
    return Window(low, high if high > low else low + 1.0)


def to_bytes(image: sitk.Image, window: Window) -> np.ndarray:
    """`image` as UInt8 (k, j, i), clipped to `window`; by slices, so that there is no float copy of the volume."""
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype == np.uint8 and (window.low, window.high) == (0.0, 255.0):
        return array.copy()
    made = np.empty(array.shape, np.uint8)
    scale = np.float32(255.0 / (window.high - window.low))
    for plane, out in zip(array, made, strict=True):
        grey = (plane.astype(np.float32) - np.float32(window.low)) * scale
        out[...] = np.clip(np.nan_to_num(np.rint(grey)), 0, 255)
    return made

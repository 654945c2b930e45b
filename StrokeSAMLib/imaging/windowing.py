"""Window level and width: the range of CT numbers or MR signal that becomes 8 bits, the same for every slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.imaging.background import background_value

_MR_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Window:
    """A display window.

    Attributes:
        low: the value that becomes black (0).
        high: the value that becomes white (255).

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
        """The window with this level (its middle) and width."""
        return cls(level - width / 2, level + width / 2)


# Lev et al. 1999, Radiology 213:150.
STROKE = Window.of_level(40, 80)


def default_window(image: sitk.Image) -> Window:
    """The window that suits `image`.

    It is the stroke window (level 40, width 80 HU) for CT, 0 to 255 for 8 bits, and the 0.5th to 99.5th percentile of
    the finite values other than 0 for the rest.

    Args:
        image: any scalar type; a CT in HU.
    """
    if image.GetPixelID() == sitk.sitkUInt8:
        return Window(0.0, 255.0)
    array = sitk.GetArrayViewFromImage(image)
    if background_value(image) < 0:
        return STROKE
    step = max(1, round((array.size / 4e6) ** (1 / 3)))
    values = array[::step, ::step, ::step]
    values = values[(values != 0) & np.isfinite(values)]
    if values.size == 0:
        return Window(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, _MR_PERCENTILES))
    return Window(low, high if high > low else low + 1.0)


def to_bytes(image: sitk.Image, window: Window) -> np.ndarray:
    """`image` as UInt8 (k, j, i), clipped to `window`. NaN and infinity are black."""
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype == np.uint8 and (window.low, window.high) == (0.0, 255.0):
        return array.copy()
    result = np.empty(array.shape, np.uint8)
    scale = np.float32(255.0 / (window.high - window.low))
    # Slice by slice: a float copy of the volume would take four times its memory.
    for plane, out in zip(array, result, strict=True):
        grey = (plane.astype(np.float32) - np.float32(window.low)) * scale
        out[...] = np.clip(np.nan_to_num(np.rint(grey), nan=0, posinf=0, neginf=0), 0, 255)
    return result

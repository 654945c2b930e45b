"""A scan as it was read: its image, and what the user must know about the reading."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk


@dataclass(frozen=True)
class Scan:
    """An image from a file or folder.

    Attributes:
        image: 3-D, scalar, LPS and millimetres.
        notes: lines for the user, such as "gantry tilt of 12.0°: resampled onto an upright grid". They name no file.
    """

    image: sitk.Image
    notes: tuple[str, ...] = ()

"""Prompts in physical space, and their file.

``{"space": "RAS"|"LPS", "prompts": [{"type": "point", "position": [x, y, z], "label": 1|0}, {"type": "box",
"corners": [[x, y, z], [x, y, z]]}, {"type": "mask", "file": "…", "label": 1|0}]}``
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import read_json
from StrokeSAMLib.imaging.reading import read_image

Position = tuple[float, float, float]
_SPACES = ("RAS", "LPS")


@dataclass(frozen=True)
class Point:
    """A click: `position` (LPS, mm) is in the object, or, not `positive`, is not."""

    position: Position
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """A box given by two opposite corners (LPS, mm).

    Corners on one slice: a box on that slice. Corners on two: the box of the middle slice, and the slices that
    the object spans.
    """

    first: Position
    second: Position


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask, on whatever grid: the object's start, or, not `positive`, where the object is not."""

    image: sitk.Image
    positive: bool = True

    @cached_property
    def packed(self) -> bytes:
        """Which voxels are not 0, a bit each, compressed; kept, since every edit writes the whole session anew."""
        bits = np.packbits(sitk.GetArrayViewFromImage(self.image) != 0)
        return zlib.compress(bits.tobytes(), 9)


Prompt = Point | Box | Mask


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts in a file.

    Raises:
        InputError: not JSON, of another form, an unknown space or type, a number that is not finite, or a mask's
            file that cannot be read.
    """
    document = read_json(path)
    try:
        return prompts_from(document, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def prompts_from(document: Any, folder: Path = Path()) -> list[Prompt]:
    """The prompts of a document as read from JSON; files are relative to `folder`."""
    if not isinstance(document, Mapping) or not isinstance(document.get("prompts"), list):
        raise InputError('no prompts: {"space": "RAS" or "LPS", "prompts": [...]} is needed')
    if document.get("space") not in _SPACES:
        raise InputError(f'space is {document.get("space")!r}; it must be "RAS" or "LPS"')
    if not document["prompts"]:
        raise InputError("the list of prompts is empty")
    sign = -1.0 if document["space"] == "RAS" else 1.0
    made = []
    for number, entry in enumerate(document["prompts"], 1):
        try:
            made.append(_prompt(entry, sign, folder))
        except InputError as error:
            raise InputError(f"prompt {number}: {error}") from None
    return made


def _prompt(entry: Any, sign: float, folder: Path) -> Prompt:
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if kind == "point":
        return Point(_position(entry.get("position"), sign), _label(entry))
    if kind == "box":
        corners = entry.get("corners")
        if not isinstance(corners, list) or len(corners) != 2:
            raise InputError("a box needs two corners")
        return Box(_position(corners[0], sign), _position(corners[1], sign))
    if kind == "mask":
        if not isinstance(entry.get("file"), str):
            raise InputError("a mask needs a file")
        return Mask(read_image(folder / entry["file"]), _label(entry))
    raise InputError(f'type is {kind!r}; it must be "point", "box" or "mask"')


def _label(entry: Mapping[str, Any]) -> bool:
    label = entry.get("label", 1)
    if label not in (0, 1):
        raise InputError(f"label is {label!r}; it must be 1 (the object) or 0 (not the object)")
    return bool(label)


def _position(values: Any, sign: float) -> Position:
    numbers = isinstance(values, list) and len(values) == 3 and all(_is_number(value) for value in values)
    if not numbers:
        raise InputError(f"position {values!r} is not three finite numbers")
    x, y, z = (float(value) for value in values)
    return (sign * x, sign * y, z)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False

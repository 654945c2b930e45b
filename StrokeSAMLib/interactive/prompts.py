"""Prompts in physical space, and the file that lists them.

The file is JSON, with positions in mm:
``{"space": "RAS"|"LPS", "prompts": [{"type": "point", "position": [x, y, z], "label": 1|0}, {"type": "box",
"corners": [[x, y, z], [x, y, z]]}, {"type": "scribble"|"lasso", "points": [[x, y, z], …], "label": 1|0}, {"type":
"mask", "file": "…", "label": 1|0}]}``
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

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import read_json
from StrokeSAMLib.imaging.background import count_without_value, with_background
from StrokeSAMLib.io.reading import read_image

Position = tuple[float, float, float]
_SPACES = ("RAS", "LPS")


@dataclass(frozen=True)
class Point:
    """A click at `position` (LPS, mm): in the object if `positive`, else outside it."""

    position: Position
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """A box with two opposite corners (LPS, mm).

    Corners on one slice give a box on that slice. Corners on two slices bound the object in 3-D; to an engine that
    segments slices they give a box on the middle slice, and the first and last slice of the object.
    """

    first: Position
    second: Position


@dataclass(frozen=True)
class Scribble:
    """A line through `points` (LPS, mm): in the object if `positive`, else outside it."""

    points: tuple[Position, ...]
    positive: bool = True


@dataclass(frozen=True)
class Lasso:
    """A closed line through `points` (LPS, mm) in one plane, drawn around a region; where it crosses itself, everything
    that it encloses counts.

    On its plane the object lies in the region and fills most of it if `positive`; else no part of the region is object.
    """

    points: tuple[Position, ...]
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask on any grid: the object as drawn if `positive`, else a region outside the object."""

    image: sitk.Image
    positive: bool = True

    @cached_property
    def packed(self) -> bytes:
        """The voxels other than 0, one bit each, compressed. Cached, because each edit writes the whole session."""
        bits = np.packbits(sitk.GetArrayViewFromImage(self.image) != 0)
        return zlib.compress(bits.tobytes(), 9)


Prompt = Point | Box | Scribble | Lasso | Mask
# The name of each kind of prompt, in files and in `Engine.accepts`.
KINDS: Mapping[type, str] = {Point: "point", Box: "box", Scribble: "scribble", Lasso: "lasso", Mask: "mask"}
_LEAST_POINTS = {"scribble": 1, "lasso": 3}
# A line drawn with a mouse has a few thousand points.
_MOST_POINTS = 100_000


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts in a file; the files of masks are relative to its folder.

    Raises:
        InputError: the file is not JSON or has another form, a space or type is unknown, a number is not finite, or
            the file of a mask cannot be read.
    """
    document = read_json(path)
    try:
        return prompts_from(document, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def prompts_from(document: Any, folder: Path = Path()) -> list[Prompt]:
    """The prompts in a JSON document; the files of masks are relative to `folder`.

    Raises:
        InputError: see `read_prompts`.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("prompts"), list):
        raise InputError('no prompts: {"space": "RAS" or "LPS", "prompts": [...]} is needed')
    if document.get("space") not in _SPACES:
        raise InputError(f'space is {document.get("space")!r}; it must be "RAS" or "LPS"')
    if not document["prompts"]:
        raise InputError("the list of prompts is empty")
    sign = -1.0 if document["space"] == "RAS" else 1.0
    prompts = []
    for number, entry in enumerate(document["prompts"], 1):
        try:
            prompts.append(_prompt(entry, sign, folder))
        except InputError as error:
            raise InputError(f"prompt {number}: {error}") from None
    return prompts


def _prompt(entry: Any, sign: float, folder: Path) -> Prompt:
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if kind == "point":
        return Point(_position(entry.get("position"), sign), _label(entry))
    if kind == "box":
        corners = entry.get("corners")
        if not isinstance(corners, list) or len(corners) != 2:
            raise InputError("a box needs two corners")
        return Box(_position(corners[0], sign), _position(corners[1], sign))
    if kind in ("scribble", "lasso"):
        line = Scribble if kind == "scribble" else Lasso
        return line(_line(entry.get("points"), kind, sign), _label(entry))
    if kind == "mask":
        if not isinstance(entry.get("file"), str):
            raise InputError("a mask needs a file")
        image = read_image(folder / entry["file"])
        if count_without_value(image, entry["file"]):
            image = with_background(image)
        return Mask(image, _label(entry))
    raise InputError(f'type is {kind!r}; it must be "point", "box", "scribble", "lasso" or "mask"')


def _line(points: Any, kind: str, sign: float) -> tuple[Position, ...]:
    least = _LEAST_POINTS[kind]
    if not isinstance(points, list) or not least <= len(points) <= _MOST_POINTS:
        raise InputError(f"a {kind} needs {least} to {_MOST_POINTS} points")
    return tuple(_position(point, sign) for point in points)


def _label(entry: Mapping[str, Any]) -> bool:
    label = entry.get("label", 1)
    if label not in (0, 1):
        raise InputError(f"label is {label!r}; it must be 1 (the object) or 0 (not the object)")
    return bool(label)


def _position(values: Any, sign: float) -> Position:
    if not (isinstance(values, list) and len(values) == 3 and all(_is_number(value) for value in values)):
        raise InputError(f"position {values!r} is not three finite numbers")
    x, y, z = (float(value) for value in values)
    return (sign * x, sign * y, z)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False

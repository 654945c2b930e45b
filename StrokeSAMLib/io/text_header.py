"""What the text headers of MetaImage and NRRD files have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from StrokeSAMLib.core.errors import InputError

NO_SPACING = "its header has no voxel spacing: 1 mm is presumed"
# A volume may have a time axis and an axis of components beside the three of space.
MOST_DIMENSIONS = 5
# No place in a scanner is this far away, mm.
MOST_MM = 1e6


@dataclass(frozen=True)
class TextHeader:
    """The header of a MetaImage or NRRD file.

    Attributes:
        spacing: mm; empty if the header gives none as such.
        voxel_bytes: least size of the uncompressed voxels, bytes.
        encoding: "raw", "gzip", "bzip2" or "text".
        data_file: name of the file with the voxels; "" for the same file, and None for several files.
        length: bytes of the header in the file.
        notes: lines for the user about what the header does not say.
    """

    spacing: tuple[float, ...]
    voxel_bytes: int
    encoding: str
    data_file: str | None
    length: int
    notes: tuple[str, ...] = ()


def whole_numbers(path: Path, field: str, words: Sequence[str], count: int, least: int) -> list[int]:
    """The numbers of a field.

    Raises:
        InputError: they are not `count` whole numbers of `least` or more.
    """
    numbers = [int(word) for word in words if len(word) < 19 and word.lstrip("-").isdecimal()]
    if len(numbers) != len(words) or len(words) != count or min(numbers) < least:
        raise damaged_field(path, field, words)
    return numbers


def finite_numbers(path: Path, field: str, words: Sequence[str], count: int) -> list[float]:
    """The numbers of a field.

    Raises:
        InputError: they are not `count` numbers that a place in space can have.
    """
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise damaged_field(path, field, words) from None
    if len(numbers) != count or not all(math.isfinite(n) and abs(n) < MOST_MM for n in numbers):
        raise damaged_field(path, field, words)
    return numbers


def damaged_field(path: Path, field: str, words: Sequence[str]) -> InputError:
    """The error about a field that cannot be."""
    value = " ".join(words)
    if not value:
        return InputError(f"{path}: damaged: its header has no {field}")
    return InputError(f"{path}: damaged: {field} in its header is '{value if len(value) < 60 else value[:60] + '…'}'")

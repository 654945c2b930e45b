"""The diffusion weighting of a frame: b-value and direction, in the standard's and the vendors' elements."""

from __future__ import annotations

import re
from dataclasses import dataclass

from StrokeSAMLib.io.dicom.attributes import Attributes
from StrokeSAMLib.io.dicom.csa import csa_fields

# Private elements of the vendors, and the name of the block that each stands in.
_SIEMENS_B, _SIEMENS_DIRECTIONALITY, _SIEMENS_DIRECTION, _SIEMENS_CSA = 0x0019100C, 0x0019100D, 0x0019100E, 0x00291010
_PHILIPS_B, _UIH_B, _UIH_DIRECTION, _GE_B = 0x20011003, 0x00651009, 0x00651037, 0x00431039
# Philips names a direction by a letter; I is the isotropic image.
_PHILIPS_DIRECTION = 0x20011004
_PHILIPS_DIRECTIONS = {"R": (1.0, 0.0, 0.0), "P": (0.0, 1.0, 0.0), "S": (0.0, 0.0, 1.0)}
_BLOCKS = {
    _SIEMENS_B: (0x00190010, "SIEMENS"),
    _PHILIPS_B: (0x20010010, "PHILIPS"),
    _UIH_B: (0x00650010, "IMAGE PRIVATE"),
    _GE_B: (0x00430010, "GEMS"),
}
# GE adds 10⁹ to the b-value.
_GE_OFFSET = 10**9
_MOST_B = 50_000
# "ep_b1000t" and "*ep_b1000#3" are names of Siemens sequences, "b=1000" is a comment by Canon.
_B_IN_SEQUENCE_NAME = re.compile(r"(?i)(?:^|_)b(\d{1,5})(t?)(?:#\d+)?(?![a-z])")
_B_IN_COMMENT = re.compile(r"(?i)\bb\s*=\s*(\d{1,5})\b")
_B_IN_DESCRIPTION = re.compile(r"(?i)(?<![a-z0-9])b[ =_]?(\d{1,5})(?![0-9.])")
# Below this a gradient only spoils; UIH gives b = 1.25 for its b = 0.
LEAST_B = 50.0


@dataclass(frozen=True)
class Diffusion:
    """The diffusion weighting of a frame.

    Attributes:
        b: s/mm²; None where the header has none.
        direction: of the gradient; None for b = 0, for a trace, and where it is unknown.
        is_trace: the header says that the frame is the isotropic (trace-weighted) image.
    """

    b: float | None = None
    direction: tuple[float, ...] | None = None
    is_trace: bool = False


def diffusion_of(attributes: Attributes, image_type: tuple[str, ...]) -> Diffusion:
    """Read the diffusion weighting from the header of a frame of MR."""
    csa = _csa(attributes)
    b = _b_value(attributes, csa)
    if b is None:
        return Diffusion(is_trace=_is_trace(attributes, image_type))
    is_trace = b >= LEAST_B and _is_trace(attributes, image_type)
    direction = None if is_trace or b < LEAST_B else _direction(attributes, csa)
    return Diffusion(round(b, 2), direction, is_trace)


def described_b(description: str) -> float | None:
    """The b-value in a description such as "DWI b1000", for a series whose headers have none; None without one."""
    match = _B_IN_DESCRIPTION.search(description)
    return float(match[1]) if match and float(match[1]) <= _MOST_B else None


def _b_value(attributes: Attributes, csa: dict[str, list[str]]) -> float | None:
    candidates = (
        attributes.number("DiffusionBValue"),
        *(_private(attributes, tag) for tag in (_SIEMENS_B, _UIH_B, _PHILIPS_B)),
        _ge(attributes),
        _number((csa.get("B_value") or [""])[0]),
        _matched(_B_IN_SEQUENCE_NAME, attributes.text("SequenceName")),
        _matched(_B_IN_COMMENT, attributes.text("ImageComments")),
    )
    return next((b for b in candidates if b is not None and 0 <= b <= _MOST_B), None)


def _private(attributes: Attributes, tag: int) -> float | None:
    """A private element, if its block is the vendor's or has lost its name."""
    block, vendor = _BLOCKS[tag]
    name = attributes.text(block).upper()
    return attributes.number(tag) if not name or name.startswith(vendor) else None


def _ge(attributes: Attributes) -> float | None:
    b = _private(attributes, _GE_B)
    return None if b is None else b % _GE_OFFSET


def _direction(attributes: Attributes, csa: dict[str, list[str]]) -> tuple[float, ...] | None:
    for key in ("DiffusionGradientOrientation", _SIEMENS_DIRECTION, _UIH_DIRECTION):
        direction = attributes.vector(key, 3)
        if direction is not None and any(direction):
            return tuple(round(v, 3) for v in direction)
    letter = attributes.text(_PHILIPS_DIRECTION)
    if letter in _PHILIPS_DIRECTIONS:
        return _PHILIPS_DIRECTIONS[letter]
    values = [_number(text) for text in csa.get("DiffusionGradientDirection", [])[:3]]
    return tuple(round(v, 3) for v in values if v is not None) if len(values) == 3 else None


def _is_trace(attributes: Attributes, image_type: tuple[str, ...]) -> bool:
    directionality = {attributes.text("DiffusionDirectionality"), attributes.text(_SIEMENS_DIRECTIONALITY)}
    match = _B_IN_SEQUENCE_NAME.search(attributes.text("SequenceName"))
    return (
        "ISOTROPIC" in directionality
        or attributes.text(_PHILIPS_DIRECTION) == "I"
        or any(word.startswith(("TRACE", "ISO")) for word in image_type)
        or bool(match and match[2])
    )


def _csa(attributes: Attributes) -> dict[str, list[str]]:
    """The CSA header, where the plain elements have no b-value."""
    if attributes.number("DiffusionBValue") is not None or attributes.number(_SIEMENS_B) is not None:
        return {}
    value = attributes.value(_SIEMENS_CSA)
    return csa_fields(value) if isinstance(value, bytes) else {}


def _matched(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text)
    return float(match[1]) if match else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

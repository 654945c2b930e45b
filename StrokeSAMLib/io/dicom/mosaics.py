"""Mosaics: the slices of a volume as tiles of one frame, by Siemens and by UIH."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.io.dicom.attributes import Attributes
from StrokeSAMLib.io.dicom.bytestream import DamagedError
from StrokeSAMLib.io.dicom.csa import csa_fields
from StrokeSAMLib.io.dicom.plane import Plane

_UIH_SLICES, _UIH_ITEMS = 0x00651050, 0x00651051
_SIEMENS_SLICES, _SIEMENS_CSA = 0x0019100A, 0x00291010
_MOST_TILES = 4096


@dataclass(frozen=True, eq=False)
class Tile:
    """A slice within a frame: its first row and column, and its plane."""

    row: int
    column: int
    plane: Plane


def mosaic_tiles(attributes: Attributes) -> list[Tile] | None:
    """The tiles of a mosaic in the order of the slices; None for an ordinary frame.

    Raises:
        DamagedError: the mosaic cannot be divided into its slices.
    """
    image_type = attributes.texts("ImageType")
    if "VFRAME" in image_type and attributes.items(_UIH_ITEMS):
        return _uih(attributes)
    if "MOSAIC" in image_type:
        return _siemens(attributes)
    return None


def _uih(attributes: Attributes) -> list[Tile]:
    """Rows of ⌈√n⌉ tiles; every slice has an item with its position."""
    items = [Attributes(item) for item in attributes.items(_UIH_ITEMS)]
    across = math.ceil(math.sqrt(len(items)))
    rows, columns = _tile_size(attributes, math.ceil(len(items) / across), across)
    planes = [_plane(attributes, item.vector("ImagePositionPatient", 3), rows, columns) for item in items]
    return [Tile(k // across * rows, k % across * columns, plane) for k, plane in enumerate(planes)]


def _siemens(attributes: Attributes) -> list[Tile]:
    """Rows of ⌈√n⌉ tiles, ⌈√n⌉ rows. Image Position is that of a single frame as large as the mosaic."""
    csa = csa_fields(_bytes(attributes.value(_SIEMENS_CSA)))
    count = attributes.whole(_SIEMENS_SLICES) or int(_first(csa, "NumberOfImagesInMosaic"))
    if not 0 < count <= _MOST_TILES:
        raise DamagedError("is a mosaic without the number of its slices")
    across = math.ceil(math.sqrt(count))
    rows, columns = _tile_size(attributes, across, across)
    large = _plane(attributes, attributes.vector("ImagePositionPatient", 3), rows, columns)
    outside = (attributes.whole("Columns") - columns, attributes.whole("Rows") - rows)
    first = large.point(outside[0] / 2, outside[1] / 2)
    normal = np.asarray([float(v) for v in csa.get("SliceNormalVector", [])[:3]] or large.normal)
    step = attributes.number("SpacingBetweenSlices") or attributes.number("SliceThickness")
    if step is None or len(normal) != 3:
        raise DamagedError("is a mosaic without the distance of its slices")
    step = math.copysign(step, float(normal @ large.normal))
    positions = [first + k * step * large.normal for k in range(count)]
    planes = [_plane(attributes, tuple(position.tolist()), rows, columns) for position in positions]
    return [Tile(k // across * rows, k % across * columns, plane) for k, plane in enumerate(planes)]


def _tile_size(attributes: Attributes, down: int, across: int) -> tuple[int, int]:
    rows, columns = attributes.whole("Rows"), attributes.whole("Columns")
    if rows % down or columns % across or not rows or not columns:
        raise DamagedError(f"is a mosaic of {rows} × {columns} pixels, which {down} × {across} slices do not fill")
    return rows // down, columns // across


def _plane(attributes: Attributes, position: tuple[float, ...] | None, rows: int, columns: int) -> Plane:
    plane = Plane.of(attributes, position, rows, columns)
    if plane is None:
        raise DamagedError("is a mosaic without position, orientation or spacing")
    return plane


def _first(csa: dict[str, list[str]], name: str) -> float:
    try:
        return float(csa[name][0])
    except (KeyError, IndexError, ValueError, OverflowError):
        return 0.0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""

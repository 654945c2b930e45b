"""The 2-D frames in a DICOM file of any SOP class: a slice, an enhanced multi-frame file, a mosaic, a volume of NM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from StrokeSAMLib.io.dicom.attributes import Attributes
from StrokeSAMLib.io.dicom.bytestream import DamagedError
from StrokeSAMLib.io.dicom.diffusion import Diffusion, diffusion_of
from StrokeSAMLib.io.dicom.functional_groups import frame_attributes, has_groups
from StrokeSAMLib.io.dicom.header import Header
from StrokeSAMLib.io.dicom.mosaics import mosaic_tiles
from StrokeSAMLib.io.dicom.plane import Plane

# No scanner makes larger frames; a damaged header may claim 65535 × 65535.
_MOST_PIXELS = 1 << 26
_MOST_FRAMES = 100_000
_PHILIPS_INTERCEPT, _PHILIPS_SLOPE = 0x2005100D, 0x2005100E


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice: its place in a file and in space, its scale, and what tells it from others of its series.

    Attributes:
        header: of its file.
        index: number of the frame in the file.
        corner: first row and column of the slice in the frame, which differs from 0 in a mosaic.
        plane: in space; None without position, orientation or spacing.
        slope, intercept: value = slope × stored + intercept.
        thickness: slice thickness, mm; None without.
        image_type: the words of Image Type or Frame Type, upper case.
        diffusion: b-value and direction.
        number: Instance Number, plus the index of the frame in its file.
        marks: what may tell volumes at the same place apart (echo, time, …), as comparable values.
        attributes: the elements of its header.
    """

    header: Header
    index: int
    corner: tuple[int, int]
    plane: Plane | None
    slope: float
    intercept: float
    thickness: float | None
    image_type: tuple[str, ...]
    diffusion: Diffusion
    number: int
    marks: dict[str, Any]
    attributes: Attributes

    @property
    def name(self) -> str:
        """The file's name, with the frame if there are several in it."""
        name = self.header.path.name
        return f"{name}, frame {self.index + 1}" if self.index else name


def frames_of(header: Header) -> list[Frame]:
    """The frames of a file.

    Raises:
        DamagedError: the header contradicts itself or the length of the pixels.
    """
    top = Attributes(header.dataset)
    count = max(top.whole("NumberOfFrames", 1), 1)
    _check_size(header, top, count)
    rows, columns = top.whole("Rows"), top.whole("Columns")
    if has_groups(header.dataset):
        places = [
            (attributes, Plane.of(attributes, attributes.vector("ImagePositionPatient", 3), rows, columns))
            for attributes in frame_attributes(header.dataset, count)
        ]
    elif count == 1:
        tiles = mosaic_tiles(top)
        if tiles is not None:
            return [_frame(header, 0, top, tile.plane, (tile.row, tile.column)) for tile in tiles]
        places = [(top, Plane.of(top, top.vector("ImagePositionPatient", 3), rows, columns))]
    else:
        places = list(_stacked(header, top, count, rows, columns))
    return [_frame(header, index, attributes, plane, (0, 0)) for index, (attributes, plane) in enumerate(places)]


def _stacked(
    header: Header, top: Attributes, count: int, rows: int, columns: int
) -> Iterator[tuple[Attributes, Plane | None]]:
    """The frames of a file without functional groups: NM, dose, secondary capture.

    The first frame has the position of the file, or of the detector in NM; the others follow along the normal.
    """
    detector = top.items("DetectorInformationSequence")[:1]
    attributes = Attributes(header.dataset, *detector)
    first = Plane.of(attributes, attributes.vector("ImagePositionPatient", 3), rows, columns)
    offsets = _offsets(top, count)
    for number in range(count):
        yield attributes, first.moved(offsets[number]) if first is not None and offsets else None


def _offsets(top: Attributes, count: int) -> tuple[float, ...]:
    """The distance of each frame from the first one along the normal, mm; empty where the header does not say."""
    grid = top.vector("GridFrameOffsetVector", count)
    if grid is not None:
        return tuple(offset - grid[0] for offset in grid)
    step = top.number("SpacingBetweenSlices") or top.number("SliceThickness")
    return tuple(step * number for number in range(count)) if step else ()


def _check_size(header: Header, top: Attributes, count: int) -> None:
    """Refuse a matrix or a number of frames that the pixels cannot hold, before anything is allocated."""
    rows, columns = top.whole("Rows"), top.whole("Columns")
    if not (0 < rows <= 65535 and 0 < columns <= 65535 and rows * columns <= _MOST_PIXELS):
        raise DamagedError(f"has an impossible matrix of {rows} × {columns} pixels")
    if count > _MOST_FRAMES:
        raise DamagedError(f"has an impossible number of frames ({count})")
    bits = header.float_bits or top.whole("BitsAllocated")
    if bits not in (1, 8, 16, 32, 64):
        raise DamagedError(f"has {bits} bits a pixel, which no reader knows")
    samples = max(top.whole("SamplesPerPixel", 1), 1)
    # A compressed frame is an item, which has a head of 8 bytes.
    needed = (rows * columns * samples * bits * count + 7) // 8 if header.is_native else 8 * count
    if top.text("PhotometricInterpretation") == "YBR_FULL_422":
        needed = needed * 2 // 3
    if header.pixel_bytes < needed:
        raise DamagedError(f"is truncated: {header.pixel_bytes} bytes of pixels where its matrix needs {needed}")


def _frame(header: Header, index: int, attributes: Attributes, plane: Plane | None, corner: tuple[int, int]) -> Frame:
    image_type = attributes.texts("FrameType") or attributes.texts("ImageType")
    words = tuple(word.upper() for word in image_type)
    slope, intercept = _rescale(attributes)
    diffusion = diffusion_of(attributes, words) if attributes.text("Modality") == "MR" else Diffusion()
    thickness = attributes.number("SliceThickness")
    return Frame(
        header,
        index,
        corner,
        plane,
        slope,
        intercept,
        abs(thickness) if thickness else None,
        words,
        diffusion,
        attributes.whole("InstanceNumber") + index,
        _marks(attributes, words),
        attributes,
    )


def _rescale(attributes: Attributes) -> tuple[float, float]:
    """Slope and intercept: the rescale elements, else the real-world value mapping, else the private scale of Philips.

    Philips keeps beside the rescale elements a second scale, stored = slope × floating-point value + intercept, for
    another quantity. It counts only where the first one was removed.
    """
    slope, intercept = attributes.number("RescaleSlope"), attributes.number("RescaleIntercept")
    if slope is None and attributes.items("ModalityLUTSequence"):
        raise DamagedError("has a modality LUT instead of a rescale slope, which cannot be read")
    if slope is None and intercept is None:
        mapping = Attributes(*attributes.items("RealWorldValueMappingSequence")[:1])
        slope, intercept = mapping.number("RealWorldValueSlope"), mapping.number("RealWorldValueIntercept")
    if slope is None and intercept is None:
        private = attributes.number(_PHILIPS_SLOPE)
        if private:
            return 1 / private, -(attributes.number(_PHILIPS_INTERCEPT) or 0.0) / private
    slope, intercept = 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
    if slope == 0 or max(abs(slope), abs(intercept)) > 1e30 or not math.isfinite(slope):
        raise DamagedError(f"has an impossible rescale slope of {slope:g} and intercept of {intercept:g}")
    return slope, intercept


def _marks(attributes: Attributes, image_type: tuple[str, ...]) -> dict[str, Any]:
    """Values that may tell volumes at the same place apart, the most telling ones first."""
    echo = attributes.number("EffectiveEchoTime")
    return {
        "image type": (image_type, attributes.text("ComplexImageComponent")),
        "echo": (attributes.number("EchoNumbers"), attributes.number("EchoTime") if echo is None else echo),
        "inversion": attributes.number("InversionTime"),
        "time": attributes.number("TemporalPositionIndex") or attributes.number("TemporalPositionIdentifier"),
        "acquisition": attributes.number("AcquisitionNumber"),
        "trigger": attributes.number("TriggerTime"),
        "acquired": attributes.text("AcquisitionTime"),
        "segment": attributes.number("ReferencedSegmentNumber"),
        "description": (attributes.text("SeriesDescription"),),
    }

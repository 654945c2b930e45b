"""The header of one DICOM file, without its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from StrokeSAMLib.io.dicom.attributes import Attributes
from StrokeSAMLib.io.dicom.bytestream import NATIVE, DamagedError, DataSetStream, NotDicomError, open_data_set
from StrokeSAMLib.io.dicom.kept_elements import KEPT_TAGS

_UNDEFINED = 0xFFFFFFFF
# Pixel Data, and its floating and double form.
_PIXELS, _FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00010, 0x7FE00008, 0x7FE00009
FLOAT_BITS = {_FLOAT_PIXELS: 32, _DOUBLE_PIXELS: 64}
_LONG_VRS = ("OB", "OW", "OF", "OD", "UN")


@dataclass(frozen=True, eq=False)
class Header:
    """The header of a file, and the place of its pixels.

    Attributes:
        path: the file.
        dataset: the elements that the reader needs.
        syntax: UID of the transfer syntax.
        little_endian: byte order of native pixels.
        pixel_offset: byte at which the value of Pixel Data begins in the data set's stream.
        pixel_bytes: its length; for compressed pixels, up to the end of the stream.
        float_bits: 32 or 64 for Float or Double Float Pixel Data; 0 for integers.
    """

    path: Path
    dataset: pydicom.Dataset
    syntax: str
    little_endian: bool
    pixel_offset: int
    pixel_bytes: int
    float_bits: int

    @property
    def is_native(self) -> bool:
        """Whether the pixels are not compressed."""
        return self.syntax in NATIVE


def read_header(path: Path) -> Header | None:
    """Read a file's header; None if it has no pixels, such as a report or a DICOMDIR.

    The caller has switched off pydicom's validation and warnings.

    Raises:
        NotDicomError: the file is no DICOM file.
        DamagedError: the file is damaged.
        OSError: the file cannot be opened.
    """
    with open_data_set(path) as data:
        if data.is_directory:
            return None
        try:
            dataset = read_dataset(
                data.stream,  # pyright: ignore[reportArgumentType]
                data.is_implicit,
                data.is_little_endian,
                stop_when=_at_pixels,
                specific_tags=KEPT_TAGS,
            )
        except (NotDicomError, DamagedError, OSError, MemoryError):
            raise
        except Exception:  # damaged bytes raise any exception in pydicom
            raise DamagedError("is truncated or damaged") from None
        if not data.has_magic and "SOPClassUID" not in dataset:
            raise NotDicomError
        return _with_pixels(path, dataset, data)


def _should_have_pixels(dataset: pydicom.Dataset) -> bool:
    """Whether a data set without pixels is the beginning of an image, or ends within an element."""
    elements = [dataset.get_item(tag) for tag in list(dataset.keys())[-1:]]
    is_cut = any(isinstance(e, RawDataElement) and len(e.value or b"") < e.length != _UNDEFINED for e in elements)
    storage = UID(Attributes(dataset).text("SOPClassUID")).name
    return is_cut or "Rows" in dataset or "Image Storage" in storage or "SOPClassUID" not in dataset


def _at_pixels(tag: int, vr: str | None, length: int) -> bool:
    return _FLOAT_PIXELS <= int(tag) <= _PIXELS  # comparing pydicom's tags is slow


def _with_pixels(path: Path, dataset: pydicom.Dataset, data: DataSetStream) -> Header | None:
    position = data.stream.tell()
    start = data.part(position, 12)
    if len(start) < 8:
        if _should_have_pixels(dataset):
            raise DamagedError("is truncated: it ends before its pixels")
        return None
    order = "<" if data.is_little_endian else ">"
    group, element = struct.unpack_from(f"{order}HH", start)
    tag = group << 16 | element
    if tag not in (_PIXELS, *FLOAT_BITS):
        raise DamagedError("is truncated or damaged")
    explicit = start[4:6].decode("latin-1") in _LONG_VRS
    head = 12 if explicit else 8
    length = struct.unpack_from(f"{order}I", start, head - 4)[0]
    rest = max(data.size - position - head, 0)
    if length != _UNDEFINED and length > rest:
        raise DamagedError(f"is truncated: {rest} bytes of pixels where its header says {length}")
    return Header(
        path,
        dataset,
        data.syntax,
        data.pixels_are_little_endian,
        position + head,
        min(length, rest),
        FLOAT_BITS.get(tag, 0),
    )

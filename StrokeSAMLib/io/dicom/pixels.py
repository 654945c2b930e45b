"""The stored values of frames: native ones read from their place in the file, compressed ones by pydicom or GDCM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from StrokeSAMLib.io.dicom.attributes import Attributes
from StrokeSAMLib.io.dicom.bytestream import DamagedError, open_data_set
from StrokeSAMLib.io.dicom.codestream import codestream_matrix, is_truncated
from StrokeSAMLib.io.dicom.decoders import decoder_plugin
from StrokeSAMLib.io.dicom.frames import Frame
from StrokeSAMLib.io.dicom.gdcm import decode_with_gdcm, undecodable
from StrokeSAMLib.io.dicom.header import Header

# So many frames at once are written for GDCM.
_BUNDLE = 64


def stored_values(frames: Sequence[Frame]) -> Iterator[np.ndarray]:
    """The stored values of each frame, (rows, columns), in the integer or floating type that holds them.

    Raises:
        DamagedError: the pixels cannot be decoded; the text begins with the name of the file.
        OSError: the file cannot be opened.
    """
    # One file may hold all frames: it is opened once for those that follow each other.
    for path, group in groupby(frames, key=lambda frame: None if _needs_gdcm(frame.header) else frame.header.path):
        decode = _by_gdcm if path is None else _of_file
        yield from decode(list(group))


def _needs_gdcm(header: Header) -> bool:
    return not header.is_native and decoder_plugin(header.syntax) is None


def _by_gdcm(frames: list[Frame]) -> Iterator[np.ndarray]:
    """Decode frames of many files by one process of GDCM for a bundle of them."""
    for start in range(0, len(frames), _BUNDLE):
        bundle = frames[start : start + _BUNDLE]
        datasets: dict[Path, Dataset] = {}
        for frame in bundle:
            with _naming(frame.header):
                if frame.header.path not in datasets:
                    datasets[frame.header.path] = _pixel_dataset(frame.header)
        whole = decode_with_gdcm([(datasets[frame.header.path], frame.index) for frame in bundle])
        for frame in bundle:
            with _naming(frame.header):
                yield _tile(frame, _checked(next(whole), frame.header))


def _of_file(frames: list[Frame]) -> Iterator[np.ndarray]:
    header = frames[0].header
    indices = list(dict.fromkeys(frame.index for frame in frames))
    whole = _native(header, indices) if header.is_native else _compressed(header, indices)
    with _naming(header):
        if len(indices) == len(frames):
            for frame in frames:
                yield _tile(frame, next(whole))
        else:  # the tiles of a mosaic
            decoded = dict(zip(indices, whole, strict=True))
            yield from (_tile(frame, decoded[frame.index]) for frame in frames)


@contextmanager
def _naming(header: Header) -> Iterator[None]:
    """Begin the text of an error with the name of the file."""
    try:
        yield
    except DamagedError as error:
        raise DamagedError(f"{header.path.name} {error}") from None


def _tile(frame: Frame, values: np.ndarray) -> np.ndarray:
    """The slice within a decoded frame, which is the whole of it except in a mosaic."""
    row, column = frame.corner
    columns, rows = frame.plane.size if frame.plane is not None else values.shape[::-1]
    return values[row : row + rows, column : column + columns]


def _native(header: Header, indices: list[int]) -> Iterator[np.ndarray]:
    top = Attributes(header.dataset)
    rows, columns = top.whole("Rows"), top.whole("Columns")
    bits = header.float_bits or top.whole("BitsAllocated")
    with open_data_set(header.path) as data:
        for index in indices:
            if bits == 1:
                yield _bits(data.part(header.pixel_offset, header.pixel_bytes), index, rows, columns)
                continue
            size = rows * columns * bits // 8
            content = data.part(header.pixel_offset + index * size, size)
            if len(content) < size:
                raise DamagedError("is truncated")
            values = np.frombuffer(_swapped(content, header, bits), _dtype(header, top, bits))
            yield _significant(values.reshape(rows, columns), header, top)


def _bits(content: bytes, index: int, rows: int, columns: int) -> np.ndarray:
    """A frame of a binary segmentation: its pixels follow those of the frame before without padding."""
    first = index * rows * columns
    part = np.frombuffer(content[first // 8 : (first + rows * columns + 7) // 8], np.uint8)
    pixels = np.unpackbits(part, bitorder="little")[first % 8 :][: rows * columns]
    return pixels.reshape(rows, columns)


def _dtype(header: Header, top: Attributes, bits: int) -> np.dtype:
    order = "<" if header.little_endian else ">"
    kind = "f" if header.float_bits else ("i" if top.whole("PixelRepresentation") else "u")
    return np.dtype(f"{order}{kind}{bits // 8}")


def _swapped(content: bytes, header: Header, bits: int) -> bytes:
    """Bytes in big endian are pairs in words of 16 bits (PS3.5 section 8.1.1)."""
    if bits == 8 and not header.little_endian and len(content) % 2 == 0:
        return np.frombuffer(content, np.uint16).byteswap().tobytes()
    return content


def _significant(values: np.ndarray, header: Header, top: Attributes) -> np.ndarray:
    """Only the stored bits: the others may hold an overlay, or the sign of a value beyond the stored bits.

    Where all of them repeat the highest bit, as in a padding value of −2000 beside 12 stored bits, they are kept as a
    sign.
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    allocated = values.dtype.itemsize * 8
    stored = top.whole("BitsStored") or allocated
    high = top.whole("HighBit", stored - 1)
    if values.dtype.kind == "f" or not 0 < stored < allocated or not stored - 1 <= high < allocated:
        return values
    if high + 1 == stored:
        least, most = (
            (-(1 << stored - 1), (1 << stored - 1) - 1) if values.dtype.kind == "i" else (0, (1 << stored) - 1)
        )
        if least <= values.min() and values.max() <= most:
            return values
        signed = values.view(values.dtype.str.replace("u", "i"))
        if signed.min() >= -(1 << stored) and signed.max() <= (1 << stored) - 1:
            return signed
    # Shifted to the top and back, which drops the other bits and extends the sign.
    return (values << (allocated - 1 - high)) >> (allocated - stored)


def _compressed(header: Header, indices: list[int]) -> Iterator[np.ndarray]:
    dataset, plugin = _pixel_dataset(header), decoder_plugin(header.syntax) or ""
    try:
        for values in iter_pixels(dataset, indices=indices, raw=True, decoding_plugin=plugin):
            yield _checked(values, header)
    except DamagedError:
        raise
    except Exception:  # damaged bytes raise any exception in pydicom
        raise undecodable(dataset) from None


def _checked(values: np.ndarray, header: Header) -> np.ndarray:
    top = Attributes(header.dataset)
    if values.shape[:2] != (top.whole("Rows"), top.whole("Columns")):
        raise DamagedError("is damaged: its compressed pixels have another matrix than its header")
    return values


def _pixel_dataset(header: Header) -> Dataset:
    """A data set that has the pixels and what describes them, and nothing else."""
    dataset = Dataset()
    for keyword in _DESCRIPTION:
        value = Attributes(header.dataset).value(keyword)
        if value is not None:
            setattr(dataset, keyword, value)
    with open_data_set(header.path) as data:
        dataset.PixelData = data.part(header.pixel_offset, header.pixel_bytes)
    _check_frames(dataset)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(header.syntax)
    dataset.set_original_encoding(False, True)
    return dataset


def _check_frames(dataset: Dataset) -> None:
    """Refuse frames that make a decoder hang or take memory: truncated ones, and those of another matrix."""
    try:
        for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1)):
            if codestream_matrix(frame) not in (None, (dataset.Rows, dataset.Columns)):
                raise DamagedError("is damaged: its compressed pixels have another matrix than its header")
            if is_truncated(frame):
                raise DamagedError("is truncated: its compressed pixels have no end")
    except DamagedError:
        raise
    except Exception:  # damaged bytes raise any exception in pydicom
        raise DamagedError("is damaged: its compressed pixels have no frames") from None


_DESCRIPTION = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "NumberOfFrames",
)

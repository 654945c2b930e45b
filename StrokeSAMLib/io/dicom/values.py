"""From stored to measured values: rescaling of every frame, padding, wrapped and inverted values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.io.dicom.frames import Frame
from StrokeSAMLib.io.dicom.pixels import stored_values

# The least value of the usual CT scale: 12 bits with an offset of 1024. What is below is padding, not a measurement.
AIR_HU = -1024
# No tissue is darker, so that a padding value below is nowhere in a head. Fat is at −100.
_CERTAIN_AIR_HU = -500
# Stored CT values above this, in 16 bits without sign, are negative ones: as HU they would be above 60000.
_WRAPPED = (1 << 16) - (1 << 12)
_HOUNSFIELD_TYPES = ("", "HU", "US")


def value_type(frames: Sequence[Frame]) -> np.dtype:
    """The pixel type that holds the measured values of all frames: integers if every scale is whole, else Float32."""
    if any(frame.header.float_bits or not _is_whole(frame) for frame in frames):
        return np.dtype(np.float32)
    is_ct = any(frame.attributes.text("Modality") == "CT" for frame in frames)
    low, high = 0.0, 0.0
    for bits, signed, slope, intercept in {
        (_stored_bits(frame), _is_signed(frame), frame.slope, frame.intercept) for frame in frames
    }:
        ends = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        if is_ct and bits == 16 and not signed:
            ends = (_WRAPPED - (1 << 16), _WRAPPED - 1)
        scaled = [end * slope + intercept for end in ends]
        low, high = min(low, *scaled), max(high, *scaled)
    kinds = (np.int16, np.int32) if is_ct else (np.uint8, np.int16, np.uint16, np.int32)
    fitting = (kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.dtype(next(fitting, np.float32))


def measured_values(frames: Sequence[Frame]) -> Iterator[np.ndarray]:
    """The measured values of each frame, (rows, columns), of `value_type`: HU in CT.

    Raises:
        DamagedError: the pixels cannot be decoded.
        OSError: a file cannot be opened.
    """
    kind = value_type(frames)
    inverted = is_inverted(frames)
    for frame, stored in zip(frames, stored_values(frames), strict=True):
        padding = _padding(frame, stored)
        values = _rescaled(_inverted(frame, stored) if inverted else _unwrapped(frame, stored), frame, kind)
        if padding is not None:
            values[_outside(padding, values)] = AIR_HU if _is_hounsfield(frame) else 0
        if _is_hounsfield(frame):
            np.maximum(values, AIR_HU, out=values)
        yield values


def is_inverted(frames: Sequence[Frame]) -> bool:
    """Whether the stored values were inverted, as some archives do that write MONOCHROME1.

    By the standard MONOCHROME1 changes the display alone. The image's border tells the two apart: outside of the
    patient nothing is measured, so the border is dark.
    """
    if frames[0].attributes.text("PhotometricInterpretation") != "MONOCHROME1" or frames[0].header.float_bits:
        return False
    chosen = [frames[index] for index in sorted({0, len(frames) // 2, len(frames) - 1})]
    as_stored, inverted = [], []
    for frame, stored in zip(chosen, stored_values(chosen), strict=True):
        border = np.concatenate([stored[0], stored[-1], stored[:, 0], stored[:, -1]])
        as_stored.append(np.median(border * frame.slope))
        inverted.append(np.median(_inverted(frame, border) * frame.slope))
    return float(np.mean(inverted)) < float(np.mean(as_stored))


def _is_whole(frame: Frame) -> bool:
    return float(frame.slope).is_integer() and float(frame.intercept).is_integer() and abs(frame.slope) < 1 << 16


def _stored_bits(frame: Frame) -> int:
    allocated = frame.attributes.whole("BitsAllocated", 16)
    stored = frame.attributes.whole("BitsStored", allocated)
    return stored if 0 < stored <= allocated else allocated


def _is_signed(frame: Frame) -> bool:
    return frame.attributes.whole("PixelRepresentation") == 1


def _is_hounsfield(frame: Frame) -> bool:
    """Whether the frame is a CT in HU: with a rescale intercept, or of signed values."""
    return (
        frame.attributes.text("Modality") == "CT"
        and frame.attributes.text("RescaleType").upper() in _HOUNSFIELD_TYPES
        and (frame.intercept != 0 or _is_signed(frame))
    )


def _inverted(frame: Frame, stored: np.ndarray) -> np.ndarray:
    most = -1 if _is_signed(frame) else (1 << _stored_bits(frame)) - 1
    return most - stored.astype(np.int64)


def _unwrapped(frame: Frame, stored: np.ndarray) -> np.ndarray:
    """Negative values that were stored without sign in a CT."""
    if stored.dtype != np.uint16 or frame.attributes.text("Modality") != "CT" or not 0.5 <= frame.slope <= 2:
        return stored
    return (
        np.where(stored >= _WRAPPED, stored.astype(np.int32) - (1 << 16), stored)
        if stored.max() >= _WRAPPED
        else stored
    )


def _rescaled(stored: np.ndarray, frame: Frame, kind: np.dtype) -> np.ndarray:
    if kind.kind == "f":
        return (stored.astype(np.float64) * frame.slope + frame.intercept).astype(kind)
    values = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
    if frame.slope != 1:
        values *= int(frame.slope)
    if frame.intercept != 0:
        values += int(frame.intercept)
    limits = np.iinfo(kind)
    return np.clip(values, limits.min, limits.max, out=values).astype(kind)


def _padding(frame: Frame, stored: np.ndarray) -> np.ndarray | None:
    """Where the frame holds its Pixel Padding Value, or is within the range of padding values; None for nowhere."""
    value = frame.attributes.number("PixelPaddingValue")
    if value is None:
        return None
    limit = frame.attributes.number("PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    # The value may be written with or without sign, unlike the pixels.
    turns = (0, 1 << 16, -(1 << 16)) if stored.dtype.itemsize == 2 else (0,)
    padding = np.zeros(stored.shape, bool)
    for turn in turns:
        padding |= (stored >= low + turn) & (stored <= high + turn)
    return padding if padding.any() else None


def _outside(padding: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The padding outside of the patient: all of it, or that which reaches the border if tissue has the same value."""
    if values[padding].max() < _CERTAIN_AIR_HU:
        return padding
    labels, _ = ndi.label(padding)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, border[border > 0])

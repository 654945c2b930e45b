"""Damaged DICOM files for tests: good ones of every form, and changes of their bytes."""

import io
import struct

import numpy as np
from dicom_files import COUNT, enhanced, ids, image_dataset, item, mosaic, place, scene, slice_tags
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def dicom_seeds(folder):
    """Good files by name: a slice in every transfer syntax, enhanced multi-frame files, mosaics, several forms."""
    volume = np.stack([scene(k) for k in range(COUNT)]).astype(np.uint16)
    large = scene(1, 64, 64).astype(np.int16)
    single = {
        "explicit.dcm": image_dataset(large, **slice_tags(0), **ids()),
        "implicit": image_dataset(large, syntax=ImplicitVRLittleEndian, **slice_tags(0), **ids()),
        "big.dcm": image_dataset(large, syntax=ExplicitVRBigEndian, **slice_tags(0), **ids()),
        "deflated.dcm": image_dataset(large, syntax=DeflatedExplicitVRLittleEndian, **slice_tags(0), **ids()),
    }
    for name, syntax in (("rle.dcm", RLELossless), ("j2k.dcm", JPEG2000Lossless), ("jls.dcm", JPEGLSLossless)):
        data = image_dataset(large, **slice_tags(0), **ids())
        data.compress(syntax)
        single[name] = data
    own = [
        {
            "PixelValueTransformationSequence": item(RescaleSlope=1.0 + k, RescaleIntercept=0.0),
            "MRDiffusionSequence": item(DiffusionBValue=float(1000 * (k % 2))),
        }
        for k in range(COUNT)
    ]
    single["enhanced.dcm"] = enhanced(volume, map(place, range(COUNT)), own)
    compressed = enhanced(volume, map(place, range(COUNT)), own)
    compressed.compress(RLELossless)
    single["frames.dcm"] = compressed
    tags = {**slice_tags(0), **ids(), "ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], "SpacingBetweenSlices": 3.0}
    tiles = image_dataset(mosaic(volume), sop=MRImageStorage, modality="MR", **tags)
    tiles.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", COUNT)
    single["mosaic.IMA"] = tiles
    contents = {}
    for name, data in single.items():
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        contents[name] = buffer.getvalue()
    return contents


def damaged(content, random):
    """The bytes with one to eight changes, most of them in the header."""
    data = bytearray(content)
    for _ in range(random.integers(1, 9)):
        if len(data) < 8:
            break
        reach = len(data) if random.random() < 0.2 else min(len(data), 1500)
        start = int(random.integers(0, reach - 4))
        kind = random.integers(0, 7)
        if kind == 0:
            data[start] = int(random.integers(0, 256))
        elif kind == 1:
            data[start] ^= 1 << int(random.integers(0, 8))
        elif kind == 2:
            value = int(random.choice(_EXTREMES))
            size = int(random.choice([1, 2, 4]))
            data[start : start + size] = struct.pack("<I", value)[:size]
        elif kind == 3:
            del data[start : start + int(random.integers(1, 64))]
        elif kind == 4:
            data[start:start] = random.bytes(int(random.integers(1, 64)))
        elif kind == 5:
            other = int(random.integers(0, len(data)))
            data[start:start] = data[other : other + int(random.integers(1, 256))]
        else:
            del data[max(start, 16) :]
    return bytes(data)

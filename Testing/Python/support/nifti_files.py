"""NIfTI-1 files made byte by byte from the standard (https://nifti.nimh.nih.gov), without the readers under test."""

import gzip
import struct
from pathlib import Path

import numpy as np

_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "c8": 32, "f8": 64, "rgb": 128, "i8": 1024}


def write_nifti1(
    path: Path,
    array: np.ndarray,
    *,
    sform=None,
    sform_code=1,
    qform=None,
    qform_code=1,
    sizes=(1, 1, 1),
    scale=(0, 0),
    units=2,
    order="<",
    shape=None,
    code=None,
    intent=0,
) -> Path:
    """Write `array` (k, j, i) to a file ending in .nii, .nii.gz, or .hdr with an .img beside it; return `path`.

    Args:
        sform: 4 × 4, RAS; None leaves its code 0.
        qform: (b, c, d, x, y, z); None leaves its code 0. (0, 0, 1) turns i and j round, as an axial LPS scan has it.
        sizes: pixdim 1 to 3.
        scale: slope and intercept.
        units: xyzt_units.
        order: "<" or ">".
        shape: dim 1 to n, where it is not that of the array.
        code: the datatype's code, where it is not that of the array.
        intent: the intent's code.
    """
    shape = array.shape[::-1] if shape is None else shape
    header = bytearray(348)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into(f"{order}h", header, 68, intent)
    kind = array.dtype.str[1:]
    struct.pack_into(f"{order}2h", header, 70, _CODES[kind] if code is None else code, array.itemsize * 8)
    struct.pack_into(f"{order}8f", header, 76, 1, *sizes, 1, 1, 1, 1)
    is_pair = path.suffix == ".hdr"
    struct.pack_into(f"{order}3f", header, 108, 0 if is_pair else 352, *scale)
    header[123] = units
    struct.pack_into(f"{order}2h", header, 252, qform_code if qform else 0, 0 if sform is None else sform_code)
    if qform is not None:
        struct.pack_into(f"{order}6f", header, 256, *qform)
    if sform is not None:
        struct.pack_into(f"{order}12f", header, 280, *np.asarray(sform)[:3].ravel())
    header[344:348] = b"ni1\0" if is_pair else b"n+1\0"
    voxels = array.astype(array.dtype.newbyteorder(order)).tobytes()
    if is_pair:
        path.write_bytes(bytes(header))
        path.with_suffix(".img").write_bytes(voxels)
    else:
        content = bytes(header) + bytes(4) + voxels
        path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path

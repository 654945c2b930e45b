"""A hash that identifies a volume, independent of the format and name of its file."""

from __future__ import annotations

import hashlib

import numpy as np
import SimpleITK as sitk

_GEOMETRY_DIGITS = 4


def volume_hash(image: sitk.Image) -> str:
    """SHA-256 of pixel type, size, geometry (rounded to 10⁻⁴ mm) and voxels, hexadecimal."""
    digest = hashlib.sha256(f"{image.GetPixelIDTypeAsString()} {image.GetSize()}".encode())
    geometry = (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    # Adding 0.0 turns a rounded −0 into 0.
    digest.update((np.round(geometry, _GEOMETRY_DIGITS) + 0.0).tobytes())
    for plane in sitk.GetArrayViewFromImage(image):
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()

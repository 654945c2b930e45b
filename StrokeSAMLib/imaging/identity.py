"""Is it the same volume? A hash of what was measured and of where it lies."""

from __future__ import annotations

import hashlib

import numpy as np
import SimpleITK as sitk

_DIGITS = 4


def volume_hash(image: sitk.Image) -> str:
    """SHA-256 of pixel type, size, geometry (to 10⁻⁴ mm) and voxels; the file's format and name do not count."""
    digest = hashlib.sha256(f"{image.GetPixelIDTypeAsString()} {image.GetSize()}".encode())
    geometry = (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    # + 0.0: a rounded −0 is 0.
    digest.update((np.round(geometry, _DIGITS) + 0.0).tobytes())
    for plane in sitk.GetArrayViewFromImage(image):
        digest.update(np.ascontiguousarray(plane))
    return digest.hexdigest()

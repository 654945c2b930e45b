"""Is it the same? Hashes of files, and of volumes: of what was measured and of where it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

_DIGITS = 4


def file_hash(path: Path) -> str:
    """SHA-256 of the file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def volume_hash(image: sitk.Image) -> str:
    """SHA-256 of pixel type, size, geometry (to 10⁻⁴ mm) and voxels; the file's format and name do not count."""
    digest = hashlib.sha256(f"{image.GetPixelIDTypeAsString()} {image.GetSize()}".encode())
    geometry = (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    # + 0.0: a rounded −0 is 0.
    digest.update((np.round(geometry, _DIGITS) + 0.0).tobytes())
    for plane in sitk.GetArrayViewFromImage(image):
        digest.update(np.ascontiguousarray(plane))
    return digest.hexdigest()

"""Writing a NIfTI file with the geometry of an image, or with the very header geometry of another NIfTI file."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of
from StrokeSAMLib.imaging.right_angles import is_sheared
from StrokeSAMLib.io.nifti.header import is_nifti, read_header

# Every field that any program takes the geometry from.
_GEOMETRY = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
)
_SPATIAL_UNIT = 7
# NIFTI_XFORM_SCANNER_ANAT
_SCANNER = 1
_MOST_NIFTI1 = 32767
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_nifti(image: sitk.Image, path: Path, like: Path | None = None) -> None:
    """Write `image` to `path`.

    Args:
        image: 3-D, scalar.
        path: ends in .nii or .nii.gz.
        like: the file that the grid of `image` comes from. If it is a NIfTI of the same size, its sform, qform and
            voxel sizes are copied as they are: every program then shows the new image at the place of that file, also
            a program that reads the other one of two geometries.
    """
    source = None if like is None else _nifti_header(like, image.GetSize())
    needs_nifti2 = isinstance(source, nib.Nifti2Header) or max(image.GetSize()) > _MOST_NIFTI1
    header = nib.Nifti2Header() if needs_nifti2 else nib.Nifti1Header()
    header.set_xyzt_units("mm")
    if source is None:
        affine = _RAS @ affine_of(image)
        header.set_sform(affine, _SCANNER)
        # A qform has no shear. ITK would read the mask at the wrong place by it; without one, ITK refuses the file.
        header.set_qform(affine, 0 if is_sheared(image) else _SCANNER)
    else:
        _copy_geometry(source, header)
    array = sitk.GetArrayViewFromImage(image).T
    # With an affine, nibabel would write that in place of the header's fields.
    image_class = nib.Nifti2Image if needs_nifti2 else nib.Nifti1Image
    nib.save(image_class(array, None, header, dtype=array.dtype), path)


def has_geometry_for(like: Path, size: tuple[int, ...]) -> bool:
    """Whether `like` is a NIfTI file whose geometry `write_nifti` copies to an image of this size."""
    return _nifti_header(like, size) is not None


def _nifti_header(path: Path, size: tuple[int, ...]) -> nib.Nifti1Header | None:
    """The header of `path` if it is a NIfTI file of this size, else None."""
    if not is_nifti(path):
        return None
    try:
        file = read_header(path)
    except (InputError, EOFError, OSError, zlib.error):
        return None
    return file.header if isinstance(file.header, nib.Nifti1Header) and file.shape[:3] == tuple(size) else None


def _copy_geometry(source: nib.Nifti1Header, target: nib.Nifti1Header) -> None:
    for field in _GEOMETRY:
        target[field] = source[field]
    target["pixdim"][:4] = source["pixdim"][:4]
    target["xyzt_units"] = int(source["xyzt_units"]) & _SPATIAL_UNIT

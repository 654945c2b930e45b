"""Writing images atomically, and checks of output paths before the work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import atomic_write, exists, is_folder, new_temporary_file
from StrokeSAMLib.imaging.right_angles import is_sheared, shear_degrees

# Formats that keep a volume and its full geometry in one file. Only a single file can be replaced atomically.
_NIFTI = (".nii.gz", ".nii")
_SUFFIXES = (*_NIFTI, ".nrrd", ".mha")


def write_image(image: sitk.Image, path: Path, like: Path | None = None) -> None:
    """Write `image` to `path` atomically, compressed, in the format of the suffix.

    Args:
        image: 3-D, scalar.
        path: the file.
        like: the file that the grid of `image` comes from. A NIfTI file keeps the geometry of its header, to the bit.

    Raises:
        InputError: the folder cannot be written to, the disk is full, no format has that suffix, or the format cannot
            hold the grid.
    """
    check_grid(image, path, like)
    with atomic_write(path) as temporary:
        if path.name.endswith(_NIFTI):
            from StrokeSAMLib.io.nifti.writing import write_nifti  # nibabel is slow to import

            write_nifti(image, temporary, like)
            return
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].removeprefix("sitk::ERROR: ")
            raise InputError(f"{path}: cannot write the image: {reason.replace(str(temporary), path.name)}") from None


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output path that cannot be written to, or that would overwrite an input.

    Raises:
        InputError: the output is an input, lies in the folder of an input series, is a folder, or is read-only; or
            its folder does not exist or cannot be written to.
    """
    for source in inputs:
        if exists(path) and exists(source) and source.samefile(path):
            raise InputError(f"{path}: the output is one of the inputs and would overwrite it")
        if is_folder(source) and source.resolve() in path.resolve().parents:
            raise InputError(f"{path}: the output lies in the folder of an input series")
    if is_folder(path):
        raise InputError(f"{path}: the output is a folder; name a file")
    # An atomic write needs only a writable folder, so it would replace a read-only file.
    if exists(path) and not os.access(path, os.W_OK):
        raise InputError(f"{path}: the file exists and is read-only")
    new_temporary_file(path).unlink()


def check_image_output(path: Path, inputs: Iterable[Path]) -> None:
    """Check the output path of an image: as `check_output`, and the suffix must be of a format with one file."""
    check_output(path, inputs)
    if not any(path.name.endswith(suffix) and path.name != suffix for suffix in _SUFFIXES):
        suffixes = f"{', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        raise InputError(f"{path}: an image cannot be saved under this name; use {suffixes}")


def check_grid(image: sitk.Image, path: Path, like: Path | None) -> None:
    """Refuse a format that cannot hold the grid of `image`; see `write_image` for the arguments.

    A NIfTI can hold a sheared grid, but ITK and 3D Slicer do not read it. It is written only beside a NIfTI of the same
    grid, which these programs read as they read the mask.

    Raises:
        InputError: the grid is sheared, and the format is NIfTI.
    """
    if not path.name.endswith(_NIFTI) or not is_sheared(image):
        return
    from StrokeSAMLib.io.nifti.writing import has_geometry_for

    if like is None or not has_geometry_for(like, image.GetSize()):
        raise InputError(
            f"{path}: the scan's voxel axes are {shear_degrees(image):.1f}° off a right angle, and ITK and 3D Slicer do"
            " not read such a NIfTI; write .nrrd or .mha"
        )

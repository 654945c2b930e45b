"""Writing images so that a killed run leaves no half file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import exists, is_folder, replacing, temporary_beside

# The formats that hold a volume and its whole geometry in one file, which alone can be renamed as one.
_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def write_image(image: sitk.Image, path: Path) -> None:
    """Write `image` to `path`, in the format of its suffix, compressed; whole or not at all.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or no format has that suffix.
    """
    with replacing(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].removeprefix("sitk::ERROR: ")
            raise InputError(f"{path}: cannot write the image: {reason.replace(str(temporary), path.name)}") from None


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output before any work is done: no folder to write to, a file that is read-only, or one of the inputs.

    Raises:
        InputError: with the reason.
    """
    for given in inputs:
        if exists(path) and exists(given) and given.samefile(path):
            raise InputError(f"{path}: the output is one of the inputs and would overwrite it")
        if is_folder(given) and given.resolve() in path.resolve().parents:
            raise InputError(f"{path}: the output lies in the folder of an input series")
    if is_folder(path):
        raise InputError(f"{path}: the output is a folder; name a file")
    # To rename over it only the folder must be writable.
    if exists(path) and not os.access(path, os.W_OK):
        raise InputError(f"{path}: the file is there already, and is read-only")
    temporary_beside(path).unlink()


def check_image_output(path: Path, inputs: Iterable[Path]) -> None:
    """`check_output` for an image: also refuses a name that is not that of a volume in one file."""
    check_output(path, inputs)
    if not any(path.name.endswith(suffix) and path.name != suffix for suffix in _SUFFIXES):
        suffixes = f"{', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        raise InputError(f"{path}: no image is written under such a name; use {suffixes}")

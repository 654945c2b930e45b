"""Writing images atomically, and checks of output paths before the work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import atomic_write, exists, is_folder, new_temporary_file

# Formats that keep a volume and its full geometry in one file. Only a single file can be replaced atomically.
_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def write_image(image: sitk.Image, path: Path) -> None:
    """Write `image` to `path` atomically, compressed, in the format of the suffix.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or no format has that suffix.
    """
    with atomic_write(path) as temporary:
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

"""Folders of images. An image is identified by its file name without the suffix."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import is_folder

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


def images_in(folder: Path) -> dict[str, Path]:
    """The image files in a folder by name, sorted; hidden files are skipped.

    Raises:
        InputError: no images, two images of one name, or an unreadable folder.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder")
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    images: dict[str, Path] = {}
    for path in paths:
        if not path.name.lower().endswith(_SUFFIXES) or path.name.startswith("."):
            continue
        name = image_name(path)
        if name in images:
            raise InputError(f"{folder}: {path.name} and {images[name].name} have the same name {name}")
        images[name] = path
    if not images:
        raise InputError(f"{folder}: no images in that folder")
    return images


def image_name(path: Path) -> str:
    """The file's name without the suffix of an image."""
    return next((path.name[: -len(s)] for s in _SUFFIXES if path.name.lower().endswith(s)), path.stem)

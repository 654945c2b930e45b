"""Folders of images, each called by its file's name without the suffix."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import is_folder

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


def images_in(folder: Path) -> dict[str, Path]:
    """The images in a folder by their names, sorted; hidden files are left out.

    Raises:
        InputError: there is none, or two are called the same, or the folder cannot be read.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder")
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    found: dict[str, Path] = {}
    for path in paths:
        if not path.name.lower().endswith(_SUFFIXES) or path.name.startswith("."):
            continue
        name = image_name(path)
        if name in found:
            raise InputError(f"{folder}: {path.name} and {found[name].name} are both called {name}")
        found[name] = path
    if not found:
        raise InputError(f"{folder}: no images in that folder")
    return found


def image_name(path: Path) -> str:
    """The file's name without the suffix of an image."""
    return next((path.name[: -len(s)] for s in _SUFFIXES if path.name.lower().endswith(s)), path.stem)

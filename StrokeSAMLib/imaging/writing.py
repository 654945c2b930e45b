"""Writing files so that a killed run leaves no half file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.errors import InputError

# How the names of temporary files begin; only a killed process leaves one.
TEMPORARY = ".strokesam-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix: renamed over `path` on success, removed on any failure.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write there: {error.strerror or error}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
    """Refuse an output before any work is done: a folder that is not there or not writable, or one of the inputs.

    Raises:
        InputError: with the reason.
    """
    for given in inputs:
        if path.exists() and given.exists() and given.samefile(path):
            raise InputError(f"{path}: the output is one of the inputs and would overwrite it")
        if given.is_dir() and given.resolve() in path.resolve().parents:
            raise InputError(f"{path}: the output lies in the folder of an input series")
    if path.is_dir():
        raise InputError(f"{path}: the output is a folder; name a file")
    _temporary_beside(path).unlink()


def check_image_output(path: Path, inputs: Iterable[Path]) -> None:
    """`check_output` for an image: also refuses a suffix that no image format has."""
    check_output(path, inputs)
    probe = _temporary_beside(path)
    try:
        sitk.WriteImage(sitk.Image(2, 2, 2, sitk.sitkUInt8), str(probe))
    except RuntimeError:
        raise InputError(f"{path}: no image format is known by that name; use .nii.gz, .nrrd or .mha") from None
    finally:
        probe.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    # The whole of ".nii.gz" must stay at the end: writers choose the format by it.
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from None
    os.close(handle)
    return Path(name)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

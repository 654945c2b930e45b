"""Reading an image from a file or from DICOM."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.address import is_dicom
from StrokeSAMLib.io.file_checks import check_file, check_text_header, damage_named
from StrokeSAMLib.io.image_checks import as_scalar_volume
from StrokeSAMLib.io.native_stderr import native_stderr_silenced
from StrokeSAMLib.io.nrrd_bzip2 import unpacked
from StrokeSAMLib.io.scan import Scan

_NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")


def read_image(path: Path) -> sitk.Image:
    """The image of `read_scan`, without its notes."""
    return read_scan(path).image


def read_scan(path: Path, wanted: str = "") -> Scan:
    """Read a 3-D scalar image: a NIfTI, NRRD or MetaImage file, or DICOM: a folder, file or archive.

    The pixel type is the file's own. Axes of length 1 beside the three of space are dropped. The axes of the image may
    be sheared, and its voxels may be NaN, as they are in the file.

    Args:
        path: the file or folder; for DICOM also "FOLDER#N" for its volume number N.
        wanted: the input that the image is read for ("ncct", "dwi", "adc", "b0", …); it chooses among the volumes of a
            DICOM folder. Empty for any image.

    Raises:
        InputError: missing, empty, truncated or unknown file; not 3-D; several components a voxel; bad spacing.
    """
    path = Path(path)
    if is_dicom(path):
        from StrokeSAMLib.io.dicom.study import read_dicom  # pydicom is slow to import

        return read_dicom(path, wanted)
    check_file(path)
    if path.name.lower().endswith(_NIFTI_SUFFIXES):
        from StrokeSAMLib.io.nifti.reading import read_nifti  # nibabel is slow to import

        with damage_named(path):
            return read_nifti(path)
    header = check_text_header(path)
    if header.encoding == "bzip2":
        with damage_named(path), unpacked(path, header) as raw:
            image = _read(raw, path)
    else:
        image = _read(path, path)
    return Scan(as_scalar_volume(image, str(path)), header.notes)


def _read(file: Path, path: Path) -> sitk.Image:
    """Read `file` by ITK; errors name `path`."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK writes its warnings to stderr
    try:
        with native_stderr_silenced():
            return sitk.ReadImage(str(file))
    except RuntimeError as error:
        raise InputError(f"{path}: not a readable image ({_reason(error)})") from None


def _reason(error: RuntimeError) -> str:
    """The last line of ITK's error without its prefixes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _PREFIXES.sub("", lines[-1])
    # ITK appends the system's last error, which misleads: `check_file` has opened the file already.
    return "truncated or damaged" if text in _SYSTEM_ERRORS else text[:160]


# The classes that report the error, with their address in memory.
_PREFIXES = re.compile(r"^((sitk::ERROR|ITK ERROR|Reason|\w+\([0-9a-fA-Fx]+\)): )+")
_SYSTEM_ERRORS = {os.strerror(number) for number in (0, *errno.errorcode)}

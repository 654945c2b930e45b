"""Reading an image from a file or from DICOM."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.address import is_dicom
from StrokeSAMLib.io.file_checks import check_file
from StrokeSAMLib.io.native_stderr import native_stderr_silenced
from StrokeSAMLib.io.scan import Scan


def read_image(path: Path, finite: bool = True) -> sitk.Image:
    """The image of `read_scan`, without its notes."""
    return read_scan(path, finite=finite).image


def read_scan(path: Path, wanted: str = "", finite: bool = True) -> Scan:
    """Read a 3-D scalar image: a NIfTI, NRRD or MetaImage file, or DICOM: a folder, file or archive.

    The pixel type is the file's own. A fourth axis of length 1 is dropped.

    Args:
        path: the file or folder; for DICOM also "FOLDER#N" for its volume number N.
        wanted: the input that the image is read for ("ncct", "dwi", "adc", "b0", …); it chooses among the volumes of a
            DICOM folder. Empty for any image.
        finite: refuse a NIfTI with NaN or infinite voxels, which ITK would silently turn into zeros.

    Raises:
        InputError: missing, empty, truncated or unknown file; not 3-D; several components a voxel; bad spacing.
    """
    path = Path(path)
    if is_dicom(path):
        from StrokeSAMLib.io.dicom.study import read_dicom  # pydicom is slow to import

        return read_dicom(path, wanted)
    return Scan(_read_file(path, finite))


def _read_file(path: Path, finite: bool) -> sitk.Image:
    check_file(path, finite)
    image = _read(path)
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3:
        size = " × ".join(map(str, image.GetSize()))
        raise InputError(f"{path}: a 3-D volume is needed; this image is {image.GetDimension()}-D ({size})")
    if image.GetNumberOfComponentsPerPixel() != 1:
        count = image.GetNumberOfComponentsPerPixel()
        raise InputError(f"{path}: a scalar volume is needed; this image has {count} components a voxel")
    return image


def _read(path: Path) -> sitk.Image:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK writes its warnings to stderr
    try:
        with native_stderr_silenced():
            return sitk.ReadImage(str(path))
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

"""Reading a DICOM series with its true geometry, including a tilted gantry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pydicom.errors
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.skipped_files import check_skipped_files
from StrokeSAMLib.io.native_stderr import native_stderr_silenced

# Distances between slices may differ from their median by this part of it: the decimal strings in the headers are
# rounded. A missing slice differs by a whole spacing.
_IRREGULAR_PART = 0.2
# A stack counts as straight if its last slice is shifted sideways by less than this (mm).
_STRAIGHT_MM = 0.5


def read_series(folder: Path) -> sitk.Image:
    """Read the only DICOM series in `folder`, rescaled to its units (HU for CT).

    A tilted gantry stacks slices along a direction that is not their normal. A SimpleITK image cannot represent this
    shear, so such a stack is resampled onto an upright grid with the slices' orientation and spacing.

    Raises:
        InputError: no series, several series, missing slices, or a file that is damaged or cannot be read.
    """
    names = _series_files(folder)
    if len(names) == 1:
        return _read(folder, names)
    positions, normal = _positions(folder, names)
    steps = np.diff(positions, axis=0)
    distances = steps @ normal
    spacing = float(np.median(distances))
    if spacing <= 0 or np.abs(distances - spacing).max() > _IRREGULAR_PART * spacing:
        raise InputError(
            f"{folder}: the slices are not evenly spaced ({distances.min():.2f} to {distances.max():.2f} mm): one is"
            " missing or duplicated"
        )
    image = _read(folder, names)
    image.SetSpacing((*image.GetSpacing()[:2], spacing))
    shift = (positions[-1] - positions[0]) / (len(names) - 1) - spacing * normal
    if np.linalg.norm(shift) * (len(names) - 1) < _STRAIGHT_MM:
        return image
    return _upright(image, shift)


def _series_files(folder: Path) -> tuple[str, ...]:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    ids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(ids) > 1:
        raise InputError(f"{folder}: {len(ids)} DICOM series in that folder; give a folder with one")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), ids[0]) if ids else ()
    check_skipped_files(folder, [Path(name) for name in names])
    if not names:
        raise InputError(f"{folder}: no DICOM series in that folder")
    return names


def _positions(folder: Path, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Image Position (Patient) of every file, (n, 3) mm, and the slices' normal in the order of the files."""
    headers = [_header(folder, Path(name)) for name in names]
    positions = np.asarray([header.ImagePositionPatient for header in headers], dtype=float)
    row, column = np.asarray(headers[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    return positions, normal if (positions[-1] - positions[0]) @ normal >= 0 else -normal


def _header(folder: Path, path: Path) -> pydicom.Dataset:
    """Read the header of one slice, and check its fields and the file's size: GDCM silently fills missing pixels."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        compressed = header.file_meta.TransferSyntaxUID.is_compressed
        pixel_bytes = header.Rows * header.Columns * header.BitsAllocated // 8
        complete = len(header.ImagePositionPatient) == 3 and len(header.ImageOrientationPatient) == 6
    except (OSError, ValueError, AttributeError, TypeError, pydicom.errors.InvalidDicomError):
        complete = False
    if not complete:
        raise InputError(f"{folder}: {path.name} has no readable position and size")
    if not compressed and path.stat().st_size < pixel_bytes:
        raise InputError(f"{folder}: {path.name} is truncated")
    return header


def _read(folder: Path, names: tuple[str, ...]) -> sitk.Image:
    try:
        with native_stderr_silenced():  # a JPEG decoder writes there
            image = sitk.ReadImage(names)
    except RuntimeError:
        raise InputError(f"{folder}: the DICOM series cannot be read (damaged files, or slices that differ)") from None
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{folder}: a scalar volume is needed; this series is in colour")
    return image


def _upright(image: sitk.Image, shift: np.ndarray) -> sitk.Image:
    """Undo the shear of a tilted gantry: the true position of slice k is shifted by ``k·shift`` (LPS, mm).

    The grid is widened within the slices so that no voxel is lost; the new voxels hold the image's minimum.
    """
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    spacing, size = np.asarray(image.GetSpacing()), np.asarray(image.GetSize())
    last_shift = axes.T @ shift / spacing * (size[2] - 1)  # of the last slice, in voxels
    before = np.ceil(np.maximum(-last_shift, 0)).astype(int)
    after = np.ceil(np.maximum(last_shift, 0)).astype(int)
    before[2] = after[2] = 0
    fill = float(sitk.GetArrayViewFromImage(image).min())
    grid = sitk.ConstantPad(image, before.tolist(), after.tolist(), fill)
    # The transform maps a true point to its place in SimpleITK's straight stack: p − k(p)·shift.
    matrix = np.eye(3) - np.outer(shift, axes[:, 2]) / spacing[2]
    shear = sitk.AffineTransform(3)
    shear.SetMatrix(matrix.ravel().tolist())
    shear.SetCenter(image.GetOrigin())
    return sitk.Resample(image, grid, shear, sitk.sitkLinear, fill)

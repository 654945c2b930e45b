"""Reading a DICOM series with its true geometry, a tilted gantry included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pydicom.errors
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.dicom_left_out import check_left_out
from StrokeSAMLib.imaging.native_stderr import native_stderr_silenced

# Slices may be off the regular grid by this part of their spacing before the series is refused: the headers'
# decimal strings are rounded, but a missing slice is a whole spacing.
_IRREGULAR = 0.2
# A stack whose slices step aside by less than this (mm over the whole stack) counts as straight.
_STRAIGHT_MM = 0.5


def read_series(folder: Path) -> sitk.Image:
    """The one DICOM series in `folder`, rescaled to its units (HU for CT).

    A tilted gantry stacks slices along a direction that is not their normal. SimpleITK's image cannot hold that
    shear, so such a stack is resampled onto an upright grid with the slices' orientation and spacing.

    Raises:
        InputError: no series, several series, missing slices, or a file that is damaged or cannot be read.
    """
    names = _series_files(folder)
    if len(names) == 1:
        return _read(folder, names)
    positions, normal = _positions(folder, names)
    steps = np.diff(positions, axis=0)
    along = steps @ normal
    spacing = float(np.median(along))
    if spacing <= 0 or np.abs(along - spacing).max() > _IRREGULAR * spacing:
        raise InputError(
            f"{folder}: the slices are not evenly spaced ({along.min():.2f} to {along.max():.2f} mm): one is missing"
            " or stands twice"
        )
    image = _read(folder, names)
    image.SetSpacing((*image.GetSpacing()[:2], spacing))
    aside = (positions[-1] - positions[0]) / (len(names) - 1) - spacing * normal
    if np.linalg.norm(aside) * (len(names) - 1) < _STRAIGHT_MM:
        return image
    return _upright(image, aside)


def _series_files(folder: Path) -> tuple[str, ...]:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    ids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(ids) > 1:
        raise InputError(f"{folder}: {len(ids)} DICOM series in that folder; give a folder with one")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), ids[0]) if ids else ()
    check_left_out(folder, [Path(name) for name in names])
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
    """The header of one slice, checked: GDCM fills missing pixels without a word."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        compressed = header.file_meta.TransferSyntaxUID.is_compressed
        pixels = header.Rows * header.Columns * header.BitsAllocated // 8
        complete = len(header.ImagePositionPatient) == 3 and len(header.ImageOrientationPatient) == 6
    except (OSError, ValueError, AttributeError, TypeError, pydicom.errors.InvalidDicomError):
        complete = False
    if not complete:
        raise InputError(f"{folder}: {path.name} has no readable position and size")
    if not compressed and path.stat().st_size < pixels:
        raise InputError(f"{folder}: {path.name} is truncated")
    return header


def _read(folder: Path, names: tuple[str, ...]) -> sitk.Image:
    try:
        with native_stderr_silenced():  # a decoder of JPEG complains there
            image = sitk.ReadImage(names)
    except RuntimeError:
        raise InputError(f"{folder}: the DICOM series cannot be read (damaged files, or slices that differ)") from None
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{folder}: a scalar volume is needed; this series is in colour")
    return image


def _upright(image: sitk.Image, aside: np.ndarray) -> sitk.Image:
    """Undo the shear of a tilted gantry: slice k of `image` really lies ``k·aside`` (LPS, mm) further on.

    The grid is widened within the slices so that no voxel is lost; the new ones hold the image's minimum.
    """
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    spacing, size = np.asarray(image.GetSpacing()), np.asarray(image.GetSize())
    shift = axes.T @ aside / spacing * (size[2] - 1)  # voxels, at the last slice
    before = np.ceil(np.maximum(-shift, 0)).astype(int)
    after = np.ceil(np.maximum(shift, 0)).astype(int)
    before[2] = after[2] = 0
    fill = float(sitk.GetArrayViewFromImage(image).min())
    grid = sitk.ConstantPad(image, before.tolist(), after.tolist(), fill)
    # The transform maps a true point to where SimpleITK's straight stack holds it: p − k(p)·aside.
    matrix = np.eye(3) - np.outer(aside, axes[:, 2]) / spacing[2]
    shear = sitk.AffineTransform(3)
    shear.SetMatrix(matrix.ravel().tolist())
    shear.SetCenter(image.GetOrigin())
    return sitk.Resample(image, grid, shear, sitk.sitkLinear, fill)

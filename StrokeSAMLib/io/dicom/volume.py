"""A stack as an image: its slices decoded, in order, on a regular upright grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.bytestream import DamagedError
from StrokeSAMLib.io.dicom.frames import Frame
from StrokeSAMLib.io.dicom.slices import SliceGrid, in_order, place_text, slice_grid
from StrokeSAMLib.io.dicom.stacks import Stack, places
from StrokeSAMLib.io.dicom.values import is_inverted, measured_values, value_type
from StrokeSAMLib.io.scan import Scan

# A stack counts as straight if its last slice is shifted sideways by less than this.
_STRAIGHT_MM = 0.5
_SINGLE_SLICE_MM = 1.0


def read_stack(stack: Stack, name: str) -> Scan:
    """Read a stack's volume, rescaled to its units (HU for CT).

    The same slice twice is dropped. Slices at changing distances are resampled to the finest regular grid, linearly.
    A tilted gantry stacks slices along a direction that is not their normal; a SimpleITK image cannot represent this
    shear, so such a stack is resampled onto an upright grid. The notes of the scan tell of each of these.

    Args:
        stack: with a plane for every frame.
        name: of the input, for errors.

    Raises:
        InputError: slices that are missing, lean, differ at one place, or are damaged.
    """
    try:
        return _read(stack, name)
    except DamagedError as error:
        raise InputError(f"{name}: {error}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None


def _read(stack: Stack, name: str) -> Scan:
    notes: list[str] = []
    frames = _without_twins(in_order(stack.frames), name, notes)
    if len(frames) == 1:
        return Scan(_single_slice(frames[0]), tuple(notes))
    grid = slice_grid(frames, name)
    values = _array(frames, grid)
    if not grid.is_regular:
        steps = np.diff(grid.distances)
        notes.append(
            f"the slices are {steps.min():.4g} to {steps.max():.4g} mm apart: resampled to {grid.spacing:.4g} mm"
        )
    if is_inverted(frames):
        notes.append("stored inverted (MONOCHROME1): turned back to the measured values")
    image = _image(values, grid)
    if np.linalg.norm(grid.shift) * grid.distances[-1] >= _STRAIGHT_MM:
        image = _upright(image, grid.shift * grid.spacing)
        notes.append(f"the slices are tilted by {grid.tilt_degrees:.1f}° (gantry): resampled onto an upright grid")
    return Scan(image, tuple(notes))


def _without_twins(frames: list[Frame], name: str, notes: list[str]) -> list[Frame]:
    """Drop slices that stand twice with the same pixels.

    Raises:
        InputError: two slices at one place differ.
    """
    kept: dict[int, Frame] = {}
    for number, frame in zip(places(frames), frames, strict=True):
        if number not in kept:
            kept[number] = frame
        elif not _same_values(kept[number], frame):
            raise InputError(
                f"{name}: two slices differ at {place_text(frame)}: {kept[number].name} and {frame.name}; remove one"
            )
    twins = len(frames) - len(kept)
    if twins:
        notes.append(f"{twins} slice{'s stand' if twins > 1 else ' stands'} twice in the series: dropped")
    return list(kept.values())


def _same_values(first: Frame, second: Frame) -> bool:
    one, other = measured_values([first, second])
    return np.array_equal(one, other)


def _array(frames: list[Frame], grid: SliceGrid) -> np.ndarray:
    """The slices on the regular grid, (k, j, i); between two slices of the scan linearly."""
    kind = value_type(frames)
    columns, rows = grid.plane.size
    volume = np.empty((grid.count, rows, columns), kind)
    decoded = measured_values(frames)
    if grid.is_regular:
        for k, values in enumerate(decoded):
            volume[k] = values
        return volume
    below, above, lower = next(decoded), next(decoded), 0
    for k in range(grid.count):
        distance = min(k * grid.spacing, float(grid.distances[-1]))
        while distance > grid.distances[lower + 1] and lower + 2 < len(frames):
            below, above, lower = above, next(decoded), lower + 1
        part = (distance - grid.distances[lower]) / (grid.distances[lower + 1] - grid.distances[lower])
        volume[k] = _between(below, above, float(part), kind)
    return volume


def _between(below: np.ndarray, above: np.ndarray, part: float, kind: np.dtype) -> np.ndarray:
    mixed = below * np.float64(1 - part) + above * np.float64(part)
    return (mixed if kind.kind == "f" else np.rint(mixed)).astype(kind)


def _image(volume: np.ndarray, grid: SliceGrid) -> sitk.Image:
    image = sitk.GetImageFromArray(volume)
    plane = grid.plane
    image.SetOrigin(plane.position.tolist())
    image.SetSpacing((*plane.spacing, grid.spacing))
    image.SetDirection(np.column_stack([plane.across, plane.down, plane.normal]).ravel().tolist())
    return image


def _single_slice(frame: Frame) -> sitk.Image:
    assert frame.plane is not None
    spacing = frame.thickness or _SINGLE_SLICE_MM
    grid = SliceGrid(frame.plane, np.zeros(1), np.zeros(3), spacing, 1, True)
    return _image(_array([frame], grid), grid)


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


def mean_of(scans: Sequence[Scan]) -> Scan:
    """The mean of volumes on one grid, Float32, with the notes of all."""
    total = np.zeros(scans[0].image.GetSize()[::-1])
    for scan in scans:
        total += sitk.GetArrayViewFromImage(scan.image)
    image = sitk.GetImageFromArray((total / len(scans)).astype(np.float32))
    image.CopyInformation(scans[0].image)
    return Scan(image, tuple(dict.fromkeys(note for scan in scans for note in scan.notes)))

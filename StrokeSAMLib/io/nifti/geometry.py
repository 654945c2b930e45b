"""The geometry of a NIfTI file. This is the one place that decides between the geometries that a header can hold.

The rule is that of the standard and of nibabel: the sform if its code is above 0, else the qform if its code is, else
the voxel sizes alone. ITK and 3D Slicer often take the qform, so a note says where the two differ.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.file_checks import check_spacing
from StrokeSAMLib.io.nifti.header import NiftiFile
from StrokeSAMLib.io.text_header import MOST_MM

# Two geometries differ if a corner of the volume lies this far apart in them, mm. The 32-bit numbers of a header are
# some 0.02 mm off in a head.
_SAME_MM = 0.1
# Numbers this much smaller than the others are noise, at which ITK warns of a matrix without an inverse.
_NOTHING = 1e-12
_ROUNDING = 1e-6
# Voxel sizes differ from the sform if they are this part off.
_SAME_SIZE = 0.01
# The code of the spatial unit in `xyzt_units` (its low three bits): its name, and its size in mm.
_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}


def affine_and_notes(path: Path, file: NiftiFile) -> tuple[np.ndarray, list[str]]:
    """The affine of a file.

    Args:
        path: names the file in errors.
        file: its header.

    Returns:
        The 4 × 4 matrix from (i, j, k) to LPS, mm, and notes for the user.

    Raises:
        InputError: the header has no usable geometry.
    """
    header = file.header
    check_spacing(path, tuple(float(size) for size in header["pixdim"][1:4]))
    affine, notes = _ras_affine(path, file)
    name, scale = _UNITS.get(int(header["xyzt_units"]) & 7 if "xyzt_units" in header else 0, ("", 1.0))
    if name:
        notes.append(f"its header is in {name}: converted to mm")
    affine = np.diag([-scale, -scale, scale, 1.0]) @ affine
    if not _is_grid(affine):
        raise InputError(f"{path}: damaged: no scan has the voxel axes of its header")
    axes = affine[:3, :3]
    axes[np.abs(axes) < _NOTHING * np.abs(axes).max()] = 0
    # The voxel sizes are rounded to 32 bits only once, the axes of the sform as three numbers each.
    true, stored = np.linalg.norm(axes, axis=0), scale * np.asarray(header["pixdim"][1:4], float)
    axes *= np.where(np.isclose(true, stored, rtol=_ROUNDING, atol=0), stored / true, 1)
    return affine, notes


def _ras_affine(path: Path, file: NiftiFile) -> tuple[np.ndarray, list[str]]:
    header = file.header
    if not isinstance(header, nib.Nifti1Header):
        return header.get_best_affine(), ["an Analyze header has no orientation: its axes are taken as left, front, up"]
    sform, qform = header.get_sform(coded=True)[0], _qform(header)
    if sform is not None and _is_grid(sform):
        return sform, _sform_notes(header, sform, qform, file.shape)
    if qform is not None and _is_grid(qform):
        return qform, [] if sform is None else ["its sform is damaged: the qform was used"]
    if sform is not None or int(header["qform_code"]) > 0:
        raise InputError(f"{path}: damaged: the {'sform' if sform is not None else 'qform'} in its header is no grid")
    return header.get_base_affine(), [
        "it has neither sform nor qform: its axes are taken as left, front, up; left and right may be exchanged"
    ]


def _qform(header: nib.Nifti1Header) -> np.ndarray | None:
    try:
        return header.get_qform(coded=True)[0]
    except ValueError:  # a quaternion longer than 1
        return None


def _is_grid(affine: np.ndarray) -> bool:
    """Whether a 4 × 4 matrix has possible numbers, and its axes span space."""
    if not np.isfinite(affine).all() or np.abs(affine).max() > MOST_MM:
        return False
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(lengths.min() > 1 / MOST_MM and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-3)


def _sform_notes(
    header: nib.Nifti1Header, sform: np.ndarray, qform: np.ndarray | None, shape: tuple[int, ...]
) -> list[str]:
    if qform is not None and _is_grid(qform):
        distance = _greatest_distance(sform, qform, shape)
        if not distance <= _SAME_MM:
            return [f"sform and qform lie up to {distance:.1f} mm apart: the sform was used"]
        return []
    if int(header["qform_code"]) > 0:
        return ["its qform is damaged: the sform was used"]
    stored = np.asarray(header["pixdim"][1:4], float)
    true = np.linalg.norm(sform[:3, :3], axis=0)
    if np.allclose(stored, true, rtol=_SAME_SIZE, atol=0):
        return []
    stored_text, true_text = (" × ".join(f"{value:g}" for value in np.round(sizes, 3)) for sizes in (stored, true))
    return [f"pixdim says {stored_text} mm, the sform {true_text} mm: the sform was used"]


def _greatest_distance(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """The greatest distance between the places of a corner voxel, mm."""
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, count - 1) for count in shape[:3]))])
    return float(np.linalg.norm(corners @ (first - second).T, axis=1).max())

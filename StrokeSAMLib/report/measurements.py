"""Numbers about a lesion: volume, side, extent, intensities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import voxel_volume_ml
from StrokeSAMLib.imaging.morphology import FULL
from StrokeSAMLib.imaging.plane import Plane
from StrokeSAMLib.lesion.result import LesionResult

# A lesion with at least this part of its volume on the lesser side is bilateral.
BILATERAL_PART = 0.1


def measure(result: LesionResult) -> dict[str, Any]:
    """The measurements of a result; of an empty lesion: volume 0, side "none", nothing else.

    Returns:
        - volume_ml: voxel count × voxel volume.
        - voxels: their count.
        - components: volume of each 26-connected component, ml, largest first.
        - side: "left", "right" (the patient's, by the mid-sagittal plane), "bilateral" or "none".
        - left_part: the part of the volume on the patient's left, 0…1; None when empty.
        - bounding_box: first and last voxel index (i, j, k) and LPS corner points in mm; None when empty.
        - intensities: mean, sd (of the population), min and max inside the lesion, for each image of the result; None
          when empty.
        - brain_ml: volume of the brain mask.
    """
    mask = sitk.GetArrayViewFromImage(result.mask) > 0
    ml = voxel_volume_ml(result.mask)
    voxels = int(np.count_nonzero(mask))
    part = _left_part(mask, result.midsagittal, result.mask) if voxels else None
    brain = sitk.GetArrayViewFromImage(result.brain)
    return {
        "volume_ml": voxels * ml,
        "voxels": voxels,
        "components": [count * ml for count in _component_sizes(mask)],
        "side": _side(part),
        "left_part": part,
        "bounding_box": _bounding_box(mask, result.mask) if voxels else None,
        "intensities": {name: _intensities(image, mask) if voxels else None for name, image in result.images.items()},
        "brain_ml": int(np.count_nonzero(brain)) * ml,
    }


def volume_text(volume_ml: float) -> str:
    """ "42.1 ml"; two digits below 1 ml, so that no lesion reads "0.0 ml"."""
    return f"{volume_ml:.1f} ml" if volume_ml >= 1 else f"{volume_ml:.2g} ml"


def summary(found: Mapping[str, Any]) -> str:
    """One line on measurements: volume, side, number of components."""
    if not found["components"]:
        return "no lesion found"
    count = len(found["components"])
    return f"lesion {volume_text(found['volume_ml'])}, {found['side']}, {count} component{'s' if count > 1 else ''}"


def _component_sizes(mask: np.ndarray) -> list[int]:
    labels, _ = ndi.label(mask, structure=FULL)
    return sorted(np.bincount(labels.ravel())[1:].tolist(), reverse=True)


def _left_part(mask: np.ndarray, plane: Plane, image: sitk.Image) -> float:
    distance = plane.distance_map(image)[mask]
    return float(np.mean(0.5 + 0.5 * np.sign(distance), dtype=float))  # a voxel in the plane is half on either side


def _side(left_part: float | None) -> str:
    if left_part is None:
        return "none"
    if BILATERAL_PART <= left_part <= 1 - BILATERAL_PART:
        return "bilateral"
    return "left" if left_part > 0.5 else "right"


def _bounding_box(mask: np.ndarray, image: sitk.Image) -> dict[str, Any]:
    """Of voxel centres, as indices; of whole voxels, in mm."""
    index = np.argwhere(mask)[:, ::-1]
    first, last = index.min(axis=0), index.max(axis=0)
    ends = np.stack([first - 0.5, last + 0.5])
    corners = [
        image.TransformContinuousIndexToPhysicalPoint([float(ends[(c >> axis) & 1, axis]) for axis in range(3)])
        for c in range(8)
    ]
    return {
        "first_index": first.tolist(),
        "last_index": last.tolist(),
        "lps_min_mm": np.min(corners, axis=0).tolist(),
        "lps_max_mm": np.max(corners, axis=0).tolist(),
    }


def _intensities(image: sitk.Image, mask: np.ndarray) -> dict[str, float]:
    values = sitk.GetArrayViewFromImage(image)[mask].astype(np.float64)
    found = {"mean": values.mean(), "sd": values.std(), "min": values.min(), "max": values.max()}
    return {name: float(value) for name, value in found.items()}

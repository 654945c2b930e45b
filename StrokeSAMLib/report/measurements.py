"""Measurements of a lesion: volume, side, extent, intensities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.imaging.geometry import mask_volume_ml, voxel_volume_ml
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, bounding_box
from StrokeSAMLib.lesion.result import LesionResult

# A lesion with at least this part of its volume on the lesser side is bilateral.
BILATERAL_PART = 0.1


def measure(result: LesionResult) -> dict[str, Any]:
    """Measure a result. An empty lesion has volume 0, side "none" and None for the rest.

    Returns:
        - volume_ml: voxel count × voxel volume.
        - voxels: number of voxels.
        - components: volume of each 26-connected component, ml, largest first.
        - side: "left", "right" (the patient's, by the mid-sagittal plane), "bilateral" or "none".
        - left_part: the part of the volume on the patient's left, 0…1; None when empty.
        - bounding_box: first and last voxel index (i, j, k) and LPS corner points in mm; None when empty.
        - intensities: mean, sd (of the population), min and max inside the lesion, for each image of the result; None
          when empty.
        - brain_ml: volume of the brain mask.
        - possible_ml: volume of what may be a lesion; None where the method does not tell.
    """
    mask = sitk.GetArrayViewFromImage(result.mask) > 0
    ml = voxel_volume_ml(result.mask)
    voxels = int(np.count_nonzero(mask))
    left_part = _left_part(mask, result.midsagittal, result.mask) if voxels else None
    return {
        "volume_ml": voxels * ml,
        "voxels": voxels,
        "components": [count * ml for count in _component_sizes(mask)],
        "side": _side(left_part),
        "left_part": left_part,
        "bounding_box": _box_document(mask, result.mask) if voxels else None,
        "intensities": {name: _intensities(image, mask) if voxels else None for name, image in result.images.items()},
        "brain_ml": mask_volume_ml(result.brain),
        "possible_ml": None if result.possible is None else mask_volume_ml(result.possible),
    }


def volume_text(volume_ml: float) -> str:
    """A volume as text: "42.1 ml", with two digits below 1 ml, so that no lesion reads "0.0 ml"."""
    return f"{volume_ml:.1f} ml" if volume_ml >= 1 else f"{volume_ml:.2g} ml"


def summary(measurements: Mapping[str, Any]) -> str:
    """The result of `measure` in one line: volume, side, number of components; the volume of possible lesion."""
    possible_ml = measurements["possible_ml"]
    possible = f"; possible lesion {volume_text(possible_ml)}" if possible_ml else ""
    if not measurements["components"]:
        return f"no lesion found{possible}"
    count = len(measurements["components"])
    volume = volume_text(measurements["volume_ml"])
    return f"lesion {volume}, {measurements['side']}, {count} component{'s' if count > 1 else ''}{possible}"


def _component_sizes(mask: np.ndarray) -> list[int]:
    """The number of voxels of each component, largest first."""
    labels, _ = ndi.label(mask, structure=CONNECTIVITY_26)
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


def _box_document(mask: np.ndarray, image: sitk.Image) -> dict[str, Any]:
    """The bounding box as the report has it: indices of voxel centres; mm from edge to edge of the voxels."""
    spans = bounding_box(mask)[::-1]
    first, last = [span.start for span in spans], [span.stop - 1 for span in spans]
    ends = [(span.start - 0.5, span.stop - 0.5) for span in spans]
    corners = [
        image.TransformContinuousIndexToPhysicalPoint([ends[axis][(c >> axis) & 1] for axis in range(3)])
        for c in range(8)
    ]
    return {
        "first_index": first,
        "last_index": last,
        "lps_min_mm": np.min(corners, axis=0).tolist(),
        "lps_max_mm": np.max(corners, axis=0).tolist(),
    }


def _intensities(image: sitk.Image, mask: np.ndarray) -> dict[str, float]:
    values = sitk.GetArrayViewFromImage(image)[mask].astype(np.float64)
    statistics = {"mean": values.mean(), "sd": values.std(), "min": values.min(), "max": values.max()}
    return {name: float(value) for name, value in statistics.items()}

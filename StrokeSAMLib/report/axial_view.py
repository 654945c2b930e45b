"""Axial slices of a result in patient space, and the choice of slices for the contact sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import canonical, mask_like, resample_like, same_grid, voxel_axes
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26
from StrokeSAMLib.lesion.result import LesionResult

_THINNEST_MM = 2.0
_GRID_MM = (1.0, 1.0, 3.0)
# At most this part of the chosen slices is for the lesion; the other slices show the rest of the brain.
_LESION_PART = 0.75


@dataclass(frozen=True)
class AxialView:
    """An image and its masks on one grid whose axes i, j, k run along L, P and S.

    Attributes:
        image: Float32.
        lesion, brain, possible: bool (k, j, i).
    """

    image: sitk.Image
    lesion: np.ndarray
    brain: np.ndarray
    possible: np.ndarray


def axial_view(result: LesionResult, key: str) -> AxialView:
    """The image `key` of `result` and its masks as axial slices.

    They are resampled only if the slices of the scan are not axial, or thinner than 2 mm. Every component of the
    lesion keeps at least one voxel, however small it is.
    """
    image = canonical(sitk.Cast(result.images[key], sitk.sitkFloat32))
    possible = result.mask * 0 if result.possible is None else result.possible
    masks = [canonical(mask) for mask in (result.mask, result.brain, possible)]
    is_axial = np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-3)
    if not is_axial or image.GetSpacing()[2] < _THINNEST_MM:
        low = float(sitk.GetArrayViewFromImage(image).min())
        image = resample_like(image, _grid_around(image), outside=low)
    views = [sitk.GetArrayFromImage(mask_like(mask, image)) > 0 for mask in masks]
    if not same_grid(image, masks[0]):
        _restore_lost_components(views[0], image, masks[0])
    return AxialView(image, *views)


def choose_slices(lesion: np.ndarray, brain: np.ndarray, count: int) -> list[int]:
    """Choose up to `count` slices.

    First the largest section of each component, then more slices of the lesion, then slices of the rest of the brain,
    each time in the middle of the widest gap. With neither lesion nor brain, slices of the whole volume.

    Args:
        lesion, brain: bool (k, j, i), of one shape.
        count: the largest number of slices.

    Returns:
        Indices k, ascending.
    """
    areas = lesion.sum(axis=(1, 2))
    lesion_slices = np.flatnonzero(areas)
    brain_slices = np.flatnonzero(brain.any(axis=(1, 2)) | (areas > 0))
    if not brain_slices.size:
        brain_slices = np.arange(len(lesion))
    chosen = _largest_sections(lesion)[:count]
    _fill_gaps(chosen, lesion_slices, max(int(count * _LESION_PART), len(chosen)))
    _fill_gaps(chosen, brain_slices, count)
    return sorted(chosen)


def small_components(lesion: np.ndarray, area: float) -> np.ndarray:
    """The voxels of the components of `lesion` that cover fewer than `area` voxels in every slice, bool (k, j, i)."""
    labels, areas = _section_areas(lesion)
    return np.concatenate([[False], areas.max(axis=0) < area])[labels]


def _grid_around(image: sitk.Image) -> sitk.Image:
    """A grid along L, P, S that contains the whole of `image`."""
    ends = [(-0.5, n - 0.5) for n in image.GetSize()]
    corners = np.array(
        [image.TransformContinuousIndexToPhysicalPoint([ends[a][(c >> a) & 1] for a in range(3)]) for c in range(8)]
    )
    spacing = np.array(_GRID_MM)
    # A rounding error must not add a voxel; every axis has at least one.
    size = np.maximum(np.ceil(np.ptp(corners, axis=0) / spacing - 1e-6), 1).astype(int)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetOrigin((corners.min(axis=0) + spacing / 2).tolist())
    return grid


def _restore_lost_components(lesion: np.ndarray, image: sitk.Image, mask: sitk.Image) -> None:
    """Add to `lesion`, on the grid of `image`, one voxel for each component of `mask` that resampling lost."""
    labels, count = ndi.label(sitk.GetArrayViewFromImage(mask), structure=CONNECTIVITY_26)
    voxels = np.argwhere(labels)[:, ::-1]
    component = labels[tuple(voxels[:, ::-1].T)]
    axes = voxel_axes(mask)
    points = voxels @ axes.T + np.asarray(mask.GetOrigin())
    places = np.rint((points - np.asarray(image.GetOrigin())) / np.asarray(image.GetSpacing())).astype(int)
    places = np.clip(places, 0, np.asarray(image.GetSize()) - 1)[:, ::-1]
    is_kept = np.bincount(component, lesion[tuple(places.T)], count + 1) > 0
    for lost in np.flatnonzero(~is_kept[1:]) + 1:
        own_places = places[component == lost]
        lesion[tuple(own_places[len(own_places) // 2])] = True


def _section_areas(lesion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels of the components (k, j, i), and the voxels of each component in each slice (slice, component)."""
    labels, count = ndi.label(lesion, structure=CONNECTIVITY_26)
    return labels, np.stack([np.bincount(section.ravel(), minlength=count + 1)[1:] for section in labels])


def _largest_sections(lesion: np.ndarray) -> list[int]:
    """The slice of the largest section of each component, largest component first, without repetitions."""
    _, areas = _section_areas(lesion)
    order = np.argsort(-areas.sum(axis=0), kind="stable")
    return list(dict.fromkeys(areas[:, order].argmax(axis=0).tolist()))


def _fill_gaps(chosen: list[int], candidates: np.ndarray, count: int) -> None:
    """Add candidates to `chosen` until it has `count`, each time the one farthest from all chosen slices.

    Among equals the lowest comes first.
    """
    for _ in range(min(count - len(chosen), candidates.size)):
        gaps = np.abs(candidates[:, None] - np.array(chosen or [10**6])).min(axis=1)
        if not gaps.max():
            return
        chosen.append(int(candidates[gaps.argmax()]))

"""Axial slices of a result in patient space, and which of them tell the most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import canonical, mask_like, resample_like, same_grid
from StrokeSAMLib.imaging.morphology import FULL
from StrokeSAMLib.lesion.result import LesionResult

_THINNEST_MM = 2.0
_GRID_MM = (1.0, 1.0, 3.0)
# Of the slices shown, at most this part is spent on the lesion; the others show the rest of the brain.
_LESION_PART = 0.75


@dataclass(frozen=True)
class Axial:
    """Image (Float32), lesion and brain (bool; k, j, i) on one grid whose i, j, k run along L, P and S."""

    image: sitk.Image
    lesion: np.ndarray
    brain: np.ndarray


def axial(result: LesionResult, key: str) -> Axial:
    """The image `key` of `result` with its masks; resampled only where the scan is not axial, or thinner than 2 mm.

    Every component of the lesion has at least one voxel in it, however small the component is.
    """
    image = canonical(sitk.Cast(result.images[key], sitk.sitkFloat32))
    mask, brain = canonical(result.mask), canonical(result.brain)
    along_axes = np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-3)
    if not along_axes or image.GetSpacing()[2] < _THINNEST_MM:
        low = float(sitk.GetArrayViewFromImage(image).min())
        image = resample_like(image, _grid_around(image), outside=low)
    lesion, inside = (sitk.GetArrayFromImage(mask_like(part, image)) > 0 for part in (mask, brain))
    if not same_grid(image, mask):
        _keep_small(lesion, image, mask)
    return Axial(image, lesion, inside)


def choose_slices(lesion: np.ndarray, brain: np.ndarray, count: int) -> list[int]:
    """Up to `count` indices k, ascending: the largest section of each component, then more of the lesion, then the
    rest of the brain, always where the gap is widest. With neither lesion nor brain: the whole volume."""
    sections = lesion.sum(axis=(1, 2))
    ill, whole = np.flatnonzero(sections), np.flatnonzero(brain.any(axis=(1, 2)) | (sections > 0))
    if not whole.size:
        whole = np.arange(len(lesion))
    chosen = _largest_sections(lesion)[:count]
    _spread(chosen, ill, max(int(count * _LESION_PART), len(chosen)))
    _spread(chosen, whole, count)
    return sorted(chosen)


def _grid_around(image: sitk.Image) -> sitk.Image:
    """A grid along L, P, S that holds all of `image`."""
    ends = [(-0.5, n - 0.5) for n in image.GetSize()]
    corners = np.array(
        [image.TransformContinuousIndexToPhysicalPoint([ends[a][(c >> a) & 1] for a in range(3)]) for c in range(8)]
    )
    spacing = np.array(_GRID_MM)
    # A rounding error is no reason for a further voxel, but a volume has one at least.
    size = np.maximum(np.ceil(np.ptp(corners, axis=0) / spacing - 1e-6), 1).astype(int)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetOrigin((corners.min(axis=0) + spacing / 2).tolist())
    return grid


def _keep_small(lesion: np.ndarray, image: sitk.Image, mask: sitk.Image) -> None:
    """Put into `lesion`, on the grid of `image`, one voxel for each component of `mask` that resampling lost."""
    labels, count = ndi.label(sitk.GetArrayViewFromImage(mask), structure=FULL)
    voxels = np.argwhere(labels)[:, ::-1]
    component = labels[tuple(voxels[:, ::-1].T)]
    axes = np.asarray(mask.GetDirection()).reshape(3, 3) * np.asarray(mask.GetSpacing())
    points = voxels @ axes.T + np.asarray(mask.GetOrigin())
    places = np.rint((points - np.asarray(image.GetOrigin())) / np.asarray(image.GetSpacing())).astype(int)
    places = np.clip(places, 0, np.asarray(image.GetSize()) - 1)[:, ::-1]
    kept = np.bincount(component, lesion[tuple(places.T)], count + 1) > 0
    for lost in np.flatnonzero(~kept[1:]) + 1:
        own = places[component == lost]
        lesion[tuple(own[len(own) // 2])] = True


def specks(lesion: np.ndarray, area: float) -> np.ndarray:
    """The voxels of the components of `lesion` that cover fewer than `area` voxels in every slice."""
    labels, areas = _sections(lesion)
    return np.concatenate([[False], areas.max(axis=0) < area])[labels]


def _sections(lesion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels of the components (k, j, i), and how many voxels of each are in each slice (slice, component)."""
    labels, count = ndi.label(lesion, structure=FULL)
    return labels, np.stack([np.bincount(section.ravel(), minlength=count + 1)[1:] for section in labels])


def _largest_sections(lesion: np.ndarray) -> list[int]:
    """For each component, largest first, the slice where it is largest."""
    _, areas = _sections(lesion)
    order = np.argsort(-areas.sum(axis=0), kind="stable")
    return list(dict.fromkeys(areas[:, order].argmax(axis=0).tolist()))


def _spread(chosen: list[int], candidates: np.ndarray, count: int) -> None:
    """Add to `chosen`, until it has `count`, the candidate farthest from all that are chosen; the lowest first."""
    for _ in range(min(count - len(chosen), candidates.size)):
        gaps = np.abs(candidates[:, None] - np.array(chosen or [10**6])).min(axis=1)
        if not gaps.max():
            return
        chosen.append(int(candidates[gaps.argmax()]))

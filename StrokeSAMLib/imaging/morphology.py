"""Smoothing and binary morphology in millimetres, on arrays (k, j, i) with their spacing in the same order."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.geometry import Spacing

# 26-connectivity: voxels that share a face, an edge or a corner are one component.
CONNECTIVITY_26 = np.ones((3, 3, 3), bool)
# The probability of a sure voxel: see the method `ncct-unet` in docs/methods.md.
_SURE = 0.99


def gaussian(array: np.ndarray, sigma_mm: float, spacing: Spacing) -> np.ndarray:
    """Smooth `array` (k, j, i) by a Gaussian.

    Args:
        array: any float type. Its edges are mirrored.
        sigma_mm: standard deviation, mm.
        spacing: (k, j, i), mm.
    """
    return ndi.gaussian_filter(array, [sigma_mm / step for step in spacing], truncate=3.0)


def masked_gaussian(array: np.ndarray, mask: np.ndarray, sigma_mm: float, spacing: Spacing) -> np.ndarray:
    """The Gaussian mean of the voxels in `mask` (normalised convolution, Knutsson and Westin 1993).

    A voxel with less than a hundredth of its weights in the mask gets the mean of the whole mask.

    Args:
        array: values (k, j, i).
        mask: bool (k, j, i).
        sigma_mm: standard deviation, mm.
        spacing: (k, j, i), mm.
    """
    weights = gaussian(mask.astype(np.float32), sigma_mm, spacing)
    level = float(array[mask].mean()) if mask.any() else 0.0
    sums = gaussian(np.where(mask, array - level, 0).astype(np.float32), sigma_mm, spacing)
    return level + np.where(weights > 0.01, sums / np.maximum(weights, 0.01), 0)


def depth(mask: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The distance of every voxel of `mask` from the nearest voxel outside it, mm; 0 outside.

    The edges of the array do not count as outside.
    """
    distance = np.zeros(mask.shape)
    box = box_around(mask, 0.0, spacing)
    distance[box] = ndi.distance_transform_edt(mask[box], sampling=spacing)
    return distance


def erode(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """The voxels of `mask` that are farther than `radius_mm` from the nearest voxel outside it."""
    return depth(mask, spacing) > radius_mm


def dilate(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """The voxels within `radius_mm` of `mask`."""
    dilated = np.zeros(mask.shape, bool)
    box = box_around(mask, radius_mm, spacing)
    dilated[box] = ndi.distance_transform_edt(~mask[box], sampling=spacing) <= radius_mm
    return dilated


def close(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """The morphological closing of `mask`. Voxels of the mask at the edges of the array stay."""
    return erode(dilate(mask, radius_mm, spacing), radius_mm, spacing) | mask


def fill_holes(mask: np.ndarray, axes: tuple[int, ...] = (0,)) -> np.ndarray:
    """`mask` with its holes filled, slice by slice across each of `axes` in turn."""
    filled = mask.copy()
    for axis in axes:
        for section in np.moveaxis(filled, axis, 0):
            if section.any():
                section[...] = ndi.binary_fill_holes(section)
    return filled


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all of `mask`, bool (k, j, i).

    Raises:
        IndexError: the mask is empty.
    """
    spans = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)


def box_around(mask: np.ndarray, margin_mm: float, spacing: Spacing) -> tuple[slice, ...]:
    """The bounding box of `mask` with a margin of `margin_mm` and one voxel more, cut at the edges of the array.

    A distance transform up to `margin_mm` gives the same in this box as in the whole array. The box of an empty mask
    is empty.
    """
    if not mask.any():
        return (slice(0, 0),) * mask.ndim
    steps = [int(margin_mm / step) + 1 for step in spacing]
    return tuple(
        slice(max(span.start - more, 0), span.stop + more) for span, more in zip(bounding_box(mask), steps, strict=True)
    )


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of `mask`; empty where the mask is empty."""
    labels, count = ndi.label(mask)
    if count == 0:
        return mask.copy()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def hysteresis(seeds: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The 26-connected components of `allowed` that hold at least one voxel of `seeds`."""
    labels, count = ndi.label(allowed, structure=CONNECTIVITY_26)
    keep = np.zeros(count + 1, bool)
    keep[np.unique(labels[seeds & allowed])] = True
    keep[0] = False
    return keep[labels]


def remove_small(mask: np.ndarray, least_voxels: float) -> np.ndarray:
    """`mask` without its 26-connected components of fewer than `least_voxels` voxels."""
    labels, _ = ndi.label(mask, structure=CONNECTIVITY_26)
    keep = np.bincount(labels.ravel()) >= least_voxels
    keep[0] = False
    return keep[labels]


def sure_components(
    probability: np.ndarray, threshold: float, least_voxels: float, doubt_below: float = 0.0, least_sure: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Split the 26-connected components where `probability` reaches `threshold` into sure and doubtful ones.

    Args:
        probability: (k, j, i), 0…1.
        threshold: least probability of a component's voxels.
        least_voxels: components with fewer voxels are dropped.
        doubt_below: a component of at least this many voxels is sure.
        least_sure: a smaller one is sure if at least this many of its voxels have a probability of 0.99 or more.

    Returns:
        The sure components and the doubtful ones, bool (k, j, i).
    """
    mask = probability >= threshold
    labels, count = ndi.label(mask, structure=CONNECTIVITY_26)
    sizes, sure = (np.bincount(labels[part], minlength=count + 1) for part in (mask, mask & (probability >= _SURE)))
    kept = sizes >= least_voxels
    kept[0] = False
    is_sure = (sizes >= doubt_below) | (sure >= least_sure)
    return (kept & is_sure)[labels], (kept & ~is_sure)[labels]

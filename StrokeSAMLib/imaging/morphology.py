"""Binary morphology in millimetres, on arrays (k, j, i) with their spacing in the same order."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.geometry import Spacing

# 26-connectivity: voxels that share a face, an edge or a corner are one component.
FULL = np.ones((3, 3, 3), bool)
# Of a probability in which one can be sure: see the method `ncct-unet` in docs/methods.md.
_SURE = 0.99


def gaussian(array: np.ndarray, sigma_mm: float, spacing: Spacing) -> np.ndarray:
    """Gaussian smoothing with a standard deviation in mm; edges are mirrored."""
    return ndi.gaussian_filter(array, [sigma_mm / step for step in spacing], truncate=3.0)


def masked_gaussian(array: np.ndarray, mask: np.ndarray, sigma_mm: float, spacing: Spacing) -> np.ndarray:
    """Gaussian mean of the voxels in `mask` only (normalised convolution, Knutsson and Westin 1993).

    Where fewer than a hundredth of the weights are in the mask the value is the mask's own mean.
    """
    weights = gaussian(mask.astype(np.float32), sigma_mm, spacing)
    level = float(array[mask].mean()) if mask.any() else 0.0
    sums = gaussian(np.where(mask, array - level, 0).astype(np.float32), sigma_mm, spacing)
    return level + np.where(weights > 0.01, sums / np.maximum(weights, 0.01), 0)


def depth(mask: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Distance of every voxel of `mask` from the nearest voxel outside it, mm; 0 outside. Edges of the array are
    not outside."""
    found = np.zeros(mask.shape)
    box = box_around(mask, 0.0, spacing)
    found[box] = ndi.distance_transform_edt(mask[box], sampling=spacing)
    return found


def erode(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """The voxels of `mask` farther than `radius_mm` from its outside."""
    return depth(mask, spacing) > radius_mm


def dilate(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """The voxels within `radius_mm` of `mask`."""
    found = np.zeros(mask.shape, bool)
    box = box_around(mask, radius_mm, spacing)
    found[box] = ndi.distance_transform_edt(~mask[box], sampling=spacing) <= radius_mm
    return found


def close(mask: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """Morphological closing; the array's edges do not eat into the mask."""
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
    """The smallest box of an array that holds all of `mask`, bool (k, j, i), which is not empty."""
    spans = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)


def box_around(mask: np.ndarray, margin_mm: float, spacing: Spacing) -> tuple[slice, ...]:
    """The box of an array that holds `mask`, all within `margin_mm` of it, and a voxel more, as far as the array goes.

    What a distance transform finds in this box is what it would find in the whole array. Of an empty mask the box is
    empty.
    """
    if not mask.any():
        return (slice(0, 0),) * mask.ndim
    steps = [int(margin_mm / step) + 1 for step in spacing]
    return tuple(
        slice(max(span.start - more, 0), span.stop + more) for span, more in zip(bounding_box(mask), steps, strict=True)
    )


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of `mask`; empty when `mask` is."""
    labels, count = ndi.label(mask)
    if count == 0:
        return mask.copy()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def hysteresis(seeds: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The components (26-connected) of `allowed` that hold at least one voxel of `seeds`."""
    labels, count = ndi.label(allowed, structure=FULL)
    keep = np.zeros(count + 1, bool)
    keep[np.unique(labels[seeds & allowed])] = True
    keep[0] = False
    return keep[labels]


def remove_small(mask: np.ndarray, least_voxels: float) -> np.ndarray:
    """`mask` without its components (26-connected) of fewer than `least_voxels` voxels."""
    labels, _ = ndi.label(mask, structure=FULL)
    keep = np.bincount(labels.ravel()) >= least_voxels
    keep[0] = False
    return keep[labels]


def sure_components(
    probability: np.ndarray, threshold: float, least_voxels: float, least_sure: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The components (26-connected) of at least `least_voxels` voxels where `probability` reaches `threshold`: those
    with at least `least_sure` voxels of a probability of 0.99 or more, and the others."""
    mask = probability >= threshold
    labels, count = ndi.label(mask, structure=FULL)
    sizes, sure = (np.bincount(labels[part], minlength=count + 1) for part in (mask, mask & (probability >= _SURE)))
    large = sizes >= least_voxels
    large[0] = False
    return (large & (sure >= least_sure))[labels], (large & (sure < least_sure))[labels]

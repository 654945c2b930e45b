"""The brain mask of a head CT, from HU thresholds, enclosure by the skull, morphology and the largest component."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import Spacing, array_spacing, image_like, resample_like, shrink, voxel_volume_ml
from StrokeSAMLib.imaging.morphology import (
    dilate,
    erode,
    fill_holes,
    gaussian,
    largest_component,
)

# Soft tissue and CSF. The range of Muschelli et al. 2015 (NeuroImage 114:379) is 0 to 100 HU. The lower end is wider
# here for noise in CSF; the upper end stays below partial volume with bone.
TISSUE_HU = (-10.0, 90.0)
BONE_HU = 160.0
# A scan with less bone than this is taken as stripped of its skull. A few slices of an unstripped head hold over 50 ml.
_STRIPPED_BONE_ML = 15.0
# Half the width of the widest gap (optic canal, sutures, thin temporal bone) through which brain touches other tissue.
_BRIDGE_MM = 4.0
_WORKING_MM = (2.0, 2.0, 2.0)
# As a part of the largest section of the brain, which is near 160 cm². The cord in its canal covers 4–5 cm²; medulla
# and tonsils at the foramen magnum cover twice that.
_LEAST_SECTION = 0.05
# The lower limit is below a newborn's brain in a cropped scan, the upper limit above any brain.
PLAUSIBLE_ML = (100.0, 2500.0)


def brain_mask(ncct: sitk.Image) -> sitk.Image:
    """The brain, with its ventricles and the CSF around it, in a CT of the head.

    Args:
        ncct: CT in HU with axes near L, P, S (see `imaging.geometry.canonical`); with or without skull.

    Returns:
        UInt8 mask on the grid of `ncct`.

    Raises:
        InputError: no part of the image has the volume of a brain (100 to 2500 ml).
    """
    coarse = shrink(sitk.Clamp(ncct, sitk.sitkInt16, -1024, 3071), _WORKING_MM)
    hu = sitk.GetArrayFromImage(coarse).astype(np.float32)
    spacing = array_spacing(coarse)
    bone = hu > BONE_HU
    stripped = bone.sum() * voxel_volume_ml(coarse) < _STRIPPED_BONE_ML
    mask = _stripped_brain(hu) if stripped else _brain_within_skull(hu, bone, spacing)
    volume = mask.sum() * voxel_volume_ml(coarse)
    if not PLAUSIBLE_ML[0] <= volume <= PLAUSIBLE_ML[1]:
        raise InputError(f"ncct: no brain found: the best candidate has {volume:.0f} ml")
    smooth = gaussian(mask.astype(np.float32), 1.0, spacing)
    return resample_like(image_like(smooth, coarse), ncct) > 0.5


def _stripped_brain(hu: np.ndarray) -> np.ndarray:
    """The tissue that is not background. The background is the commonest value at the border of the slices."""
    border = np.concatenate([np.take(hu, (0, -1), axis).ravel() for axis in (1, 2)])
    values, counts = np.unique(border, return_counts=True)
    foreground = np.abs(hu - values[counts.argmax()]) > 0.5
    tissue = foreground & (hu > TISSUE_HU[0] * 2) & (hu < BONE_HU)
    return fill_holes(largest_component(ndi.binary_opening(tissue)))


def _brain_within_skull(hu: np.ndarray, bone: np.ndarray, spacing: Spacing) -> np.ndarray:
    smooth = gaussian(hu, 0.8, spacing)
    tissue = (smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1]) & ~bone
    enclosed = tissue & (_bony_sides(bone) >= 3)
    core = largest_component(erode(enclosed, _BRIDGE_MM, spacing))
    brain = dilate(core, _BRIDGE_MM + 1.0, spacing) & tissue
    # Calcified choroid plexus and pineal gland, clips and dense blood leave holes.
    brain = fill_holes(brain, axes=(0, 1, 2))
    return _without_cord(largest_component(brain))


def _bony_sides(bone: np.ndarray) -> np.ndarray:
    """The number of sides (right, left, front, back) on which each voxel (k, j, i) has bone in its slice.

    Brain has bone on all four sides, or on three beside a craniectomy. Muscles of neck and face, orbits and scalp have
    it on fewer.
    """
    skull = largest_component(ndi.binary_dilation(bone)) & bone
    sides = np.zeros(bone.shape, np.uint8)
    for axis in (1, 2):
        sides += np.logical_or.accumulate(skull, axis)
        sides += np.flip(np.logical_or.accumulate(np.flip(skull, axis), axis), axis)
    return sides


def _without_cord(brain: np.ndarray) -> np.ndarray:
    """`brain` without the slices from the bottom up to the highest one with the section of a spinal cord."""
    areas = brain.sum(axis=(1, 2))
    widest = int(areas.argmax())
    small = np.flatnonzero(areas[:widest] < _LEAST_SECTION * areas[widest])
    cut = brain.copy()
    if small.size:
        cut[: small[-1] + 1] = False
    return cut

"""The brain in a head CT: HU thresholds, enclosure by the skull, morphology, largest component."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.geometry import Spacing, array_spacing, like, resample_like, shrink, voxel_volume_ml
from StrokeSAMLib.imaging.morphology import (
    dilate,
    erode,
    fill_holes,
    gaussian,
    largest_component,
)

# Soft tissue and CSF: 0 to 100 HU is the range of Muschelli et al. 2015 (NeuroImage 114:379); the lower end is
# left wider for noise in CSF, the upper end stays below partial volume with bone.
TISSUE_HU = (-10.0, 90.0)
BONE_HU = 160.0
# Below this volume of bone the head is taken as stripped of its skull; a scan of even a few slices of a whole
# head holds over 50 ml.
_STRIPPED_BONE_ML = 15.0
# Half the width of the widest gap (optic canal, sutures, thin temporal bone) by which brain touches other tissue.
_BRIDGE_MM = 4.0
_WORKING_MM = (2.0, 2.0, 2.0)
# Cord in its canal covers 4–5 cm², medulla and tonsils at the foramen magnum twice that; the largest section of a
# brain is near 160 cm².
_LEAST_SECTION = 0.05
# Smaller than a newborn's brain in a cropped scan, larger than any brain: not a head CT.
PLAUSIBLE_ML = (100.0, 2500.0)


def brain_mask(ncct: sitk.Image) -> sitk.Image:
    """The brain, with its ventricles and the CSF around it, in a CT of the head.

    Args:
        ncct: CT in HU with axes near L, P, S (see `geometry.canonical`); with or without skull.

    Returns:
        UInt8 mask on the grid of `ncct`.

    Raises:
        InputError: nothing in the image can be a brain.
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
    return resample_like(like(smooth, coarse), ncct) > 0.5


def _stripped_brain(hu: np.ndarray) -> np.ndarray:
    """What is not background; the background is the value that fills the image's border."""
    border = np.concatenate([np.take(hu, (0, -1), axis).ravel() for axis in (1, 2)])
    values, counts = np.unique(border, return_counts=True)
    there = np.abs(hu - values[counts.argmax()]) > 0.5
    tissue = there & (hu > TISSUE_HU[0] * 2) & (hu < BONE_HU)
    return fill_holes(largest_component(ndi.binary_opening(tissue)))


def _brain_within_skull(hu: np.ndarray, bone: np.ndarray, spacing: Spacing) -> np.ndarray:
    smooth = gaussian(hu, 0.8, spacing)
    tissue = (smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1]) & ~bone
    enclosed = tissue & (_bony_sides(bone) >= 3)
    core = largest_component(erode(enclosed, _BRIDGE_MM, spacing))
    brain = dilate(core, _BRIDGE_MM + 1.0, spacing) & tissue
    # Calcified choroid plexus and pineal gland, clips and blood above the tissue's range are holes in it.
    brain = fill_holes(brain, axes=(0, 1, 2))
    return _without_cord(largest_component(brain))


def _bony_sides(bone: np.ndarray) -> np.ndarray:
    """On how many of its four sides (right, left, front, back) each voxel (k, j, i) has bone in its slice.

    Brain has it on all four, or on three beside a craniectomy; muscle of neck and face, orbits and scalp on fewer.
    """
    skull = largest_component(ndi.binary_dilation(bone)) & bone
    sides = np.zeros(bone.shape, np.uint8)
    for axis in (1, 2):
        sides += np.logical_or.accumulate(skull, axis)
        sides += np.flip(np.logical_or.accumulate(np.flip(skull, axis), axis), axis)
    return sides


def _without_cord(brain: np.ndarray) -> np.ndarray:
    """`brain` from the lowest slice up whose section is more than a spinal cord's."""
    areas = brain.sum(axis=(1, 2))
    widest = int(areas.argmax())
    small = np.flatnonzero(areas[:widest] < _LEAST_SECTION * areas[widest])
    cut = brain.copy()
    if small.size:
        cut[: small[-1] + 1] = False
    return cut

"""A synthetic non-contrast CT: densities of tissue, infarct and mimics, and the scanner's errors."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.morphology import gaussian, masked_gaussian
from StrokeSAMLib.lesion.network_inputs import ct_inputs
from StrokeSAMLib.training.synthesis.blobs import patches, spot
from StrokeSAMLib.training.synthesis.fields import any_side, blend, chance, log_uniform, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.lesions import Lesion, infarct
from StrokeSAMLib.training.synthesis.physics import Scan, correlated_noise, imperfect_brain_mask, near_rim, thick_slices
from StrokeSAMLib.training.synthesis.posed_head import PosedHead, positions, sample

# HU. Grey matter is 4–9 HU above white matter. An early infarct is 2–13 HU darker than its tissue.
_GREY, _WHITE_BELOW, _CSF = (33.0, 41.0), (4.0, 9.0), (3.0, 13.0)
_INFARCT = (2.0, 13.0)
_UNEVEN = 0.3
_BONE = 90.0
_THICKNESS_MM = (1.0, 8.0)
# HU, noise of a voxel of 3 mm, averaged from the voxels of a scan with 3–7 HU.
_NOISE = (0.3, 2.2)
_REGISTRATION_MM = 1.8


def ct_patient(head: PosedHead, lesion: Lesion, rng: np.random.Generator) -> Scan:
    """The scan for `ncct-unet`, with network inputs (3, k, j, i)."""
    facts: dict[str, float] = {}
    hu = _scanned(density(head, lesion, facts, rng), head, facts, rng)
    brain = imperfect_brain_mask(head, rng)
    # Smoothed within the mask, so that bone and air outside do not change the rim.
    inside = masked_gaussian(hu, brain, 0.5, head.spacing).astype(np.float32)
    return Scan(ct_inputs(inside, _mirrored(inside, head, rng), brain, head.spacing), brain, facts)


def density(head: PosedHead, lesion: Lesion, facts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """The density of the head without noise.

    Args:
        head: the head.
        lesion: its infarcts.
        facts: receives "contrast_hu".
        rng: source of random numbers.

    Returns:
        HU, float32 (k, j, i).
    """
    grey, csf = uniform(rng, *_GREY), uniform(rng, *_CSF)
    white = grey - uniform(rng, *_WHITE_BELOW)
    tissue = (head.grey * grey + head.white * white) / np.maximum(head.grey + head.white, 1e-6)
    csf_part = _effaced(head, lesion, rng)
    tissue = _infarcted(tissue, head, lesion, white, facts, rng)
    hu = tissue * (head.brain - csf_part).clip(0) + csf_part * csf
    for change in (_old_infarcts, _leukoaraiosis):
        hu = change(hu, head, csf, rng) if chance(rng, 0.3) else hu
    hu = _dense_spots(hu, head, rng)
    outside = 1 - head.brain
    rim = np.clip(2 * gaussian(outside, 3.0, head.spacing) - 0.6, 0, 1)
    return (hu + outside * blend(np.full(head.shape, csf, np.float32), _BONE, rim)).astype(np.float32)


def _effaced(head: PosedHead, lesion: Lesion, rng: np.random.Generator) -> np.ndarray:
    """The part of each voxel that is CSF. Swelling presses CSF out of the sulci of an infarct."""
    return head.csf * (1 - uniform(rng, 0, 0.7) * lesion.part)


def _infarcted(
    tissue: np.ndarray,
    head: PosedHead,
    lesion: Lesion,
    white: float,
    facts: dict[str, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """HU of the tissue without the CSF in its voxels, darkened by water in the infarct.

    The infarct also has less contrast: grey matter needs more blood and loses more density than white matter.
    """
    facts["contrast_hu"] = log_uniform(rng, *_INFARCT)
    depth = facts["contrast_hu"] * (1 + _UNEVEN * smooth_noise(head.shape, 25.0, head.spacing, rng)[0])
    return blend(tissue, white, lesion.part * uniform(rng, 0.0, 0.7)) - lesion.part * depth


def _old_infarcts(hu: np.ndarray, head: PosedHead, csf: float, rng: np.random.Generator) -> np.ndarray:
    """Lost tissue filled with CSF, or nearly so. Tissue that is less dark belongs to a recent infarct."""
    for _ in range(rng.integers(1, 3)):
        old = infarct(head, any_side(rng), log_uniform(rng, 0.3, 60.0), rng)
        hu = blend(hu, csf + uniform(rng, 0, 3), old.part * head.brain)
    return hu


def _leukoaraiosis(hu: np.ndarray, head: PosedHead, csf: float, rng: np.random.Generator) -> np.ndarray:
    """Rarefied white matter around the ventricles, on both sides, in patches that may differ."""
    deep = (np.abs(head.place) < np.array([0.5, 0.65, 0.5])[:, None, None, None]).all(0)
    near = np.clip(3 * gaussian((head.csf * deep).astype(np.float32), 6.0, head.spacing), 0, 1)
    patchy = patches(head, 25.0, uniform(rng, 0.3, 1.0), rng)
    return hu - uniform(rng, 2, 9) * head.white * near * patchy


def _dense_spots(hu: np.ndarray, head: PosedHead, rng: np.random.Generator) -> np.ndarray:
    """Add calcifications (plexus, pineal gland, basal ganglia) and haemorrhage."""
    deep = (np.abs(head.place) < 0.45).all(0) & (head.brain > 0.9)
    for _ in range(rng.integers(0, 4)):
        hu = blend(hu, uniform(rng, 60, 200), uniform(rng, 0.2, 1.0) * spot(head, deep, uniform(rng, 2, 5), rng))
    if chance(rng, 0.06):
        blood = spot(head, head.brain > 0.9, uniform(rng, 5, 22), rng)
        hu = blend(hu - 5 * gaussian(blood, 5.0, head.spacing), uniform(rng, 50, 75), blood)
    return hu


def _scanned(hu: np.ndarray, head: PosedHead, facts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Add beam hardening, streaks, slices and noise."""
    hu = hu + uniform(rng, -1, 6) * near_rim(head, uniform(rng, 3, 8)) * head.brain
    hu = hu + uniform(rng, 0, 0.6) * smooth_noise(head.shape, 80.0, head.spacing, rng)[0]
    if chance(rng, 0.6):
        hu = hu + _streaks(head, rng)
    facts["slice_mm"] = uniform(rng, *_THICKNESS_MM)
    hu = thick_slices(hu, facts["slice_mm"], uniform(rng, 0, 1), head.spacing)
    facts["noise_hu"] = log_uniform(rng, *_NOISE)
    return hu + correlated_noise(head.shape, facts["noise_hu"], uniform(rng, 1.0, 3.0), head.spacing, rng)


def _streaks(head: PosedHead, rng: np.random.Generator) -> np.ndarray:
    """Dark and bright bands from ear to ear, at the height of the petrous bones."""
    height = np.exp(-(((head.place[0] + 0.5) / 0.15) ** 2))
    bands = smooth_noise((head.shape[0], head.shape[1], 1), 7.0, (9.0, head.spacing[1], 50.0), rng)[0]
    return uniform(rng, 0.5, 5) * height * bands


def _mirrored(hu: np.ndarray, head: PosedHead, rng: np.random.Generator) -> np.ndarray:
    """The mirror image of a registration, with a registration's typical error."""
    grid = positions(head.shape, head.spacing)
    mirrored_mm = np.einsum("ab,bkji->akji", head.mirror[:, :3], grid) + head.mirror[:, 3, None, None, None]
    mirrored_mm += uniform(rng, 0.2, 1) * _REGISTRATION_MM * smooth_noise(head.shape, 35.0, head.spacing, rng, 3)
    voxels = mirrored_mm / np.asarray(head.spacing)[:, None, None, None]
    return sample(hu[None].astype(np.float32), voxels, "border")[0]

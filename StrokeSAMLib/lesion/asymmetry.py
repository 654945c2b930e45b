"""NCCT without weights: the hypodense lesion as one hemisphere's difference from the mirror image of the other.

An infarct is a few HU darker than the tissue that answers it across the mid-sagittal plane. Single voxels are too
noisy for that, so tissue (neither CSF nor bone) is smoothed first. What misregistered sulci leave is smaller and
weaker than a lesion, and goes by depth, volume and mass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.imaging.geometry import (
    like,
    mask_like,
    resample_like,
    voxel_volume_ml,
)
from StrokeSAMLib.imaging.mirror import Mirror
from StrokeSAMLib.imaging.morphology import (
    FULL,
    box_around,
    close,
    dilate,
    fill_holes,
    gaussian,
    hysteresis,
    masked_gaussian,
    remove_small,
)
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.head import Head
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.options import option

_TUNED = "docs/methods.md, synthetic infarcts"
# CSF and tissue are told apart on HU smoothed by this much, mm: the noise of a voxel is as large as their contrast.
_TISSUE_SMOOTHING_MM = 1.0
# A smoothed value rests on at least this part of its neighbourhood being tissue.
_LEAST_SUPPORT = 0.3
# Sulci this much darker than tissue belong to a lesion that surrounds them; darker ones are open CSF, HU.
_SULCI_HU = 8.0
_WEAK = 2.0


@dataclass(frozen=True)
class Options:
    """Options of the method `asymmetry`."""

    smoothing: float = option(4.0, "smoothing within tissue, standard deviation", "mm", 0.5, 10, _TUNED)
    tissue_low: float = option(18.0, "least density of tissue; below are CSF and old infarcts", "HU", 0, 30, _TUNED)
    tissue_high: float = option(
        60.0, "greatest density of tissue; above are blood and calcification", "HU", 40, 100, "fresh blood is denser"
    )
    seed: float = option(4.0, "a seed is this much darker than its mirror image", "HU", 0.5, 20, _TUNED)
    grow: float = option(2.5, "a first outline is this much darker than its mirror image", "HU", 0.2, 20, _TUNED)
    edge_fraction: float = option(
        0.45, "the final outline, as a part of the lesion's own darkest density difference", "", 0.1, 0.9, _TUNED
    )
    seed_depth: float = option(
        4.0, "seeds lie this far from the brain's edge (beam hardening)", "mm", 0, 20, "docs/methods.md"
    )
    edge_depth: float = option(0.5, "the lesion reaches up to this far from the brain's edge", "mm", 0, 20, _TUNED)
    min_volume: float = option(3.0, "smallest lesion", "ml", 0, 100, _TUNED)
    min_mass: float = option(
        0.5, "smallest mass (volume × difference) of a component, as a part of the heaviest's", "", 0, 1, _TUNED
    )
    closing: float = option(6.0, "gaps up to twice this are closed (sulci in the lesion)", "mm", 0, 20, _TUNED)
    surface: float = option(
        4.0, "a gap up to twice this between lesion and the brain's surface is lesion", "mm", 0, 20, _TUNED
    )
    deformable: bool = option(True, "refine the mirror image by a B-spline registration")


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in ``inputs["ncct"]`` (HU, any orientation, with or without skull).

    Raises:
        InputError: not a CT of a head in HU.
    """
    ncct = inputs["ncct"]
    scan = CtScan(inputs, options.deformable, monitor.part(0.05, 0.75))
    head, mirror = scan.head, scan.mirror
    monitor.step(0.75, "comparing the hemispheres")
    difference, known = _difference(head, mirror, options)
    lesion, threshold = _lesion(head, difference, known, options)
    monitor.step(0.9, "writing on the scan's grid")
    score = np.where(known, _score(difference, threshold), 0).astype(np.float32)
    return LesionResult(
        mask=mask_like(like(lesion, head.image), ncct),
        score=resample_like(like(score, head.image), ncct),
        brain=mask_like(head.brain, ncct),
        midsagittal=mirror.plane,
        method="asymmetry",
        options={},
        images={"ncct": scan.hounsfield},
        warnings=(*scan.notes, *_doubts(mirror, difference, known, lesion)),
    )


def _difference(head: Head, mirror: Mirror, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Density less that of the mirror image (HU, negative in a lesion), and where there is tissue enough on both
    sides to know it."""
    smooth = head.smoothed(_TISSUE_SMOOTHING_MM)
    tissue = head.inside & (smooth > options.tissue_low) & (smooth < options.tissue_high)
    density = masked_gaussian(head.hu, tissue, options.smoothing, head.spacing).astype(np.float32)
    support = gaussian(tissue.astype(np.float32), options.smoothing, head.spacing)

    def mirrored(array: np.ndarray, outside: float) -> np.ndarray:
        return sitk.GetArrayFromImage(mirror.image_of(like(array, head.image), outside))

    known = head.inside & (support > _LEAST_SUPPORT) & (mirrored(support, 0.0) > _LEAST_SUPPORT)
    return density - mirrored(density, float(density[head.inside].mean())), known


def _lesion(head: Head, difference: np.ndarray, known: np.ndarray, options: Options) -> tuple[np.ndarray, float]:
    """The lesion, and the difference (HU) at its outline."""
    within = known & (head.depth > options.edge_depth)
    seeds = known & (head.depth > options.seed_depth) & (difference < -options.seed)
    least = options.min_volume / voxel_volume_ml(head.image)
    core = remove_small(hysteresis(seeds, ndi.binary_opening(within & (difference < -options.grow))), least)
    if not core.any():
        return core, -options.grow
    core = _heaviest(core, -difference, options.min_mass)
    # Smoothing blurs a deep lesion over its edge and a shallow one away: half-way down is where the edge is.
    threshold = -float(np.clip(options.edge_fraction * np.percentile(-difference[core], 80), 2.0, 4.5))
    around = within & dilate(core, 4 * options.smoothing, head.spacing)
    lesion = hysteresis(core, ndi.binary_opening(around & (difference < threshold)))
    lesion = remove_small(lesion, least / 3)
    tissue = head.inside & (head.smoothed(1.5) > options.tissue_low - _SULCI_HU)
    closed = close(lesion, options.closing, head.spacing) | _cortex_over(lesion, head, options.surface)
    return fill_holes(lesion | (closed & tissue)), threshold


def _cortex_over(lesion: np.ndarray, head: Head, gap_mm: float) -> np.ndarray:
    """What lies between `lesion` and the brain's surface where they are less than twice `gap_mm` apart.

    Cortex over an infarct is infarcted too, but sulci that do not answer each other hide it from the comparison.
    """
    cortex = np.zeros_like(lesion)
    if gap_mm == 0:
        return cortex
    # What is farther away than this has no say in what is asked.
    box = box_around(lesion, 4 * gap_mm, head.spacing)
    outside, lesion = ~head.inside[box], lesion[box]
    bridged = close(lesion | outside, gap_mm, head.spacing) & ~close(outside, gap_mm, head.spacing)
    cortex[box] = bridged & dilate(lesion, 2 * gap_mm, head.spacing)
    return cortex


def _heaviest(mask: np.ndarray, weight: np.ndarray, part: float) -> np.ndarray:
    """The components of `mask` whose summed `weight` is at least `part` of the heaviest's."""
    labels, count = ndi.label(mask, structure=FULL)
    masses = ndi.sum_labels(weight, labels, np.arange(count + 1))
    masses[0] = 0
    return (masses >= part * masses.max())[labels] & mask


def _score(difference: np.ndarray, threshold: float) -> np.ndarray:
    """A logistic of the difference: 0.5 at the lesion's outline, 0 where nothing differs much. Not calibrated."""
    return expit((threshold - difference) * 2)


def _doubts(mirror: Mirror, difference: np.ndarray, known: np.ndarray, lesion: np.ndarray) -> list[str]:
    doubts = mirror.doubts()
    if not lesion.any():
        return [*doubts, "no lesion found: no hypodensity of sufficient size and depth"]
    elsewhere = difference[known & ~lesion]
    noise = 1.4826 * np.median(np.abs(elsewhere)) if elsewhere.size else 0.0
    contrast = -float(difference[lesion & known].mean())
    if contrast < _WEAK * noise:
        doubts.append(f"weak contrast: {contrast:.1f} HU, where the hemispheres differ by {noise:.1f} HU elsewhere")
    return doubts

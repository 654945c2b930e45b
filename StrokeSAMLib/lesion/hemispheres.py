"""The hypodense lesion, from the difference of the brain and its registered mirror image: the rule of `asymmetry`.

Single voxels are too noisy to show a few HU, so tissue (neither CSF nor bone) is smoothed first. Misregistered sulci
leave differences as well. They are smaller and weaker than a lesion, and limits on depth, volume and mass remove them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.anatomy.mirror import Mirror
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import image_like, voxel_volume_ml
from StrokeSAMLib.imaging.morphology import (
    CONNECTIVITY_26,
    box_around,
    close,
    dilate,
    fill_holes,
    gaussian,
    hysteresis,
    masked_gaussian,
    remove_small,
)
from StrokeSAMLib.lesion.ct_grid import CtGrid

_TUNED = "docs/methods.md, synthetic infarcts"
# CSF and tissue are separated on HU smoothed by this standard deviation, mm. The noise of a voxel is as large as their
# contrast.
_TISSUE_SMOOTHING_MM = 1.0
# A smoothed value counts where at least this part of its neighbourhood is tissue.
_LEAST_SUPPORT = 0.3
# Sulci up to this much darker than tissue (HU) belong to a lesion that surrounds them. Darker ones are open CSF.
_SULCI_HU = 8.0


@dataclass(frozen=True)
class RuleOptions:
    """The thresholds of the rule."""

    smoothing: float = option(4.0, "smoothing within tissue, standard deviation", "mm", 0.5, 10, _TUNED)
    tissue_low: float = option(18.0, "least density of tissue; CSF and old infarcts are below", "HU", 0, 30, _TUNED)
    tissue_high: float = option(
        60.0, "greatest density of tissue; blood and calcification are above", "HU", 40, 100, "fresh blood is denser"
    )
    seed: float = option(4.0, "a seed is at least this much darker than its mirror image", "HU", 0.5, 20, _TUNED)
    grow: float = option(
        2.5, "the first outline is at least this much darker than its mirror image", "HU", 0.2, 20, _TUNED
    )
    edge_fraction: float = option(
        0.45, "difference at the final outline, as a part of the 80th percentile in the lesion", "", 0.1, 0.9, _TUNED
    )
    seed_depth: float = option(
        4.0, "least distance of a seed from the brain's edge (beam hardening)", "mm", 0, 20, "docs/methods.md"
    )
    edge_depth: float = option(0.5, "least distance of the lesion from the brain's edge", "mm", 0, 20, _TUNED)
    min_volume: float = option(3.0, "smallest lesion", "ml", 0, 100, _TUNED)
    min_mass: float = option(
        0.5, "least mass (volume × difference) of a component, as a part of the greatest mass", "", 0, 1, _TUNED
    )
    closing: float = option(6.0, "gaps in the lesion (sulci) up to twice this width are filled", "mm", 0, 20, _TUNED)
    surface: float = option(
        4.0, "gaps between lesion and brain surface up to twice this width are filled", "mm", 0, 20, _TUNED
    )


@dataclass(frozen=True)
class Comparison:
    """The two hemispheres compared, on the working grid (k, j, i).

    Attributes:
        difference: the density minus that of the mirror image, HU, Float32; negative in a lesion.
        comparable: the voxels with enough tissue in both hemispheres, bool.
        lesion: what is dark enough, bool.
        threshold: the difference at the outline of the lesion, HU.
    """

    difference: np.ndarray
    comparable: np.ndarray
    lesion: np.ndarray
    threshold: float


def compare_hemispheres(head: CtGrid, mirror: Mirror, options: RuleOptions) -> Comparison:
    """Compare the hemispheres, and find the hypodense lesion.

    Args:
        head: the head on its working grid.
        mirror: the symmetry of the head.
        options: the thresholds.
    """
    difference, comparable = _difference(head, mirror, options)
    return Comparison(difference, comparable, *_lesion(head, difference, comparable, options))


def _difference(head: CtGrid, mirror: Mirror, options: RuleOptions) -> tuple[np.ndarray, np.ndarray]:
    """The density minus that of the mirror image (HU, negative in a lesion), and the voxels with enough tissue in both
    hemispheres for a comparison (bool)."""
    smooth = head.smoothed(_TISSUE_SMOOTHING_MM)
    tissue = head.inside & (smooth > options.tissue_low) & (smooth < options.tissue_high)
    density = masked_gaussian(head.hu, tissue, options.smoothing, head.spacing).astype(np.float32)
    support = gaussian(tissue.astype(np.float32), options.smoothing, head.spacing)

    def mirrored(array: np.ndarray, outside: float) -> np.ndarray:
        return sitk.GetArrayFromImage(mirror.mirror_image(image_like(array, head.image), outside))

    comparable = head.inside & (support > _LEAST_SUPPORT) & (mirrored(support, 0.0) > _LEAST_SUPPORT)
    return density - mirrored(density, float(density[head.inside].mean())), comparable


def _lesion(
    head: CtGrid, difference: np.ndarray, comparable: np.ndarray, options: RuleOptions
) -> tuple[np.ndarray, float]:
    """The lesion, and the difference (HU) at its outline."""
    within = comparable & (head.depth > options.edge_depth)
    seeds = comparable & (head.depth > options.seed_depth) & (difference < -options.seed)
    least = options.min_volume / voxel_volume_ml(head.image)
    core = remove_small(hysteresis(seeds, ndi.binary_opening(within & (difference < -options.grow))), least)
    if not core.any():
        return core, -options.grow
    core = _heaviest(core, -difference, options.min_mass)
    # Smoothing spreads a deep lesion beyond its edge and weakens a shallow one. The edge is about half-way down.
    threshold = -float(np.clip(options.edge_fraction * np.percentile(-difference[core], 80), 2.0, 4.5))
    around = within & dilate(core, 4 * options.smoothing, head.spacing)
    lesion = hysteresis(core, ndi.binary_opening(around & (difference < threshold)))
    lesion = remove_small(lesion, least / 3)
    tissue = head.inside & (head.smoothed(1.5) > options.tissue_low - _SULCI_HU)
    closed = close(lesion, options.closing, head.spacing) | _cortex_over(lesion, head, options.surface)
    return fill_holes(lesion | (closed & tissue)), threshold


def _cortex_over(lesion: np.ndarray, head: CtGrid, gap_mm: float) -> np.ndarray:
    """The voxels between `lesion` and the surface of the brain where the two are less than twice `gap_mm` apart.

    Cortex over an infarct is infarcted as well. The comparison misses it, because the sulci of the two hemispheres
    differ.
    """
    cortex = np.zeros_like(lesion)
    if gap_mm == 0:
        return cortex
    # Voxels outside of this box have no influence on the result.
    box = box_around(lesion, 4 * gap_mm, head.spacing)
    outside, lesion = ~head.inside[box], lesion[box]
    bridged = close(lesion | outside, gap_mm, head.spacing) & ~close(outside, gap_mm, head.spacing)
    cortex[box] = bridged & dilate(lesion, 2 * gap_mm, head.spacing)
    return cortex


def _heaviest(mask: np.ndarray, weight: np.ndarray, part: float) -> np.ndarray:
    """The components of `mask` whose summed `weight` is at least `part` of the heaviest's."""
    labels, count = ndi.label(mask, structure=CONNECTIVITY_26)
    masses = ndi.sum_labels(weight, labels, np.arange(count + 1))
    masses[0] = 0
    return (masses >= part * masses.max())[labels] & mask

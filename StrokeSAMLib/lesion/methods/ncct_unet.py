"""NCCT by a compact U-Net with included weights: density, its registered mirror image and their difference, on 3 mm.

The network was trained on synthetic patients alone (docs/training.md). Training made its inputs with the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import array_spacing, image_like, mask_like, mask_volume_ml
from StrokeSAMLib.imaging.morphology import masked_gaussian
from StrokeSAMLib.lesion.ct_fusion import judge_rule
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.hemispheres import RuleOptions, compare_hemispheres
from StrokeSAMLib.lesion.network_inputs import ct_inputs
from StrokeSAMLib.lesion.network_options import LesionNetwork
from StrokeSAMLib.lesion.result import LesionResult, no_lesion_warning, possible_warning
from StrokeSAMLib.lesion.unet import NetworkGrid, UNetOptions, lesion_on_scan, load_unet, predict_probability

# As in the synthetic patients: bone and air beyond the mask must not change the density of the brain's rim.
_HU = (-20.0, 100.0)
_RIM_MM = 0.5


@dataclass(frozen=True)
class Options(UNetOptions):
    """Options of the method `ncct-unet`."""

    min_volume: float = option(1.0, "smallest lesion", "ml", 0, 100, "docs/methods.md")
    doubt_below: float = option(
        10.0, "a smaller component without a sure core is a possible lesion only", "ml", 0, 1000, "docs/methods.md"
    )
    rule: bool = option(True, "add what the rule of `asymmetry` finds and the network shares, or what is plainly dark")
    deformable: bool = option(True, "refine the mirror image by a B-spline registration")


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in a head CT.

    Args:
        inputs: "ncct": a CT in HU, any orientation, with or without skull.
        options: of this method.
        monitor: progress and cancellation.

    Raises:
        InputError: the image is no CT of a head in HU; there are no weights, or they cannot be used.
        Cancelled: the user cancelled the work.
    """
    ncct = inputs["ncct"]
    notes: list[str] = []
    monitor.step(0.02, "loading the network")
    predictor = load_unet("ncct-unet", options, notes.append)
    scan = CtScan(inputs, options.deformable, monitor.part(0.1, 0.8))
    monitor.step(0.8, "running the network")
    grid = NetworkGrid(scan.grid.brain)
    probability = predict(predictor, _network_inputs(scan, grid), grid.brain, options)
    monitor.step(0.95, "resampling to the grid of the scan")
    brain = mask_like(scan.grid.brain, ncct)
    mask, possible, score = lesion_on_scan(probability, grid, brain, options)
    if options.rule:
        mask, possible = _with_rule(scan, mask, possible, notes)
    return LesionResult(
        mask=mask,
        score=score,
        brain=brain,
        midsagittal=scan.mirror.plane,
        method="ncct-unet",
        options={**predictor.provenance(), "mirror_correlation": scan.mirror.correlation},
        images={"ncct": scan.hounsfield},
        warnings=(*notes, *scan.notes, *scan.mirror.warnings(), *no_lesion_warning(mask), *possible_warning(possible)),
        possible=possible,
    )


def predict(predictor: LesionNetwork, network_inputs: np.ndarray, brain: np.ndarray, options: Options) -> np.ndarray:
    """Predict the probability of the lesion.

    Args:
        predictor: the network.
        network_inputs: Float32 (3, k, j, i) on the grid of the network, see `ct_inputs`.
        brain: bool (k, j, i) on that grid.
        options: of this method.

    Returns:
        Float32 (k, j, i).
    """
    return predict_probability(predictor, network_inputs, brain, options.mirror)


def _with_rule(scan: CtScan, mask: sitk.Image, possible: sitk.Image, notes: list[str]) -> tuple[sitk.Image, sitk.Image]:
    """Add the rule's lesion and possible lesion to those of the network, on the grid of the scan, with a note."""
    head = scan.grid
    comparison = compare_hemispheres(head, scan.mirror, RuleOptions())
    network = sitk.GetArrayFromImage(mask_like(mask, head.image)) > 0
    lesion, doubtful = (mask_like(image_like(part, head.image), mask) for part in judge_rule(head, comparison, network))
    both = sitk.Or(mask, lesion)
    added_ml = mask_volume_ml(both) - mask_volume_ml(mask)
    if added_ml:
        notes.append(f"{added_ml:.1f} ml of the lesion are found by the rule asymmetry, not by the network")
    return both, sitk.And(sitk.Or(possible, doubtful), sitk.Not(both))


def _network_inputs(scan: CtScan, grid: NetworkGrid) -> np.ndarray:
    """The inputs of the network on its grid, Float32 (3, k, j, i)."""
    head = scan.grid
    density = image_like(np.where(head.inside, np.clip(head.hu, *_HU), 0).astype(np.float32), head.image)
    brain_part = grid.resample(head.brain)
    hu = grid.resample(density) / np.maximum(brain_part, 1e-3)
    spacing = array_spacing(grid.image)
    smoothed = masked_gaussian(hu, grid.brain, _RIM_MM, spacing).astype(np.float32)
    level = float(smoothed[grid.brain].mean())
    mirrored = sitk.GetArrayFromImage(scan.mirror.mirror_image(image_like(smoothed, grid.image), level))
    return ct_inputs(smoothed, mirrored, grid.brain, spacing)

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
from StrokeSAMLib.imaging.geometry import array_spacing, image_like, mask_like
from StrokeSAMLib.imaging.morphology import masked_gaussian
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.network_inputs import ct_inputs
from StrokeSAMLib.lesion.network_options import LesionNetwork
from StrokeSAMLib.lesion.result import LesionResult, no_lesion_warning
from StrokeSAMLib.lesion.unet import NetworkGrid, UNetOptions, lesion_on_scan, load_unet, predict_probability

# As in the synthetic patients: bone and air beyond the mask must not change the density of the brain's rim.
_HU = (-20.0, 100.0)
_RIM_MM = 0.5


@dataclass(frozen=True)
class Options(UNetOptions):
    """Options of the method `ncct-unet`."""

    min_volume: float = option(1.0, "smallest lesion, where sure_volume is less", "ml", 0, 100, "docs/methods.md")
    sure_volume: float = option(
        4.0, "least volume in a lesion with a probability of 0.99", "ml", 0, 100, "docs/methods.md"
    )
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
    mask, score, lesion_notes = lesion_on_scan(probability, grid, brain, options)
    return LesionResult(
        mask=mask,
        score=score,
        brain=brain,
        midsagittal=scan.mirror.plane,
        method="ncct-unet",
        options={**predictor.provenance(), "mirror_correlation": scan.mirror.correlation},
        images={"ncct": scan.hounsfield},
        warnings=(*notes, *scan.notes, *scan.mirror.warnings(), *lesion_notes, *no_lesion_warning(mask)),
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

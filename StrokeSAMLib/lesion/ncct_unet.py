"""NCCT by a compact U-Net that ships: density, its registered mirror image, and their difference, on 3 mm.

It was trained on synthetic patients alone (docs/training.md), whose channels are made as these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.channels import ct_channels
from StrokeSAMLib.imaging.geometry import array_spacing, like, mask_like
from StrokeSAMLib.imaging.morphology import masked_gaussian
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.network import Asked, made_by
from StrokeSAMLib.lesion.result import LesionResult, no_lesion
from StrokeSAMLib.lesion.unet import Grid, UNetOptions, network_for, on_scan, probability
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.options import option

# As in the synthetic patients: neither bone nor air beyond the mask darkens or brightens the brain's rim.
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
    """Segment the lesion in ``inputs["ncct"]`` (HU, any orientation, with or without skull).

    Raises:
        InputError: not a CT of a head in HU; no weights, or such as cannot be used.
    """
    ncct = inputs["ncct"]
    notes: list[str] = []
    monitor.step(0.02, "loading the network")
    network = network_for("ncct-unet", options, notes.append)
    scan = CtScan(inputs, options.deformable, monitor.part(0.1, 0.8))
    monitor.step(0.8, "asking the network")
    grid = Grid(scan.head.brain)
    found = answer(network, _channels(scan, grid), grid.brain, options)
    monitor.step(0.95, "writing on the scan's grid")
    brain = mask_like(scan.head.brain, ncct)
    mask, score, doubts = on_scan(found, grid, brain, options)
    return LesionResult(
        mask=mask,
        score=score,
        brain=brain,
        midsagittal=scan.mirror.plane,
        method="ncct-unet",
        options={**made_by(network), "mirror_correlation": scan.mirror.correlation},
        images={"ncct": scan.hounsfield},
        warnings=(*notes, *scan.notes, *scan.mirror.doubts(), *doubts, *no_lesion(mask)),
    )


def answer(network: Asked, channels: np.ndarray, brain: np.ndarray, options: Options) -> np.ndarray:
    """The network's answer, Float32 (k, j, i), of channels on its grid; see `unet.probability`."""
    return probability(network, channels, brain, options.mirror)


def _channels(scan: CtScan, grid: Grid) -> np.ndarray:
    """(3, k, j, i), Float32."""
    head = scan.head
    density = like(np.where(head.inside, np.clip(head.hu, *_HU), 0).astype(np.float32), head.image)
    part = grid.sampled(head.brain)
    hu = grid.sampled(density) / np.maximum(part, 1e-3)
    spacing = array_spacing(grid.image)
    inside = masked_gaussian(hu, grid.brain, _RIM_MM, spacing).astype(np.float32)
    level = float(inside[grid.brain].mean())
    mirrored = sitk.GetArrayFromImage(scan.mirror.image_of(like(inside, grid.image), level))
    return ct_channels(inside, mirrored, grid.brain, spacing)

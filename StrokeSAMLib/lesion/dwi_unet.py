"""DWI with ADC by a compact U-Net that ships, on 3 mm.

It was trained on synthetic patients alone (docs/training.md), whose channels are made as these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.channels import diffusion_channels
from StrokeSAMLib.imaging.geometry import like, mask_like
from StrokeSAMLib.lesion.diffusion_scan import DiffusionScan
from StrokeSAMLib.lesion.network import Asked, made_by
from StrokeSAMLib.lesion.result import LesionResult, no_lesion
from StrokeSAMLib.lesion.second_look import look_twice
from StrokeSAMLib.lesion.unet import Grid, UNetOptions, network_for, on_scan, probability
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.options import option

# The grid averages: only what would be noise in a ratio of signals is smoothed before it.
_SMOOTHING_MM = 0.8


@dataclass(frozen=True)
class Options(UNetOptions):
    """Options of the method `dwi-unet`."""

    b_value: float = option(1000.0, "diffusion weighting of the DWI", "s/mm²", 100, 5000)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in ``inputs["dwi"]`` with ``inputs["adc"]`` or ``inputs["b0"]``, on whatever grids.

    Raises:
        InputError: an image that is no diffusion MR, or images that do not belong together; no weights, or such as
            cannot be used.
    """
    dwi = inputs["dwi"]
    notes: list[str] = []
    monitor.step(0.02, "loading the network")
    network = network_for("dwi-unet", options, notes.append)
    scan = DiffusionScan(inputs, options.b_value, _SMOOTHING_MM, monitor.part(0.1, 0.6))
    monitor.step(0.6, "asking the network")
    grid = Grid(scan.brain)
    signal, adc = (grid.sampled(like(array, scan.image)) for array in (scan.dwi, scan.whole_adc()))
    found = answer(network, diffusion_channels(signal, adc, grid.brain), grid.brain, options)
    monitor.step(0.8, "finding the mid-sagittal plane")
    plane = scan.plane()
    brain = mask_like(scan.brain, dwi)
    mask, score, doubts = on_scan(found, grid, brain, options)
    return LesionResult(
        mask=mask,
        score=score,
        brain=brain,
        midsagittal=plane,
        method="dwi-unet",
        options=made_by(network),
        images={"dwi": dwi, "adc": scan.adc_like(dwi)},
        warnings=(*notes, *scan.notes, *doubts, *no_lesion(mask)),
    )


def answer(network: Asked, channels: np.ndarray, brain: np.ndarray, options: Options) -> np.ndarray:
    """The network's answer, Float32 (k, j, i), of channels on its grid; see `unet.probability` and `look_twice`."""
    return look_twice(
        lambda shown: probability(network, shown, brain, options.mirror), channels, brain, options.threshold
    )

"""DWI with ADC by a compact U-Net with included weights, on a grid of 3 mm.

The network was trained on synthetic patients alone (docs/training.md). Training made its inputs with the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import image_like, mask_like
from StrokeSAMLib.lesion.diffusion_scan import DiffusionScan
from StrokeSAMLib.lesion.network_inputs import diffusion_inputs
from StrokeSAMLib.lesion.network_options import LesionNetwork
from StrokeSAMLib.lesion.result import LesionResult, move_doubtful, no_lesion_warning, possible_warning
from StrokeSAMLib.lesion.second_pass import two_pass_prediction
from StrokeSAMLib.lesion.unet import NetworkGrid, UNetOptions, lesion_on_scan, load_unet, predict_probability

# The grid averages voxels. Only noise that would spoil the ratio of the signals is smoothed before.
_SMOOTHING_MM = 0.8


@dataclass(frozen=True)
class Options(UNetOptions):
    """Options of the method `dwi-unet`."""

    b_value: float = option(1000.0, "diffusion weighting of the DWI", "s/mm²", 100, 5000)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in a diffusion scan.

    Args:
        inputs: "dwi", best with "adc" or "b0" or both. Their grids may differ; the result is on that of the DWI.
        options: of this method.
        monitor: progress and cancellation.

    Raises:
        InputError: an image is no diffusion MR, or the images do not belong together; there are no weights, or they
            cannot be used.
        Cancelled: the user cancelled the work.
    """
    dwi = inputs["dwi"]
    notes: list[str] = []
    monitor.step(0.02, "loading the network")
    predictor = load_unet("dwi-unet", options, notes.append)
    scan = DiffusionScan(inputs, options.b_value, _SMOOTHING_MM, monitor.part(0.1, 0.6))
    monitor.step(0.6, "running the network")
    grid = NetworkGrid(scan.brain)
    signal, adc = (grid.resample(image_like(array, scan.image)) for array in (scan.dwi, scan.filled_adc()))
    probability = predict(predictor, diffusion_inputs(signal, adc, grid.brain), grid.brain, options)
    monitor.step(0.8, "finding the mid-sagittal plane")
    plane = scan.midsagittal_plane()
    brain = mask_like(scan.brain, dwi)
    mask, possible, score = lesion_on_scan(probability, grid, brain, options)
    unlike = scan.unlike_infarct(sitk.GetArrayFromImage(mask_like(mask, scan.image)) > 0)
    mask, possible = move_doubtful(mask, possible, mask_like(image_like(unlike, scan.image), dwi))
    return LesionResult(
        mask=mask,
        score=score,
        brain=brain,
        midsagittal=plane,
        method="dwi-unet",
        options=predictor.provenance(),
        images=scan.measured_images(dwi),
        warnings=(*notes, *scan.notes, *no_lesion_warning(mask), *possible_warning(possible)),
        possible=possible,
    )


def predict(predictor: LesionNetwork, network_inputs: np.ndarray, brain: np.ndarray, options: Options) -> np.ndarray:
    """Predict the probability of the lesion in two passes (see `lesion.second_pass`).

    Args:
        predictor: the network.
        network_inputs: Float32 (2, k, j, i) on the grid of the network, see `diffusion_inputs`.
        brain: bool (k, j, i) on that grid.
        options: of this method.

    Returns:
        Float32 (k, j, i).
    """
    return two_pass_prediction(
        lambda inputs: predict_probability(predictor, inputs, brain, options.mirror),
        network_inputs,
        brain,
        options.threshold,
    )

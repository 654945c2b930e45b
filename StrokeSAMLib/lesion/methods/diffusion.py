"""DWI with ADC, without weights: restricted diffusion, grown from seeds with clear signs by hysteresis.

Both signs must be present: a low ADC alone may be noise or fat, a bright DWI alone may be T2 shine-through. ADC and
signal depend on scanner, age and b-value, so the thresholds follow the normal tissue of the patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.anatomy.skull_base import skull_base
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import (
    image_like,
    mask_like,
    resample_like,
    voxel_volume_ml,
)
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, fill_holes, hysteresis, remove_small
from StrokeSAMLib.lesion.diffusion_scan import DiffusionScan
from StrokeSAMLib.lesion.result import LesionResult

_TUNED = "docs/methods.md, one public patient"
_PURUSHOTHAM = "Purushotham et al. 2015, J Cereb Blood Flow Metab 35:1249"
_SKULL_BASE_MM = 8.0


@dataclass(frozen=True)
class Options:
    """Options of the method `diffusion`. ADC in 10⁻⁶ mm²/s; DWI in robust standard deviations above the median."""

    b_value: float = option(1000.0, "diffusion weighting of the DWI", "s/mm²", 100, 5000)
    seed_adc: float = option(620.0, "a seed's ADC is at most this", "10⁻⁶ mm²/s", 100, 1500, _PURUSHOTHAM)
    seed_adc_part: float = option(0.7, "… or this part of the ADC of normal tissue", "", 0, 1, _TUNED)
    seed_dwi: float = option(4.0, "a seed's DWI is this far above the brain's median", "SD", 0, 20, _TUNED)
    grow_adc: float = option(750.0, "the lesion's ADC is at most this", "10⁻⁶ mm²/s", 100, 2000, _TUNED)
    grow_adc_part: float = option(0.9, "… or this part of the ADC of normal tissue", "", 0, 1.5, _TUNED)
    grow_dwi: float = option(2.5, "the lesion's DWI is this far above the brain's median", "SD", 0, 20, _TUNED)
    smoothing: float = option(0.8, "smoothing of the signals, standard deviation", "mm", 0, 5, _TUNED)
    min_signal: float = option(
        0.35, "least b=0 signal, as a part of the brain's median (below is signal dropout)", "", 0, 1, _TUNED
    )
    skull_base_part: float = option(
        0.4, "a component with more than this part beside the skull base must be very bright", "", 0, 1, _TUNED
    )
    skull_base_dwi: float = option(5.0, "least median DWI of such a component", "SD", 0, 20, _TUNED)
    min_volume: float = option(0.1, "smallest lesion", "ml", 0, 100, _TUNED)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in a diffusion scan.

    Args:
        inputs: "dwi", best with "adc" or "b0" or both. Their grids may differ; the result is on that of the DWI.
        options: of this method.
        monitor: progress and cancellation.

    Raises:
        InputError: an image is no diffusion MR, or the images do not belong together.
        Cancelled: the user cancelled the work.
    """
    dwi = inputs["dwi"]
    scan = DiffusionScan(inputs, options.b_value, options.smoothing, monitor.part(0.05, 0.6))
    monitor.step(0.6, "finding restricted diffusion")
    found = _lesion(scan, options)
    unlike = scan.unlike_infarct(found)
    lesion = found & ~unlike
    score = _score(scan, options)
    monitor.step(0.8, "finding the mid-sagittal plane")
    plane = scan.midsagittal_plane()
    return LesionResult(
        mask=mask_like(image_like(lesion, scan.image), dwi),
        score=resample_like(image_like(score, scan.image), dwi),
        brain=mask_like(scan.brain, dwi),
        midsagittal=plane,
        method="diffusion",
        options={},
        images=scan.measured_images(dwi),
        possible=mask_like(image_like(unlike, scan.image), dwi),
        warnings=tuple(scan.notes) if lesion.any() else (*scan.notes, "no lesion found: no restricted diffusion"),
    )


def _limits(scan: DiffusionScan, options: Options) -> tuple[float, float]:
    """The greatest ADC of a seed and of the lesion, 10⁻⁶ mm²/s."""
    seed = max(options.seed_adc, options.seed_adc_part * scan.normal_adc)
    return seed, max(seed, options.grow_adc, options.grow_adc_part * scan.normal_adc)


def _lesion(scan: DiffusionScan, options: Options) -> np.ndarray:
    seed_adc, grow_adc = _limits(scan, options)
    valid = scan.inside & (scan.b0 > options.min_signal * scan.normal_b0)
    seeds = valid & (scan.adc <= seed_adc) & (scan.dwi_z >= options.seed_dwi)
    grown = hysteresis(seeds, valid & (scan.adc <= grow_adc) & (scan.dwi_z >= options.grow_dwi))
    grown = remove_small(grown, options.min_volume / voxel_volume_ml(scan.image))
    return fill_holes(_without_artefacts(grown, scan, options))


def _without_artefacts(mask: np.ndarray, scan: DiffusionScan, options: Options) -> np.ndarray:
    """`mask` without the components beside the skull base that are no brighter than susceptibility artefacts."""
    labels, count = ndi.label(mask, structure=CONNECTIVITY_26)
    ids = np.arange(1, count + 1)
    beside = ndi.mean(skull_base(scan.inside, _SKULL_BASE_MM, scan.spacing), labels, ids)
    brightness = ndi.median(scan.dwi_z, labels, ids)
    keep = np.zeros(count + 1, bool)
    keep[1:] = (np.asarray(beside) <= options.skull_base_part) | (np.asarray(brightness) >= options.skull_base_dwi)
    return keep[labels]


def _score(scan: DiffusionScan, options: Options) -> np.ndarray:
    """A logistic function of the weaker of both signs: 0.5 at the outline of the lesion. It is not calibrated."""
    _, grow_adc = _limits(scan, options)
    margin = np.minimum((grow_adc - scan.adc) / 50.0, scan.dwi_z - options.grow_dwi)
    score = expit(margin)
    return np.where(scan.inside, score, 0).astype(np.float32)

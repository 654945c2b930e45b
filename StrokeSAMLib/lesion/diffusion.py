"""DWI with ADC, without weights: restricted diffusion, grown from sure seeds by hysteresis.

Both signs are asked for at once: a low ADC alone is also noise and fat, a bright DWI alone is also T2
shine-through. Thresholds are set against the patient's own normal tissue, since ADC and signal shift with scanner,
age and b-value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging import adc as diffusivity
from StrokeSAMLib.imaging.brain_dwi import brain_mask
from StrokeSAMLib.imaging.checks import check_volume
from StrokeSAMLib.imaging.geometry import (
    array_spacing,
    canonical,
    like,
    mask_like,
    overlap,
    resample_like,
    same_grid,
    voxel_volume_ml,
)
from StrokeSAMLib.imaging.mirror import find_plane
from StrokeSAMLib.imaging.morphology import FULL, fill_holes, gaussian, hysteresis, remove_small
from StrokeSAMLib.imaging.skull_base import skull_base
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.options import option

_TUNED = "docs/methods.md, one public patient"
_PURUSHOTHAM = "Purushotham et al. 2015, J Cereb Blood Flow Metab 35:1249"
# Tissue, neither CSF nor noise, whose median is the patient's normal, 10⁻⁶ mm²/s.
_PARENCHYMA_ADC = (300.0, 1800.0)
_LEAST_COVERED = 0.8
_LEAST_MEASURED = 0.5
_SKULL_BASE_MM = 8.0
_CT_AIR = -100.0


@dataclass(frozen=True)
class Options:
    """Options of the method `diffusion`. ADC in 10⁻⁶ mm²/s; DWI in robust standard deviations above the median."""

    b_value: float = option(1000.0, "diffusion weighting of the DWI", "s/mm²", 100, 5000)
    seed_adc: float = option(620.0, "a seed's ADC is at most this", "10⁻⁶ mm²/s", 100, 1500, _PURUSHOTHAM)
    seed_adc_part: float = option(0.7, "… or this part of the normal tissue's ADC", "", 0, 1, _TUNED)
    seed_dwi: float = option(4.0, "a seed's DWI is this far above the brain's median", "SD", 0, 20, _TUNED)
    grow_adc: float = option(750.0, "the lesion's ADC is at most this", "10⁻⁶ mm²/s", 100, 2000, _TUNED)
    grow_adc_part: float = option(0.9, "… or this part of the normal tissue's ADC", "", 0, 1.5, _TUNED)
    grow_dwi: float = option(2.5, "the lesion's DWI is this far above the brain's median", "SD", 0, 20, _TUNED)
    smoothing: float = option(0.8, "smoothing of the signals, standard deviation", "mm", 0, 5, _TUNED)
    min_signal: float = option(
        0.35, "least b=0 signal, as a part of the brain's median (signal dropout)", "", 0, 1, _TUNED
    )
    skull_base_part: float = option(
        0.4, "a component with more of itself than this beside the skull base must be very bright", "", 0, 1, _TUNED
    )
    skull_base_dwi: float = option(5.0, "how bright that is, its median DWI", "SD", 0, 20, _TUNED)
    min_volume: float = option(0.1, "smallest lesion", "ml", 0, 100, _TUNED)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in ``inputs["dwi"]`` with ``inputs["adc"]`` or ``inputs["b0"]``, on whatever grids.

    Raises:
        InputError: an image that is no diffusion MR, or images that do not belong together.
    """
    dwi = inputs["dwi"]
    check_volume(dwi, "dwi")
    monitor.step(0.05, "finding the brain")
    signal = _signal(dwi, "dwi")
    brain = brain_mask(signal)
    monitor.step(0.4, "computing ADC")
    scan = _Scan(signal, brain, inputs, options)
    monitor.step(0.6, "finding restricted diffusion")
    lesion = _lesion(scan, options)
    score = _score(scan, options)
    monitor.step(0.8, "finding the mid-sagittal plane")
    plane = find_plane(_structure(scan), brain)
    return LesionResult(
        mask=mask_like(like(lesion, signal), dwi),
        score=resample_like(like(score, signal), dwi),
        brain=mask_like(brain, dwi),
        midsagittal=plane,
        method="diffusion",
        options={},
        images={"dwi": dwi, "adc": resample_like(like(scan.adc, signal), dwi)},
        warnings=tuple(scan.notes) if lesion.any() else (*scan.notes, "no lesion found: no restricted diffusion"),
    )


def _signal(image: sitk.Image, name: str) -> sitk.Image:
    """A magnitude image on canonical axes, Float32, 0 or more."""
    array = sitk.GetArrayViewFromImage(image)
    if np.mean(array < _CT_AIR) > 0.01:
        raise InputError(f"{name}: has many values below {_CT_AIR:g}; this is a CT or no magnitude image")
    return canonical(sitk.Clamp(sitk.Cast(image, sitk.sitkFloat32), sitk.sitkFloat32, 0.0))


class _Scan:
    """The diffusion scan on the DWI's grid, and what is normal in this patient.

    Attributes:
        z: DWI as robust standard deviations above the parenchyma's median, Float32 (k, j, i).
        adc: 10⁻⁶ mm²/s, Float32 (k, j, i).
        b0: the signal without diffusion weighting, measured or computed.
        normal_adc: median ADC of the parenchyma.
    """

    def __init__(self, signal: sitk.Image, brain: sitk.Image, inputs: Mapping[str, sitk.Image], options: Options):
        self.image = signal
        self.spacing = array_spacing(signal)
        self.inside = sitk.GetArrayFromImage(brain) > 0
        self.notes: list[str] = []
        dwi = self._smoothed(sitk.GetArrayFromImage(signal), options)
        if "adc" in inputs:
            self.adc = self._given_adc(inputs["adc"])
            self.b0 = dwi * np.exp(np.clip(self.adc * options.b_value * 1e-6, 0, 5))
        else:
            b0 = self._companion(_checked_signal(inputs["b0"]), "b0")
            self.b0 = self._smoothed(b0, options)
            self.adc = diffusivity.from_signals(dwi, self.b0, options.b_value)
        self._set_normal(dwi)

    def _smoothed(self, array: np.ndarray, options: Options) -> np.ndarray:
        return gaussian(array, options.smoothing, self.spacing) if options.smoothing > 0 else array

    def _given_adc(self, image: sitk.Image) -> np.ndarray:
        # 0/0 outside the head makes NaN in many ADC maps: nothing was measured there.
        array = np.nan_to_num(sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32)), nan=0, posinf=0, neginf=0)
        clean = like(array, image)
        check_volume(clean, "adc")
        adc, unit = diffusivity.in_micro_units(self._companion(canonical(clean), "adc"), self.inside)
        if unit != "10⁻⁶ mm²/s":
            self.notes.append(f"adc: values are in {unit}")
        return adc

    def _companion(self, image: sitk.Image, name: str) -> np.ndarray:
        """`image` on the DWI's grid; refused where it does not show the same brain."""
        if not same_grid(image, self.image):
            covered = overlap(image, self.image, self.inside)
            if covered < _LEAST_COVERED:
                raise InputError(f"{name}: covers {covered:.0%} of the brain in dwi: not of the same patient or scan")
            self.notes.append(f"{name}: resampled onto the grid of dwi")
            image = resample_like(image, self.image)
        array = sitk.GetArrayFromImage(image)
        measured = np.mean(array[self.inside] > 0)
        if measured < _LEAST_MEASURED:
            raise InputError(
                f"{name}: has values in {measured:.0%} of the brain in dwi: not of the same patient or scan"
            )
        return array

    def _set_normal(self, dwi: np.ndarray) -> None:
        parenchyma = self.inside & (self.adc > _PARENCHYMA_ADC[0]) & (self.adc < _PARENCHYMA_ADC[1])
        if np.count_nonzero(parenchyma) < 0.1 * np.count_nonzero(self.inside):
            raise InputError("adc: hardly any voxel of the brain in dwi has a tissue's ADC; do the images match?")
        values = dwi[parenchyma]
        median = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - median))
        self.z = (dwi - median) / max(float(spread), 1e-6)
        self.normal_adc = float(np.median(self.adc[parenchyma]))
        self.normal_b0 = float(np.median(self.b0[parenchyma]))

    def limits(self, options: Options) -> tuple[float, float]:
        """The greatest ADC of a seed and of the lesion, 10⁻⁶ mm²/s."""
        seed = max(options.seed_adc, options.seed_adc_part * self.normal_adc)
        return seed, max(seed, options.grow_adc, options.grow_adc_part * self.normal_adc)


def _checked_signal(image: sitk.Image) -> sitk.Image:
    check_volume(image, "b0")
    return _signal(image, "b0")


def _lesion(scan: _Scan, options: Options) -> np.ndarray:
    seed_adc, grow_adc = scan.limits(options)
    valid = scan.inside & (scan.b0 > options.min_signal * scan.normal_b0)
    seeds = valid & (scan.adc <= seed_adc) & (scan.z >= options.seed_dwi)
    grown = hysteresis(seeds, valid & (scan.adc <= grow_adc) & (scan.z >= options.grow_dwi))
    grown = remove_small(grown, options.min_volume / voxel_volume_ml(scan.image))
    return fill_holes(_without_artefacts(grown, scan, options))


def _without_artefacts(mask: np.ndarray, scan: _Scan, options: Options) -> np.ndarray:
    """`mask` without the components beside the skull base that are no brighter than what susceptibility piles up."""
    labels, count = ndi.label(mask, structure=FULL)
    ids = np.arange(1, count + 1)
    beside = ndi.mean(skull_base(scan.inside, _SKULL_BASE_MM, scan.spacing), labels, ids)
    bright = ndi.median(scan.z, labels, ids)
    keep = np.zeros(count + 1, bool)
    keep[1:] = (np.asarray(beside) <= options.skull_base_part) | (np.asarray(bright) >= options.skull_base_dwi)
    return keep[labels]


def _score(scan: _Scan, options: Options) -> np.ndarray:
    """A logistic of the weaker of both signs: 0.5 at the lesion's outline. Not calibrated."""
    _, grow_adc = scan.limits(options)
    margin = np.minimum((grow_adc - scan.adc) / 50.0, scan.z - options.grow_dwi)
    score = 1 / (1 + np.exp(-np.clip(margin, -30, 30)))
    return np.where(scan.inside, score, 0).astype(np.float32)


def _structure(scan: _Scan) -> sitk.Image:
    """Brain and its fluid spaces, flat where it is bright, so that a lesion does not tilt the plane."""
    return like(np.where(scan.inside, np.clip(scan.z + 5, 0, 5), 0).astype(np.float32), scan.image)

"""A diffusion scan on one grid: DWI, ADC and b = 0, given or computed, and the brain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging import adc as diffusivity
from StrokeSAMLib.imaging.brain_dwi import brain_mask
from StrokeSAMLib.imaging.checks import check_scalar, check_volume
from StrokeSAMLib.imaging.geometry import array_spacing, canonical, like, overlap, resample_like, same_grid
from StrokeSAMLib.imaging.mirror import find_plane
from StrokeSAMLib.imaging.morphology import gaussian
from StrokeSAMLib.imaging.plane import Plane
from StrokeSAMLib.monitor import Monitor

_LEAST_COVERED = 0.8
_LEAST_MEASURED = 0.5
_MOST_MISSING = 0.02
_CT_AIR = -100.0


class DiffusionScan:
    """The scan on the DWI's grid, and what is normal in this patient.

    Attributes:
        image: the DWI on canonical axes, Float32, 0 or more.
        brain: UInt8 on that grid; `inside` is the same as bool (k, j, i).
        spacing: (k, j, i), mm.
        dwi: smoothed, Float32 (k, j, i).
        z: DWI as robust standard deviations above the parenchyma's median.
        adc: 10⁻⁶ mm²/s.
        b0: the signal without diffusion weighting, measured or computed.
        normal_adc, normal_b0: medians of the parenchyma.
        notes: what the user should know, one line each.
    """

    def __init__(
        self,
        inputs: Mapping[str, sitk.Image],
        b_value: float,
        smoothing_mm: float,
        monitor: Monitor,
    ):
        """Of ``inputs["dwi"]`` with "adc" or "b0" or both, on whatever grids; progress from 0 to 1.

        Args:
            b_value: s/mm².
            smoothing_mm: standard deviation, of the signals.

        Raises:
            InputError: an image that is no diffusion MR, or images that do not belong together.
        """
        check_volume(inputs["dwi"], "dwi")
        monitor.step(0.0, "finding the brain")
        self.image = _signal(inputs["dwi"], "dwi")
        self.brain = brain_mask(self.image)
        monitor.step(0.6, "computing ADC")
        self.spacing = array_spacing(self.image)
        self.inside = sitk.GetArrayFromImage(self.brain) > 0
        self.notes: list[str] = []
        self._smoothing = smoothing_mm
        self.dwi = self._smoothed(sitk.GetArrayFromImage(self.image))
        b0 = self._measured_b0(inputs["b0"]) if "b0" in inputs else None
        if "adc" in inputs:
            self.adc = self._given_adc(inputs["adc"])
            self.b0 = self.dwi * np.exp(np.clip(self.adc * b_value * 1e-6, 0, 5)) if b0 is None else b0
        else:
            self.adc, self.b0 = diffusivity.from_signals(self.dwi, b0, b_value), b0
        self._set_normal("adc" if "adc" in inputs else "b0")

    def plane(self) -> Plane:
        """The mid-sagittal plane."""
        # Flat where it is bright, so that a lesion does not tilt it.
        flat = np.where(self.inside, np.clip(self.z + 5, 0, 5), 0).astype(np.float32)
        return find_plane(like(flat, self.image), self.brain)

    def adc_like(self, reference: sitk.Image) -> sitk.Image:
        """The ADC on another grid, Float32."""
        return resample_like(like(self.adc, self.image), reference)

    def whole_adc(self) -> np.ndarray:
        """`adc`, normal where it was not measured (0 or less), which would look like the worst of infarcts.

        Adds a note where that is a part of the brain that matters.
        """
        missing = self.inside & (self.adc <= 0)
        part = np.count_nonzero(missing) / np.count_nonzero(self.inside)
        if part > _MOST_MISSING:
            self.notes.append(f"adc: no value in {part:.0%} of the brain, where a lesion is not found")
        return np.where(missing, np.float32(self.normal_adc), self.adc)

    def _smoothed(self, array: np.ndarray) -> np.ndarray:
        return gaussian(array, self._smoothing, self.spacing) if self._smoothing > 0 else array

    def _measured_b0(self, image: sitk.Image) -> np.ndarray:
        check_volume(image, "b0")
        return self._smoothed(self._companion(_signal(image, "b0"), "b0"))

    def _given_adc(self, image: sitk.Image) -> np.ndarray:
        check_scalar(image, "adc")
        # 0/0 outside the head makes NaN in many ADC maps: nothing was measured there.
        array = np.nan_to_num(sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32)), nan=0, posinf=0, neginf=0)
        clean = like(array, image)
        check_volume(clean, "adc")
        adc, unit = diffusivity.in_micro_units(self._companion(canonical(clean), "adc"), self.inside)
        if unit != "10⁻⁶ mm²/s":
            self.notes.append(f"adc: values are in {unit}")
        if diffusivity.rises_with(adc, self.dwi, self.inside):
            self.notes.append("adc: high where the dwi is bright, and should be low: is one of them the b = 0 image?")
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

    def _set_normal(self, companion: str) -> None:
        """`companion`: the input that the ADC comes of."""
        parenchyma = diffusivity.parenchyma(self.adc, self.inside)
        if np.count_nonzero(parenchyma) < 0.1 * np.count_nonzero(self.inside):
            raise InputError(
                f"{companion}: hardly any voxel of the brain in dwi has a tissue's ADC; do the images match?"
            )
        values = self.dwi[parenchyma]
        median = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - median))
        self.z = (self.dwi - median) / max(float(spread), 1e-6)
        self.normal_adc = float(np.median(self.adc[parenchyma]))
        self.normal_b0 = float(np.median(self.b0[parenchyma]))


def _signal(image: sitk.Image, name: str) -> sitk.Image:
    """A magnitude image on canonical axes, Float32, 0 or more."""
    array = sitk.GetArrayViewFromImage(image)
    if np.mean(array < _CT_AIR) > 0.01:
        raise InputError(f"{name}: has many values below {_CT_AIR:g}; this is a CT or no magnitude image")
    return canonical(sitk.Clamp(sitk.Cast(image, sitk.sitkFloat32), sitk.sitkFloat32, 0.0))

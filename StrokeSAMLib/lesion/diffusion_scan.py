"""A diffusion scan on the grid of its DWI: DWI, ADC and b = 0 signal, measured or computed, and the brain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.anatomy.adc import adc_from_signals, assumed_adc, parenchyma, rises_with_dwi, to_micro_units
from StrokeSAMLib.anatomy.brain_dwi import brain_mask
from StrokeSAMLib.anatomy.coil import coil_field
from StrokeSAMLib.anatomy.midsagittal import find_plane
from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.geometry import array_spacing, canonical, coverage, image_like, resample_like, same_grid
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, gaussian
from StrokeSAMLib.io.image_checks import check_volume

_LEAST_COVERED = 0.8
_LEAST_MEASURED = 0.5
_MOST_MISSING = 0.02
_CT_AIR = -100.0
# The 90th percentile of the DWI in a lesion, as a part of its median in tissue (docs/methods/measurements.md).
_INFARCT_BRIGHTNESS = (1.9, 3.3)


class DiffusionScan:
    """A diffusion scan, and the values of normal tissue in this patient.

    Arrays are (k, j, i) on the grid of `image`.

    Attributes:
        image: the DWI on canonical axes, Float32, 0 or more.
        brain: UInt8 mask on the grid of `image`.
        inside: the array of `brain`, bool.
        spacing: (k, j, i), mm.
        dwi: the smoothed DWI without the brightness of the coils (see `anatomy.coil`), Float32.
        dwi_z: the DWI in robust standard deviations above the median of the parenchyma.
        adc: 10⁻⁶ mm²/s; assumed from the DWI where neither ADC nor b = 0 signal is given.
        b0: the signal without diffusion weighting, measured or computed.
        normal_adc: median ADC of the parenchyma, 10⁻⁶ mm²/s.
        normal_b0: median b = 0 signal of the parenchyma.
        notes: lines for the user.
    """

    def __init__(
        self,
        inputs: Mapping[str, sitk.Image],
        b_value: float,
        smoothing_mm: float,
        monitor: Monitor,
    ):
        """Check the images, find the brain, and bring DWI, ADC and b = 0 signal onto one grid.

        Args:
            inputs: "dwi", best with "adc" or "b0" or both. Their grids may differ.
            b_value: diffusion weighting of the DWI, s/mm².
            smoothing_mm: standard deviation of the smoothing of the signals, mm.
            monitor: progress from 0 to 1.

        Raises:
            InputError: an image is no diffusion MR, or the images do not belong together.
            Cancelled: the user cancelled the work.
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
        self.is_adc_assumed = "adc" not in inputs and b0 is None
        if "adc" in inputs or b0 is None:
            self.adc = self._assumed_adc() if self.is_adc_assumed else self._measured_adc(inputs["adc"])
            self.b0 = self.dwi * np.exp(np.clip(self.adc * b_value * 1e-6, 0, 5)) if b0 is None else b0
        else:
            self.adc, self.b0 = adc_from_signals(self.dwi, b0, b_value), b0
        self._set_normal_values("adc" if "adc" in inputs else "b0" if "b0" in inputs else "dwi")

    def midsagittal_plane(self) -> Plane:
        """The mid-sagittal plane. A note is added where it is unsure."""
        # Bright voxels are capped, so that a lesion does not tilt the plane.
        capped = np.where(self.inside, np.clip(self.dwi_z + 5, 0, 5), 0).astype(np.float32)
        plane, notes = find_plane(image_like(capped, self.image), self.brain)
        self.notes += notes
        return plane

    def measured_images(self, dwi: sitk.Image) -> dict[str, sitk.Image]:
        """The images that a report measures, on the grid of `dwi`: the DWI, and the ADC (10⁻⁶ mm²/s) if it is known."""
        if self.is_adc_assumed:
            return {"dwi": dwi}
        return {"dwi": dwi, "adc": resample_like(image_like(self.adc, self.image), dwi)}

    def unlike_infarct(self, mask: np.ndarray) -> np.ndarray:
        """The components of a mask that are too dark or too bright for an infarct, if brightness is the only sign.

        Tracts are less bright, and the pile-up of signal beside air is brighter.

        Args:
            mask: bool (k, j, i) on the grid of `image`.

        Returns:
            Bool (k, j, i); empty where the ADC is known.
        """
        labels, count = ndi.label(mask, structure=CONNECTIVITY_26)
        if not (self.is_adc_assumed and count):
            return np.zeros_like(mask)
        level = float(np.median(self.dwi[parenchyma(self.adc, self.inside)]))
        components = (self.dwi[labels == number] for number in range(1, count + 1))
        bright = np.array([np.percentile(values, 90) for values in components]) / level
        low, high = _INFARCT_BRIGHTNESS
        return np.concatenate([[False], (bright < low) | (bright > high)])[labels]

    def filled_adc(self) -> np.ndarray:
        """The ADC with the normal value wherever it was not measured (0 or less), 10⁻⁶ mm²/s (k, j, i).

        An ADC of 0 would look like the most severe infarct. A note is added where more than 2% of the brain have no
        value.
        """
        missing = self.inside & (self.adc <= 0)
        part = np.count_nonzero(missing) / np.count_nonzero(self.inside)
        if part > _MOST_MISSING:
            self.notes.append(f"adc: no value in {part:.0%} of the brain; a lesion there is not found")
        return np.where(missing, np.float32(self.normal_adc), self.adc)

    def _smoothed(self, array: np.ndarray) -> np.ndarray:
        return gaussian(array, self._smoothing, self.spacing) if self._smoothing > 0 else array

    def _measured_b0(self, image: sitk.Image) -> np.ndarray:
        check_volume(image, "b0")
        return self._smoothed(self._on_dwi_grid(_signal(image, "b0"), "b0"))

    def _measured_adc(self, image: sitk.Image) -> np.ndarray:
        check_volume(image, "adc")
        on_grid = self._on_dwi_grid(canonical(sitk.Cast(image, sitk.sitkFloat32)), "adc")
        adc, unit = to_micro_units(on_grid, self.inside)
        if unit != "10⁻⁶ mm²/s":
            self.notes.append(f"adc: values are in {unit}")
        if rises_with_dwi(adc, self.dwi, self.inside):
            self.notes.append("adc: high where dwi is bright; it should be low there: is one of them the b = 0 image?")
        return adc

    def _assumed_adc(self) -> np.ndarray:
        self.notes.append(
            "no ADC and no b = 0 image: the DWI alone cannot tell an infarct from T2 shine-through; check the result"
        )
        adc = np.ones_like(self.dwi)
        for _ in range(2):  # the second time without what is bright
            level = float(np.median(adc[self.inside]))
            adc = assumed_adc(self.dwi / coil_field(self.dwi, adc, level, self.inside, self.spacing), self.inside)
        return adc

    def _on_dwi_grid(self, image: sitk.Image, name: str) -> np.ndarray:
        """The array of `image` on the grid of the DWI; refused where it does not show the same brain."""
        if not same_grid(image, self.image):
            covered = coverage(image, self.image, self.inside)
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

    def _set_normal_values(self, source: str) -> None:
        """Set the values of normal tissue, and even out the DWI; `source` is the input that the ADC comes from."""
        tissue = parenchyma(self.adc, self.inside)
        if np.count_nonzero(tissue) < 0.1 * np.count_nonzero(self.inside):
            raise InputError(
                f"{source}: hardly any voxel of the brain in dwi has the ADC of tissue; do the images match?"
            )
        self.normal_adc = float(np.median(self.adc[tissue]))
        self.dwi = self.dwi / coil_field(self.dwi, self.adc, self.normal_adc, self.inside, self.spacing)
        values = self.dwi[tissue]
        median = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - median))
        self.dwi_z = (self.dwi - median) / max(float(spread), 1e-6)
        self.normal_b0 = float(np.median(self.b0[tissue]))


def _signal(image: sitk.Image, name: str) -> sitk.Image:
    """A magnitude image on canonical axes, Float32, 0 or more."""
    array = sitk.GetArrayViewFromImage(image)
    if np.mean(array < _CT_AIR) > 0.01:
        raise InputError(f"{name}: has many values below {_CT_AIR:g}: this is a CT or no magnitude image")
    return canonical(sitk.Clamp(sitk.Cast(image, sitk.sitkFloat32), sitk.sitkFloat32, 0.0))

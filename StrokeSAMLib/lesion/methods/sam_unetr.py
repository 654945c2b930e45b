"""Prostate MR by SAM-UNETR: clinically significant cancer in T2W, ADC, high-b DWI and the zones, slice by slice.

The inputs are prepared as in the published training script. The published notebooks for evaluation normalise them in
another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from scipy.special import expit

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.memory import memory_text
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import canonical, coverage, image_like, mask_like, resample_like
from StrokeSAMLib.io.image_checks import check_volume
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import load_predictor
from StrokeSAMLib.lesion.result import LesionResult, no_lesion_warning
from StrokeSAMLib.lesion.sliding_window import sliding_window_predict
from StrokeSAMLib.nets.models.sam_unetr import SIZE, SamUnetr

_IMAGES = ("t2w", "adc", "dwi")
_ZONES = (1, 2)
# Mean and standard deviation of grey levels stretched to 0…255, from the training script.
_MEAN, _SD = 114.495, 57.63
_LEAST_COVERED = 0.8
# Memory measured on a CPU: of the network, and of each slice.
_MODEL_BYTES, _SLICE_BYTES = 2_560_000_000, 60_000_000
_PUBLISHED = "SAM-UNETR's script"


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of the method `sam-unetr`."""

    threshold: float = option(0.5, "least probability of the lesion", "", 0.01, 0.99, _PUBLISHED)
    batch: int = option(16, "slices predicted at once", "", 1, 256, _PUBLISHED)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the cancer in MR of the prostate.

    Args:
        inputs: "t2w", "adc", "dwi" and "zones" (1 central, 2 peripheral). The result is on the grid of "t2w".
        options: of this method.
        monitor: progress and cancellation.

    Raises:
        InputError: the images do not belong together, or the labels are no zones; there are no weights, or they cannot
            be used.
        Cancelled: the user cancelled the work.
    """
    t2w = inputs["t2w"]
    scan = ProstateScan.from_inputs(inputs)
    monitor.step(0.01, "loading the network")
    notes: list[str] = []
    predictor = load_predictor("sam-unetr", SamUnetr, options, notes.append)
    network_inputs = scan.network_inputs()
    count = network_inputs.shape[1]
    need = _MODEL_BYTES + min(options.batch, count) * _SLICE_BYTES + 4 * network_inputs.nbytes
    monitor.step(0.1, f"{count} slices; {memory_text(need)} of memory needed on {predictor.device}", is_note=True)
    logits = sliding_window_predict(
        network_inputs,
        np.ones(network_inputs.shape[1:], bool),
        lambda slices: predictor(slices[:, :, 0])[:, None],
        (1, SIZE, SIZE),
        0.0,
        options.batch,
        monitor.part(0.1, 0.98),
    )
    score = resample_like(scan.to_probability(logits), t2w)
    mask = sitk.Cast(score >= options.threshold, sitk.sitkUInt8)
    return LesionResult(
        mask=mask,
        score=score,
        brain=mask_like(scan.organ, t2w),
        midsagittal=scan.midsagittal_plane(),
        method="sam-unetr",
        options=predictor.provenance(),
        images={key: resample_like(inputs[key], t2w) for key in _IMAGES},
        warnings=(*notes, *no_lesion_warning(mask)),
    )


@dataclass(frozen=True)
class ProstateScan:
    """The images of one patient on the grid of the T2W image with canonical axes.

    Attributes:
        grid: the T2W image, Float32.
        images: T2W, ADC and DWI, float32 (3, k, j, i).
        zones: 0 background, 1 central, 2 peripheral, uint8 (k, j, i).
    """

    grid: sitk.Image
    images: np.ndarray
    zones: np.ndarray

    @classmethod
    def from_inputs(cls, inputs: Mapping[str, sitk.Image]) -> ProstateScan:
        """Check the images, and resample them to one grid.

        Args:
            inputs: "t2w", "adc", "dwi" and "zones".

        Raises:
            InputError: an image is no volume, the labels are no zones, or the images do not cover the prostate.
        """
        for key in (*_IMAGES, "zones"):
            check_volume(inputs[key], key)
        grid = canonical(sitk.Cast(inputs["t2w"], sitk.sitkFloat32))
        zones = sitk.GetArrayFromImage(resample_like(inputs["zones"], grid, sitk.sitkNearestNeighbor))
        labels = np.unique(sitk.GetArrayViewFromImage(inputs["zones"]))
        if not set(labels.tolist()) <= {0, *_ZONES}:
            raise InputError("zones: labels must be 0, 1 (central) and 2 (peripheral)")
        if not zones.any():
            raise InputError("zones: no prostate within the T2W image")
        for key in _IMAGES[1:]:
            if coverage(inputs[key], grid, zones > 0) < _LEAST_COVERED:
                raise InputError(f"{key}: does not cover the prostate of the zones")
        images = [resample_like(sitk.Cast(inputs[key], sitk.sitkFloat32), grid) for key in _IMAGES]
        return cls(grid, np.stack([sitk.GetArrayFromImage(image) for image in images]), zones.astype(np.uint8))

    @property
    def organ(self) -> sitk.Image:
        """The mask of the prostate, UInt8."""
        return image_like(self.zones > 0, self.grid)

    def network_inputs(self) -> np.ndarray:
        """The inputs of the network: grey levels normalised over the volume, and each zone as 0 or 1.

        Returns:
            Float32 (5, k, 128, 128): T2W, ADC, DWI, central zone, peripheral zone.
        """
        grey = _resized(self.images, (SIZE, SIZE))
        low, high = (bound(grey, axis=(1, 2, 3), keepdims=True) for bound in (np.min, np.max))
        stretched = 255 * (grey - low) / np.maximum(high - low, 1e-8)
        zones = F.interpolate(torch.from_numpy(self.zones)[None].float(), (SIZE, SIZE), mode="nearest")[0].numpy()
        return np.stack([*((stretched - _MEAN) / _SD), *(zones == zone for zone in _ZONES)]).astype(np.float32)

    def to_probability(self, logits: np.ndarray) -> sitk.Image:
        """The probability on `grid`, Float32.

        Args:
            logits: float32 (k, 128, 128).
        """
        resized = _resized(logits[None], self.zones.shape[1:])[0]
        return image_like(expit(resized).astype(np.float32), self.grid)

    def midsagittal_plane(self) -> Plane:
        """The sagittal plane through the middle of the prostate."""
        index = np.argwhere(self.zones > 0).mean(axis=0)[::-1]
        return Plane.through(self.grid.TransformContinuousIndexToPhysicalPoint(index.tolist()), (1.0, 0.0, 0.0))


def _resized(stack: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize the slices of (channel, k, row, column) linearly, without smoothing before, as in training."""
    return F.interpolate(torch.from_numpy(stack), size, mode="bilinear", align_corners=False).numpy()

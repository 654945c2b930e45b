"""Prostate MR by SAM-UNETR: clinically significant cancer in T2W, ADC, high-b DWI and the zones, slice by slice.

Preparation is that of the published training script; its notebooks for evaluation normalise otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from scipy.special import expit

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.checks import check_volume
from StrokeSAMLib.imaging.geometry import canonical, like, mask_like, overlap, resample_like
from StrokeSAMLib.imaging.plane import Plane
from StrokeSAMLib.interactive.memory import in_words
from StrokeSAMLib.lesion.network import NetworkOptions, ask, made_by
from StrokeSAMLib.lesion.result import LesionResult, no_lesion
from StrokeSAMLib.lesion.windows import slide
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets.sam_unetr import SIZE, SamUnetr
from StrokeSAMLib.options import option

_IMAGES = ("t2w", "adc", "dwi")
_ZONES = (1, 2)
# Of grey levels stretched to 0…255, in the training script.
_MEAN, _SD = 114.495, 57.63
_LEAST_COVERED = 0.8
# Measured on a CPU: the network, and what it takes for each slice.
_MODEL_BYTES, _SLICE_BYTES = 2_560_000_000, 60_000_000
_PUBLISHED = "SAM-UNETR's script"


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of the method `sam-unetr`."""

    threshold: float = option(0.5, "least probability of the lesion", "", 0.01, 0.99, _PUBLISHED)
    batch: int = option(16, "slices at once", "", 1, 256, _PUBLISHED)


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in ``inputs["t2w"]``, on its grid, with "adc", "dwi" and "zones" (1 central, 2 peripheral).

    Raises:
        InputError: images that do not belong together, labels that are no zones; no weights, or unusable ones.
    """
    t2w = inputs["t2w"]
    scan = Prostate.of(inputs)
    monitor.step(0.01, "loading the network")
    notes: list[str] = []
    network = ask("sam-unetr", SamUnetr, options, notes.append)
    channels = scan.channels()
    need = _MODEL_BYTES + min(options.batch, channels.shape[1]) * _SLICE_BYTES + 4 * channels.nbytes
    monitor.step(0.1, f"{channels.shape[1]} slices; {in_words(need)} of memory needed on {network.device}", kept=True)
    logits = slide(
        channels,
        np.ones(channels.shape[1:], bool),
        lambda slices: network(slices[:, :, 0])[:, None],
        (1, SIZE, SIZE),
        0.0,
        options.batch,
        monitor.part(0.1, 0.98),
    )
    score = resample_like(scan.probability(logits), t2w)
    mask = sitk.Cast(score >= options.threshold, sitk.sitkUInt8)
    return LesionResult(
        mask=mask,
        score=score,
        brain=mask_like(scan.organ, t2w),
        midsagittal=scan.middle(),
        method="sam-unetr",
        options=made_by(network),
        images={key: resample_like(inputs[key], t2w) for key in _IMAGES},
        warnings=(*notes, *no_lesion(mask)),
    )


@dataclass(frozen=True)
class Prostate:
    """What the network is given, on the grid of the T2W image with canonical axes.

    Attributes:
        grid: the T2W image, Float32.
        images: (3, k, j, i), T2W, ADC and DWI, float32.
        zones: uint8 (k, j, i).
    """

    grid: sitk.Image
    images: np.ndarray
    zones: np.ndarray

    @classmethod
    def of(cls, inputs: Mapping[str, sitk.Image]) -> Prostate:
        """Check the images, and bring them together."""
        for key in (*_IMAGES, "zones"):
            check_volume(inputs[key], key)
        grid = canonical(sitk.Cast(inputs["t2w"], sitk.sitkFloat32))
        zones = sitk.GetArrayFromImage(resample_like(inputs["zones"], grid, sitk.sitkNearestNeighbor))
        labels = np.unique(sitk.GetArrayViewFromImage(inputs["zones"]))
        if not set(labels.tolist()) <= {0, *_ZONES}:
            raise InputError("zones: labels must be 0, 1 (central) and 2 (peripheral)")
        if not zones.any():
            raise InputError("zones: no prostate where the T2W image is")
        for key in _IMAGES[1:]:
            if overlap(inputs[key], grid, zones > 0) < _LEAST_COVERED:
                raise InputError(f"{key}: does not cover the prostate of the zones")
        images = [resample_like(sitk.Cast(inputs[key], sitk.sitkFloat32), grid) for key in _IMAGES]
        return cls(grid, np.stack([sitk.GetArrayFromImage(image) for image in images]), zones.astype(np.uint8))

    @property
    def organ(self) -> sitk.Image:
        """The prostate, UInt8."""
        return like(self.zones > 0, self.grid)

    def channels(self) -> np.ndarray:
        """(5, k, 128, 128), float32: grey levels normalised over the volume, and each zone as 0 or 1."""
        grey = _resized(self.images, (SIZE, SIZE))
        low, high = (bound(grey, axis=(1, 2, 3), keepdims=True) for bound in (np.min, np.max))
        stretched = 255 * (grey - low) / np.maximum(high - low, 1e-8)
        small = F.interpolate(torch.from_numpy(self.zones)[None].float(), (SIZE, SIZE), mode="nearest")[0].numpy()
        return np.stack([*((stretched - _MEAN) / _SD), *(small == zone for zone in _ZONES)]).astype(np.float32)

    def probability(self, logits: np.ndarray) -> sitk.Image:
        """Logits (k, 128, 128) as probability on the grid, Float32."""
        back = _resized(logits[None], self.zones.shape[1:])[0]
        return like(expit(back).astype(np.float32), self.grid)

    def middle(self) -> Plane:
        """The sagittal plane through the middle of the prostate."""
        index = np.argwhere(self.zones > 0).mean(axis=0)[::-1]
        return Plane.through(self.grid.TransformContinuousIndexToPhysicalPoint(index.tolist()), (1.0, 0.0, 0.0))


def _resized(stack: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(channel, k, row, column) with slices of another size, linearly, as in training without smoothing before."""
    return F.interpolate(torch.from_numpy(stack), size, mode="bilinear", align_corners=False).numpy()

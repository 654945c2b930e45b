"""NCCT by AISCT-SAM: SAM-Med2D's encoder, fine-tuned for early infarcts, on the scan and its registered mirror image.

The inputs are the brain without its skull, normalised and resampled as in nnU-Net (`imaging.nnunet_resampling`). The
network predicts windows of 20 × 256 × 256 voxels of 3 × 0.4375 × 0.4375 mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk
import torch
from scipy.special import expit

from StrokeSAMLib.anatomy.mirror import Mirror
from StrokeSAMLib.core.memory import memory_text
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import (
    array_spacing,
    canonical,
    image_like,
    mask_like,
    resample_like,
    shrink,
)
from StrokeSAMLib.imaging.morphology import bounding_box
from StrokeSAMLib.imaging.nnunet_resampling import Fingerprint, resize, shape_at_spacing
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import Predictor, load_predictor
from StrokeSAMLib.lesion.result import LesionResult, no_lesion_warning
from StrokeSAMLib.lesion.sliding_window import augment_by_mirroring, count_windows, sliding_window_predict
from StrokeSAMLib.nets.models.aisct_sam import AisctSam
from StrokeSAMLib.nets.models.icassp_sam import IcasspSam
from StrokeSAMLib.weights.fingerprint import read_fingerprints
from StrokeSAMLib.weights.lookup import find_checkpoint

WINDOW = (20, 256, 256)
SPACING_MM = (3.0, 0.4375, 0.4375)
# Measured in one real lesion. It is used only where a checkpoint comes without the fingerprint of its training set.
SUBSTITUTE_FINGERPRINT = Fingerprint(low=14.0, high=41.0, mean=26.37, sd=5.15)
# Measured memory: of the network in float32, and of each window on a CPU and with the layers as written.
_MODEL_BYTES, _CPU_WINDOW_BYTES, _WINDOW_BYTES = 1_100_000_000, 1_000_000_000, 1_800_000_000
_PUBLISHED = "nnU-Net's inference"


# The two networks of the published repository. They take the same inputs.
_NETWORKS = ("aisct-sam", "icassp")


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of the method `aisct-sam`."""

    network: str = option("aisct-sam", "the checkpoint's network; icassp: the ICASSP sibling", choices=_NETWORKS)
    threshold: float = option(0.5, "least probability of the lesion", "", 0.01, 0.99, _PUBLISHED)
    overlap: float = option(0.5, "overlap of neighbouring windows", "", 0, 0.9, _PUBLISHED)
    tta: bool = option(
        False,
        "test-time augmentation: average the predictions of eight mirrored windows; eight times the time",
        source=_PUBLISHED,
    )
    batch: int = option(1, "windows predicted at once", "", 1, 64)
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
    monitor.step(0.01, "loading the network")
    predictor = load_predictor("aisct-sam", _architecture(options), options, notes.append)
    fingerprints, fingerprint_notes = _fingerprints(options)
    scan = CtScan(inputs, options.deformable, monitor.part(0.05, 0.15))
    network_inputs = NetworkInputs.from_scan(scan, fingerprints)
    monitor.step(0.16, _estimate(network_inputs, options, predictor.device), is_note=True)
    logits = sliding_window_predict(
        network_inputs.channels,
        network_inputs.inside,
        augment_by_mirroring(predictor) if options.tta else predictor,
        WINDOW,
        options.overlap,
        options.batch,
        monitor.part(0.16, 0.97),
    )
    monitor.step(0.97, "resampling to the grid of the scan")
    score = resample_like(network_inputs.to_probability(logits), ncct)
    mask = sitk.Cast(score >= options.threshold, sitk.sitkUInt8)
    return LesionResult(
        mask=mask,
        score=score,
        brain=mask_like(scan.grid.brain, ncct),
        midsagittal=scan.mirror.plane,
        method="aisct-sam",
        options=_provenance(predictor, fingerprints, scan.mirror),
        images={"ncct": scan.hounsfield},
        warnings=(*notes, *fingerprint_notes, *scan.notes, *scan.mirror.warnings(), *no_lesion_warning(mask)),
    )


@dataclass(frozen=True)
class NetworkInputs:
    """The scan and its mirror image as inputs of the network.

    Attributes:
        channels: float32 (2, z, y, x), normalised, with voxels of `SPACING_MM`.
        inside: the brain mask on the grid of `channels`, bool (z, y, x).
        box: the part of the array (k, j, i) of `brain` that `channels` covers.
        brain: the brain mask on canonical axes, UInt8.
    """

    channels: np.ndarray
    inside: np.ndarray
    box: tuple[slice, ...]
    brain: sitk.Image

    @classmethod
    def from_scan(cls, scan: CtScan, fingerprints: tuple[Fingerprint, Fingerprint]) -> NetworkInputs:
        """Remove the skull, crop to the brain, normalise, and resample.

        Args:
            scan: the CT with its brain mask and its mirror image.
            fingerprints: the normalisation of the scan and of the mirror image.
        """
        # Thin slices are averaged: the nearest slice alone would be noisier than the slices of the training set.
        thick = shrink(canonical(sitk.Cast(scan.hounsfield, sitk.sitkFloat32)), (0.0, 0.0, SPACING_MM[0]))
        mask = mask_like(scan.grid.brain, thick)
        stripped = image_like(np.where(_array(mask) > 0, _array(thick), 0).astype(np.float32), thick)
        both = [sitk.GetArrayFromImage(stripped), sitk.GetArrayFromImage(scan.mirror.mirror_image(stripped, 0.0))]
        box = bounding_box((both[0] != 0) | (both[1] != 0) | (_array(mask) > 0))
        inside = _array(mask)[box] > 0
        shape = shape_at_spacing(inside.shape, array_spacing(thick), SPACING_MM)
        channels = [
            resize(fingerprint.normalise(hu[box]), shape, order=3)
            for fingerprint, hu in zip(fingerprints, both, strict=True)
        ]
        return cls(np.stack(channels), resize(inside.astype(np.float32), shape, order=1) > 0, box, mask)

    def to_probability(self, logits: np.ndarray) -> sitk.Image:
        """The probability on the grid of `brain`, Float32, 0 outside the brain.

        Args:
            logits: float32 (z, y, x) on the grid of `channels`.
        """
        probability = np.zeros(self.brain.GetSize()[::-1], np.float32)
        probability[self.box] = expit(resize(logits, probability[self.box].shape, order=1))
        return image_like(np.where(_array(self.brain) > 0, probability, 0).astype(np.float32), self.brain)


def _array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayViewFromImage(image)


def _architecture(options: Options) -> type[torch.nn.Module]:
    return {"aisct-sam": AisctSam, "icassp": IcasspSam}[options.network]


def _fingerprints(options: Options) -> tuple[tuple[Fingerprint, Fingerprint], list[str]]:
    """The fingerprints of both channels, and a warning where the checkpoint has none."""
    substitutes = SUBSTITUTE_FINGERPRINT, SUBSTITUTE_FINGERPRINT
    if options.random_weights:
        return substitutes, []
    fingerprints = read_fingerprints(find_checkpoint("method", "aisct-sam", options.weights))
    if fingerprints is None:
        reason = "the checkpoint does not say how its scans were normalised"
    elif len(fingerprints) != 2:
        reason = f"the checkpoint says how to normalise {len(fingerprints)}, not 2 channels"
    else:
        return (fingerprints[0], fingerprints[1]), []
    return substitutes, [f"{reason}: a substitute is used (docs/methods.md)"]


def _estimate(network_inputs: NetworkInputs, options: Options, device: str) -> str:
    """The number of windows and the memory needed, as a line for the user."""
    channels, inside = network_inputs.channels, network_inputs.inside
    count = count_windows(inside, WINDOW, options.overlap)
    window = _CPU_WINDOW_BYTES if device == "cpu" else _WINDOW_BYTES
    need = _MODEL_BYTES + options.batch * window + 4 * (channels.nbytes + inside.nbytes)
    windows = f"{count} window{'s' * (count > 1)}{' eight times' if options.tta else ''}"
    return f"{windows}; {memory_text(need)} of memory needed on {device}"


def _provenance(
    predictor: Predictor, fingerprints: tuple[Fingerprint, Fingerprint], mirror: Mirror
) -> dict[str, object]:
    """The facts behind the result that its options do not hold."""
    return {
        **predictor.provenance(),
        "fingerprints": [asdict(fingerprint) for fingerprint in fingerprints],
        "mirror_correlation": mirror.correlation,
    }

"""NCCT by AISCT-SAM: SAM-Med2D's encoder, tuned to early infarcts, on the scan and its registered mirror image.

The network sees the brain without its skull, normalised as nnU-Net does (`imaging.nnunet`), through windows of
20 × 256 × 256 voxels of 3 × 0.4375 × 0.4375 mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.imaging.geometry import (
    array_spacing,
    canonical,
    like,
    mask_like,
    resample_like,
    shrink,
)
from StrokeSAMLib.imaging.mirror import Mirror
from StrokeSAMLib.imaging.morphology import bounding_box
from StrokeSAMLib.imaging.nnunet import Fingerprint, resize, shape_at
from StrokeSAMLib.interactive.memory import in_words
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.network import Asked, NetworkOptions, ask, made_by
from StrokeSAMLib.lesion.result import LesionResult, no_lesion
from StrokeSAMLib.lesion.windows import count_windows, mirrored_mean, slide
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets.aisct_sam import AisctSam
from StrokeSAMLib.options import option
from StrokeSAMLib.weights.fingerprint import read_fingerprints
from StrokeSAMLib.weights.lookup import checkpoint_of

WINDOW = (20, 256, 256)
SPACING_MM = (3.0, 0.4375, 0.4375)
# Of one real lesion, in place of the training set's: the checkpoint's own are taken wherever they are found.
SUBSTITUTE = Fingerprint(low=14.0, high=41.0, mean=26.37, sd=5.15)
# Measured: the network in float32, and what it takes for each window, on a CPU and as its layers are written.
_MODEL_BYTES, _CPU_WINDOW_BYTES, _WINDOW_BYTES = 1_100_000_000, 1_000_000_000, 1_800_000_000
_PUBLISHED = "nnU-Net's inference"


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of the method `aisct-sam`."""

    threshold: float = option(0.5, "least probability of the lesion", "", 0.01, 0.99, _PUBLISHED)
    overlap: float = option(0.5, "overlap of neighbouring windows", "", 0, 0.9, _PUBLISHED)
    tta: bool = option(False, "the mean of eight mirrored passes; eight times the time", source=_PUBLISHED)
    batch: int = option(1, "windows at once", "", 1, 64)
    deformable: bool = option(True, "refine the mirror image by a B-spline registration")


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in ``inputs["ncct"]`` (HU, any orientation, with or without skull).

    Raises:
        InputError: not a CT of a head in HU; no weights, or such as cannot be used.
    """
    ncct = inputs["ncct"]
    notes: list[str] = []
    monitor.step(0.01, "loading the network")
    network = ask("aisct-sam", AisctSam, options, notes.append)
    fingerprints, doubts = _fingerprints(options)
    scan = CtScan(inputs, options.deformable, monitor.part(0.05, 0.15))
    pair = Pair.of(scan, fingerprints)
    monitor.step(0.16, _estimate(pair, options, network.device), kept=True)
    asked = mirrored_mean(network) if options.tta else network
    logits = slide(pair.channels, pair.inside, asked, WINDOW, options.overlap, options.batch, monitor.part(0.16, 0.97))
    monitor.step(0.97, "writing on the scan's grid")
    score = resample_like(pair.probability(logits), ncct)
    mask = sitk.Cast(score >= options.threshold, sitk.sitkUInt8)
    return LesionResult(
        mask=mask,
        score=score,
        brain=mask_like(scan.head.brain, ncct),
        midsagittal=scan.mirror.plane,
        method="aisct-sam",
        options=_record(network, fingerprints, scan.mirror),
        images={"ncct": scan.hounsfield},
        warnings=(*notes, *doubts, *scan.notes, *scan.mirror.doubts(), *no_lesion(mask)),
    )


@dataclass(frozen=True)
class Pair:
    """The scan and its mirror image as the network sees them.

    Attributes:
        channels: (2, z, y, x), normalised, of `SPACING_MM`.
        inside: bool (z, y, x), where the brain is.
        box: where they lie in the array (k, j, i) of `brain`.
        brain: the mask, on canonical axes.
    """

    channels: np.ndarray
    inside: np.ndarray
    box: tuple[slice, ...]
    brain: sitk.Image

    @classmethod
    def of(cls, scan: CtScan, fingerprints: tuple[Fingerprint, Fingerprint]) -> Pair:
        """No skull, cropped, normalised, then resampled."""
        # Of thinner slices the nearest alone would be noisier than any that the network was trained on.
        thick = shrink(canonical(sitk.Cast(scan.hounsfield, sitk.sitkFloat32)), (0.0, 0.0, SPACING_MM[0]))
        mask = mask_like(scan.head.brain, thick)
        stripped = like(np.where(_array(mask) > 0, _array(thick), 0).astype(np.float32), thick)
        both = [sitk.GetArrayFromImage(stripped), sitk.GetArrayFromImage(scan.mirror.image_of(stripped, 0.0))]
        box = bounding_box((both[0] != 0) | (both[1] != 0) | (_array(mask) > 0))
        inside = _array(mask)[box] > 0
        shape = shape_at(inside.shape, array_spacing(thick), SPACING_MM)
        channels = [resize(one.normalised(hu[box]), shape, order=3) for one, hu in zip(fingerprints, both, strict=True)]
        return cls(np.stack(channels), resize(inside.astype(np.float32), shape, order=1) > 0, box, mask)

    def probability(self, logits: np.ndarray) -> sitk.Image:
        """Logits (z, y, x) of the channels' grid as probability on that of `brain`, Float32; 0 outside the brain."""
        whole = np.zeros(self.brain.GetSize()[::-1], np.float32)
        back = resize(logits, whole[self.box].shape, order=1)
        whole[self.box] = expit(back)
        return like(np.where(_array(self.brain) > 0, whole, 0).astype(np.float32), self.brain)


def _array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayViewFromImage(image)


def _fingerprints(options: Options) -> tuple[tuple[Fingerprint, Fingerprint], list[str]]:
    """Of both channels, and a warning where they are not the checkpoint's own."""
    if options.random_weights:
        return (SUBSTITUTE, SUBSTITUTE), []
    found = read_fingerprints(checkpoint_of("method", "aisct-sam", options.weights))
    if found is not None and len(found) == 2:
        return (found[0], found[1]), []
    what = "the checkpoint does not say how its scans were normalised"
    if found is not None:
        what = f"the checkpoint says how to normalise {len(found)}, not 2 channels"
    return (SUBSTITUTE, SUBSTITUTE), [f"{what}: a substitute is used (docs/methods.md)"]


def _estimate(pair: Pair, options: Options, device: str) -> str:
    count = count_windows(pair.inside, WINDOW, options.overlap)
    window = _CPU_WINDOW_BYTES if device == "cpu" else _WINDOW_BYTES
    need = _MODEL_BYTES + options.batch * window + 4 * (pair.channels.nbytes + pair.inside.nbytes)
    windows = f"{count} window{'s' * (count > 1)}{' eight times' if options.tta else ''}"
    return f"{windows}; {in_words(need)} of memory needed on {device}"


def _record(network: Asked, fingerprints: tuple[Fingerprint, Fingerprint], mirror: Mirror) -> dict[str, object]:
    """What made the result, beyond the options."""
    return {
        **made_by(network),
        "fingerprints": [asdict(one) for one in fingerprints],
        "mirror_correlation": mirror.correlation,
    }

"""NCCT without weights: the hypodense lesion, from the difference of the brain and its registered mirror image.

An infarct is a few HU darker than the corresponding tissue of the other hemisphere. The rule is in
`lesion/hemispheres.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.anatomy.mirror import Mirror
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import image_like, mask_like, resample_like
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.hemispheres import Comparison, RuleOptions, compare_hemispheres
from StrokeSAMLib.lesion.result import LesionResult

_WEAK = 2.0


@dataclass(frozen=True)
class Options(RuleOptions):
    """Options of the method `asymmetry`."""

    deformable: bool = option(True, "refine the mirror image by a B-spline registration")


def run(inputs: Mapping[str, sitk.Image], options: Options, monitor: Monitor) -> LesionResult:
    """Segment the lesion in a head CT.

    Args:
        inputs: "ncct": a CT in HU, any orientation, with or without skull.
        options: of this method.
        monitor: progress and cancellation.

    Raises:
        InputError: the image is no CT of a head in HU.
        Cancelled: the user cancelled the work.
    """
    ncct = inputs["ncct"]
    scan = CtScan(inputs, options.deformable, monitor.part(0.05, 0.75))
    head, mirror = scan.grid, scan.mirror
    monitor.step(0.75, "comparing the hemispheres")
    found = compare_hemispheres(head, mirror, options)
    monitor.step(0.9, "resampling to the grid of the scan")
    score = np.where(found.comparable, _score(found), 0).astype(np.float32)
    return LesionResult(
        mask=mask_like(image_like(found.lesion, head.image), ncct),
        score=resample_like(image_like(score, head.image), ncct),
        brain=mask_like(head.brain, ncct),
        midsagittal=mirror.plane,
        method="asymmetry",
        options={},
        images={"ncct": scan.hounsfield},
        warnings=(*scan.notes, *_warnings(mirror, found)),
    )


def _score(found: Comparison) -> np.ndarray:
    """A logistic function of the difference: 0.5 at the outline of the lesion, near 0 where the hemispheres agree.

    It is not calibrated.
    """
    return expit((found.threshold - found.difference) * 2)


def _warnings(mirror: Mirror, found: Comparison) -> list[str]:
    difference, comparable, lesion = found.difference, found.comparable, found.lesion
    warnings = mirror.warnings()
    if not lesion.any():
        return [*warnings, "no lesion found: no hypodensity of sufficient size and depth"]
    elsewhere = difference[comparable & ~lesion]
    noise = 1.4826 * np.median(np.abs(elsewhere)) if elsewhere.size else 0.0
    contrast = -float(difference[lesion & comparable].mean())
    if contrast < _WEAK * noise:
        warnings.append(f"weak contrast: {contrast:.1f} HU; elsewhere the hemispheres differ by {noise:.1f} HU")
    return warnings

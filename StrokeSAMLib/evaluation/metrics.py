"""The metrics of one case. Distances are from DeepMind's surface-distance (surfel-weighted, in mm)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from StrokeSAMLib.core.errors import missing_extra
from StrokeSAMLib.evaluation.lesions import detect_lesions
from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.overlap import dice


@dataclass(frozen=True)
class CaseMetrics:
    """The metrics of a prediction and its reference.

    If both masks are empty, the prediction is perfect: DSC, NSD and F1 are 1, HD95 is 0. If only one is empty, DSC,
    NSD and F1 are 0, and HD95 has no value (NaN; an empty cell in a table). There is no distance to a missing
    surface, and any substitute would determine the cohort's mean.

    Attributes:
        case: name of the case.
        dsc: Dice similarity coefficient, 0…1.
        nsd: normalised surface Dice at the tolerance, 0…1.
        hd95: 95th percentile of the surface distances, the greater of both directions, mm.
        reference_ml, prediction_ml: volumes.
        volume_difference_ml: absolute difference of the volumes.
        lesion_f1, reference_lesions, predicted_lesions, found_lesions, true_lesions: see `LesionDetection`.
    """

    case: str
    dsc: float
    nsd: float
    hd95: float
    reference_ml: float
    prediction_ml: float
    volume_difference_ml: float
    lesion_f1: float
    reference_lesions: int
    predicted_lesions: int
    found_lesions: int
    true_lesions: int


def case_metrics(
    reference: np.ndarray, prediction: np.ndarray, spacing: Spacing, tolerance_mm: float = 2.0, case: str = ""
) -> CaseMetrics:
    """Compute all metrics of two bool masks.

    Args:
        reference, prediction: (k, j, i), of one shape.
        spacing: voxel spacing in the same order (k, j, i), mm. SimpleITK's order is (x, y, z): reverse it.
        tolerance_mm: tolerance of the NSD.
        case: name of the case.
    """
    nsd, hd95 = _surface_metrics(reference, prediction, spacing, tolerance_mm)
    ml = math.prod(spacing) / 1000
    volumes = np.count_nonzero(reference) * ml, np.count_nonzero(prediction) * ml
    lesions = detect_lesions(reference, prediction)
    return CaseMetrics(
        case=case,
        dsc=dice(reference, prediction),
        nsd=nsd,
        hd95=hd95,
        reference_ml=volumes[0],
        prediction_ml=volumes[1],
        volume_difference_ml=abs(volumes[1] - volumes[0]),
        lesion_f1=lesions.f1,
        reference_lesions=lesions.reference,
        predicted_lesions=lesions.predicted,
        found_lesions=lesions.found,
        true_lesions=lesions.true,
    )


def _surface_metrics(
    reference: np.ndarray, prediction: np.ndarray, spacing: Spacing, tolerance_mm: float
) -> tuple[float, float]:
    """NSD and HD95."""
    if not reference.any() and not prediction.any():
        return 1.0, 0.0
    if not reference.any() or not prediction.any():
        return 0.0, math.nan
    library = _surface_distance()
    # The library crops to the bounding box of both masks itself.
    distances = library.compute_surface_distances(reference, prediction, spacing)
    return (
        float(library.compute_surface_dice_at_tolerance(distances, tolerance_mm)),
        float(library.compute_robust_hausdorff(distances, 95)),
    )


def _surface_distance() -> ModuleType:
    try:
        import surface_distance
    except ImportError:
        raise missing_extra("evaluation", "evaluation") from None
    return surface_distance

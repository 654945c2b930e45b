"""Findings in a head CT that mislead a search for an infarct: blood, contrast, metal, a missing skull."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import depth, dilate, masked_gaussian, remove_small

# Clotted blood has 50 to 90 HU. Smoothed tissue without blood or contrast stayed below 55 HU in 14 real scans.
_BLOOD_HU = (55.0, 95.0)
_CONTRAST_HU = (90.0, 300.0)
_CALCIFIED_HU, _CALCIFIED_RIM_MM = 100.0, 4.0
_METAL_HU = 3000.0
_BONE_HU, _TISSUE_HU = 160.0, 10.0
# Farther from the edge of the brain than skull, sinuses and their partial volume.
_DEEP_MM = 6.0
_SMOOTHING_MM = 1.5
_LEAST_BLOOD_ML, _LEAST_CONTRAST_ML, _LEAST_METAL_ML = 0.5, 1.5, 0.4
_MOST_BONE_ML, _LEAST_SCALP_ML, _SCALP_MM = 15.0, 20.0, 8.0


def misleading_findings(hu: np.ndarray, brain: np.ndarray, spacing: Spacing) -> list[str]:
    """A sentence for each finding.

    Args:
        hu: CT (k, j, i), HU.
        brain: bool (k, j, i).
        spacing: (k, j, i), mm.
    """
    voxel_ml = float(np.prod(spacing)) / 1000

    def ml(mask: np.ndarray) -> float:
        return np.count_nonzero(mask) * voxel_ml

    inside = depth(brain, spacing) > _DEEP_MM
    smooth = masked_gaussian(np.clip(hu, -20, 100), brain, _SMOOTHING_MM, spacing)
    calcified = dilate(hu > _CALCIFIED_HU, _CALCIFIED_RIM_MM, spacing)
    dense = inside & (smooth > _BLOOD_HU[0]) & (smooth < _BLOOD_HU[1]) & ~calcified
    blood = remove_small(dense, _LEAST_BLOOD_ML / voxel_ml)
    contrast = inside & (hu > _CONTRAST_HU[0]) & (hu < _CONTRAST_HU[1])
    has_contrast = ml(contrast) >= _LEAST_CONTRAST_ML
    scalp = (hu > _TISSUE_HU) & ~dilate(brain, _SCALP_MM, spacing)
    findings = {
        "vessels or tissue are enhanced by contrast: the methods expect a scan without it": has_contrast,
        f"{ml(blood):.1f} ml in the brain are as dense as blood: it may be a bleeding": blood.any()
        and not has_contrast,
        "there is metal in the scan: its streaks look like lesions": ml(hu >= _METAL_HU) >= _LEAST_METAL_ML,
        "there is scalp but no skull: the values may be clipped": ml(hu > _BONE_HU) < _MOST_BONE_ML
        and ml(scalp) > _LEAST_SCALP_ML,
    }
    return [sentence for sentence, is_found in findings.items() if is_found]

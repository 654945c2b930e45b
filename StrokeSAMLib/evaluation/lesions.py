"""Lesion-wise detection: which reference lesions are found, and which predicted lesions are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26


@dataclass(frozen=True)
class LesionDetection:
    """Counts of lesions (26-connected components), and the F1 score from them.

    The rule is the lesion-wise F1 of ISLES 2022 (de la Rosa et al. 2024, arXiv:2403.19425).

    Attributes:
        reference: number of reference lesions.
        predicted: number of predicted lesions.
        found: number of reference lesions with at least one predicted voxel.
        true: number of predicted lesions with at least one reference voxel.
    """

    reference: int
    predicted: int
    found: int
    true: int

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity (found / reference) and precision (true / predicted).

        1 if neither mask has a lesion; 0 if only one has.
        """
        if self.reference == 0 and self.predicted == 0:
            return 1.0
        if self.found == 0 or self.true == 0:
            return 0.0
        sensitivity, precision = self.found / self.reference, self.true / self.predicted
        return 2 * sensitivity * precision / (sensitivity + precision)


def detect_lesions(reference: np.ndarray, prediction: np.ndarray) -> LesionDetection:
    """Count the lesions of two bool masks (k, j, i) of one shape."""
    reference_labels, reference_count = ndi.label(reference, structure=CONNECTIVITY_26)
    predicted_labels, predicted_count = ndi.label(prediction, structure=CONNECTIVITY_26)
    overlap = reference & prediction
    return LesionDetection(
        reference=reference_count,
        predicted=predicted_count,
        found=np.unique(reference_labels[overlap]).size,
        true=np.unique(predicted_labels[overlap]).size,
    )

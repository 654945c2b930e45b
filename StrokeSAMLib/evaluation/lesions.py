"""Lesion-wise detection: is each lesion found, and is each finding a lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.morphology import FULL


@dataclass(frozen=True)
class LesionDetection:
    """Counts of lesions (26-connected components) and what follows from them.

    A reference lesion is found if any predicted voxel lies in it; a predicted lesion is true if any reference voxel
    lies in it (the lesion-wise F1 of ISLES 2022, de la Rosa et al. 2024, arXiv:2403.19425).
    """

    reference: int
    predicted: int
    found: int
    true: int

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity (found of reference) and precision (true of predicted).

        1 where neither mask has a lesion; 0 where only one has.
        """
        if self.reference == 0 and self.predicted == 0:
            return 1.0
        if self.found == 0 or self.true == 0:
            return 0.0
        sensitivity, precision = self.found / self.reference, self.true / self.predicted
        return 2 * sensitivity * precision / (sensitivity + precision)


def detect_lesions(reference: np.ndarray, prediction: np.ndarray) -> LesionDetection:
    """Count the lesions of two bool masks of one shape (k, j, i)."""
    reference_labels, reference_count = ndi.label(reference, structure=FULL)
    predicted_labels, predicted_count = ndi.label(prediction, structure=FULL)
    both = reference & prediction
    return LesionDetection(
        reference=reference_count,
        predicted=predicted_count,
        found=np.unique(reference_labels[both]).size,
        true=np.unique(predicted_labels[both]).size,
    )

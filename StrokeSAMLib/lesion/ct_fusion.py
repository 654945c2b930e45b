"""Network and rule together in CT: they miss different infarcts.

A component of the rule is lesion where the network marks most of it, or where it is plainly dark. The rest of the rule
is only possible lesion, since it also marks rims along the skull, cerebellum and streaks.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26
from StrokeSAMLib.lesion.ct_grid import CtGrid
from StrokeSAMLib.lesion.hemispheres import Comparison

_LEAST_SHARED = 0.5
# Chosen on 13 real slabs with an infarct and three scans without one (docs/methods/measurements.md).
_DARKER_THAN_TISSUE_HU, _DARKER_THAN_MIRROR_HU = 4.0, 6.0
_LEAST_ML = 3.0
_TISSUE_HU = (18.0, 55.0)
_SMOOTHING_MM = 1.5


def judge_rule(head: CtGrid, comparison: Comparison, network: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split what the rule found into lesion and possible lesion.

    Args:
        head: the head on its working grid.
        comparison: what the rule found.
        network: the network's lesion on the working grid, bool (k, j, i).

    Returns:
        Two masks on the working grid, bool (k, j, i).
    """
    labels, count = ndi.label(comparison.lesion, structure=CONNECTIVITY_26)

    def mean(values: np.ndarray, within: np.ndarray) -> np.ndarray:
        """The mean of each component within a mask; 0 where the mask has none of it."""
        voxels = np.maximum(np.bincount(labels[within], minlength=count + 1), 1)
        return (np.bincount(labels[within], values[within], count + 1) / voxels)[1:]

    tissue = head.hu[head.inside & (head.hu > _TISSUE_HU[0]) & (head.hu < _TISSUE_HU[1])]
    level = float(np.median(tissue)) if tissue.size else 0.0
    volumes = np.bincount(labels.ravel(), minlength=count + 1)[1:] * float(np.prod(head.spacing)) / 1000
    is_dark = (
        (level - mean(head.smoothed(_SMOOTHING_MM), comparison.lesion) >= _DARKER_THAN_TISSUE_HU)
        & (-mean(comparison.difference, comparison.comparable) >= _DARKER_THAN_MIRROR_HU)
        & (volumes >= _LEAST_ML)
    )
    is_lesion = np.concatenate([[False], (mean(network, comparison.lesion) >= _LEAST_SHARED) | is_dark])[labels]
    return is_lesion, comparison.lesion & ~is_lesion

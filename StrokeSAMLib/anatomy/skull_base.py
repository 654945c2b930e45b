"""The part of the brain beside the skull base. Air and bone there distort echo-planar images."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.imaging.geometry import Spacing
from StrokeSAMLib.imaging.morphology import close, dilate

# Wide enough to span the petrous bones and the sella within a slice.
_CAVITY_MM = 25.0


def skull_base(brain: np.ndarray, reach_mm: float, spacing: Spacing) -> np.ndarray:
    """The voxels of the brain within `reach_mm` of its underside, or of a cavity that it surrounds within a slice.

    Args:
        brain: bool (k, j, i), axes near S, P, L.
        reach_mm: the distance over which susceptibility distorts the image, mm.
        spacing: (k, j, i), mm.

    Returns:
        Bool (k, j, i).
    """
    slices = max(1, round(reach_mm / spacing[0]))
    below = np.zeros_like(brain)
    below[slices:] = brain[:-slices]
    in_plane = (1e3, *spacing[1:])  # with slices this far apart the closing stays within each slice
    cavities = close(brain, _CAVITY_MM, in_plane) & ~brain
    return brain & (~below | dilate(cavities, reach_mm, spacing))

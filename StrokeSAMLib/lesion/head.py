"""A head in CT on its working grid: the brain, and the anatomy that its hemispheres share."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.brain_ct import brain_mask
from StrokeSAMLib.imaging.geometry import Spacing, array_spacing, canonical, like, shrink
from StrokeSAMLib.imaging.morphology import depth, masked_gaussian

# Voxels of at least this size (x, y, z), mm: finer ones hold only noise at the scale of the smoothing.
_WORKING_MM = (1.0, 1.0, 2.0)
# Above this the structure map is flat, so that the registration sees CSF and not the lesion, HU.
_STRUCTURE_HU = 27.0


class Head:
    """The head on its working grid: canonical axes, noise averaged down to voxels that matter."""

    def __init__(self, hounsfield: sitk.Image):
        coarse = shrink(canonical(hounsfield), _WORKING_MM)
        self.image = sitk.Clamp(sitk.Cast(coarse, sitk.sitkFloat32), sitk.sitkFloat32, -1024, 3071)
        self.brain = brain_mask(self.image)
        self.hu = sitk.GetArrayFromImage(self.image)
        self.inside = sitk.GetArrayFromImage(self.brain) > 0
        self.spacing: Spacing = array_spacing(self.image)
        self.depth = depth(self.inside, self.spacing)

    def smoothed(self, sigma_mm: float) -> np.ndarray:
        """HU smoothed within the brain; bone at its rim counts as dense tissue."""
        return masked_gaussian(np.clip(self.hu, -20, 100), self.inside, sigma_mm, self.spacing)

    def structure(self) -> sitk.Image:
        """The anatomy both hemispheres share: CSF against tissue, 0 outside the brain."""
        flat = np.clip(self.smoothed(1.5), 0, _STRUCTURE_HU)
        return like(np.where(self.inside, flat, 0).astype(np.float32), self.image)

"""A head CT on its working grid, with its brain mask and the anatomy that both hemispheres share."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.anatomy.brain_ct import brain_mask
from StrokeSAMLib.imaging.geometry import Spacing, array_spacing, canonical, image_like, shrink
from StrokeSAMLib.imaging.morphology import depth, masked_gaussian

# Voxels (x, y, z) of at least this size, mm. Finer ones hold only noise at the scale of the smoothing.
_WORKING_MM = (1.0, 1.0, 2.0)
# The structure map is flat above this, HU: the registration then sees CSF and not the lesion.
_STRUCTURE_HU = 27.0


class CtGrid:
    """The head on its working grid: canonical axes, and voxels averaged to a size that suits the methods.

    Attributes:
        image: the CT, Float32, HU.
        brain: UInt8 mask on the grid of `image`.
        hu: the array of `image`, Float32 (k, j, i).
        inside: the array of `brain`, bool (k, j, i).
        spacing: (k, j, i), mm.
        depth: distance of each voxel of the brain from the nearest voxel outside it, mm (k, j, i).
    """

    def __init__(self, hounsfield: sitk.Image):
        """Bring a CT onto the working grid and find the brain.

        Args:
            hounsfield: CT in HU, any orientation, with or without skull.

        Raises:
            InputError: there is no brain in the image.
        """
        coarse = shrink(canonical(hounsfield), _WORKING_MM)
        self.image = sitk.Clamp(sitk.Cast(coarse, sitk.sitkFloat32), sitk.sitkFloat32, -1024, 3071)
        self.brain = brain_mask(self.image)
        self.hu = sitk.GetArrayFromImage(self.image)
        self.inside = sitk.GetArrayFromImage(self.brain) > 0
        self.spacing: Spacing = array_spacing(self.image)
        self.depth = depth(self.inside, self.spacing)

    def smoothed(self, sigma_mm: float) -> np.ndarray:
        """HU (k, j, i) smoothed within the brain. Values are clipped to −20…100 HU first, so bone counts little.

        Args:
            sigma_mm: standard deviation, mm.
        """
        return masked_gaussian(np.clip(self.hu, -20, 100), self.inside, sigma_mm, self.spacing)

    def structure(self) -> sitk.Image:
        """The structure map that the hemispheres share: CSF against tissue, Float32, 0 outside the brain."""
        flat = np.clip(self.smoothed(1.5), 0, _STRUCTURE_HU)
        return image_like(np.where(self.inside, flat, 0).astype(np.float32), self.image)

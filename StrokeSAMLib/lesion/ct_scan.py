"""A head CT as every method for it begins: densities, the brain, and the mirror image that answers each voxel."""

from __future__ import annotations

from collections.abc import Mapping

import SimpleITK as sitk

from StrokeSAMLib.imaging.checks import check_volume
from StrokeSAMLib.imaging.hounsfield import to_hounsfield
from StrokeSAMLib.imaging.mirror import find_mirror
from StrokeSAMLib.lesion.head import Head
from StrokeSAMLib.monitor import Monitor


class CtScan:
    """The scan, and what was found in it.

    Attributes:
        hounsfield: in HU, on the scan's own grid.
        notes: what the user should know, one line each.
        head: on its working grid.
        mirror: the head's registered mirror image.
    """

    def __init__(self, inputs: Mapping[str, sitk.Image], deformable: bool, monitor: Monitor):
        """Of ``inputs["ncct"]`` (HU, any orientation, with or without skull); progress from 0 to 1.

        Args:
            deformable: refine the mirror image by a B-spline registration.

        Raises:
            InputError: not a CT of a head in HU.
        """
        check_volume(inputs["ncct"], "ncct")
        self.hounsfield, self.notes = to_hounsfield(inputs["ncct"], "ncct")
        monitor.step(0.0, "finding the brain")
        self.head = Head(self.hounsfield)
        self.mirror = find_mirror(self.head.structure(), self.head.brain, deformable, monitor.part(0.15, 1.0))

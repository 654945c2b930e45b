"""A head CT prepared for every CT method: densities in HU, the brain, and the registered mirror image."""

from __future__ import annotations

from collections.abc import Mapping

import SimpleITK as sitk

from StrokeSAMLib.anatomy.ct_findings import misleading_findings
from StrokeSAMLib.anatomy.hounsfield import to_hounsfield
from StrokeSAMLib.anatomy.mirror import find_mirror
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.io.image_checks import check_volume
from StrokeSAMLib.lesion.ct_grid import CtGrid


class CtScan:
    """A head CT and the anatomy found in it.

    Attributes:
        hounsfield: the CT in HU on its own grid.
        notes: lines for the user.
        grid: the head on its working grid, with the brain mask.
        mirror: the symmetry of the head: mid-sagittal plane and registered mirror image.
    """

    def __init__(self, inputs: Mapping[str, sitk.Image], deformable: bool, monitor: Monitor):
        """Check the CT, find the brain and register the mirror image.

        Args:
            inputs: "ncct": a CT in HU, any orientation, with or without skull.
            deformable: refine the mirror image by a B-spline registration.
            monitor: progress from 0 to 1.

        Raises:
            InputError: the image is no CT of a head in HU.
            Cancelled: the user cancelled the work.
        """
        check_volume(inputs["ncct"], "ncct")
        self.hounsfield, self.notes = to_hounsfield(inputs["ncct"], "ncct")
        monitor.step(0.0, "finding the brain")
        self.grid = CtGrid(self.hounsfield)
        self.notes += misleading_findings(self.grid.hu, self.grid.inside, self.grid.spacing)
        self.mirror = find_mirror(self.grid.structure(), self.grid.brain, deformable, monitor.part(0.15, 1.0))

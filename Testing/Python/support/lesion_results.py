"""Small lesion results with measurements that can be computed by hand."""

import numpy as np
from small_images import image_from

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.lesion.result import LesionResult

SPACING = (0.5, 2.0, 4.0)  # a voxel has 0.004 ml
SAGITTAL = Plane((1.0, 0.0, 0.0), 0.0)
TURNED = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # i runs along P, j along R


def lesion_result(mask, direction=None, origin=(-5.0, 0.0, 0.0), plane=SAGITTAL, spacing=SPACING, **images):
    """A result with this mask (k, j, i), and `images` of arrays by name, all on one grid."""

    def image(array):
        return image_from(array, spacing, origin, direction)

    mask = np.asarray(mask, np.uint8)
    return LesionResult(
        mask=image(mask),
        score=image(mask.astype(np.float32)),
        brain=image(np.ones_like(mask)),
        midsagittal=plane,
        method="asymmetry",
        options={"seed": 4.0, "deformable": True},
        images={name: image(np.asarray(array)) for name, array in images.items()},
        warnings=("a word of caution",),
    )


def empty():
    """An empty mask (k, j, i)."""
    return np.zeros((5, 10, 20), np.uint8)


def block(k, j, i):
    """A mask that is 1 in a block of voxels; `k`, `j` and `i` are slices."""
    mask = empty()
    mask[k, j, i] = 1
    return mask

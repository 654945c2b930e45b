"""Results whose numbers can be worked out by hand."""

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.plane import Plane
from StrokeSAMLib.lesion.result import LesionResult

SPACING = (0.5, 2.0, 4.0)  # 0.004 ml
SAGITTAL = Plane((1.0, 0.0, 0.0), 0.0)
TURNED = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # i runs along P, j along R


def lesion_result(mask, direction=None, origin=(-5.0, 0.0, 0.0), plane=SAGITTAL, spacing=SPACING, **images):
    def image(array):
        made = sitk.GetImageFromArray(array)
        made.SetSpacing(spacing)
        made.SetOrigin(origin)
        made.SetDirection(np.ravel(np.eye(3) if direction is None else direction).tolist())
        return made

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
    return np.zeros((5, 10, 20), np.uint8)


def block(k, j, i):
    mask = empty()
    mask[k, j, i] = 1
    return mask

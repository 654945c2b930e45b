"""Small images made of arrays."""

import numpy as np
import SimpleITK as sitk


def image_from(array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    """An image of `array` (k, j, i) with this geometry (x, y, z; mm); by default its axes are L, P, S."""
    image = sitk.GetImageFromArray(np.asarray(array))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image

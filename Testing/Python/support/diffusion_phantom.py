"""A simulated diffusion scan with a known infarct and a T2-bright spot that is no lesion."""

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import image_like

RNG = np.random.default_rng(4)


class DiffusionPhantom:
    """A brain of 130 × 160 × 110 mm with ventricles, an infarct on the left and a T2-bright spot on the right.

    Attributes (arrays k, j, i):
        adc: 10⁻⁶ mm²/s.
        b0, dwi: signals without and with diffusion weighting.
        lesion, small, shine: the large infarct, a small one (0.3 ml), and T2 shine-through, bool.
        grid: an image on the grid of the arrays.
    """

    def __init__(self):
        size, spacing = (96, 112, 26), (1.8, 1.8, 5.0)
        self.grid = sitk.Image(size, sitk.sitkFloat32)
        self.grid.SetSpacing(spacing)
        self.grid.SetOrigin([-(n - 1) / 2 * s for n, s in zip(size, spacing, strict=True)])
        k, j, i = np.indices(size[::-1])
        z, y, x = ((a - (n - 1) / 2) * s for a, n, s in zip((k, j, i), size[::-1], spacing[::-1], strict=True))
        brain = (x / 65) ** 2 + (y / 80) ** 2 + (z / 55) ** 2 < 1
        ventricle = ((np.abs(x) - 12) / 6) ** 2 + (y / 25) ** 2 + (z / 15) ** 2 < 1
        self.lesion = ((x - 40) / 16) ** 2 + (y / 22) ** 2 + (z / 18) ** 2 < 1
        self.shine = ((x + 40) / 12) ** 2 + (y / 12) ** 2 + (z / 12) ** 2 < 1
        self.small = ((x + 30) / 4) ** 2 + ((y - 40) / 4) ** 2 + ((z - 20) / 4) ** 2 < 1
        low = self.lesion | self.small
        self.adc = np.select([low, self.shine, ventricle, brain], [480.0, 850.0, 2900.0, 800.0], 0)
        b0 = np.select([self.shine, low, ventricle, brain], [2200.0, 1150.0, 2500.0, 1000.0], 0)
        self.b0 = np.abs(b0 + 20 * RNG.standard_normal(b0.shape))
        self.dwi = np.abs(b0 * np.exp(-self.adc / 1000) + 20 * RNG.standard_normal(b0.shape))

    def image(self, values):
        """A Float32 image of `values` (k, j, i) on the grid."""
        return image_like(np.asarray(values, np.float32), self.grid)

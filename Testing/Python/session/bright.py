"""A small engine that counts what it is asked, and what a session has found."""

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.interactive.memory import Footprint

COUNT = 12
OBJECT = slice(3, 9)


class Seen:
    """Features: the slice, and a size to be counted."""

    def __init__(self, pixels, device="gpu"):
        self.pixels, self.device, self.nbytes = pixels, device, 100

    def to(self, device):
        return Seen(self.pixels, device)


class Found:
    def __init__(self, array):
        self._array = array

    def mask(self, shape):
        return self._array


class Bright:
    """An engine: what is bright in the box or near the positive points, less what is near the negative ones."""

    id = "bright"
    accepts = frozenset({"point", "box", "mask"})
    tracks = False

    def __init__(self):
        self.encoded = []
        self.predicted = 0
        self.device = "gpu"

    def encode(self, pixels, spacing):
        self.encoded.append(int(pixels[0, 0]))
        return Seen(pixels)

    def predict(self, features, prompts, prior=None, context=None):
        self.predicted += 1
        y, x = np.indices(features.pixels.shape)
        found = np.zeros(features.pixels.shape, bool) if prior is None else prior.mask(None).copy()
        if prompts.mask is not None and not len(prompts.points):
            return Found(prompts.mask)
        if prompts.box is not None and prior is None:
            x0, y0, x1, y1 = prompts.box
            found |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (features.pixels > 100)
        for (px, py), label in zip(prompts.points, prompts.labels, strict=True):
            near = np.hypot(x - px, y - py) < 4
            found = found | near if label else found & ~near
        return Found(found)

    def follow(self, features, neighbour, shape):
        return Found(neighbour.mask(shape) & (features.pixels > 100))

    def footprint(self):
        return Footprint(1000, 100, 10, 1)

    def use_cpu(self):
        moved, self.device = self.device != "cpu", "cpu"
        return moved

    def describe(self):
        return {}


def voxels(session):
    return sitk.GetArrayFromImage(session.mask()) > 0

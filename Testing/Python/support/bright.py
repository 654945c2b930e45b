"""A small engine without a network that counts its calls, and the voxels of a session's mask."""

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.interactive.features.footprint import Footprint

COUNT = 12
OBJECT = slice(3, 9)


class SliceFeatures:
    """Features: the pixels of the slice, a device, and a size of 100 bytes."""

    def __init__(self, pixels, device="gpu"):
        self.pixels, self.device, self.nbytes = pixels, device, 100

    def to(self, device):
        return SliceFeatures(self.pixels, device)


class MaskPrediction:
    """A prediction: the mask itself."""

    def __init__(self, array):
        self._array = array

    def mask(self, shape):
        return self._array


class Bright:
    """An engine that predicts the bright pixels in a box, adds discs at positive points, removes them at negative ones.

    Attributes:
        encoded: numbers of the encoded slices, in order; the first pixel of each slice is its number.
        predicted: number of calls of `predict`.
    """

    id = "bright"
    accepts = frozenset({"point", "box", "mask"})
    tracks = False
    notes: tuple[str, ...] = ()

    def __init__(self):
        self.encoded = []
        self.predicted = 0
        self.device = "gpu"

    def encode(self, pixels, spacing):
        self.encoded.append(int(pixels[0, 0]))
        return SliceFeatures(pixels)

    def predict(self, features, prompts, previous=None, context=None):
        self.predicted += 1
        y, x = np.indices(features.pixels.shape)
        mask = np.zeros(features.pixels.shape, bool) if previous is None else previous.mask(None).copy()
        if prompts.mask is not None and not len(prompts.points):
            return MaskPrediction(prompts.mask)
        if prompts.box is not None and previous is None:
            x0, y0, x1, y1 = prompts.box
            mask |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (features.pixels > 100)
        for (px, py), label in zip(prompts.points, prompts.labels, strict=True):
            near = np.hypot(x - px, y - py) < 4
            mask = mask | near if label else mask & ~near
        return MaskPrediction(mask)

    def follow(self, features, neighbour, shape):
        return MaskPrediction(neighbour.mask(shape) & (features.pixels > 100))

    def footprint(self):
        return Footprint(1000, 100, 10, 1)

    def use_cpu(self):
        moved, self.device = self.device != "cpu", "cpu"
        return moved

    def describe(self):
        return {}


def voxels(session):
    """The mask of a session, bool (k, j, i)."""
    return sitk.GetArrayFromImage(session.mask()) > 0

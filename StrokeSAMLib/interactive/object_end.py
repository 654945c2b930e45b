"""The end of an object in box propagation.

A network that is given a box always answers with a mask, so propagation by box alone would never end. The mask of the
next slice is taken for another object if its grey levels are those of the surroundings, if it jumps in area or
position, or if the network itself trusts it much less than the prompted mask. Far from the prompts its grey levels
must resemble the object's more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.imaging.overlap import dice
from StrokeSAMLib.interactive.engines.appearance import Appearance
from StrokeSAMLib.interactive.engines.base import Prediction
from StrokeSAMLib.interactive.slice_stack import SliceStack

# Chosen with LiteMedSAM's trained weights on three lesions of DeepLesion, two of ISLES'22 and two CT strokes. With the
# neighbouring slice's mask:
_LEAST_DICE = 0.25
_MOST_GROWTH = 3.0
# Parts of the prompted masks' own figures. A slice is far from a prompt if it is farther than the object is wide there.
_LEAST_QUALITY = 0.6
_LEAST_LIKENESS_NEAR = 0.1
_LEAST_LIKENESS_FAR = 0.5
# Least width of the ring of surroundings, pixels; a larger object has a ring of half its radius.
_LEAST_RING = 3


@dataclass(frozen=True, eq=False)
class Rejected:
    """An empty prediction in place of one that shows another object.

    Attributes:
        prediction: the engine's own prediction, which a click on the slice takes up again.
    """

    prediction: Prediction

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """See `Prediction.mask`."""
        return np.zeros(shape, bool)


def engine_prediction(prediction: Prediction | None) -> Prediction | None:
    """The engine's own prediction behind one that may be `Rejected`."""
    return prediction.prediction if isinstance(prediction, Rejected) else prediction


class ObjectEnd:
    """The rule for one object, learned from its prompted slices."""

    def __init__(self, stack: SliceStack, prompted: Mapping[int, Prediction]):
        """Learn the object's grey levels and size.

        Args:
            stack: the slices.
            prompted: predictions on the prompted slices, by slice.
        """
        self._stack = stack
        masks = {k: prediction.mask(stack.shape) for k, prediction in prompted.items()}
        masks = {k: mask for k, mask in masks.items() if mask.any()}
        self._qualities = {k: _quality(prompted[k]) for k in masks}
        self._reach = {k: self._width_mm(mask) / stack.spacing[2] for k, mask in masks.items()}
        self._appearance = self._learn(masks) if masks else None
        self._likeness = {k: self._likeness_to_object(k, mask) for k, mask in masks.items()}

    def is_beyond(self, k: int, prediction: Prediction, last: Prediction) -> bool:
        """Whether `prediction` on slice `k` shows another object than `last`, the object's last mask before it."""
        mask, before = prediction.mask(self._stack.shape), last.mask(self._stack.shape)
        if not mask.any() or self._appearance is None:
            return False
        jumps = dice(mask, before) < _LEAST_DICE or np.count_nonzero(mask) > _MOST_GROWTH * np.count_nonzero(before)
        start = min(self._reach, key=lambda prompted: abs(prompted - k))
        return bool(jumps) or self._is_doubted(prediction, start) or self._differs(k, mask, start)

    def _is_doubted(self, prediction: Prediction, start: int) -> bool:
        quality, prompted = _quality(prediction), self._qualities[start]
        return quality is not None and prompted is not None and quality < _LEAST_QUALITY * prompted

    def _differs(self, k: int, mask: np.ndarray, start: int) -> bool:
        is_far = abs(k - start) > self._reach[start]
        least = _LEAST_LIKENESS_FAR if is_far else _LEAST_LIKENESS_NEAR
        return self._likeness_to_object(k, mask) < least * self._likeness[start]

    def _likeness_to_object(self, k: int, mask: np.ndarray) -> float:
        """Mean log-likelihood ratio, object over surroundings, of the pixels of `mask`; NaN without a model."""
        if self._appearance is None:
            return math.nan
        return float(self._appearance.log_likelihood_ratio(self._stack.pixels[k][mask].astype(float)).mean())

    def _learn(self, masks: Mapping[int, np.ndarray]) -> Appearance:
        slices = np.stack([self._stack.pixels[k] for k in masks]).astype(float)
        return Appearance.from_regions(
            slices, np.stack(list(masks.values())), np.stack([_surroundings(mask) for mask in masks.values()])
        )

    def _width_mm(self, mask: np.ndarray) -> float:
        """The longer side of the mask's bounding box."""
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        width, height, _ = self._stack.spacing
        return float(max(np.ptp(columns) * width + width, np.ptp(rows) * height + height))


def _surroundings(mask: np.ndarray) -> np.ndarray:
    """A ring about `mask`, bool of its shape, half as wide as the radius of a disc of its area."""
    width = max(_LEAST_RING, round(float(np.sqrt(np.count_nonzero(mask) / np.pi)) / 2))
    return (ndi.distance_transform_cdt(~mask, "taxicab") <= width) & ~mask


def _quality(prediction: Prediction) -> float | None:
    """The network's own estimate of the IoU of its mask; None where it makes none."""
    return getattr(prediction, "quality", None)

"""The memory that a session needs, computed before it starts."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Footprint:
    """The memory that an engine takes, bytes, measured on a CPU (docs/interactive.md).

    Attributes:
        model: the loaded network.
        working: peak during encoding and prediction, beyond the network.
        features: features of one encoded slice.
        prediction: prediction on one slice, with its memory for other slices.
    """

    model: int
    working: int
    features: int
    prediction: int


def memory_needed(footprint: Footprint, slices: int, pixels: int, segments: int = 1, budget: int | None = None) -> int:
    """The memory for a volume whose slices are all visited, bytes, beyond Python and its libraries.

    Args:
        footprint: memory of the engine.
        slices: number of slices.
        pixels: number of pixels in a slice.
        segments: number of segments.
        budget: size of the feature cache in bytes; None keeps all slices.
    """
    all_features = slices * footprint.features
    features = all_features if budget is None else min(all_features, budget)
    predictions = slices * segments * (footprint.prediction + pixels // 8)
    return footprint.model + footprint.working + features + predictions + slices * pixels

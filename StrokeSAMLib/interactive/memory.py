"""How much memory a session will take, before it takes it."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Footprint:
    """What an engine takes, bytes: measured on a CPU (docs/interactive.md).

    Attributes:
        model: the network, loaded and ready.
        working: at most, while it encodes or answers.
        features: of an encoded slice.
        answer: of a slice's answer, with what is remembered of it.
    """

    model: int
    working: int
    features: int
    answer: int


def needed(footprint: Footprint, slices: int, pixels: int, segments: int = 1, budget: int | None = None) -> int:
    """Bytes for a volume of `slices` slices of `pixels` pixels, all of them visited, beyond Python and its libraries.

    Args:
        budget: of the cache of features; None: all slices are kept.
    """
    kept = slices * footprint.features
    features = kept if budget is None else min(kept, budget)
    answers = slices * segments * (footprint.answer + pixels // 8)
    return footprint.model + footprint.working + features + answers + slices * pixels


def in_words(count: int) -> str:
    """ "1.7 GB", "340 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

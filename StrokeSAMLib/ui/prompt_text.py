"""Prompts in words, for the panel's list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Prompt


def describe(prompts: Mapping[int, Prompt], slices: Mapping[int, int | None]) -> list[tuple[int, str]]:
    """Number and text of each prompt, with its slice where that is known."""
    return [(number, _kind(prompt) + _place(slices.get(number))) for number, prompt in prompts.items()]


def _kind(prompt: Prompt) -> str:
    if hasattr(prompt, "first"):
        return "Box"
    if hasattr(prompt, "position"):
        return "Point in" if prompt.positive else "Point out"
    return "Segment as it was" if prompt.positive else "Not in another segment"


def _place(k: int | None) -> str:
    return "" if k is None else f", slice {k}"

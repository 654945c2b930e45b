"""Prompts and engines in words, for the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from StrokeSAMLib.ui.in_slicer import lackOf

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.ui.prompt_session import Shown


def describe(prompts: Mapping[int, Prompt], slices: Mapping[int, int | None]) -> list[tuple[int, str]]:
    """Number and text of each prompt, with its slice where that is known."""
    return [(number, _kind(prompt) + _place(slices.get(number))) for number, prompt in prompts.items()]


def engineStatus(readiness: str, shown: Shown | None) -> str:
    """Where the engine computes and what it takes; or, before there is a session, what it lacks, its `readiness`."""
    if shown is not None:
        from StrokeSAMLib.interactive.memory import in_words

        return f"Computes on {shown.device}; the whole volume takes about {in_words(shown.memory)}."
    lack = "" if readiness == "yes" else lackOf(readiness) + "."
    return lack[:1].upper() + lack[1:]


def _kind(prompt: Prompt) -> str:
    if hasattr(prompt, "first"):
        return "Box"
    if hasattr(prompt, "position"):
        return "Point in" if prompt.positive else "Point out"
    return "Segment as it was" if prompt.positive else "Not in another segment"


def _place(k: int | None) -> str:
    return "" if k is None else f", slice {k}"

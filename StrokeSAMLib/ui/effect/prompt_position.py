"""Positions of prompts and slices in the volume, for jumps and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from StrokeSAMLib.mrml.space import Position

if TYPE_CHECKING:
    import numpy as np

    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.ui.effect.prompt_session import SessionView

# The letters of RAS at the negative and the positive end of each LPS axis.
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


def promptPosition(prompt: Prompt, k: int | None, sessionView: SessionView | None) -> Position | None:
    """The middle of a prompt, LPS, mm.

    Args:
        prompt: the prompt.
        k: the slice on which the prompt acts; None if it acts on no slice.
        sessionView: the session that holds the prompt; None before it is open.

    Returns:
        The position; None for a mask prompt without a slice.
    """
    if hasattr(prompt, "position"):
        return prompt.position
    if hasattr(prompt, "first"):
        return tuple((a + b) / 2 for a, b in zip(prompt.first, prompt.second, strict=True))
    if hasattr(prompt, "points"):
        return tuple(sum(values) / len(values) for values in zip(*prompt.points, strict=True))
    outline = None if sessionView is None or k is None else sessionView.outlines.get(k)
    if outline is None:
        return None
    column, row = outline.reshape(-1, 2).mean(axis=0)
    return tuple(float(n) for n in (sessionView.affine @ [column, row, k, 1.0])[:3])


def sliceText(affine: np.ndarray, k: int) -> str:
    """The place of a slice along the stack's normal in RAS, such as "S 12.5 mm"."""
    import numpy as np

    axis = int(np.argmax(np.abs(affine[:3, 2])))
    position = float(affine[axis, 2] * k + affine[axis, 3])
    return f"{_LETTERS[axis][position > 0]} {abs(position):.1f} mm"

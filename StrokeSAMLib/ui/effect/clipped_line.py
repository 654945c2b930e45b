"""Scribbles and lassos that the mouse draws beyond the edge of the volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.interactive.slice_stack import SliceStack


def clippedLine(prompt: Prompt, stack: SliceStack) -> Prompt:
    """The prompt without what of a scribble or lasso lies outside the stack.

    A scribble loses its positions outside. Those of a lasso move to the nearest voxels, so that it encloses the same
    voxels as before. A line that lies outside altogether, and any other prompt, stay as they are: the session refuses
    or clips them itself.
    """
    import numpy as np

    from StrokeSAMLib.interactive import Lasso, Scribble

    if not isinstance(prompt, Scribble | Lasso):
        return prompt
    index = np.array([stack.to_index(point) for point in prompt.points])
    last = np.array(stack.pixels.shape[::-1]) - 1.0
    isInside = ((index >= -0.5) & (index < last + 0.5)).all(axis=1)
    if isInside.all() or not isInside.any():
        return prompt
    points = np.array(prompt.points)
    if isinstance(prompt, Scribble):
        points = points[isInside]
    else:
        border = np.clip(index[~isInside], 0, last)
        points[~isInside] = border @ stack.affine[:3, :3].T + stack.affine[:3, 3]
    return replace(prompt, points=tuple(map(tuple, points.tolist())))

"""The picture of a training's loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from StrokeSAMLib.core.files import atomic_write

_SIZE = (720, 360)
_MARGIN = 40
_WINDOW = 50
_GREY, _BLUE, _BLACK = (200, 200, 200), (30, 90, 200), (0, 0, 0)


def write_curve(losses: Sequence[float], path: Path) -> None:
    """Write a PNG with the loss of every step in grey and its mean over 50 steps in blue, from 0 to 2.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    picture = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(picture)
    means = [float(np.mean(losses[max(0, n - _WINDOW + 1) : n + 1])) for n in range(len(losses))]
    for values, colour in ((losses, _GREY), (means, _BLUE)):
        if len(values) > 1:
            draw.line(_points(values), colour, width=1 if colour == _GREY else 2)
    left, top, right, bottom = _MARGIN, _MARGIN // 2, _SIZE[0] - _MARGIN // 2, _SIZE[1] - _MARGIN
    draw.line([(left, top), (left, bottom), (right, bottom)], _BLACK)
    for value in (0, 1, 2):
        draw.text((left - 15, bottom - value / 2 * (bottom - top) - 6), str(value), _BLACK)
    last = f", {means[-1]:.3f} at the end" if means else ""
    draw.text((left, bottom + 10), f"loss (Dice + 5 · cross-entropy) over {len(losses)} steps{last}", _BLACK)
    with atomic_write(path) as temporary:
        picture.save(temporary, "PNG")


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    """The values as points (x, y) of the picture."""
    width, height = _SIZE[0] - 1.5 * _MARGIN, _SIZE[1] - 1.5 * _MARGIN
    across = width / (len(values) - 1)
    return [(_MARGIN + n * across, _MARGIN / 2 + height * (1 - min(v, 2) / 2)) for n, v in enumerate(values)]

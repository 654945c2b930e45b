"""The pictures of the extension."""

from __future__ import annotations

from pathlib import Path

import qt

_SIZES = (16, 32, 48, 64)
TOOL_ICONS = {"box": "ToolBox", "positive": "ToolPositive", "negative": "ToolNegative"}


def iconFolder() -> Path:
    """Where the module keeps them: beside the library from a source tree, beside the module when installed."""
    import slicer

    return Path(slicer.modules.strokesam.path).parent / "Resources" / "Icons"


def toolCursor(tool: str) -> qt.QCursor:
    """A cross, with the tool's picture beside it."""
    cross, side = 8, 32
    picture = qt.QPixmap(side, side)
    picture.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(picture)
    # White under black, to be seen on any grey.
    for colour, width in (("white", 3), ("black", 1)):
        painter.setPen(qt.QPen(qt.QColor(colour), width))
        painter.drawLine(0, cross, 2 * cross, cross)
        painter.drawLine(cross, 0, cross, 2 * cross)
    badge = (iconFolder() / f"{TOOL_ICONS[tool]}.png").as_posix()
    painter.drawPixmap(cross + 3, cross + 3, qt.QPixmap(badge).scaled(cross * 2, cross * 2))
    painter.end()
    return qt.QCursor(picture, cross, cross)


def icon(name: str) -> qt.QIcon:
    """The icon called `name`, in every size in which it was drawn."""
    made, folder = qt.QIcon(), iconFolder()
    for path in (folder / f"{name}.png", *(folder / f"{name}-{size}.png" for size in _SIZES)):
        if path.exists():
            made.addFile(path.as_posix())
    return made

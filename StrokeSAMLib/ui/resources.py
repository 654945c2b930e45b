"""Icons and cursors of the extension."""

from __future__ import annotations

from pathlib import Path

import qt

_SIZES = (16, 32, 48, 64)
TOOL_ICONS = {"box": "ToolBox", "lasso": "ToolLasso", "positive": "ToolPositive", "negative": "ToolNegative"}


def iconFolder() -> Path:
    """The folder with the module's icons, in a source tree and in an installed extension."""
    import slicer

    return Path(slicer.modules.strokesam.path).parent / "Resources" / "Icons"


def toolCursor(tool: str) -> qt.QCursor:
    """A cursor with a cross and the tool's icon beside it."""
    cross, side = 8, 32
    pixmap = qt.QPixmap(side, side)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    # Black lines on white ones are visible on any grey.
    for colour, width in (("white", 3), ("black", 1)):
        painter.setPen(qt.QPen(qt.QColor(colour), width))
        painter.drawLine(0, cross, 2 * cross, cross)
        painter.drawLine(cross, 0, cross, 2 * cross)
    badge = (iconFolder() / f"{TOOL_ICONS[tool]}.png").as_posix()
    painter.drawPixmap(cross + 3, cross + 3, qt.QPixmap(badge).scaled(cross * 2, cross * 2))
    painter.end()
    return qt.QCursor(pixmap, cross, cross)


def icon(name: str) -> qt.QIcon:
    """The icon `name`, in every size for which there is a file."""
    result, folder = qt.QIcon(), iconFolder()
    for path in (folder / f"{name}.png", *(folder / f"{name}-{size}.png" for size in _SIZES)):
        if path.exists():
            result.addFile(path.as_posix())
    return result

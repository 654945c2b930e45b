"""Render the icons' SVG sources to the PNG files beside them: `QT_QPA_PLATFORM=offscreen python render_icons.py`.

The script needs PySide6; nothing else in StrokeSAM does. A size may have its own drawing (`StrokeSAM-16.svg`). With a
file name as argument, the script also draws a sheet of every PNG on light and dark backgrounds.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ICONS = Path(__file__).resolve().parents[1] / "StrokeSAM" / "Resources" / "Icons"
# The size of the file without a number in its name, and the other sizes.
SIZES = {
    "StrokeSAM": (128, (16, 32, 48, 64)),
    "SegmentEditorEffect": (128, (16, 32, 48, 64)),
    "ToolBox": (32, ()),
    "ToolLasso": (32, ()),
    "ToolPositive": (32, ()),
    "ToolNegative": (32, ()),
}
BACKGROUNDS = ("#ffffff", "#f0f0f0", "#2b2b2b")
ROW = 140


def render(name: str, size: int, target: str) -> None:
    own = ICONS / f"{name}-{size}.svg"
    source = own if own.exists() else ICONS / f"{name}.svg"
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(str(source)).render(painter, QRectF(0, 0, size, size))
    painter.end()
    image.save(str(ICONS / f"{target}.png"))


def render_all() -> None:
    for name, (main, others) in SIZES.items():
        render(name, main, name)
        for size in others:
            render(name, size, f"{name}-{size}")


def sheet(target: str) -> None:
    icons = [QImage(str(path)) for path in sorted(ICONS.glob("*.png"))]
    image = QImage(sum(icon.width() + 8 for icon in icons), ROW * len(BACKGROUNDS), QImage.Format.Format_RGB32)
    painter = QPainter(image)
    for row, background in enumerate(BACKGROUNDS):
        painter.fillRect(0, row * ROW, image.width(), ROW, QColor(background))
        left = 4
        for icon in icons:
            painter.drawImage(left, row * ROW + 6, icon)
            left += icon.width() + 8
    painter.end()
    image.save(target)


if __name__ == "__main__":
    application = QGuiApplication(sys.argv)
    render_all()
    if len(sys.argv) > 1:
        sheet(sys.argv[1])

"""Take the screenshots of the documentation in a real Slicer, on the sample: docs/module.png and docs/effect.png.

    python Testing/screenshots.py                 # the two pictures of the documentation
    python Testing/screenshots.py FOLDER          # both in every size and style, to look at

In FOLDER they are named after the window: 1600x1000, 1280x720, twice the resolution, and the dark style.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from slicer_command import ROOT, obstacle, slicer_command

SCRIPT = ROOT / "Testing" / "Slicer" / "screenshots.py"
# Name, size of the window in Qt's pixels, pixels of the screen for one of Qt's, and style ("" for that of start-up).
WINDOWS = (
    ("1600x1000", (1600, 1000), 1, ""),
    ("1280x720", (1280, 720), 1, ""),
    ("twice", (1600, 1000), 2, ""),
    ("dark", (1600, 1000), 1, "Dark Slicer"),
)


def take(folder: Path, size: tuple[int, int], scale: int, style: str) -> int:
    """Take both pictures into `folder`; returns Slicer's exit status."""
    environment = {
        **os.environ,
        "STROKESAM_SCREENSHOTS": str(folder),
        "STROKESAM_WINDOW": f"{size[0]}x{size[1]}",
        "STROKESAM_STYLE": style,
        "QT_SCALE_FACTOR": str(scale),
    }
    command = slicer_command(SCRIPT, (size[0] * scale, size[1] * scale))
    return subprocess.run(command, env=environment, check=False).returncode


def main() -> int:
    """Take the pictures that the arguments ask for; returns the exit status."""
    if obstacle():
        sys.stderr.write(f"{obstacle()}\n")
        return 2
    if not sys.argv[1:]:
        return take(ROOT / "docs", *WINDOWS[0][1:])
    return max(take(Path(sys.argv[1]) / name, *window) for name, *window in WINDOWS)


if __name__ == "__main__":
    sys.exit(main())

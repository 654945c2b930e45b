"""The command that runs a script in a real Slicer: the one that SLICER_EXECUTABLE names, or `Slicer` on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SLICER = os.environ.get("SLICER_EXECUTABLE") or shutil.which("Slicer") or ""


def obstacle() -> str:
    """Why no Slicer can be run here; "" if one can."""
    if not SLICER:
        return "no Slicer on PATH, and SLICER_EXECUTABLE names none"
    if not shutil.which("xvfb-run") and not os.environ.get("DISPLAY") and os.name != "nt":
        return "no display, and no xvfb-run that makes one"
    return ""


def slicer_command(script: Path, screen: tuple[int, int] = (1600, 1000)) -> list[str]:
    """The words of the command.

    Args:
        script: Python file to run in Slicer.
        screen: width and height of the screen in pixels, if Slicer gets one of its own: then no other window covers
            Slicer's.
    """
    words = [SLICER, "--testing", "--no-splash", "--additional-module-paths", str(ROOT / "StrokeSAM")]
    words += ["--python-script", str(script)]
    if not shutil.which("xvfb-run"):
        return words
    size = f"-screen 0 {screen[0]}x{screen[1]}x24"
    return ["xvfb-run", "--auto-servernum", "--server-args", size, *words]

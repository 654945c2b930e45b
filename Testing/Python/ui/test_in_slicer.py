"""Run Testing/Slicer in a real Slicer: the one that SLICER_EXECUTABLE names, or `Slicer` on PATH."""

import os
import shutil
import subprocess

import pytest
from helpers import ROOT

SLICER = os.environ.get("SLICER_EXECUTABLE") or shutil.which("Slicer") or ""
# A display of its own, so that no other window covers Slicer's.
VIRTUAL_DISPLAY = ["xvfb-run", "--auto-servernum", "--server-args", "-screen 0 1600x1000x24"]


def display():
    """The words before the command that give it a display; None where there is none."""
    if shutil.which("xvfb-run"):
        return VIRTUAL_DISPLAY
    return [] if os.environ.get("DISPLAY") or os.name == "nt" else None


# Alone, after all other tests: Slicer handles no events while another process takes the cores.
@pytest.mark.perf
@pytest.mark.skipif(not SLICER, reason="no Slicer on PATH, and SLICER_EXECUTABLE names none")
@pytest.mark.skipif(display() is None, reason="no display, and no xvfb-run that makes one")
@pytest.mark.timeout(1800)
def test_the_tests_in_slicer_pass():
    command = [*display(), SLICER, "--testing", "--no-splash", "--additional-module-paths", str(ROOT / "StrokeSAM")]
    command += ["--python-script", str(ROOT / "Testing" / "Slicer" / "StrokeSAMInSlicer.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

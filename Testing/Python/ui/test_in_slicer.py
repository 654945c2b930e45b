"""Run Testing/Slicer in the Slicer that the environment variable SLICER_EXECUTABLE names."""

import os
import subprocess

import pytest
from helpers import ROOT

SLICER = os.environ.get("SLICER_EXECUTABLE", "")


@pytest.mark.skipif(not SLICER, reason="SLICER_EXECUTABLE names no Slicer")
@pytest.mark.timeout(1800)
def test_the_tests_in_slicer_pass():
    command = [SLICER, "--testing", "--no-splash", "--additional-module-paths", str(ROOT / "StrokeSAM")]
    command += ["--python-script", str(ROOT / "Testing" / "Slicer" / "StrokeSAMInSlicer.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

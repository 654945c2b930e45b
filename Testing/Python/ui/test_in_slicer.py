"""Run Testing/Slicer in a real Slicer, if there is one."""

import subprocess

import pytest
from helpers import ROOT, load_script

slicer = load_script(ROOT / "Testing" / "slicer_command.py")


# Alone, after all other tests: Slicer handles no events while another process takes the cores.
@pytest.mark.perf
@pytest.mark.skipif(bool(slicer.obstacle()), reason=slicer.obstacle())
@pytest.mark.timeout(1800)
def test_the_tests_in_slicer_pass():
    command = slicer.slicer_command(ROOT / "Testing" / "Slicer" / "StrokeSAMInSlicer.py")
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

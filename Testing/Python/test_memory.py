"""What a session is said to take of memory, against what a process of its own then takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured on Linux")
@pytest.mark.parametrize(
    ("engine", "slices", "precision"),
    [
        ("random-walker", 40, "float32"),
        ("medsam2", 8, "float32"),
        ("medsam2", 8, "bfloat16"),
        ("lite-medsam", 3, "float32"),
    ],
)
def test_within_a_quarter(engine, slices, precision):
    probe = ROOT / "Testing" / "Python" / "memory_probe.py"
    path = os.pathsep.join(str(ROOT / folder) for folder in ("", "Testing/Data"))
    run = subprocess.run(
        [sys.executable, probe, engine, str(slices), precision],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    said, taken = (int(word) for word in run.stdout.split())
    assert 0.75 <= said / taken <= 1.25

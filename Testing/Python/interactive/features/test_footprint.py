"""The memory that a session is expected to take, against the memory of a process that runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT


@pytest.mark.perf
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
def test_the_memory_of_a_session_is_within_a_quarter_of_the_expected(engine, slices, precision):
    if precision == "bfloat16":
        torch = pytest.importorskip("torch")
        from StrokeSAMLib.nets.cpu.onednn_linear import can_pack

        if not can_pack(torch.bfloat16):
            pytest.skip("this processor has no bfloat16, for which the memory was measured")
    probe = ROOT / "Testing" / "Python" / "support" / "memory_probe.py"
    path = os.pathsep.join(str(ROOT / folder) for folder in ("", "Testing/Data"))
    run = subprocess.run(
        [sys.executable, probe, engine, str(slices), precision],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    expected, taken = (int(word) for word in run.stdout.split())
    assert 0.75 <= expected / taken <= 1.25

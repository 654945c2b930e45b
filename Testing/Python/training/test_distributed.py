"""Several processes that train together."""

import subprocess
import sys
from pathlib import Path

import pytest

from StrokeSAMLib.core.monitor import Monitor

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from StrokeSAMLib.training import step
from StrokeSAMLib.training.loop import TrainingPlan, train
from StrokeSAMLib.training.synthesis import read_anatomies


def test_two_processes_learn_the_same_as_one_from_as_many_patients(anatomy_folder, tmp_path, monkeypatch):
    pytest.importorskip("lightning_fabric")
    command = [Path(sys.executable).with_name("strokesam"), "train", "dwi-unet", "--anatomy", anatomy_folder]
    command += ["-o", tmp_path / "two", "--steps", "2", "--devices", "2", "--precision", "float32"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dwi-unet: 2 steps") == 1
    anatomies = read_anatomies(anatomy_folder)
    plan = TrainingPlan("dwi-unet", steps=2, precision="float32")
    two_patients = train(plan, anatomies, tmp_path / "two_patients", Monitor())
    monkeypatch.setattr(step, "_BATCH", 4)
    four_patients = train(plan, anatomies, tmp_path / "four_patients", Monitor())
    weights = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)["network"]
    # The first steps of Adam follow the gradient's sign. Rounding decides the sign of gradients near zero.
    assert same_part(weights, four_patients.network.state_dict()) > 0.98
    assert same_part(weights, two_patients.network.state_dict()) < 0.9


def same_part(first, second):
    """The part of two networks' weights that are the same except for rounding."""
    pairs = [(first[key].flatten(), second[key].flatten()) for key in first]
    a, b = (torch.cat(each) for each in zip(*pairs, strict=True))
    return float(torch.isclose(a, b, rtol=1e-3, atol=1e-6).float().mean())

"""The command `strokesam train`."""

import pytest

from StrokeSAMLib.cli import run

pytest.importorskip("torch")
pytest.importorskip("safetensors")
from StrokeSAMLib.training.synthesis import read_anatomies


def test_trains_on_a_folder_of_tissue_maps(anatomy_folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["train", "ncct-unet", "--anatomy", str(anatomy_folder), "-o", str(out), "--minutes", "0.01"]) == 0
    assert "ncct-unet: " in capsys.readouterr().out
    assert (out / "ncct-unet.safetensors").exists()
    assert len(read_anatomies(anatomy_folder)) == 1


def test_refuses_wrong_arguments(anatomy_folder, tmp_path, capsys):
    assert run(["train", "other", "--anatomy", str(anatomy_folder), "-o", str(tmp_path)]) == 2
    assert "no network 'other'" in capsys.readouterr().err
    assert run(["train", "dwi-unet", "--anatomy", str(anatomy_folder), "-o", str(tmp_path), "--precision", "half"]) == 2
    assert "precision is 'half'; it must be one of auto, float32, bfloat16" in capsys.readouterr().err
    assert run(["train", "dwi-unet", "--anatomy", str(anatomy_folder), "-o", str(tmp_path), "--cooldown", "9"]) == 2
    assert "--cooldown needs --steps" in capsys.readouterr().err
    assert run(["train", "dwi-unet", "--anatomy", str(anatomy_folder), "-o", str(tmp_path), "--devices", "9999"]) == 2
    assert "devices is 9999; " in capsys.readouterr().err
    assert run(["train", "dwi-unet", "--anatomy", str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
    assert "no such folder" in capsys.readouterr().err

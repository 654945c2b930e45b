"""The contact sheet of a training's first patients."""

import numpy as np
import pytest
from PIL import Image

from StrokeSAMLib.core.monitor import Monitor

pytest.importorskip("torch")
pytest.importorskip("safetensors")
from StrokeSAMLib.training.loop import TrainingPlan, train


def test_the_sheet_shows_the_first_patients_with_their_lesions(small_patients, tmp_path):
    train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    with Image.open(tmp_path / "patients.png") as picture:
        pixels = np.asarray(picture)
    # Three pixels for each voxel. Three patients in a row, with two network inputs each.
    side = 3 * 16
    assert pixels.shape == (4 * side, 6 * side, 3)
    tiles = pixels.reshape(4, side, 6, side, 3).swapaxes(1, 2)
    outlined = (tiles == (255, 176, 0)).all(-1)
    assert (outlined.sum((2, 3)) == [0, 4 * 17] * 3).all()
    bright = tiles[:, ::2, ..., 0].astype(float).mean((0, 1))
    assert bright[12:36, 12:36].mean() > 2 * bright[:6].mean()


def test_a_resumed_training_keeps_the_sheet(small_patients, tmp_path):
    train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    (tmp_path / "patients.png").write_bytes(b"the first")
    train(TrainingPlan("dwi-unet", steps=2, resume=True), [], tmp_path, Monitor())
    assert (tmp_path / "patients.png").read_bytes() == b"the first"

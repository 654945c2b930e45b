"""The training of `prompt-unet`, from the command to the weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file
from StrokeSAMLib.cli import run
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.nets.models.prompt_unet import PromptUNet
from StrokeSAMLib.training.loop import TrainingPlan, train
from StrokeSAMLib.training.prompts import lessons
from StrokeSAMLib.training.prompts.shapes import Shapes


@pytest.fixture
def small_cubes(monkeypatch):
    """Cubes of 8 × 32 × 32 voxels, for trainings that take seconds."""
    monkeypatch.setattr(lessons, "_SHAPES", ((8, 32, 32),) * 2)


def plan(**settings):
    return TrainingPlan("prompt-unet", precision="float32", **settings)


def test_the_loss_falls_and_the_answers_make_clicks(heads, small_cubes, tmp_path):
    checkpoint = train(plan(steps=16), heads.anatomies, tmp_path, Monitor(), shapes=Shapes())
    assert np.isfinite(checkpoint.losses).all()
    assert np.mean(checkpoint.losses[-5:]) < 0.85 * np.mean(checkpoint.losses[:3])


def test_the_same_seed_gives_the_same_weights(heads, small_cubes, tmp_path):
    first, second = (
        train(plan(steps=3), heads.anatomies, tmp_path / name, Monitor()).average.state_dict() for name in ("a", "b")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_resumes(heads, small_cubes, tmp_path):
    before = train(plan(steps=2), heads.anatomies, tmp_path, Monitor())
    after = train(plan(steps=3, resume=True), heads.anatomies, tmp_path, Monitor())
    assert after.losses[:2] == before.losses and after.step == 3


def test_the_command_writes_weights_of_the_network_and_a_contact_sheet(
    anatomy_folder, shape_folder, small_cubes, tmp_path, capsys
):
    out = tmp_path / "out"
    command = ["train", "prompt-unet", "--anatomy", str(anatomy_folder), "--shapes", str(shape_folder), "-o", str(out)]
    assert run([*command, "--steps", "1"]) == 0
    assert "prompt-unet: 1 steps" in capsys.readouterr().out
    weights = load_file(out / "prompt-unet.safetensors")
    assert weights.keys() == PromptUNet().state_dict().keys()
    assert (out / "prompt-unet.safetensors").stat().st_size < 6e6
    assert (out / "patients.png").exists()


def test_shapes_are_for_prompt_unet_alone(anatomy_folder, shape_folder, tmp_path, capsys):
    command = ["train", "dwi-unet", "--anatomy", str(anatomy_folder), "--shapes", str(shape_folder), "-o"]
    assert run([*command, str(tmp_path / "out")]) == 2
    assert "--shapes is for prompt-unet" in capsys.readouterr().err

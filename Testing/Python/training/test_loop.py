"""The training loop: the loss falls, an interrupted run ends like an uninterrupted one, files are complete."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import ROOT

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.monitor import Monitor

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
from safetensors import safe_open

from StrokeSAMLib.training.loop import TrainingPlan, train
from StrokeSAMLib.training.synthesis import Anatomy


def float32_plan(**plan):
    """A plan whose precision does not depend on a trial."""
    return TrainingPlan("dwi-unet", precision="float32", **plan)


def same_weights(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def learning_rate(checkpoint):
    return checkpoint.optimiser.param_groups[0]["lr"]


def test_the_loss_falls(small_patients, tmp_path):
    checkpoint = train(TrainingPlan("dwi-unet", steps=40), [], tmp_path, Monitor())
    assert np.mean(checkpoint.losses[-5:]) < 0.75 * np.mean(checkpoint.losses[:5])


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(small_patients, tmp_path):
    uninterrupted = train(float32_plan(steps=6, cooldown=2), [], tmp_path / "uninterrupted", Monitor())
    train(float32_plan(steps=3), [], tmp_path / "parts", Monitor())
    resumed = train(float32_plan(steps=6, cooldown=2, resume=True), [], tmp_path / "parts", Monitor())
    assert resumed.losses == uninterrupted.losses
    assert same_weights(resumed.average, uninterrupted.average)


def test_the_learning_rate_falls_to_zero_over_the_last_steps(small_patients, tmp_path):
    plan = float32_plan(steps=4, cooldown=3)
    assert [plan.rate_factor(number) for number in range(4)] == [1, 1, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    cooled, warm = (train(each, [], tmp_path / str(each.cooldown), Monitor()) for each in (plan, float32_plan(steps=4)))
    assert learning_rate(cooled) == pytest.approx(learning_rate(warm) / 3)


ENDLESS_TRAINING = """
import sys
from pathlib import Path
from cube_patients import cube_patient
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.training import loop, step
step.make_patient, loop._SAVE_EVERY = cube_patient, 1
loop.train(loop.TrainingPlan("dwi-unet", steps=10**9, precision="float32"), [], Path(sys.argv[1]), Monitor())
"""


def test_a_killed_training_resumes_from_its_checkpoint(small_patients, tmp_path):
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    command = [sys.executable, "-c", ENDLESS_TRAINING, checkpoint.parent]
    process = subprocess.Popen(command, cwd=ROOT / "Testing" / "Python" / "support")
    deadline = time.monotonic() + 120
    while not (checkpoint.exists() and len(torch.load(checkpoint, weights_only=True)["losses"]) > 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    steps = len(torch.load(checkpoint, weights_only=True)["losses"]) + 2
    resumed = train(float32_plan(steps=steps, resume=True), [], checkpoint.parent, Monitor())
    uninterrupted = train(float32_plan(steps=steps), [], tmp_path / "uninterrupted", Monitor())
    assert resumed.losses == uninterrupted.losses
    assert same_weights(resumed.average, uninterrupted.average)


def test_a_cancelled_training_is_saved_after_its_last_step(small_patients, tmp_path):
    cancel = threading.Event()

    def cancel_at_step_3(_, text):
        if text.startswith("step 3,"):
            cancel.set()

    with pytest.raises(Cancelled):
        train(TrainingPlan("dwi-unet", steps=9), [], tmp_path, Monitor(cancel_at_step_3, cancel))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "curve.png", "patients.png"]
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["losses"]) == 4


def test_weights_are_the_average_in_half_precision(small_patients, tmp_path):
    checkpoint = train(TrainingPlan("dwi-unet", steps=2), [], tmp_path, Monitor())
    weights = safetensors.load_file(tmp_path / "dwi-unet.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert weights.keys() == checkpoint.average.state_dict().keys()
    assert (tmp_path / "dwi-unet.safetensors").stat().st_size < 6e6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.pt",
        "curve.png",
        "dwi-unet.safetensors",
        "patients.png",
    ]


def test_the_header_of_the_weights_describes_the_training(small_patients, tmp_path):
    train(float32_plan(steps=1), [], tmp_path, Monitor())
    train(TrainingPlan("dwi-unet", steps=3, cooldown=2, precision="bfloat16", resume=True), [], tmp_path, Monitor())
    with safe_open(tmp_path / "dwi-unet.safetensors", "pt") as file:
        header = file.metadata()
    assert (header["network"], header["seed"], header["steps"], header["cooldown"]) == ("dwi-unet", "1", "3", "2")
    assert header["precision"] == "float32, bfloat16"


def test_a_training_is_not_overwritten(small_patients, tmp_path):
    train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match=r"checkpoint\.pt: a training lies there"):
        train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_full_disk_is_an_error_and_the_earlier_checkpoint_stays(small_patients, tmp_path, monkeypatch):
    def write_fails(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nmore")

    train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    monkeypatch.setattr(torch, "save", write_fails)
    with pytest.raises(InputError, match=r"checkpoint\.pt: cannot write there: Pytorch.*failed$"):
        train(TrainingPlan("dwi-unet", steps=2, resume=True), [], tmp_path, Monitor())
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_a_training_that_cannot_be_resumed_is_an_error(small_patients, tmp_path):
    with pytest.raises(InputError, match="no training to resume"):
        train(TrainingPlan("dwi-unet", resume=True), [], tmp_path, Monitor())
    train(TrainingPlan("dwi-unet", steps=1), [], tmp_path, Monitor())
    other = Anatomy("other", np.zeros((3, 2, 2, 2), np.float32), (3.0, 3.0, 3.0))
    for id, seed, anatomies, difference in (
        ("ncct-unet", 1, [], "network dwi-unet, not ncct-unet"),
        ("dwi-unet", 2, [], "seed 1, not 2"),
        ("dwi-unet", 1, [other], "maps , not other [0-9a-f]{12}"),
    ):
        with pytest.raises(InputError, match=rf"checkpoint\.pt: a training with {difference}"):
            train(TrainingPlan(id, seed=seed, resume=True), anatomies, tmp_path, Monitor())
    complete = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    lacking = {key: value for key, value in complete.items() if key != "network"}
    for content, error in (
        (b"half", "not a readable checkpoint"),
        (lacking, "no checkpoint of a training"),
        ({**complete, "optimiser": {}}, "a damaged checkpoint of a training"),
        ({**complete, "optimiser": {**complete["optimiser"], "state": {}}}, "a damaged checkpoint of a training"),
        ({**complete, "losses": None}, "a damaged checkpoint of a training"),
        ({**complete, "average": {}}, "weights of another network"),
    ):
        if isinstance(content, bytes):
            (tmp_path / "checkpoint.pt").write_bytes(content)
        else:
            torch.save(content, tmp_path / "checkpoint.pt")
        with pytest.raises(InputError, match=rf"checkpoint\.pt: {error}"):
            train(TrainingPlan("dwi-unet", resume=True), [], tmp_path, Monitor())

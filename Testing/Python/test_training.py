"""Training: the loss falls, an interrupted run ends where an uninterrupted one does, files are whole."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ball_anatomy
from PIL import Image

from StrokeSAMLib.cli import run
from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.monitor import Monitor

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
from safetensors import safe_open

from StrokeSAMLib.imaging.channels import MULTIPLE
from StrokeSAMLib.nets.compact_unet import build
from StrokeSAMLib.training import step
from StrokeSAMLib.training.loop import Plan, train
from StrokeSAMLib.training.loss import dice_and_bce
from StrokeSAMLib.training.synthesis import Anatomy, Patient, read_anatomies


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "anatomy").mkdir()
    sitk.WriteImage(ball_anatomy(), str(tmp_path / "anatomy" / "ball.nii.gz"))
    return tmp_path / "anatomy"


def cube(kind, anatomies, seed):
    """A patient of 16³ voxels: a bright cube is the lesion. Quick, and quickly learnt."""
    rng = np.random.default_rng(seed)
    lesion = np.zeros((16, 16, 16), bool)
    k, j, i = rng.integers(2, 9, 3)
    lesion[k : k + 6, j : j + 6, i : i + 6] = True
    channels = rng.standard_normal((2, 16, 16, 16), dtype=np.float32) * 0.2
    channels[0] += 2 * lesion
    return Patient(channels, lesion, np.ones_like(lesion))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(step, "patient", cube)


def exactly(**plan):
    """In a precision that is not for a trial to choose."""
    return Plan("dwi-unet", precision="float32", **plan)


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def rate_of(state):
    return state.optimiser.param_groups[0]["lr"]


@pytest.mark.parametrize(("id", "channels"), [("ncct-unet", 3), ("dwi-unet", 2)])
def test_the_network_is_small_and_takes_any_size_that_is_a_multiple(id, channels):
    network = build(id)
    assert sum(each.numel() for each in network.parameters()) < 3_000_000
    size = (MULTIPLE, 2 * MULTIPLE, 3 * MULTIPLE)
    assert network(torch.zeros(1, channels, *size)).shape == (1, 1, *size)


def test_the_loss_is_near_nothing_for_the_truth_and_also_without_a_lesion():
    truth = torch.zeros(2, 1, 4, 4, 4)
    truth[0, 0, :2] = 1
    assert dice_and_bce(40 * truth - 20, truth, "dwi-unet") < 0.01
    assert dice_and_bce(20 - 40 * truth, truth, "dwi-unet") > 1


def test_the_loss_falls(tiny, tmp_path):
    state = train(Plan("dwi-unet", steps=40), [], tmp_path, Monitor())
    assert np.mean(state.losses[-5:]) < 0.75 * np.mean(state.losses[:5])


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tiny, tmp_path):
    whole = train(exactly(steps=6, cooldown=2), [], tmp_path / "whole", Monitor())
    train(exactly(steps=3), [], tmp_path / "parts", Monitor())
    resumed = train(exactly(steps=6, cooldown=2, resume=True), [], tmp_path / "parts", Monitor())
    assert resumed.losses == whole.losses
    assert same(resumed.average, whole.average)


def test_the_rate_falls_to_nothing_over_the_last_steps(tiny, tmp_path):
    plan = exactly(steps=4, cooldown=3)
    assert [plan.rate(number) for number in range(4)] == [1, 1, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    cooled, warm = (train(each, [], tmp_path / str(each.cooldown), Monitor()) for each in (plan, exactly(steps=4)))
    assert rate_of(cooled) == pytest.approx(rate_of(warm) / 3)


FOR_EVER = """
import sys
from pathlib import Path
from test_training import cube, step
from StrokeSAMLib.training import loop
from StrokeSAMLib.monitor import Monitor
step.patient, loop._SAVE_EVERY = cube, 1
loop.train(loop.Plan("dwi-unet", steps=10**9, precision="float32"), [], Path(sys.argv[1]), Monitor())
"""


def test_a_killed_training_goes_on_from_its_checkpoint(tiny, tmp_path):
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    process = subprocess.Popen([sys.executable, "-c", FOR_EVER, checkpoint.parent], cwd=Path(__file__).parent)
    deadline = time.monotonic() + 120
    while not (checkpoint.exists() and len(torch.load(checkpoint, weights_only=True)["losses"]) > 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    steps = len(torch.load(checkpoint, weights_only=True)["losses"]) + 2
    resumed = train(exactly(steps=steps, resume=True), [], checkpoint.parent, Monitor())
    whole = train(exactly(steps=steps), [], tmp_path / "whole", Monitor())
    assert resumed.losses == whole.losses
    assert same(resumed.average, whole.average)


def test_a_cancelled_training_is_saved_where_it_stands(tiny, tmp_path):
    cancel = threading.Event()

    def at_the_third(_, text):
        if text.startswith("step 3,"):
            cancel.set()

    with pytest.raises(Cancelled):
        train(Plan("dwi-unet", steps=9), [], tmp_path, Monitor(at_the_third, cancel))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "curve.png", "patients.png"]
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["losses"]) == 4


def test_weights_are_the_average_in_half_precision(tiny, tmp_path):
    state = train(Plan("dwi-unet", steps=2), [], tmp_path, Monitor())
    held = safetensors.load_file(tmp_path / "dwi-unet.safetensors")
    assert {value.dtype for value in held.values()} == {torch.float16}
    assert held.keys() == state.average.state_dict().keys()
    assert (tmp_path / "dwi-unet.safetensors").stat().st_size < 6e6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.pt",
        "curve.png",
        "dwi-unet.safetensors",
        "patients.png",
    ]


def test_the_weights_say_what_made_them(tiny, tmp_path):
    train(exactly(steps=1), [], tmp_path, Monitor())
    train(Plan("dwi-unet", steps=3, cooldown=2, precision="bfloat16", resume=True), [], tmp_path, Monitor())
    with safe_open(tmp_path / "dwi-unet.safetensors", "pt") as held:
        made = held.metadata()
    assert (made["network"], made["seed"], made["steps"], made["cooldown"]) == ("dwi-unet", "1", "3", "2")
    assert made["precision"] == "float32, bfloat16"


def test_the_first_patients_are_shown(tiny, tmp_path):
    train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    with Image.open(tmp_path / "patients.png") as picture:
        pixels = np.asarray(picture)
    one = 3 * 16  # three pixels a voxel; three patients a row, of two channels each
    assert pixels.shape == (4 * one, 6 * one, 3)
    tiles = pixels.reshape(4, one, 6, one, 3).swapaxes(1, 2)
    outlined = (tiles == (255, 176, 0)).all(-1)
    assert (outlined.sum((2, 3)) == [0, 4 * 17] * 3).all()
    bright = tiles[:, ::2, ..., 0].astype(float).mean((0, 1))
    assert bright[12:36, 12:36].mean() > 2 * bright[:6].mean()


def test_the_sheet_is_of_the_beginning(tiny, tmp_path):
    train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    (tmp_path / "patients.png").write_bytes(b"the first")
    train(Plan("dwi-unet", steps=2, resume=True), [], tmp_path, Monitor())
    assert (tmp_path / "patients.png").read_bytes() == b"the first"


@pytest.mark.parametrize(("device", "count"), [("cpu", 2), ("mps", 1)])
def test_threads_share_the_cores_and_give_them_back(device, count):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with pytest.raises(KeyError), step.workers(torch.device(device)) as among:
            meet = threading.Barrier(count)
            found = among.map(lambda _: (meet.wait(10), torch.get_num_threads())[1], range(count))
            assert list(found) == [4 // count] * count
            raise KeyError
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_gradient_that_is_no_number_is_left_out(tiny, tmp_path, monkeypatch):
    good = step.patient

    def overflowing(kind, anatomies, seed):
        made = good(kind, anatomies, seed)
        if seed % 10 == 0:
            made.channels[0, 0, 0, 0] = np.inf
        return made

    monkeypatch.setattr(step, "patient", overflowing)
    state = train(Plan("dwi-unet", steps=3), [], tmp_path, Monitor())
    assert not np.isfinite(state.losses[0]) and np.isfinite(state.losses[1:]).all()
    assert all(value.isfinite().all() for value in state.average.parameters())


def test_a_training_is_not_written_over(tiny, tmp_path):
    train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match=r"checkpoint\.pt: a training lies there"):
        train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_disk_that_is_full_is_said_and_the_checkpoint_before_is_kept(tiny, tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nmore")

    train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"checkpoint\.pt: cannot write there: Pytorch.*failed$"):
        train(Plan("dwi-unet", steps=2, resume=True), [], tmp_path, Monitor())
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_want_of_memory_is_said(tiny, folder, tmp_path, monkeypatch, capsys):
    def none(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(step, "_learn", none)
    assert run(["train", "dwi-unet", "--anatomy", str(folder), "-o", str(tmp_path / "out"), "--steps", "1"]) == 2
    assert "not enough memory: " in capsys.readouterr().err


def test_what_cannot_be_resumed_is_said(tiny, tmp_path):
    with pytest.raises(InputError, match="no training to resume"):
        train(Plan("dwi-unet", resume=True), [], tmp_path, Monitor())
    train(Plan("dwi-unet", steps=1), [], tmp_path, Monitor())
    other = Anatomy("other", np.zeros((3, 2, 2, 2), np.float32), (3.0, 3.0, 3.0))
    for id, seed, maps, wrong in (
        ("ncct-unet", 1, [], "network dwi-unet, not ncct-unet"),
        ("dwi-unet", 2, [], "seed 1, not 2"),
        ("dwi-unet", 1, [other], "maps , not other [0-9a-f]{12}"),
    ):
        with pytest.raises(InputError, match=rf"checkpoint\.pt: a training with {wrong}"):
            train(Plan(id, seed=seed, resume=True), maps, tmp_path, Monitor())
    whole = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    lacking = {key: value for key, value in whole.items() if key != "network"}
    for held, why in (
        (b"half", "not a readable checkpoint"),
        (lacking, "no checkpoint of a training"),
        ({**whole, "optimiser": {}}, "a damaged checkpoint of a training"),
        ({**whole, "optimiser": {**whole["optimiser"], "state": {}}}, "a damaged checkpoint of a training"),
        ({**whole, "losses": None}, "a damaged checkpoint of a training"),
        ({**whole, "average": {}}, "weights of another network"),
    ):
        if isinstance(held, bytes):
            (tmp_path / "checkpoint.pt").write_bytes(held)
        else:
            torch.save(held, tmp_path / "checkpoint.pt")
        with pytest.raises(InputError, match=rf"checkpoint\.pt: {why}"):
            train(Plan("dwi-unet", resume=True), [], tmp_path, Monitor())


def test_two_processes_learn_what_one_learns_of_as_many_patients(folder, tmp_path, monkeypatch):
    pytest.importorskip("lightning_fabric")
    words = ["train", "dwi-unet", "--anatomy", folder, "-o", tmp_path / "two", "--steps", "2", "--devices", "2"]
    words += ["--precision", "float32"]
    done = subprocess.run(
        [Path(sys.executable).with_name("strokesam"), *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dwi-unet: 2 steps") == 1
    anatomies = read_anatomies(folder)
    alone = train(exactly(steps=2), anatomies, tmp_path / "alone", Monitor())
    monkeypatch.setattr(step, "_BATCH", 4)
    wanted = train(exactly(steps=2), anatomies, tmp_path / "one", Monitor())
    found = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)["network"]
    # The first steps of Adam follow the gradient's sign, which rounding decides where it is next to nothing.
    assert alike(found, wanted.network.state_dict()) > 0.98
    assert alike(found, alone.network.state_dict()) < 0.9


def alike(first, second):
    """The part of two networks' numbers that are the same but for rounding."""
    pairs = [(first[key].flatten(), second[key].flatten()) for key in first]
    a, b = (torch.cat(each) for each in zip(*pairs, strict=True))
    return float(torch.isclose(a, b, rtol=1e-3, atol=1e-6).float().mean())


class TestCommand:
    def test_trains_on_a_folder_of_tissue_maps(self, folder, tmp_path, capsys):
        out = tmp_path / "out"
        assert run(["train", "ncct-unet", "--anatomy", str(folder), "-o", str(out), "--minutes", "0.01"]) == 0
        assert "ncct-unet: " in capsys.readouterr().out
        assert (out / "ncct-unet.safetensors").exists()
        assert len(read_anatomies(folder)) == 1

    def test_refuses_what_it_does_not_know(self, folder, tmp_path, capsys):
        assert run(["train", "other", "--anatomy", str(folder), "-o", str(tmp_path)]) == 2
        assert "no network 'other'" in capsys.readouterr().err
        assert run(["train", "dwi-unet", "--anatomy", str(folder), "-o", str(tmp_path), "--precision", "half"]) == 2
        assert "precision is 'half'; it must be one of auto, float32, bfloat16" in capsys.readouterr().err
        assert run(["train", "dwi-unet", "--anatomy", str(folder), "-o", str(tmp_path), "--cooldown", "9"]) == 2
        assert "say how many there are (--steps)" in capsys.readouterr().err
        assert run(["train", "dwi-unet", "--anatomy", str(folder), "-o", str(tmp_path), "--devices", "9999"]) == 2
        assert "devices is 9999; " in capsys.readouterr().err
        assert run(["train", "dwi-unet", "--anatomy", str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
        assert "no such folder" in capsys.readouterr().err

"""Checkpoints in every known layout, and files to refuse: broken, of another network, or malicious."""

import os
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

WITH_PREFIX = "sam2_model."


def network():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


STATE = network().state_dict()
PREFIXED = {f"{WITH_PREFIX}{key}": value for key, value in STATE.items()}
LOG = {"ema_fg_dice": [np.float64(0.25), np.float32(0.5)], "epochs": np.int64(7), "better": np.bool_(True)}
LAYOUTS = {
    "bare": STATE,
    "meta": {"model": STATE},
    "stardust": {"model_state_dict": PREFIXED, "optimizer_state_dict": {"state": {}}, "epoch": 99, "loss": 0.1},
    "medsam2-branch": {"model": PREFIXED, "optimizer": {"param_groups": [{"lr": 1e-4}]}, "epoch": 3},
    "nnunet": {
        "network_weights": STATE,
        "init_args": {"fold": 0, "device": torch.device("cuda"), "plans": {"spacing": [3.0, 0.4375, 0.4375]}},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
        "_best_ema": np.float64(0.6),
        "logging": LOG,
    },
    "data-parallel": {f"module.{key}": value for key, value in STATE.items()},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.pth"


def assert_reads(path):
    weights = read_checkpoint(path)
    assert list(weights) == list(STATE)
    assert all(torch.equal(weights[key], STATE[key]) for key in STATE)


class TestLayouts:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_reads(self, path, layout):
        torch.save(LAYOUTS[layout], path)
        assert_reads(path)

    def test_reads_files_older_than_the_zip_format(self, path):
        torch.save(LAYOUTS["meta"], path, _use_new_zipfile_serialization=False)
        assert_reads(path)

    @pytest.mark.parametrize(("old", "new"), [(b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")])
    def test_reads_the_numbers_of_numpy_1_and_2(self, path, tmp_path, old, new):
        torch.save(LAYOUTS["nnunet"], tmp_path / "written")
        with zipfile.ZipFile(tmp_path / "written") as written, zipfile.ZipFile(path, "w") as renamed:
            for name in written.namelist():
                content = written.read(name)
                renamed.writestr(name, content.replace(old, new) if name.endswith("data.pkl") else content)
        assert_reads(path)

    @pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
    def test_reads_safetensors_under_any_name(self, tmp_path, name):
        safetensors.torch.save_file(STATE, tmp_path / name)
        weights = read_checkpoint(tmp_path / name)
        assert all(torch.equal(weights[key], STATE[key]) for key in STATE)

    def test_refuses_with_a_pytorch_that_does_not_read_safely(self, path, monkeypatch):
        torch.save(LAYOUTS["meta"], path)
        monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
        with pytest.raises(InputError, match=r"needs PyTorch 2\.6; this is 2\.5\.1"):
            read_checkpoint(path)


class TestComparison:
    def test_loads_matching_weights(self):
        model = network()
        torch.nn.init.zeros_(model[0].weight)
        load_weights(model, STATE, "file")
        assert torch.equal(model[0].weight, STATE["0.weight"])

    def test_counts_and_names_the_keys_that_differ(self):
        model, state = network(), {key: value for key, value in STATE.items() if not key.startswith("1.")}
        state |= {"0.weight": torch.zeros(4, 9), "extra": torch.zeros(1)}
        before = model[0].bias.clone()
        with pytest.raises(InputError) as raised:
            load_weights(model, state, "file.pth")
        assert str(raised.value) == (
            "file.pth: weights of another network: of 7 keys 5 missing (1.weight, 1.bias, 1.running_mean, …), "
            "1 unexpected (extra), 1 misshapen (0.weight)"
        )
        assert torch.equal(model[0].bias, before)


class Malicious:
    """An object that makes a folder when it is unpickled without checks."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


class TestRefusal:
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("layout", ["bare", "model", "logging"])
    def test_a_file_that_would_run_code(self, path, tmp_path, layout, zipped):
        harm = Malicious(tmp_path / "harm")
        content = {"bare": harm, "model": {"model": harm}, "logging": {**LAYOUTS["nnunet"], "logging": [harm]}}[layout]
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(
            InputError, match=rf"checkpoint\.pth: refused: it holds {os.mkdir.__module__}\.mkdir, which could run code"
        ):
            read_checkpoint(path)
        assert not harm.folder.exists()
        torch.load(path, weights_only=False)
        assert harm.folder.exists()

    def test_a_file_of_objects_in_a_numpy_scalar(self, path):
        torch.save({"model": STATE, "log": np.array([{}], dtype=object)}, path)
        with pytest.raises(InputError, match=r"checkpoint\.pth: refused"):
            read_checkpoint(path)

    def test_a_truncated_file(self, path):
        torch.save(LAYOUTS["meta"], path)
        path.write_bytes(path.read_bytes()[:-400])
        with pytest.raises(InputError, match=r"checkpoint\.pth: not a readable checkpoint"):
            read_checkpoint(path)

    @pytest.mark.parametrize("content", [b"", b"\x80", b"<html><body>Sign in</body></html>", b"PK\x03\x04"])
    def test_files_of_another_kind(self, path, content):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint\.pth: (refused|not a readable checkpoint)"):
            read_checkpoint(path)

    def test_broken_safetensors(self, tmp_path):
        path = tmp_path / "weights.safetensors"
        safetensors.torch.save_file(STATE, path)
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(InputError, match=r"weights\.safetensors: not a readable checkpoint"):
            read_checkpoint(path)

    @pytest.mark.parametrize("content", [{"model": {}}, {"epoch": 3}, [1, 2], torch.zeros(3)])
    def test_a_file_without_weights(self, path, content):
        torch.save(content, path)
        with pytest.raises(InputError, match="it holds no weights"):
            read_checkpoint(path)

    def test_a_missing_file(self, path):
        with pytest.raises(InputError, match=r"checkpoint\.pth: no such file"):
            read_checkpoint(path)

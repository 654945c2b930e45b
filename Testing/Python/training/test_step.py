"""One step of a training: threads, gradients that overflow, too little memory."""

import threading

import numpy as np
import pytest

from StrokeSAMLib.cli import run
from StrokeSAMLib.core.monitor import Monitor

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from StrokeSAMLib.training import step
from StrokeSAMLib.training.loop import TrainingPlan, train


@pytest.mark.parametrize(("device", "count"), [("cpu", 2), ("mps", 1)])
def test_threads_share_the_cores_and_give_them_back(device, count):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with pytest.raises(KeyError), step.patient_executor(torch.device(device)) as executor:
            meet = threading.Barrier(count)
            threads = executor.map(lambda _: (meet.wait(10), torch.get_num_threads())[1], range(count))
            assert list(threads) == [4 // count] * count
            raise KeyError
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_step_with_a_gradient_that_overflows_is_skipped(small_patients, tmp_path, monkeypatch):
    usual = step.make_patient

    def overflowing(kind, anatomies, seed):
        patient = usual(kind, anatomies, seed)
        if seed % 10 == 0:
            patient.network_inputs[0, 0, 0, 0] = np.inf
        return patient

    monkeypatch.setattr(step, "make_patient", overflowing)
    checkpoint = train(TrainingPlan("dwi-unet", steps=3), [], tmp_path, Monitor())
    assert not np.isfinite(checkpoint.losses[0]) and np.isfinite(checkpoint.losses[1:]).all()
    assert all(value.isfinite().all() for value in checkpoint.average.parameters())


def test_too_little_memory_is_an_error(small_patients, anatomy_folder, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(step, "_patient_gradients", fail)
    command = ["train", "dwi-unet", "--anatomy", str(anatomy_folder), "-o", str(tmp_path / "out"), "--steps", "1"]
    assert run(command) == 2
    assert "not enough memory: " in capsys.readouterr().err

"""A predictor that runs out of memory: it halves the batch, and then moves to the CPU."""

import numpy as np
import pytest
import torch

from StrokeSAMLib.lesion import predictor
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import Predictor

BATCH = np.random.default_rng(3).random((5, 2, 3)).astype(np.float32)


class HungryNetwork(torch.nn.Module):
    """A network with memory for `most` items at once, and for none on the device "meta"."""

    def __init__(self, most):
        super().__init__()
        self.most, self.calls = most, []

    def forward(self, x):
        self.calls.append((len(x), x.device.type))
        if x.device.type == "meta" or len(x) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return torch.stack([x[:, 0] * 0, x[:, 0]], 1)


def on_cpu(network, on_note=print):
    return Predictor(network, NetworkOptions(device="cpu", precision="float32"), on_note)


def test_predicts_smaller_batches():
    network, notes = HungryNetwork(most=2), []
    assert on_cpu(network, notes.append)(BATCH) == pytest.approx(BATCH[:, 0])
    assert network.calls[0] == (5, "cpu")
    assert not notes


def test_predicts_smaller_batches_where_the_device_raises_a_plain_error(monkeypatch):
    monkeypatch.setattr(
        torch, "OutOfMemoryError", lambda text: RuntimeError(f"MPS backend {text} (MPS allocated: 1 GB)")
    )
    assert on_cpu(HungryNetwork(most=2))(BATCH) == pytest.approx(BATCH[:, 0])


def test_moves_to_the_cpu_with_a_note(monkeypatch):
    monkeypatch.setattr(predictor, "choose_device", lambda name: "meta")
    network, notes = HungryNetwork(most=5), []
    moved = Predictor(network, NetworkOptions(device="auto", precision="float32"), notes.append)
    assert moved(BATCH) == pytest.approx(BATCH[:, 0])
    assert moved.device == "cpu"
    assert notes == ["not enough memory on meta: computed on the CPU"]
    assert [device for _, device in network.calls].count("meta") == 3


def test_a_single_item_that_does_not_fit_the_cpu_is_an_error():
    with pytest.raises(MemoryError):
        on_cpu(HungryNetwork(most=0))(BATCH)

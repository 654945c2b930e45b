"""The precision of a training: bfloat16 only where it is had and its gradients are right."""

import pytest

torch = pytest.importorskip("torch")
from StrokeSAMLib.nets import precision as known
from StrokeSAMLib.nets.compact_unet import build
from StrokeSAMLib.training import gradients
from StrokeSAMLib.training.gradients import loss_and_gradients, training_precision

CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(1)
    return build("dwi-unet")


def chosen(network, wanted="auto"):
    return training_precision(wanted, network, "dwi-unet", CPU)


@pytest.fixture
def off(monkeypatch):
    """Say that bfloat16 is native, and by which factor its gradients come out."""

    def change(factor):
        def computed(network, id, channels, truth, precision):
            loss, found = loss_and_gradients(network, id, channels, truth, torch.float32)
            return loss, [each * factor if precision == torch.bfloat16 else each for each in found]

        monkeypatch.setattr(known, "has_bfloat16", lambda device: True)
        monkeypatch.setattr(gradients, "loss_and_gradients", computed)

    return change


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 0.0, 2.0, -1.0])
def test_gradients_that_come_out_wrong_are_not_trained_with(network, off, factor):
    off(factor)
    assert chosen(network) == torch.float32


def test_nearly_right_is_right(network, off):
    off(1.05)
    assert chosen(network) == torch.bfloat16


def test_nothing_is_tried_where_bfloat16_is_not_native_or_the_precision_is_said(network, off, monkeypatch):
    off(float("nan"))
    assert chosen(network, "bfloat16") == torch.bfloat16
    assert chosen(network, "float32") == torch.float32
    monkeypatch.setattr(known, "has_bfloat16", lambda device: False)
    monkeypatch.setattr(gradients, "loss_and_gradients", None)
    assert chosen(network) == torch.float32


def test_a_gradient_tells_how_the_loss_changes(network):
    generator = torch.Generator().manual_seed(2)
    channels = torch.randn(1, 2, 16, 16, 16, generator=generator)
    truth = (channels[:, :1] > 1).float()
    before, found = loss_and_gradients(network, "dwi-unet", channels, truth, torch.float32)
    assert {each.dtype for each in found} == {torch.float32}
    step = 1e-3 / float(sum(each.square().sum() for each in found)) ** 0.5
    with torch.no_grad():
        for parameter, gradient in zip(network.parameters(), found, strict=True):
            parameter -= step * gradient
    after, _ = loss_and_gradients(network, "dwi-unet", channels, truth, torch.float32)
    steepest = 1e-3 * 1e-3 / step
    assert before - after == pytest.approx(steepest, rel=0.1)

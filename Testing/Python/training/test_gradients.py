"""The precision of a training: bfloat16 only where the device has it and its gradients are right."""

import pytest

torch = pytest.importorskip("torch")
from StrokeSAMLib.nets import precision as device_precision
from StrokeSAMLib.nets.models.compact_unet import build
from StrokeSAMLib.training import gradients
from StrokeSAMLib.training.gradients import loss_and_gradients, training_precision

CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(1)
    return build("dwi-unet")


def choose(network, wanted="auto"):
    return training_precision(wanted, network, "dwi-unet", CPU)


@pytest.fixture
def scale_bfloat16(monkeypatch):
    """A function that makes bfloat16 native and its gradients wrong by a factor."""

    def scale(factor):
        def scaled(network, id, inputs, truth, precision):
            loss, values = loss_and_gradients(network, id, inputs, truth, torch.float32)
            return loss, [each * factor if precision == torch.bfloat16 else each for each in values]

        monkeypatch.setattr(device_precision, "has_bfloat16", lambda device: True)
        monkeypatch.setattr(gradients, "loss_and_gradients", scaled)

    return scale


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 0.0, 2.0, -1.0])
def test_float32_is_chosen_where_the_gradients_of_bfloat16_are_wrong(network, scale_bfloat16, factor):
    scale_bfloat16(factor)
    assert choose(network) == torch.float32


def test_bfloat16_is_chosen_where_its_gradients_are_nearly_right(network, scale_bfloat16):
    scale_bfloat16(1.05)
    assert choose(network) == torch.bfloat16


def test_there_is_no_trial_without_native_bfloat16_or_with_a_set_precision(network, scale_bfloat16, monkeypatch):
    scale_bfloat16(float("nan"))
    assert choose(network, "bfloat16") == torch.bfloat16
    assert choose(network, "float32") == torch.float32
    monkeypatch.setattr(device_precision, "has_bfloat16", lambda device: False)
    monkeypatch.setattr(gradients, "loss_and_gradients", None)
    assert choose(network) == torch.float32


def test_a_small_step_against_the_gradient_lowers_the_loss_as_predicted(network):
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(1, 2, 16, 16, 16, generator=generator)
    truth = (inputs[:, :1] > 1).float()
    before, values = loss_and_gradients(network, "dwi-unet", inputs, truth, torch.float32)
    assert {each.dtype for each in values} == {torch.float32}
    step = 1e-3 / float(sum(each.square().sum() for each in values)) ** 0.5
    with torch.no_grad():
        for parameter, gradient in zip(network.parameters(), values, strict=True):
            parameter -= step * gradient
    after, _ = loss_and_gradients(network, "dwi-unet", inputs, truth, torch.float32)
    steepest = 1e-3 * 1e-3 / step
    assert before - after == pytest.approx(steepest, rel=0.1)

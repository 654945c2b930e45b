"""The loss of a network and its gradients, and the choice of a precision in which the gradients are right."""

from __future__ import annotations

import torch
from torch import nn

from StrokeSAMLib.nets.precision import PRECISIONS, choose_precision
from StrokeSAMLib.training.loss import dice_and_bce
from StrokeSAMLib.training.networks import INPUT_CHANNELS

Gradients = tuple[torch.Tensor, ...]
_SIDE = 32
# The greatest error of the trial's gradients, as a part of their norm.
_MOST_ERROR = 0.2


def loss_and_gradients(
    network: nn.Module, id: str, inputs: torch.Tensor, truth: torch.Tensor, precision: torch.dtype
) -> tuple[float, Gradients]:
    """Compute the loss of a batch of patients and its gradient with respect to each parameter.

    Args:
        network: the network that learns.
        id: "ncct-unet" or "dwi-unet".
        inputs: network inputs, float32 (batch, channel, k, j, i), on the network's device.
        truth: the lesions, float32 (batch, 1, k, j, i), 0 or 1.
        precision: torch.float32 or torch.bfloat16, the precision of the convolutions.

    Returns:
        The loss and the gradients, float32.
    """
    with torch.autocast(inputs.device.type, dtype=precision, enabled=precision != torch.float32):
        logits = network(inputs.contiguous(memory_format=torch.channels_last_3d))
    loss = dice_and_bce(logits, truth, id)
    return float(loss.detach()), torch.autograd.grad(loss, list(network.parameters()))


def training_precision(choice: str, network: nn.Module, id: str, device: torch.device) -> torch.dtype:
    """The precision to train in.

    With "auto" it is bfloat16 where the device has it and where a trial gives nearly the gradients of float32. With
    PyTorch 2.13 the gradients of 3-D convolutions in bfloat16 were 2 % off on an Intel CPU and NaN on an AMD CPU.

    Args:
        choice: "auto", "float32" or "bfloat16".
        network: the network that learns.
        id: "ncct-unet", "dwi-unet" or "prompt-unet".
        device: the device to train on.
    """
    precision = PRECISIONS[choose_precision(choice, device.type)]
    if choice != "auto" or precision == torch.float32:
        return precision
    exact, rounded = (_trial_gradients(network, id, device, each) for each in (torch.float32, precision))
    # The comparison is false for NaN.
    return precision if (rounded - exact).norm() < _MOST_ERROR * exact.norm() else torch.float32


def _trial_gradients(network: nn.Module, id: str, device: torch.device, precision: torch.dtype) -> torch.Tensor:
    """All gradients in one vector, for a patient of noise with a bright cube as the lesion."""
    size = (_SIDE,) * 3
    truth = torch.zeros(1, 1, *size)
    truth[..., :8, :8, :8] = 1
    inputs = torch.randn(1, INPUT_CHANNELS[id], *size, generator=torch.Generator().manual_seed(0)) + truth
    _, gradients = loss_and_gradients(network, id, inputs.to(device), truth.to(device), precision)
    return torch.cat([each.flatten() for each in gradients])

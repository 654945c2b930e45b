"""A network's loss and its gradients, and the precision in which they come out right."""

from __future__ import annotations

import torch

from StrokeSAMLib.nets.compact_unet import CHANNELS, CompactUNet
from StrokeSAMLib.nets.precision import PRECISIONS, choose_precision
from StrokeSAMLib.training.loss import dice_and_bce

Gradients = tuple[torch.Tensor, ...]
_SIDE = 32
_MOST_ERROR = 0.2


def loss_and_gradients(
    network: CompactUNet, id: str, channels: torch.Tensor, truth: torch.Tensor, precision: torch.dtype
) -> tuple[float, Gradients]:
    """The loss of patients, and its gradient by each parameter, Float32.

    Args:
        id: "ncct-unet" or "dwi-unet".
        channels: (batch, channel, k, j, i), Float32, on the network's device.
        truth: (batch, 1, k, j, i), Float32, 0 or 1.
        precision: of the convolutions.
    """
    with torch.autocast(channels.device.type, dtype=precision, enabled=precision != torch.float32):
        logits = network(channels.contiguous(memory_format=torch.channels_last_3d))
    loss = dice_and_bce(logits, truth, id)
    return float(loss.detach()), torch.autograd.grad(loss, list(network.parameters()))


def training_precision(wanted: str, network: CompactUNet, id: str, device: torch.device) -> torch.dtype:
    """`wanted`; for "auto" bfloat16 where the device has it and a trial gives nearly the gradients of float32.

    With PyTorch 2.13 those of 3-D convolutions were 2 % off on a CPU of Intel, and came out as NaN on one of AMD.
    """
    precision = PRECISIONS[choose_precision(wanted, device.type)]
    if wanted != "auto" or precision == torch.float32:
        return precision
    exact, rounded = (_of_noise(network, id, device, each) for each in (torch.float32, precision))
    # Of NaN it is not less.
    return precision if (rounded - exact).norm() < _MOST_ERROR * exact.norm() else torch.float32


def _of_noise(network: CompactUNet, id: str, device: torch.device, precision: torch.dtype) -> torch.Tensor:
    """All gradients in a row, of a patient of noise with a bright cube for a lesion."""
    size = (_SIDE,) * 3
    truth = torch.zeros(1, 1, *size)
    truth[..., :8, :8, :8] = 1
    channels = torch.randn(1, CHANNELS[id], *size, generator=torch.Generator().manual_seed(0)) + truth
    _, found = loss_and_gradients(network, id, channels.to(device), truth.to(device), precision)
    return torch.cat([each.flatten() for each in found])

"""The state of a training: network, moving average, optimiser, losses. It is written to disk complete or not at all."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import atomic_write, is_file
from StrokeSAMLib.training.networks import build
from StrokeSAMLib.weights.checkpoint import load_weights, read_torch_file

_DECAY = 0.998
_LEARNING_RATE = 2e-3
_WARM_UP, _CONSTANT = 30, 800
_FILE_KEYS = ("origin", "network", "average", "optimiser", "losses", "precisions")


@dataclass(frozen=True)
class TrainingSetup:
    """The settings that determine the patients of a training and their order.

    Attributes:
        network: "ncct-unet", "dwi-unet" or "prompt-unet".
        seed: seed of the patients and of the first weights.
        maps: the anatomies' names and hashes, and those of shapes. Their licences also cover the weights.
        devices: number of devices that train together.
    """

    network: str
    seed: int
    maps: str
    devices: int = 1


@dataclass
class Checkpoint:
    """The state of a training.

    Attributes:
        setup: the training's settings.
        network: the network that learns.
        average: the exponential moving average of the network's weights, which is the training's result.
        optimiser: the optimiser with its own averages.
        losses: one loss for each step.
        precisions: the precisions that the training's runs computed in.
    """

    setup: TrainingSetup
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)
    precisions: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The number of steps done."""
        return len(self.losses)

    def set_learning_rate(self, factor: float = 1.0) -> None:
        """Set the learning rate of the next step.

        It depends on the step alone, so that a training may stop at any step.

        Args:
            factor: factor of the rate, 0…1.
        """
        warm, decay = min(1.0, (self.step + 1) / _WARM_UP), max(1.0, self.step / _CONSTANT) ** -0.5
        for group in self.optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * warm * decay * factor

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the network, faster in the first steps."""
        decay = min(_DECAY, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


def new_checkpoint(setup: TrainingSetup, device: str) -> Checkpoint:
    """The state before the first step."""
    torch.manual_seed(setup.seed)
    network = build(setup.network).to(device)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    return Checkpoint(setup, network, average, torch.optim.AdamW(network.parameters(), weight_decay=1e-3))


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint. If the process is killed meanwhile, the earlier file stays.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    content = {
        "origin": asdict(checkpoint.setup),
        "network": checkpoint.network.state_dict(),
        "average": checkpoint.average.state_dict(),
        "optimiser": checkpoint.optimiser.state_dict(),
        "losses": checkpoint.losses,
        "precisions": checkpoint.precisions,
    }
    with atomic_write(path, RuntimeError) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path, setup: TrainingSetup, device: str) -> Checkpoint:
    """Read a checkpoint of `save_checkpoint`.

    Raises:
        InputError: the file is missing or damaged, or its training has another setup.
    """
    if not is_file(path):
        raise InputError(f"{path}: no training to resume")
    content = read_torch_file(path)
    if (
        not isinstance(content, dict)
        or not content.keys() >= set(_FILE_KEYS)
        or not isinstance(content["origin"], dict)
    ):
        raise InputError(f"{path}: no checkpoint of a training")
    for name, expected in asdict(setup).items():
        if content["origin"].get(name) != expected:
            raise InputError(f"{path}: a training with {name} {content['origin'].get(name)}, not {expected}")
    checkpoint = new_checkpoint(setup, device)
    try:
        load_weights(checkpoint.network, content["network"], str(path))
        load_weights(checkpoint.average, content["average"], str(path))
        checkpoint.optimiser.load_state_dict(_checked_optimiser(content["optimiser"], checkpoint))
        checkpoint.losses = [float(loss) for loss in content["losses"]]
        checkpoint.precisions = [str(precision) for precision in content["precisions"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a damaged checkpoint of a training ({error})") from None
    return checkpoint


def _checked_optimiser(content: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The optimiser's state, if it fits the network. PyTorch itself would fail only at the next step."""
    expected = checkpoint.optimiser.state_dict()["param_groups"]
    entries = sorted(content["state"].items())
    shapes = [[entry[name].shape for name in ("exp_avg", "exp_avg_sq")] for _, entry in entries]
    if shapes != [[parameter.shape] * 2 for parameter in checkpoint.network.parameters()]:
        raise ValueError("its optimiser's averages are of another network")
    if [group.keys() for group in content["param_groups"]] != [group.keys() for group in expected]:
        raise ValueError("its optimiser is another")
    return content

"""Where a training stands: network, its moving average, optimiser, loss so far; on disk whole or not at all."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import is_file, replacing
from StrokeSAMLib.nets.compact_unet import CompactUNet, build
from StrokeSAMLib.weights.checkpoint import load_weights, read_torch

_DECAY = 0.998
_LEARNING_RATE = 2e-3
_WARM_UP, _CONSTANT = 30, 800
_HELD = ("origin", "network", "average", "optimiser", "losses", "precisions")


@dataclass(frozen=True)
class Origin:
    """What a training comes from: from the same come the same patients in the same order.

    Attributes:
        network: "ncct-unet" or "dwi-unet".
        seed: of the patients and the first weights.
        maps: the anatomies' names and hashes; weights are bound by the maps' licence.
        devices: how many train together.
    """

    network: str
    seed: int
    maps: str
    devices: int = 1


@dataclass
class State:
    """A training.

    Attributes:
        average: the exponential moving average of the network's weights: what is used in the end.
        losses: one a step.
        precisions: what its runs computed in.
    """

    origin: Origin
    network: CompactUNet
    average: CompactUNet
    optimiser: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)
    precisions: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)

    def set_rate(self, part: float = 1.0) -> None:
        """The learning rate of the next step: `part` of one that depends on the step alone, so that training may stop
        at any."""
        warm, decay = min(1.0, (self.step + 1) / _WARM_UP), max(1.0, self.step / _CONSTANT) ** -0.5
        for group in self.optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * warm * decay * part

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the network, faster in the first steps."""
        decay = min(_DECAY, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


def begin(origin: Origin, device: str) -> State:
    """A training that has not begun."""
    torch.manual_seed(origin.seed)
    network = build(origin.network).to(device)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    return State(origin, network, average, torch.optim.AdamW(network.parameters(), weight_decay=1e-3))


def save(state: State, path: Path) -> None:
    """Write a checkpoint; a process killed meanwhile leaves the one before.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    held = {
        "origin": asdict(state.origin),
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "losses": state.losses,
        "precisions": state.precisions,
    }
    with replacing(path, RuntimeError) as temporary:
        torch.save(held, temporary)


def resume(path: Path, origin: Origin, device: str) -> State:
    """The training that `save` wrote.

    Raises:
        InputError: there is none, or it comes from something else, or is damaged.
    """
    if not is_file(path):
        raise InputError(f"{path}: no training to resume")
    held = read_torch(path)
    if not isinstance(held, dict) or not held.keys() >= set(_HELD) or not isinstance(held["origin"], dict):
        raise InputError(f"{path}: no checkpoint of a training")
    for name, wanted in asdict(origin).items():
        if held["origin"].get(name) != wanted:
            raise InputError(f"{path}: a training with {name} {held['origin'].get(name)}, not {wanted}")
    state = begin(origin, device)
    try:
        load_weights(state.network, held["network"], str(path))
        load_weights(state.average, held["average"], str(path))
        state.optimiser.load_state_dict(_fitting(held["optimiser"], state))
        state.losses = [float(loss) for loss in held["losses"]]
        state.precisions = [str(precision) for precision in held["precisions"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a damaged checkpoint of a training ({error})") from None
    return state


def _fitting(held: dict[str, Any], state: State) -> dict[str, Any]:
    """What the optimiser held, if it is this network's; PyTorch would find out at the next step."""
    wanted = state.optimiser.state_dict()["param_groups"]
    shapes = [[entry[name].shape for name in ("exp_avg", "exp_avg_sq")] for _, entry in sorted(held["state"].items())]
    if shapes != [[parameter.shape] * 2 for parameter in state.network.parameters()]:
        raise ValueError("its optimiser's averages are of another network")
    if [group.keys() for group in held["param_groups"]] != [group.keys() for group in wanted]:
        raise ValueError("its optimiser is another")
    return held

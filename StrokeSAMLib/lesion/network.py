"""A network on a device, asked in batches: precision, and what is done where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.packed import pack_layers
from StrokeSAMLib.nets.precision import PRECISION_CHOICES, PRECISIONS, choose_precision
from StrokeSAMLib.nets.trim import trim
from StrokeSAMLib.options import DEVICES, option
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint
from StrokeSAMLib.weights.lookup import checkpoint_of

_MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class NetworkOptions:
    """What every method with a network can be told."""

    weights: str = option("", "the checkpoint: a file, or the id of one in the store; its own by default")
    device: str = option("auto", "where the network runs", choices=DEVICES)
    precision: str = option("auto", "of the network; auto: bfloat16 where the device has it", choices=PRECISION_CHOICES)
    random_weights: int = option(0, "seed of random weights, for tests: the result is meaningless", "", 0, _MOST_SEED)


class Asked:
    """The lesion's logit: a network's only one, or of two classes the lesion's less the background's.

    Args:
        model: (n, channel, …) → logits (n, 1 or 2, …).
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32" or "bfloat16", of matrix products.
        told: is given a line where the work had to go to the CPU.
        weights: the hash of the file that its weights are of; empty for random ones.
    """

    def __init__(self, model: nn.Module, device: str, precision: str, told: Callable[[str], None], weights: str = ""):
        self.weights, self._told, self._wanted = weights, told, precision
        self._use(model, choose_device(device))

    @property
    def device(self) -> str:
        """Where the network is."""
        return self._device

    @property
    def precision(self) -> str:
        """What it computes in."""
        return self._precision

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """(n, channel, …), float32 → (n, …), float32.

        Raises:
            MemoryError: the CPU's does not do for a single one either.
        """
        try:
            return self._ask(batch)
        except MemoryError:
            if len(batch) == 1 and self._device == "cpu":
                raise
        # Out of the handler: what the error's traceback holds on the device is free only now.
        return self._with_less(batch)

    def _with_less(self, batch: np.ndarray) -> np.ndarray:
        if self._device in ("cuda", "mps"):
            getattr(torch, self._device).empty_cache()
        if len(batch) > 1:
            half = len(batch) // 2
            return np.concatenate([self(batch[:half]), self(batch[half:])])
        self._told(f"not enough memory on {self._device}: computed on the CPU")
        self._use(self._model, "cpu")
        return self(batch)

    @inference
    def _ask(self, batch: np.ndarray) -> np.ndarray:
        # Of the last batch, free, but between what stays: it would add to the peak of this one.
        trim()
        half = self._precision == "bfloat16"
        with torch.autocast(self._device, PRECISIONS["bfloat16"]) if half else nullcontext():
            logits = self._model(torch.from_numpy(batch).to(self._device))
        lesion, background = logits[:, -1].float(), logits[:, :-1].float().sum(1)
        return (lesion - background).cpu().numpy()

    def _use(self, model: nn.Module, device: str) -> None:
        self._device, self._precision = device, choose_precision(self._wanted, device)
        self._model = model.to(device)
        if device == "cpu":
            pack_layers(self._model, PRECISIONS[self._precision])


def loaded(build: Callable[[], nn.Module], weights: Path) -> nn.Module:
    """The network that `build` makes with a checkpoint; no memory is taken but the weights' own."""
    with torch.device("meta"):
        model = build()
    load_weights(model, read_checkpoint(weights), str(weights))
    return model.eval().requires_grad_(False)


def randomised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network with random weights: for tests."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval().requires_grad_(False)


def ask(method: str, build: Callable[[], nn.Module], options: NetworkOptions, told: Callable[[str], None]) -> Asked:
    """The network of a method, as its options want it.

    Args:
        method: its id, and that of its own weights.
        build, told: of `loaded` and `Asked`.

    Raises:
        InputError: no weights, or such as cannot be used.
    """
    if options.random_weights:
        told("random weights: this result means nothing")
        return Asked(randomised(build, options.random_weights), options.device, options.precision, told)
    path = checkpoint_of("method", method, options.weights)
    return Asked(loaded(build, path), options.device, options.precision, told, file_hash(path))


def made_by(network: Asked) -> dict[str, object]:
    """What a result records of its network: the weights by their hash, not by where they lie."""
    return {"weights": network.weights, "device": network.device, "precision": network.precision}

"""A network on a device, asked in batches: precision, and what is done where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.interactive.engines.devices import choose_device, inference
from StrokeSAMLib.interactive.engines.precision import PRECISIONS, choose_precision
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint
from StrokeSAMLib.weights.lookup import checkpoint_of


class Asked:
    """The lesion's logit less the background's, of a network of two classes.

    Args:
        model: (n, channel, …) → logits (n, 2, …).
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32" or "bfloat16", of matrix products.
        told: is given a line where the work had to go to the CPU.
        pack: prepares the model for float32 on the CPU.
    """

    def __init__(
        self,
        model: nn.Module,
        device: str,
        precision: str,
        told: Callable[[str], None],
        pack: Callable[[nn.Module], None] = lambda model: None,
    ):
        self._told, self._pack, self._wanted = told, pack, precision
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
        if self._device == "cuda":
            torch.cuda.empty_cache()
        if len(batch) > 1:
            half = len(batch) // 2
            return np.concatenate([self(batch[:half]), self(batch[half:])])
        self._told(f"not enough memory on {self._device}: computed on the CPU")
        self._use(self._model, "cpu")
        return self(batch)

    @inference
    def _ask(self, batch: np.ndarray) -> np.ndarray:
        half = self._precision == "bfloat16"
        with torch.autocast(self._device, PRECISIONS["bfloat16"]) if half else nullcontext():
            logits = self._model(torch.from_numpy(batch).to(self._device))
        return (logits[:, 1].float() - logits[:, 0].float()).cpu().numpy()

    def _use(self, model: nn.Module, device: str) -> None:
        self._device, self._precision = device, choose_precision(self._wanted, device)
        self._model = model.to(device)
        if device == "cpu" and self._precision == "float32":
            self._pack(self._model)


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


def model_for(method: str, build: Callable[[], nn.Module], weights: str, random_weights: int) -> nn.Module:
    """The network of a method, by its options.

    Raises:
        InputError: no weights, or such as cannot be used.
    """
    if random_weights:
        return randomised(build, random_weights)
    return loaded(build, checkpoint_of("method", method, weights))


def made_by(network: Asked, method: str, weights: str, random_weights: int) -> dict[str, object]:
    """What a result records of its network: the weights by their hash, not by where they lie."""
    return {
        "weights": "" if random_weights else file_hash(checkpoint_of("method", method, weights)),
        "device": network.device,
        "precision": network.precision,
    }

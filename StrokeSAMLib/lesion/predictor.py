"""A network that is loaded on a device and predicts in batches, also where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.precision import PRECISIONS, choose_precision, precision_note
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint
from StrokeSAMLib.weights.lookup import find_checkpoint


class Predictor:
    """A network on a device. It predicts the logit of the lesion.

    A network with one output channel gives the logit itself. A network with two gives it as the difference of lesion
    and background.

    Args:
        model: (n, channel, …) → logits (n, 1 or 2, …).
        options: device, precision and layers.
        on_note: called with a line for the user on the precision that was chosen, and where the network had to move
            to the CPU.
        weights: SHA-256 of the file that the weights came from; empty for random weights.
    """

    def __init__(self, model: nn.Module, options: NetworkOptions, on_note: Callable[[str], None], weights: str = ""):
        self.weights, self._options, self._on_note = weights, options, on_note
        self._move(model, choose_device(options.device))

    @property
    def device(self) -> str:
        """The device that the network is on: "cpu", "cuda" or "mps"."""
        return self._device

    @property
    def precision(self) -> str:
        """The precision that the network computes in, such as "float32" or "bfloat16"."""
        return self._precision

    def provenance(self) -> dict[str, object]:
        """The record of the network in a result: the SHA-256 of its weights, its device and its precision."""
        return {"weights": self.weights, "device": self.device, "precision": self.precision}

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Predict the logits of a batch.

        A batch that does not fit into memory is halved. A single item that does not fit moves the network to the CPU.

        Args:
            batch: network inputs, float32 (n, channel, …).

        Returns:
            Logits of the lesion, float32 (n, …).

        Raises:
            MemoryError: a single item does not fit into the CPU's memory.
        """
        try:
            return self._predict(batch)
        except MemoryError:
            if len(batch) == 1 and self._device == "cpu":
                raise
        # Outside of the handler: the error's traceback would keep its tensors on the device.
        return self._predict_in_less_memory(batch)

    def _predict_in_less_memory(self, batch: np.ndarray) -> np.ndarray:
        if self._device in ("cuda", "mps"):
            getattr(torch, self._device).empty_cache()
        if len(batch) > 1:
            half = len(batch) // 2
            return np.concatenate([self(batch[:half]), self(batch[half:])])
        self._on_note(f"not enough memory on {self._device}: computed on the CPU")
        self._move(self._model, "cpu")
        return self(batch)

    @inference
    def _predict(self, batch: np.ndarray) -> np.ndarray:
        # Memory freed after the last batch would add to the peak of this one.
        release_memory()
        half = self._precision == "bfloat16"
        with torch.autocast(self._device, PRECISIONS["bfloat16"]) if half else nullcontext():
            logits = self._model(torch.from_numpy(batch).to(self._device))
        lesion, background = logits[:, -1].float(), logits[:, :-1].float().sum(1)
        return (lesion - background).cpu().numpy()

    def _move(self, model: nn.Module, device: str) -> None:
        self._device, self._precision = device, choose_precision(self._options.precision, device)
        for note in precision_note(self._options.precision, self._precision, device):
            self._on_note(note)
        self._model = model.to(device)
        if device == "cpu" and self._options.fast_layers:
            put_fast_layers(self._model, PRECISIONS[self._precision])


def load_predictor(
    method: str, build: Callable[[], nn.Module], options: NetworkOptions, on_note: Callable[[str], None]
) -> Predictor:
    """Load the network of a method.

    Args:
        method: id of the method, and of its weights in the store.
        build: makes the network, without weights.
        options: of the method.
        on_note: called with each line for the user.

    Raises:
        InputError: there are no weights, or they cannot be used.
    """
    if options.random_weights:
        on_note("random weights: this result means nothing")
        return Predictor(with_random_weights(build, options.random_weights), options, on_note)
    path = find_checkpoint("method", method, options.weights)
    return Predictor(_with_checkpoint(build, path), options, on_note, file_hash(path))


def _with_checkpoint(build: Callable[[], nn.Module], path: Path) -> nn.Module:
    # On the meta device the network takes no memory until its weights are assigned.
    with torch.device("meta"):
        model = build()
    load_weights(model, read_checkpoint(path), str(path))
    return model.eval().requires_grad_(False)


def with_random_weights(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network with random weights, in evaluation mode. The state of torch's random generator does not change.

    Args:
        build: makes the network.
        seed: of the weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval().requires_grad_(False)

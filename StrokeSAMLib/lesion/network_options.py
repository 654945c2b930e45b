"""The options of every method with a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from StrokeSAMLib.core.options import DEVICES, option
from StrokeSAMLib.nets.options import PRECISION_CHOICES, fast_layers_option

_MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class NetworkOptions:
    """Options of every method with a network."""

    weights: str = option("", "the checkpoint: a file, or an id in the store; by default the method's own")
    device: str = option("auto", "where the network runs", choices=DEVICES)
    precision: str = option(
        "auto", "precision of the network; auto: bfloat16 where the device has it", choices=PRECISION_CHOICES
    )
    fast_layers: bool = fast_layers_option()
    random_weights: int = option(
        0, "seed of random weights, for tests only: the result is meaningless", "", 0, _MOST_SEED
    )


class LesionNetwork(Protocol):
    """A loaded network, in PyTorch (`predictor.Predictor`) or in NumPy (`plain_predictor.PlainPredictor`)."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Network inputs, float32 (n, channel, …) → logits of the lesion, float32 (n, …)."""
        ...

    def provenance(self) -> dict[str, object]:
        """The record of the network in a result."""
        ...

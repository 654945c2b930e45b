"""The compact U-Nets in NumPy, where PyTorch is not installed. They take twice the time and give the same result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.nets.plain.safetensors_file import Weights, check_shapes, read_weights
from StrokeSAMLib.nets.plain.unets import compact_unet, compact_unet_shapes
from StrokeSAMLib.weights.lookup import find_checkpoint


class PlainPredictor:
    """A network in NumPy. It has the methods of `predictor.Predictor`.

    Args:
        arrays: the weights.
        weights: SHA-256 of the file that they came from.
    """

    device, precision = "cpu", "float32"

    def __init__(self, arrays: Weights, weights: str):
        self._arrays, self.weights = arrays, weights

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `LesionNetwork.__call__`."""
        return np.stack([compact_unet(self._arrays, inputs) for inputs in batch])

    def provenance(self) -> dict[str, object]:
        """See `LesionNetwork.provenance`."""
        return {"weights": self.weights, "device": self.device, "precision": self.precision}


def load_plain_predictor(method: str, options: NetworkOptions, on_note: Callable[[str], None]) -> PlainPredictor:
    """Load the network of a method.

    Args:
        method: "ncct-unet" or "dwi-unet".
        options: of the method.
        on_note: called with each line for the user.

    Raises:
        InputError: there are no weights, or they cannot be used; or an option needs PyTorch.
    """
    if options.device not in ("auto", "cpu") or options.precision == "bfloat16" or options.random_weights:
        raise InputError(f"method {method} needs the Python package torch for the given device, precision or weights")
    path = find_checkpoint("method", method, options.weights)
    arrays = read_weights(path)
    check_shapes(arrays, compact_unet_shapes(method), str(path))
    on_note("computed in NumPy: PyTorch, which is not installed, takes half of the time")
    return PlainPredictor(arrays, file_hash(path))

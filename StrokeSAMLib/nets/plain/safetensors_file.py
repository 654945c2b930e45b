"""Reading of weights from a safetensors file without PyTorch: eight bytes of length, a JSON header, raw values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.core.errors import InputError

Weights = dict[str, np.ndarray]
_TYPES = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
_LENGTH_BYTES = 8
_MOST_HEADER = 10_000_000


def read_weights(path: Path) -> Weights:
    """The arrays in a file by name, float32.

    Raises:
        InputError: the file cannot be read, is not in this format, or is damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        length = int.from_bytes(content[:_LENGTH_BYTES], "little")
        if not 0 < length <= min(_MOST_HEADER, len(content) - _LENGTH_BYTES):
            raise ValueError("no header")
        values = memoryview(content)[_LENGTH_BYTES + length :]
        header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        return {name: _array(entry, values) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a safetensors file, or a damaged one ({error})") from None


def _array(entry: dict[str, Any], values: memoryview) -> np.ndarray:
    kind, shape, (start, end) = _TYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    if not 0 <= start <= end <= len(values) or end - start != math.prod(shape) * kind.itemsize:
        raise ValueError("offsets beyond the file")
    return np.frombuffer(values[start:end], kind).reshape(shape).astype(np.float32)


def check_shapes(weights: Weights, expected: dict[str, tuple[int, ...]], name: str) -> None:
    """Compare the names and shapes of weights with those of a network.

    Args:
        weights: see `read_weights`.
        expected: the shape of each array.
        name: the file's name in errors.

    Raises:
        InputError: an array is missing, unknown, of another shape or not finite.
    """
    for key in sorted(weights.keys() | expected.keys()):
        if key not in weights or key not in expected:
            raise InputError(
                f"{name}: weights of another network: {key} is {'missing' if key in expected else 'unknown'}"
            )
        if weights[key].shape != expected[key]:
            raise InputError(f"{name}: {key} has shape {weights[key].shape}, not {expected[key]}")
        if not np.isfinite(weights[key]).all():
            raise InputError(f"{name}: {key} holds values that are not finite")

"""Reading of checkpoints. Only tensors and plain values are unpickled, and no key is ignored silently."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.torch_version import TorchVersion

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import is_file, is_folder

Weights = dict[str, torch.Tensor]
# The keys under which the known layouts keep the weights, and the prefixes that they put before every key.
_WEIGHTS_KEYS = ("model", "model_state_dict", "state_dict", "network_weights")
_PREFIXES = ("sam2_model.", "module.", "model.")
_NAMED_KEYS = 3
# Older versions run code from a file even when told to read it safely (CVE-2025-32434).
_SAFE_TORCH = "2.6"
# nnU-Net's file has NumPy numbers in its log. These are the function that makes such a number, under its names in
# NumPy 1 and 2, and the types that it needs. None of them runs code, and object types are not among them.
_SAFE_GLOBALS = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
]


def read_checkpoint(path: Path, name: str | None = None) -> Weights:
    """Read the weights in a file.

    The file is a bare state dict, a layout of Meta, MedSAM2, STARDUST or nnU-Net, or safetensors.

    Args:
        path: the file.
        name: the file's name in errors; by default its path.

    Raises:
        InputError: the file cannot be read, has no weights, or has more than tensors and plain values.
    """
    path = Path(path)
    name = name or str(path)
    if is_folder(path):
        raise InputError(f"{name}: a folder; name a file")
    if not is_file(path):
        raise InputError(f"{name}: no such file")
    content = _read_safetensors(path, name) if is_safetensors(path, name) else read_torch_file(path, name)
    for key in _WEIGHTS_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    named = _has_text_keys(content)
    weights = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)} if named else {}
    if not weights:
        raise InputError(f"{name}: a PyTorch file, but it holds no weights")
    return _without_prefix(weights)


def load_weights(model: torch.nn.Module, weights: Weights, name: str) -> None:
    """Put `weights` into `model`. Their keys must be the model's, all of them and no others.

    A model on the device "meta" takes the tensors themselves, so that its weights are in memory once.

    Args:
        model: the network.
        weights: tensors by key.
        name: the checkpoint's name in errors.

    Raises:
        InputError: keys differ; the message has the number of missing, unexpected and misshapen keys, and the first of
            each.
    """
    compare_weights(model, weights, name)
    expected = model.state_dict()
    empty = any(value.is_meta for value in expected.values())
    model.load_state_dict({key: weights[key].to(expected[key].dtype) for key in expected}, assign=empty)


def compare_weights(model: torch.nn.Module, weights: Weights, name: str) -> None:
    """Check that `weights` has exactly the keys and shapes of `model`. The arguments are those of `load_weights`.

    Raises:
        InputError: as `load_weights`.
    """
    expected = model.state_dict()
    missing = [key for key in expected if key not in weights]
    unexpected = [key for key in weights if key not in expected]
    misshapen = [key for key in expected if key in weights and weights[key].shape != expected[key].shape]
    wrong = [
        f"{len(keys)} {fault} ({', '.join(keys[:_NAMED_KEYS])}{', …' if len(keys) > _NAMED_KEYS else ''})"
        for fault, keys in (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
        if keys
    ]
    if wrong:
        raise InputError(f"{name}: weights of another network: of {len(expected)} keys {', '.join(wrong)}")


def read_torch_file(path: Path, name: str = "", memory_mapped: bool = False) -> Any:
    """Read the content of a PyTorch file safely.

    Args:
        path: the file.
        name: the file's name in errors; by default its path.
        memory_mapped: leave the tensors on the disk, where the file's format permits it.

    Raises:
        InputError: the file cannot be read, or has more than tensors and plain values.
    """
    name = name or str(path)
    if TorchVersion(torch.__version__) < _SAFE_TORCH:
        raise InputError(f"{name}: reading it safely needs PyTorch {_SAFE_TORCH}; this is {torch.__version__}")
    mapped = memory_mapped and zipfile.is_zipfile(path)
    try:
        with torch.serialization.safe_globals(_SAFE_GLOBALS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        # The rest of PyTorch's message advises to load the file without the check.
        unsafe = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds {unsafe[1]}, which could run code" if unsafe else "it is no PyTorch file"
        raise InputError(f"{name}: refused: {reason}") from None
    except Exception as error:  # bytes that are no pickle raise any error in PyTorch's reader
        raise _unreadable(name, error) from None


def is_safetensors(path: Path, name: str) -> bool:
    """Whether the file is safetensors, by its suffix or by its first bytes: a length, then a JSON header.

    Args:
        path: the file.
        name: the file's name in errors.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return path.suffix == ".safetensors" or stream.read(9)[8:] == b"{"
    except OSError as error:
        raise _unreadable(name, error) from None


def _read_safetensors(path: Path, name: str) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise InputError(f"{name}: reading it needs the Python package safetensors") from None
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own errors have no common base class
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> InputError:
    reason = str(error).strip().partition("\n")[0][:160]
    return InputError(f"{name}: not a readable checkpoint ({type(error).__name__}{': ' if reason else ''}{reason})")


def _has_text_keys(content: Any) -> bool:
    return isinstance(content, Mapping) and all(isinstance(key, str) for key in content)


def _without_prefix(weights: Weights) -> Weights:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in weights):
            return {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights

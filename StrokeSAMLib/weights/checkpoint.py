"""Reading checkpoints. Nothing but tensors and plain values is ever unpickled; no key is left out in silence."""

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

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import is_file, is_folder

State = dict[str, torch.Tensor]
# Where the layouts in use keep the weights, and what they put before every key.
_WITHIN = ("model", "model_state_dict", "state_dict", "network_weights")
_PREFIXES = ("sam2_model.", "module.", "model.")
_NAMED = 3
# Those before run code from a file that they are told to read safely (CVE-2025-32434).
_SAFE_TORCH = "2.6"
# nnU-Net's file has NumPy numbers in its log: the function that makes one, by its names in NumPy 1 and 2, and the types
# that it needs. None of them runs code; object types are not among them.
_SAFE = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
]


def read_checkpoint(path: Path, name: str | None = None) -> State:
    """The state dict in a file: bare, or within the layouts of Meta, MedSAM2, STARDUST and nnU-Net; or safetensors.

    Args:
        name: what to call the file in an error; by default its path.

    Raises:
        InputError: it cannot be read, is no checkpoint, or holds more than tensors and plain values.
    """
    path = Path(path)
    name = name or str(path)
    if is_folder(path):
        raise InputError(f"{name}: a folder; name a file")
    if not is_file(path):
        raise InputError(f"{name}: no such file")
    held = _read_safetensors(path, name) if is_safetensors(path, name) else read_torch(path, name)
    for place in _WITHIN:
        if isinstance(held, Mapping) and isinstance(held.get(place), Mapping):
            held = held[place]
            break
    state = {key: value for key, value in held.items() if isinstance(value, torch.Tensor)} if _is_dict(held) else {}
    if not state:
        raise InputError(f"{name}: a PyTorch file, but it holds no weights")
    return _without_prefix(state)


def load_weights(model: torch.nn.Module, state: State, name: str) -> None:
    """Put `state` into `model`, key by key: all of them, and no others.

    A network built on the meta device takes the tensors themselves, so that its weights are in memory once.

    Args:
        name: what to call the checkpoint in an error.

    Raises:
        InputError: with the number of missing, unexpected and misshapen keys, and the first of each.
    """
    compare_weights(model, state, name)
    wanted = model.state_dict()
    empty = any(value.is_meta for value in wanted.values())
    model.load_state_dict({key: state[key].to(wanted[key].dtype) for key in wanted}, assign=empty)


def compare_weights(model: torch.nn.Module, state: State, name: str) -> None:
    """`load_weights` without loading: whether `state` has the keys and shapes of `model`, and no others.

    Raises:
        InputError: as `load_weights`.
    """
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    misshapen = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    wrong = [
        f"{len(keys)} {what} ({', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
        if keys
    ]
    if wrong:
        raise InputError(f"{name}: weights of another network: of {len(wanted)} keys {', '.join(wrong)}")


def read_torch(path: Path, name: str = "", mapped: bool = False) -> Any:
    """What a PyTorch file holds.

    Args:
        name: what to call it in an error; by default its path.
        mapped: leave its tensors on the disk, where the file's layout permits.

    Raises:
        InputError: it cannot be read, or holds more than tensors and plain values.
    """
    name = name or str(path)
    if TorchVersion(torch.__version__) < _SAFE_TORCH:
        raise InputError(f"{name}: reading it safely needs PyTorch {_SAFE_TORCH}; this is {torch.__version__}")
    try:
        with torch.serialization.safe_globals(_SAFE):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # The rest of torch's text is advice on how to load it all the same.
        unsafe = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds {unsafe[1]}, which could run code" if unsafe else "it is no PyTorch file"
        raise InputError(f"{name}: refused: {reason}") from None
    except Exception as error:  # bytes that are no pickle fail in any way in torch's reader
        raise _unreadable(name, error) from None


def is_safetensors(path: Path, name: str) -> bool:
    """Whether it is such a file, by its name, or by its beginning: the length of a JSON header, then that.

    Raises:
        InputError: it cannot be read; `name` is what the error calls it.
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
    except Exception as error:  # safetensors' own errors share no base
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> InputError:
    first = str(error).strip().partition("\n")[0][:160]
    return InputError(f"{name}: not a readable checkpoint ({type(error).__name__}{': ' if first else ''}{first})")


def _is_dict(held: Any) -> bool:
    return isinstance(held, Mapping) and all(isinstance(key, str) for key in held)


def _without_prefix(state: State) -> State:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return {key.removeprefix(prefix): value for key, value in state.items()}
    return state

"""Reading checkpoints. Nothing but tensors and plain values is ever unpickled; no key is left out in silence."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from StrokeSAMLib.errors import InputError

State = dict[str, torch.Tensor]
# Where the layouts in use keep the weights, and what they put before every key.
_WITHIN = ("model", "model_state_dict", "state_dict", "network_weights")
_PREFIXES = ("sam2_model.", "module.", "model.")
_NAMED = 3
# NumPy's numbers, which nnU-Net keeps beside the weights; NumPy 1 pickled them under another name.
_SCALAR = np.float64(0).__reduce__()[0]
_SAFE = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(code)) for code in ("f4", "f8", "i4", "i8", "?")),
]


def read_checkpoint(path: Path) -> State:
    """The state dict in a file: bare, or within the layouts of Meta, MedSAM2, STARDUST and nnU-Net; or safetensors.

    Raises:
        InputError: it cannot be read, is no checkpoint, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    held = _read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
    for name in _WITHIN:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
            break
    state = {key: value for key, value in held.items() if isinstance(value, torch.Tensor)} if _is_dict(held) else {}
    if not state:
        raise InputError(f"{path}: a PyTorch file, but it holds no weights")
    return _without_prefix(state)


def load_weights(model: torch.nn.Module, state: State, name: str) -> None:
    """Put `state` into `model`, key by key: all of them, and no others.

    A network built on the meta device takes the tensors themselves, so that its weights are in memory once.

    Args:
        name: what to call the checkpoint in an error.

    Raises:
        InputError: with the number of missing, unexpected and misshapen keys, and the first of each.
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
    empty = any(value.is_meta for value in wanted.values())
    model.load_state_dict({key: state[key].to(wanted[key].dtype) for key in wanted}, assign=empty)


def read_torch(path: Path, mapped: bool = False) -> Any:
    """What a PyTorch file holds.

    Args:
        mapped: leave its tensors on the disk, where the file's layout permits.

    Raises:
        InputError: it cannot be read, or holds more than tensors and plain values.
    """
    try:
        with torch.serialization.safe_globals(_SAFE):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # The reason is the first line that is not advice on how to load it all the same.
        reason = str(error).strip().splitlines()
        unsafe = next((line.strip() for line in reason if "Unsupported" in line), "it is no PyTorch file")
        raise InputError(f"{path}: refused: {unsafe}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable checkpoint ({first[:160]})") from None


def _read_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise InputError(f"{path}: reading it needs the Python package safetensors") from None
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own errors share no base
        raise InputError(f"{path}: not a readable checkpoint ({error})") from None


def _is_dict(held: Any) -> bool:
    return isinstance(held, Mapping) and all(isinstance(key, str) for key in held)


def _without_prefix(state: State) -> State:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return {key.removeprefix(prefix): value for key, value in state.items()}
    return state

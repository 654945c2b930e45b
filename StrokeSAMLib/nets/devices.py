"""The device to run a network on, and the errors of a device without enough memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import torch

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.core.options import check_device

Method = TypeVar("Method", bound=Callable)


def inference(method: Method) -> Method:
    """Decorate a method that runs a network: no gradients, and `MemoryError` when memory runs out."""

    @wraps(method)
    def run(*arguments: Any, **named: Any) -> Any:
        with torch.inference_mode(), memory_errors():
            return method(*arguments, **named)

    return cast(Method, run)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise `MemoryError` in place of PyTorch's own errors for too little memory."""
    try:
        yield
    except RuntimeError as error:
        # Only CUDA has an error class of its own. The CPU writes "not enough memory", MPS "out of memory".
        if any(words in str(error) for words in ("not enough memory", "out of memory")):
            raise MemoryError(str(error).splitlines()[0]) from None
        raise


def choose_device(device: str) -> str:
    """Return `device` if this machine has it; for "auto" the best of CUDA, Apple's MPS and the CPU, in this order.

    Raises:
        OptionError: the name is unknown, or this machine has no such device.
    """
    check_device(device)
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, present in available.items() if present)
    if not available[device]:
        raise OptionError(f"device {device} is not available on this computer; use cpu")
    return device

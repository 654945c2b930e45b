"""Which device to run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch

from StrokeSAMLib.errors import OptionError
from StrokeSAMLib.options import check_device

Answering = TypeVar("Answering", bound=Callable)


def inference(method: Answering) -> Answering:
    """Decorate a method that runs a network: without gradients, and with `MemoryError` for want of memory."""

    @wraps(method)
    def run(*arguments: Any, **named: Any) -> Any:
        with torch.inference_mode(), memory_errors():
            return method(*arguments, **named)

    return run


@contextmanager
def memory_errors() -> Iterator[None]:
    """`MemoryError` for PyTorch's own errors for want of memory."""
    try:
        yield
    except RuntimeError as error:
        # Only CUDA's allocator has an error of its own; the CPU's says the first, MPS's the second.
        if any(words in str(error) for words in ("not enough memory", "out of memory")):
            raise MemoryError(str(error).splitlines()[0]) from None
        raise


def choose_device(wanted: str) -> str:
    """The device for "auto" (CUDA, else Apple's MPS, else the CPU), or `wanted` where it is here.

    Raises:
        OptionError: no such device here.
    """
    check_device(wanted)
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in here.items() if there)
    if not here[wanted]:
        raise OptionError(f"device {wanted} is not here; use cpu")
    return wanted

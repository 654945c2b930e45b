"""Which device to run on."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch

from StrokeSAMLib.errors import OptionError

DEVICES = ("auto", "cpu", "cuda", "mps")


Answering = TypeVar("Answering", bound=Callable)


def inference(method: Answering) -> Answering:
    """Decorate a method that runs a network: without gradients, and with `MemoryError` for want of memory."""

    @wraps(method)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            with torch.inference_mode():
                return method(*arguments, **named)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error).splitlines()[0]) from None
        except RuntimeError as error:
            if "not enough memory" in str(error):  # the CPU's allocator has no error of its own
                raise MemoryError(str(error).splitlines()[0]) from None
            raise

    return run


def choose_device(wanted: str) -> str:
    """The device for "auto" (CUDA, else Apple's MPS, else the CPU), or `wanted` where it is here.

    Raises:
        OptionError: no such device here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in here.items() if there)
    if wanted not in here:
        raise OptionError(f"device is '{wanted}'; it must be one of {', '.join(DEVICES)}")
    if not here[wanted]:
        raise OptionError(f"device {wanted} is not here; use cpu")
    return wanted

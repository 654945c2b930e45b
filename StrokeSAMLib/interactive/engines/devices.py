"""Which device to run on."""

from __future__ import annotations

import torch

from StrokeSAMLib.errors import OptionError

DEVICES = ("auto", "cpu", "cuda", "mps")


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

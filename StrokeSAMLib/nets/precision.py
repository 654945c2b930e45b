"""Which precision to compute in: decided by trying, not by the name of the processor."""

from __future__ import annotations

import time
from functools import lru_cache

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISION_CHOICES = ("auto", *PRECISIONS)
_SIZE = 512
_REPEATS = 3
# Half the bits: where they are native they are at least this much faster; where they are emulated, 40 times slower.
_LEAST_GAIN = 1.5
_MOST_ERROR = 0.02
_AMPERE = (8, 0)


def choose_precision(wanted: str, device: str) -> str:
    """`wanted`; for "auto" bfloat16 where the device has it natively, float32 elsewhere."""
    if wanted == "auto":
        return "bfloat16" if has_bfloat16(device) else "float32"
    return wanted


@lru_cache
def has_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are faster here than in float32, and right."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= _AMPERE
    if device != "cpu":
        return False
    x = torch.linspace(-1, 1, _SIZE * _SIZE).view(_SIZE, _SIZE)
    rounded = x.to(torch.bfloat16)
    exact = x @ x.T
    error = float((rounded @ rounded.T - exact).abs().max() / exact.abs().max())
    return error < _MOST_ERROR and _seconds(rounded) * _LEAST_GAIN < _seconds(x)


def _seconds(x: torch.Tensor) -> float:
    """The least of several times of a product."""
    taken = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        _ = x @ x.T
        taken.append(time.perf_counter() - start)
    return min(taken)

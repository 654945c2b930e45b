"""The precision that a network computes in, chosen by the instructions that the device has.

The choice depends on the device alone. Nothing is timed, so that the same installation always gives the same result.
"""

from __future__ import annotations

import platform
from functools import lru_cache

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_SIZE = 512
# Greatest error of a product in bfloat16, as a part of the greatest value. Rounding alone makes about 0.004.
_MOST_ERROR = 0.02
# NVIDIA's first architecture with bfloat16.
_AMPERE = (8, 0)


def choose_precision(wanted: str, device: str) -> str:
    """The precision for an option's value.

    Args:
        wanted: "auto", "float32" or "bfloat16".
        device: "cpu", "cuda" or "mps".

    Returns:
        `wanted`; for "auto" "bfloat16" where the device has it natively, and "float32" elsewhere.
    """
    if wanted == "auto":
        return "bfloat16" if has_bfloat16(device) else "float32"
    return wanted


def precision_note(wanted: str, precision: str, device: str) -> list[str]:
    """A note on the precision, where the user left its choice to the device."""
    return [f"computed in {precision} on {device}"] if wanted == "auto" else []


@lru_cache
def has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 natively and correctly.

    A CPU without these instructions emulates them, up to 40 times slower than float32.
    """
    if device == "cuda":
        return torch.cuda.get_device_capability() >= _AMPERE
    return device == "cpu" and _processor_has_bfloat16() and _product_error() < _MOST_ERROR


def _processor_has_bfloat16() -> bool:
    """Whether the processor has AVX512-BF16 or AMX (x86), or the BF16 extension (Arm)."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        # On x86 this operator also accepts processors that emulate.
        return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    # PyTorch's own questions to the processor; a version without them computes in float32.
    questions = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(question() for question in questions if question is not None)


def _product_error() -> float:
    """The error of a matrix product in bfloat16, as a part of the greatest value in float32."""
    x = torch.linspace(-1, 1, _SIZE * _SIZE).view(_SIZE, _SIZE)
    rounded = x.to(torch.bfloat16)
    exact = x @ x.T
    return float((rounded @ rounded.T - exact).abs().max() / exact.abs().max())

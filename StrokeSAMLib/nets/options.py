"""Options that several networks share. This module does not import PyTorch."""

from __future__ import annotations

from typing import Any

from StrokeSAMLib.core.options import option

PRECISION_CHOICES = ("auto", "float32", "bfloat16")


def fast_layers_option() -> Any:
    """The option `fast_layers` of every method and engine whose network has such layers."""
    return option(True, "on a CPU, use layers rewritten for speed and memory; false: the layers as published")

"""Fingerprints: the densities of a checkpoint's training set, which normalise its inputs.

They are in the checkpoint itself or in a file beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import read_json
from StrokeSAMLib.imaging.nnunet_resampling import Fingerprint
from StrokeSAMLib.weights.checkpoint import is_safetensors, read_torch_file
from StrokeSAMLib.weights.nnunet_plans import find_plans

_PROPERTIES = "foreground_intensity_properties_per_channel"
_NUMBERS = ("percentile_00_5", "percentile_99_5", "mean", "std")


def read_fingerprints(checkpoint: Path) -> tuple[Fingerprint, ...] | None:
    """The fingerprint of each channel, from nnU-Net's plans or data-set fingerprint; None where there are none.

    Raises:
        InputError: the plans are there, but their densities are missing or impossible.
    """
    plans = _plans_in_checkpoint(checkpoint)
    if plans is not None:
        return _fingerprints(plans, checkpoint)
    file = find_plans(checkpoint)
    return None if file is None else _fingerprints(read_json(file), file)


def read_plans_beside(checkpoint: Path) -> bytes | None:
    """The content of the plans beside a checkpoint.

    Returns:
        None where there are no plans, or where the checkpoint has its own, which `read_fingerprints` prefers.

    Raises:
        InputError: the densities in the plans are missing or impossible.
    """
    file = find_plans(checkpoint)
    if file is None or _plans_in_checkpoint(checkpoint) is not None:
        return None
    _fingerprints(read_json(file), file)
    return file.read_bytes()


def _fingerprints(plans: Any, path: Path) -> tuple[Fingerprint, ...]:
    """The fingerprints in the content of plans; `path` is their file, for errors."""
    try:
        channels = [plans[_PROPERTIES][str(n)] for n in range(len(plans[_PROPERTIES]))]
        fingerprints = tuple(Fingerprint(*(float(channel[name]) for name in _NUMBERS)) for channel in channels)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: has no densities of the training set ({error!r})") from None
    if not all(_is_possible(each) for each in fingerprints):
        raise InputError(f"{path}: its densities of the training set are impossible")
    return fingerprints


def _is_possible(one: Fingerprint) -> bool:
    return bool(np.isfinite([one.low, one.high, one.mean, one.sd]).all() and one.low < one.high and one.sd > 0)


def _plans_in_checkpoint(checkpoint: Path) -> Mapping[str, Any] | None:
    """The plans in nnU-Net's checkpoint, or None. The weights stay on the disk."""
    if is_safetensors(checkpoint, str(checkpoint)):
        return None
    content = read_torch_file(checkpoint, memory_mapped=True)
    arguments = content.get("init_args") if isinstance(content, Mapping) else None
    plans = arguments.get("plans") if isinstance(arguments, Mapping) else None
    return plans if isinstance(plans, Mapping) and _PROPERTIES in plans else None

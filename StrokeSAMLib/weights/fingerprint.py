"""The densities that a checkpoint's training set was normalised by: in the checkpoint, or in a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import read_json
from StrokeSAMLib.imaging.nnunet import Fingerprint
from StrokeSAMLib.weights.checkpoint import is_safetensors, read_torch
from StrokeSAMLib.weights.plans import plans_beside

_PROPERTIES = "foreground_intensity_properties_per_channel"
_NUMBERS = ("percentile_00_5", "percentile_99_5", "mean", "std")


def read_fingerprints(checkpoint: Path) -> tuple[Fingerprint, ...] | None:
    """One for each channel, of nnU-Net's plans or fingerprint; None where there are none.

    Raises:
        InputError: there are, and they make no sense.
    """
    within = _within(checkpoint)
    if within is not None:
        return _densities(within, checkpoint)
    beside = plans_beside(checkpoint)
    return None if beside is None else _densities(read_json(beside), beside)


def read_plans_beside(checkpoint: Path) -> bytes | None:
    """The file beside a checkpoint that `read_fingerprints` takes; None where it takes none, or the checkpoint's own.

    Raises:
        InputError: it makes no sense.
    """
    path = plans_beside(checkpoint)
    if path is None or _within(checkpoint) is not None:
        return None
    _densities(read_json(path), path)
    return path.read_bytes()


def _densities(found: Any, path: Path) -> tuple[Fingerprint, ...]:
    """Of the plans `found` in `path`."""
    try:
        channels = [found[_PROPERTIES][str(n)] for n in range(len(found[_PROPERTIES]))]
        made = tuple(Fingerprint(*(float(channel[name]) for name in _NUMBERS)) for channel in channels)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: has no densities of the training set ({error!r})") from None
    if not all(_sensible(one) for one in made):
        raise InputError(f"{path}: its densities of the training set make no sense")
    return made


def _sensible(one: Fingerprint) -> bool:
    return bool(np.isfinite([one.low, one.high, one.mean, one.sd]).all() and one.low < one.high and one.sd > 0)


def _within(checkpoint: Path) -> Mapping[str, Any] | None:
    """The plans in nnU-Net's checkpoint; its weights stay on the disk."""
    if is_safetensors(checkpoint, str(checkpoint)):
        return None
    held = read_torch(checkpoint, mapped=True)
    arguments = held.get("init_args") if isinstance(held, Mapping) else None
    plans = arguments.get("plans") if isinstance(arguments, Mapping) else None
    return plans if isinstance(plans, Mapping) and _PROPERTIES in plans else None

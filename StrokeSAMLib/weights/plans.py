"""nnU-Net's plans, which may lie beside a checkpoint: among others, how its training set was normalised."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.files import is_file

# nnU-Net has its plans one folder above that of a fold.
_NAMES = ("plans.json", "../plans.json", "dataset_fingerprint.json", "../dataset_fingerprint.json")


def own_plans(checkpoint: Path) -> Path:
    """Where plans lie that are this checkpoint's alone, in a folder of many: ``NAME.plans.json``."""
    return checkpoint.with_suffix(".plans.json")


def plans_beside(checkpoint: Path) -> Path | None:
    """The plans or the fingerprint of the data set beside a checkpoint or one folder above, its own first; or None.

    Raises:
        InputError: it cannot be looked there.
    """
    places = (own_plans(checkpoint), *(checkpoint.parent / name for name in _NAMES))
    return next((path for path in places if is_file(path)), None)

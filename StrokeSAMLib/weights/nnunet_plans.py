"""The files with nnU-Net's plans beside a checkpoint. Among others they say how the training set was normalised."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.core.files import is_file

# nnU-Net keeps its plans one folder above the folder of a fold.
_NAMES = ("plans.json", "../plans.json", "dataset_fingerprint.json", "../dataset_fingerprint.json")


def plans_path(checkpoint: Path) -> Path:
    """The path of plans for this checkpoint alone, in a folder with several checkpoints: ``NAME.plans.json``."""
    return checkpoint.with_suffix(".plans.json")


def find_plans(checkpoint: Path) -> Path | None:
    """The plans or data-set fingerprint of a checkpoint, beside it or one folder above, or None.

    The file of `plans_path` comes first.

    Raises:
        InputError: a folder cannot be read.
    """
    candidates = (plans_path(checkpoint), *(checkpoint.parent / name for name in _NAMES))
    return next((path for path in candidates if is_file(path)), None)

"""Checks for installed Python packages, without importing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from StrokeSAMLib.core.errors import InputError


def not_installed(names: Iterable[str]) -> list[str]:
    """The packages among `names` that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def check_installed(owner: str, names: Iterable[str]) -> None:
    """Check that all packages of `owner` are installed.

    Args:
        owner: the user of the packages, as the error names it: "method ncct-unet".
        names: importable names of the packages.

    Raises:
        InputError: a package is not installed.
    """
    missing = not_installed(names)
    if missing:
        raise InputError(f"{owner} needs the Python package{'s' * (len(missing) > 1)} {', '.join(missing)}")

"""Which Python packages are installed, without importing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from StrokeSAMLib.errors import InputError


def not_installed(names: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def check_installed(who: str, names: Iterable[str]) -> None:
    """Raise `InputError` where `who` ("method ncct-unet") needs a package that is not installed."""
    missing = not_installed(names)
    if missing:
        raise InputError(f"{who} needs the Python package{'s' * (len(missing) > 1)} {', '.join(missing)}")

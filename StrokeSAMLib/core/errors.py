"""Errors that a user can act on. Their text is one line: which input or file, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping


class StrokeSAMError(Exception):
    """Base class of every error whose text is meant for the user; the command exits with status 2 on it."""


class InputError(StrokeSAMError):
    """An unusable input: a missing or broken file, a wrong modality, grids that do not match.

    Where the library knows an input only by its key, the text begins with the key ("ncct: …"). `with_names` replaces
    the key by the name that the user knows.
    """

    def with_names(self, names: Mapping[str, object]) -> InputError:
        """The same error with the key of an input replaced by its entry in `names`: a file or a volume's name."""
        key, colon, rest = str(self).partition(":")
        return InputError(f"{names[key]}:{rest}") if colon and key in names else self


class OptionError(StrokeSAMError):
    """An unknown method or option, or a value outside its range."""


class Cancelled(Exception):
    """The user cancelled the work. Nothing was written except for the files that the function documents."""


def missing_extra(feature: str, extra: str) -> StrokeSAMError:
    """The error for a `feature` whose packages are not installed; `extra` is the project's extra that installs them."""
    # StrokeSAM is in no package index: it and its extras are installed from a clone.
    return StrokeSAMError(f'{feature} needs more packages: pip install ".[{extra}]" in your clone of StrokeSAM')

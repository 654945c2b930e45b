"""The errors a user can act on. Their text is one line that names what is wrong and where."""

from __future__ import annotations

from collections.abc import Mapping


class StrokeSAMError(Exception):
    """Base of every error whose text is meant for the user; the command exits with status 2 on it."""


class InputError(StrokeSAMError):
    """An input that cannot be used: a missing or broken file, a wrong modality, grids that do not match.

    Where the library knows an input only by its key, the text begins with it ("ncct: …"); `naming` puts the name
    that the user knows it by in its place.
    """

    def naming(self, names: Mapping[str, object]) -> InputError:
        """This error with the key of an input replaced by its entry in `names`: a file, or a volume's name."""
        key, colon, rest = str(self).partition(":")
        return InputError(f"{names[key]}:{rest}") if colon and key in names else self


class OptionError(StrokeSAMError):
    """An unknown method or option, or a value outside its range."""


class Cancelled(Exception):
    """The user asked the work to stop. Nothing was written but what the work says it keeps."""


def missing_packages(what: str, extra: str) -> StrokeSAMError:
    """The error for `what` needs the packages of one of the project's extras, which are not installed."""
    # No index has StrokeSAM: it is installed from a clone, and so are its extras.
    return StrokeSAMError(f'{what} needs more packages: pip install ".[{extra}]" in your clone of StrokeSAM')

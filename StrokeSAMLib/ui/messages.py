"""Texts of the library rewritten for users of Slicer, which has no command `strokesam`."""

from __future__ import annotations

import re

from StrokeSAMLib.core.errors import StrokeSAMError

_COMMAND = r"strokesam weights (?:fetch|import) [\w.-]+(?: FILE)?(?:, or --weights FILE)?"
_WEIGHTS_HINT = "see section Weights"


def replaceCommands(text: str, replacement: str = _WEIGHTS_HINT) -> str:
    """Replace the commands that fetch and import weights by `replacement`."""
    return re.sub(_COMMAND, replacement, re.sub(rf" \(({_COMMAND})\)", r": \1", text))


def reasonNotReady(readiness: str) -> str:
    """The reason why an engine or method is not ready, for example "needs weights: see section Weights".

    Args:
        readiness: text of `readiness()` of an engine or method, which begins with "no: ".
    """
    return replaceCommands(readiness.removeprefix("no: "))


def errorMessage(error: BaseException, replacement: str = _WEIGHTS_HINT) -> str:
    """The text of an error for the panel; errors that are not meant for users begin with their type.

    Args:
        error: any error.
        replacement: text in place of the commands that fetch and import weights.
    """
    if isinstance(error, StrokeSAMError):
        return replaceCommands(str(error), replacement)
    return f"{type(error).__name__}: {error}"

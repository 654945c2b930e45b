"""Texts of the library rewritten for users of Slicer: RAS, no `strokesam` command, no hashes, Slicer's language."""

from __future__ import annotations

import re

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.ui.translation import trLibrary

_COMMAND = r"strokesam weights (?:fetch|import) [\w.-]+(?: FILE)?(?:, or --weights FILE)?"
_WEIGHTS_HINT = "see section Weights"
_LPS = re.compile(r"\((-?[\d.]+), (-?[\d.]+), (-?[\d.]+)\) LPS mm")
# Messages whose remedy is another in Slicer, and their texts there.
_REWORDED = (
    (
        r"box .* has no area in the plane of the slices",
        "the box lies in another plane than the first prompt: set a point instead, or press Clear",
    ),
    (
        r"not the volume of the session: its hash is .*",
        "it has changed since the prompts were set: press Clear to start anew",
    ),
    (
        r"not the weights of the session: their hash is .*",
        "they are others than when the prompts were set: press Clear to start anew",
    ),
)


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
    if not isinstance(error, StrokeSAMError):
        return f"{type(error).__name__}: {error}"
    text = str(error)
    for pattern, words in _REWORDED:
        text = re.sub(pattern, words, text)
    return trLibrary(replaceCommands(_LPS.sub(_inRas, text), replacement))


def _inRas(match: re.Match[str]) -> str:
    x, y, z = (float(number) for number in match.groups())
    # Adding 0.0 turns -0.0 into 0.0.
    return f"({-x + 0.0:.1f}, {-y + 0.0:.1f}, {z:.1f}) mm RAS"

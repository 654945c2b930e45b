"""What the library tells, in words for a user of Slicer, which has no command `strokesam`."""

from __future__ import annotations

import re

_COMMAND = r"strokesam weights (?:fetch|import) [\w.-]+(?: FILE)?(?:, or --weights FILE)?"


def inSlicer(text: str, instead: str = "see section Weights") -> str:
    """`text` with what can be done here `instead` of the commands that fetch and import weights."""
    return re.sub(_COMMAND, instead, re.sub(rf" \(({_COMMAND})\)", r": \1", text))


def lackOf(readiness: str) -> str:
    """What an engine or a method lacks that is not ready: "needs weights: see section Weights"."""
    return inSlicer(readiness.removeprefix("no: "))

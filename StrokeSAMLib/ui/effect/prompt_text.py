"""Texts for the effect's panel that describe prompts and engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.ui.effect.prompt_position import sliceText
from StrokeSAMLib.ui.messages import reasonNotReady
from StrokeSAMLib.ui.translation import tr as _

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.ui.effect.prompt_session import SessionView


def describe(prompts: Mapping[int, Prompt], slices: Mapping[int, int | None]) -> list[tuple[int, str]]:
    """Number and text of each prompt. The text has the prompt's slice if `slices` has it."""
    return [(number, _kind(prompt) + _place(slices.get(number))) for number, prompt in prompts.items()]


def engineStatus(readiness: str, sessionView: SessionView | None) -> str:
    """Describe the engine's state in one sentence.

    Returns:
        The device and the memory of an open session; without a session the reason why the engine is not ready, or "".
    """
    if sessionView is not None:
        from StrokeSAMLib.core.memory import memory_text

        memory = memory_text(sessionView.memory)
        text = _("Computes on {device}; the whole volume takes about {memory}.")
        return text.format(device=sessionView.device, memory=memory)
    reason = "" if readiness == "yes" else reasonNotReady(readiness) + "."
    return reason[:1].upper() + reason[1:]


def notReadyEngines() -> dict[str, str]:
    """The reasons why engines are not ready, in one or two words, by id."""
    reasons = {}
    for engine in ENGINES:
        if engine.missing_packages():
            reasons[engine.id] = _("will be installed")
        elif engine.readiness() != "yes":
            reasons[engine.id] = _("needs weights")
    return reasons


def rangeText(sessionView: SessionView | None, limits: tuple[int, int] | None) -> str:
    """The first and last slice of a range in RAS, such as "S 12.5 mm to S 48.0 mm"; "" without a session or a range."""
    if sessionView is None or limits is None:
        return ""
    return " – ".join(sliceText(sessionView.affine, k) for k in limits)


def _kind(prompt: Prompt) -> str:
    from StrokeSAMLib.interactive import Lasso, Scribble

    if hasattr(prompt, "first"):
        return _("Box")
    if hasattr(prompt, "position"):
        return _("Point inside") if prompt.positive else _("Point outside")
    if isinstance(prompt, Scribble):
        return _("Scribble inside") if prompt.positive else _("Scribble outside")
    if isinstance(prompt, Lasso):
        return _("Lasso around the object") if prompt.positive else _("Lasso outside the object")
    return _("Segment at the start") if prompt.positive else _("Not in another segment")


def _place(k: int | None) -> str:
    return "" if k is None else _(", slice {k}").format(k=k)

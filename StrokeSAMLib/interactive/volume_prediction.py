"""The states of a session whose engine answers in 3-D.

Every prompt changes the answer on all slices. The session shows it on the slices with prompts, and after a propagation
on all slices that this reached.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.interactive.engines.base import Prediction, VolumeAnswer, VolumeEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.prompts import Prompt
from StrokeSAMLib.interactive.propagation import PropagationPlan, Step
from StrokeSAMLib.interactive.session_state import EMPTY, SessionState
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt
from StrokeSAMLib.interactive.volume_prompts import Region, check_strokes, place_in_volume


class VolumePrediction:
    """Predicts the states of a session with a volume engine."""

    def __init__(self, encodings: Encodings):
        self._stack = encodings.stack
        self._engine = cast(VolumeEngine, encodings.engine)

    def place(self, prompt: Prompt) -> PlacedPrompt:
        """See `place_in_volume`."""
        return place_in_volume(prompt, self._stack)

    def with_prompts(
        self, before: SessionState, prompts: Mapping[int, PlacedPrompt], action: Mapping[str, Any]
    ) -> SessionState:
        """The state with the answer to `prompts`. Regions without the object alone have no answer.

        Raises:
            InputError: see `Session.add`.
        """
        placed = list(prompts.values())
        check_strokes(placed)
        answer = None
        if any(not isinstance(entry.pixels, Region) or entry.pixels.positive for entry in placed):
            answer = self._engine.answer(self._stack, placed, before.answer)
        prompted, tracked = _shown(answer, prompts, before.reached)
        return SessionState(prompts, prompted, tracked, answer=answer, reached=before.reached, action=action)

    def steps(self, state: SessionState, plan: PropagationPlan) -> Iterator[Step]:
        """The answer's slices within the plan's range and direction, the nearest to prompts first.

        Raises:
            InputError: there is no prompt.
            OptionError: the range is not within the stack, or the plan needs a memory.
        """
        if plan.policy == "memory":
            raise OptionError(f"engine {self._engine.id} has no memory: it answers in 3-D")
        allowed = self._allowed(state, plan)
        if state.answer is None:
            raise InputError("no slice in the range has a prompt: add a box or a point first")
        known = _slices(state.prompts)
        new = [k for k in state.answer.slices if k in allowed and k not in known]
        new.sort(key=lambda k: (min(abs(k - n) for n in known), k))
        return iter([(k, state.answer.slices[k]) for k in new])

    def propagated(
        self,
        state: SessionState,
        plan: PropagationPlan,
        predictions: Mapping[int, Prediction],
        action: Mapping[str, Any],
    ) -> SessionState:
        """The state after a propagation that reached `predictions`, or the whole range if it was not cancelled."""
        whole = all(k in predictions for k, _ in self.steps(state, plan))
        reached = state.reached | frozenset(self._allowed(state, plan) if whole else predictions)
        prompted, tracked = _shown(state.answer, state.prompts, reached)
        return replace(state, prompted=prompted, tracked=tracked, reached=reached, action=action)

    def _allowed(self, state: SessionState, plan: PropagationPlan) -> range:
        """The slices of a plan's range and direction."""
        allowed, known = plan.range(len(self._stack)), _slices(state.prompts)
        if plan.direction == "up":
            return range(max(allowed.start, min(known, default=0)), allowed.stop)
        if plan.direction == "down":
            return range(allowed.start, min(allowed.stop, max(known, default=allowed.stop) + 1))
        return allowed


def _slices(prompts: Mapping[int, PlacedPrompt]) -> set[int]:
    """The slices with prompts."""
    return {k for entry in prompts.values() for k in entry.slices}


def _shown(
    answer: VolumeAnswer | None, prompts: Mapping[int, PlacedPrompt], reached: Collection[int]
) -> tuple[Mapping[int, Prediction], Mapping[int, Prediction]]:
    """The predictions on the slices with prompts, and on the others that a propagation reached."""
    if answer is None:
        return EMPTY, EMPTY
    known = _slices(prompts)
    prompted = {k: prediction for k, prediction in answer.slices.items() if k in known}
    tracked = {k: prediction for k, prediction in answer.slices.items() if k in reached and k not in known}
    return prompted, tracked

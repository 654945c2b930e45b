"""The states of a session whose engine predicts slices: prompts act on their slice, propagation on the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.interactive.engines.base import Engine, MemoryBank, Prediction, PropagationContext, TrackingEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.object_end import engine_prediction
from StrokeSAMLib.interactive.prompts import Prompt
from StrokeSAMLib.interactive.propagation import PropagationPlan, Step, can_resume, propagate
from StrokeSAMLib.interactive.session_state import SessionState
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt, place_prompt, prompts_on_slice


class SlicePrediction:
    """Predicts the states of a session with a slice engine."""

    def __init__(self, encodings: Encodings):
        self._encodings = encodings
        self._stack = encodings.stack
        self._engine = cast(Engine, encodings.engine)

    def place(self, prompt: Prompt) -> PlacedPrompt:
        """See `place_prompt`."""
        return place_prompt(prompt, self._stack)

    def with_prompts(
        self, before: SessionState, prompts: Mapping[int, PlacedPrompt], action: Mapping[str, Any]
    ) -> SessionState:
        """The state with `prompts`: the slices on which they differ from those `before` are predicted anew.

        Raises:
            InputError: see `Session.add`.
        """
        changed = {
            k
            for number in before.prompts.keys() | prompts.keys()
            if before.prompts.get(number) is not prompts.get(number)
            for entry in (before.prompts.get(number), prompts.get(number))
            if entry is not None
            for k in entry.slices
        }
        prompted = dict(before.prompted)
        for k in sorted(changed):
            prediction = self._predict(before, k, prompts, action["do"] == "add")
            prompted.pop(k, None)
            if prediction is not None:
                prompted[k] = prediction
        corrected = before.corrected | changed if before.tracked else before.corrected
        return SessionState(prompts, prompted, before.tracked, frozenset(corrected), action=action)

    def steps(self, state: SessionState, plan: PropagationPlan) -> Iterator[Step]:
        """See `propagate`."""
        return propagate(self._encodings, state.prompted, plan, state.tracked, state.corrected)

    def propagated(
        self,
        state: SessionState,
        plan: PropagationPlan,
        predictions: Mapping[int, Prediction],
        action: Mapping[str, Any],
    ) -> SessionState:
        """The state after the `predictions` of a propagation."""
        tracked = {**self._not_replaced(state, plan), **predictions}
        return replace(state, tracked=tracked, corrected=frozenset(), action=action)

    def _predict(
        self, state: SessionState, k: int, prompts: Mapping[int, PlacedPrompt], added: bool
    ) -> Prediction | None:
        """The prediction on slice `k`, None without prompts there.

        Each prompt corrects the prediction before it, the first one the tracked prediction. Where the newest prompt
        was `added`, only that one is predicted, from the present prediction.
        """
        cumulative = prompts_on_slice(prompts.values(), k, self._stack.shape)
        if not cumulative:
            return None
        engine = self._engine
        tracked = state.tracked.get(k)
        prediction = engine_prediction(tracked)
        if added and k in state.prompted:
            cumulative, prediction = cumulative[-1:], state.prompted[k]
        context = self._context(state, k) if tracked is not None and engine.tracks else None
        for slice_prompts in cumulative:
            if prediction is not None or not slice_prompts.only_negative:
                predict = partial(engine.predict, prompts=slice_prompts, previous=prediction, context=context)
                prediction = self._encodings.with_features(k, predict)
        if prediction is None:
            raise InputError(f"slice {k} has only negative points: add a positive one, or a box")
        return prediction

    def _context(self, state: SessionState, k: int) -> PropagationContext:
        """The position of tracked slice `k` in its propagation."""
        prompted = {n: prediction for n, prediction in sorted(state.prompted.items()) if n != k}
        engine = cast(TrackingEngine, self._engine)
        for n, prediction in prompted.items():
            self._encodings.with_features(n, partial(engine.remember, prediction=prediction))
        backwards = all(n > k for n in prompted)
        tracked = {n: prediction for n, prediction in state.tracked.items() if n != k and n not in prompted}
        return PropagationContext(k, len(self._stack), backwards, MemoryBank(prompted, tracked))

    def _not_replaced(self, state: SessionState, plan: PropagationPlan) -> dict[int, Prediction]:
        """The tracked predictions on slices that `plan` does not replace."""
        if plan.resume and can_resume(state.prompted, state.tracked, state.corrected):
            return dict(state.tracked)
        allowed = plan.range(len(self._stack))
        highest, lowest = max(state.prompted, default=0), min(state.prompted, default=0)
        replaced = {"both": allowed, "up": range(lowest, allowed.stop), "down": range(allowed.start, highest + 1)}
        return {
            k: prediction
            for k, prediction in state.tracked.items()
            if k in state.prompted or k not in allowed or k not in replaced[plan.direction]
        }

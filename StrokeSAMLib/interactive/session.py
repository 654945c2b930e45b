"""A session: the prompts on one object in one volume, and the masks predicted and propagated from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.background import background_note, count_without_value
from StrokeSAMLib.imaging.windowing import Window
from StrokeSAMLib.interactive.engines.base import AnyEngine, Prediction, VolumeEngine
from StrokeSAMLib.interactive.engines.registry import load_engine
from StrokeSAMLib.interactive.features.cache import FeatureCache
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.prompts import KINDS, Mask, Prompt
from StrokeSAMLib.interactive.propagation import PropagationPlan
from StrokeSAMLib.interactive.session_state import History, SessionState
from StrokeSAMLib.interactive.slice_prediction import SlicePrediction
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt
from StrokeSAMLib.interactive.slice_stack import SliceStack, slice_axis, stack_along, stack_along_axis
from StrokeSAMLib.interactive.volume_prediction import VolumePrediction
from StrokeSAMLib.io.image_checks import as_scalar_volume

# Called with the number of a slice and its mask, bool (row, column).
OnSlice = Callable[[int, np.ndarray], None]


class Session:
    """Prompts on one object in one volume, and the masks predicted from them.

    Each action can be undone. An action that raises an error leaves the session as it was. Not thread-safe, except for
    `encodings`, which a background thread fills.

    Attributes:
        encodings: the encoded slices; `sibling` shares them with the sessions of other segments of the volume.
    """

    def __init__(
        self,
        image: sitk.Image,
        engine: str | AnyEngine = "random-walker",
        *,
        axis: int | None = None,
        normal: Sequence[float] | None = None,
        right: Sequence[float] | None = None,
        window: Window | None = None,
        weights: Path | None = None,
        device: str = "auto",
        options: Mapping[str, Any] | None = None,
        cache: FeatureCache | None = None,
    ):
        """Open a session on a volume.

        Args:
            image: 3-D, scalar; it is never changed.
            engine: id of an engine (see `strokesam methods`), or a loaded engine.
            axis: index axis along which the slices are stacked: 0 (i), 1 (j) or 2 (k); by default the axis of the
                thickest slices.
            normal: direction of the slices of an oblique view, LPS, in place of `axis`.
            right: direction of increasing columns of that view, LPS.
            window: the values of black and white; by default the stroke window for CT, percentiles for MR.
            weights: checkpoint of the engine; by default from the store.
            device: "auto", "cpu", "cuda" or "mps".
            options: options of the engine.
            cache: cache for features; by default the engine's own.

        Raises:
            InputError: the volume cannot be used, or the weights are missing.
            OptionError: the engine, an option, the device or the plane is unknown.
        """
        image = as_scalar_volume(image, "volume")
        count = count_without_value(image, "volume")
        if normal is not None:
            if axis is not None:
                raise OptionError("give an axis or a normal, not both")
            stack = stack_along(image, normal, right, window)
        else:
            stack = stack_along_axis(image, slice_axis(image) if axis is None else axis, window)
        loaded = load_engine(engine, weights, device, options) if isinstance(engine, str) else engine
        self._start(Encodings(loaded, stack, cache))
        if count:
            self.encodings.notes.append(background_note(count))

    def _start(self, encodings: Encodings) -> None:
        self.encodings = encodings
        in_3d = isinstance(encodings.engine, VolumeEngine)
        self._prediction = VolumePrediction(encodings) if in_3d else SlicePrediction(encodings)
        self._history = History()
        self._next_id = 1

    @classmethod
    def on(cls, encodings: Encodings) -> Session:
        """A session on the slices of `encodings`, which other sessions may share."""
        session = cls.__new__(cls)
        session._start(encodings)
        return session

    def sibling(self) -> Session:
        """A new session on another segment of the same volume, with the same encoded slices."""
        return Session.on(self.encodings)

    @property
    def stack(self) -> SliceStack:
        """The slices."""
        return self.encodings.stack

    @property
    def prompts(self) -> dict[int, Prompt]:
        """The prompts by number, in the order in which they were added."""
        return {number: entry.prompt for number, entry in self._state.prompts.items()}

    @property
    def _state(self) -> SessionState:
        return self._history.state

    def span(self) -> tuple[int, int] | None:
        """The first and last slice of the object, from boxes across several slices; None without such a box."""
        spans = [entry.span for entry in self._state.prompts.values() if entry.span and entry.span[0] < entry.span[1]]
        return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None

    def slices(self) -> list[int]:
        """The slices with prompts or a propagated mask, ascending; the masks may be empty."""
        return sorted(self._state.predictions())

    def prompt_slices(self) -> dict[int, int | None]:
        """The slice of each prompt by number, the first of several; None for a negative mask."""
        return {number: min(entry.slices, default=None) for number, entry in self._state.prompts.items()}

    def slice_parts(self) -> dict[int, tuple[object, ...]]:
        """The objects that make up the mask of each slice; the mask is unchanged while they are the same objects."""
        return {k: (prediction, *self._state.exclusions(k)) for k, prediction in self._state.predictions().items()}

    def add(self, prompt: Prompt) -> int:
        """Add a prompt, and predict the mask of its slice.

        Of an engine that answers in 3-D, it also changes the masks of all slices that a propagation reached before.

        Returns:
            The number of the prompt, for `change` and `remove`.

        Raises:
            InputError: the prompt lies outside the volume, is empty, contradicts another, or is a negative point where
                nothing says that the object is there.
            OptionError: the engine does not take this type of prompt.
        """
        number = self._next_id
        prompts = {**self._state.prompts, number: self._place_prompt(prompt)}
        self._update(prompts, {"do": "add", "number": number, "prompt": prompt})
        self._next_id += 1
        return number

    def change(self, number: int, prompt: Prompt) -> None:
        """Replace prompt `number` with `prompt`, and predict the masks of both slices anew.

        Raises:
            InputError: see `add`.
            OptionError: there is no prompt `number`, or the engine does not take this type of prompt.
        """
        self._check_number(number)
        prompts = {**self._state.prompts, number: self._place_prompt(prompt)}
        self._update(prompts, {"do": "change", "number": number, "prompt": prompt})

    def remove(self, number: int) -> None:
        """Remove prompt `number`. A slice without other prompts goes back to its propagated mask.

        Raises:
            OptionError: there is no prompt `number`.
        """
        self._check_number(number)
        prompts = {key: entry for key, entry in self._state.prompts.items() if key != number}
        self._update(prompts, {"do": "remove", "number": number})

    def preview(self, prompt: Prompt, number: int | None = None) -> dict[int, np.ndarray]:
        """The masks after `add`, or after `change` of prompt `number`, while the session stays as it is.

        Returns:
            The mask of each slice that would have one, bool (row, column).

        Raises:
            InputError: see `add`.
            OptionError: see `change`.
        """
        if number is not None:
            self._check_number(number)
        key, action = (self._next_id, "add") if number is None else (number, "change")
        prompts = {**self._state.prompts, key: self._place_prompt(prompt)}
        state = self._prediction.with_prompts(self._state, prompts, {"do": action})
        return {k: state.mask(k, self.stack.shape) for k in state.predictions()}

    def slice_mask(self, k: int) -> np.ndarray:
        """The mask of slice `k`, bool (row, column), without the pixels of negative masks and lassos."""
        return self._state.mask(k, self.stack.shape)

    def mask(self) -> sitk.Image:
        """The segment: a UInt8 mask on the volume's grid."""
        return self.stack.volume_mask({k: self.slice_mask(k) for k in self._state.predictions()})

    def propagate(
        self,
        plan: PropagationPlan | None = None,
        monitor: Monitor | None = None,
        on_slice: OnSlice | None = None,
        **settings: Any,
    ) -> int:
        """Propagate from the prompted slices through the volume.

        An engine that answers in 3-D needs one propagation: from then on each prompt changes all these slices at once.

        Args:
            plan: settings; or its fields as keyword arguments (``direction="up"``, …).
            monitor: progress, and cancellation between slices.
            on_slice: called with the number and the mask of each slice after its prediction.

        Returns:
            The number of slices visited.

        Raises:
            InputError: no slice within the range has a prompt.
            OptionError: a setting is unknown or out of range, or the engine has no memory.
            Cancelled: `monitor` was cancelled; the slices visited so far are kept.
        """
        return self._propagate(plan or PropagationPlan(**settings), monitor or Monitor(), on_slice, None)

    def _propagate(self, plan: PropagationPlan, monitor: Monitor, on_slice: OnSlice | None, most: int | None) -> int:
        state, shape = self._state, self.stack.shape
        predictions: dict[int, Prediction] = {}
        visited, cancelled = 0, None
        steps = self._prediction.steps(state, plan)
        for k, prediction in itertools.islice(steps, most):
            predictions[k] = prediction
            visited += 1
            if on_slice is not None:
                on_slice(k, state.without_excluded(k, prediction.mask(shape)))
            try:
                monitor.step(min(visited / len(self.stack), 1.0), f"slice {k}")
            except Cancelled as stop:
                cancelled = stop
                break
        # The order of the slices is fixed, so a replay needs only the number visited by a cancelled propagation.
        action = {"do": "propagate", "plan": plan.to_json(), "visited": visited}
        self._history.push(self._prediction.propagated(state, plan, predictions, action))
        if cancelled is not None:
            raise cancelled
        return visited

    def undo(self) -> bool:
        """Undo the last action, a prompt or a propagation; True if there was one."""
        return self._history.undo()

    def redo(self) -> bool:
        """Redo the action undone last; True if there was one."""
        return self._history.redo()

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, about the engine's computation and the present answer."""
        answer = self._state.answer
        return (*self.encodings.notes, *(answer.notes if answer is not None else ()))

    @property
    def can_undo(self) -> bool:
        """True if there is an action to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """True if there is an action to redo."""
        return self._history.can_redo

    def actions(self) -> list[Mapping[str, Any]]:
        """The actions that were not undone, in order; `interactive.record` writes them, `repeat` repeats them."""
        return self._history.actions()

    def repeat(self, action: Mapping[str, Any], monitor: Monitor | None = None) -> None:
        """Repeat one of another session's `actions`.

        Raises:
            InputError: the action is unknown, or `add`, `change` or `propagate` raises it.
            OptionError: `add`, `change`, `remove` or `propagate` raises it.
        """
        match action.get("do"):
            case "add":
                self._next_id = action["number"]
                self.add(action["prompt"])
            case "change":
                self.change(action["number"], action["prompt"])
            case "remove":
                self.remove(action["number"])
            case "propagate":
                self._propagate(PropagationPlan(**action["plan"]), monitor or Monitor(), None, action["visited"])
            case other:
                raise InputError(f"session: unknown action {other!r}")

    def _check_number(self, number: int) -> None:
        if number not in self._state.prompts:
            raise OptionError(f"there is no prompt {number}")

    def _place_prompt(self, prompt: Prompt) -> PlacedPrompt:
        kind = KINDS[type(prompt)]
        engine = self.encodings.engine
        if kind not in engine.accepts and not _is_exclusion(prompt):
            raise OptionError(f"engine {engine.id} takes no {kind}, only {', '.join(sorted(engine.accepts))}")
        return self._prediction.place(prompt)

    def _update(self, prompts: Mapping[int, PlacedPrompt], action: Mapping[str, Any]) -> None:
        self._history.push(self._prediction.with_prompts(self._state, prompts, action))


def _is_exclusion(prompt: Prompt) -> bool:
    """True for a negative mask, which is applied without the engine."""
    return isinstance(prompt, Mask) and not prompt.positive

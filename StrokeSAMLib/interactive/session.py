"""A session: prompts on one object in one volume, their masks, and what was propagated from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.imaging.checks import check_scalar
from StrokeSAMLib.imaging.windowing import Window
from StrokeSAMLib.interactive.cache import FeatureCache
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.engines.base import Answer, Bank, Context, Engine
from StrokeSAMLib.interactive.engines.registry import load_engine
from StrokeSAMLib.interactive.prompts import Box, Mask, Point, Prompt
from StrokeSAMLib.interactive.propagation import Plan, propagate, resumes
from StrokeSAMLib.interactive.slices import Placed, on_slice, place
from StrokeSAMLib.interactive.stack import SliceStack, slice_axis, stack_along, stack_along_axis
from StrokeSAMLib.interactive.state import History, State
from StrokeSAMLib.monitor import Monitor

SliceSeen = Callable[[int, np.ndarray], None]


class Session:
    """Prompts in, masks out.

    Every action makes a new state, which can be undone. An action that cannot be carried out raises, and leaves the
    session as it was. Not thread-safe, but for `encodings`, which the background fills.

    Attributes:
        encodings: the encoded slices; share them with the sessions of other segments of the volume (`sibling`).
    """

    def __init__(
        self,
        image: sitk.Image,
        engine: str | Engine = "random-walker",
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
        """Open a volume.

        Args:
            image: 3-D, scalar; it is never changed.
            engine: see `strokesam methods`; or one that is loaded already.
            axis: stack the slices along this index axis (0, 1, 2); by default the axis of the thickest slices.
            normal: or along this direction (LPS), for an oblique view; `right` is the view's.
            window: the values of black and white; by default the stroke window for CT, percentiles for MR.
            weights: the engine's checkpoint, where it needs one.
            device: "auto", "cpu", "cuda" or "mps".
            options: the engine's own.
            cache: for features; by default the engine's own, of the usual size.

        Raises:
            InputError: no usable volume, or no weights.
            OptionError: an unknown engine, option, device or plane.
        """
        check_scalar(image, "volume")
        if normal is not None:
            if axis is not None:
                raise OptionError("give an axis or a normal, not both")
            stack = stack_along(image, normal, right, window)
        else:
            stack = stack_along_axis(image, slice_axis(image) if axis is None else axis, window)
        ready = load_engine(engine, weights, device, options) if isinstance(engine, str) else engine
        self._start(Encodings(ready, stack, cache))

    def _start(self, encodings: Encodings) -> None:
        self.encodings = encodings
        self._history = History()
        self._next_id = 1

    @classmethod
    def on(cls, encodings: Encodings) -> Session:
        """A session on slices that are encoded already, or by an engine of the caller's own."""
        made = cls.__new__(cls)
        made._start(encodings)
        return made

    def sibling(self) -> Session:
        """A new session for another segment of the same volume, with the same encoded slices."""
        return Session.on(self.encodings)

    @property
    def stack(self) -> SliceStack:
        """The slices."""
        return self.encodings.stack

    @property
    def prompts(self) -> dict[int, Prompt]:
        """The prompts by their number, in the order in which they were given."""
        return {number: entry.prompt for number, entry in self._state.prompts.items()}

    @property
    def _state(self) -> State:
        return self._history.state

    def span(self) -> tuple[int, int] | None:
        """First and last slice that boxes across several slices say the object has; None without such a box."""
        spans = [entry.span for entry in self._state.prompts.values() if entry.span and entry.span[0] < entry.span[1]]
        return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None

    def slices(self) -> list[int]:
        """The slices that were prompted or propagated to, ascending; their masks may be empty."""
        return sorted(self._state.answers())

    def prompt_slices(self) -> dict[int, int | None]:
        """The slice that each prompt acts on, the first of several; None for one that only excludes."""
        return {number: min(entry.slices, default=None) for number, entry in self._state.prompts.items()}

    def slice_parts(self) -> dict[int, tuple[object, ...]]:
        """What the mask of each slice is made of: while these are the same objects, so is the mask."""
        return {k: (answer, *self._excluding(k)) for k, answer in self._state.answers().items()}

    def slices_with_prompts(self) -> list[int]:
        """The slices that have prompts, ascending."""
        return sorted(self._state.prompted)

    def add(self, prompt: Prompt) -> int:
        """Add a prompt; the mask of its slice follows. Returns its number, for `change` and `remove`.

        Raises:
            InputError: outside the volume, empty, contradictory, or nothing but "not here" on a slice without a mask.
        """
        number = self._next_id
        prompts = {**self._state.prompts, number: self._place(prompt)}
        self._put(prompts, {"do": "add", "number": number, "prompt": prompt})
        self._next_id += 1
        return number

    def change(self, number: int, prompt: Prompt) -> None:
        """Put `prompt` in the place of prompt `number`: moved, resized, or of the other sign."""
        self._check_number(number)
        prompts = {**self._state.prompts, number: self._place(prompt)}
        self._put(prompts, {"do": "change", "number": number, "prompt": prompt})

    def remove(self, number: int) -> None:
        """Remove prompt `number`; without others its slice falls back to what was propagated."""
        self._check_number(number)
        prompts = {key: entry for key, entry in self._state.prompts.items() if key != number}
        self._put(prompts, {"do": "remove", "number": number})

    def slice_mask(self, k: int) -> np.ndarray:
        """The mask of slice `k`, bool (row, column), without what negative masks exclude."""
        answer = self._state.prompted.get(k) or self._state.tracked.get(k)
        mask = np.zeros(self.stack.shape, bool) if answer is None else answer.mask(self.stack.shape)
        return self._allowed(k, mask)

    def mask(self) -> sitk.Image:
        """The segment: a UInt8 mask on the volume's grid."""
        return self.stack.volume_mask({k: self.slice_mask(k) for k in self._state.answers()})

    def propagate(
        self, plan: Plan | None = None, monitor: Monitor | None = None, seen: SliceSeen | None = None, **settings: Any
    ) -> int:
        """From the prompted slices through the volume. Returns how many slices were visited.

        Args:
            plan: how; or its fields as keyword arguments (``direction="up"``, …).
            monitor: progress, and cancellation between slices.
            seen: called with each slice's number and mask as it comes.

        Raises:
            InputError: there are no prompts.
            OptionError: no such propagation.
            Cancelled: by `monitor`; the slices that were reached are kept.
        """
        return self._propagate(plan or Plan(**settings), monitor or Monitor(), seen, None)

    def _propagate(self, plan: Plan, monitor: Monitor, seen: SliceSeen | None, most: int | None) -> int:
        state, shape = self._state, self.stack.shape
        found: dict[int, Answer] = {}
        visited, cancelled = 0, None
        steps = propagate(self.encodings, state.prompted, plan, state.tracked, state.corrected)
        for k, answer in itertools.islice(steps, most):
            found[k] = answer
            visited += 1
            if seen is not None:
                seen(k, self._allowed(k, answer.mask(shape)))
            try:
                monitor.step(min(visited / len(self.stack), 1.0), f"slice {k}")
            except Cancelled as stop:
                cancelled = stop
                break
        tracked = {**self._kept(plan), **found}
        # The order of the steps is fixed, so that their number says how far a cancelled propagation came.
        action = {"do": "propagate", "plan": plan.to_json(), "visited": visited}
        self._history.push(replace(state, tracked=tracked, corrected=frozenset(), action=action))
        if cancelled is not None:
            raise cancelled
        return visited

    def undo(self) -> bool:
        """Take back the last action, a propagation too; whether there was one."""
        return self._history.undo()

    def redo(self) -> bool:
        """Do again what was undone last; whether there was anything."""
        return self._history.redo()

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether an action was taken back."""
        return self._history.can_redo

    def actions(self) -> list[Mapping[str, Any]]:
        """What was done and not undone, in order; `interactive.record` writes and repeats it."""
        return self._history.actions()

    def repeat(self, action: Mapping[str, Any], monitor: Monitor | None = None) -> None:
        """Do again one of another session's `actions`.

        Raises:
            InputError: not an action.
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
                self._propagate(Plan(**action["plan"]), monitor or Monitor(), None, action["visited"])
            case other:
                raise InputError(f"session: unknown action {other!r}")

    def _check_number(self, number: int) -> None:
        if number not in self._state.prompts:
            raise OptionError(f"there is no prompt {number}")

    def _place(self, prompt: Prompt) -> Placed:
        kind = _KINDS[type(prompt)]
        engine = self.encodings.engine
        excludes = isinstance(prompt, Mask) and not prompt.positive  # which is no business of the engine's
        if kind not in engine.accepts and not excludes:
            raise OptionError(f"engine {engine.id} takes no {kind}, only {', '.join(sorted(engine.accepts))}")
        return place(prompt, self.stack)

    def _put(self, prompts: Mapping[int, Placed], action: Mapping[str, Any]) -> None:
        """The state with `prompts`, the answers of the slices that they change made anew."""
        before = self._state
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
            answer = self._answer(k, prompts, action["do"] == "add")
            prompted.pop(k, None)
            if answer is not None:
                prompted[k] = answer
        corrected = before.corrected | changed if before.tracked else before.corrected
        self._history.push(State(prompts, prompted, before.tracked, frozenset(corrected), action))

    def _answer(self, k: int, prompts: Mapping[int, Placed], added: bool) -> Answer | None:
        """The answer on slice `k`: each prompt corrects the answer before it, the first one what was tracked."""
        asked = on_slice(prompts.values(), k, self.stack.shape)
        if not asked:
            return None
        state, engine = self._state, self.encodings.engine
        base = answer = state.tracked.get(k)
        if added and k in state.prompted:
            asked, answer = asked[-1:], state.prompted[k]
        context = self._context(k) if base is not None and engine.tracks else None
        for prompts_now in asked:
            if answer is not None or not prompts_now.only_negative:
                question = partial(engine.predict, prompts=prompts_now, prior=answer, context=context)
                answer = self.encodings.ask(k, question)
        if answer is None:
            raise InputError(f"slice {k} has only negative points: add a positive one, or a box")
        return answer

    def _context(self, k: int) -> Context:
        """Where a tracked slice stands in its propagation."""
        state = self._state
        prompted = {n: answer for n, answer in sorted(state.prompted.items()) if n != k}
        for n, answer in prompted.items():
            self.encodings.ask(n, partial(self.encodings.engine.remember, answer=answer))
        backwards = all(n > k for n in prompted)
        tracked = {n: answer for n, answer in state.tracked.items() if n != k and n not in prompted}
        return Context(k, len(self.stack), backwards, Bank(prompted, tracked))

    def _kept(self, plan: Plan) -> dict[int, Answer]:
        """Of the former propagation, what `plan` does not visit again."""
        state = self._state
        if plan.resume and resumes(state.prompted, state.tracked, state.corrected):
            return dict(state.tracked)
        allowed = plan.range(len(self.stack))
        above, below = max(state.prompted, default=0), min(state.prompted, default=0)
        again = {"both": allowed, "up": range(below, allowed.stop), "down": range(allowed.start, above + 1)}
        return {
            k: answer
            for k, answer in state.tracked.items()
            if k in state.prompted or k not in allowed or k not in again[plan.direction]
        }

    def _allowed(self, k: int, mask: np.ndarray) -> np.ndarray:
        """`mask` without what the negative masks exclude on slice `k`."""
        for entry in self._excluding(k):
            mask = mask & ~entry.pixels[k]
        return mask

    def _excluding(self, k: int) -> list[Placed]:
        """The negative masks that have something on slice `k`."""
        masks = (entry for entry in self._state.prompts.values() if isinstance(entry.prompt, Mask))
        return [entry for entry in masks if not entry.prompt.positive and k in entry.pixels]


_KINDS = {Point: "point", Box: "box", Mask: "mask"}

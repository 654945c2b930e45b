"""Propagation from slices with prompts to the slices between and beyond them, with any engine.

Each direction has its own memory, so that the result depends neither on the order of the directions nor on when the
user cancels. The upward direction starts at the lowest prompted slice, and passes the other prompted slices on its
way. The downward direction starts there too; without the upward one it starts at the highest prompted slice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.imaging.overlap import dice
from StrokeSAMLib.interactive.engines.base import Engine, MemoryBank, Prediction, PropagationContext, TrackingEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.object_end import ObjectEnd, Rejected
from StrokeSAMLib.interactive.session_state import EMPTY

DIRECTIONS = ("up", "down", "both")
POLICIES = ("memory", "box")
# The number of a slice, and the prediction on it.
Step = tuple[int, Prediction]
# Predicts a slice from the slices before it; called with each slice of a direction in turn.
Advance = Callable[[int], Prediction]
# New and previous masks that agree this well, on this many slices in a row, would agree on the slices beyond too.
_AGREE_DICE, _AGREE_SLICES = 0.99, 3


@dataclass(frozen=True)
class PropagationPlan:
    """The settings of a propagation.

    Attributes:
        direction: "up" (to higher slice numbers), "down" or "both".
        policy: "memory" (the engine's video memory) or "box" (from slice to slice); None uses the memory of an engine
            that has one.
        first, last: range of slices; slices outside it are left as they are; None is the end of the stack.
        stop_after: number of empty slices in a row that ends a direction; 0 never ends it. A part of the object
            beyond them is missed.
        find_end: in propagation by box, leave slices empty whose mask shows another object (see `object_end`). The
            published procedures of LiteMedSAM and SAM do not; neither does a propagation that never ends.
        resume: after a correction, propagate from the corrected slices only, until the masks agree with the previous
            ones; the other slices stay as they are.
    """

    direction: str = "both"
    policy: str | None = None
    first: int | None = None
    last: int | None = None
    stop_after: int = 2
    find_end: bool = True
    resume: bool = True

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise OptionError(f"direction is {self.direction!r}; it must be one of {', '.join(DIRECTIONS)}")
        if self.policy not in (None, *POLICIES):
            raise OptionError(f"propagation is {self.policy!r}; it must be one of {', '.join(POLICIES)}")
        if self.stop_after < 0:
            raise OptionError(f"stop_after is {self.stop_after}; it must be 0 or more")

    def range(self, count: int) -> range:
        """The slices from `first` to `last`, in a stack of `count` slices.

        Raises:
            OptionError: the range is empty, or not within the stack.
        """
        first = 0 if self.first is None else self.first
        last = count - 1 if self.last is None else self.last
        if not 0 <= first <= last < count:
            raise OptionError(f"slices {first} to {last}: the volume has slices 0 to {count - 1}")
        return range(first, last + 1)

    def to_json(self) -> dict[str, Any]:
        """The settings as keyword arguments of this class."""
        return asdict(self)


def propagate(
    encodings: Encodings,
    prompted: Mapping[int, Prediction],
    plan: PropagationPlan,
    previous: Mapping[int, Prediction] = EMPTY,
    corrected: frozenset[int] = frozenset(),
) -> Iterator[Step]:
    """Predict the slices without prompts, outward, both directions in turn.

    Args:
        encodings: the slices.
        prompted: predictions on the prompted slices.
        plan: settings.
        previous: predictions of the last propagation. With `corrected` slices, only the slices from them to where the
            masks agree again are yielded.
        corrected: slices whose prompts changed since the last propagation.

    Raises:
        InputError: no slice within the plan's range has a prompt.
    """
    allowed = plan.range(len(encodings.stack))
    starts = sorted(k for k in prompted if k in allowed)
    if not starts:
        raise InputError("no slice in the range has a prompt: add a box or a point first")
    propagation = _Propagation(encodings, prompted, plan, allowed)
    steps = {"up": (1,), "down": (-1,), "both": (1, -1)}[plan.direction]
    if plan.resume and can_resume(prompted, previous, corrected):
        corrected_starts = sorted(k for k in corrected if k in allowed)
        chains = [propagation.corrected_chain(start, step, previous) for step in steps for start in corrected_starts]
        return _interleave(chains)
    start = starts[-1] if plan.direction == "down" else starts[0]
    return _interleave([propagation.chain(start, step) for step in steps])


def can_resume(
    prompted: Mapping[int, Prediction], previous: Mapping[int, Prediction], corrected: frozenset[int]
) -> bool:
    """True if a propagation can start from the corrected slices alone.

    It needs a previous propagation, and each corrected slice must still have a prompt.
    """
    return bool(previous) and bool(corrected) and corrected <= prompted.keys()


class _Propagation:
    """The chains of steps of one propagation."""

    def __init__(self, encodings: Encodings, prompted: Mapping[int, Prediction], plan: PropagationPlan, allowed: range):
        self._encodings = encodings
        self._prompted = prompted
        self._policy = plan.policy or ("memory" if cast(Engine, encodings.engine).tracks else "box")
        self._stop_after = plan.stop_after
        self._find_end = plan.find_end and plan.stop_after > 0
        self._allowed = allowed
        self._shape = encodings.stack.shape

    def chain(self, start: int, step: int) -> Iterator[Step]:
        """Predict outward from slice `start`, past the prompted slices, until the range or the object ends."""
        return self._along(self._slices_beyond(start, step), start, step)

    def _along(self, slices: range, start: int, step: int) -> Iterator[Step]:
        advance = self._advance(start, step < 0)
        prompted_beyond, empty = self._prompted_beyond(start, step), 0
        for k in slices:
            prompted_beyond.discard(k)
            prediction = advance(k)
            empty = empty + 1 if self._is_empty(prediction) else 0
            if k not in self._prompted:
                yield k, prediction
            if self._stop_after and empty >= self._stop_after and not prompted_beyond:
                return

    def corrected_chain(self, start: int, step: int, previous: Mapping[int, Prediction]) -> Iterator[Step]:
        """Run `chain` from a corrected slice, until a few masks in a row agree with the `previous` ones.

        The chain ends before the next prompted slice: the slices beyond follow from the prompts there. Where the object
        ends earlier than before, the previous masks beyond its end are emptied.
        """
        if self._policy == "box" and self._is_empty(self._prompted[start]) and self._prompted_beyond(start, step):
            return  # the object ends at this slice, but other prompts may lead to it beyond
        slices = self._slices_to_next_prompt(start, step)
        agreeing, visited, prediction = 0, set(), None
        for k, prediction in self._along(slices, start, step):
            yield k, prediction
            visited.add(k)
            before = previous.get(k)
            agreeing = agreeing + 1 if before is not None and self._agree(before, prediction) else 0
            if agreeing >= _AGREE_SLICES:
                return
        if prediction is not None and self._is_empty(prediction):
            yield from ((k, prediction) for k in slices if k in previous and k not in visited)

    def _advance(self, start: int, backwards: bool) -> Advance:
        if self._policy == "memory":
            return _by_memory(self._encodings, self._prompted, backwards)
        return _by_box(self._encodings, self._prompted, start, self._end)

    @functools.cached_property
    def _end(self) -> ObjectEnd | None:
        return ObjectEnd(self._encodings.stack, self._prompted) if self._find_end else None

    def _slices_beyond(self, start: int, step: int) -> range:
        return range(start + step, self._allowed.stop if step > 0 else self._allowed.start - 1, step)

    def _slices_to_next_prompt(self, start: int, step: int) -> range:
        slices = self._slices_beyond(start, step)
        count = next((n for n, k in enumerate(slices) if k in self._prompted), len(slices))
        return slices[:count]

    def _prompted_beyond(self, start: int, step: int) -> set[int]:
        return {k for k in self._prompted if (k - start) * step > 0}

    def _is_empty(self, prediction: Prediction) -> bool:
        return not prediction.mask(self._shape).any()

    def _agree(self, first: Prediction, second: Prediction) -> bool:
        return dice(first.mask(self._shape), second.mask(self._shape)) >= _AGREE_DICE


def _by_box(encodings: Encodings, prompted: Mapping[int, Prediction], start: int, end: ObjectEnd | None) -> Advance:
    """Predict each slice from the last one before it that was not empty; reject masks beyond the object's `end`."""
    engine, shape = cast(Engine, encodings.engine), encodings.stack.shape
    last = prompted[start]

    def advance(k: int) -> Prediction:
        nonlocal last
        prediction = prompted.get(k)
        if prediction is None:
            if not last.mask(shape).any():
                return last
            prediction = encodings.with_features(k, lambda features: engine.follow(features, last, shape))
            if end is not None and end.is_beyond(k, prediction, last):
                return Rejected(prediction)
        if k in prompted or prediction.mask(shape).any():
            last = prediction
        return prediction

    return advance


def _by_memory(encodings: Encodings, prompted: Mapping[int, Prediction], backwards: bool) -> Advance:
    """Predict each slice from the memory of the prompted slices and of the slices before it."""
    if not cast(Engine, encodings.engine).tracks:
        raise OptionError(f"engine {encodings.engine.id} has no memory: propagate by box")
    engine = cast(TrackingEngine, encodings.engine)
    for k, prediction in prompted.items():
        encodings.with_features(k, partial(engine.remember, prediction=prediction))
    bank = MemoryBank(dict(sorted(prompted.items())))

    def advance(k: int) -> Prediction:
        if k in bank.prompted:
            return bank.prompted[k]
        context = PropagationContext(k, len(encodings.stack), backwards, bank)
        bank.tracked[k] = encodings.with_features(k, partial(engine.track, context=context))
        return bank.tracked[k]

    return advance


def _interleave(chains: list[Iterator[Step]]) -> Iterator[Step]:
    """One step of each chain in turn, so that the object grows outward from its prompts."""
    while chains:
        for chain in list(chains):
            step = next(chain, None)
            if step is None:
                chains.remove(chain)
            else:
                yield step

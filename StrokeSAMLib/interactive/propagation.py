"""From slices with prompts to the slices between and beyond them: one policy over every engine.

Each direction has a memory of its own, so that the result depends neither on the order of the directions nor on when
the user cancels. Upward begins at the lowest prompted slice and passes the others on its way; downward begins there
too, or, alone, at the highest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.engines.base import Answer, Bank, Context
from StrokeSAMLib.interactive.state import NOTHING

DIRECTIONS = ("up", "down", "both")
POLICIES = ("memory", "box")
Step = tuple[int, Answer]
Advance = Callable[[int], Answer]
# Masks that agree this well, on this many slices in a row, would go on agreeing.
_AGREE_DICE, _AGREE_SLICES = 0.99, 3


@dataclass(frozen=True)
class Plan:
    """How to propagate.

    Attributes:
        direction: "up" (to higher slice numbers), "down" or "both".
        policy: "memory" (the engine's video memory), "box" (from slice to slice), or None: memory where the engine
            has one.
        first, last: slices beyond these are left alone; None: the ends of the stack.
        stop_after: a direction ends after so many empty slices; 0: never. A part that reappears later is missed.
        resume: after a correction go outward from the corrected slices only, until the masks agree with the former
            ones; the rest stays.
    """

    direction: str = "both"
    policy: str | None = None
    first: int | None = None
    last: int | None = None
    stop_after: int = 2
    resume: bool = True

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise OptionError(f"direction is {self.direction!r}; it must be one of {', '.join(DIRECTIONS)}")
        if self.policy not in (None, *POLICIES):
            raise OptionError(f"propagation is {self.policy!r}; it must be one of {', '.join(POLICIES)}")
        if self.stop_after < 0:
            raise OptionError(f"stop_after is {self.stop_after}; it must be 0 or more")

    def range(self, count: int) -> range:
        """The slices allowed, of a stack of `count`.

        Raises:
            OptionError: there is none.
        """
        first = 0 if self.first is None else self.first
        last = count - 1 if self.last is None else self.last
        if not 0 <= first <= last < count:
            raise OptionError(f"slices {first} to {last}: the volume has slices 0 to {count - 1}")
        return range(first, last + 1)

    def to_json(self) -> dict[str, Any]:
        """As keyword arguments of this class."""
        return asdict(self)


def propagate(
    encodings: Encodings,
    prompted: Mapping[int, Answer],
    plan: Plan,
    former: Mapping[int, Answer] = NOTHING,
    corrected: frozenset[int] = frozenset(),
) -> Iterator[Step]:
    """Answers on slices without prompts, outward, both directions in turn.

    Args:
        encodings: the slices.
        prompted: the answers on the prompted slices.
        plan: how.
        former: what an earlier propagation gave; with `corrected` slices, only what changes is yielded.
        corrected: the slices whose prompts changed since.

    Raises:
        InputError: no slice has a prompt within the plan's range.
    """
    allowed = plan.range(len(encodings.stack))
    starts = sorted(k for k in prompted if k in allowed)
    if not starts:
        raise InputError("no slice in the range has a prompt: add a box or a point first")
    run = _Run(encodings, prompted, plan, allowed)
    steps = {"up": (1,), "down": (-1,), "both": (1, -1)}[plan.direction]
    if plan.resume and resumes(prompted, former, corrected):
        begins = sorted(k for k in corrected if k in allowed)
        return _in_turn([run.again(start, step, former) for step in steps for start in begins])
    start = starts[-1] if plan.direction == "down" else starts[0]
    return _in_turn([run.walk(start, step) for step in steps])


def resumes(prompted: Mapping[int, Answer], former: Mapping[int, Answer], corrected: frozenset[int]) -> bool:
    """Whether a propagation can go on from the corrected slices: there is a former one, and no prompt went away."""
    return bool(former) and bool(corrected) and corrected <= prompted.keys()


class _Run:
    """One propagation: the chains of which it is made."""

    def __init__(self, encodings: Encodings, prompted: Mapping[int, Answer], plan: Plan, allowed: range):
        self._encodings = encodings
        self._prompted = prompted
        self._policy = plan.policy or ("memory" if encodings.engine.tracks else "box")
        self._stop_after = plan.stop_after
        self._allowed = allowed
        self._shape = encodings.stack.shape

    def walk(self, start: int, step: int) -> Iterator[Step]:
        """Outward from `start`, past the prompted slices, until the range or the object ends."""
        advance = _POLICIES[self._policy](self._encodings, self._prompted, start, step < 0)
        ahead, empty = self._ahead(start, step), 0
        for k in self._way(start, step):
            ahead.discard(k)
            answer = advance(k)
            empty = empty + 1 if self._is_empty(answer) else 0
            if k not in self._prompted:
                yield k, answer
            if self._stop_after and empty >= self._stop_after and not ahead:
                return

    def again(self, start: int, step: int, former: Mapping[int, Answer]) -> Iterator[Step]:
        """`walk` from a corrected slice, until its masks agree with the `former` ones on a few slices in a row.

        Where the object ends sooner than it did, the former masks beyond are emptied.
        """
        if self._policy == "box" and self._is_empty(self._prompted[start]) and self._ahead(start, step):
            return  # it says where the object ends, not that it is not where other prompts lead to
        agreed, visited, answer = 0, set(), None
        for k, answer in self.walk(start, step):
            yield k, answer
            visited.add(k)
            before = former.get(k)
            agreed = agreed + 1 if before is not None and self._agree(before, answer) else 0
            if agreed >= _AGREE_SLICES:
                return
        if answer is not None and self._is_empty(answer):
            beyond = (k for k in self._way(start, step) if k in former and k not in self._prompted)
            yield from ((k, answer) for k in beyond if k not in visited)

    def _way(self, start: int, step: int) -> range:
        return range(start + step, self._allowed.stop if step > 0 else self._allowed.start - 1, step)

    def _ahead(self, start: int, step: int) -> set[int]:
        return {k for k in self._prompted if (k - start) * step > 0}

    def _is_empty(self, answer: Answer) -> bool:
        return not answer.mask(self._shape).any()

    def _agree(self, first: Answer, second: Answer) -> bool:
        return _dice(first.mask(self._shape), second.mask(self._shape)) >= _AGREE_DICE


def _by_box(encodings: Encodings, prompted: Mapping[int, Answer], start: int, backwards: bool) -> Advance:
    """Each slice from the last one before it that was not empty."""
    engine, shape = encodings.engine, encodings.stack.shape
    last = prompted[start]

    def advance(k: int) -> Answer:
        nonlocal last
        answer = prompted.get(k)
        if answer is None:
            if not last.mask(shape).any():
                return last
            answer = encodings.ask(k, lambda features: engine.follow(features, last, shape))
        if k in prompted or answer.mask(shape).any():
            last = answer
        return answer

    return advance


def _by_memory(encodings: Encodings, prompted: Mapping[int, Answer], start: int, backwards: bool) -> Advance:
    """Each slice from the memory of the prompted slices and of those before it."""
    engine = encodings.engine
    if not engine.tracks:
        raise OptionError(f"engine {engine.id} has no memory: propagate by box")
    for k, answer in prompted.items():
        encodings.ask(k, partial(engine.remember, answer=answer))
    bank = Bank(dict(sorted(prompted.items())))

    def advance(k: int) -> Answer:
        if k in bank.prompted:
            return bank.prompted[k]
        context = Context(k, len(encodings.stack), backwards, bank)
        bank.tracked[k] = encodings.ask(k, partial(engine.track, context=context))
        return bank.tracked[k]

    return advance


_POLICIES = {"memory": _by_memory, "box": _by_box}


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0


def _in_turn(chains: list[Iterator[Step]]) -> Iterator[Step]:
    """One step of each chain in turn, so that the object grows outward from its prompt."""
    while chains:
        for chain in list(chains):
            step = next(chain, None)
            if step is None:
                chains.remove(chain)
            else:
                yield step
